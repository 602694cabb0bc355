"""The one place where errors become exit statuses and words on stderr, for both programs."""

import errno
import os
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
    _open_closed_streams()
    try:
        result = main()
        sys.stdout.flush()
    except CeremonyError as exc:
        return _say(exc.message, exc.hint, exc.status, exc.code)
    except click.exceptions.NoArgsIsHelpError as exc:
        sys.stderr.write(f"{exc.format_message()}\n")
        return ExitStatus.USAGE
    except click.ClickException as exc:
        return _say(exc.format_message(), "Add --help to see the options.", ExitStatus.USAGE)
    except (KeyboardInterrupt, click.Abort):
        return _say("interrupted", "The same command goes on.", ExitStatus.INTERRUPTED)
    except (BrokenPipeError, SystemExit) as exc:
        return _reader_gone(exc)
    except OSError as exc:
        if exc.errno != errno.ENOSPC or exc.filename is not None:
            return _bug(exc)
        _drop_output()
        hint = "Free some room, or write elsewhere, and run the same command again."
        return _say("no room is left where this writes", hint, ExitStatus.MEDIA, "usage.full")
    except Exception as exc:  # noqa: BLE001 - a process entry; a traceback could print secrets
        return _bug(exc)
    return int(result) if isinstance(result, int) else ExitStatus.DONE


def _open_closed_streams() -> None:
    """What was closed by who started us leads nowhere; else the next file opened takes its place.

    Python leaves None for a closed stream (sys.stdin), and 0, 1 or 2 free for any file.
    """
    for number, (name, mode) in enumerate((("stdin", "r"), ("stdout", "w"), ("stderr", "w"))):
        if getattr(sys, name) is None:
            nowhere = os.open(os.devnull, os.O_RDWR)
            if nowhere != number:
                os.dup2(nowhere, number)
                os.close(nowhere)
            setattr(sys, name, open(number, mode, encoding="utf-8", closefd=False))  # noqa: SIM115


def _reader_gone(exc: BrokenPipeError | SystemExit) -> ExitStatus:
    """Click ends with 1 where its reader has gone, and with 0 after a shell's completion."""
    if isinstance(exc, SystemExit) and not exc.code:
        return ExitStatus.DONE
    _drop_output()
    return ExitStatus.MEDIA


def _drop_output() -> None:
    """What could not be written is not tried again at the end, which would say so once more."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


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
