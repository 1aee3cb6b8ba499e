# A trail on the console: what a reader gets, and what becomes of requests when it does
# not read.
import os
import time
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from tests.console.consoles import Pipe, call, fill, judged, opened, socket_pipe

import audit_mw
from audit_mw import AuditUnavailable
from audit_mw.event import Spill
from audit_mw.trail.entry import Entry
from audit_mw.trail.record import Draft

LONG = b"a=" + b"x" * 20_000


def app(environ: Any, start_response: Any) -> list[bytes]:
    environ["wsgi.input"].read()
    start_response("200 OK", [("Content-Length", "2")])

    return [b"ok"]


def saying(environ: Any, start_response: Any) -> list[bytes]:
    audit_mw.login("alice", method="password")
    audit_mw.security("authz_fail", resource="/admin")

    return app(environ, start_response)


@pytest.mark.parametrize("trail", ["stdout", "stderr"])
def test_every_stream(tmp_path: Path, trail: str) -> None:
    """Records of all streams are lines of the console, whole, numbered, one by one."""
    pipe = Pipe()
    with opened(pipe, tmp_path, saying, trail=trail) as wrapped:
        assert call(wrapped, "one") == 200
        wrapped._auditor.flush()
        lines = pipe.read()

    assert lines.words == ["one"]
    assert {each["stream"] for each in lines.records} == {
        "request",
        "session",
        "security",
        "system",
    }
    assert (lines.torn, lines.gaps, lines.foreign) == ([], [], [])


def test_values(tmp_path: Path) -> None:
    """A long value comes before its record, in parts that no collector splits."""
    pipe = Pipe()
    with opened(pipe, tmp_path, app) as wrapped:
        call(wrapped, "one", LONG)
        lines = pipe.read()

    assert [each["size"] for each in lines.values] == [
        "0-8191/20000",
        "8192-16383/20000",
        "16384-19999/20000",
    ]
    assert max(map(len, pipe.text.splitlines())) < 12 << 10
    assert pipe.text.index(b"16384-19999/20000") < pipe.text.index(b"\trequest\t1\t")


def test_start_and_end(tmp_path: Path) -> None:
    """Start and end of the process are on record, as in a trail of files."""
    pipe = Pipe()
    with opened(pipe, tmp_path, app) as wrapped:
        call(wrapped, "one")
        wrapped._auditor.close()
        lines = pipe.read()

    assert [each["type"] for each in lines.of("system")] == [
        "sys_startup",
        "sys_shutdown",
    ]
    assert list(tmp_path.glob("*.journal")) == []


def test_socket(tmp_path: Path) -> None:
    """The console may be a socket; a reader that hangs up is an error, no signal."""
    pipe = socket_pipe()
    with opened(pipe, tmp_path, app) as wrapped:
        call(wrapped, "one", LONG)
        lines = pipe.read()
        pipe.hang_up()
        await_state(wrapped, "failing")

    assert (lines.words, lines.torn) == (["one"], [])


def await_state(wrapped: Any, state: str) -> None:
    """Ask until the trail is in a state; a request makes it write."""
    until = time.monotonic() + 30
    while wrapped._auditor._writer.state().state != state:
        assert time.monotonic() < until
        call(wrapped, "more")
        time.sleep(0.01)


def test_stalled_reader(tmp_path: Path) -> None:
    """While nobody reads, requests are served from the journal; then all comes, once."""
    pipe = Pipe()
    with opened(pipe, tmp_path, app) as wrapped:
        size = fill(pipe)
        statuses = [call(wrapped, f"n{number}") for number in range(20)]
        with pytest.raises(AuditUnavailable, match="EAGAIN"):
            wrapped._auditor.flush()
        state = wrapped._auditor._writer.state()
        lines = pipe.read(20)

    assert statuses == [200] * 20
    assert (state.state, "takes nothing" in str(state.last_error)) == ("ok", True)
    assert len(b"".join(lines.foreign)) == size
    assert lines.words == [f"n{number}" for number in range(20)]
    assert (lines.torn, len(lines.records)) == ([], 21)


