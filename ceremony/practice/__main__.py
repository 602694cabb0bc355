"""`python -m ceremony.practice`: what `ceremony rehearse` starts."""

import os
import sys
import tempfile
from pathlib import Path

import click

from ceremony import config
from ceremony.process import guarded


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
    """A whole rehearsal, in a temporary folder unless it is to be kept; or what it left, served."""
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
    if keep is not None:
        keep.mkdir(mode=0o700, parents=True, exist_ok=True)
        return rehearsal(keep.absolute(), options).run()
    with tempfile.TemporaryDirectory(prefix="ceremony-rehearsal-") as directory:
        return rehearsal(Path(directory), options).run()


if __name__ == "__main__":
    sys.exit(guarded(lambda: practice.main(standalone_mode=False)))
