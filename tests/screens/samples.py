"""Realistic prompts for the gallery and the tests."""

from datetime import UTC, datetime

from ceremony.core.findings import Finding, Severity
from ceremony.core.fingerprints import Fingerprint
from ceremony.core.secret import Secret
from ceremony.flow.prompts import (
    Acknowledge,
    AnyPrompt,
    CheckRow,
    Checks,
    CheckStatus,
    Choose,
    Compare,
    CompareRow,
    EnterSecret,
    EnterText,
    Facts,
    Field,
    FindingList,
    Finished,
    Frame,
    Option,
    PickPath,
    Place,
    Print,
    Review,
    ShowSecret,
    Step,
    Text,
    Tone,
    TypeBack,
    Working,
)

FINGERPRINT = Fingerprint.from_hex(
    "78e1b1452d62b075d5658ac652ad6eeccf15a81d25d63f55b9fc983463ba91d4"
)
ANNA = "Anna Kowalska (A)"
BEN = "Ben Okafor (B)"
PASS, WARN, FAIL = CheckStatus.PASS, CheckStatus.WARN, CheckStatus.FAIL


def now() -> datetime:
    return datetime(2026, 11, 23, 9, 41, 7, tzinfo=UTC)


def frame(step: Step, *, rehearsal: bool = True, exceptions: int = 0) -> Frame:
    return Frame(
        factory="rehearsal-acme-fleet" if rehearsal else "acme-fleet",
        kind="create",
        ceremony_id="20261123-0930-create",
        step=step,
        rehearsal=rehearsal,
        head=FINGERPRINT,
        exceptions=exceptions,
    )


def _welcome() -> Acknowledge:
    return Acknowledge(
        key="open.welcome",
        step=Step.OPEN,
        title="A first-time ceremony for acme-fleet",
        body=(
            Text(
                text="Today two officers make the root of trust of a fleet. Every step is "
                "recorded; nothing irreversible happens without both of you."
            ),
            Facts(
                rows=(
                    ("Factory", "acme-fleet"),
                    ("Root key", "on token DENK0104068, P-256, 20 years"),
                    ("Local device CAs", "line-1 (file), line-2 (file)"),
                    ("CSRs to sign", "tls, online-ca, est-tls"),
                    ("Type-back", "full: sixteen words each, at both crossings"),
                ),
                caption="The plan says",
            ),
            Text(text="You may go back until something is recorded.", tone=Tone.DIM),
        ),
        help="Have the approved script ready, printed on another machine. If a name is wrong "
        "here, quit: the plan must be corrected and approved again.",
        command="sha256sum ceremony.toml",
    )


def _preflight() -> Acknowledge:
    rows = (
        (PASS, "network.interfaces", "No network interface is up.", ""),
        (PASS, "network.radios", "Wi-Fi and Bluetooth are blocked.", ""),
        (PASS, "network.routes", "There is no default route.", ""),
        (WARN, "memory.swap", "Swap is on: /dev/sda3, 2 GiB.", "Turn it off: swapoff -a."),
        (PASS, "memory.core", "Core dumps are off.", ""),
        (PASS, "clock.zone", "The clock runs in UTC.", ""),
        (
            FAIL,
            "disk.free",
            "Only 12 MiB are free where the record will be written, and 64 MiB are needed.",
            "Choose another folder with --dir.",
        ),
        (PASS, "tool.hash", "ceremony 0.1.0, 3f2a91c0 5d1e77ab.", ""),
        (PASS, "module.owner", "The module belongs to root and only root may write it.", ""),
        (PASS, "module.sha256", "The module is the one that the plan names.", ""),
        (PASS, "token.serial", "Token DENK0104068 is there: ceremony root, Nitrokey HSM 2.", ""),
    )
    return Acknowledge(
        key="preflight.rows",
        step=Step.PREFLIGHT,
        title="Is this room ready?",
        body=(
            Checks(
                rows=tuple(CheckRow(status=s, code=c, sentence=t, hint=h) for s, c, t, h in rows)
            ),
        ),
    )


def _root_fence() -> Acknowledge:
    return Acknowledge(
        key="root.fence",
        step=Step.ROOT,
        title="Make the root key on the token",
        officer=ANNA,
        irreversible=True,
        action="make the root key",
        body=(
            Text(
                text="The root of trust of a Factory can be set once. A reset goes through "
                "support and cuts off every device.",
                tone=Tone.DANGER,
            ),
            Facts(
                rows=(
                    ("Token", "DENK0104068, ceremony root, Nitrokey HSM 2"),
                    ("Key", "root-ca, id 01, P-256, never extractable"),
                    ("Backup", "vendor's own, after this ceremony"),
                )
            ),
        ),
        command="pkcs11-tool --module opensc-pkcs11.so --login \\\n"
        "  --keypairgen --key-type EC:prime256v1 --label root-ca --id 01",
    )


def _choose() -> Choose:
    return Choose(
        key="import.source",
        step=Step.IMPORT,
        title="What does this file answer?",
        officer=BEN,
        body=(
            Text(text="server-7.csr has a name that says nothing. Its content is never trusted."),
            Facts(rows=(("Subject", "CN=ota-lite.foundries.io"), ("Key", "EC P-256"))),
        ),
        options=(
            Option(value="tls", label="Gateway TLS", detail="the device gateway's server"),
            Option(value="online-ca", label="Online device CA", detail="signs devices online"),
            Option(value="est-tls", label="EST TLS", detail="the EST server, optional"),
            Option(value="none", label="None of these", detail="leave the file out, noted"),
        ),
    )


