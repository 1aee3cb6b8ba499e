# What child processes of the tests of the trail do: one function a task.
#
# `python -m tests.trail.workers TASK ARGUMENT...` says "ready", waits for a line, does
# the task, and writes what it returns as JSON. Nothing here asserts: tests do.
import errno
import fcntl
import json
import os
import resource
import signal
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

from tests.trail.samples import event, open_files, spill_of

import audit_mw.ids
from audit_mw.config import Config
from audit_mw.errors import AuditError, AuditUnavailable
from audit_mw.ids import EventIds
from audit_mw.trail import segment, spill, writer
from audit_mw.trail.key import load_key
from audit_mw.trail.reader import read_segment
from audit_mw.trail.record import VALUES, encode_value_line
from audit_mw.trail.segment import SegmentFile
from audit_mw.trail.writer import Writer

_LINE = b"a line\n"


def _errno(error: BaseException | None) -> str:
    number = error.errno if isinstance(error, OSError) else None

    return errno.errorcode.get(number or 0, repr(error))


def _attempt(action: Callable[..., object], *arguments: object) -> str:
    """Return the name of the error that `action` ended with, or nothing."""
    try:
        action(*arguments)
    except AuditUnavailable as error:
        return _errno(error.__cause__)
    except OSError as error:
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
    before = open_files()
    errors = [_attempt(file.append, _LINE) for _ in range(10)]

    return [*set(errors), open_files() - before]


# --- the writer


def commit(trail: str, times: str) -> str:
    """Commit `times` events; return the instance."""
    counting = Writer(Path(trail), "day")
    for number in range(int(times)):
        counting.commit(event(instance=counting.instance, micros=number))

    return counting.instance


def commit_spills(trail: str, times: str) -> None:
    """Commit events that spill."""
    spilling = Writer(Path(trail), "day")
    for number in range(int(times)):
        value = b"value %d" % number
        spilled = spill_of(value)
        spilling.commit(event(instance=spilling.instance, spills=(spilled,)))


def commit_until_killed(trail: str, noted: str) -> None:
    """Commit long records without end, and note in a file how many are committed."""
    endless = Writer(Path(trail), "day")
    long = event(instance=endless.instance, path=b"/" + b"a" * (1 << 16))
    with Path(noted).open("wb", buffering=0) as file:
        count = 0
        while True:
            endless.commit(long)
            count += 1
            os.pwrite(file.fileno(), b"%d" % count, 0)


def append_until_killed(trail: str) -> None:
    """Append a long value without end; nearly all of the time is spent in `write`."""
    file = SegmentFile(Path(trail), VALUES, "day")
    long = encode_value_line(0, "", spill_of(b"a" * (8 << 20)))
    while True:
        file.append(long)


def commit_and_hold(trail: str, times: str) -> list[str]:
    """Commit events, hold those that fail, as a recorder does; return the errors."""
    holding = Writer(Path(trail), "day")
    errors = []
    for number in range(int(times)):
        committed = event(instance=holding.instance, micros=number)
        errors.append(_attempt(holding.commit, committed))
        if errors[-1]:
            holding.hold(committed)

    return errors


def commit_beyond_limit(trail: str) -> dict[str, Any]:
    """Commit while the size of files is limited, so that a real write is short."""
    limited = Writer(Path(trail), "day")
    sizes = []
    errors = []

    def attempt(number: int) -> None:
        committed = event(instance=limited.instance, micros=number)
        errors.append(_attempt(limited.commit, committed))
        if errors[-1]:
            limited.hold(committed)
        sizes.append(limited._segments["request"].path.stat().st_size)

    attempt(0)
    resource.setrlimit(resource.RLIMIT_FSIZE, (sizes[0] + 100, -1))
    attempt(1)
    ready = _attempt(limited.ready)
    resource.setrlimit(resource.RLIMIT_FSIZE, (-1, -1))
    attempt(2)

    return {"errors": errors, "sizes": sizes, "ready": ready}


