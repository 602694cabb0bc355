"""The README.txt and fingerprints.txt of bundles: how to check everything with stock tools."""

from collections.abc import Sequence
from typing import Final

from ceremony.bundle.schema import Manifest, RequestDocument
from ceremony.core.fingerprints import Fingerprint
from ceremony.kinds import facts_of
from ceremony.x509.certificate import Certificate
from ceremony.x509.checks import is_strict
from ceremony.x509.csr import Csr
from ceremony.x509.higher_ca import is_complete

_REHEARSAL: Final = (
    "REHEARSAL: nothing in here is for a real Factory; the platform refuses it.",
    "",
)
_SUMS: Final = (
    "Is everything here as it was written, and nothing else?",
    "",
    "    sha256sum -c --strict SHA256SUMS",
    "    ls",
    "",
    "The fingerprint of the bundle is the SHA-256 of SHA256SUMS. Compare it with the paper:",
    "",
    "    sha256sum SHA256SUMS",
    "",
)


def request_readme(document: RequestDocument, files: Sequence[str]) -> bytes:
    """README.txt of a request bundle.

    Args:
        document: the bundle's `request.json`.
        files: names of the other files.
    """
    lines = [
        f"Request bundle of the Factory {document.factory}, fetched at {document.fetched_at}.",
        "",
        *(_REHEARSAL if document.rehearsal else ()),
        "It is carried into the room where the root key is: `ceremony` reads it there.",
        "",
        *_SUMS,
        "What do the CSRs ask for, and are they signed with their own keys?",
        "",
    ]
    lines += [
        f"    openssl req -in {request.file} -noout -verify -text" for request in document.requests
    ]
    certificates = sorted(name for name in files if name.endswith(".pem"))
    if certificates:
        lines += ["", "What does the Factory have today?", ""]
        lines += [
            f"    openssl crl2pkcs7 -nocrl -certfile {name} | openssl pkcs7 -print_certs -noout"
            for name in certificates
        ]
    return _text(lines)


def root_csr_readme(
    *, factory: str, ceremony_id: str, rehearsal: bool, csr: Csr, days: int
) -> bytes:
    """README.txt of a root CSR: for the people at the higher CA, who have stock tools alone.

    Args:
        factory: whose root it is.
        ceremony_id: of the record.
        rehearsal: nothing of it is for a real Factory.
        csr: the root's.
        days: the validity that the plan asks for.
    """
    lines = [
        f"Root CSR of the Factory {factory}, made in the ceremony {ceremony_id}.",
        "",
        *(_REHEARSAL if rehearsal else ()),
        "It is carried to the higher CA, which signs it. The ceremony waits for the answer. No",
        "private key is in here; the root's key stays where it was made.",
        "",
        *_SUMS,
        "Is the CSR signed with its own key, and what does it ask for?",
        "",
        "    openssl req -in root.csr -noout -verify -text",
        "",
        f"    subject             {csr.subject}",
        f"    key                 {csr.key}",
        f"    SHA-256 of the key  {csr.spki_sha256.hex}",
        "",
        "    openssl req -in root.csr -noout -pubkey |",
        "        openssl pkey -pubin -outform DER | sha256sum",
        "",
        "The certificate must have this subject and this key; basicConstraints critical CA:TRUE",
        "without pathlen, or with 1 and more; keyUsage critical keyCertSign and cRLSign; both key",
        "identifiers. extKeyUsage is best left out; if it is there, it names serverAuth and",
        f"clientAuth (OpenSSL takes anyExtendedKeyUsage for neither). Asked for: {days} days;",
        "everything below ends with it. With plain OpenSSL (CA.pem, CA.key: the higher CA's):",
        "",
        "    printf 'authorityKeyIdentifier=keyid:always\\n' > aki.ext",
        f"    openssl x509 -req -in root.csr -CA CA.pem -CAkey CA.key -days {days} -sha256 \\",
        "        -copy_extensions copy -extfile aki.ext -out answer.pem",
        "",
        "What goes back, on a stick: answer.pem, and chain.pem with the CAs above it, its issuer",
        "first. And on paper, apart from the stick: the SHA-256 of answer.pem as 32 words, which",
        "the officers type. `ceremony fingerprint answer.pem` prints them; so does",
        "",
        "    openssl x509 -in answer.pem -outform DER | sha256sum | cut -c1-64 | fold -w2 |",
        '        { n=0; while read -r h; do sed -n "$((0x$h + 1))p" pgp-words.txt |',
        "        cut -d' ' -f$((n % 2 + 1)); n=$((n + 1)); done; } | paste -d' ' - - - -",
        "",
        "Eight lines A to H, four words each: A1 is the first word of the first line.",
    ]
    return _text(lines)


_CARRIED = (
    "It is carried to the online machine: `ceremony-online upload` checks it there, sends",
    "payload.json, reads back what the platform then has, and compares. There is no private",
    "key in here.",
)
_HANDED = (
    "It is handed to those who asked for the certificates. Nothing of it is sent to the",
    "platform, and there is no private key in here.",
)


