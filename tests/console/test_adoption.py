# The journals of dead processes, adopted by one whose trail is the console.
#
# Nobody can look what is on a console, so what may be there comes again, under its
# number; what is certainly there, or has no number yet, does not.
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.console.consoles import KEY, Pipe, judged, on_console
from tests.trail.dead import VALUE, facts, keep, slots_of
from tests.trail.samples import config, nth

from audit_mw.trail.adoption import Adopted, Unadopted, adopt
from audit_mw.trail.appender import Files
from audit_mw.trail.journal import Journal
from audit_mw.trail.notes import Note
from audit_mw.trail.slots import DONE, OPEN, SENDING


def dead(directory: Path, **changes: Any) -> Path:
    """Leave a journal: 11 to 13 were being appended, 11 is freed, others waited."""
    path = directory / "dead.journal"
    journal = Journal.create(path, facts(**{"trail": "stdout"} | changes), {})
    slots = slots_of(journal)
    keep(slots[0], DONE, 12, seq=12)
    keep(slots[1], DONE, 13, seq=13, spills=[VALUE])
    keep(slots[2], OPEN, 14)
    keep(slots[3], SENDING, 15)
    keep(slots[4], OPEN, nth(16, stream="fault"))
    journal.set_note("request", Note(0, 0, 4711, 1500, 11, 13, "stdout"))
    journal.last["request"] = 13
    journal.close()

    return path


@contextmanager
def files(pipe: Pipe, directory: Path) -> Iterator[Files]:
    """Give the files of a process that adopts, on a console of its own."""
    given = config(Path("stdout"), journal_dir=str(directory), key=KEY)
    with on_console(pipe.into):
        made = Files(given, directory)
        try:
            yield made
        finally:
            made.close()


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    """A console."""
    made = Pipe()
    yield made
    made.close()


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({}, id="of this boot"),
        pytest.param({"boot": "another"}, id="of another boot"),
        pytest.param({"trail": "stderr"}, id="of the other console"),
    ],
)
def test_adopt(pipe: Pipe, tmp_path: Path, changes: dict[str, Any]) -> None:
    """What has a number comes again under it; what has none gets the next ones."""
    path = dead(tmp_path, **changes)
    with files(pipe, tmp_path) as made:
        adopted = adopt(path, made)
    pipe.take()
    lines = judged(pipe.text)

    found = {int(each["micros"]): each for each in lines.records}
    assert adopted == Adopted(facts().instance, 5, 2, 0)
    assert {micros: int(each["seq"]) for micros, each in found.items()} == {
        12: 12,
        13: 13,
        14: 14,
        15: 15,
        16: 1,
    }
    again = {
        key for key, each in found.items() if '"recovered":true' in each["details"]
    }
    assert again == {12, 13}
    assert '"delivery":"taken"' in found[12]["details"]
    assert [each["sha256"] for each in lines.values] == [VALUE.sha256]
    assert not path.exists()


def test_broken_console(pipe: Pipe, tmp_path: Path) -> None:
    """Where the console is broken the journal stays, and the next one goes on."""
    path = dead(tmp_path)
    broken = Pipe()
    broken.hang_up()
    with files(broken, tmp_path) as made, pytest.raises(Unadopted) as caught:
        adopt(path, made)
    broken.close()
    with files(pipe, tmp_path) as made:
        adopted = adopt(path, made)
    pipe.take()

    assert not caught.value.is_lasting
    assert adopted is not None
    assert adopted.records == 5
    numbers = [int(each["seq"]) for each in judged(pipe.text).of("request")]
    assert sorted(numbers) == [12, 13, 14, 15]


def test_trail_of_files(pipe: Pipe, tmp_path: Path) -> None:
    """The journal of a trail of files is left alone, whatever its trail is called."""
    path = dead(tmp_path, trail=os.path.realpath("stdout"))
    with files(pipe, tmp_path) as made:
        assert adopt(path, made) is None

    assert path.exists()
