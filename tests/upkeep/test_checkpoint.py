# A run of verify that goes on where another was finds what one run over all finds.
import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.trail.crew import ROOT
from tests.trail.samples import spill_of
from tests.upkeep.trails import (
    FIRST,
    LONG,
    SECOND,
    add,
    add_values,
    build,
    numbered,
    system,
)

from audit_mw.cli import main
from audit_mw.event import Param, Spilled
from audit_mw.trail.closing import close_segment
from audit_mw.upkeep.close import close_trail
from audit_mw.verify import Report, verify_trail
from audit_mw.verify.checkpoint import CheckpointError

DAY, NEXT = "2026-11-20.log", "2026-11-21.log"


@pytest.fixture
def trail(tmp_path: Path) -> Path:
    """A trail in which some things are wrong already."""
    trail = tmp_path / "trail"
    add(trail, DAY, numbered(1, FIRST), numbered(2, FIRST), numbered(1, SECOND))
    add(trail, DAY, numbered(4, FIRST))
    add_values(trail, DAY, LONG[0])
    add(trail, DAY, system(1, "sys_startup"), stream="system")
    with (trail / "request" / DAY).open("ab") as file:
        file.write(b"nobody wrote this\n")

    return trail


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    """Where a checkpoint is kept."""
    return tmp_path / "verified"


def told(report: Report) -> dict[str, object]:
    """Return all that a report says, findings by file and line."""
    values = asdict(report)
    for inner in ("_found", "paths", "touched"):
        del values[inner]
    places = [(each.path.name, each.line, each.what) for each in report.findings]

    return values | {"findings": sorted(places)}


def compared(trail: Path, checkpoint: Path) -> dict[str, object]:
    """Return what both ways tell of a trail, which must be the same."""
    on = told(verify_trail(trail, checkpoint=checkpoint))
    whole = told(verify_trail(trail))

    assert whole == on
    return on


def naming(seq: int, value: bytes) -> tuple[int, object]:
    """Return a record that names a value."""
    spill = spill_of(value)
    spilled = Spilled(len(value), spill.sha256)

    return numbered(seq, FIRST, params=(Param("form", b"a", spilled),))


def append(trail: Path) -> None:
    """Append to the segment that was judged."""
    add(trail, DAY, numbered(5, FIRST), numbered(2, SECOND), numbered(7, FIRST))


def fill_gap(trail: Path) -> None:
    """Append what was missing."""
    add(trail, DAY, numbered(3, FIRST, details={"recovered": True}))


def begin_another(trail: Path) -> None:
    """Begin another segment."""
    add(trail, NEXT, numbered(5, FIRST))


def rename(trail: Path) -> None:
    """Rename the segment, and begin it anew."""
    path = trail / "request" / DAY
    if path.exists():
        path.rename(path.with_name(f"{DAY}.1"))
    add(trail, DAY, numbered(5, FIRST))


def close(trail: Path) -> None:
    """Close the segment."""
    if (trail / "request" / DAY).exists():
        close_segment(trail / "request" / DAY, lambda _: None)


def spill(trail: Path) -> None:
    """Name values: of the earlier run, of this one, and one that is not there."""
    add_values(trail, DAY, LONG[1])
    add(trail, DAY, *(naming(5 + at, value) for at, value in enumerate(LONG)))  # type: ignore[arg-type] # records


def repeat(trail: Path) -> None:
    """Append a record of the earlier run again, and another under its number."""
    add(trail, DAY, numbered(2, FIRST), numbered(1, SECOND, path=b"/else"))


def fall_behind(trail: Path) -> None:
    """Append a number that is smaller than the last one."""
    add(trail, DAY, numbered(3, FIRST))


def end(trail: Path) -> None:
    """Say how many there are."""
    last = {"request": 9, "system": 2}
    add(trail, DAY, system(2, "sys_shutdown", {"last": last}), stream="system")


CHANGES = (
    append,
    fill_gap,
    begin_another,
    rename,
    close,
    spill,
    repeat,
    fall_behind,
    end,
)


@pytest.mark.parametrize("change", CHANGES)
def test_same(trail: Path, checkpoint: Path, change: Callable[[Path], object]) -> None:
    """Whatever was written between two runs, both ways find the same."""
    compared(trail, checkpoint)
    change(trail)
    compared(trail, checkpoint)
    compared(trail, checkpoint)  # and where nothing was written


@settings(max_examples=12)
@given(st.permutations(CHANGES), st.lists(st.booleans(), min_size=9, max_size=9))
def test_any_order(changes: list[Callable[[Path], object]], looks: list[bool]) -> None:
    """
    Whatever happens in whatever order, and whenever somebody looks: the same.

    But for which of two equal numbers counts as the first, and before which record one
    is missing: that depends on which was read first.
    """
    with TemporaryDirectory() as directory:
        trail, checkpoint = Path(directory) / "trail", Path(directory) / "verified"
        add(trail, DAY, numbered(1, FIRST), numbered(2, FIRST), numbered(1, SECOND))
        add(trail, DAY, system(1, "sys_startup"), stream="system")
        for change, look in zip(changes, looks, strict=True):
            change(trail)
            if look:
                verify_trail(trail, checkpoint=checkpoint)
        on = told(verify_trail(trail, checkpoint=checkpoint))
        whole = told(verify_trail(trail))

        assert _unordered(whole) == _unordered(on)


