# audit-mw tail: several trails as one, and how little of them is read.
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from tests.trail.samples import event, wait_until
from tests.upkeep.trails import FIRST, SECOND, add, numbered

from audit_mw.cli import main
from audit_mw.trail.closing import close_segment

TOOL = Path(sys.executable).with_name("audit-mw")
OLD, DAY, NEXT = "2026-11-01.log", "2026-11-20.log", "2026-11-21.log"


def tail(*arguments: object) -> Result:
    """Print the last records, in this process."""
    return CliRunner().invoke(main, ["tail", *map(str, arguments)])


def paths(text: str) -> list[str]:
    """Return the paths of the records that stand on lines of their own."""
    return [line.split()[6] for line in text.splitlines() if " request " in line]


@pytest.fixture
def trails(tmp_path: Path) -> tuple[Path, Path]:
    """Return two trails whose records alternate in time."""
    one, other = tmp_path / "one", tmp_path / "other"
    add(one, DAY, *(numbered(seq, FIRST) for seq in (1, 3, 5)))
    add(other, DAY, *(numbered(seq, SECOND) for seq in (2, 4, 6)))

    return one, other


# --- several


def test_several(trails: tuple[Path, Path]) -> None:
    """The last records of all trails come by their time, each with its trail."""
    shown = tail("--short", "-n", 4, *trails)
    ends = [line.split()[-1] for line in shown.stdout.splitlines()]

    assert paths(shown.stdout) == ["/3", "/4", "/5", "/6"]
    assert ends == [str(trail) for trail in (*trails, *trails)]


def test_several_whole(trails: tuple[Path, Path]) -> None:
    """Of whole records the place is told, as find tells it."""
    shown = tail("-n", 1, *trails)

    assert shown.stdout.splitlines()[1] == f"    at {trails[1]}/request/{DAY}:4"


def test_one_twice(trails: tuple[Path, Path]) -> None:
    """A trail that is given twice, as an option and as a word, is read once."""
    shown = tail("--short", "--trail", trails[0], trails[0])

    assert paths(shown.stdout) == ["/1", "/3", "/5"]
    assert str(trails[0]) not in shown.stdout


def test_several_damaged(trails: tuple[Path, Path]) -> None:
    """What is damaged in one is told; all others are printed."""
    segment = trails[0] / "request" / DAY
    segment.write_bytes(segment.read_bytes() + b"torn\n")
    shown = tail("--short", *trails)

    assert shown.exit_code == 1
    assert f"damaged: {segment}:5: " in shown.stderr
    assert len(paths(shown.stdout)) == 6


def test_console_beside(tmp_path: Path, trails: tuple[Path, Path]) -> None:
    """The text of a console is read beside a directory."""
    console = tmp_path / "text"
    console.write_bytes(b"hello\n" + (trails[1] / "request" / DAY).read_bytes())
    shown = tail("--short", trails[0], console)

    assert paths(shown.stdout) == ["/1", "/2", "/3", "/4", "/5", "/6"]
    assert "skipped" in shown.stderr


def test_hostile_name(tmp_path: Path) -> None:
    """The name of a trail moves no cursor."""
    trail = tmp_path / "\x1b[2J \u202e"
    add(trail, DAY, numbered(1, FIRST))
    add(tmp_path / "other", DAY, numbered(2, FIRST))
    for words in ((), ("--short",)):
        shown = tail(*words, trail, tmp_path / "other").output

        assert "%1B[2J" in shown
        assert shown.replace("\n", "").isprintable()
        assert shown.isascii()


# --- what is read


def test_recent(tmp_path: Path) -> None:
    """Of older days nothing is read where the newest have enough."""
    old = add(tmp_path, OLD, numbered(1, FIRST))
    old.write_bytes(old.read_bytes() + b"torn\n")
    add(tmp_path, DAY, *(numbered(seq, FIRST) for seq in (2, 3)))
    shown, more = tail("--short", "-n", 2, tmp_path), tail("--short", tmp_path)

    assert (shown.exit_code, more.exit_code) == (0, 1)
    assert (paths(shown.stdout), paths(more.stdout)) == (
        ["/2", "/3"],
        ["/1", "/2", "/3"],
    )
    assert more.stderr.count("damaged") == 1


def test_none_asked(tmp_path: Path) -> None:
    """With -n 0 nothing is printed, not even of what has no time that is right."""
    add(tmp_path, OLD, numbered(1, FIRST))

    assert tail("-n", 0, tmp_path).output == ""
    assert tail("-n", -1, tmp_path).exit_code == 2


@pytest.mark.parametrize("end", [b"", b"9\t9999-12-31T23:59:59.999999Z\tx\n" * 9])
def test_not_in_order(tmp_path: Path, end: bytes) -> None:
    """The last by time are printed, wherever they stand and whatever is forged."""
    later = [numbered(seq, FIRST) for seq in (9, 8)]
    path = add(tmp_path, DAY, *later, *(numbered(seq, FIRST) for seq in (1, 2, 3)))
    path.write_bytes(path.read_bytes() + end)

    assert paths(tail("--short", "-n", 3, tmp_path).stdout) == ["/3", "/8", "/9"]


