# audit-mw show: everything of one event, and nothing that deceives.
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st
from tests.strategies import events, few
from tests.trail.samples import event, spill_of
from tests.upkeep.trails import add, add_values

from audit_mw.cli import main
from audit_mw.cli.whole import WholeRecord
from audit_mw.event import Event, Hole, Param, Redacted, Rest, Spilled
from audit_mw.reading.letters import name_letters
from audit_mw.reading.wishes import begin_of
from audit_mw.trail.merging import Found
from audit_mw.trail.params import encode_params
from audit_mw.trail.record import decode_line, draft_event, finish_line

DAY = "2026-11-21.log"
ID = "019aa4f2-35c3-7a1b-8c4d-5e6f70819203"
LONG = b"first line\n" + b"x" * 300
HUGE = b"y" * 5000


def show(trail: Path, *words: str) -> Result:
    """Show an event of a trail."""
    return CliRunner().invoke(main, ["show", *(words or (ID,)), "--trail", str(trail)])


@pytest.fixture
def trail(tmp_path: Path) -> Path:
    """Return a trail with an event in two streams, and another event."""
    rest = encode_params((Param("form", b"last", Spilled(311, spill_of(LONG).sha256)),))
    path = (b"/long/", Hole(5000, sha256=spill_of(HUGE).sha256))
    params = (
        Param("query", b"q", "p\u0430y\u202epal\x1b".encode()),
        Param("form", b"password", Redacted(6, "password")),
        Param("form", b"lost", Spilled(300, "b" * 64)),
        Param("rest", None, Rest(1, len(rest), spill_of(rest).sha256)),
    )
    fault = {"reason": b"ValueError", "traceback": b"Traceback:\n  line \x1b[2J\nend\n"}
    add(tmp_path, DAY, (1, event(params=params, path=path)))
    add(tmp_path, DAY, (2, event(event="another", path=b"/another")))
    add(tmp_path, DAY, (1, event(stream="fault", details=fault)), stream="fault")
    add_values(tmp_path, DAY, LONG, HUGE, rest)

    return tmp_path


def test_all_streams(trail: Path) -> None:
    """Its records in all streams are shown, with their places, and no others."""
    shown = show(trail)

    assert shown.exit_code == 0
    assert f"  at {trail}/request/{DAY}:2\n" in shown.stdout
    assert f"  at {trail}/fault/{DAY}:2\n" in shown.stdout
    assert "another" not in shown.stdout


def test_stored_values(trail: Path) -> None:
    """What did not fit the record is there, in its place; what is lost is said."""
    shown = show(trail).stdout

    assert f'last = "first line%0A{"x" * 300}" (from the values stream)\n' in shown
    assert f'lost = "%{{300:{"b" * 64}}}" (not in the values stream)\n' in shown
    assert f"path      /long/{'y' * 4090} and 910 bytes more, see --whole" in shown
    assert "y" * 5000 in show(trail, ID, "--whole").stdout


def test_letters(trail: Path) -> None:
    """Letters that deceive are named by their code points."""
    shown = show(trail).stdout

    assert 'q = "p%D0%B0y%E2%80%AEpal%1B"\n' in shown
    assert "U+0430 CYRILLIC SMALL LETTER A, looks like a\n" in shown
    assert "U+202E RIGHT-TO-LEFT OVERRIDE, turns text round\n" in shown
    assert "U+001B a control character\n" in shown


def test_traceback(trail: Path) -> None:
    """A text of several lines is shown as lines, each behind a mark of ours."""
    shown = show(trail).stdout

    assert "    reason = ValueError\n" in shown
    assert "    traceback =\n      | Traceback:\n      |   line %1B[2J\n" in shown


def test_secrets_stay_out(trail: Path) -> None:
    """What was withheld is shown as what it is."""
    assert "form    password = %{password:6}\n" in show(trail).stdout


def test_exit_codes(trail: Path) -> None:
    """No such event: 1; damage that may have been of it: 3."""
    assert show(trail, "nobody").exit_code == 1
    with (trail / "error.log").open("wb"):
        pass
    path = trail / "request" / DAY
    path.write_bytes(path.read_bytes() + b"\x1b[2Jtorn\n")
    shown = show(trail)

    assert shown.exit_code == 3
    assert "damaged: " in shown.stderr
    assert "\x1b" not in shown.output


@few
@given(events, st.dictionaries(st.sampled_from(["a" * 64, "b" * 64]), st.binary()))
def test_every_line_is_printable(whole: Event, stored: dict[str, bytes]) -> None:
    """Whatever stands in a record, its lines are printable ASCII."""
    line = finish_line(draft_event(whole), 1)
    found = Found(Path(), Path("\x1b\udcff"), 2, 0, line, decode_line(line), False)  # noqa: FBT003
    for shown in WholeRecord(stored, 20).lines(found):
        assert shown.isascii()
        assert shown.isprintable()


def test_forged_digest() -> None:
    """A digest that no writer wrote moves no cursor either."""
    forged = event(params=(Param("q", b"q", Spilled(1, "\x1b[2J\u202e")),))
    found = Found(Path(), Path(), 2, 0, b"", decode_line(_line(forged)), False)  # noqa: FBT003

    assert all(line.isascii() for line in WholeRecord({}, 20).lines(found))
    assert all(line.isprintable() for line in WholeRecord({}, 20).lines(found))


def _line(whole: Event) -> bytes:
    # The coder would write the escape as it is; who forges uses JSON's own.
    draft = draft_event(whole)
    after = draft.after.replace(b"\x1b", b"\\u001b").replace("\u202e".encode(), b"")

    return finish_line(draft._replace(after=after), 1)


@few
@given(st.binary() | st.text().map(str.encode))
def test_any_letters(text: bytes) -> None:
    """Whatever the text, its letters are named in printable ASCII, at most a few."""
    lines = list(name_letters(text))

    assert len(lines) <= 13
    assert all(line.isascii() and line.isprintable() for line in lines)


@pytest.mark.parametrize(
    ("letter", "expected"),
    [
        ("a", []),
        ("\u00e9", ["U+00E9 LATIN SMALL LETTER E WITH ACUTE"]),
        ("\u200b", ["U+200B ZERO WIDTH SPACE, is not seen"]),
        ("\uff41", ["U+FF41 FULLWIDTH LATIN SMALL LETTER A, stands for a"]),
        ("\u0391", ["U+0391 GREEK CAPITAL LETTER ALPHA, looks like A"]),
        ("\ue000", ["U+E000 without a name"]),
    ],
)
def test_letter(letter: str, expected: list[str]) -> None:
    """A character is named, with what it may be taken for."""
    assert list(name_letters(letter.encode())) == expected


def test_begin() -> None:
    """The time in an event id says which segments are too old; other ids do not."""
    assert begin_of([ID]) == 0x019AA4F235C3 * 1000 - 86_400_000_000
    assert begin_of([ID, "another"]) is None
    assert begin_of([]) is None
