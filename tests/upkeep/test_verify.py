# What the judgement of a trail finds, and what it takes for no damage.
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.trail.crew import ROOT
from tests.trail.samples import locked, spill_of
from tests.upkeep.trails import (
    FIRST,
    LONG,
    SECOND,
    add,
    add_values,
    build,
    ended,
    numbered,
    system,
)

from audit_mw.event import Event, Hole, Param, Rest, Spilled, Upload
from audit_mw.trail.closing import close_segment
from audit_mw.trail.names import index_path
from audit_mw.trail.params import encode_params
from audit_mw.trail.record import Draft, draft_event, finish_line, header_line
from audit_mw.upkeep.close import close_trail
from audit_mw.verify import Report, verify_trail

DAY = "2026-11-20.log"
NEXT = "2026-11-21.log"


def found(trail: Path) -> list[str]:
    """Return what is found, without where."""
    return [each.what for each in verify_trail(trail).findings]


# --- numbers, and where instances begin and end


def test_gap(tmp_path: Path) -> None:
    """
    Numbers that are missing are named at the record behind them, over files too.
    """
    add(tmp_path, DAY, numbered(1, FIRST), numbered(4, FIRST))
    add(tmp_path, NEXT, numbered(6, FIRST))
    report = verify_trail(tmp_path)

    assert report.missing == 3
    assert [(each.path.name, each.line, each.what) for each in report.findings] == [
        (DAY, 3, f"seq 2 to 3 of {FIRST} in request is missing before this one"),
        (NEXT, 2, f"seq 5 of {FIRST} in request is missing before this one"),
    ]


def test_instances_do_not_mix(tmp_path: Path) -> None:
    """
    Each instance has numbers of its own in each stream.
    """
    for instance in (FIRST, SECOND):
        for stream in ("request", "fault"):
            records = [numbered(seq, instance, stream=stream) for seq in (1, 2)]
            add(tmp_path, DAY, *records, stream=stream)

    assert found(tmp_path) == []
    assert verify_trail(tmp_path).instances == 2


def test_number_of_none(tmp_path: Path) -> None:
    """
    A number below 1 is none.
    """
    add(tmp_path, DAY, numbered(0, FIRST), numbered(1, FIRST))

    assert found(tmp_path) == ["a record that says 0 is its number"]


def test_missing_end(tmp_path: Path) -> None:
    """
    Records that are missing at the end are named by the end of their instance.
    """
    add(tmp_path, DAY, numbered(1, FIRST))
    path = add(tmp_path, DAY, ended(1, request=3, fault=2), stream="system")
    report = verify_trail(tmp_path)

    assert {each.path for each in report.findings} == {path}
    assert [each.what for each in report.findings] == [
        f"seq 1 to 2 of {FIRST} in fault is missing before this end",
        f"seq 2 to 3 of {FIRST} in request is missing before this end",
    ]


BEYOND = f"seq 2 of {FIRST}, which ended at 1 (sys_shutdown)"


@pytest.mark.parametrize(
    ("details", "starts", "expected"),
    [
        pytest.param({}, False, [BEYOND], id="nobody knows why"),
        pytest.param({}, True, [], id="the instance began again"),
        pytest.param({"reason": b"process_died"}, False, [], id="process died"),
        pytest.param({"recovered": True}, False, [], id="recovered"),
    ],
)
def test_behind_the_end(
    tmp_path: Path, details: dict[str, object], expected: list[str], *, starts: bool
) -> None:
    """
    A record behind the end of its instance has a reason, or is a finding.
    """
    add(tmp_path, DAY, numbered(1, FIRST), numbered(2, FIRST, details=details))
    add(tmp_path, DAY, ended(1, request=1), stream="system")
    if starts:
        add(tmp_path, DAY, system(2, "sys_startup"), stream="system")

    assert found(tmp_path) == expected


def test_behind_the_end_in_system(tmp_path: Path) -> None:
    """
    In the stream `system`, too, nothing stands behind an end but a new begin.
    """
    add(tmp_path, DAY, ended(1), system(2, "log_gap"), stream="system")

    assert found(tmp_path) == [BEYOND]


def test_an_end_that_says_nothing(tmp_path: Path) -> None:
    """
    An end whose `last` is no mapping of numbers is judged by what it has.
    """
    for seq, last in enumerate(([1], {"request": b"x"}, None, 5), 1):
        record = system(seq, "sys_shutdown", {"last": last})
        add(tmp_path, DAY, record, stream="system")
    verify_trail(tmp_path)


# --- repeats


def again(**changes: Any) -> tuple[int, Event]:
    seq, first = numbered(2, FIRST)

    return seq, replace(first, **changes)


