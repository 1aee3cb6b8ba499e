# What child processes of the tests of the trail do: one function a task.
#
# `python -m tests.trail.workers TASK ARGUMENT...` says "ready", waits for a line, does
# the task, and writes what it returns as JSON. Nothing here asserts: tests do.
#
# (Longer than 250 lines, since it is a list: the tasks share nothing but their names.)
import tests.forking  # noqa: F401 - first, as it says

# isort: split
import errno
import fcntl
import json
import mmap
import os
import re
import resource
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

from tests.trail.dead import facts, files_of
from tests.trail.instants import WATCHED, kill_adopters, kill_menders, kill_writers
from tests.trail.samples import (
    begin,
    event,
    locked,
    make_writer,
    nth,
    open_files,
    put_on_record,
    send,
    settled,
    spill_of,
    wait_until,
)

from audit_mw.config import Config
from audit_mw.errors import AuditError, AuditUnavailable
from audit_mw.event import Event
from audit_mw.ids import EventIds
from audit_mw.trail.adoption import adopt
from audit_mw.trail.journal import Journal
from audit_mw.trail.journals import find_journals, remove_stale
from audit_mw.trail.key import load_key
from audit_mw.trail.place import Place
from audit_mw.trail.reader import read_segment
from audit_mw.trail.record import VALUES, encode_value_line
from audit_mw.trail.segment import SegmentFile
from audit_mw.trail.slots import OPEN, Block, Geometry
from audit_mw.trail.writer import JOURNALS, Writer

_LINE = b"a line\n"
_NAMED = re.compile(r"takes no record: (\w+)")


def _errno(error: Exception) -> str:
    if isinstance(error, OSError):
        return errno.errorcode.get(error.errno or 0, repr(error))
    named = _NAMED.search(str(error))

    return named[1] if named else repr(error)


def segment_of(writer: Writer, stream: str) -> Path:
    """Return where a writer appends the records of a stream."""
    assert writer.pump

    return writer.pump.files.segments[stream].path


def _attempt(action: Callable[..., object], *arguments: object) -> str:
    """Return the name of the error that `action` ended with, or nothing."""
    try:
        action(*arguments)
    except (AuditUnavailable, OSError) as error:
        return _errno(error)

    return ""


# --- segments


def append(trail: str, stream: str, line: str) -> str:
    """Append one line; return the error."""
    file = SegmentFile(Path(trail), stream, "day")

    return _attempt(file.append, line.encode() + b"\n")


def append_when_told(trail: str) -> list[str]:
    """Append a line for each line of the input; return where each went."""
    file = SegmentFile(Path(trail), "request", "day")
    names = []
    for told in sys.stdin:
        file.append(told.encode())
        names.append(file.path.name)
        sys.stdout.write("done\n")
        sys.stdout.flush()

    return names


def append_as_nobody(trail: str) -> list[object]:
    """Append as somebody else, ten times; return the errors, and files left open."""
    file = SegmentFile(Path(trail), "request", "day")
    os.setgroups([])
    os.setresgid(65534, 65534, 65534)
    os.setresuid(65534, 65534, 65534)
    before = len(open_files())
    errors = [_attempt(file.append, _LINE) for _ in range(10)]

    return [*set(errors), len(open_files()) - before]


# --- slots


def put_until_killed(path: str, *numbers: str) -> None:
    """Put versions into the last slot of a block, without end."""
    geometry = Geometry(*map(int, numbers))
    with Path(path).open("r+b") as file:
        *_, last = Block(mmap.mmap(file.fileno(), geometry.size), geometry).slots
    while True:
        for digit in b"123456789":
            last.put(OPEN, bytes([digit]) * (1000 + digit))


# --- the writer


def commit(trail: str, times: str) -> str:
    """Commit `times` events; return the instance."""
    counting = make_writer(Path(trail), max_slots=1024)
    for number in range(int(times)):
        counting.commit(nth(number, instance=counting.instance))

    return counting.instance


def commit_until(trail: str, times: str, enough: str) -> tuple[str, int]:
    """Commit `times` events, and more until a file is there; return whose, how many."""
    counting = make_writer(Path(trail), max_slots=1024)
    number = 0
    while number < int(times) or not Path(enough).exists():
        counting.commit(nth(number, instance=counting.instance))
        number += 1
        if number > int(times):
            time.sleep(0.001)

    return counting.instance, number


def commit_spills(trail: str, times: str) -> None:
    """Commit events that spill."""
    spilling = make_writer(Path(trail))
    for number in range(int(times)):
        spilled = spill_of(b"value %d" % number)
        spilling.commit(nth(number, instance=spilling.instance, spills=(spilled,)))