def _officer() -> EnterText:
    return EnterText(
        key="open.officer.a",
        step=Step.OPEN,
        title="Who is officer A?",
        body=(Text(text="The name goes on the record and on the report, as written here."),),
        fields=(
            Field(name="name", label="Name", placeholder="as on the identity card"),
            Field(name="role", label="Role", default="security officer"),
            Field(name="witness", label="Seen by", required=False),
        ),
    )


def _pin() -> EnterSecret:
    return EnterSecret(
        key="root.pin",
        step=Step.ROOT,
        title="PIN of the root token",
        officer=ANNA,
        body=(
            Facts(rows=(("Token", "DENK0104068, ceremony root"), ("PIN state", "count low"))),
            Text(text="One wrong PIN was typed since the last right one.", tone=Tone.WARN),
        ),
        problem="The token refused the PIN. Two more tries are left. [token.pin_wrong]",
        label="PIN",
    )


def _passphrase() -> ShowSecret:
    return ShowSecret(
        key="local.line-1.passphrase",
        step=Step.LOCAL_CAS,
        title="The passphrase of line-1",
        officer=BEN,
        body=(Text(text="Copy it to paper. It is shown this once and typed back next."),),
        label="Passphrase of local_ca-line-1.key",
        secret=Secret(
            "adroitness-aftermath-aimless-almighty-allow-amusement-"
            "ancient-antenna-apple-applicant-artist-armistice"
        ),
    )


def _words(problem: str | None = None) -> TypeBack:
    return TypeBack(
        key="open.plan.a",
        step=Step.OPEN,
        title="Words of the plan, from the approved script",
        officer=ANNA,
        body=(Text(text="Read them from the paper. This machine shows none before they match."),),
        paper="script",
        positions=(0, 2, 3, 5, 8, 9, 11, 12, 14, 17, 18, 20, 23, 26, 29, 31),
        problem=problem,
    )


def _review() -> Review:
    rows = (
        CompareRow(field="Subject", asked="CN=ota-lite", issued="CN=ota-lite"),
        CompareRow(field="Key", asked="EC P-256", issued="EC P-256"),
        CompareRow(
            field="Names",
            asked="ota-lite.foundries.io\nostree.foundries.io",
            issued="ota-lite.foundries.io\nostree.foundries.io",
        ),
        CompareRow(
            field="Issuer", asked="-", issued="CN=Factory-CA, OU=rehearsal-acme-fleet", mark="set"
        ),
        CompareRow(
            field="Validity", asked="-", issued="2026-11-23 to 2036-11-20 (3650 days)", mark="set"
        ),
        CompareRow(field="extKeyUsage", asked="-", issued="serverAuth", mark="set"),
        CompareRow(
            field="keyUsage",
            asked="digitalSignature, keyCertSign",
            issued="digitalSignature (critical)",
            mark="warn",
        ),
        CompareRow(field="nsComment", asked="made by easy-rsa", issued="-", mark="ignored"),
    )
    return Review(
        key="sign.tls",
        step=Step.SIGN,
        title="Gateway TLS certificate",
        irreversible=True,
        body=(
            Compare(title="tls.csr", rows=rows),
            FindingList(
                findings=(
                    Finding(
                        severity=Severity.WARNING,
                        code="csr.usage_ignored",
                        where="tls.csr",
                        message="It asks for keyCertSign, which a TLS certificate never gets.",
                    ),
                    Finding(
                        severity=Severity.NOTE,
                        code="csr.no_ou",
                        where="tls.csr",
                        message="The subject has no OU; the platform's own CSRs have none either.",
                    ),
                )
            ),
            Text(text="Checked by our own rules, pkilint and OpenSSL.", tone=Tone.GOOD),
        ),
        accept="sign it",
        refuse="do not sign",
    )


def _pick() -> PickPath:
    return PickPath(
        key="import.path",
        step=Step.IMPORT,
        title="Where is the request bundle?",
        body=(Text(text='Put in the stick named "CSR IN" and mark it.'),),
        candidates=(
            Place(path="/media/officer/CSR-IN", label="CSR-IN, SanDisk Ultra, 4C5300011"),
            Place(path="/media/officer/SIGNED-OUT", label="SIGNED-OUT, SanDisk Ultra, 4C5300012"),
        ),
    )


def _fingerprint() -> Acknowledge:
    return Acknowledge(
        key="export.words",
        step=Step.EXPORT,
        title="The words of the upload bundle",
        officer=ANNA,
        body=(
            Text(text="Copy these words to paper. Each of you will then prove the copy."),
            Print(caption="acme-fleet-upload-20261123-0930-create", fingerprint=FINGERPRINT),
        ),
        action="it is on paper",
    )


def _finished() -> Finished:
    return Finished(
        key="close.end",
        step=Step.CLOSE,
        title="The ceremony is over",
        body=(
            Text(text="Six certificates were signed and read back.", tone=Tone.GOOD),
            Facts(
                rows=(
                    ("Upload bundle", "/media/officer/SIGNED-OUT/acme-fleet-upload-20261123"),
                    ("Evidence", "/media/officer/EVIDENCE/acme-fleet-evidence-20261123"),
                    ("Record head", FINGERPRINT.hex),
                )
            ),
            Text(text="Pull SIGNED-OUT first. Carry it and the paper to the online machine."),
        ),
    )


PROMPTS: dict[str, AnyPrompt] = {
    "welcome": _welcome(),
    "preflight": _preflight(),
    "root-fence": _root_fence(),
    "choose": _choose(),
    "officer": _officer(),
    "pin": _pin(),
    "passphrase": _passphrase(),
    "words": _words(),
    "review": _review(),
    "pick": _pick(),
    "fingerprint": _fingerprint(),
    "finished": _finished(),
}
WORKING = Working(step=Step.ROOT, title="The token makes the root key", done=0, total=0)
SIGNING = Working(step=Step.SIGN, title="Signing", done=3, total=6)
