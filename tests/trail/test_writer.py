# The way into a trail: what is committed comes to its line, once and in order, whoever
# else writes, forks, closes, rotates or is killed meanwhile.
import os
import shutil
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from tests.settling import settle
from tests.trail.crew import crew, outcome, outcomes
from tests.trail.samples import (
    begin,
    damages,
    event,
    make_writer,
    micros,
    nth,
    numbers,
    of_type,
    open_files,
    put_on_record,
    records,
    send,
    settled,
    spill_of,
    threads,
    wait_until,
    whole_numbers,
)

from audit_mw.errors import AuditUnavailable
from audit_mw.event import STREAMS
from audit_mw.trail.reader import find_value
from audit_mw.trail.record import header_line
from audit_mw.trail.writer import JOURNALS, Writer

Work = Callable[[Writer, int], None]


@pytest.fixture
def trail(tmp_path: Path) -> Path:
    """The trail of this process's writer."""
    return tmp_path / "trail"


@pytest.fixture
def writer(trail: Path) -> Iterator[Writer]:
    """The writer of this process."""
    writer = make_writer(trail)
    yield writer
    writer.close()


@pytest.fixture
def requests(trail: Path) -> Path:
    """Where the segments of requests are."""
    return trail / "request"


def block(requests: Path) -> None:
    """Let no segment be opened."""
    requests.parent.mkdir(exist_ok=True)
    shutil.rmtree(requests, ignore_errors=True)
    requests.touch()


def commit_failing(writer: Writer, *numbers: int, stream: str = "request") -> None:
    """Commit events that cannot be written now."""
    for number in numbers:
        writer.commit(nth(number, instance=writer.instance, stream=stream))
    with pytest.raises(AuditUnavailable):
        writer.flush()


# --- what is written


def test_opens_nothing_before_it_must(tmp_path: Path, writer: Writer) -> None:
    """
    A writer that was made has touched nothing: privileges may still be dropped.
    """
    assert list(tmp_path.iterdir()) == []
    assert writer.state().state == "stopped"


def test_open(trail: Path, requests: Path, writer: Writer) -> None:
    """
    Opening makes the segment of requests, empty, and one journal.
    """
    writer.open()

    (path,) = requests.iterdir()
    assert path.read_bytes() == b""
    assert len(list((trail / JOURNALS).iterdir())) == 1


def test_open_refuses(trail: Path, requests: Path, writer: Writer) -> None:
    """
    A trail that cannot be opened is refused with its path and the error's name.
    """
    block(requests)
    for _ in range(3):
        with pytest.raises(AuditUnavailable, match=f"{trail}.*ENOTDIR") as caught:
            writer.open()

    assert isinstance(caught.value.__cause__, NotADirectoryError)
    # Each is of 25 MiB: a trail that is refused must not fill its disk.
    assert list((trail / JOURNALS).iterdir()) == []


def test_close_leaves_nothing(trail: Path, writer: Writer) -> None:
    """
    A writer that is closed has no journal and no file open; the next commit opens them.
    """
    writer.commit(nth(1, instance=writer.instance))
    writer.close()

    assert list((trail / JOURNALS).iterdir()) == []
    assert open_files(trail) == []


def test_streams_apart(trail: Path, writer: Writer) -> None:
    """
    Each stream has files and numbers of its own.
    """
    for number, stream in enumerate((*STREAMS, *STREAMS)):
        writer.commit(nth(number, stream=stream, instance=writer.instance))
    writer.flush()

    for stream in STREAMS:
        (path,) = (trail / stream).iterdir()
        assert path.read_bytes().startswith(header_line(stream))
        first = 2 if stream == "system" else 1  # sys_startup
        found = [it for it in records([path]) if it.event.type == "request"]
        assert [(first, stream), (first + 1, stream)] == [
            (record.seq, record.event.stream) for record in found
        ]


