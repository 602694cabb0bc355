"""Both command lines: examples that parse, a build that can be compared, completions, handbook."""

import importlib
import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pexpect
import pytest

from ceremony import __version__
from ceremony.command_line import SHELLS
from ceremony.errors import PlanError
from ceremony.examples import EXAMPLES
from ceremony.handbook import WIDTH, chapters, codes, look_up, topics
from ceremony.installation import tool_sha256
from ceremony.kinds import KINDS, Kind
from ceremony.offline.cli import _COMMANDS
from ceremony.online.cli import ceremony_online

BIN = Path(sys.executable).parent
PROGRAMS = ("ceremony", "ceremony-online")


def _tree(path: str, command: click.Command) -> Iterator[tuple[str, click.Command]]:
    yield path, command
    if isinstance(command, click.Group):
        for name, below in command.commands.items():
            yield from _tree(f"{path} {name}", below)


def _all() -> dict[str, click.Command]:
    found = dict(_tree("ceremony-online", ceremony_online))
    for name, (module, _) in _COMMANDS.items():
        found |= _tree(f"ceremony {name}", importlib.import_module(module).command)
    return found


COMMANDS = _all()


def _run(*arguments: str, status: int = 0, **environment: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [str(BIN / arguments[0]), *arguments[1:]],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
        check=False,
    )
    assert done.returncode == status, done.stderr
    return done


def test_every_command_has_examples_and_every_example_a_command() -> None:
    assert set(COMMANDS) | {"ceremony"} == set(EXAMPLES)


@pytest.mark.parametrize("path", sorted(EXAMPLES))
def test_examples_are_lines_that_the_command_takes(path: str) -> None:
    for _, line in EXAMPLES[path]:
        assert len(line) <= WIDTH
        words = shlex.split(line.split(" | ")[0].split(" > ")[0].split(" >> ")[0].split(" < ")[0])
        named = [each for each in COMMANDS if words[: len(each.split())] == each.split()]
        if words == ["ceremony"]:
            continue
        deepest = max(named, key=len)
        assert deepest.startswith(path)
        command = COMMANDS[deepest]
        context = click.Context(command)
        command.parse_args(context, words[len(deepest.split()) :])


@pytest.mark.parametrize("path", sorted(COMMANDS))
def test_help_begins_with_examples(path: str) -> None:
    context = None
    for name in path.split():
        context = click.Context(click.Command(name), info_name=name, parent=context)
    assert context is not None
    lines = COMMANDS[path].get_help(context).splitlines()
    usage = next(at for at, line in enumerate(lines) if not line)
    assert lines[usage + 1] == "Examples:"


def test_help_of_the_whole_program_begins_with_examples() -> None:
    for program in PROGRAMS:
        told = _run(program, "--help").stdout
        assert told.index("Examples:") < told.index("Options:") < told.index("Commands:")


def test_the_version_names_the_build() -> None:
    for program in PROGRAMS:
        told = _run(program, "--version").stdout
        assert told == f"{program} {__version__} (build {tool_sha256()[:12]})\n"


@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.parametrize("shell", SHELLS)
def test_each_shell_gets_its_script(program: str, shell: str, tmp_path: Path) -> None:
    script = _run(program, "completion", shell).stdout
    variable = f"_{program.upper().replace('-', '_')}_COMPLETE={shell}_complete"
    assert variable in script
    if shell == "bash":
        (tmp_path / "script").write_text(script)
        subprocess.run(["bash", "-n", str(tmp_path / "script")], check=True)


def test_tab_completes_commands_options_and_values() -> None:
    def complete(line: str) -> set[str]:
        words = line.split(" ")
        told = _run(
            words[0],
            _CEREMONY_COMPLETE="bash_complete",
            _CEREMONY_ONLINE_COMPLETE="bash_complete",
            COMP_WORDS=line,
            COMP_CWORD=str(len(words) - 1),
        )
        return {row.split(",", 1)[1] for row in told.stdout.splitlines()}

    assert complete("ceremony re") == {"rehearse", "report"}
    assert complete("ceremony rehearse --k") == {"--keep", "--key-store", "--kind"}
    assert "rotate-tls" in complete("ceremony rehearse --kind ro")
    assert "issue" in complete("ceremony devices ")
    assert "fetch" in complete("ceremony-online ")
    assert complete("ceremony docs token.pin_lock") == {"token.pin_locked"}
    assert "root" in complete("ceremony docs ro")


