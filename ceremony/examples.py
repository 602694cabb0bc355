"""What the help of each command begins with: what one wants to do, and the line that does it."""

from collections.abc import Mapping
from typing import Final

EXAMPLES: Final[Mapping[str, tuple[tuple[str, str], ...]]] = {
    "ceremony": (
        ("try everything on this machine, with keys that are worth nothing", "ceremony rehearse"),
        ("hold the ceremony of a plan, or go on with one that was cut off", "ceremony run"),
        ("what does this code mean, and what to do?", "ceremony docs token.pin_locked"),
    ),
    "ceremony run": (
        ("the wizard, for ceremony.toml in this folder", "ceremony run"),
        ("another plan; its ceremonies are kept on a disk of their own",
         "ceremony run acme.toml --dir /mnt/state"),
        ("plain lines: screen reader, serial console", "ceremony run acme.toml --plain"),
    ),
    "ceremony rehearse": (
        ("be both officers yourself; the papers are files", "ceremony rehearse"),
        ("watch scripted officers do it", "ceremony rehearse --auto"),
        ("your own plan; look at what it leaves", "ceremony rehearse acme.toml --keep practice"),
        ("next year, on the same practice Factory",
         "ceremony rehearse --kind rotate-tls --keep practice"),
        ("train with devices: its practice Factory and gateway again, in another window",
         "ceremony rehearse --serve --keep practice"),
    ),
    "ceremony script": (
        ("to print, on another machine than the laptop of the room",
         "ceremony script -o script.pdf"),
        ("another plan, for a browser", "ceremony script acme.toml -o script.html"),
        ("only read it", "ceremony script | less"),
    ),
    "ceremony report": (
        ("of evidence, to print",
         "ceremony report evidence/acme-evidence-create-20260102-5a5a -o report.pdf"),
        ("of a ceremony that is not finished",
         "ceremony report ~/.local/state/ceremony/create-20260102-5a5a"),
    ),
    "ceremony verify": (
        ("everything that can be checked of a bundle", "ceremony verify usb-out/acme-upload-1"),
        ("evidence, years later, against the head on paper",
         'ceremony verify evidence --expect "island tolerance ..."'),
        ("one certificate; for a program", "ceremony verify --json factory_ca.pem"),
    ),
    "ceremony fingerprint": (
        ("hex groups and words, to compare with paper", "ceremony fingerprint ceremony.toml"),
        ("of several things, with codes for a phone", "ceremony fingerprint --qr tls.pem usb-in"),
    ),
    "ceremony doctor": (
        ("what will preflight say, and which tokens are there?", "ceremony doctor"),
        ("with the token that a plan names; for a program", "ceremony doctor acme.toml --json"),
    ),
    "ceremony history": (
        ("what was held on this laptop", "ceremony history"),
        ("in another state folder; for a program", "ceremony history --dir /mnt/state --json"),
    ),
    "ceremony devices": (
        ("a thousand certificates with keys",
         "ceremony devices issue --ca local_ca-line-1.pem --count 1000 --out batch-1"),
        ("which file holds this device?",
         "ceremony devices find --ca local_ca-line-1.pem 4f0c2d1e"),
    ),
    "ceremony devices issue": (
        ("one device; its key is made here",
         "ceremony devices issue --ca local_ca-line-1.pem --uuid UUID --out device-1"),
        ("for CSRs, one a file; the same line again goes on after a cut",
         "ceremony devices issue --ca local_ca-line-1.pem --csr-dir csrs --out batch-1"),
        ("a million uuids from a file, into one file",
         "ceremony devices issue --ca local_ca-line-1.pem --uuids ids --out all.jsonl"),
    ),
    "ceremony devices list": (
        ("all of this CA", "ceremony devices list --ca local_ca-line-1.pem"),
        ("what is in one batch; for a program",
         "ceremony devices list --ca local_ca-line-1.pem --out batch-1 --json"),
    ),
    "ceremony devices find": (
        ("by serial, as on a label", "ceremony devices find --ca local_ca-line-1.pem 0x4f0c2d1e"),
        ("by uuid, in a ledger elsewhere",
         "ceremony devices find --ledger /mnt/line-1.ledger UUID"),
    ),
    "ceremony pki": (
        ("go on with the root of an older tool", "ceremony pki import ~/pki"),
        ("hand an upload bundle to tools that know fioctl's folder",
         "ceremony pki export usb-out/acme-upload-1 --to pki-dir"),
    ),
    "ceremony pki import": (
        ("certificates and keys of fioctl or of the recipe; old ones stay as they are",
         "ceremony pki import ~/pki"),
        ("the root's key is on the token of a plan",
         "ceremony pki import ~/pki --plan ceremony.toml"),
        ("keep them in another state folder", "ceremony pki import ~/pki --dir /mnt/state"),
    ),
    "ceremony pki export": (
        ("certificates only", "ceremony pki export usb-out/acme-upload-1 --to pki-dir"),
        ("for the registration service of one line",
         "ceremony pki export usb-out/acme-upload-1 --to pki-dir --local-ca line-1"),
        ("with the root's key, which a ceremony of kind export-root-key wrote",
         "ceremony pki export acme-upload-1 --to pki-dir --root-key factory_ca.key"),
    ),
    "ceremony docs": (
        ("the whole handbook", "ceremony docs"),
        ("what a code means, and what to do", "ceremony docs token.pin_locked"),
        ("what if something goes wrong at the root key?", "ceremony docs root"),
    ),
    "ceremony completion": (
        ("bash", "ceremony completion bash >> ~/.bash_completion"),
        ("zsh, in a folder of your fpath", "ceremony completion zsh > ~/.zfunc/_ceremony"),
        ("fish", "ceremony completion fish > ~/.config/fish/completions/ceremony.fish"),
    ),
    "ceremony-online": (
        ("before the ceremony: CSRs to the stick", "ceremony-online fetch --to /media/CSR-IN"),
        ("after it: certificates to the Factory",
         "ceremony-online upload /media/OUT/acme-upload-1"),
        ("what does the Factory have today?", "ceremony-online show"),
    ),
    "ceremony-online fetch": (
        ("with fioctl's login", "ceremony-online fetch --to /media/CSR-IN"),
        ("another plan, with a token in a file of mode 0600",
         "ceremony-online fetch acme.toml --to /media/CSR-IN --token-file token"),
    ),
    "ceremony-online upload": (
        ("check and compare only", "ceremony-online upload /media/OUT/acme-upload-1 --dry-run"),
        ("eight words are asked from paper, then it uploads",
         "ceremony-online upload /media/OUT/acme-upload-1 --token-file token"),
        ("when another machine fetched",
         "ceremony-online upload acme-upload-1 --request acme-request-1 --plan acme.toml"),
    ),
    "ceremony-online show": (
        ("for people", "ceremony-online show"),
        ("for a program", "ceremony-online show acme.toml --json"),
    ),
    "ceremony-online devices": (
        ("tell the Factory of certificates that were issued",
         "ceremony-online devices register batch-1"),
        ("would the gateway take this device?",
         "ceremony-online devices check batch-1/UUID --gateway HOST"),
    ),
    "ceremony-online devices register": (
        ("a batch; the same line again goes on after a cut",
         "ceremony-online devices register batch-1 --group line-1"),
        ("through a registration service of one's own",
         "ceremony-online devices register csrs --out d --hardware-id x --service URL"),
    ),
    "ceremony-online devices check": (
        ("a handshake and no more, with the gateway of its sota.toml",
         "ceremony-online devices check device-1"),
        ("to another address than its name has",
         "ceremony-online devices check device-1 --bundle acme-upload-1 --connect HOST"),
    ),
    "ceremony-online docs": (
        ("the whole handbook", "ceremony-online docs"),
        ("what a code means, and what to do", "ceremony-online docs upload"),
    ),
    "ceremony-online completion": (
        ("bash", "ceremony-online completion bash >> ~/.bash_completion"),
        ("zsh, in a folder of your fpath",
         "ceremony-online completion zsh > ~/.zfunc/_ceremony-online"),
    ),
}  # fmt: skip