@pytest.mark.parametrize(
    ("second", "is_well"),
    [
        pytest.param(again(), True, id="equal"),
        pytest.param(again(details={"recovered": True}), True, id="recovered"),
        pytest.param(
            again(details={"recovered": True, "delivery": b"unknown"}),
            True,
            id="recovered, delivery not known",
        ),
        pytest.param(again(details={"delivery": b"taken"}), False, id="delivery"),
        pytest.param(again(path=b"/else"), False, id="forged"),
        pytest.param(
            again(path=b"/else", details={"recovered": True}), False, id="forged well"
        ),
    ],
)
def test_repeat(tmp_path: Path, second: tuple[int, Event], *, is_well: bool) -> None:
    """
    A record that is there again is equal or recovered, or a finding.
    """
    add(tmp_path, DAY, *(numbered(seq, FIRST) for seq in (1, 2, 3)))
    path = add(tmp_path, NEXT, second)
    report = verify_trail(tmp_path)

    said = f"seq 2 of {FIRST} is at {path.with_name(DAY)}:3 as well"
    if is_well:
        assert report.findings == []
        assert [(path, 2, said)] == [
            (each.path, each.line, each.what) for each in report.repeated
        ]
    else:
        assert [(path, 2, f"{said}, and says something else")] == [
            (each.path, each.line, each.what) for each in report.findings
        ]
    assert report.repeats == is_well
    assert report.missing == 0


def test_backup_beside(tmp_path: Path) -> None:
    """
    A copy of a segment beside it is read, told apart, and no damage.
    """
    build(tmp_path)
    path = tmp_path / "request" / DAY
    path.with_name(f"{DAY}.bak").write_bytes(path.read_bytes())
    report = verify_trail(tmp_path)

    assert (report.findings, report.repeats) == ([], 6)


# --- values


def naming(*params: Param, **changes: Any) -> tuple[int, Event]:
    return numbered(1, FIRST, params=params, **changes)


def spilled(value: bytes) -> Spilled:
    return Spilled(len(value), spill_of(value).sha256)


def hole(value: bytes) -> tuple[bytes | Hole, ...]:
    return (b"begin", Hole(len(value), sha256=spill_of(value).sha256))


MISSING = f"the value {spill_of(LONG[0]).sha256} of 300 bytes is not in the trail"


@pytest.mark.parametrize(
    "record",
    [
        pytest.param(naming(Param("form", b"a", spilled(LONG[0]))), id="value"),
        pytest.param(naming(Param("form", b"a", hole(LONG[0]))), id="part"),
        pytest.param(naming(Param("form", hole(LONG[0]), b"a")), id="name"),
        pytest.param(
            naming(Param("file", b"a", Upload(hole(LONG[0]), None, 1, None))),
            id="file name",
        ),
        pytest.param(naming(path=hole(LONG[0])), id="path"),
        pytest.param(naming(details={"app": {"a": [hole(LONG[0])]}}), id="details"),
    ],
)
def test_value_is_missing(tmp_path: Path, record: tuple[int, Event]) -> None:
    """
    A value that is named anywhere, and is not there, is a finding where it is named.
    """
    path = add(tmp_path, DAY, record)
    assert [(path, 2, MISSING)] == [
        (each.path, each.line, each.what) for each in verify_trail(tmp_path).findings
    ]

    add_values(tmp_path, DAY, LONG[0])
    assert found(tmp_path) == []


def test_digest_of_upload_is_no_value(tmp_path: Path) -> None:
    """
    An uploaded file was hashed, not kept: its digest names no value.
    """
    upload = Upload(b"a.png", b"image/png", 300, spill_of(LONG[0]).sha256)
    add(tmp_path, DAY, naming(Param("file", b"a", upload)))

    assert found(tmp_path) == []


def test_value_of_another_length(tmp_path: Path) -> None:
    """
    A value that is there, but is not as long as a record says, is a finding.
    """
    add_values(tmp_path, DAY, LONG[0])
    named = Spilled(299, spill_of(LONG[0]).sha256)
    add(tmp_path, DAY, naming(Param("form", b"a", named)))

    assert found(tmp_path) == [
        f"the value {spill_of(LONG[0]).sha256} has 300 bytes, not 299"
    ]


@pytest.mark.parametrize(
    ("count", "more"),
    [(3, None), (2, ""), (1, ", nor are 1 more"), (0, ", nor are 2 more")],
)
def test_cut(tmp_path: Path, count: int, more: str | None) -> None:
    """
    As many values may be missing as a record says were kept out, and no more.
    """
    params = [Param("form", b"a", spilled(value)) for value in LONG]
    cut = {"cut": {"count": count, "len": 1}} if count else {}
    add(tmp_path, DAY, naming(*params, details=cut))

    said = found(tmp_path)
    assert len(said) == (more is not None)
    assert all(each.endswith(f"is not in the trail{more}") for each in said)


