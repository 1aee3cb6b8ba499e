import os
import shutil
import signal
import time
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from tests.trail.crew import crew, outcome, outcomes
from tests.trail.samples import (
    damages,
    event,
    numbers,
    records,
    spill_of,
    threads,
    wait_until,
    whole_numbers,
)

from audit_mw.errors import AuditUnavailable
from audit_mw.event import STREAMS
from audit_mw.trail.reader import find_value
from audit_mw.trail.record import header_line
from audit_mw.trail.writer import Writer


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[Writer]:
    """The writer of this process."""
    writer = Writer(tmp_path / "trail", "day")
    yield writer
    writer.close()


@pytest.fixture
def requests(tmp_path: Path) -> Path:
    """Where the segments of requests are."""
    return tmp_path / "trail" / "request"


def block(requests: Path) -> None:
    """Let no segment be opened."""
    requests.parent.mkdir(exist_ok=True)
    shutil.rmtree(requests, ignore_errors=True)
    requests.touch()


def commit_failing(writer: Writer, micros: int) -> None:
    failing = event(instance=writer.instance, micros=micros)
    with pytest.raises(AuditUnavailable):
        writer.commit(failing)
    writer.hold(failing)


# --- what is written


def test_opens_nothing_before_it_must(tmp_path: Path, writer: Writer) -> None:
    """
    A writer that was made has touched nothing: privileges may still be dropped.
    """
    assert list(tmp_path.iterdir()) == []

    writer.ready()

    assert list(tmp_path.iterdir()) == []


def test_open(requests: Path, writer: Writer) -> None:
    """
    Opening makes the segment of requests, empty, so that a fault is known at start.
    """
    writer.open()

    (path,) = requests.iterdir()
    assert path.read_bytes() == b""


def test_open_refuses(requests: Path, writer: Writer) -> None:
    """
    A trail that cannot be opened is refused with its path and the error's name.
    """
    block(requests)
    with pytest.raises(AuditUnavailable, match=f"{requests.parent}.*ENOTDIR") as caught:
        writer.open()

    assert isinstance(caught.value.__cause__, NotADirectoryError)


def test_streams_apart(tmp_path: Path, writer: Writer) -> None:
    """
    Each stream has files and numbers of its own.
    """
    for stream in (*STREAMS, *STREAMS):
        writer.commit(event(stream=stream, instance=writer.instance))

    for stream in STREAMS:
        (path,) = (tmp_path / "trail" / stream).iterdir()
        assert path.read_bytes().startswith(header_line(stream))
        assert [(1, stream), (2, stream)] == [
            (record.seq, record.event.stream) for record in records([path])
        ]


def test_values_before_record(tmp_path: Path, requests: Path, writer: Writer) -> None:
    """
    When a record stands in its segment, the values that it names are in theirs.
    """
    block(requests)
    with pytest.raises(AuditUnavailable):
        writer.commit(event(spills=(spill_of(b"exact"),)))

    assert find_value(tmp_path / "trail", spill_of(b"exact").sha256) == b"exact"


def test_no_record_without_its_values(
    tmp_path: Path, requests: Path, writer: Writer
) -> None:
    """
    Where a value cannot be written its record is not written either.
    """
    writer.open()
    block(tmp_path / "trail" / "values")
    with pytest.raises(AuditUnavailable):
        writer.commit(event(spills=(spill_of(b"exact"),)))

    assert records(requests.iterdir()) == []


# --- failures: nothing lost, no gap, in order


def test_ready_refuses_and_recovers(requests: Path, writer: Writer) -> None:
    """
    After a failure no request is taken until a segment can be opened again.
    """
    block(requests)
    with pytest.raises(AuditUnavailable):
        writer.commit(event())
    with pytest.raises(AuditUnavailable):
        writer.ready()
    requests.unlink()

    writer.ready()
    writer.ready()


def test_seq_has_no_gap(requests: Path, writer: Writer) -> None:
    """
    A seq is spent by an append that worked, and by nothing else.
    """
    writer.commit(event(instance=writer.instance))
    block(requests)
    for _ in range(3):
        with pytest.raises(AuditUnavailable):
            writer.commit(event(instance=writer.instance))
    requests.unlink()
    writer.commit(event(instance=writer.instance))

    assert [record.seq for record in records(requests.iterdir())] == [2]


