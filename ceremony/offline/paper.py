"""Documents to a file or to standard output: never over a file that is there."""

import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from ceremony.core.text import show
from ceremony.documents.html import render_html
from ceremony.documents.model import Document
from ceremony.documents.pdf import render_pdf
from ceremony.documents.text import render_text
from ceremony.errors import MediaError, PlanError

_RENDERERS: Mapping[str, Callable[[Document], bytes]] = {
    ".html": render_html,
    ".txt": render_text,
    ".pdf": render_pdf,
}


def check_output(path: Path | None) -> None:
    """Refuses a bad `-o` before any work is done.

    Raises:
        PlanError: `document.format`: the extension names no format.
        MediaError: `document.exists`.
    """
    if path is None:
        return
    if path.suffix not in _RENDERERS:
        raise PlanError(
            "document.format",
            f"{show(str(path))} ends neither in .html nor .txt nor .pdf",
            hint="Choose the format by the file's extension.",
        )
    if os.path.lexists(path):
        raise _exists(path)


def write_document(document: Document, path: Path | None) -> None:
    """Writes a document in the format of the file's extension; as text to standard output.

    Raises:
        PlanError: `document.format`.
        MediaError: `document.exists`, `document.write`; no half-written file is left.
    """
    check_output(path)
    if path is None:
        encoding = sys.stdout.encoding or "utf-8"
        text = render_text(document).decode()
        sys.stdout.write(text.encode(encoding, "backslashreplace").decode(encoding))
        return
    _write(path, _RENDERERS[path.suffix](document))


def _write(path: Path, data: bytes) -> None:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
    except FileExistsError as exc:
        raise _exists(path) from exc
    except OSError as exc:
        raise _unwritable(path, exc) from exc
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except OSError as exc:
        path.unlink(missing_ok=True)
        raise _unwritable(path, exc) from exc


def _exists(path: Path) -> MediaError:
    return MediaError(
        "document.exists",
        f"{show(str(path))} is there already",
        hint="Choose another name; documents are never overwritten.",
    )


def _unwritable(path: Path, exc: OSError) -> MediaError:
    return MediaError(
        "document.write",
        f"cannot write {show(str(path))}: {exc.strerror}",
        hint="Choose a folder that can be written to and has room.",
    )
