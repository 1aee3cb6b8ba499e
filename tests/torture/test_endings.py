# How processes and threads end while records wait: nothing that was answered is lost.
import signal
from pathlib import Path

import pytest
from tests.torture.app import witnessed
from tests.torture.children import judged, run
from tests.torture.judge import Trail, complaints, verify
from tests.torture.kills import loaded

ORDERLY = ["return", "sys.exit", "raise", "SIGINT"]
ABRUPT = ["os._exit", "SIGKILL", "SIGTERM"]


def both(*hows: str) -> pytest.MarkDecorator:
    """Have each end over WSGI; over ASGI, which ends alike, the first, and later all."""
    of_asgi = [pytest.param("asgi", how, marks=pytest.mark.torture) for how in hows[1:]]
    named = [("wsgi", how) for how in hows]

    return pytest.mark.parametrize(
        ("kind", "how"), [*named, ("asgi", hows[0]), *of_asgi]
    )


def ends(directory: Path) -> set[bool]:
    """Return whether those that served said that they end."""
    trail = Trail(directory / "trail")
    stopped = {line["instance"] for line in trail.of_type("sys_shutdown")}

    return {line["instance"] in stopped for line in trail.of("request")}


@both(*ORDERLY)
def test_orderly_end(tmp_path: Path, kind: str, how: str) -> None:
    """An interpreter that ends writes what waits, says so, and leaves no journal."""
    run(tmp_path, "end", kind, how)

    assert Trail.journals(tmp_path / "trail") == []
    assert ends(tmp_path) == {True}
    assert judged(tmp_path) == []


@both(*ABRUPT)
def test_abrupt_end(tmp_path: Path, kind: str, how: str) -> None:
    """An interpreter that ends without a word leaves all to whoever adopts."""
    run(tmp_path, "end", kind, how)

    assert judged(tmp_path) == []
    assert ends(tmp_path) == {False}


@pytest.mark.parametrize("kind", ["wsgi", "asgi"])
def test_end_under_threads(tmp_path: Path, kind: str) -> None:
    """Threads that serve while the interpreter ends lose nothing."""
    run(tmp_path, "end_with_threads", kind)

    assert judged(tmp_path) == []


@pytest.mark.parametrize("kind", ["wsgi", "asgi"])
def test_end_amid_requests(tmp_path: Path, kind: str) -> None:
    """A request that is answered when the writer has ended is on record."""
    run(tmp_path, "end_amid_requests", kind)

    assert judged(tmp_path) == []


# (gunicorn's workers end at a SIGINT by an exception wherever they are; they answer 500
# then for what the application has answered, or never got.)
@pytest.mark.parametrize(
    ("name", "how"),
    [
        ("uvicorn", signal.SIGTERM),
        pytest.param("uvicorn", signal.SIGINT, marks=pytest.mark.torture),
        ("gunicorn gthread", signal.SIGTERM),
        pytest.param("gunicorn sync", signal.SIGTERM, marks=pytest.mark.torture),
    ],
)
def test_stopped_server(tmp_path: Path, name: str, how: signal.Signals) -> None:
    """A server that is told to stop under load writes all, and leaves no journal."""
    load = loaded(name, tmp_path, lambda prey: prey.stop(how))
    trail = tmp_path / "trail"
    began, said = witnessed(tmp_path), witnessed(tmp_path, "said")

    assert Trail.journals(trail) == []
    assert ends(tmp_path) == {True}
    assert complaints(trail, load.sent, began, said) == []
    assert verify(trail) == []


def test_dying_threads(tmp_path: Path) -> None:
    """A thread that dies in a request leaves it on record."""
    code, _, errors = run(tmp_path, "dying_threads")

    assert code == 0, errors
    assert judged(tmp_path) == []


@pytest.mark.parametrize("error", ["MemoryError", "SystemExit"])
def test_dying_writer(tmp_path: Path, error: str) -> None:
    """A writer thread that dies again and again loses nothing that is answered."""
    code, _, errors = run(tmp_path, "dying_writer", error)

    assert code == 0, errors
    assert judged(tmp_path) == []