def test_stall_within_a_line(tmp_path: Path) -> None:
    """A line that a reader took in part is ended when it reads again, and not torn."""
    pipe = Pipe()
    with opened(pipe, tmp_path, app) as wrapped:
        call(wrapped, "one")
        pipe.read()
        # Parts of a value are longer than a page, and the pipe has room for a page.
        fill(pipe)
        os.read(pipe.out, 4096)
        with pytest.raises(AuditUnavailable):
            wrapped._auditor._writer.pump.spill(_entry(b"y" * 8000)).wait()
        call(wrapped, "two")
        lines = pipe.read(2)

    assert (lines.words, lines.torn) == (["one", "two"], [])


def _entry(value: bytes) -> Any:
    before = (
        b"2026-11-21T05:26:07.000000Z\t019aa4f2-35c3-7a1b-8c4d-000000000001\trequest"
    )
    spill = Spill(sha256(value).hexdigest(), value)

    return Entry(Draft("request", before, b""), (spill,))


def test_no_slot_left(tmp_path: Path) -> None:
    """A reader that stalls for long: requests are refused, and served when it reads."""
    pipe = Pipe()
    with opened(pipe, tmp_path, app, max_slots=16) as wrapped:
        fill(pipe)
        statuses = [call(wrapped, f"n{number}") for number in range(40)]
        served = [f"n{at}" for at, status in enumerate(statuses) if status == 200]
        pipe.read(len(served))
        await_state(wrapped, "ok")
        wrapped._auditor.close()
        pipe.take()
        lines = judged(pipe.text)

    assert {200, 503} == set(statuses)
    assert set(served) <= set(lines.words)
    assert "log_refused" in {each["type"] for each in lines.records}
    assert (lines.torn, lines.gaps) == ([], [])


def test_broken_pipe(tmp_path: Path) -> None:
    """When the reader is gone, requests are refused; with a new one all is written."""
    os.mkfifo(tmp_path / "console")
    pipe = fifo(tmp_path / "console")
    with opened(pipe, tmp_path / "journals", app) as wrapped:
        call(wrapped, "one")
        pipe.read()
        pipe.hang_up()
        await_state(wrapped, "failing")
        assert call(wrapped, "refused") == 503
        pipe.out = os.open(tmp_path / "console", os.O_RDONLY | os.O_NONBLOCK)
        await_state(wrapped, "ok")
        wrapped._auditor.flush()
        lines = pipe.read(2)

    assert "refused" not in lines.words
    assert (lines.torn, lines.gaps) == ([], [])


def fifo(path: Path) -> Pipe:
    """Return a pipe with a name, which another reader can open."""
    out = os.open(path, os.O_RDONLY | os.O_NONBLOCK)

    return Pipe((out, os.open(path, os.O_WRONLY)))


def test_null(tmp_path: Path) -> None:
    """A console that nobody will ever read takes no request."""
    pipe = Pipe((-1, os.open(os.devnull, os.O_WRONLY)))
    with opened(pipe, tmp_path, app) as wrapped:
        with pytest.raises(AuditUnavailable, match="nobody reads /dev/null"):
            wrapped._auditor.open()

        assert call(wrapped, "one") == 503


def test_file(tmp_path: Path) -> None:
    """The console may be a file; when that is removed, requests are refused."""
    path = tmp_path / "console.txt"
    path.touch()
    pipe = Pipe((os.open(path, os.O_RDONLY), os.open(path, os.O_WRONLY | os.O_APPEND)))
    with opened(pipe, tmp_path / "journals", app) as wrapped:
        call(wrapped, "one")
        wrapped._auditor.flush()
        text = path.read_bytes()
        path.unlink()
        await_state(wrapped, "failing")
        assert call(wrapped, "two") == 503
        # As a server does that is told to open its logs again.
        again = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        os.dup2(again, 1)
        os.close(again)
        await_state(wrapped, "ok")
        wrapped._auditor.close()
        more = path.read_bytes()

    lines = judged(text + more)
    (gap,) = [each for each in lines.records if each["type"] == "log_gap"]
    assert lines.words[0] == "one"
    assert '"reason":"unlinked"' in gap["details"]
    assert (lines.torn, lines.gaps) == ([], [])


