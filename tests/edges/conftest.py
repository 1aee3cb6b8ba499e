from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.edges.audited import Audited


@pytest.fixture
def audited(tmp_path: Path) -> Iterator[Audited]:
    """Wrap applications around a trail of this test's own."""
    audited = Audited(tmp_path / "trail")
    yield audited
    audited.close()