def record_until_killed(trail: str, noted: str) -> None:
    """Record long requests without end; note in a file how many were answered."""
    endless = make_writer(Path(trail))
    long = b"/" + b"a" * (1 << 14)
    with Path(noted).open("wb", buffering=0) as file:
        count = 0
        while True:
            whole = nth(count, instance=endless.instance, path=long)
            put_on_record(endless, whole)
            count += 1
            os.pwrite(file.fileno(), b"%d" % count, 0)


def append_until_killed(trail: str) -> None:
    """Append a long value without end; nearly all of the time is spent in `write`."""
    file = SegmentFile(Path(trail), VALUES, "day")
    long = encode_value_line(0, "", spill_of(b"a" * (8 << 20)))
    while True:
        file.append(long)


def commit_in_turn(trail: str, times: str) -> list[str]:
    """
    Commit events, each when the one before is down or failed; then wait for all.

    Return the error that each met at first, or nothing.
    """
    failing = make_writer(Path(trail))
    errors = []
    for number in range(int(times)):
        error = _opened(failing)
        _commit_held(failing, nth(number, instance=failing.instance))
        errors.append(error or _attempt(failing.flush))
    settled(failing)

    return errors


def _opened(failing: Writer) -> str:
    error = ""
    while failing.pump is None:
        error = _attempt(failing.open) or error
        _attempt(failing.flush)  # what it says of itself

    return error


def _commit_held(writer: Writer, committed: Event) -> None:
    """
    Commit an event that is not tried before the flush asks for it.

    Else who is slow to ask finds that it was tried twice, and is not told of the first.
    """
    pump = writer.pump
    assert pump
    if not pump._delay:
        pump._not_before = time.monotonic() + 600
    writer.commit(committed)


def commit_beyond_limit(trail: str) -> dict[str, Any]:
    """Commit while the size of files is limited, so that a real write is short."""
    limited = make_writer(Path(trail))
    sizes: list[int] = []
    errors: list[str] = []

    def attempt(number: int) -> None:
        _opened(limited)
        _commit_held(limited, nth(number, instance=limited.instance))
        errors.append(_attempt(limited.flush))
        path = segment_of(limited, "request")
        with locked(path):  # not between a short write and its cut: it is tried again
            sizes.append(path.stat().st_size)

    attempt(0)
    resource.setrlimit(resource.RLIMIT_FSIZE, (sizes[0] + 100, -1))
    attempt(1)
    ready = _attempt(limited.ready)
    resource.setrlimit(resource.RLIMIT_FSIZE, (-1, -1))
    settled(limited)
    attempt(2)

    return {"errors": errors, "sizes": sizes, "ready": ready}


def commit_while_forking(trail: str, forks: str) -> list[int]:
    """Fork while another thread commits; return the children's exit codes."""
    shared = make_writer(Path(trail))
    stop = threading.Event()

    def commit_on() -> None:
        while not stop.is_set():
            shared.commit(event(instance=shared.instance))

    thread = threading.Thread(target=commit_on)
    thread.start()
    children = [_fork(shared, EventIds()) for _ in range(int(forks))]
    stop.set()
    thread.join()

    return [_wait(child) for child in children]


def commit_in_both(trail: str, times: str) -> list[Any]:
    """
    Begin a request, commit, fork, and go on in both.

    Return the parent's instance, the child's exit code, and which files of the trail
    another child has open.
    """
    both = make_writer(Path(trail))
    whole = nth(0, instance=both.instance)
    place = begin(both, whole)
    both.commit(nth(1, instance=both.instance))
    child = _fork(both, EventIds(), int(times), place)
    for number in range(int(times) - 2):
        both.commit(nth(number + 2, instance=both.instance))
    send(place, whole)
    place.sent()

    return [both.instance, _wait(child), _inherited(trail)]


