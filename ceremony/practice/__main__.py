"""`python -m ceremony.practice`: what `ceremony rehearse` starts."""

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from ceremony import config
from ceremony.core.text import show
from ceremony.errors import MediaError
from ceremony.process import guarded

_TEMPORARY = "ceremony-rehearsal-"


@click.command()
@click.argument("plan", type=click.Path(path_type=Path))
@click.option("--auto", is_flag=True)
@click.option("--plain", is_flag=True)
@click.option("--kind")
@click.option("--key-store")
@click.option("--keep", type=click.Path(path_type=Path))
@click.option("--serve", is_flag=True)
def practice(
    plan: Path,
    auto: bool,
    plain: bool,
    kind: str | None,
    key_store: str | None,
    keep: Path | None,
    serve: bool,
) -> int:
    """A whole rehearsal; or what it left, served."""
    os.umask(0o077)
    if serve and keep is not None:
        from ceremony.practice.serve import serve_kept

        serve_kept(keep.absolute())
        return 0
    from ceremony.practice.abandoning import Destruction
    from ceremony.practice.rehearsal import Options, Rehearsal

    asked = kind or config.load(plan).plan.kind.value
    rehearsal = Destruction if asked == config.Kind.DESTROY_KEY.value else Rehearsal
    options = Options(plan=plan, auto=auto, plain=plain, kind=kind, key_store=key_store, keep=keep)
    with _folder(keep, auto=auto) as folder:
        return rehearsal(folder, options).run()


@contextmanager
def _folder(keep: Path | None, *, auto: bool) -> Iterator[Path]:
    """Where it is held. What people did is kept: they leave, and go on with it."""
    if keep is not None:
        yield _made(keep)
    elif auto:
        with tempfile.TemporaryDirectory(prefix=_TEMPORARY) as name:
            yield Path(name)
    else:
        folder = tempfile.mkdtemp(prefix=_TEMPORARY)
        try:
            yield Path(folder)
        finally:
            click.echo("  All of it is kept. Go on with it, or with a later kind, by:", err=True)
            click.echo(f"    ceremony rehearse --keep {folder}", err=True)


def _made(folder: Path) -> Path:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as exc:
        raise MediaError(
            "practice.unusable",
            f"the folder {show(str(folder))} cannot be used: {exc.strerror}",
            hint="Name another folder with --keep; it is made where it is not there.",
        ) from exc
    return folder.absolute()


if __name__ == "__main__":
    sys.exit(guarded(lambda: practice.main(standalone_mode=False)))
