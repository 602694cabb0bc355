"""Practice tokens: SoftHSM2 in a directory of its own."""

import os
import subprocess
from pathlib import Path

from ceremony.config import Token
from ceremony.core.secret import Secret
from ceremony.core.text import show
from ceremony.errors import KeyStoreError
from ceremony.keys.token import list_tokens

# Where distributions put it: Debian and Ubuntu (multiarch and not), Fedora, Arch, Alpine,
# Homebrew on Linux.
_PLACES = (
    "/usr/lib/softhsm/libsofthsm2.so",
    "/usr/lib64/pkcs11/libsofthsm2.so",
    "/usr/lib64/softhsm/libsofthsm2.so",
    "/usr/lib/pkcs11/libsofthsm2.so",
    "/usr/lib/libsofthsm2.so",
    "/usr/local/lib/softhsm/libsofthsm2.so",
    "/home/linuxbrew/.linuxbrew/lib/softhsm/libsofthsm2.so",
)
_UTILITIES = ("/usr/bin/softhsm2-util", "/usr/local/bin/softhsm2-util")
_TIMEOUT_S = 30


def find_module() -> Path | None:
    """SoftHSM2's module at the usual places of distributions, or None."""
    multiarch = sorted(Path("/usr/lib").glob("*-linux-gnu*/softhsm/libsofthsm2.so"))
    places = [*multiarch, *(Path(place) for place in _PLACES)]
    return next((place for place in places if place.is_file()), None)


def create_token(directory: Path, label: str, so_pin: Secret, pin: Secret) -> Token:
    """Makes a SoftHSM2 token under `directory`, which may hold others already.

    The PINs of a practice token stand on softhsm2-util's command line for the moment
    that it runs; a real token is never initialised here.

    Raises:
        KeyStoreError: `practice.no_module`, `practice.token_failed`.
    """
    module = find_module()
    utility = next((u for u in _UTILITIES if os.access(u, os.X_OK)), None)
    if module is None or utility is None:
        raise KeyStoreError(
            "practice.no_module",
            "SoftHSM2 is not installed",
            hint="Install it (apt-get install softhsm2), or rehearse with --key-store file.",
        )
    token = Token(module=str(module), label=label, module_environment=_configure(directory))
    before = {info.name for info in list_tokens(token, timeout_s=_TIMEOUT_S) if info.initialized}
    _initialise(utility, token, so_pin, pin)
    made = [
        info
        for info in list_tokens(token, timeout_s=_TIMEOUT_S)
        if info.initialized and info.name not in before
    ]
    if len(made) != 1 or made[0].label != label:
        raise _failed("the new token was not found")
    return Token(
        module=token.module,
        serial=made[0].name,
        label=label,
        software=True,
        module_environment=token.module_environment,
    )


def _configure(directory: Path) -> dict[str, str]:
    directory = directory.absolute()
    store = directory / "tokens"
    store.mkdir(mode=0o700, parents=True, exist_ok=True)
    configuration = directory / "softhsm2.conf"
    configuration.write_text(
        f"directories.tokendir = {store}\nobjectstore.backend = file\nlog.level = ERROR\n",
        encoding="utf-8",
    )
    return {"SOFTHSM2_CONF": str(configuration)}


def _initialise(utility: str, token: Token, so_pin: Secret, pin: Secret) -> None:
    command = [utility, "--init-token", "--free", "--label", str(token.label)]
    command += ["--module", token.module, "--so-pin", so_pin.reveal(), "--pin", pin.reveal()]
    try:
        done = subprocess.run(
            command,
            env={"PATH": "/usr/bin:/bin", **token.module_environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        raise _failed("softhsm2-util did not run") from None
    if done.returncode != 0:
        raise _failed(f"softhsm2-util: {show(done.stderr.strip())}")


def _failed(why: str) -> KeyStoreError:
    return KeyStoreError(
        "practice.token_failed",
        f"the practice token could not be made: {why}",
        hint="Check that the folder is writable and softhsm2-util works by hand.",
    )
