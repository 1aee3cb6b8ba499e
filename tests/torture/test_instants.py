# kill -9 at each system call in turn, of who writes and of who adopts.
from pathlib import Path

import pytest
from tests.torture.children import judged
from tests.torture.instants import CALLS, kill_at_each
from tests.torture.marks import needs_strace


@needs_strace
@pytest.mark.parametrize("call", ["write", "unlink"])
def test_some_instants(tmp_path: Path, call: str) -> None:
    """Killed at some of its calls, a writer or an adopter loses and doubles nothing."""
    killed = list(kill_at_each(tmp_path, [call], every=8))

    assert killed
    assert judged(tmp_path) == []


@needs_strace
@pytest.mark.torture
@pytest.mark.parametrize("call", CALLS)
def test_each_instant(tmp_path: Path, call: str) -> None:
    """The same at each single call that a writer makes."""
    print(call, list(kill_at_each(tmp_path, [call])))

    assert judged(tmp_path) == []
