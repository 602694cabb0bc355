"""Annex: the same with stock tools. What another program would be told at each step.

Secrets are in no command: PINs and passphrases are asked for by the tools themselves.
"""

from collections.abc import Iterator
from shlex import quote

from ceremony.config import Plan, Token
from ceremony.core.text import show
from ceremony.documents.model import Block, Column, Heading, PageBreak, Paragraph, Table, Tone
from ceremony.kinds import EXPORTS_NOTHING, Kind, Slot, facts_of
from ceremony.plan import Curve

_CURVES = {Curve.P256: "prime256v1", Curve.P384: "secp384r1"}
_LEAVES = {
    Slot.ONLINE_CA: ("online_ca.pem", ""),
    Slot.TLS: ("tls.pem", "-purpose sslserver "),
    Slot.EST_TLS: ("est-tls.pem", "-purpose sslserver "),
}
Row = tuple[str, str, str]
EVIDENCE_PLAN = "plan.toml"
_CHAIN = (
    'python3 -c \'import hashlib, json; lines = open("record.jsonl", "rb").readlines(); '
    'print(all(json.loads(b)["prev"] == hashlib.sha256(a).hexdigest() '
    "for a, b in zip(lines, lines[1:])))'"
)


def command_annex(plan: Plan, *, file: str = "ceremony.toml") -> tuple[Block, ...]:
    """A table of step, purpose and command, from the plan alone.

    Args:
        plan: of the ceremony.
        file: name of the plan's file where this annex is read.
    """
    return (
        PageBreak(),
        Heading(text="Annex: the same with stock tools"),
        Paragraph(
            tone=Tone.SMALL,
            text="Nobody has to believe this program. These commands of coreutils, OpenSSL, "
            "OpenSC and curl show or do the same. Commands marked 'instead' would do a step "
            "without the program, and also without its record: they are for understanding. All "
            "others only look. No secret is in a command; tools ask for PINs and passphrases. "
            "Step 3 is run in the folder of the request bundle, steps 4 to 8 in that of the upload "
            "bundle, steps 1 and 9 in that of the evidence"
            + (" (before the day: beside the plan)." if file != EVIDENCE_PLAN else "."),
        ),
        Table(
            columns=(
                Column(title="Step", share=14),
                Column(title="What for", share=42),
                Column(title="Command", share=104, mono=True),
            ),
            rows=tuple(stock_commands(plan, file=file)),
        ),
    )


def stock_commands(plan: Plan, *, file: str = "ceremony.toml") -> Iterator[Row]:
    """Step, purpose, command; relative to the folder that the annex names for the step."""
    yield "1", "Hex digits of the plan's words", f"sha256sum {quote(file)}"
    yield "2", "Interfaces, swap, time", "ip -br link; cat /proc/swaps; date -u"
    yield from _token_looks(plan)
    if plan.kind not in EXPORTS_NOTHING:
        yield from _bundle(plan)
    yield from _root(plan)
    if plan.kind not in EXPORTS_NOTHING:
        yield from _issued(plan)
        yield "8", "Upload bundle: every file", "sha256sum -c --strict SHA256SUMS"
        yield "8", "Upload bundle: its words in hex", "sha256sum SHA256SUMS"
    yield "9", "Evidence: every file", "sha256sum -c --strict SHA256SUMS"
    yield "9", "Evidence: the head of the record", "tail -n 1 record.jsonl | sha256sum"
    yield "9", "Evidence: each line of the record names the one before it", _CHAIN
    yield from _afterwards(plan)


def _token_looks(plan: Plan) -> Iterator[Row]:
    token = _looked_at(plan)
    if token is not None:
        yield "2", "The module's hash", f"sha256sum {quote(show(token.module))}"
        yield "2", "Tokens and serial numbers", f"{_module(token)} --list-token-slots"


def _looked_at(plan: Plan) -> Token | None:
    """The token of the root; in a drill that of its backup, as the root's stays in its bag."""
    if plan.root.key_store != "token":
        return None
    if plan.kind is Kind.CHECK_BACKUP and plan.root.backup.token is not None:
        return plan.root.backup.token
    return plan.root.token


