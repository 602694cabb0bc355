"""The one place where errors become exit statuses and words on stderr, for both programs."""

import sys
import traceback
from collections.abc import Callable

import click

from ceremony.core.text import show
from ceremony.errors import CeremonyError, ExitStatus


def guarded(main: Callable[[], object]) -> int:
    """Runs a command; every refusal becomes `error:` and `hint:` lines and its status.

    Returns:
        What `main` returned if that is an int, else 0; or the status of what it raised.
    """
    try:
        result = main()
    except CeremonyError as exc:
        return _say(exc.message, exc.hint, exc.status, exc.code)
    except click.ClickException as exc:
        return _say(exc.format_message(), "Add --help to see the options.", ExitStatus.USAGE)
    except (KeyboardInterrupt, click.Abort):
        return _say("interrupted", "The same command goes on.", ExitStatus.INTERRUPTED)
    except BrokenPipeError:
        return ExitStatus.INTERNAL
    except Exception as exc:  # noqa: BLE001 - a process entry; a traceback could print secrets
        return _bug(exc)
    return int(result) if isinstance(result, int) else ExitStatus.DONE


def _say(message: str, hint: str, status: ExitStatus, code: str = "") -> ExitStatus:
    tail = f" [{code}]" if code else ""
    sys.stderr.write(f"error: {message}{tail}\nhint: {hint}\n")
    return status


def _bug(exc: Exception) -> ExitStatus:
    where = [
        f"{frame.name} {frame.filename.rpartition('site-packages/')[2]}:{frame.lineno}"
        for frame in traceback.extract_tb(exc.__traceback__)
    ][-6:]
    text = f"this is a bug: {type(exc).__name__}: {show(str(exc))}"
    lines = "".join(f"  at {show(line)}\n" for line in where)
    sys.stderr.write(lines)
    return _say(text, "Nothing recorded is lost. Report the lines above.", ExitStatus.INTERNAL)
