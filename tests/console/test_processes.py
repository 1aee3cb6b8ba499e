# Real processes at one real pipe: many at once, killed at random, killed within a line.
import fcntl
import os
import random
import time
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from struct import unpack
from subprocess import Popen, run
from termios import FIONREAD

import pytest
from tests.console.consoles import KEY, Lines, Pipe, fill, judged
from tests.console.worker import began_and_answered, start
from tests.serving import BIN, SECONDS


@contextmanager
def started(
    pipe: Pipe, directory: Path, names: str, count: int, *options: str
) -> Iterator[list[Popen[bytes]]]:
    """Start workers, and end what is left of them."""
    running = [start(pipe, directory, name, count, *options) for name in names]
    try:
        yield running
    finally:
        for process in running:
            process.kill()
            process.wait()


def read_to_end(pipe: Pipe, running: list[Popen[bytes]]) -> Lines:
    """Return what is printed until all have ended."""
    until = time.monotonic() + 2 * SECONDS
    while any(process.poll() is None for process in running):
        assert time.monotonic() < until
        pipe.take(0.05)
    pipe.take()

    return judged(pipe.text)


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    """A pipe that nobody reads yet."""
    made = Pipe()
    yield made
    made.close()


def test_lines_are_never_mixed(pipe: Pipe, tmp_path: Path) -> None:
    """Four processes print lines of over 4,096 bytes at one pipe: each comes whole."""
    # It is always full, so that no line goes with one write.
    fcntl.fcntl(pipe.into, fcntl.F_SETPIPE_SZ, 4096)
    with started(pipe, tmp_path, "abcd", 50) as running:
        lines = read_to_end(pipe, running)
    began, answered = began_and_answered(tmp_path)

    assert [process.returncode for process in running] == [0] * 4
    assert (lines.torn, lines.foreign, lines.gaps) == ([], [], [])
    assert sorted(lines.words) == sorted(answered) == sorted(began)
    assert len(answered) == 200
    assert min(int(each["len"]) for each in lines.of("request")) > 4096
    assert len(lines.of("request")) == 200
    assert list((tmp_path / "journals").glob("*.journal")) == []


def await_words(pipe: Pipe, directory: Path, pid: int) -> None:
    """Return when a process has served something."""
    until = time.monotonic() + SECONDS
    while not any(path.stat().st_size for path in directory.glob(f"*-{pid}.words")):
        assert time.monotonic() < until
        pipe.take(0.01)


@pytest.mark.parametrize("kills", [3, pytest.param(40, marks=pytest.mark.long)])
def test_kills(pipe: Pipe, tmp_path: Path, kills: int) -> None:
    """What a process that is killed had answered, or begun, is printed by another."""
    chance = random.Random(kills)
    with started(pipe, tmp_path, "ab", 0) as running:
        for _ in range(kills):
            victim = running.pop(0)
            await_words(pipe, tmp_path, victim.pid)
            until = time.monotonic() + chance.uniform(0, 0.2)
            while time.monotonic() < until:
                pipe.take(0.001)
            victim.kill()
            victim.wait()
            running.append(start(pipe, tmp_path, f"again{victim.pid}", 0))
        for process in running:
            process.kill()
            process.wait()
    with started(pipe, tmp_path, "z", 1) as last:
        lines = read_to_end(pipe, last)
    began, answered = began_and_answered(tmp_path)

    assert answered - set(lines.words) == set()
    assert began - set(lines.words) == set()
    assert (lines.foreign, lines.gaps) == ([], [])
    assert len(lines.torn) <= kills + 3  # one for each that was killed
    assert len(answered) > kills
    assert list((tmp_path / "journals").glob("*.journal")) == []


def test_killed_within_a_line(pipe: Pipe, tmp_path: Path) -> None:
    """Half a line of a process that is killed does not spoil the next process's."""
    fill(pipe)
    os.read(pipe.out, 4096)
    before = unread(pipe)
    with started(pipe, tmp_path, "a", 0) as running:
        until = time.monotonic() + SECONDS
        # The record of the start is shorter, so it is out, and a part of the next one.
        while unread(pipe) < before + 2048:
            assert time.monotonic() < until
            time.sleep(0.01)
        running[0].kill()
        running[0].wait()
    with started(pipe, tmp_path, "z", 1) as last:
        lines = read_to_end(pipe, last)
    began, answered = began_and_answered(tmp_path)

    assert (answered | began) - set(lines.words) == set()
    assert len(lines.torn) == 1
    assert lines.gaps == []


def unread(pipe: Pipe) -> int:
    """Return how many bytes are in a pipe."""
    return int(unpack("i", fcntl.ioctl(pipe.out, FIONREAD, bytes(4)))[0])


def test_recover(pipe: Pipe, tmp_path: Path) -> None:
    """The command prints what a killed process left, and says so elsewhere."""
    broken = Pipe()
    with started(broken, tmp_path, "a", 0) as running:
        broken.close()
        await_words(pipe, tmp_path, running[0].pid)
    journals = tmp_path / "journals"
    words = f"{BIN}/audit-mw recover --trail stdout --journals"
    environ = {**os.environ, "AUDIT_MW_KEY": b64encode(KEY).decode()}
    command = [*words.split(), str(journals)]
    done = run(command, check=True, env=environ, capture_output=True)
    lines = judged(done.stdout)
    began, answered = began_and_answered(tmp_path)

    assert b"records recovered" in done.stderr
    assert (answered | began) - set(lines.words) == set()
    assert (lines.torn, lines.gaps, lines.foreign) == ([], [], [])
    assert list(journals.glob("*.journal")) == []


def test_sigpipe(pipe: Pipe, tmp_path: Path) -> None:
    """A broken pipe ends no process, though the application lets the signal do so."""
    broken = Pipe()
    with started(broken, tmp_path, "a", 3) as running:
        broken.close()
        assert running[0].wait(SECONDS) == 0
    with started(pipe, tmp_path, "z", 1) as last:
        lines = read_to_end(pipe, last)
    _, answered = began_and_answered(tmp_path)

    assert answered - set(lines.words) == set()
    assert lines.gaps == []