def test_request(requests: Path, writer: Writer) -> None:
    """
    A request is written once, as it was at its end, with what became of its delivery.
    """
    place = begin(writer, nth(1, instance=writer.instance, status=None))
    send(place, nth(1, instance=writer.instance, status=404))
    place.sent("taken")
    writer.flush()

    (record,) = records(requests.iterdir())
    assert (record.event.status, record.event.details["delivery"]) == (404, b"taken")


def test_corrected(requests: Path, writer: Writer) -> None:
    """
    Where the server did not take the last message, the corrected record is written.
    """
    place = begin(writer, nth(1, instance=writer.instance))
    send(place, nth(1, instance=writer.instance, status=200))
    corrected = {"delivery": b"failed"}
    place.finish(nth(1, instance=writer.instance, status=499, details=corrected))
    writer.flush()

    (record,) = records(requests.iterdir())
    assert (record.event.status, record.event.details["delivery"]) == (499, b"failed")


def test_dropped(requests: Path, writer: Writer) -> None:
    """
    A place that is given back leaves no record, and no slot in use.
    """
    writer.commit(nth(0, instance=writer.instance, stream="fault"))
    writer.flush()
    slots = writer.state().free_slots
    begin(writer, nth(1, instance=writer.instance)).drop()
    writer.place().drop()

    assert slots == writer.state().free_slots
    writer.close()
    assert records(requests.iterdir()) == []


def test_values_before_record(trail: Path, requests: Path, writer: Writer) -> None:
    """
    When a record stands in its segment, the values that it names are in theirs.
    """
    writer.open()
    block(requests)
    writer.commit(nth(1, instance=writer.instance, spills=(spill_of(b"exact"),)))
    with pytest.raises(AuditUnavailable):
        writer.flush()

    assert find_value(trail, spill_of(b"exact").sha256) == b"exact"


def test_no_record_without_its_values(
    trail: Path, requests: Path, writer: Writer
) -> None:
    """
    Where a value cannot be written its record waits; a record without values does not.
    """
    writer.open()
    block(trail / "values")
    writer.commit(nth(1, instance=writer.instance, spills=(spill_of(b"exact"),)))
    commit_failing(writer, 2)
    # It may have come when the first had failed: then it waits for the next attempt.
    wait_until(lambda: micros(requests.iterdir()) == [2])
    (trail / "values").unlink()
    settled(writer)

    assert {writer.instance: 2} == whole_numbers(requests.iterdir())
    assert find_value(trail, spill_of(b"exact").sha256) == b"exact"


# --- failures: nothing lost, no gap, in order


def test_ready_refuses_and_recovers(requests: Path, writer: Writer) -> None:
    """
    After a failure no request is taken until a segment can be opened again.
    """
    writer.open()
    block(requests)
    commit_failing(writer, 1)
    with pytest.raises(AuditUnavailable, match="ENOTDIR"):
        writer.ready()
    with pytest.raises(AuditUnavailable, match="ENOTDIR"):
        writer.place()
    assert writer.state().state == "failing"
    requests.unlink()
    settled(writer)

    writer.ready()
    writer.place().drop()
    assert writer.state().state == "ok"


def test_seq_has_no_gap(requests: Path, writer: Writer) -> None:
    """
    A seq is spent by an append that worked, and by nothing else.
    """
    writer.commit(nth(0, instance=writer.instance))
    writer.flush()
    block(requests)
    commit_failing(writer, 1)
    commit_failing(writer, 2, 3)
    requests.unlink()
    settled(writer)

    assert [record.seq for record in records(requests.iterdir())] == [2, 3, 4]


def test_in_order(requests: Path, writer: Writer) -> None:
    """
    What could not be written is written before anything else, in its order.
    """
    writer.open()
    block(requests)
    for number in range(3):
        commit_failing(writer, number)
    requests.unlink()
    writer.commit(nth(3, instance=writer.instance))
    settled(writer)

    assert micros(requests.iterdir()) == [0, 1, 2, 3]
    assert {writer.instance: 4} == whole_numbers(requests.iterdir())