def test_closed(tmp_path: Path) -> None:
    """The last records of a trail whose segments are closed are there as well."""
    for name, seq in ((OLD, 1), (DAY, 2)):
        close_segment(add(tmp_path, name, numbered(seq, FIRST)), lambda _: None)

    assert paths(tail("--short", "-n", 1, tmp_path).stdout) == ["/2"]


# --- following


@contextmanager
def following(tmp_path: Path, *words: object) -> Iterator[Callable[[], list[str]]]:
    """Run `tail -f`, and end it as a person does; give what it has printed so far."""
    out, err = tmp_path / "out", tmp_path / "err"
    with (
        out.open("wb") as printed,
        err.open("wb") as told,
        subprocess.Popen(
            [TOOL, "tail", "-f", "--short", *map(str, words)],
            stdout=printed,
            stderr=told,
            # Who was started in the background, by a shell, ignores it, and hands
            # that on.
            preexec_fn=partial(  # noqa: PLW1509 - one thread, and no lock
                signal.signal, signal.SIGINT, signal.SIG_DFL
            ),
        ) as process,
    ):
        try:
            yield lambda: paths(out.read_text())
        except BaseException:
            process.kill()
            raise
        process.send_signal(signal.SIGINT)
        out.with_name("code").write_text(str(process.wait(60)))


def test_follow_several(tmp_path: Path, trails: tuple[Path, Path]) -> None:
    """One is rotated while another is quiet, and a third comes when it comes."""
    one, other = trails
    third = tmp_path / "third"
    with following(tmp_path, "-n", 1, one, other, third) as seen:
        wait_until(lambda: seen() == ["/6"])
        add(one, DAY, numbered(7, FIRST))
        (one / "request" / DAY).rename(one / "request" / f"{DAY}.1")
        add(one, NEXT, numbered(8, FIRST))
        wait_until(lambda: seen() == ["/6", "/7", "/8"])
        add(third, NEXT, numbered(9, FIRST))
        wait_until(lambda: seen()[3:] == ["/9"])
        add(other, DAY, numbered(10, SECOND))
        wait_until(lambda: seen()[4:] == ["/10"])

    assert (tmp_path / "code").read_text() == "0"
    told = f"{third} is not there yet; it is waited for\n"
    assert (tmp_path / "err").read_text() == told
    ends = [line.split()[-1] for line in (tmp_path / "out").read_text().splitlines()]
    assert ends == [str(trail) for trail in (other, one, one, third, other)]


def test_follow_damage(tmp_path: Path, trails: tuple[Path, Path]) -> None:
    """What is damaged is told once; what comes behind it, and beside, is printed."""
    one, other = trails
    segment = one / "request" / DAY
    with following(tmp_path, "-n", 1, one, other) as seen:
        wait_until(lambda: seen() == ["/6"])
        with segment.open("ab") as file:
            file.write(b"torn\n")
        add(other, DAY, numbered(7, SECOND))
        add(one, DAY, numbered(8, FIRST))
        wait_until(lambda: sorted(seen()) == ["/6", "/7", "/8"])

    assert (tmp_path / "code").read_text() == "1"
    assert (tmp_path / "err").read_text().count(f"damaged: {segment}:5: ") == 1


def test_follow_late(tmp_path: Path) -> None:
    """What comes is shown though it began long ago, or stands under an older name."""
    path = add(tmp_path, DAY, numbered(1, FIRST))
    with following(tmp_path, "-n", 1, tmp_path) as seen:
        wait_until(lambda: seen() == ["/1"])
        began = event(instance=FIRST, time=event().time - 10**12, path=b"/2")
        path = path.rename(path.with_name(OLD))
        add(tmp_path, OLD, (2, began))
        wait_until(lambda: seen() == ["/1", "/2"])

    assert (tmp_path / "code").read_text() == "0"


def test_follow_an_empty_directory(tmp_path: Path) -> None:
    """A directory that is empty may become a trail; one with other things is none."""
    trail = tmp_path / "trail"
    trail.mkdir()
    with following(tmp_path, trail) as seen:
        wait_until(lambda: "waited for" in (tmp_path / "err").read_text())
        add(trail, DAY, numbered(1, FIRST))
        wait_until(lambda: seen() == ["/1"])
    shown = tail("-f", tmp_path)

    assert shown.exit_code == 2
    assert "is no trail" in shown.stderr


@pytest.mark.parametrize("words", [("stdout",), ("-f", "stderr"), ("--trail", "")])
def test_no_trail(words: tuple[str, ...]) -> None:
    """A console has no text that could be read, and an empty name is none."""
    shown = tail(*words)

    assert shown.exit_code == 2
    assert "trail" in shown.stderr
