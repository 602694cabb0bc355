"""Rows on the plan's PKCS#11 modules and tokens, and modules found in known places."""

import hashlib
import os
import pwd
import stat
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ceremony.config import Plan, Token
from ceremony.core.ports import PinState, StoreInfo
from ceremony.core.text import show
from ceremony.errors import KeyStoreError
from ceremony.flow.prompts import CheckRow, CheckStatus
from ceremony.keys.module import check_module

_NEEDED: Final = ("ECDSA", "EC_KEY_PAIR_GEN")
_KEY_BYTES: Final = 2048  # an EC key pair with its attributes, generously

_LIBRARIES: Final = ("/usr/lib/*-linux-gnu", "/usr/lib64", "/usr/lib", "/usr/local/lib")
# Where vendors' packages put their modules; a name may be a pattern.
KNOWN: Final = (
    *(
        f"{folder}/{name}"
        for folder in _LIBRARIES
        for name in (
            "softhsm/libsofthsm2.so",
            "opensc-pkcs11.so",
            "pkcs11/opensc-pkcs11.so",
            "pkcs11/yubihsm_pkcs11.so",
            "yubihsm_pkcs11.so",
            "libnethsm_pkcs11.so",
            "libsc-hsm-pkcs11.so",
            "libtpm2_pkcs11.so*",
            "pkcs11/libtpm2_pkcs11.so*",
            "opencryptoki/libopencryptoki.so",
            "libsoftokn3.so",
            "nss/libsoftokn3.so",
            "libykcs11.so",
        )
    ),
    "/usr/safenet/lunaclient/lib/libCryptoki2_64.so",
    "/opt/cloudhsm/lib/libcloudhsm_pkcs11.so",
    "/opt/nfast/toolkits/pkcs11/libcknfast.so",
    "/opt/utimaco/p11/libcs_pkcs11_R*.so",
)
_P11_KIT: Final = ("/usr/share/p11-kit/modules", "/etc/pkcs11/modules")


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundModule:
    """A PKCS#11 module in a known place; it was read, not loaded.

    Attributes:
        path: with symbolic links resolved.
        mode: four octal digits.
        source: `known place`, or the p11-kit file that names it.
    """

    path: str
    owner: str
    mode: str
    sha256: str
    source: str


def found_modules(root: Path = Path("/")) -> tuple[FoundModule, ...]:
    """Modules in known places and in p11-kit's module files, each file once."""
    found: dict[str, FoundModule] = {}
    for path, source in _places(root):
        real = path.resolve()
        if str(real) not in found and (module := _read(real, source)) is not None:
            found[str(real)] = module
    return tuple(found[path] for path in sorted(found))


def _places(root: Path) -> Iterator[tuple[Path, str]]:
    for pattern in KNOWN:
        for match in sorted(root.glob(pattern.lstrip("/"))):
            yield match, "known place"
    for folder in _P11_KIT:
        for file in sorted((root / folder.lstrip("/")).glob("*.module")):
            for name in _named(file):
                for place in _libraries(root, name):
                    yield place, show(str(file))


def _named(file: Path) -> Iterator[str]:
    try:
        lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return
    for line in lines:
        key, _, value = line.partition(":")
        if key.strip() == "module" and value.strip():
            yield value.strip()


def _libraries(root: Path, name: str) -> Iterator[Path]:
    if name.startswith("/"):
        yield root / name.lstrip("/")
        return
    for folder in _LIBRARIES:  # p11-kit looks below its own module folder
        for base in sorted(root.glob(folder.lstrip("/"))):
            yield base / "pkcs11" / name
            yield base / name


def _read(path: Path, source: str) -> FoundModule | None:
    try:
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                return None
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return None
    return FoundModule(
        path=show(str(path)),
        owner=_owner(status.st_uid),
        mode=f"{stat.S_IMODE(status.st_mode):04o}",
        sha256=digest,
        source=source,
    )


def _owner(uid: int) -> str:
    try:
        return show(pwd.getpwuid(uid).pw_name)
    except KeyError:
        return str(uid)


_NSS: Final = "libsoftokn3.so"
_NSS_DATABASES: Final = ("~/.pki/nssdb", "/etc/pki/nssdb")


def listing_tokens(module: str) -> tuple[Token, ...]:
    """Token tables with which a found module can be asked what it sees; nothing is written.

    NSS softokn answers only with parameters for C_Initialize: once for each database in a
    usual place, opened for reading, or without any.
    """
    if Path(module).name != _NSS:
        return (Token(module=module),)
    homes = [path for path in map(os.path.expanduser, _NSS_DATABASES) if _is_nss(Path(path))]
    parameters = [
        f"configdir='sql:{home}' certPrefix='' keyPrefix='' secmod='secmod.db' flags=readOnly"
        for home in homes
        if "'" not in home
    ] or ["configdir='' certPrefix='' keyPrefix='' secmod='' flags=readOnly,noCertDB,noModDB"]
    return tuple(
        Token(module=module, module_environment={"NSS_LIB_PARAMS": each}) for each in parameters
    )


def _is_nss(folder: Path) -> bool:
    return (folder / "cert9.db").is_file()


# --- the plan's tokens ----------------------------------------------------------------


def token_rows(plan: Plan, tokens: Callable[[Token], Sequence[StoreInfo]]) -> tuple[CheckRow, ...]:
    """For each token table: its module's file, then the token itself."""
    rows: list[CheckRow] = []
    for purpose, token in plan.tokens:
        try:
            module = check_module(token)
            pinned = "as pinned" if token.module_sha256 else "not pinned in the plan"
            rows.append(
                _pass(
                    "token.module",
                    f"{purpose}: module {show(str(module.path))}, "
                    f"SHA-256 {module.sha256} ({pinned})",
                )
            )
            rows += _token(purpose, token, tokens(token), plan.rehearsal)
        except KeyStoreError as exc:
            rows.append(_fail(exc.code, f"{purpose}: {exc.message}", exc.hint))
    return tuple(rows) or (_pass("token.none", "the plan's keys live in encrypted files"),)


