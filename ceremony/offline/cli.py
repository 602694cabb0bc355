"""`ceremony`: the command line of the room. It never opens a network connection.

Each command lives in a module of its own, imported only when it is called.
"""

import importlib
import os
import sys
from typing import Final

from ceremony.offline.environment import harden

_COMMANDS: Final = {
    "run": ("ceremony.offline.running", "The wizard: hold a ceremony, or go on with one."),
    "rehearse": ("ceremony.offline.rehearsing", "A whole practice ceremony on this machine."),
    "script": ("ceremony.offline.script", "The numbered script for the day."),
    "report": ("ceremony.offline.report", "The report of a ceremony."),
    "verify": ("ceremony.offline.verify", "Check a bundle, evidence, record or certificate."),
    "fingerprint": ("ceremony.offline.fingerprint", "SHA-256 as hex groups and words."),
    "doctor": ("ceremony.offline.doctor", "Look at this laptop and its tokens; change nothing."),
    "pki": ("ceremony.offline.pki", "PKI directories of fioctl and of the OpenSSL recipe."),
    "history": ("ceremony.offline.history", "Ceremonies of this state folder."),
    "devices": ("ceremony.offline.devices", "Device certificates: issue, list, find."),
    "docs": ("ceremony.offline.docs", "The handbook: chapters, and every control code."),
    "completion": ("ceremony.offline.completion", "The script that completes in your shell."),
}

REMOVED: tuple[str, ...] = ()


def main() -> None:
    """The process entry of `ceremony`."""
    global REMOVED
    REMOVED = harden(os.environ)
    sys.exit(_run(sys.argv[1:]))


def _run(arguments: list[str]) -> int:
    import click
    from click.shell_completion import CompletionItem

    from ceremony.command_line import CONTEXT, Group, version_option
    from ceremony.process import guarded

    class Commands(Group):
        def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
            return list(_COMMANDS)

        def get_command(self, ctx: click.Context, name: str) -> click.Command | None:  # noqa: ARG002
            if name not in _COMMANDS:
                return None
            command: click.Command = importlib.import_module(_COMMANDS[name][0]).command
            return command

        def resolve_command(
            self, ctx: click.Context, args: list[str]
        ) -> tuple[str | None, click.Command | None, list[str]]:
            try:
                return super().resolve_command(ctx, args)
            except click.exceptions.NoSuchCommand as exc:
                raise click.exceptions.NoSuchCommand(
                    exc.command_name, possibilities=_COMMANDS, ctx=ctx
                ) from None

        def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
            with formatter.section("Commands"):
                formatter.write_dl([(name, words) for name, (_, words) in _COMMANDS.items()])

        def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
            names = [
                CompletionItem(name, help=words)
                for name, (_, words) in _COMMANDS.items()
                if name.startswith(incomplete)
            ]
            return names + click.Command.shell_complete(self, ctx, incomplete)

    @click.group(
        cls=Commands,
        invoke_without_command=True,
        context_settings=dict(CONTEXT),
    )
    @version_option
    @click.pass_context
    def ceremony(ctx: click.Context) -> None:
        """Offline key ceremonies for the root of trust of an IoT fleet.

        Without a command: `ceremony run`.
        """
        if ctx.invoked_subcommand is None:
            ctx.invoke(importlib.import_module(_COMMANDS["run"][0]).command)

    return guarded(lambda: ceremony.main(arguments, prog_name="ceremony", standalone_mode=False))
