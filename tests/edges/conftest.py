import gc
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.edges.audited import Audited


@pytest.fixture
def audited(tmp_path: Path) -> Iterator[Audited]:
    """Wrap applications around a trail of this test's own; no slot may be left in use."""
    audited = Audited(tmp_path / "trail")
    yield audited
    try:
        gc.collect()  # a result that nobody closed ends with its last reference
        assert audited.slots_in_use() == 0
    finally:
        audited.close()
