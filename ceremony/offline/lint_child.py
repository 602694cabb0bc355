"""The child process in which pkilint runs; it sees DER and nothing else.

Standard input and output carry frames: four bytes of length, big-endian, then the
payload. A request is two frames: the certificate's DER, and its issuer's DER (empty
when there is none). The answer is one frame of JSON:
``{"self_issued": bool, "findings": [{"severity", "code", "where", "message"}]}``.
"""

import json
import os
import struct
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, BinaryIO, Final

from ceremony.offline.environment import harden

if TYPE_CHECKING:
    from pkilint.validation import ValidationResult, ValidatorContainer

MAX_FRAME: Final = 64 * 1024
HEADER: Final = struct.Struct(">I")
_AUTHORITY_KEY_IDENTIFIER: Final = "2.5.29.35"  # RFC 5280 §4.2.1.1


def main() -> None:
    """Serves requests until standard input ends."""
    harden(os.environ)
    lint = make_linter()
    while True:
        der = read_frame(sys.stdin.buffer)
        if der is None:
            return
        issuer = read_frame(sys.stdin.buffer)
        answer = json.dumps(lint(der, issuer or None)).encode("ascii")
        sys.stdout.buffer.write(HEADER.pack(len(answer)) + answer)
        sys.stdout.buffer.flush()


def read_frame(stream: BinaryIO) -> bytes | None:
    """One frame's payload; None when the stream has ended, or has no true frame."""
    header = stream.read(HEADER.size)
    if len(header) != HEADER.size:
        return None
    (length,) = HEADER.unpack(header)
    if length > MAX_FRAME:
        return None
    payload = stream.read(length)
    return payload if len(payload) == length else None


def make_linter() -> Callable[[bytes, bytes | None], dict[str, Any]]:
    """Loads pkilint (250 to 700 ms) and returns a function over DER.

    Its validators are those of `lint_pkix_cert` (RFC 5280), and, given an issuer, the
    name and key identifier checks of `lint_pkix_signer_signee_cert_chain`. Signatures are
    not its part: what is linted before signing is a twin under a throw-away key.
    """
    from pkilint.loader import RFC5280CertificateDocumentLoader
    from pkilint.pkix import certificate, extension, name

    alone = certificate.create_pkix_certificate_validator_container(
        certificate.create_decoding_validators(
            name.ATTRIBUTE_TYPE_MAPPINGS, extension.EXTENSION_MAPPINGS
        ),
        [
            certificate.create_issuer_validator_container([]),
            certificate.create_validity_validator_container(),
            certificate.create_subject_validator_container([]),
            certificate.create_extensions_validator_container([]),
            certificate.create_spki_validator_container([]),
        ],
    )
    pair = _pair_container()
    loader = RFC5280CertificateDocumentLoader()

    def lint(der: bytes, issuer_der: bytes | None) -> dict[str, Any]:
        documents: dict[str, Any] = {}
        try:
            subject = loader.load_der_document(der, "subject", "subject", documents)
            documents["subject"] = subject
            results = alone.validate(subject.root)
            if issuer_der is not None:
                issuer = loader.load_der_document(issuer_der, "issuer", "issuer", documents)
                documents["issuer"] = issuer
                alone.validate(issuer.root)  # decodes the extensions that the pair compares
                results += pair.validate(issuer.root)
            own = bool(subject.is_self_issued)
        except ValueError as exc:
            return {"self_issued": False, "findings": [_undecodable(exc)]}
        return {"self_issued": own, "findings": [_row(*row) for row in _flat(results)]}

    return lint


def _pair_container() -> "ValidatorContainer":
    from pkilint import document, validation
    from pkilint.pkix import extension, name
    from pyasn1.type.univ import ObjectIdentifier

    return validation.ValidatorContainer(
        validators=[
            name.IssuerSubjectNameBinaryEqualValidator(
                path="certificate.tbsCertificate.subject",
                subject_document_issuer_dn_path="subject:certificate.tbsCertificate.issuer",
            ),
            extension.IssuerSubjectKeyIdentifierBinaryEqualValidator(
                subject_auth_key_id_retriever=lambda node: document.get_document_by_name(
                    node, "subject"
                ).get_extension_by_oid(ObjectIdentifier(_AUTHORITY_KEY_IDENTIFIER))
            ),
        ]
    )


def _flat(results: "list[ValidationResult]") -> list[tuple[str, str, str, str]]:
    return [
        (
            described.finding.severity.name,
            described.finding.code,
            str(result.node.path),
            described.message or "",
        )
        for result in results
        for described in result.finding_descriptions
    ]


def _row(severity: str, code: str, where: str, message: str) -> dict[str, str]:
    return {"severity": severity, "code": code, "where": where, "message": message[:500]}


def _undecodable(exc: ValueError) -> dict[str, str]:
    return _row("FATAL", "itu.invalid_asn1_syntax", "certificate", str(exc))


if __name__ == "__main__":
    main()
