"""The practice Factory's devices: found by uuid or name at once, kept in a file that grows.

``devices.jsonl`` gets one line for each change, the last line of a device counts;
``devices.json`` is the whole list for people, written when there are few, and at the end.
"""

import json
from pathlib import Path
from typing import Final

from ceremony.practice.store import Json, write_private

_FEW: Final = 50


class Register:
    """The devices in a folder, in the order in which they came. The caller locks."""

    def __init__(self, folder: Path) -> None:
        self._journal = folder / "devices.jsonl"
        self._list = folder / "devices.json"
        self._by_uuid: dict[str, Json] = {}
        self._uuid_of: dict[str, str] = {}
        self._stale = False
        self._load()

    def __len__(self) -> int:
        return len(self._by_uuid)

    def all(self) -> list[Json]:
        """All of them."""
        return list(self._by_uuid.values())

    def named(self, name: str) -> Json | None:
        """The device of that name."""
        return self._by_uuid.get(self._uuid_of.get(name, ""))

    def known(self, uuid: str) -> Json | None:
        """The device with that uuid."""
        return self._by_uuid.get(uuid)

    def put(self, device: Json) -> None:
        """A new device, or a known one as it is now."""
        self._take(device)
        with self._journal.open("ab") as file:
            file.write(json.dumps(device).encode() + b"\n")
        self._stale = True
        if len(self) <= _FEW:
            self.save()

    def save(self) -> None:
        """Writes the whole list."""
        if self._stale:
            write_private(self._list, json.dumps(self.all(), indent=2).encode() + b"\n", sync=False)
            self._stale = False

    def _load(self) -> None:
        if self._journal.exists():
            raw = self._journal.read_bytes()
            whole = raw[: raw.rfind(b"\n") + 1]
            if whole != raw:  # a cut in the middle of a line
                write_private(self._journal, whole)
            for line in whole.splitlines():
                self._take(json.loads(line))
            return
        if self._list.exists():
            for device in json.loads(self._list.read_bytes()):
                self._take(device)
        lines = (json.dumps(device).encode() + b"\n" for device in self.all())
        write_private(self._journal, b"".join(lines))

    def _take(self, device: Json) -> None:
        self._by_uuid[device["uuid"]] = device
        self._uuid_of[device["name"]] = device["uuid"]