def _unordered(told: dict[str, object]) -> list[object]:
    found = told["findings"]
    assert isinstance(found, list)
    words = (" as well", "stands behind", "is missing")
    names = ("records", "segments", "bytes", "missing", "damaged", "runs", "broken")

    return [
        *(told[name] for name in names),
        *sorted(
            each[2] for each in found if not any(word in each[2] for word in words)
        ),
    ]


def test_not_read_again(trail: Path, checkpoint: Path) -> None:
    """What was judged is not read again: that is what a checkpoint is for."""
    verify_trail(trail, checkpoint=checkpoint)
    path = trail / "request" / DAY
    exact = path.read_bytes()
    path.write_bytes(exact.replace(b"/1\t", b"/2\t"))

    assert told(verify_trail(trail, checkpoint=checkpoint)) != told(verify_trail(trail))


def test_torn(trail: Path, checkpoint: Path) -> None:
    """A line that was torn is read again: it may have been on its way."""
    path = add(trail, DAY, numbered(5, FIRST))
    exact = path.read_bytes()
    os.truncate(path, len(exact) - 50)
    compared(trail, checkpoint)
    path.write_bytes(exact)
    found = compared(trail, checkpoint)

    assert "it does not end with LF" not in str(found)


def test_archives(trail: Path, checkpoint: Path) -> None:
    """An archive that was well is not measured again; one that changed since is."""
    list(close_trail(trail))
    (archive,) = (trail / "request").glob("*.zst")
    verify_trail(trail, checkpoint=checkpoint)
    compared(trail, checkpoint)
    exact = bytearray(archive.read_bytes())
    exact[-5] ^= 1
    archive.write_bytes(exact)
    found = [each.what for each in verify_trail(trail, checkpoint=checkpoint).findings]

    assert any("archive" in what or "what was closed" in what for what in found)


def test_archive_without_record(trail: Path, checkpoint: Path) -> None:
    """One whose closing is not on record is not measured again either."""
    close(trail)
    before = told(verify_trail(trail, checkpoint=checkpoint))["findings"]
    (index,) = (trail / "request").glob("*.index")
    status = index.stat()
    index.write_bytes(index.read_bytes().replace(b'"records":', b'"records":1'))
    os.utime(index, ns=(status.st_atime_ns, status.st_mtime_ns))

    # It would be told of the index, if it were compared with what is in the archive.
    assert told(verify_trail(trail, checkpoint=checkpoint))["findings"] == before
    assert told(verify_trail(trail))["findings"] != before


@pytest.mark.parametrize("is_same", [True, False])
def test_record_that_came_later(
    trail: Path, checkpoint: Path, *, is_same: bool
) -> None:
    """What was measured before is compared with the record of its closing."""
    path = trail / "request" / DAY
    digest = sha256(path.read_bytes() if is_same else b"").hexdigest().encode()
    close(trail)
    compared(trail, checkpoint)
    (archive,) = (trail / "request").glob("*.zst")
    details = {"archive": f"request/{archive.name}".encode(), "sha256": digest}
    add(trail, DAY, system(2, "segment_closed", details), stream="system")
    for _ in range(2):
        found = str(compared(trail, checkpoint)["findings"])

        assert ("is not what was closed" not in found) == is_same


def test_older_checkpoint(trail: Path, checkpoint: Path) -> None:
    """One that says of no digest what was measured is taken, and measured anew."""
    close(trail)
    verify_trail(trail, checkpoint=checkpoint)
    base = sqlite3.connect(checkpoint)
    ((text,),) = base.execute("SELECT text FROM state")
    state = json.loads(text)
    state["archives"] = [each[:5] for each in state["archives"]]
    with base:
        base.execute("UPDATE state SET text = ?", (json.dumps(state),))
    base.close()

    assert state["archives"]
    compared(trail, checkpoint)


def test_lost(trail: Path, checkpoint: Path) -> None:
    """A segment that was judged and is gone is named, though its numbers are known."""
    verify_trail(trail, checkpoint=checkpoint)
    (trail / "request" / DAY).unlink()
    found = [each.what for each in verify_trail(trail, checkpoint=checkpoint).findings]

    assert any(f"request/{DAY}, of which" in what for what in found)


