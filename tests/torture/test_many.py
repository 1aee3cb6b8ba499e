# Processes by the dozen on one trail, its files renamed, the clock moved.
from pathlib import Path

import pytest
from tests.torture.many import run_many
from tests.torture.marks import needs_cc


@needs_cc
def test_moved_clock(tmp_path: Path) -> None:
    """Lines are whole and numbers complete, whatever the clock and logrotate do."""
    assert run_many(tmp_path, 4, 300) == []

    names = {path.name[:13] for path in (tmp_path / "trail" / "request").iterdir()}
    assert len(names) > 1


@needs_cc
@pytest.mark.torture
def test_eight_processes(tmp_path: Path) -> None:
    """Eight processes with 20,000 records each leave 160,000 whole lines."""
    assert run_many(tmp_path, 8, 20_000) == []