def test_held_first_and_in_order(requests: Path, writer: Writer) -> None:
    """
    What could not be written is written before anything else, in its order.
    """
    block(requests)
    for micros in range(3):
        commit_failing(writer, micros)
    requests.unlink()
    writer.commit(event(instance=writer.instance, micros=3))

    assert [
        (record.seq, record.event.micros) for record in records(requests.iterdir())
    ] == [(1, 0), (2, 1), (3, 2), (4, 3)]


def test_held_before_next_request(requests: Path, writer: Writer) -> None:
    """
    What is held is written when the next request asks, before that is served.
    """
    block(requests)
    commit_failing(writer, 7)
    with pytest.raises(AuditUnavailable):
        writer.ready()
    requests.unlink()
    writer.ready()

    assert [record.event.micros for record in records(requests.iterdir())] == [7]


def test_held_of_another_stream(tmp_path: Path, writer: Writer) -> None:
    """
    What is held of one stream keeps requests from being served, as all else does.
    """
    faults = tmp_path / "trail" / "fault"
    block(faults)
    writer.hold(event(stream="fault", instance=writer.instance))
    with pytest.raises(AuditUnavailable):
        writer.ready()
    with pytest.raises(AuditUnavailable):
        writer.commit(event(instance=writer.instance))
    faults.unlink()
    writer.commit(event(instance=writer.instance))

    assert [record.seq for record in records(faults.iterdir())] == [1]


def test_values_after_failure(tmp_path: Path, requests: Path, writer: Writer) -> None:
    """
    A value whose segment vanished while its record was held is written with it again.
    """
    spilled = event(instance=writer.instance, spills=(spill_of(b"exact"),))
    block(requests)
    with pytest.raises(AuditUnavailable):
        writer.commit(spilled)
    writer.hold(spilled)
    shutil.rmtree(tmp_path / "trail" / "values")
    requests.unlink()
    writer.ready()

    assert find_value(tmp_path / "trail", spill_of(b"exact").sha256) == b"exact"


# --- threads


def test_threads(requests: Path, writer: Writer) -> None:
    """
    Threads that commit at once write whole lines, with each seq once.
    """
    with threads(*[partial(commit, writer, 500)] * 8):
        pass

    assert {writer.instance: 4000} == whole_numbers(requests.iterdir())


def commit(writer: Writer, count: int) -> None:
    for _ in range(count):
        writer.commit(event(instance=writer.instance))


def test_closed_by_another_thread(requests: Path, writer: Writer) -> None:
    """
    A commit works, and writes to our file, when another thread closes at that moment.
    """
    with threads(*[partial(commit, writer, 500)] * 2) as committing:
        while any(thread.is_alive() for thread in committing):
            writer.close()

    assert {writer.instance: 1000} == whole_numbers(requests.iterdir())


# --- processes


def test_processes(tmp_path: Path) -> None:
    """
    Processes that commit at once write whole lines, with each seq of each once.
    """
    with crew(8, "commit", tmp_path, 2000) as workers:
        instances = outcomes(workers)

    paths = (tmp_path / "request").iterdir()
    assert dict.fromkeys(instances, 2000) == whole_numbers(paths)


def test_processes_while_rotated(tmp_path: Path) -> None:
    """
    Rotation by rename in the middle of it loses no line, and writes none twice.
    """
    requests = tmp_path / "request"
    with crew(8, "commit", tmp_path, 2000) as workers:
        rotations = 0
        while any(worker.poll() is None for worker in workers):
            for path in requests.glob("*-*.log"):
                path.rename(requests / f"{rotations}.log")
                rotations += 1
            time.sleep(0.003)
        instances = outcomes(workers)

    paths = list(requests.iterdir())
    assert rotations > 10
    assert dict.fromkeys(instances, 2000) == whole_numbers(paths)
    header = header_line("request")
    begins = {path.read_bytes()[: len(header)] for path in paths}
    assert {header} == begins - {b""}  # one may be rotated before its first line


@pytest.mark.long
def test_processes_long(tmp_path: Path) -> None:
    """
    Eight processes with 20,000 records each leave 160,000 whole lines.
    """
    with crew(8, "commit", tmp_path, 20_000) as workers:
        instances = outcomes(workers)

    paths = (tmp_path / "request").iterdir()
    assert dict.fromkeys(instances, 20_000) == whole_numbers(paths)


