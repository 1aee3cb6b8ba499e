# Where an auditor keeps what it keeps.
from pathlib import Path

import pytest

from audit_mw.auditor import Auditor
from audit_mw.config import Config


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
