# A trail with hostile values in every place: names of files, cells, damage, and forged
# lines. No command prints anything but printable ASCII, nor makes or opens a file.
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner
from tests.trail.samples import event, spill_of
from tests.upkeep.trails import add, add_values

from audit_mw.cli import main
from audit_mw.event import (
    Event,
    Hole,
    JsonText,
    Opaque,
    Param,
    Redacted,
    Rest,
    Spilled,
    Upload,
    Value,
)
from audit_mw.trail.record import draft_event, finish_line

ID = "019aa4f2-35c3-7a1b-8c4d-5e6f70819203"
# A title, a clipboard, a cursor, text turned round, a look-alike, a shell, a formula.
HOSTILE = (
    "\x1b]0;x\x07\x1b]52;c;eA==\x07\x1b[2J\u202e\u0430\x9b\r\n\x00\x7f"
    "`touch opened`$(touch opened);|touch opened\n=1+1\udcff"
).encode(errors="surrogateescape")
WORD = HOSTILE.decode(errors="surrogateescape")
NAME = "2026-11-21\x1b[2J\u202e\x07.log"


def _event() -> Event:
    return event(
        event=ID,
        service=HOSTILE,
        instance=WORD,
        type=WORD,
        outcome=WORD,
        client=HOSTILE,
        peer=HOSTILE,
        user=HOSTILE,
        session=WORD,
        method=HOSTILE,
        path=(HOSTILE, Hole(9, "token", "1c2d3e4f.66b80c3dddc06bfe62325dfdfc092e60")),
        action=HOSTILE,
        params=(
            Param("query", HOSTILE, HOSTILE),
            Param("query", b"q", HOSTILE),
            Param("json", HOSTILE, JsonText(HOSTILE)),
            Param("file", HOSTILE, Upload(HOSTILE, HOSTILE, 1, None)),
            Param("body", None, Opaque(1, HOSTILE)),
            Param("form", b"long", Spilled(len(HOSTILE), spill_of(HOSTILE).sha256)),
        ),
        details={
            "reason": HOSTILE,
            "traceback": b"\n" + HOSTILE,
            "app": {WORD: [HOSTILE]},
        },
    )


def _forged() -> bytes:
    # Whoever can write to a segment can give a line a check that fits.
    draft = draft_event(_event())
    after = draft.after.replace(b'"query"', b'"\\u001b[2J\\u202e"')

    return finish_line(draft._replace(after=after), 2)


@pytest.fixture
def trail(tmp_path: Path) -> Path:
    """Return the trail; its own name is hostile as well."""
    trail = tmp_path / "tr\x1b[2Jail\u202e"
    path = add(trail, NAME, (1, _event()))
    add(trail, NAME, (1, event(event=ID, stream="fault")), stream="fault")
    add_values(trail, NAME, HOSTILE)
    with path.open("ab") as file:
        file.write(_forged() + HOSTILE + b"\n#\x1b[2J\n" + HOSTILE)

    return trail