def test_killed(tmp_path: Path) -> None:
    """
    A killed process loses nothing that it had committed, and disturbs nobody else.
    """
    requests, noted = tmp_path / "request", tmp_path / "noted"
    committed = [kill_after(count, tmp_path, noted) for count in range(1, 6)]
    outcome("commit", tmp_path, 1)

    paths = list(requests.iterdir())
    *killed, last = numbers(paths).values()
    assert last == [1]
    for count, seqs in zip(committed, killed, strict=True):
        assert list(range(1, len(seqs) + 1)) == seqs
        # The last record may be whole though nobody lived to note it.
        assert len(seqs) in (count, count + 1)
    assert len(damages(paths)) <= 5


def test_torn_tail(tmp_path: Path) -> None:
    """
    What a process leaves that is killed inside of `write` is mended, named, passed by.
    """
    path = torn_by_kill(tmp_path)
    torn = path.read_bytes()
    outcome("commit_spills", tmp_path, 1)
    (damage,) = damages([path])

    lines = torn.count(b"\n")
    assert (path, lines + 1, torn.rfind(b"\n") + 1) == (
        damage.path,
        damage.line,
        damage.offset,
    )
    assert torn + b"\n" == path.read_bytes()[: len(torn) + 1]
    assert find_value(tmp_path, spill_of(b"value 0").sha256) == b"value 0"


def kill_after(count: int, trail: Path, noted: Path) -> int:
    """Kill a process that commits; return how many it noted as committed."""
    noted.write_bytes(b"")
    with crew(1, "commit_until_killed", trail, noted) as (worker,):
        wait_until(lambda: int(noted.read_bytes() or b"0") >= count)
        os.kill(worker.pid, signal.SIGKILL)
        worker.wait()

    return int(noted.read_bytes())


def size_of(directory: Path) -> int:
    return sum(path.stat().st_size for path in directory.glob("*"))


def is_larger(directory: Path, size: int) -> bool:
    return size_of(directory) > size


def torn_by_kill(trail: Path) -> Path:
    """Kill processes that append until one leaves half a line; return its segment."""
    values = trail / "values"
    for _ in range(50):
        with crew(1, "append_until_killed", trail) as (worker,):
            wait_until(partial(is_larger, values, size_of(values)))
            os.kill(worker.pid, signal.SIGKILL)
            worker.wait()
        (path,) = values.iterdir()
        if not path.read_bytes().endswith(b"\n"):
            return path

    raise AssertionError("no kill left half a line")


def test_interrupted(tmp_path: Path) -> None:
    """
    Wherever a signal's handler breaks a commit off, the lock is free, and seq is right.
    """
    *left, interrupts = outcome("interrupt_after_each_call", tmp_path)
    (count,) = whole_numbers((tmp_path / "request").iterdir()).values()

    assert left == []
    assert interrupts > 5
    assert count >= interrupts


# --- forks


def test_fork(tmp_path: Path) -> None:
    """
    Parent and child go on under names of their own, each with numbers of its own.
    """
    parent, code, _ = outcome("commit_in_both", tmp_path, 50)
    found = whole_numbers((tmp_path / "request").iterdir())

    assert code == 0
    assert list(found.values()) == [50, 50]
    assert parent in found


def test_fork_shares_no_file(tmp_path: Path) -> None:
    """
    A child keeps no file of its parent open: one lock would then belong to both.
    """
    assert outcome("commit_in_both", tmp_path, 50)[2] == []


def test_fork_while_locked(tmp_path: Path) -> None:
    """
    A child that was forked while another thread held the lock does not wait for it.
    """
    codes = outcome("commit_while_forking", tmp_path, 30)

    assert codes == [0] * 30
    assert len(whole_numbers((tmp_path / "request").iterdir())) == 31


def test_fork_anywhere(tmp_path: Path) -> None:
    """
    Wherever in a commit another thread forks, the child writes as a new process would.
    """
    (said,) = outcome("fork_at_each_line", tmp_path)
    found = Counter(whole_numbers((tmp_path / "request").iterdir()).values())

    assert f"{found[1]} forks" == said
    assert found[1] > 50
    assert {1: found[1], 4: 1} == found
