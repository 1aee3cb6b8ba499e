# Waiting for the writer: in a thread, or by being called.
import threading

import pytest
from tests.trail.samples import threads

from audit_mw.errors import AuditUnavailable
from audit_mw.trail.receipt import Receipt


def test_waits_until_answered() -> None:
    """
    Whoever waits goes on when it is answered, however many they are, and later too.
    """
    receipt = Receipt()
    with threads(*[receipt.wait] * 4) as waiting:
        assert not receipt.answered
        assert all(thread.is_alive() for thread in waiting)
        receipt.answer()
    receipt.wait()
    receipt.check()

    assert receipt.answered


def test_answered_with_an_error() -> None:
    """
    What failed is raised where it is waited for, as it was told.
    """
    receipt = Receipt()
    receipt.answer("no room")
    for ask in (receipt.wait, receipt.check):
        with pytest.raises(AuditUnavailable, match="no room"):
            ask()


def test_nobody_answers() -> None:
    """
    A wait that nobody ends is an error after its time.
    """
    receipt = Receipt()
    with pytest.raises(AuditUnavailable, match="stalls"):
        receipt.wait(0.01)
    with pytest.raises(AuditUnavailable, match="stalls"):
        receipt.check()
    receipt.answer()

    receipt.wait(0.01)


@pytest.mark.parametrize("first", [True, False], ids=["before", "after"])
def test_calls(*, first: bool) -> None:
    """
    Who asks to be called is called, whether it is answered already or not.
    """
    receipt, called = Receipt(), threading.Event()
    if first:
        receipt.answer()
    receipt.on_answer(called.set)
    assert first == called.is_set()
    receipt.answer()

    assert called.is_set()


def test_its_loop_is_closed() -> None:
    """
    A loop that was closed meanwhile does not end the writer.
    """

    def call() -> None:
        raise RuntimeError("Event loop is closed")

    receipt = Receipt()
    receipt.on_answer(call)
    receipt.answer()

    assert receipt.answered
