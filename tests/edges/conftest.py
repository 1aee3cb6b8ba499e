import gc
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.edges.audited import Audited
from tests.edges.broken import BreakableTrail, await_ready


@pytest.fixture
def audited(tmp_path: Path) -> Iterator[Audited]:
    """Wrap applications around a trail of this test's own; no slot may be left in use."""
    gc.freeze()  # what was there before need not be looked through again
    audited = Audited(tmp_path / "trail")
    yield audited
    try:
        gc.collect()  # a result that nobody closed ends with its last reference
        assert audited.slots_in_use() == 0
    finally:
        gc.unfreeze()
        audited.close()


@pytest.fixture
def breakable(audited: Audited) -> Iterator[BreakableTrail]:
    """Return the trail of `audited`, to be broken; it is whole again afterwards."""
    breakable = BreakableTrail(audited.trail)
    yield breakable
    breakable.give_back()
    await_ready(audited)


@pytest.fixture
def values(audited: Audited) -> Iterator[BreakableTrail]:
    """Return the trail of `audited`, of which the stream of values can be broken."""
    breakable = BreakableTrail(audited.trail, "values")
    yield breakable
    breakable.give_back()
    await_ready(audited)