def _bundle(plan: Plan) -> Iterator[Row]:
    yield "3", "Request bundle: every file", "sha256sum -c --strict SHA256SUMS"
    yield "3", "Request bundle: its words in hex", "sha256sum SHA256SUMS"
    for slot in plan.requests:
        yield "3", f"CSR {slot.value}", f"openssl req -in {slot.value}.csr -noout -verify -text"
    if not facts_of(plan.kind).makes_root:
        line = "openssl x509 -in current-root.pem -noout -text -fingerprint -sha256"
        yield "3", "The Factory's root", line


def _root(plan: Plan) -> Iterator[Row]:
    root, token = plan.root, _looked_at(plan)
    makes = facts_of(plan.kind).makes_root
    if token is not None:
        tool, which = _tool(token), "" if token.label is not None else " (of several: add --slot)"
        yield "4", f"Keys on the token{which}", f"{tool} --list-objects --type privkey"
        if makes:
            line = f"{tool} --keypairgen --key-type EC:{_CURVES[root.curve]} --sensitive"
            line += f" --usage-sign --label {quote(show(root.label))} --id {root.key_id}"
            yield "4", "Instead: make the key", line
    elif makes:
        line = f"openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:{root.curve.value}"
        yield "4", "Instead: make the key", f"{line} -aes-256-cbc -out {quote(root.label)}.key"
        yield "4", "The key file opens", f"openssl pkey -in {quote(root.label)}.key -noout -check"
    if plan.root_below:
        line = "openssl req -in root.csr -noout -verify -text"
        yield "4", "The root CSR (in the evidence)", line
        line = "openssl x509 -in answer.pem -noout -text"
        yield "4", "The higher CA's answer (on the stick HIGHER CA)", line
        line = "openssl verify -partial_chain -CAfile root-chain.pem factory_ca.pem"
        yield "4", "The root under the higher CA, where its chain was brought", line
    if makes or plan.kind in _KNOWS_ROOT:
        line = "openssl x509 -in factory_ca.pem -noout -text -fingerprint -sha256"
        yield "4", "Root certificate and fingerprint", line


_KNOWS_ROOT = frozenset({Kind.CHECK_BACKUP, Kind.EXPORT_ROOT_KEY})


def _module(token: Token) -> str:
    """The tool on the token's module, which sees the variables that the plan gives it alone."""
    variables = "".join(
        f"{show(name)}={quote(show(value, limit=4096))} "
        for name, value in sorted(token.module_environment.items())
    )
    return f"{variables}pkcs11-tool --module {quote(show(token.module))}"


def _tool(token: Token) -> str:
    label = f" --token-label {quote(show(token.label))}" if token.label is not None else ""
    return f"{_module(token)}{label} --login"


def files(plan: Plan) -> list[tuple[str, str]]:
    """Certificates below the root: file, and the purpose that OpenSSL checks it for."""
    found = [_LEAVES[slot] for slot in plan.requests]
    found += [(f"local_ca-{ca.name}.pem", "") for ca in plan.local_ca]
    return found + [(f"signed-{one.name}.pem", "") for one in plan.sign_csr]


def _issued(plan: Plan) -> Iterator[Row]:
    for file, _ in files(plan):
        yield "6", f"What was signed: {file}", f"openssl x509 -in {file} -noout -text"
    if facts_of(plan.kind).reason is not None:
        line = "openssl crl -in crl.pem -noout -text -CAfile factory_ca.pem"
        yield "6", "The CRL, and who signed it", line
    # A root that was there before may be in any form; only a new one is known to be strict.
    makes = facts_of(plan.kind).makes_root
    strict = "-x509_strict " if makes and plan.root.profile == "strict" else ""
    strict += "-partial_chain " if plan.root.issuer == "external" else ""
    for file, purpose in files(plan):
        line = f"openssl verify {strict}-CAfile factory_ca.pem {purpose}{file}"
        yield "7", f"Second opinion on {file}", line


def _afterwards(plan: Plan) -> Iterator[Row]:
    if facts_of(plan.kind).fields:
        url = f"{show(plan.online.api).rstrip('/')}/ota/factories/{plan.factory}/certs/"
        line = "curl --fail -X PATCH -H @token-header -H 'Content-Type: application/json'"
        line += f" --data-binary @payload.json {quote(url)}"
        yield "after", "Instead: upload, on the online machine", line
        yield "after", "What the Factory has then", f"curl --fail -H @token-header {quote(url)}"
