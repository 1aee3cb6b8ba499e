# What a trail on the console needs, and is told at start.
from pathlib import Path

import pytest

from audit_mw import AuditMiddleware
from audit_mw.config import Config
from audit_mw.errors import ConfigError

GIVEN = {"trail": "stdout", "journal_dir": "journals", "key": bytes(32)}


def test_defaults() -> None:
    """A record is shorter than what collectors split, and the journals are at home."""
    config = Config.load(GIVEN, {})

    assert (config.max_record, config.home, config.is_console) == (
        12 << 10,
        "journals",
        True,
    )


@pytest.mark.parametrize(
    ("options", "name", "right"),
    [
        pytest.param({"journal_dir": None}, "journal_dir", "directory", id="journals"),
        pytest.param({"key": None}, "key", "give key or key_file", id="key"),
        pytest.param({"max_record": "16KiB"}, "max_record", "12288", id="too long"),
        pytest.param({"max_record": "64KiB"}, "max_record", "12288", id="of files"),
        pytest.param({"max_record": 8191}, "max_record", "8192", id="too short"),
    ],
)
def test_wrong(options: dict[str, object], name: str, right: str) -> None:
    """What is missing, or too large, is an error before anything is served."""
    with pytest.raises(ConfigError, match=right) as caught:
        AuditMiddleware(lambda _environ, _start: [], **GIVEN | options)

    assert caught.value.option == name


def test_key_file() -> None:
    """A file with the key does as well; it is read when the trail is opened."""
    config = Config.load({**GIVEN, "key": None, "key_file": "key"}, {})

    assert config.key_file == "key"


def test_environment() -> None:
    """A service that is configured by its environment says the same there."""
    environ = {
        "AUDIT_MW_TRAIL": "stderr",
        "AUDIT_MW_JOURNAL_DIR": "/journals",
        "AUDIT_MW_KEY": "A" * 44,
        "AUDIT_MW_MAX_RECORD": "8KiB",
    }
    config = Config.load({}, environ)

    assert (config.trail, config.home, config.max_record) == (
        "stderr",
        "/journals",
        8 << 10,
    )


def test_directory_of_that_name(tmp_path: Path) -> None:
    """A directory that is called stdout is one, when it is given as a path."""
    config = Config.load({"trail": f"{tmp_path}/stdout"}, {})

    assert (config.is_console, config.home) == (False, f"{tmp_path}/stdout")
