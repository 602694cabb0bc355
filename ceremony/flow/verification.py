"""Step 7, verify: everything that was issued, by our own checks and by OpenSSL's."""

from collections.abc import Mapping, Sequence

from ceremony.core.findings import Severity, errors
from ceremony.core.times import format_time
from ceremony.errors import VerificationError
from ceremony.flow.asking import Flow, acknowledge
from ceremony.flow.prompts import Acknowledge, CheckRow, Checks, CheckStatus, Step, Working
from ceremony.flow.room import Room
from ceremony.flow.work import Work
from ceremony.kinds import Reason, facts_of
from ceremony.x509.certificate import Certificate
from ceremony.x509.checks import check_certificate, check_chain, is_strict
from ceremony.x509.crls import verify_crl
from ceremony.x509.higher_ca import check_above
from ceremony.x509.profiles import Role


def verify(room: Room, work: Work) -> Flow[None]:
    """Chains, keys, uniqueness, profiles, the CRL.

    Raises:
        VerificationError: the code of the first check that failed.
    """
    root = work.root
    others = {one.name: (one.role, one.certificate) for one in work.certificates}
    if room.has("verify", "verify"):
        return
    yield Working(step=Step.VERIFY, title="Verifying every certificate")
    rows = (
        *_own(room, root, others),
        *_higher(root, work.above),
        *room.services.verify_chain(
            root.der,
            {name: (role.value, cert.der) for name, (role, cert) in others.items()},
            room.directory,
            above=[one.der for one in work.above],
        ),
        *_crl(room, work),
    )
    yield from acknowledge(
        Acknowledge(
            key="verify.checks",
            step=Step.VERIFY,
            title="Verify",
            body=(Checks(rows=rows),),
            help="Our own rules first, then OpenSSL, which knows nothing of this program.",
            command=_command(root),
        )
    )
    told = [{"status": r.status.value, "code": r.code, "sentence": r.sentence} for r in rows]
    failed = [row for row in rows if row.status is CheckStatus.FAIL]
    if failed:
        error = VerificationError(
            failed[0].code,
            failed[0].sentence,
            hint="Do not export. Keep the ceremony's folder and ask for help with its record.",
        )
        room.refused(Step.VERIFY, error)
        raise error
    room.append(Step.VERIFY, "verify", "verify", rows=told)


def _command(root: Certificate) -> str:
    """For a root that is no end of a chain by itself; the usual commands are known elsewhere."""
    if root.self_signed:
        return ""
    flags = f"{'-x509_strict ' if is_strict(root) else ''}-partial_chain -CAfile factory_ca.pem"
    return f"openssl verify {flags} online_ca.pem"


def _higher(root: Certificate, above: Sequence[Certificate]) -> tuple[CheckRow, ...]:
    """The signature on a root that a higher CA signed, where its chain was brought."""
    found = check_above(root, above)
    rows = [
        CheckRow(
            status=CheckStatus.FAIL if one.severity is Severity.ERROR else CheckStatus.WARN,
            code=one.code,
            sentence=f"{one.where}: {one.message}",
        )
        for one in found
    ]
    if above and not errors(found):
        sentence = f"the root is signed by {above[0].subject}, with {len(above)} CAs above it"
        rows.append(CheckRow(status=CheckStatus.PASS, code="verify.higher", sentence=sentence))
    return tuple(rows)


def _crl(room: Room, work: Work) -> tuple[CheckRow, ...]:
    crl = work.crl
    if crl is None:
        return ()
    verify_crl(crl, work.root)
    sentence = f"the root signed the CRL number {crl.number}, valid until " + format_time(
        crl.next_update
    )
    refused = facts_of(room.plan.kind).reason is not Reason.ENABLE
    return (
        CheckRow(status=CheckStatus.PASS, code="verify.crl", sentence=sentence),
        *room.services.verify_crl(
            work.root.der,
            crl.der,
            [ca.der for ca in work.chosen],
            room.directory,
            refused=refused,
        ),
    )


def _own(
    room: Room, root: Certificate, others: Mapping[str, tuple[Role, Certificate]]
) -> tuple[CheckRow, ...]:
    recipe = room.plan.root.profile == "openssl-recipe"
    rows = []
    every = {"root": (Role.ROOT, root), **others}
    for name, (role, certificate) in every.items():
        findings = check_certificate(
            certificate,
            role,
            factory=room.plan.factory,
            recipe=recipe and role is Role.ROOT,
            external=room.plan.root.issuer == "external",
        )
        bad = [f for f in findings if f.severity is Severity.ERROR]
        rows.append(
            CheckRow(
                status=CheckStatus.FAIL if bad else CheckStatus.PASS,
                code=bad[0].code if bad else "verify.profile",
                sentence=f"{name}: {bad[0].message if bad else 'as its profile says'}",
            )
        )
    chain = check_chain(root, {name: certificate for name, (_, certificate) in others.items()})
    for finding in chain:
        status = CheckStatus.FAIL if finding.severity is Severity.ERROR else CheckStatus.WARN
        rows.append(
            CheckRow(
                status=status, code=finding.code, sentence=f"{finding.where}: {finding.message}"
            )
        )
    if not chain:
        sentence = "signatures, dates, serials and keys fit together"
        rows.append(CheckRow(status=CheckStatus.PASS, code="verify.chain", sentence=sentence))
    return tuple(rows)
