"""The real adapters behind the flow's ports."""

import secrets
import sys
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from ceremony import __version__
from ceremony.clock import SystemClock
from ceremony.config import Plan, Token
from ceremony.core.ports import Clock, KeyStore, Linter, Stick, StoreInfo
from ceremony.core.secret import Secret
from ceremony.flow.prompts import CheckRow, Place
from ceremony.flow.room import Tool
from ceremony.offline import media
from ceremony.offline.preflight import network_up, preflight, tool_sha256
from ceremony.offline.sticks import stick_at
from ceremony.offline.store import history_row
from ceremony.offline.surroundings import devices, new_devices
from ceremony.offline.udisks import Udisks
from ceremony.x509.certificate import read_certificate
from ceremony.x509.checks import is_strict

if TYPE_CHECKING:  # loaded when a token is first asked for
    from ceremony.keys.module import ModuleFile
    from ceremony.keys.process import ModuleProcess
    from ceremony.keys.token import TokenStore


class RealServices:
    """What `ceremony.flow.room.Services` asks for, on a real laptop.

    Args:
        removed: environment variables that hardening removed.
        modules: descriptor of a lock that each process of a module holds while it lives.
    """

    def __init__(self, plan: Plan, removed: Sequence[str], modules: int) -> None:
        self._plan = plan
        self._removed = removed
        self._modules = modules
        self._devices = devices(Path("/"))

    @cached_property
    def clock(self) -> Clock:
        """The system's clock."""
        return SystemClock()

    @cached_property
    def linter(self) -> Linter:
        """Pkilint in a child, started when first asked for."""
        from ceremony.offline.linting import PkilintLinter

        return PkilintLinter(recipe=self._plan.root.profile == "openssl-recipe")

    @cached_property
    def tool(self) -> Tool:
        """This program."""
        python = f"{sys.version.split()[0]} {sys.executable}"
        return Tool(version=__version__, sha256=tool_sha256(), python=python)

    def randbytes(self, count: int) -> bytes:
        """From the operating system."""
        return secrets.token_bytes(count)

    def randbelow(self, bound: int) -> int:
        """From the operating system."""
        return secrets.randbelow(bound)

    def new_passphrase(self) -> Secret:
        """Words, 96 bits or more."""
        from ceremony.keys.file import new_passphrase

        return new_passphrase(secrets.token_bytes)

    def token_store(self, token: Token) -> "TokenStore":
        """A session with that token, in a process of its own."""
        from ceremony.keys.token import open_token

        limits = self._plan.limits
        return open_token(
            token,
            timeout_s=limits.token_timeout_s,
            generate_timeout_s=limits.generate_timeout_s,
            spawn=self._spawn,
        )

    def _spawn(self, module: "ModuleFile", variables: Mapping[str, str]) -> "ModuleProcess":
        from ceremony.keys.token import spawn_child

        return spawn_child(module, variables, lock=self._modules)

    def blank_token(self, token: Token) -> StoreInfo | None:
        """The plan's token while it is not initialised."""
        from ceremony.keys.initialisation import blank_token

        timeout_s = self._plan.limits.token_timeout_s
        return blank_token(token, timeout_s=timeout_s, spawn=self._spawn)

    def initialise_token(self, token: Token, so_pin: Secret, pin: Secret) -> StoreInfo:
        """Label, SO PIN and user PIN for the plan's blank token."""
        from ceremony.keys.initialisation import initialise_token

        timeout_s = self._plan.limits.generate_timeout_s
        return initialise_token(token, so_pin, pin, timeout_s=timeout_s, spawn=self._spawn)

    def change_pin(self, token: Token, old: Secret, new: Secret) -> None:
        """In a session of its own."""
        with self.token_store(token) as store:
            store.login(old)
            store.set_pin(old, new)

    def file_store(self, path: Path) -> KeyStore:
        """The key file at `path`."""
        from ceremony.keys.file import FileKeyStore

        return FileKeyStore(path)

    def preflight(self, plan: Plan, directory: Path) -> tuple[CheckRow, ...]:
        """Laptop, surroundings, token; the linter starts meanwhile."""
        _ = self.linter
        from ceremony.keys.token import list_tokens

        timeout_s = plan.limits.token_timeout_s
        rows = preflight(
            plan,
            state=directory,
            removed=self._removed,
            tokens=lambda token: list_tokens(token, timeout_s=timeout_s, spawn=self._spawn),
            now=self.clock.now(),
            before=self._devices,
        )
        return (*rows, history_row(directory.parent))

    def network_up(self, plan: Plan) -> str | None:
        """Why this laptop counts as connected."""
        return network_up(plan, Path("/"))

    def new_devices(self) -> tuple[CheckRow, ...]:
        """Those that were not there when this object was made."""
        return new_devices(self._devices, Path("/"))

    def places(self, first: str | None, *, read_only: bool = False) -> tuple[Place, ...]:
        """Sticks, the plan's folder first; udisks2 mounts what is not mounted."""
        Udisks().mount(read_only=read_only)
        return media.candidates(first)

    def stick(self, path: str) -> Stick | None:
        """By mountinfo and /sys."""
        return stick_at(Path(path))

    def unmount(self, path: str) -> bool:
        """By udisks2."""
        return Udisks().unmount(Path(path))

    def verify_chain(
        self,
        root: bytes,
        certificates: Mapping[str, tuple[str, bytes]],
        directory: Path,
        *,
        above: Sequence[bytes] = (),
    ) -> tuple[CheckRow, ...]:
        """By the `openssl` command, where there is one."""
        from ceremony.offline.openssl import verify_chain

        read = read_certificate(root, "root")
        return verify_chain(
            root,
            certificates,
            directory,
            strict=is_strict(read),
            partial=not read.self_signed,
            above=above,
        )

    def verify_crl(
        self, root: bytes, crl: bytes, cas: Sequence[bytes], directory: Path, *, refused: bool
    ) -> tuple[CheckRow, ...]:
        """By the `openssl` command, where there is one."""
        from ceremony.offline.openssl import verify_crl

        read = read_certificate(root, "root")
        return verify_crl(
            root,
            crl,
            cas,
            directory,
            refused=refused,
            signs_crls="cRLSign" in (read.extensions.key_usage or ("cRLSign",)),
            flags=[] if read.self_signed else ["-partial_chain"],
        )

    def close(self) -> None:
        """Ends the linter's process."""
        linter = self.__dict__.get("linter")
        if linter is not None:
            linter.close()
