# Words are completed by click's own means, as docs/reading.md tells.
import os
import pty
import select
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from audit_mw.cli import main

TOOL = Path(sys.executable).with_name("audit-mw")


def complete(words: str, count: int) -> list[str]:
    """Return what bash is told for the last of `words`."""
    asked = {"COMP_WORDS": words, "COMP_CWORD": str(count)}

    return [line.partition(",")[2] for line in told("bash_complete", **asked)]


def told(what: str, **more: str) -> list[str]:
    """Return the lines that a shell gets; below it is a shell that asks for them."""
    environment = {"_AUDIT_MW_COMPLETE": what, **more}
    done = CliRunner(env=environment).invoke(main, prog_name="audit-mw")
    assert not done.exit_code, done.output

    return done.stdout.splitlines()


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("audit-mw fi", ["find"]),
        ("audit-mw find --stat", ["--status"]),
        ("audit-mw find --stream se", ["session", "security"]),
        ("audit-mw describe --format j", ["json-schema"]),
        ("audit-mw query brute", ["brute-force"]),
        ("audit-mw query se", ["secrets-seen", "session-timeline"]),
    ],
)
def test_words(words: str, expected: list[str]) -> None:
    """Commands, options and their values are completed."""
    assert complete(words, len(words.split()) - 1) == expected


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_source(shell: str) -> None:
    """What a shell is to read at its start names the command."""
    assert any("audit-mw" in line for line in told(f"{shell}_source"))


WORDS = [
    ("audit-mw descr", "describe"),
    ("audit-mw find --stat", "--status"),
    ("audit-mw query brute", "brute-force"),
]
_SOURCE = 'eval "$(_AUDIT_MW_COMPLETE={}_source audit-mw)"'
# What is typed before, and how each is started.
SHELLS = {
    "bash": (["bash", "--norc", "-i"], _SOURCE.format("bash")),
    "zsh": (
        ["zsh", "-f", "-i"],
        f"autoload -Uz compinit; compinit -u -D; {_SOURCE.format('zsh')}",
    ),
}


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize(("words", "expected"), WORDS)
def test_typed(tmp_path: Path, shell: str, words: str, expected: str) -> None:
    """A command, an option and a saved query's name, typed, and then the tab."""
    command, begin = SHELLS[shell]
    needs(shell)
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        command,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env=environment(tmp_path),
        start_new_session=True,
    ) as running:
        try:
            # What is typed is echoed, and must not be taken for the answer.
            os.write(ours, f"{begin}; echo rea''dy\n".encode())
            shown_until(ours, "ready")
            os.write(ours, f"{words}\t".encode())
            assert expected in shown_until(ours, expected)
        finally:
            running.kill()
            os.close(theirs)
            os.close(ours)


@pytest.mark.parametrize(("words", "expected"), WORDS)
def test_fish(tmp_path: Path, words: str, expected: str) -> None:
    """Fish is asked what it would offer."""
    needs("fish")
    asked = f"_AUDIT_MW_COMPLETE=fish_source audit-mw | source; complete -C '{words}'"
    done = subprocess.run(
        ["fish", "--no-config", "-c", asked],
        env=environment(tmp_path),
        capture_output=True,
        check=True,
        timeout=60,
    )

    assert expected in done.stdout.decode().split()


def needs(shell: str) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"there is no {shell} here")


def environment(home: Path) -> dict[str, str]:
    search = f"{TOOL.parent}{os.pathsep}{os.environ['PATH']}"

    return {**os.environ, "PATH": search, "HOME": str(home), "TERM": "dumb"}


def shown_until(terminal: int, word: str) -> str:
    """Return what is shown until a word is; fail where it never is."""
    shown = b""
    while word.encode() not in shown:
        ready, _, _ = select.select([terminal], [], [], 60)
        assert ready, shown
        shown += os.read(terminal, 1 << 16)

    return shown.decode(errors="replace")
