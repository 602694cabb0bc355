"""sota.toml, in the form that lmp-device-register writes for aktualizr-lite."""

import re
from typing import Final

from ceremony.core.text import show
from ceremony.errors import VerificationError
from ceremony.x509.certificate import Certificate

DIRECTORY: Final = "/var/sota"
_PORT: Final = 8443
_HARDWARE_ID: Final = re.compile(r"[A-Za-z0-9._+-]{1,64}")
_PATH: Final = re.compile(r"/[A-Za-z0-9._/+-]{0,200}")


def sota_toml(tls: Certificate, hardware_id: str, directory: str = DIRECTORY) -> bytes:
    """The device's configuration.

    Args:
        tls: the Factory's gateway certificate: the first name in its SAN is the gateway,
            the second, where there is one, the OSTree server.
        hardware_id: e.g. ``imx8mmevk``.
        directory: where the device keeps its files.

    Raises:
        VerificationError: `devices.hardware_id`, `devices.sota_directory`,
            `devices.gateway_name`.
    """
    if not _HARDWARE_ID.fullmatch(hardware_id):
        raise VerificationError(
            "devices.hardware_id",
            f"'{show(hardware_id, 80)}' is no hardware id",
            hint="Give the machine's name, e.g. imx8mmevk: letters, digits, dots, hyphens.",
        )
    if not _PATH.fullmatch(directory):
        raise VerificationError(
            "devices.sota_directory",
            f"'{show(directory, 80)}' is no absolute path",
            hint="Give the folder on the device, e.g. /var/sota.",
        )
    if not tls.dns_names:
        raise VerificationError(
            "devices.gateway_name",
            "the TLS certificate has no DNS name, so there is no gateway to configure",
            hint="Name the Factory's tls.pem with --tls.",
        )
    gateway = f"https://{tls.dns_names[0]}:{_PORT}"
    ostree = f"https://{tls.dns_names[1 if len(tls.dns_names) > 1 else 0]}:{_PORT}"
    sections = {
        "tls": {
            "server": gateway,
            "ca_source": "file",
            "pkey_source": "file",
            "cert_source": "file",
        },
        "provision": {"server": gateway, "primary_ecu_hardware_id": hardware_id},
        "uptane": {"repo_server": f"{gateway}/repo", "key_source": "file"},
        "pacman": {
            "type": "ostree+compose_apps",
            "ostree_server": f"{ostree}/treehub",
            "compose_apps_root": f"{directory}/compose-apps",
        },
        "storage": {"type": "sqlite", "path": f"{directory}/"},
        "import": {
            "tls_cacert_path": f"{directory}/root.crt",
            "tls_pkey_path": f"{directory}/pkey.pem",
            "tls_clientcert_path": f"{directory}/client.pem",
        },
    }
    blocks = (
        "\n".join((f"[{name}]", *(f'{key} = "{value}"' for key, value in table.items())))
        for name, table in sections.items()
    )
    return ("\n\n".join(blocks) + "\n").encode("ascii")
