# Attacks on a trail that was whole: each is found, and named where it was made.
#
# The trail is small, so that a place can be drawn from all that there are.
from collections.abc import Iterator
from contextlib import contextmanager
from os.path import commonprefix
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import assume, given, settings
from hypothesis import strategies as st
from tests.cli.test_upkeep import run
from tests.strategies import events, few
from tests.upkeep.trails import add, build, contents, whole_lines

from audit_mw.event import Event
from audit_mw.trail.record import decode_line
from audit_mw.verify import Finding, Report, verify_trail

often = settings(max_examples=60)


@contextmanager
def attacked() -> Iterator[dict[Path, bytes]]:
    """Give a trail's segments, to be changed; all is well with it."""
    with TemporaryDirectory() as name:
        trail = build(Path(name))
        yield contents(trail)


def judged(path: Path, text: bytes) -> Report:
    """Put `text` in a segment's place, and judge its trail."""
    path.write_bytes(text)

    return verify_trail(path.parent.parent)


def first(report: Report) -> tuple[Path, int]:
    """Return where the first finding is."""
    finding: Finding = report.findings[0]

    return finding.path, finding.line


def drawn(data: st.DataObject, files: dict[Path, bytes]) -> tuple[Path, bytes]:
    """Draw a segment."""
    path = data.draw(st.sampled_from(list(files)), label="segment")

    return path, files[path]


def is_last(stream: str, lines: list[bytes], at: int) -> bool:
    """Tell whether nothing that is on record is behind a record of `system`."""
    return stream == "system" and b"sys_shutdown" in lines[at]


def test_all_is_well() -> None:
    """
    The trail that is attacked here has no finding before.
    """
    with attacked() as files:
        report = verify_trail(next(iter(files)).parent.parent)

    assert report.findings == []
    assert report.records == {"request": 11, "fault": 1, "system": 5, "values": 4}
    assert (
        report.instances,
        report.unended,
        report.missing,
        report.repeats,
    ) == (2, 0, 0, 0)


@often
@given(st.data())
def test_one_byte(data: st.DataObject) -> None:
    """
    Whichever byte of a trail is changed, and to what: its line is the first finding.
    """
    with attacked() as files:
        path, text = drawn(data, files)
        at = data.draw(st.integers(0, len(text) - 1), label="offset")
        byte = data.draw(st.integers(0, 255).filter(lambda byte: byte != text[at]))
        report = judged(path, text[:at] + bytes([byte]) + text[at + 1 :])

        assert (path, text[:at].count(b"\n") + 1) == first(report)


@often
@given(st.data())
def test_bytes_put_in(data: st.DataObject) -> None:
    """
    Wherever bytes are put in: the line in which they are is the first finding.
    """
    with attacked() as files:
        path, text = drawn(data, files)
        at = data.draw(st.integers(0, len(text)), label="offset")
        more = data.draw(st.binary(min_size=1, max_size=5), label="bytes")
        changed = text[:at] + more + text[at:]
        report = judged(path, changed)
        # What is put in may begin as what was there goes on.
        same = len(commonprefix([text, changed]))  # noqa: RUF071 - of bytes, no path

        assert (path, text[:same].count(b"\n") + 1) == first(report)


@often
@given(st.data())
def test_deleted_line(data: st.DataObject) -> None:
    """
    Whichever line is deleted: what stood behind it says so, or what named it.
    """
    with attacked() as files:
        path, text = drawn(data, files)
        lines = whole_lines(text)
        at = data.draw(st.integers(0, len(lines) - 1), label="line")
        gone = lines[at]
        report = judged(path, b"".join(lines[:at] + lines[at + 1 :]))

        if is_last(path.parent.name, lines, at):
            # Nothing is behind the end of an instance but that it had none.
            assert report.unended == 1
            assert report.findings == []
        elif at == 0:
            assert (path, 1) == first(report)
        elif path.parent.name == "values":
            assert "is not in the trail" in report.findings[0].what
            assert report.findings[0].path.parent.name == "request"
        else:
            record = decode_line(gone)
            what = f"seq {record.seq} of {record.event.instance} in {path.parent.name}"
            assert [what] == [
                each.what.split(" is missing")[0] for each in report.findings
            ]
            assert report.missing == 1


