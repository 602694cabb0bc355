"""A real token that locks its PIN: opencryptoki's software token, in namespaces of its own.

Started by `test_locking_token` under `unshare`: its daemon, its files and its shared memory
are gone with it. What was seen is printed as one JSON object.
"""

import hashlib
import json
import subprocess
import sys
import time
from pathlib import Path

from ceremony.config import Token
from ceremony.core.secret import Secret
from ceremony.errors import KeyStoreError
from ceremony.flow.prompts import Answer, AnyPrompt, Chosen, Facts, SecretEntered
from ceremony.keys import pkcs8
from ceremony.keys.token import open_token
from tests.flow.conftest import cheap_scrypt
from tests.keys.test_threats_20_to_27 import lines, stopped, table_with

CONFIGURATION = "version opencryptoki-3.1\nslot 0\n{\nstdll = libpkcs11_sw.so\ntokname = swtok\n}\n"
PLACES = ("/var/lib/opencryptoki", "/run/lock")
MODULE = "/usr/lib/x86_64-linux-gnu/libopencryptoki.so.0"
DEFAULT_SO_PIN, SO_PIN, PIN = "87654321", "76543210", "24681357"
WRONG = Secret("99999999")


def command(*words: str, stdin: str = "") -> None:
    subprocess.run(words, input=stdin, check=True, capture_output=True, text=True)


def token(folder: Path) -> Token:
    """An initialised one; its daemon runs until this namespace ends."""
    for place in PLACES:
        command("mount", "-t", "tmpfs", "tmpfs", place)
    for inner in ("/var/lib/opencryptoki/swtok/TOK_OBJ", "/run/lock/opencryptoki/swtok"):
        Path(inner).mkdir(parents=True)
    ours = ("/var/lib/opencryptoki", "/run/lock/opencryptoki")
    command("chgrp", "-R", "pkcs11", *ours)
    command("chmod", "-R", "770", *ours)
    file = folder / "opencryptoki.conf"
    file.write_text(CONFIGURATION)
    command("mount", "--bind", str(file), "/etc/opencryptoki/opencryptoki.conf")
    subprocess.run(["/usr/sbin/pkcsslotd"], check=True)
    time.sleep(0.5)
    tool = ("/usr/sbin/pkcsconf", "-c", "0", "-S")
    command(*tool, DEFAULT_SO_PIN, "-I", stdin="locking\n")
    command(*tool, DEFAULT_SO_PIN, "-P", "-n", SO_PIN)
    renew()
    return Token(module=MODULE, label="locking")


def renew() -> None:
    """The user's PIN, set by the security officer: it is unlocked with that."""
    command("/usr/sbin/pkcsconf", "-c", "0", "-S", SO_PIN, "-u", "-n", PIN)


def tries(planned: Token) -> list[tuple[str, str, bool]]:
    """Code and state of the PIN after each try; the last PIN is the right one."""
    told = []
    with open_token(planned, timeout_s=20, generate_timeout_s=20) as store:
        for pin in (Secret(PIN), WRONG, WRONG, WRONG, WRONG, Secret(PIN)):
            code = "in"
            try:
                store.login(pin)
            except KeyStoreError as exc:
                code = exc.code
            state = store.info().pin_state
            told.append((code, state.value, store.info().software))
    return told


def ceremony(planned: Token, folder: Path) -> dict[str, object]:
    """Officers who type wrong PINs until the token locks, and resume."""
    table = table_with(folder / "media", planned, Secret(PIN))
    asked: list[str] = []
    shown: list[str] = []

    def pin(prompt: AnyPrompt) -> Answer:
        asked.append(prompt.key)
        return SecretEntered(secret=WRONG)

    def again(prompt: AnyPrompt) -> Answer:
        rows = [row for block in prompt.body if isinstance(block, Facts) for row in block.rows]
        shown.append(dict(rows)["The token says"])
        return Chosen(value="again")

    first = stopped(table, root_pin=pin, pin_again_A=again, pin_again_B=again)
    typed = len(asked)
    second = stopped(table, root_pin=pin)
    refused = [line.data["message"] for line in lines(table) if line.key == "token.pin_wrong"]
    return {
        "codes": [first, second],
        "typed": [typed, len(asked) - typed],
        "shown": shown,
        "refused": refused,
    }


if __name__ == "__main__":
    hashlib.scrypt = cheap_scrypt  # type: ignore[assignment]
    pkcs8.ROUNDS = 1000
    place = Path(sys.argv[1])
    made = token(place)
    seen = {"tries": tries(made)}
    renew()
    json.dump({**seen, "ceremony": ceremony(made, place)}, sys.stdout)