def commit_while_forking(trail: str, forks: str) -> list[int]:
    """Fork while another thread commits; return the children's exit codes."""
    shared = Writer(Path(trail), "day")
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
    Commit, fork, and commit in both.

    Return the parent's instance, the child's exit code, and which files of the trail
    another child has open.
    """
    both = Writer(Path(trail), "day")
    both.commit(event(instance=both.instance))
    both.hold(event(instance=both.instance))
    child = _fork(both, EventIds(), int(times))
    for _ in range(int(times) - 2):
        both.commit(event(instance=both.instance))

    return [both.instance, _wait(child), _inherited(trail)]


def _open_files() -> Iterator[str]:
    for link in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):  # that of this very listing
            yield str(link.readlink())


def _inherited(trail: str) -> Any:
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        links = list(_open_files())
        found = [link for link in links if link.startswith(trail)]
        os.write(writing, json.dumps(found).encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as file:
        found = json.loads(file.read())
    _wait(child)

    return found


def fork_at_each_line(trail: str) -> list[str]:
    """
    Fork before each line that a commit runs; return where a child did not do well.

    What a child finds is what it would find had another thread forked just there.
    """
    forked = Writer(Path(trail), "day")
    ids = EventIds()
    watched = {module.__file__ for module in (segment, spill, writer, audit_mw.ids)}
    children: dict[int, str] = {}
    seen: Counter[tuple[CodeType, int]] = Counter()

    def trace(frame: FrameType, what: str, _argument: object) -> Any:
        code, line = frame.f_code, frame.f_lineno
        if code.co_filename not in watched:
            return None
        seen[code, line] += what == "line"
        if what == "line" and seen[code, line] <= 3:
            name = f"{Path(code.co_filename).name}:{line}"
            children[_fork(forked, ids)] = name
        return trace

    sys.settrace(trace)
    try:
        _commit_in_all_ways(forked, ids)
    finally:
        sys.settrace(None)

    return [where for child, where in children.items() if _wait(child)] or [
        f"{len(children)} forks"
    ]


def interrupt_after_each_call(trail: str) -> list[Any]:
    """
    Break a commit off behind each call that it makes, as a signal's handler may.

    Return after which the lock stayed locked, and how many they were.
    """
    interrupted = Writer(Path(trail), "day")
    watched = {module.__file__ for module in (segment, spill, writer)}
    left: list[str] = []
    where = "the start"
    reached = wanted = 0

    def interrupt(frame: FrameType, what: str, _called: object) -> None:
        nonlocal reached, where
        if what == "c_return" and frame.f_code.co_filename in watched:
            reached += 1
            if reached == wanted:
                where = f"{Path(frame.f_code.co_filename).name}:{frame.f_lineno}"
                raise KeyboardInterrupt

    while where:
        interrupted.commit(event(instance=interrupted.instance))
        reached, where = 0, ""
        wanted += 1
        with suppress(KeyboardInterrupt):
            sys.setprofile(interrupt)
            interrupted.commit(event(instance=interrupted.instance))
        sys.setprofile(None)
        if not _is_free(interrupted._segments["request"].path):
            left.append(where)

    return [*left, wanted - 1]


def _is_free(path: Path) -> bool:
    with path.open("rb") as file, suppress(BlockingIOError):
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    return False


def _commit_in_all_ways(forked: Writer, ids: EventIds) -> None:
    for round_ in range(3):
        spilled = spill_of(b"%d" % round_)
        ids.make()
        forked.commit(event(instance=forked.instance, spills=(spilled,)))
        for stream in ("request", "values"):
            path = forked._segments[stream].path
            path.rename(path.with_name(f"{round_}.log"))
    forked.hold(event(instance=forked.instance))
    forked.ready()
    forked.close()
    forked.open()


def _fork(forked: Writer, ids: EventIds, count: int = 1) -> int:
    before = forked.instance
    child = os.fork()
    if child:
        return child
    code = 1
    with suppress(BaseException):
        sys.settrace(None)
        signal.alarm(20)  # for a lock that nobody will open
        ids.make()
        for _ in range(count):
            forked.commit(event(instance=forked.instance))
        code = int(forked.instance == before)
    os._exit(code)


def _wait(child: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


# --- key, ids, reader


def make_key(trail: str) -> str:
    """Load the key of a trail."""
    return load_key(Config(trail=trail)).hex()


def refuse_key(path: str) -> list[object]:
    """Load a key that is none, ten times; return the errors, and files left open."""
    trail, given = (Path(path).parent, None) if path.endswith("/.key") else ("", path)
    before = open_files()
    errors = set()
    for _ in range(10):
        try:
            load_key(Config(trail=str(trail), key_file=given))
        except (AuditError, OSError) as error:
            errors.add(f"{type(error).__name__}: {error}")

    return [*errors, open_files() - before]


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
        append,
        append_as_nobody,
        append_until_killed,
        append_when_told,
        commit,
        commit_and_hold,
        commit_beyond_limit,
        commit_in_both,
        commit_spills,
        commit_until_killed,
        commit_while_forking,
        fork_at_each_line,
        interrupt_after_each_call,
        make_ids,
        make_key,
        read,
        refuse_key,
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