def test_a_bash_with_the_script_completes(tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text(_run("ceremony", "completion", "bash").stdout)
    program = f"""
        source {script}
        COMP_WORDS=(ceremony rehe); COMP_CWORD=1
        _ceremony_completion {BIN / "ceremony"}
        printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    told = subprocess.run(["bash", "-c", program], capture_output=True, text=True, check=True)
    assert told.stdout.split() == ["rehearse"]


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_fish_with_the_script_completes_with_whole_descriptions(
    tmp_path: Path, program: str
) -> None:
    folder = tmp_path / "fish" / "completions"
    folder.mkdir(parents=True)
    (folder / f"{program}.fish").write_text(_run(program, "completion", "fish").stdout)
    told = subprocess.run(
        ["fish", "-c", f"complete -C '{program} d'"],
        capture_output=True,
        text=True,
        check=True,
        env={
            **os.environ,
            "XDG_CONFIG_HOME": str(tmp_path),
            "PATH": f"{BIN}:{os.environ['PATH']}",
        },
    )
    assert "docs\tThe handbook: chapters, and every control code." in told.stdout.splitlines()


@pytest.mark.parametrize(
    ("program", "begun", "rest"),
    [("ceremony", "fi", "ngerprint"), ("ceremony-online", "upl", "oad")],
)
def test_a_zsh_with_the_script_completes(
    tmp_path: Path, program: str, begun: str, rest: str
) -> None:
    (tmp_path / f"_{program}").write_text(_run(program, "completion", "zsh").stdout)
    (tmp_path / ".zshrc").write_text(
        f"PS1='ready> '; fpath=({tmp_path} $fpath); autoload -Uz compinit; compinit -u -D\n"
    )
    child = pexpect.spawn(
        "zsh",
        ["-i"],
        env={**os.environ, "ZDOTDIR": str(tmp_path), "PATH": f"{BIN}:{os.environ['PATH']}"},
        dimensions=(40, 120),
        encoding="utf-8",
        timeout=60,
    )
    child.expect("ready> ")
    child.send(f"{program} {begun}\t")
    child.expect(rest)
    child.close(force=True)


def test_a_command_that_is_mistyped_is_guessed() -> None:
    assert "Did you mean 'rehearse'" in _run("ceremony", "rehersal", status=2).stderr
    assert "Did you mean 'fetch'" in _run("ceremony-online", "fecth", status=2).stderr


@pytest.mark.parametrize(
    "path", [path for path in sorted(COMMANDS) if path.count(" ") > path.startswith("ceremony ")]
)
def test_no_line_about_a_command_breaks_off(path: str) -> None:
    assert not COMMANDS[path].get_short_help_str().endswith("...")


# --- the handbook ---------------------------------------------------------------------


def test_every_step_of_the_ceremony_has_its_chapter_with_what_if() -> None:
    from ceremony.flow.prompts import Step

    titles = [each.title for each in chapters() if each.title.startswith("Step ")]
    assert titles == [f"Step {step.number}, {step.value}" for step in Step]
    assert all("\nWhat if\n" in each.text for each in chapters() if each.title in titles)


def test_every_later_kind_is_explained() -> None:
    later = look_up("later")
    assert all(f"  {kind} " in later for kind in KINDS if kind is not Kind.CREATE)


def test_on_a_terminal_the_handbook_opens_in_a_pager_that_can_be_left() -> None:
    child = pexpect.spawn(str(BIN / "ceremony"), ["docs"], encoding="utf-8", timeout=20)
    child.expect_exact("The handbook of the ceremony")
    child.send("q")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0


def test_every_code_can_be_looked_up() -> None:
    whole = look_up(None)
    for prefix, rows in codes().items():
        assert str(rows["about"])[:30] in look_up(prefix)
        for word in rows:
            if word != "about":
                code = f"{prefix}.{word}"
                assert look_up(code).startswith(f"{code}  [")
                assert f"\n{code}  [" in whole
    assert all(each.text in whole for each in chapters())


def test_codes_that_chapters_name_exist() -> None:
    import re

    known = set(topics())
    text = " ".join(each.text for each in chapters())
    named = set(re.findall(r"\b[a-z]+\.[a-z]+_[a-z_]+\b", text)) - {"ca_x.pem"}
    assert named <= known | {name for name in named if name.endswith((".pem", ".jsonl"))}
    assert set(re.findall(r'ceremony docs ([a-z.-]+)"', text)) <= known


def test_the_handbook_is_plain_text_for_eighty_columns() -> None:
    for line in look_up(None).splitlines():
        assert len(line) <= 80 or " " not in line.strip()
        assert line.isascii()
        assert line.isprintable()


def test_docs_prints_and_refuses() -> None:
    told = _run("ceremony", "docs", "[TOKEN.pin_locked]").stdout
    assert told.startswith("token.pin_locked  [")
    assert "Step 4, Root key" in _run("ceremony", "docs", "root").stdout
    assert _run("ceremony-online", "docs").stdout == look_up(None)
    refused = _run("ceremony", "docs", "token.pin_lock", status=2)
    assert "[usage.topic]" in refused.stderr
    assert "token.pin_locked" in refused.stderr
    with pytest.raises(PlanError):
        look_up("token.about")
