from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.edges.audited import Audited
from tests.voice.stages import INTERFACES, Stage


@pytest.fixture
def audited(tmp_path: Path) -> Iterator[Audited]:
    """Wrap applications around a trail of this test's own."""
    audited = Audited(tmp_path / "trail")
    yield audited
    audited.close()


@pytest.fixture(params=INTERFACES)
def stage(request: pytest.FixtureRequest, audited: Audited) -> Stage:
    """Return an application of either interface."""
    return Stage(request.param, audited)