def test_expired(trail: Path, checkpoint: Path) -> None:
    """One that expired is not missing."""
    verify_trail(trail, checkpoint=checkpoint)
    (trail / "request" / DAY).unlink()
    named = {"segment": f"request/{DAY}".encode()}
    add(trail, DAY, system(2, "segment_expired", named), stream="system")
    found = [each.what for each in verify_trail(trail, checkpoint=checkpoint).findings]

    assert not any("is not in the trail" in what for what in found)


def test_truncated(trail: Path, checkpoint: Path) -> None:
    """A segment that is shorter than it was is named, once."""
    path = add(trail, DAY, *(numbered(seq, FIRST) for seq in range(5, 50)))
    verify_trail(trail, checkpoint=checkpoint)
    size = path.stat().st_size
    os.truncate(path, size - 30)
    for _ in range(2):
        report = verify_trail(trail, checkpoint=checkpoint)
        said = [each.what for each in report.findings]

        assert (
            said.count(f"{size} bytes were read before, and {size - 30} are left") == 1
        )


_RUN = """
import sys
from pathlib import Path
from audit_mw.verify import judge

judge._KEEP_SECONDS = 0
judge.verify_trail(Path(sys.argv[1]), checkpoint=Path(sys.argv[2]))
"""


def test_killed(trail: Path, checkpoint: Path) -> None:
    """A run that is killed at any moment is gone on with; the end is the same."""
    for day in range(10, 20):
        records = [numbered(seq + day * 50, SECOND) for seq in range(40)]
        add(trail, f"2026-11-{day}.log", *records)
    chance = random.Random()
    for _ in range(4):
        run = subprocess.Popen(
            [sys.executable, "-c", _RUN, str(trail), str(checkpoint)], cwd=ROOT
        )
        try:
            run.wait(chance.uniform(0.2, 0.6))
        except subprocess.TimeoutExpired:
            run.send_signal(signal.SIGKILL)
        run.wait()

    compared(trail, checkpoint)


# --- what is no checkpoint


def _garbage(path: Path) -> None:
    path.write_bytes(b"no database at all" * 99)


def _writable(path: Path) -> None:
    path.touch()
    path.chmod(0o666)


def _directory(path: Path) -> None:
    os.mkfifo(path)


def _state(text: str) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        base = sqlite3.connect(path)
        with base:
            base.execute("CREATE TABLE state (id INTEGER PRIMARY KEY, text TEXT)")
            base.execute("INSERT INTO state VALUES (1, ?)", (text,))
        base.close()
        path.chmod(0o600)

    return make


_OTHER = json.dumps({"format": 1, "trail": "/elsewhere"})


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(_garbage, id="garbage"),
        pytest.param(_writable, id="others may write"),
        pytest.param(_directory, id="FIFO"),
        pytest.param(_state("{"), id="no JSON"),
        pytest.param(_state("[]"), id="no object"),
        pytest.param(_state(_OTHER), id="of another trail"),
        pytest.param(_state('{"format": 2}'), id="of another version"),
    ],
)
def test_no_checkpoint(
    trail: Path, checkpoint: Path, make: Callable[[Path], None]
) -> None:
    """A file that is none is refused, and named."""
    make(checkpoint)

    with pytest.raises(CheckpointError, match="the checkpoint"):
        verify_trail(trail, checkpoint=checkpoint)


def test_link(trail: Path, checkpoint: Path) -> None:
    """A link is not followed."""
    checkpoint.symlink_to(trail / "request" / DAY)

    with pytest.raises(OSError, match="symbolic"):
        verify_trail(trail, checkpoint=checkpoint)


_OTHERS: list[object] = [None, 5, "x", [[]], [[1]], {"a": 1}]


def test_forged_state(trail: Path, checkpoint: Path) -> None:
    """A state in which anything is of another kind is refused, or taken; none breaks."""
    verify_trail(trail, checkpoint=checkpoint)
    base = sqlite3.connect(checkpoint)
    ((text,),) = base.execute("SELECT text FROM state")
    state = json.loads(text)
    for key in state:
        for other in _OTHERS:
            with base:
                base.execute(
                    "UPDATE state SET text = ?", (json.dumps(state | {key: other}),)
                )
            try:
                verify_trail(trail, checkpoint=checkpoint)
            except CheckpointError:
                continue
    base.close()


def test_command(tmp_path: Path, checkpoint: Path) -> None:
    """The command takes a checkpoint, of one trail."""
    build(tmp_path / "a")
    build(tmp_path / "b")
    words = ["verify", "--checkpoint", str(checkpoint), "--trail", str(tmp_path / "a")]
    first = CliRunner().invoke(main, words)
    again = CliRunner().invoke(main, words)
    two = CliRunner().invoke(main, [*words, "--trail", str(tmp_path / "b")])
    checkpoint.write_bytes(b"x" * 4096)
    wrong = CliRunner().invoke(main, words)

    assert first.output == again.output
    assert (first.exit_code, two.exit_code, wrong.exit_code) == (0, 2, 2)
    assert "remove it, or name another" in wrong.output
