"""What both command lines share: examples first, the build's hash, progress, the handbook."""

import os
import sys
import time
from collections.abc import Mapping
from typing import Any, Final, Self

import click

from ceremony import __version__
from ceremony.core.pace import Pace
from ceremony.examples import EXAMPLES

SHELLS: Final = ("bash", "zsh", "fish")
CONTEXT: Final[Mapping[str, Any]] = {"help_option_names": ["-h", "--help"]}
_INSTALL: Final = {
    "bash": "~/.bash_completion, or ~/.local/share/bash-completion/completions/{name}",
    "zsh": "~/.zfunc/_{name}   (a folder of your fpath)",
    "fish": "~/.config/fish/completions/{name}.fish",
}


_QUIET_S: Final = 5.0
_OFTEN_S: Final = 0.2


class ProgressLine:
    """A line on stderr: rewritten on a terminal that can, a new one now and then elsewhere.

    Its first call says what was done before.

    Args:
        title: what is done.
        total: how many there are, where that is known.
        bad: what to call those that did not come to a good end.
    """

    def __init__(self, title: str, total: int | None, *, bad: str) -> None:
        self._title, self._total, self._bad = title, total, bad
        self._pace: Pace | None = None
        self._told_s = 0.0
        self._begun = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, *exc: object) -> None:
        if self._begun and kind is not KeyboardInterrupt:  # click ends the line then
            sys.stderr.write("\n")

    def __call__(self, done: int, bad: int) -> None:
        """So many are done, `bad` of them badly."""
        now_s = time.monotonic()
        if self._pace is None:
            self._pace = Pace(began_s=now_s, at_first=done, total=self._total)
            self._told_s = now_s
            return
        width = _width()
        if now_s - self._told_s < (_OFTEN_S if width else _QUIET_S) and done != self._total:
            return
        self._told_s = now_s
        line = f"{self._title}: {self._pace.line(done, now_s)}"
        line += f", {bad} {self._bad}" if bad else ""
        # What is wider than the terminal could not be rewritten.
        sys.stderr.write(f"\r\x1b[2K{line[: width - 1]}" if width else f"{line}\n")
        sys.stderr.flush()
        self._begun = bool(width)


def _width() -> int:
    """Of the terminal that stderr is; 0 where no line can be rewritten."""
    if not sys.stderr.isatty() or os.environ.get("TERM", "dumb") == "dumb":
        return 0
    return os.get_terminal_size(sys.stderr.fileno()).columns or 80


class Command(click.Command):
    """A command whose help begins with examples."""

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Usage, examples, what it does, options."""
        _format_help(self, ctx, formatter)


class Group(click.Group):
    """A group of such commands, whose help begins with examples too."""

    command_class = Command

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Usage, examples, what it does, options and commands."""
        _format_help(self, ctx, formatter)


def _format_help(
    command: click.Command, ctx: click.Context, formatter: click.HelpFormatter
) -> None:
    command.format_usage(ctx, formatter)
    rows = EXAMPLES.get(ctx.command_path, ())
    if rows:
        formatter.write_paragraph()
        formatter.write("Examples:\n")
        for words, line in rows:
            formatter.write(f"  # {words}\n  {line}\n")
    command.format_help_text(ctx, formatter)
    command.format_options(ctx, formatter)
    command.format_epilog(ctx, formatter)


def version_line(program: str) -> str:
    """Name, version, and the first 12 hex digits of the hash over the installed files."""
    from ceremony.installation import tool_sha256

    return f"{program} {__version__} (build {tool_sha256()[:12]})"


def _print_version(ctx: click.Context, _: click.Parameter, value: bool) -> None:
    if value and not ctx.resilient_parsing:
        click.echo(version_line(ctx.find_root().info_name or "ceremony"))
        ctx.exit()


version_option = click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_print_version,
    help="Version, and hash of the installed files.",
)


@click.command(
    name="completion", cls=Command, short_help="The script that completes in your shell."
)
@click.argument("shell", type=click.Choice(SHELLS))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print the script that lets SHELL complete commands, options and paths.

    Put it where your shell looks, once: no start of a shell then waits for it.
    """
    from click.shell_completion import get_completion_class

    root = ctx.find_root()
    name = root.info_name or "ceremony"
    kind = get_completion_class(shell)
    if kind is None:
        raise LookupError(shell)
    variable = f"_{name.replace('-', '_').upper()}_COMPLETE"
    script = kind(root.command, {}, name, variable).source()
    # house: click's script for fish cuts a description at its first comma.
    click.echo(script.replace('string split ","', 'string split -m 1 ","'))
    click.echo(f"Put it into {_INSTALL[shell].format(name=name)}", err=True)


def _topics(_: click.Context, __: click.Parameter, begun: str) -> list[str]:
    """Chapters and control codes that begin so, for the shell's completion."""
    from ceremony.handbook import topics

    return [topic for topic in topics() if topic.startswith(begun)]


@click.command(
    name="docs", cls=Command, short_help="The handbook: chapters, and every control code."
)
@click.argument("topic", required=False, metavar="[CODE|CHAPTER]", shell_complete=_topics)
def docs(topic: str | None) -> None:
    """Open the handbook that is inside this program; no network is needed.

    Without an argument: all of it, in your pager on a terminal, else on standard output. A
    control code such as token.pin_locked, the part of it before the dot, or a chapter's name
    shows only that.
    """
    import os
    import sys

    from ceremony.handbook import look_up

    text = look_up(topic)
    if not sys.stdout.isatty() or topic is not None:
        click.echo(text, nl=False)
        return
    os.environ["LESSSECURE"] = "1"  # less then starts no program and writes no file
    click.echo_via_pager(text)
