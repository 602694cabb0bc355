"""A later ceremony in the wizard, 80 by 24, by keys alone: a device CA is picked and typed back."""

import subprocess
from pathlib import Path

from ceremony.documents.script import script
from ceremony.documents.text import render_text
from ceremony.kinds import Kind
from ceremony.record.chain import verify_chain
from tests.stories.conftest import BIN
from tests.stories.person import Person, title_of
from tests.stories.site import Site, site
from tests.stories.terminal import Terminal
from tests.stories.test_later_kinds import device_cas, fresh_ca

TABLE = '[[local_ca]]\nname = "line-1"\n'


def papers(at: Site, errand) -> Path:  # type: ignore[no-untyped-def]
    folder: Path = errand.media / "paper"
    folder.mkdir()
    (sheet,) = (errand.media / "online").glob("*.words.txt")
    (folder / "request-words.txt").write_text(sheet.read_text())
    (folder / "script.txt").write_bytes(render_text(script(errand.plan_file, tool_version="0")))
    (folder / "token-pin.txt").write_text("none\n")
    return folder


def test_a_ca_is_picked_from_the_list_and_its_serial_typed_back(tmp_path: Path) -> None:
    with site(tmp_path) as at, Terminal(tmp_path) as terminal:
        at.whole(at.errand(Kind.CREATE, top='requests = ["tls"]', tables=TABLE))
        fresh_ca(at, "line-2")
        chosen = device_cas(at)[1]
        errand = at.fetch(at.errand(Kind.REVOKE_DEVICE_CA, tables="[rules]\nbags = false\n"))
        screens: list[str] = []

        def before(screen: str) -> bool:
            title = title_of(screen)
            screens.append(screen)
            if "which one?" in title:
                terminal.keys("End" if "That is all" in screen else "Down", "Enter")
            elif title.startswith("Type the serial back"):
                person.fill(str(chosen.serial))
            elif title.startswith("The passphrase of the root"):
                person.fill(at.passphrases["root"].reveal())
            else:
                return False
            return True

        terminal.start(
            *(str(BIN / "ceremony"), "run", str(errand.media / "plan.toml")),
            *("--dir", str(at.folder / "state")),
        )
        person = Person(terminal, papers(at, errand), before)
        person.go(until="The ceremony is closed", timeout_s=60)
        terminal.read_on(lambda _: terminal.ended())
        assert terminal.wait_end() in {0, 8}
        picking = [screen for screen in screens if "which one?" in title_of(screen)]
        flat = "".join(picking[0].replace("│", "").replace("║", "").split())
        for ca in device_cas(at):
            assert str(ca.serial) in flat
        (errand.bundle,) = (p for p in (errand.media / "usb-out").iterdir() if p.is_dir())
        done = at.upload(errand)
        assert done.status == 0, done.err
        assert [ca.der for ca in device_cas(at)] != [chosen.der]
        crl = subprocess.run(
            ["openssl", "crl", "-in", str(errand.bundle / "crl.pem"), "-noout", "-text"],
            capture_output=True,
            text=True,
            check=True,
        )
        assert chosen.serial_hex.upper() in crl.stdout.replace(":", "")
        record = next((at.folder / "state").glob("revoke-*/record.jsonl"))
        lines = verify_chain(record.read_bytes())
        assert sum(line.type == "typed" for line in lines) == 2
