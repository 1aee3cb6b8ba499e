import pytest
from tests.driving import calls, cpu_bound


def test_cpu_bound() -> None:
    """
    Work without end is broken off.
    """
    with pytest.raises(AssertionError, match="processor time"), cpu_bound(0.01):
        _forever()


def _forever() -> None:
    while True:
        pass


def test_calls() -> None:
    """
    Calls and returns are counted, C functions as well, and always the same number.
    """
    assert calls(lambda: [len("a") for _ in range(10)]) == calls(
        lambda: [len("a") for _ in range(10)]
    )
    assert calls(lambda: len("a")) < calls(lambda: (len("a"), len("b")))
