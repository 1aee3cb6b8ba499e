# Removing old segments: which, what is said of it, and that nothing else goes.
import time
from pathlib import Path

import pytest
from tests.upkeep.trails import FIRST, SECOND, add, add_values, build, numbered

from audit_mw.trail.reader import read_events, segments
from audit_mw.upkeep.close import close_trail
from audit_mw.upkeep.expire import expirable, expire_trail
from audit_mw.verify import verify_trail


def day(age: int) -> str:
    """Return the name of the day `age` days ago."""
    return time.strftime("%Y-%m-%d", time.gmtime(time.time() - age * 86_400))


@pytest.fixture
def trail(tmp_path: Path) -> Path:
    """A trail of two days: 500 and 300 days ago."""
    for path in sorted(build(tmp_path).glob("*/*.log")):
        age = 500 if path.stem == "2026-11-20" else 300
        path.rename(path.with_name(f"{day(age)}.log"))
    # Each stream has been written to since.
    for stream in ("request", "fault", "system"):
        add(tmp_path, f"{day(0)}.log", stream=stream)
    add_values(tmp_path, f"{day(0)}.log")

    return tmp_path


def expire(trail: Path, days: int = 400) -> list[str]:
    return [
        f"{expired.segment.parent.name}/{expired.segment.name}"
        for expired in expire_trail(trail, days)
    ]


def told(trail: Path) -> list[dict[str, object]]:
    return [
        dict(event.details)
        for path in segments(trail, "system")
        for event in read_events(path)
        if event.type == "segment_expired"
    ]


@pytest.mark.parametrize("is_closed", [False, True])
def test_what_goes(trail: Path, *, is_closed: bool) -> None:
    """
    What is older goes, with its index and its values; each is on record, with its facts.
    """
    suffix = ".log.zst" if is_closed else ".log"
    if is_closed:
        list(close_trail(trail))
    before = sum(len(segments(trail, stream)) for stream in ("request", "values"))
    gone = expire(trail)

    streams = ("request", "fault", "system", "values")
    assert sorted(gone) == sorted(f"{stream}/{day(500)}{suffix}" for stream in streams)
    assert sum(len(segments(trail, stream)) for stream in ("request", "values")) == (
        before - 2
    )
    assert list(trail.glob(f"*/{day(500)}*")) == []
    said = {details["segment"]: details for details in told(trail)}
    assert set(said) == {name.encode() for name in gone}
    records = {name: details["records"] for name, details in said.items()}
    assert records[f"request/{day(500)}{suffix}".encode()] == 6
    assert all(len(str(details["sha256"])) > 64 for details in said.values())
    assert all("first" in details and "last" in details for details in said.values())


def test_what_is_left_is_well(trail: Path) -> None:
    """
    What expired is missing, and explained: it is no finding.
    """
    expire(trail)
    report = verify_trail(trail)

    assert report.findings == []
    assert report.missing == 0
    # Four and two requests, one fault, and two begins; there are only their ends.
    assert report.expired == 9


def test_what_did_not_expire_is_a_finding(trail: Path) -> None:
    """
    What is missing of a stream of which nothing expired, or later, is found.
    """
    expire(trail)
    path = trail / "request" / f"{day(300)}.log"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(line for line in lines if b"/4\t" not in line))
    (finding,) = verify_trail(trail).findings

    assert finding.what == f"seq 4 of {SECOND} in request is missing before this one"


def test_end_of_period(tmp_path: Path) -> None:
    """
    A segment's age is that of the end of its period.
    """
    for name in (f"{day(401)}.log", f"{day(400)}.log", f"{day(0)}.log"):
        add(tmp_path, name, numbered(1, FIRST))

    found = [path.name for path in expirable(tmp_path, 400)]
    assert found == [f"{day(401)}.log"]


def test_the_newest_stays(tmp_path: Path) -> None:
    """
    The newest segment of a stream stays, however old: a writer may have it open.
    """
    add(tmp_path, f"{day(900)}.log", numbered(1, FIRST))
    path = add(tmp_path, f"{day(800)}.log", numbered(2, FIRST))
    add(tmp_path, "old.log", numbered(3, FIRST))

    assert len(expire(tmp_path)) == 1
    assert path.exists()
    assert (path.parent / "old.log").exists()


def test_twice(trail: Path) -> None:
    """
    The second time there is nothing to do.
    """
    expire(trail)

    assert expire(trail) == []
    assert len(told(trail)) == 4


def test_cut_short(trail: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Cut short behind the record of it, the next run removes it and writes no other.
    """
    name = f"{day(500)}.log"
    unlink = Path.unlink

    def killed(path: Path, *, missing_ok: bool = False) -> None:
        if path.name == name:
            raise KeyboardInterrupt
        unlink(path, missing_ok=missing_ok)

    monkeypatch.setattr(Path, "unlink", killed)
    with pytest.raises(KeyboardInterrupt):
        expire(trail)
    assert len(told(trail)) == 1
    monkeypatch.undo()

    assert len(expire(trail)) == 4
    assert len(told(trail)) == 4


def test_rotten_archive(trail: Path) -> None:
    """
    What cannot be read any more is removed all the same; what is known of it is told.
    """
    list(close_trail(trail))
    path = trail / "fault" / f"{day(500)}.log.zst"
    path.write_bytes(b"\x28\xb5\x2f\xfdrubbish")
    path.with_name(f"{day(500)}.index").write_bytes(b"rubbish")
    expire(trail)

    said = {details["segment"]: details for details in told(trail)}
    assert "sha256" not in said[f"fault/{path.name}".encode()]
    assert not path.exists()