def upload_readme(
    manifest: Manifest, root: Certificate | None, above: Sequence[Certificate] = ()
) -> bytes:
    """README.txt of an upload bundle.

    Args:
        manifest: the bundle's `manifest.json`.
        root: what its certificates are under; its form decides how strict OpenSSL can be.
        above: the CAs above the root, where the bundle has them.
    """
    lines = [
        f"Upload bundle of the Factory {manifest.factory}, made at {manifest.created_at}",
        f"in the ceremony {manifest.ceremony_id}.",
        "",
        *(_REHEARSAL if manifest.rehearsal else ()),
        *(_CARRIED if facts_of(manifest.kind).fields else _HANDED),
        "",
        *_SUMS,
        "Does every certificate come from the root?",
        "",
    ]
    flags = "-x509_strict " if root is not None and is_strict(root) else ""
    if root is not None and not root.self_signed:
        flags += "-partial_chain "
        lines += [
            "(The root is signed by a higher CA, so it is taken as the end of the chain.)",
            "",
        ]
    for entry in manifest.certificates:
        purpose = "-purpose sslserver " if entry.role in {"tls", "est-tls"} else ""
        lines.append(f"    openssl verify {flags}{purpose}-CAfile factory_ca.pem {entry.file}")
    lines += _above(root, above)
    lines += ["", "What is in them, and what are their fingerprints (fingerprints.txt)?", ""]
    lines += [
        f"    openssl x509 -in {entry.file} -noout -text -fingerprint -sha256"
        for entry in manifest.certificates
    ]
    lines += [*_keys(manifest), *_crl(manifest, root), *_payload(manifest)]
    return _text(lines)


def _above(root: Certificate | None, above: Sequence[Certificate]) -> list[str]:
    """The whole chain, from its top down."""
    if not above or root is None:
        return []
    flags = "-x509_strict " if all(is_strict(one) for one in (root, *above)) else ""
    flags += "" if is_complete(above) else "-partial_chain "
    return [
        "",
        "Did the higher CA sign the root? root-chain.pem has the CAs above it, its issuer first:",
        "compare the fingerprint of the last one with what is known of it by other means.",
        "",
        f"    openssl verify {flags}-CAfile root-chain.pem factory_ca.pem",
        *(f"    # SHA-256 of {one.subject}: {one.fingerprint.hex}" for one in above),
    ]


def _keys(manifest: Manifest) -> list[str]:
    answered = {"tls": "tls.csr", "est-tls": "est-tls.csr", "online-ca": "online-ca.csr"}
    pairs = [
        (e.file, answered[e.role])
        for e in manifest.certificates
        if e.role in answered and e.name == e.role
    ]
    if not pairs:
        return []
    lines = [
        "",
        "Are they for the keys of the CSRs in the request bundle? Its fingerprint:",
        manifest.request_sha256,
        "Each pair prints the same twice (REQUEST is the directory of the request bundle):",
        "",
    ]
    for certificate, csr in pairs:
        lines += [
            f"    openssl x509 -in {certificate} -noout -pubkey | sha256sum",
            f"    openssl req -in REQUEST/{csr} -noout -pubkey | sha256sum",
        ]
    return lines


def _crl(manifest: Manifest, root: Certificate | None) -> list[str]:
    if manifest.crl is None:
        return []
    serials = ", ".join(entry.serial for entry in manifest.crl.entries)
    lines = [
        "",
        "What does the CRL say, and did the root sign it?",
        "",
        "    openssl crl -in crl.pem -CAfile factory_ca.pem -noout -text",
        "",
        f"It acts on the device CAs with these serials: {serials}",
    ]
    usage = root.extensions.key_usage if root is not None else None
    if usage is not None and "cRLSign" not in usage:
        return [
            *lines,
            "`openssl verify -crl_check` says nothing here (error 35): the keyUsage of this root",
            "lacks cRLSign, as fioctl and the recipe make it. The platform takes its CRLs.",
        ]
    partial = "-partial_chain " if root is not None and not root.self_signed else ""
    return [
        *lines,
        "On such a CA's own certificate (ca.pem), error 23 says disabled or revoked, OK enabled:",
        "",
        f"    openssl verify {partial}-crl_check -CRLfile crl.pem -CAfile factory_ca.pem ca.pem",
    ]


def _payload(manifest: Manifest) -> list[str]:
    sent = facts_of(manifest.kind).fields
    names = {"root": "root-crt", "tls": "tls-crt", "est-tls": "est-tls-crt"}
    pairs = [(names[e.role], e.file) for e in manifest.certificates if e.role in names]
    if any(e.role in {"online-ca", "local-ca"} for e in manifest.certificates):
        pairs.append(("ca-crt", "device_ca_list.pem"))
    if manifest.crl is not None:
        pairs.append(("ca-revoke-crl", "crl.pem"))
    pairs = [(key, file) for key, file in pairs if key in sent]
    if not pairs:
        return ["", "Nothing of it is sent to the platform: payload.json is empty."]
    lines = ["", "Is the body that is sent made of exactly these files (jq needed)?", ""]
    lines += [f"    jq -j '.\"{key}\"' payload.json | cmp - {file}" for key, file in pairs]
    return lines


def fingerprints_text(certificates: Sequence[tuple[str, Certificate]]) -> bytes:
    """fingerprints.txt: SHA-256 of each certificate's DER, as hex and as words.

    Args:
        certificates: file name and certificate.
    """
    lines = ["SHA-256 of the DER of each certificate, as hex and as words.", ""]
    for file, certificate in certificates:
        lines += [
            file,
            f"  subject  {certificate.subject}",
            f"  serial   {certificate.serial_hex}",
            f"  sha256   {certificate.fingerprint.hex}",
            *(f"  {line}" for line in word_lines(certificate.fingerprint)),
            "",
        ]
    return _text(lines[:-1])


def word_lines(fingerprint: Fingerprint) -> tuple[str, ...]:
    """Eight lines A to H: letter, eight hex digits, four words."""
    return tuple(
        f"{letter}  {group}  {' '.join(words)}" for letter, group, words in fingerprint.lines
    )


def _text(lines: Sequence[str]) -> bytes:
    return ("\n".join(lines) + "\n").encode("ascii")