def _inherited(trail: str) -> Any:
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        found = open_files(Path(trail))
        os.write(writing, json.dumps(found).encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as file:
        found = json.loads(file.read())
    _wait(child)

    return found


def fork_at_each_line(trail: str, step: str) -> list[str]:
    """
    Fork before each line that a request runs, or each so many-th; return where a child
    did not do well.

    What a child finds is what it would find had another thread forked just there.
    """
    forked = make_writer(Path(trail), max_slots=16)
    ids = EventIds()
    children: dict[int, str] = {}
    seen: set[tuple[CodeType, int]] = set()

    def trace(frame: FrameType, what: str, _argument: object) -> Any:
        code, line = frame.f_code, frame.f_lineno
        if code.co_filename not in WATCHED:
            return None
        if what == "line" and (code, line) not in seen:
            seen.add((code, line))
            name = f"{Path(code.co_filename).name}:{line}"
            if len(seen) % int(step) == 0:
                children[_fork(forked, ids)] = name
        return trace

    sys.settrace(trace)
    try:
        _record_in_all_ways(forked, ids)
    finally:
        sys.settrace(None)
    forked.close()

    return [where for child, where in children.items() if _wait(child)] or [
        f"{len(children)} forks"
    ]


def interrupt_after_each_call(trail: str) -> int:
    """
    Break a request off behind each call that it makes, as a signal's handler may.

    Return how many were broken off. Each is followed by one that is not.
    """
    interrupted = make_writer(Path(trail), max_slots=1024)
    reached = wanted = 0
    is_broken = True

    def interrupt(frame: FrameType, what: str, _called: object) -> None:
        nonlocal reached, is_broken
        if what == "c_return" and frame.f_code.co_filename in WATCHED:
            reached += 1
            if reached == wanted:
                is_broken = True
                raise KeyboardInterrupt

    while is_broken:
        put_on_record(interrupted, nth(2 * wanted, instance=interrupted.instance))
        reached, is_broken = 0, False
        wanted += 1
        whole = nth(2 * wanted - 1, instance=interrupted.instance)
        with suppress(KeyboardInterrupt):
            sys.setprofile(interrupt)
            put_on_record(interrupted, whole)
        sys.setprofile(None)

    return wanted - 1


def _record_in_all_ways(forked: Writer, ids: EventIds) -> None:
    large = (spill_of(b"a" * 80_000),)
    for number, spills in enumerate([(), (spill_of(b"b"),), large]):
        ids.make()
        whole = nth(number, instance=forked.instance, spills=spills)
        put_on_record(forked, whole)
        forked.commit(nth(number + 3, instance=forked.instance))
    begin(forked, nth(6, instance=forked.instance)).drop()
    forked.flush()
    forked.close()
    forked.open()


def _fork(
    forked: Writer, ids: EventIds, count: int = 1, place: Place | None = None
) -> int:
    before = forked.instance
    child = os.fork()
    if child:
        return child
    code = 1
    with suppress(BaseException):
        sys.settrace(None)
        signal.alarm(60)  # for a lock that nobody will open
        ids.make()
        if place is not None:  # its parent's, so it takes nothing
            send(place, nth(0, instance=before, status=500))
            place.sent()
        for number in range(count):
            forked.commit(nth(number, instance=forked.instance))
        forked.close()
        code = int(forked.instance == before)
    os._exit(code)


def _wait(child: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def idle(trail: str) -> int:
    """Do nothing for two seconds; return how often a thread of this process woke."""
    sleeping = make_writer(Path(trail))
    put_on_record(sleeping, nth(1, instance=sleeping.instance))
    settled(sleeping)
    pump = sleeping.pump
    assert pump
    wait_until(lambda: pump.is_asleep)  # it lingers for a second, or as long as it gets
    before = _switches()
    time.sleep(2)

    return _switches() - before


def _switches() -> int:
    """Return how often this process gave its processors away, all threads together."""
    said = [path.read_text() for path in Path("/proc/self/task").glob("*/status")]

    return sum(
        int(text.split("\nvoluntary_ctxt_switches:")[1].split()[0]) for text in said
    )


_RUNNING: list[Place] = []  # at the end of the process, too


def end_while_waiting(trail: str, times: str) -> None:
    """Leave records that wait, a request that runs, and one that is being answered."""
    ending = make_writer(Path(trail), max_slots=1024)
    count = int(times)
    for number in range(count):
        put_on_record(ending, nth(number, instance=ending.instance))
    sending = nth(count, instance=ending.instance)
    _RUNNING.append(begin(ending, sending))
    send(_RUNNING[0], sending)
    _RUNNING.append(begin(ending, nth(count + 1, instance=ending.instance)))


def lose_journal(trail: str) -> None:
    """Lose the journal, get another, begin a request, and die."""
    losing = make_writer(Path(trail), max_slots=16)
    for number in range(3):
        put_on_record(losing, nth(number, instance=losing.instance))
    settled(losing)
    pump = losing.pump
    assert pump
    gone = pump.journal
    gone.path.unlink()
    pump._next_adoption = 0
    pump.wake()
    wait_until(lambda: pump.journal is not gone)
    settled(losing)
    begin(losing, nth(9, instance=losing.instance))
    sys.stdout.write("null")
    sys.stdout.flush()
    os._exit(0)


# --- journals


def hold_open(trail: str) -> None:
    """Leave records in each state, say which journal has them, and stay."""
    holding = make_writer(Path(trail))
    for number in range(2):
        whole = nth(number, instance=holding.instance)
        place = begin(holding, whole)
    send(place, whole)
    put_on_record(holding, nth(2, instance=holding.instance))
    settled(holding)
    assert holding.pump
    sys.stdout.write(f"{holding.pump.journal.path}\n")
    sys.stdout.flush()
    signal.pause()


def try_lock(path: str) -> bool:
    """Return whether somebody has the lock of a file."""
    with Path(path).open("r+b") as file:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True

    return False


def remove_stale_at(directory: str, now: str) -> None:
    """Remove what was left half made, as at a later time."""
    remove_stale(Path(directory), float(now))


def remove_stale_always(directory: str) -> None:
    """Do so again and again, by a clock that is a day ahead."""
    while True:
        remove_stale(Path(directory), time.time() + 86_400)
        time.sleep(0.005)


def make_journals(directory: str, count: str) -> None:
    """Make so many journals, one after the other, and remove them again."""
    for number in range(int(count)):
        path = Path(directory) / f"{number}.journal"
        Journal.create(path, facts(), {}).close()
        path.unlink()


def create_beyond_limit(path: str) -> list[object]:
    """Make a journal that the limit of file sizes forbids; return error, files open."""
    before = len(open_files())
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, -1))
    error = _attempt(Journal.create, Path(path), facts(), {})

    return [error, len(open_files()) - before]