def test_failure_of_another_stream(trail: Path, requests: Path, writer: Writer) -> None:
    """
    A stream that cannot be written keeps no other from it, but refuses new requests.
    """
    writer.open()
    faults = trail / "fault"
    block(faults)
    commit_failing(writer, 1, stream="fault")
    with pytest.raises(AuditUnavailable):
        writer.ready()
    commit_failing(writer, 2)
    wait_until(lambda: micros(requests.iterdir()) == [2])
    faults.unlink()
    settled(writer)

    assert micros(faults.iterdir()) == [1]


def test_runs_while_it_fails(requests: Path, writer: Writer) -> None:
    """
    A request that began before a failure ends, is answered, and comes to its line.
    """
    whole = nth(1, instance=writer.instance)
    place = begin(writer, whole)
    block(requests)
    commit_failing(writer, 0)
    send(place, whole)
    place.sent()
    requests.unlink()
    settled(writer)

    assert micros(requests.iterdir()) == [0, 1]


def test_values_after_failure(trail: Path, requests: Path, writer: Writer) -> None:
    """
    A value whose segment vanished while its record waited is written with it again.
    """
    writer.open()
    block(requests)
    writer.commit(nth(1, instance=writer.instance, spills=(spill_of(b"exact"),)))
    with pytest.raises(AuditUnavailable):
        writer.flush()
    shutil.rmtree(trail / "values")
    requests.unlink()
    settled(writer)

    assert find_value(trail, spill_of(b"exact").sha256) == b"exact"


def test_closed_while_it_fails(trail: Path, requests: Path, writer: Writer) -> None:
    """
    A close that cannot write keeps what waits; it is written when that works again.
    """
    writer.open()
    block(requests)
    commit_failing(writer, 1)
    writer.close()
    assert writer.state().waiting == 1
    requests.unlink()
    settled(writer)
    writer.close()

    assert micros(requests.iterdir()) == [1]
    assert list((trail / JOURNALS).iterdir()) == []


def test_closed_while_a_request_runs(requests: Path, writer: Writer) -> None:
    """
    A close while a request runs lets it end, in the same journal.
    """
    whole = nth(1, instance=writer.instance)
    place = begin(writer, whole)
    writer.close()
    assert writer.state().state == "ok"
    send(place, whole)
    place.sent()
    writer.close()

    assert writer.state().state == "stopped"
    assert {writer.instance: 1} == whole_numbers(requests.iterdir())


def test_numbers_go_on(requests: Path, writer: Writer) -> None:
    """
    A writer that was closed goes on with the numbers that it had, also if killed then.
    """
    for number in range(3):
        writer.commit(nth(number, instance=writer.instance))
        writer.close()

    assert {writer.instance: 3} == whole_numbers(requests.iterdir())


# --- threads


def test_threads(requests: Path, writer: Writer) -> None:
    """
    Threads that commit and serve at once write whole lines, with each seq once.
    """
    committing = [partial(commit, writer, 200)] * 4
    serving = [partial(serve, writer, 200)] * 4
    with threads(*committing, *serving):
        pass
    writer.flush()

    assert {writer.instance: 1600} == whole_numbers(requests.iterdir())


def commit(writer: Writer, times: int) -> None:
    for _ in range(times):
        writer.commit(event(instance=writer.instance))


def serve(writer: Writer, times: int) -> None:
    for number in range(times):
        put_on_record(writer, nth(number, instance=writer.instance))


@pytest.mark.parametrize("work", [commit, serve])
def test_closed_by_another_thread(requests: Path, writer: Writer, work: Work) -> None:
    """
    What is recorded while another thread closes comes to its line, once.
    """
    with threads(*[partial(work, writer, 200)] * 2) as working:
        while any(thread.is_alive() for thread in working):
            writer.close()
    writer.close()

    assert {writer.instance: 400} == whole_numbers(requests.iterdir())


# --- processes


def test_processes(tmp_path: Path) -> None:
    """
    Processes that commit at once write whole lines, with each seq of each once.
    """
    with crew(4, "commit", tmp_path, 2000) as workers:
        instances = outcomes(workers)

    paths = (tmp_path / "request").iterdir()
    assert dict.fromkeys(instances, 2000) == whole_numbers(paths)