@pytest.mark.parametrize("count", [0, 1])
def test_rest(tmp_path: Path, count: int) -> None:
    """
    What a spilled rest of params names must be there, too, or have been kept out.
    """
    rest = encode_params((Param("form", b"a", spilled(LONG[0])),))
    named = Param("rest", None, Rest(1, len(rest), spill_of(rest).sha256))
    add_values(tmp_path, DAY, rest)
    add(tmp_path, DAY, naming(named, details={"cut": {"count": count, "len": 1}}))

    assert found(tmp_path) == [MISSING][count:]


def test_rest_that_is_none(tmp_path: Path) -> None:
    """
    A value that a record calls a rest of params must be one.
    """
    named = Param("rest", None, Rest(1, 300, spill_of(LONG[0]).sha256))
    add_values(tmp_path, DAY, LONG[0])
    add(tmp_path, DAY, naming(named))

    assert found(tmp_path)[0].startswith("a rest of params that is none: ")


# --- lines


def signed(before: bytes, after: bytes) -> bytes:
    """Return a line that somebody changed, and signed again."""
    seq, changed = numbered(1, FIRST, details={"via": b"direct", "reason": b"a/b"})
    draft = draft_event(changed)
    first, last = draft.before, draft.after
    parts = first.replace(before, after), last.replace(before, after)

    return finish_line(Draft("request", *parts), seq)


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        pytest.param(b'["query","q"', b'["query", "q"', "params", id="a space"),
        pytest.param(b'"q"', b'"\\u0071"', "params", id="an escape"),
        pytest.param(b"a/b", b"a\\/b", "details", id="a slash"),
        pytest.param(
            b'"via":"direct"', b'"via":"x","via":"direct"', "details", id="twice"
        ),
    ],
)
def test_misspelt(tmp_path: Path, before: bytes, after: bytes, said: str) -> None:
    """
    A cell that means the same, but is not as we write it, was not written by us.
    """
    path = add(tmp_path, DAY)
    with path.open("ab") as file:
        file.write(signed(before, after))

    (what,) = found(tmp_path)
    assert said in what
    assert what.endswith("spelt otherwise than we write it")


def test_order_of_details_is_not_judged(tmp_path: Path) -> None:
    """
    Keys of details may stand in the order of another version's table.
    """
    path = add(tmp_path, DAY)
    with path.open("ab") as file:
        file.write(
            signed(b'"via":"direct","reason":"a/b"', b'"reason":"a/b","via":"direct"')
        )

    assert found(tmp_path) == []


def test_record_of_another_stream(tmp_path: Path) -> None:
    """
    A record among those of another stream, and a segment there, is named.
    """
    record = numbered(1, FIRST, stream="fault")
    add(tmp_path, DAY, record)
    path = add(tmp_path, NEXT, numbered(1, FIRST), stream="session")
    text = path.read_bytes()
    path.write_bytes(text.replace(header_line("session"), header_line("request")))

    assert found(tmp_path) == [
        "a record of the stream fault in the directory of request",
        "the header of another stream than session",
        "a record of the stream request in the directory of session",
    ]


# --- what is closed, and what expired


def old(trail: Path) -> Path:
    for path in sorted(build(trail).glob("*/*.log")):
        path.rename(path.with_name(path.name.replace("2026", "2024")))

    return trail


@pytest.fixture
def closed(tmp_path: Path) -> Path:
    """A trail that was closed."""
    trail = old(tmp_path)
    assert len(list(close_trail(trail))) == 7

    return trail


def test_archive_is_gone(closed: Path) -> None:
    """
    A closed segment that is not there is named by the record of its closing.
    """
    (closed / "fault" / "2024-11-20.log.zst").unlink()
    what = "the segment fault/2024-11-20.log.zst, closed here, is not in the trail"

    assert what in found(closed)


def test_archive_is_rotten(closed: Path) -> None:
    """
    Wherever an archive is changed, it is the first that is found.
    """
    path = closed / "request" / "2024-11-20.log.zst"
    text = path.read_bytes()
    for at in range(0, len(text), 5):
        path.write_bytes(text[:at] + bytes([text[at] ^ 0x41]) + text[at + 1 :])

        assert verify_trail(closed).findings[0].path == path


def test_archive_is_cut(closed: Path) -> None:
    """
    An archive that ends too early is not read as if it were whole.
    """
    path = closed / "request" / "2024-11-20.log.zst"
    text = path.read_bytes()
    path.write_bytes(text[:-5])

    assert "the archive cannot be read: the archive ends inside of a frame" in found(
        closed
    )