@often
@given(st.data())
def test_swapped_lines(data: st.DataObject) -> None:
    """
    Whichever two lines are swapped: a number that is out of its order is named.
    """
    with attacked() as files:
        path, text = drawn(data, files)
        lines = whole_lines(text)
        assume(path.parent.name != "values")  # they have no order
        a, b = sorted(
            data.draw(
                st.lists(
                    st.integers(0, len(lines) - 1), min_size=2, max_size=2, unique=True
                ),
                label="lines",
            )
        )
        lines[a], lines[b] = lines[b], lines[a]
        report = judged(path, b"".join(lines))
        path_, line = first(report) if report.findings else (path, 0)

        assert path == path_
        if a == 0:
            assert line == 1
        elif not rises(lines[1:]):
            assert a + 1 < line <= b + 1
            assert "stands behind" in report.findings[0].what
        else:
            assert report.findings == []


def rises(lines: list[bytes]) -> bool:
    """Tell whether the numbers of each instance rise in these lines."""
    numbers: dict[str, list[int]] = {}
    for record in map(decode_line, lines):
        numbers.setdefault(record.event.instance, []).append(record.seq)

    return all(seqs == sorted(seqs) for seqs in numbers.values())


@often
@given(st.data())
def test_truncated_tail(data: st.DataObject) -> None:
    """
    Wherever a segment is cut: half a line is named, and so is what is missing.
    """
    with attacked() as files:
        path, text = drawn(data, files)
        at = data.draw(st.integers(0, len(text) - 1), label="offset")
        cut = text[:at]
        report = judged(path, cut)

        if cut and not cut.endswith(b"\n"):
            assert (path, cut.count(b"\n") + 1) == first(report)
        elif path.parent.name == "system":
            assert report.unended or report.missing
        else:
            assert report.missing or "is not in the trail" in report.findings[0].what


@often
@given(st.data())
def test_duplicated_line(data: st.DataObject) -> None:
    """
    Whichever line is there twice: it is named where it is the second time.
    """
    with attacked() as files:
        path, text = drawn(data, files)
        lines = whole_lines(text)
        at = data.draw(st.integers(0, len(lines) - 1), label="line")
        again = data.draw(st.integers(at + 1, len(lines)), label="where")
        lines.insert(again, lines[at])
        report = judged(path, b"".join(lines))

        if at == 0:
            assert (path, again + 1) == first(report)
        elif path.parent.name == "values":
            assert report.findings == []
        else:
            assert report.findings == []
            assert [(path, again + 1)] == [each[:2] for each in report.repeated]


@often
@given(st.data())
def test_deleted_segment(data: st.DataObject) -> None:
    """
    Whichever segment is deleted: something says so.
    """
    with attacked() as files:
        path, _ = drawn(data, files)
        path.unlink()
        report = verify_trail(path.parent.parent)

        assert report.findings or report.unended


@often
@given(st.data())
def test_never_raises(data: st.DataObject) -> None:
    """
    Whatever bytes stand in a trail, it is judged to its end.
    """
    with attacked() as files:
        path, text = drawn(data, files)
        pieces = st.sampled_from([*whole_lines(text), b"\t", b"\n", b"#", b"\xff", b""])
        shuffled = data.draw(st.lists(pieces | st.binary(max_size=9), max_size=12))
        report = judged(path, b"".join(shuffled))

        assert report.is_well == (not report.findings)


@settings(few, max_examples=30)  # an event takes long to be drawn
@given(
    st.lists(
        st.tuples(st.sampled_from([0, 1, 1, 2, 3, 1 << 80]), events),
        min_size=1,
        max_size=5,
    )
)
def test_signed_by_anybody(written: list[tuple[int, Event]]) -> None:
    """
    Whatever was signed, and however large its numbers are, it is judged to its end.
    """
    with TemporaryDirectory() as name:
        for record in written:
            add(Path(name), "2026-11-21.log", record, stream=record[1].stream)
        report = verify_trail(Path(name))
        shown = run("verify", "--trail", name)

        assert sum(report.records.values()) == len(written)
        assert shown.exit_code == (not report.is_well)
        assert shown.output.replace("\n", "").isprintable()