def test_processes_while_rotated(tmp_path: Path) -> None:
    """
    Rotation by rename in the middle of it loses no line, and writes none twice.
    """
    requests, enough = tmp_path / "request", tmp_path / "enough"
    with crew(4, "commit_until", tmp_path, 4000, enough) as workers:
        rotations = 0
        while any(worker.poll() is None for worker in workers):
            for path in requests.glob("*-*.log"):
                path.rename(requests / f"{rotations}.log")
                rotations += 1
            if rotations > 10:
                enough.touch()
            time.sleep(0.003)
        counts = dict(outcomes(workers))

    paths = list(requests.iterdir())
    assert min(counts.values()) >= 4000
    assert counts == whole_numbers(paths)
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
    A killed process loses nothing that was answered, and disturbs nobody else.
    """
    requests, noted = tmp_path / "request", tmp_path / "noted"
    answered = [kill_after(wanted, tmp_path, noted) for wanted in (1, 30, 200)]
    settle(tmp_path)

    paths = list(requests.iterdir())
    assert damages(paths) == []
    found = numbers(paths).values()
    for count_, seqs in zip(answered, found, strict=True):
        assert list(range(1, len(seqs) + 1)) == seqs
        # The last one may have been begun, or answered though nobody lived to note it.
        assert len(seqs) in (count_, count_ + 1)


def kill_after(wanted: int, trail: Path, noted: Path) -> int:
    """Kill a process that serves; return how many it noted as answered."""
    noted.write_bytes(b"")
    with crew(1, "record_until_killed", trail, noted) as (worker,):
        wait_until(lambda: int(noted.read_bytes() or b"0") >= wanted)
        os.kill(worker.pid, signal.SIGKILL)
        worker.wait()

    return int(noted.read_bytes())


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
    (gap,) = of_type(tmp_path, "log_gap")
    assert gap.details["reason"] == b"torn line"
    assert damage.offset == gap.details["offset"]


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
    Wherever a signal's handler breaks a request off, it is there once at most, the
    others exactly once, and seq is right.
    """
    interrupts = outcome("interrupt_after_each_call", tmp_path)
    settle(tmp_path)
    paths = list((tmp_path / "request").iterdir())
    found = Counter(micros(paths))

    assert interrupts > 20
    assert len(whole_numbers(paths)) == 1
    assert set(found.values()) == {1}
    assert found.keys() >= set(range(0, 2 * interrupts, 2))


# --- forks


def test_fork(tmp_path: Path) -> None:
    """
    Parent and child go on under names of their own, each with numbers of its own; what
    a child says of a request of its parent's is nothing.
    """
    parent, code, _ = outcome("commit_in_both", tmp_path, 50)
    paths = list((tmp_path / "request").iterdir())
    found = whole_numbers(paths)

    assert code == 0
    assert list(found.values()) == [50, 50]
    assert parent in found
    assert {record.event.status for record in records(paths)} == {200}


def test_fork_shares_no_file(tmp_path: Path) -> None:
    """
    A child keeps no file of its parent open: one lock would then belong to both.
    """
    assert outcome("commit_in_both", tmp_path, 50)[2] == []


def test_fork_while_locked(tmp_path: Path) -> None:
    """
    A child that was forked while another thread was at work does not wait for it.
    """
    codes = outcome("commit_while_forking", tmp_path, 30)

    assert codes == [0] * 30
    assert len(whole_numbers((tmp_path / "request").iterdir())) == 31


@pytest.mark.parametrize("step", [4, pytest.param(1, marks=pytest.mark.long)])
def test_fork_anywhere(tmp_path: Path, step: int) -> None:
    """
    Wherever in a request another thread forks, the child writes as a new process would.
    """
    (said,) = outcome("fork_at_each_line", tmp_path, step)
    found = Counter(whole_numbers((tmp_path / "request").iterdir()).values())

    assert f"{found[1]} forks" == said
    assert found[1] > 100 // step
    assert {1: found[1], 6: 1} == found
    assert list((tmp_path / JOURNALS).iterdir()) == []