def _token(
    purpose: str, token: Token, seen: Sequence[StoreInfo], rehearsal: bool
) -> list[CheckRow]:
    matching = [
        info
        for info in seen
        if token.serial in {None, info.name} and token.label in {None, info.label}
    ]
    wanted = show(token.serial or token.label or "")
    if not matching and token.initialize and _blank(token, seen):
        return [
            _pass(
                "token.to_initialize",
                f"{purpose}: the token is blank, and the ceremony initialises it, as the plan says",
            )
        ]
    if len(matching) != 1:
        there = ", ".join(f"{show(i.name)} ({show(i.label)})" for i in seen) or "none"
        code = "token.ambiguous" if matching else "token.missing"
        many = "more than one token is" if matching else "no token is"
        return [
            _fail(
                code,
                f"{purpose}: {many} {wanted}; the module sees: {there}",
                "Plug in the token whose serial the plan names.",
            )
        ]
    info = matching[0]
    seen_as = f"{purpose}: token {show(info.name)}, label {show(info.label)}"
    kind = f"{show(info.manufacturer)} {show(info.model)}, firmware {show(info.firmware)}"
    rows = [_pass("token.found", f"{seen_as}, {kind.strip()}"), _pin(purpose, info)]
    rows += [*_default_pin(purpose, info), *_memory(purpose, info)]
    if not info.initialized and not token.initialize:
        rows.append(
            _fail(
                "token.not_initialized",
                f"{purpose}: the token is not initialised",
                "Initialise it as its vendor says, with the backup scheme chosen before.",
            )
        )
    missing = [need for need in _NEEDED if f"CKM_{need}" not in _names(info)]
    if info.mechanisms and missing:
        rows.append(
            _fail(
                "token.no_ecdsa",
                f"{purpose}: the token lacks {', '.join(missing)}",
                "Use a token that makes and uses EC keys.",
            )
        )
    return [*rows, *_software(purpose, token, info, rehearsal)]


def _blank(token: Token, seen: Sequence[StoreInfo]) -> bool:
    """Whether one blank token may be the plan's; a blank one may tell no serial number."""
    blank = [i for i in seen if not i.initialized and (not i.name or token.serial == i.name)]
    return len(blank) == 1


def _default_pin(purpose: str, info: StoreInfo) -> list[CheckRow]:
    """Threat 27: the token says that its PIN is a factory's default, or has expired."""
    if info.pin_unset:
        return [
            _warn(
                "token.pin_unset",
                f"{purpose}: the token has no user PIN yet",
                "Set the user PIN with the vendor's tool.",
            )
        ]
    if not info.pin_to_be_changed:
        return []
    return [
        _warn(
            "token.pin_to_be_changed",
            f"{purpose}: the token says that its user PIN must be changed: a default, or expired",
            "Change it before a key is made: the ceremony offers it, or use the vendor's tool.",
        )
    ]


def _memory(purpose: str, info: StoreInfo) -> list[CheckRow]:
    if info.free_bytes is None:
        return []
    told = f"{purpose}: {info.free_bytes} bytes are free for keys"
    if info.free_bytes < _KEY_BYTES:
        return [_warn("token.memory_low", told, "Use an empty token: a key may not fit.")]
    return [_pass("token.memory", told)]


def _names(info: StoreInfo) -> set[str]:
    return {f"CKM_{name.removeprefix('CKM_')}" for name in info.mechanisms}


def _pin(purpose: str, info: StoreInfo) -> CheckRow:
    pad = ", entered on the device" if info.pin_pad else ""
    sentence = f"{purpose}: user PIN: {info.pin_state.value}{pad}"
    match info.pin_state:
        case PinState.OK | PinState.NOT_REPORTED:
            return _pass("token.pin", sentence)
        case PinState.COUNT_LOW:
            hint = "Make sure of the PIN before it is typed: a wrong one was tried before."
            return _warn("token.pin_low", sentence, hint)
        case PinState.FINAL_TRY:
            hint = "Stop unless the PIN is certain: one more wrong PIN locks the token."
            return _warn("token.pin_final", sentence, hint)
        case PinState.LOCKED:
            return _fail("token.pin_locked", sentence, "Unlock it with the security officer's PIN.")


def _software(purpose: str, token: Token, info: StoreInfo, rehearsal: bool) -> list[CheckRow]:
    if not info.software:
        return []
    if token.software or rehearsal:
        why = "the plan allows it" if token.software else "this is a rehearsal"
        return [_pass("token.software_allowed", f"{purpose}: a software token; {why}")]
    return [
        _fail(
            "token.software",
            f"{purpose}: a software token: its keys are files on this laptop",
            "Use a hardware token, or set `software = true` in the plan and have it reviewed.",
        )
    ]


def _pass(code: str, sentence: str) -> CheckRow:
    return CheckRow(status=CheckStatus.PASS, code=code, sentence=sentence)


def _warn(code: str, sentence: str, hint: str) -> CheckRow:
    return CheckRow(status=CheckStatus.WARN, code=code, sentence=sentence, hint=hint)


def _fail(code: str, sentence: str, hint: str) -> CheckRow:
    return CheckRow(status=CheckStatus.FAIL, code=code, sentence=sentence, hint=hint)
