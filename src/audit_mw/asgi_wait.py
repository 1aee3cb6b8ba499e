# Waiting for the writer without holding the event loop.
#
# Its answer comes from a thread of its own. asyncio can be called from there; under
# trio, which this floor does not import, the task looks for it.
import asyncio
import sys
from typing import Any

from audit_mw.auditor import Receipt

__all__ = ["answered"]

_SECONDS = 20.0  # until a request gives up on a disk that stalls
_POLL = 0.002


async def answered(receipt: Receipt) -> None:
    """Wait until the writer is through with `receipt`, or does not answer."""
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        await _poll(receipt, sys.modules["trio"])
        return
    future: asyncio.Future[None] = loop.create_future()

    def settle() -> None:
        if not future.done():
            future.set_result(None)

    receipt.on_answer(lambda: loop.call_soon_threadsafe(settle))
    await asyncio.wait((future,), timeout=_SECONDS)


async def _poll(receipt: Receipt, trio: Any) -> None:
    with trio.move_on_after(_SECONDS):
        while not receipt.answered:
            await trio.sleep(_POLL)