@pytest.mark.parametrize(
    "words",
    [
        ("find",),
        ("find", "--format", "record"),
        ("find", "--format", "jsonl"),
        ("find", "--user", WORD),
        ("find", "--status", "\x1b[2J"),
        ("find", "--since", "\x1b[2J\u202e"),
        ("find", "--client", "\x1b[2J\u202e"),
        ("find", "--coded", "--param", "\x1b[2J\u202e%zz"),
        ("show", ID),
        ("show", ID, "--whole"),
        ("show", "\x1b[2J\u202e"),
        ("verify",),
        ("verify", "--json"),
        ("replay", ID),
        ("replay", ID, "--as", "curl"),
        ("replay", ID, "--as", "httpx"),
        ("export", "--to", "jsonl"),
        ("export", "--to", "cef"),
        ("export", "--to", "ecs"),
        ("export", "--to", "ocsf"),
        ("query", "SELECT * FROM events"),
        ("query", "--format", "csv", "SELECT * FROM params"),
    ],
    ids=ascii,
)
def test_printable(
    words: tuple[str, ...], trail: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only printable ASCII is printed, and nothing in a value is run."""
    monkeypatch.chdir(trail.parent)
    command, *rest = words
    arguments = [command, "--trail", str(trail), *rest]
    shown = CliRunner().invoke(main, arguments, color=True)

    assert isinstance(shown.exception, SystemExit | None)
    assert shown.output
    assert shown.output.isascii()
    # A line that is exported as it stands has its TABs.
    assert shown.output.replace("\n", "").replace("\t", "").isprintable()
    assert os.listdir(trail.parent) == [trail.name]  # noqa: PTH208 - as the kernel says


@pytest.mark.parametrize(
    "words",
    [
        ("recover",),
        ("expire", "--keep", "400d", "--dry-run"),
        ("expire", "--keep", "\u0430"),
        ("expire", "--keep", "400d"),
        ("close",),
        ("digest",),
    ],
    ids=ascii,
)
def test_upkeep(words: tuple[str, ...], tmp_path: Path) -> None:
    """Those that keep a trail name its files as a terminal may show them."""
    trail = tmp_path / "tr\x1b[2Jail\u202e"
    for name in (NAME.replace("2026", "2020"), NAME):
        add(trail, name, (1, event()))
    journal = trail / ".journal" / "\x1b[2J\u202e.journal"
    journal.parent.mkdir()
    journal.write_bytes(HOSTILE * 100)
    command, *rest = words
    arguments = [command, "--trail", str(trail), *rest]
    # What a terminal would get: colours are not taken out of it.
    shown = CliRunner().invoke(main, arguments, input="token", color=True)

    assert isinstance(shown.exception, SystemExit | None)
    assert shown.output
    assert shown.output.isascii()
    assert shown.output.replace("\n", "").isprintable()


@pytest.mark.parametrize("words", [(), ("--short",), ("-s", "fault")])
def test_tail(words: tuple[str, ...], trail: Path) -> None:
    """The same of tail, which takes the trail as its argument."""
    shown = CliRunner().invoke(main, ["tail", *words, str(trail)], color=True)

    assert shown.output
    assert shown.output.replace("\n", "").isprintable()
    assert shown.output.isascii()


def test_decode(trail: Path) -> None:
    """The same of decode, without --raw."""
    path = str(trail / "request" / NAME)
    words = ["decode", path, "--param", "q", "--nth", "1"]
    shown = CliRunner().invoke(main, words, color=True)

    assert shown.exit_code == 0
    assert shown.output.replace("\n", "").isprintable()
    assert shown.output.isascii()


@pytest.mark.parametrize(
    "value",
    [
        Redacted(5, "\x1b[2J\u0430"),
        Spilled(5, "\x1b[2J\u0430"),
        Rest(1, 5, "\x1b[2J\u0430"),
        Rest(1, 5, spill_of(HOSTILE).sha256),
        (Hole(5, "password", "\x1b[2J"),),
    ],
    ids=ascii,
)
def test_decode_forged(tmp_path: Path, value: Value) -> None:
    """What was not kept is said, whatever a forged record says of it."""
    forged = event(params=(Param("query", b"q", value),))
    path = add(tmp_path, NAME, (1, forged))
    add_values(tmp_path, NAME, HOSTILE)
    words = ["decode", str(path), "--param", "q"]
    shown = CliRunner().invoke(main, words, color=True)

    assert isinstance(shown.exception, SystemExit)
    assert shown.exit_code == 1
    assert shown.output.replace("\n", "").isprintable()
    assert shown.output.isascii()


@pytest.mark.parametrize("command", ["find", "verify", "show", "replay", "tail"])
@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
def test_no_trail(tmp_path: Path, command: str, make: Callable[[Path], None]) -> None:
    """What is no trail is not one in which all is well, and nothing waits for it."""
    make(tmp_path / "x")
    words = [command, *([] if command == "tail" else ["--trail"]), str(tmp_path / "x")]
    words += [ID] if command in {"show", "replay"} else []
    shown = CliRunner().invoke(main, words)

    assert shown.exit_code == 2
    assert "trail" in shown.output


def test_decode_fifo(tmp_path: Path) -> None:
    """Nobody waits for a FIFO that stands where a segment stood."""
    os.mkfifo(tmp_path / NAME)
    words = ["decode", str(tmp_path / NAME), "--param", "q"]
    shown = CliRunner().invoke(main, words, color=True)

    assert shown.exit_code == 2
    assert "is no regular file" in shown.output
    assert shown.output.isascii()


def _link(path: Path) -> None:
    path.symlink_to("/dev/zero")


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir, _link])
@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("find",), 2),
        (("show", ID), 2),
        (("export", "--to", "jsonl"), 2),
        (("query", "SELECT event FROM events"), 3),
        (("verify",), 1),
        (("tail",), 1),
    ],
    ids=ascii,
)
@pytest.mark.parametrize("at", ["request/2026-11-20.log.zst", "session"])
def test_stranger(
    tmp_path: Path,
    make: Callable[[Path], None],
    words: tuple[str, ...],
    code: int,
    at: str,
) -> None:
    """What stands where segments are to stand is named, and the others are read."""
    add(tmp_path, NAME, (1, event(event=ID)))
    make(tmp_path / at)
    command, *rest = words
    trail = ["-s", at.partition("/")[0], str(tmp_path)]
    trail = trail if command == "tail" else ["--trail", str(tmp_path)]
    shown = CliRunner().invoke(main, [command, *rest, *trail])
    is_empty = at == "session" and make is os.mkdir
    is_found = command != "tail" or at != "session"

    assert shown.exit_code == (0 if is_empty else code)
    assert is_empty or Path(at).name in shown.output
    assert ("it is not read, for it is no regular" in shown.output) is not is_empty
    assert (ID in shown.output) is (is_found and command != "verify")
