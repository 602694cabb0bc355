"""What connects this machine: interfaces, default routes, radios; as Linux tells them.

Every function takes the root that holds `proc` and `sys`, so that tests can bring their
own. What cannot be read counts as connected.
"""

import re
from collections.abc import Collection
from pathlib import Path
from typing import Final

from ceremony.config import Plan
from ceremony.core.text import show
from ceremony.flow.prompts import CheckRow, CheckStatus

_IFF_UP: Final = 0x1  # netdevice(7)
_IFF_LOOPBACK: Final = 0x8
_RTF_UP: Final = 0x1  # linux/route.h
_RTF_REJECT: Final = 0x200
_WIDE: Final = frozenset({0, 0x80, 0x80000000})  # 0.0.0.0, 128.0.0.0 in either byte order
_NO_CARRIER: Final = frozenset({"down", "lowerlayerdown", "notpresent"})  # RFC 2863 ifOperStatus

_DOWN_HINT: Final = "Unplug the cable and switch it off: ip link set {0} down"


def network_up(plan: Plan, root: Path) -> str | None:
    """Why this machine counts as connected, or None (threat 38).

    An interface that the plan allows does not count, unless a default route or an
    unblocked radio makes it more than a cable to an HSM.
    """
    for row in (*_interfaces(plan.rules.interfaces, root), *_routes(root), *_radios(root)):
        if row.status is CheckStatus.FAIL:
            return row.sentence
    return None


def network_rows(allowed: Collection[str], root: Path) -> tuple[CheckRow, ...]:
    """Rows on interfaces, default routes and radios.

    Args:
        allowed: names of interfaces that may be up.
    """
    return (*_interfaces(allowed, root), *_routes(root), *_radios(root))


def _row(status: CheckStatus, code: str, sentence: str, hint: str = "") -> CheckRow:
    return CheckRow(status=status, code=code, sentence=sentence, hint=hint)


def _interfaces(allowed: Collection[str], root: Path) -> tuple[CheckRow, ...]:
    folder = root / "sys/class/net"
    try:
        links = sorted(path for path in folder.iterdir() if path.is_dir())
    except OSError:
        return (
            _row(
                CheckStatus.FAIL,
                "network.unreadable",
                "network interfaces cannot be listed (/sys/class/net)",
                "Mount /sys, or run outside the container.",
            ),
        )
    rows = [row for link in links if (row := _interface(link, allowed)) is not None]
    if not any(row.status is CheckStatus.FAIL for row in rows):
        rows.append(_row(CheckStatus.PASS, "network.interfaces", _all_down(rows)))
    return tuple(rows)


def _all_down(rows: list[CheckRow]) -> str:
    return "no other network interface is up" if rows else "no network interface is up"


def _interface(link: Path, allowed: Collection[str]) -> CheckRow | None:
    flags, state = _word(link / "flags"), _word(link / "operstate")
    bits = int(flags, 16) if re.fullmatch(r"0x[0-9a-f]{1,8}", flags) else _IFF_UP
    if bits & _IFF_LOOPBACK or not bits & _IFF_UP:
        return None
    name = show(link.name)
    if link.name in allowed:
        return _row(
            CheckStatus.PASS, "network.allowed", f"interface {name} may be up, says the plan"
        )
    if state in _NO_CARRIER:
        return _row(
            CheckStatus.WARN,
            "network.enabled",
            f"interface {name} is switched on, without a link: a cable would connect it",
            _DOWN_HINT.format(name),
        )
    return _row(
        CheckStatus.FAIL,
        "network.up",
        f"network interface {name} is up (state {show(state) or 'not known'})",
        _DOWN_HINT.format(name),
    )


def _routes(root: Path) -> tuple[CheckRow, ...]:
    via = sorted({*_routes_v4(root), *_routes_v6(root)})
    if not via:
        return (_row(CheckStatus.PASS, "network.routes", "there is no default route"),)
    return tuple(
        _row(
            CheckStatus.FAIL,
            "network.route",
            f"there is a default route through {show(name)}",
            "Remove it: ip route del default; ip -6 route del default",
        )
        for name in via
    )


def _routes_v4(root: Path) -> list[str]:
    """Interfaces with a route to all, or to half (as VPNs set them), of the addresses."""
    found = []
    for fields in _table(root / "proc/net/route")[1:]:
        if len(fields) < 8:
            continue
        flags, mask = int(fields[3], 16), int(fields[7], 16)
        if flags & _RTF_UP and not flags & _RTF_REJECT and mask in _WIDE:
            found.append(fields[0])
    return found


def _routes_v6(root: Path) -> list[str]:
    found = []
    for fields in _table(root / "proc/net/ipv6_route"):
        if len(fields) < 10:
            continue
        prefix, flags = int(fields[1], 16), int(fields[8], 16)
        if flags & _RTF_UP and not flags & _RTF_REJECT and prefix <= 1 and fields[9] != "lo":
            found.append(fields[9])
    return found


def _radios(root: Path) -> tuple[CheckRow, ...]:
    switches = sorted((root / "sys/class/rfkill").glob("rfkill*"))
    on = [
        switch
        for switch in switches
        if _word(switch / "soft") != "1" and _word(switch / "hard") != "1"
    ]
    if on:
        return tuple(
            _row(
                CheckStatus.FAIL,
                "radio.on",
                f"the radio {show(_word(switch / 'name')) or switch.name} "
                f"({show(_word(switch / 'type')) or 'kind not known'}) is on",
                "Switch it off: rfkill block all",
            )
            for switch in on
        )
    if switches:
        return (_row(CheckStatus.PASS, "radio.off", f"all radios are off ({len(switches)})"),)
    if _unswitched(root):
        return (
            _row(
                CheckStatus.WARN,
                "radio.no_switch",
                "there is a radio, and no switch for it (rfkill)",
                "Take the radio out, or turn it off in the firmware's set-up.",
            ),
        )
    return (_row(CheckStatus.PASS, "radio.none", "no radio was found"),)


def _unswitched(root: Path) -> bool:
    return any(
        next((root / "sys/class" / kind).glob("*"), None) is not None
        for kind in ("ieee80211", "bluetooth", "wwan")
    )


def _table(path: Path) -> list[list[str]]:
    try:
        return [line.split() for line in path.read_text(encoding="ascii").splitlines()]
    except OSError:
        return []


def _word(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""
