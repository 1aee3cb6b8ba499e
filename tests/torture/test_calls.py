# The thread that serves makes no system call for the log.
from pathlib import Path

import pytest
from tests.torture.calls import POLLING, SELDOM, compare
from tests.torture.marks import needs_strace


def unlike(requests: int, directory: Path) -> list[str]:
    """Return which calls the middleware makes more than it may."""
    typical, total = compare(requests, directory)
    print(f"{requests} requests, more with the middleware: {dict(total)}")
    often = [f"{it}: {n} each" for it, n in typical.items() if it not in POLLING]
    rest = [f"{it}: {n} in all" for it, n in total.items() if it not in SELDOM]

    return often + rest


@needs_strace
def test_calls(tmp_path: Path) -> None:
    """With the middleware 300 requests make no more system calls than without."""
    assert unlike(300, tmp_path) == []


@needs_strace
@pytest.mark.torture
def test_many_calls(tmp_path: Path) -> None:
    """With the middleware 10,000 requests make no more system calls than without."""
    assert unlike(10_000, tmp_path) == []