def test_truncated_file(tmp_path: Path) -> None:
    """A file that was cut off is told."""
    path = tmp_path / "console.txt"
    path.touch()
    pipe = Pipe((os.open(path, os.O_RDONLY), os.open(path, os.O_WRONLY | os.O_APPEND)))
    with opened(pipe, tmp_path / "journals", app) as wrapped:
        call(wrapped, "one")
        wrapped._auditor.flush()
        os.truncate(path, 0)
        call(wrapped, "two")
        wrapped._auditor.close()
        lines = judged(path.read_bytes())

    assert '"reason":"truncated"' in next(
        each["details"] for each in lines.records if each["type"] == "log_gap"
    )


def test_half_a_line_of_another(tmp_path: Path) -> None:
    """Behind half a line of a process that died, the next line begins anew."""
    pipe = Pipe()
    with opened(pipe, tmp_path, app) as wrapped:
        (tmp_path / "console.lock").write_bytes(b"12345678")
        os.write(pipe.into, b"523\t2026-11-21T05:26:07.0")
        call(wrapped, "one")
        lines = pipe.read()

    assert lines.torn == [b"523\t2026-11-21T05:26:07.0\n"]
    assert lines.words == ["one"]
    assert (tmp_path / "console.lock").read_bytes() == bytes(8)


def test_lock_is_removed(tmp_path: Path) -> None:
    """A lock file that vanished is made again."""
    pipe = Pipe()
    with opened(pipe, tmp_path, app) as wrapped:
        call(wrapped, "one")
        pipe.read()
        (tmp_path / "console.lock").unlink()
        call(wrapped, "two")
        lines = pipe.read(2)

    assert lines.words == ["one", "two"]
    assert (tmp_path / "console.lock").exists()


def test_flags_are_left_alone(tmp_path: Path) -> None:
    """The application's own console does not become one that does not block."""
    pipe = Pipe()
    with opened(pipe, tmp_path, app) as wrapped:
        call(wrapped, "one")
        pipe.read()

        assert os.get_blocking(1)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can act as another")
def test_pipe_of_another(app_directory: Path) -> None:
    """A pipe that cannot be opened again is written to in pieces, and never blocks."""
    pipe = Pipe()
    with opened(pipe, app_directory, app) as wrapped:
        call(wrapped, "one", LONG)
        pipe.read()
        fill(pipe)
        with pytest.raises(AuditUnavailable):
            wrapped._auditor._writer.pump.spill(_entry(b"y" * 8000)).wait()
        call(wrapped, "two")
        lines = pipe.read(2)
        send = wrapped._auditor._writer.pump.files.segments["request"]._console._send

    assert send.__name__ == "_write_piece"
    assert (lines.words, lines.torn, lines.gaps) == (["one", "two"], [], [])


@pytest.fixture
def app_directory() -> Iterator[Path]:
    """A directory of somebody else, whom root acts as."""
    with TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        journals = Path(name) / "journals"
        journals.mkdir()
        os.chown(journals, 65534, 65534)
        yield journals


def test_number_of_another_file(tmp_path: Path) -> None:
    """Where stdout was closed, and its number is a file's, nothing is written there."""
    pipe = Pipe()
    other = tmp_path / "database"
    with opened(pipe, tmp_path / "journals", app) as wrapped:
        fd = os.open(other, os.O_WRONLY | os.O_CREAT, 0o600)
        os.dup2(fd, 1, inheritable=False)
        os.close(fd)
        refused = call(wrapped, "one")
        os.dup2(pipe.into, 1)
        served = call(wrapped, "two")
        lines = pipe.read()

    assert (refused, served) == (503, 200)
    assert (lines.words, other.read_bytes()) == (["two"], b"")
