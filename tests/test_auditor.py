# Where an auditor keeps what it keeps.
import gc
from pathlib import Path

import pytest
from tests.edges.audited import read_trail
from tests.trail.samples import wait_until

from audit_mw.auditor import Auditor
from audit_mw.config import Config
from audit_mw.errors import AuditUnavailable


def test_key_stays_with_the_trail(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A relative trail is where it was named, its key too, after a change of directory."""
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    auditor = Auditor(Config.load({"trail": "trail"}, {}), "shop")
    monkeypatch.chdir(tmp_path / "elsewhere")
    auditor.open()
    auditor.close()

    assert (tmp_path / "trail" / ".key").is_file()
    assert not (tmp_path / "elsewhere" / "trail").exists()


def test_trail_that_cannot_be(tmp_path: Path) -> None:
    """A trail that cannot be made is named, with the reason."""
    (tmp_path / "file").touch()
    auditor = Auditor(Config.load({"trail": str(tmp_path / "file")}, {}), "shop")

    with pytest.raises(
        AuditUnavailable, match=r"the trail '.*/file' takes no record: ENOTDIR"
    ):
        auditor.open()


def test_dropped(tmp_path: Path) -> None:
    """
    What drops its application, as a test of one does, keeps no thread and no journal.
    """
    before = len(list(Path("/proc/self/task").iterdir()))
    auditor = Auditor(Config.load({"trail": str(tmp_path)}, {}), "shop")
    auditor.open()
    journals = tmp_path / ".journal"
    assert list(journals.iterdir()) != []
    del auditor
    gc.collect()

    wait_until(lambda: list(journals.iterdir()) == [])
    wait_until(lambda: len(list(Path("/proc/self/task").iterdir())) <= before)
    *_, ended = read_trail(tmp_path, "system")
    assert ended.type == "sys_shutdown"