def test_archive_is_another(closed: Path) -> None:
    """
    An archive that is whole, but is not what was closed, is named, index or not.
    """
    path = closed / "fault" / "2024-11-20.log.zst"
    (closed / "session").mkdir()
    forged = add(
        closed, path.name, numbered(1, FIRST, stream="fault"), stream="session"
    )
    forged = forged.rename(path.with_name("2024-11-20.log"))
    path.unlink()
    index_path(path).unlink()
    assert close_segment(forged, lambda _: None)

    assert "what is in it is not what was closed" in found(closed)


def test_index_is_rotten(closed: Path) -> None:
    """
    An index that is none, or of something else, is named; the archive reads.
    """
    path = closed / "fault" / "2024-11-20.log.zst"
    text = index_path(path).read_bytes()
    index_path(path).write_bytes(text.replace(b'"records":1', b'"records":2'))
    assert found(closed) == ["its index says something else than is in it"]
    index_path(path).write_bytes(b"{}")
    assert found(closed) == ["archive or index: no index: KeyError('format')"]
    index_path(path).unlink()
    assert found(closed) == []


# --- beside writers


def test_line_on_its_way(tmp_path: Path) -> None:
    """
    A line that a writer has written half is no finding while it holds the lock.
    """
    path = add(tmp_path, DAY, numbered(1, FIRST))
    with path.open("ab") as file:
        file.write(b"312\t2026")
    with locked(path):
        assert found(tmp_path) == []

    assert found(tmp_path) == ["it does not end with LF"]


def test_while_writers_write(tmp_path: Path) -> None:
    """
    Beside writers that append and rotate by rename, nothing is found that is not so.
    """
    tool = [sys.executable, "-m", "tests.upkeep.writers", str(tmp_path), "1.5", "4"]
    (tmp_path / "request").mkdir()
    writers = [subprocess.Popen(tool, cwd=ROOT) for _ in range(2)]
    reports: list[Report] = []
    stop = threading.Event()
    rotating = threading.Thread(target=rotate, args=(tmp_path / "request", stop))
    rotating.start()
    try:
        while any(writer.poll() is None for writer in writers):
            reports.append(verify_trail(tmp_path))
    finally:
        stop.set()
        rotating.join()
        for writer in writers:
            writer.kill()
            writer.wait()
    reports.append(verify_trail(tmp_path))

    assert [writer.returncode for writer in writers] == [0, 0]
    assert [list(map(str, report.findings)) for report in reports] == [[]] * len(
        reports
    )
    assert reports[-1].records["request"] > 100
    assert reports[-1].unended == 0
    assert len(list((tmp_path / "request").iterdir())) > 2


def rotate(directory: Path, stop: threading.Event) -> None:
    number = 1
    while not stop.wait(0.05):
        for path in directory.glob("*.log"):
            if path.stat().st_size > 20_000:
                path.rename(path.with_name(f"{path.name}-{number:06}"))
                number += 1


def test_journal_of_the_dead(tmp_path: Path) -> None:
    """
    Records in the journal of a process that died are named; those of a live one not.
    """
    tool = [sys.executable, "-m", "tests.upkeep.writers", str(tmp_path), "60"]
    with subprocess.Popen(tool, cwd=ROOT, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "open\n"
        assert verify_trail(tmp_path).waiting == 0
        writer.kill()
        writer.wait()
        report = verify_trail(tmp_path)

    journal = next((tmp_path / ".journal").iterdir())
    assert report.waiting > 0
    assert [each.path for each in report.findings] == [journal]
    assert report.findings[0].what.endswith("wait in it: audit-mw recover")


# --- how much it holds


@pytest.mark.long
def test_memory(tmp_path: Path) -> None:
    """
    The memory for a trail of 200,000 records and values is that for a short one.
    """
    peak = {}
    for count in (2_000, 200_000):
        trail = tmp_path / str(count)
        add(trail, DAY, *(numbered(seq, FIRST) for seq in range(1, count)))
        add_values(trail, DAY, *(b"%0300d" % seq for seq in range(count)))
        code = (
            "import re, sys; from pathlib import Path; "
            "from audit_mw.verify import verify_trail; "
            "assert verify_trail(Path(sys.argv[1])).is_well; "
            "status = Path('/proc/self/status').read_text(); "
            "print(re.search('VmHWM:.*?([0-9]+)', status)[1])"
        )
        said = subprocess.run(
            [sys.executable, "-c", code, trail], capture_output=True, check=True
        ).stdout
        peak[count] = int(said)

    assert peak[200_000] - peak[2_000] < 24 << 10, peak