def adopt_all(trail: str) -> list[str]:
    """Adopt what journals there are; return the names of those that this one adopted."""
    files = files_of(Path(trail))
    paths = find_journals(Path(trail) / JOURNALS)

    return [path.stem for path in paths if adopt(path, files) is not None]


def die_at_each_line(who: str, durability: str, first: str, step: str) -> list[str]:
    """Kill writers or adopters at lines; return what is wrong then, and how many."""
    kill = {
        "writer": kill_writers,
        "adopter": kill_adopters,
        "mender": kill_menders,
    }

    return list(kill[who](durability, int(first), int(step)))


# --- key, ids, reader


def make_key(trail: str) -> str:
    """Load the key of a trail."""
    return load_key(Config(trail=trail)).hex()


def refuse_key(path: str) -> list[object]:
    """Load a key that is none, ten times; return the errors, and files left open."""
    trail, given = (Path(path).parent, None) if path.endswith("/.key") else ("", path)
    before = len(open_files())
    errors = set()
    for _ in range(10):
        try:
            load_key(Config(trail=str(trail), key_file=given))
        except (AuditError, OSError) as error:
            errors.add(f"{type(error).__name__}: {error}")

    return [*errors, len(open_files()) - before]


def make_ids(times: str) -> list[list[str]]:
    """Make ids, fork, and make more in both; return what each made."""
    ids = EventIds()
    first = [ids.make()[0] for _ in range(int(times))]
    reading, writing = os.pipe()
    child = os.fork()
    more = [ids.make()[0] for _ in range(int(times))]
    if not child:
        os.write(writing, json.dumps(more).encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as file:
        childs = json.loads(file.read())
    _wait(child)

    return [first, more, childs]


def read(path: str) -> dict[str, int]:
    """Read a segment; return how many of each kind, and the growth in KiB."""
    found = {"Record": 0, "StoredValue": 0, "Damage": 0}
    before = _peak()
    for item in read_segment(Path(path)):
        found[type(item).__name__] += 1

    return found | {"grown": _peak() - before}


def _peak() -> int:
    # Not ru_maxrss: that begins with what the parent has.
    status = Path("/proc/self/status").read_text(encoding="ascii")

    return int(status.partition("VmHWM:")[2].split()[0])


TASKS: dict[str, Callable[..., object]] = {
    task.__name__: task
    for task in (
        adopt_all,
        append,
        append_as_nobody,
        append_until_killed,
        append_when_told,
        commit,
        commit_until,
        commit_beyond_limit,
        commit_in_both,
        commit_in_turn,
        commit_spills,
        commit_while_forking,
        end_while_waiting,
        fork_at_each_line,
        create_beyond_limit,
        die_at_each_line,
        hold_open,
        idle,
        interrupt_after_each_call,
        lose_journal,
        make_ids,
        make_key,
        put_until_killed,
        read,
        record_until_killed,
        refuse_key,
        make_journals,
        remove_stale_always,
        remove_stale_at,
        try_lock,
    )
}


def main(name: str, *arguments: str) -> None:
    """Do a task."""
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()
    sys.stdout.write(json.dumps(TASKS[name](*arguments)))


if __name__ == "__main__":
    main(*sys.argv[1:])
