# What a process says of itself when it starts.
import os
import subprocess
import sys
from dataclasses import fields, replace
from pathlib import Path

import pytest

from audit_mw.config import Config
from audit_mw.startup import _text, _version, config_digest, startup_details
from audit_mw.trail.params import decode_details, encode_details
from audit_mw.trail.record import DETAILS

KEY = bytes(range(32))
ODD = "caf\udce9"  # a path that is no UTF-8


def config_of(trail: Path, **options: object) -> Config:
    """Return options as they are given."""
    return Config.load({"trail": str(trail), **options}, {})


def details_of(trail: Path, **options: object) -> dict[str, object]:
    """Return the details of a process with these options, through the record."""
    config = config_of(trail, **options)
    details = startup_details(config, KEY, trail / ".journal")
    order = {key: place for place, key in enumerate(DETAILS)}

    return decode_details(encode_details(details, order))


def test_facts(tmp_path: Path) -> None:
    """All keys are in the table, and what is known is what is so."""
    details = details_of(tmp_path, version="2026.11.1")

    assert set(details) <= set(DETAILS)
    assert details["version"] == b"2026.11.1"
    assert details["python"] == ".".join(map(str, sys.version_info[:3])).encode()
    assert details["durability"] == b"process"
    assert details["uid"] == os.geteuid()
    assert isinstance(details["audit_mw"], bytes)


def test_what_is_not_known(tmp_path: Path) -> None:
    """What nobody told is left out, and no null stands in its place."""
    details = details_of(tmp_path)

    assert "version" not in details
    assert b"null" not in encode_details(details, {})


@pytest.mark.skipif(sys.platform != "linux", reason="needs Linux")
def test_machine(tmp_path: Path) -> None:
    """The boot of the machine, and on what the journal lies, beside the trail or not."""
    details = details_of(tmp_path)
    journal = details["journal"]
    apart = startup_details(config_of(tmp_path), KEY, Path("/proc/self"))["journal"]

    assert details["boot_id"] == (
        Path("/proc/sys/kernel/random/boot_id").read_bytes().strip()
    )
    assert isinstance(journal, dict)
    assert journal["with_trail"] is True
    assert apart == {"file_system": b"proc", "in_memory": False, "with_trail": False}


def test_a_trail_that_is_not_there(tmp_path: Path) -> None:
    """A trail and a journal that will be made are told by where they will be made."""
    assert details_of(tmp_path)["journal"] == details_of(tmp_path / "a/b")["journal"]


def test_servers() -> None:
    """Each server that is loaded is named with its version."""
    script = (
        "import uvicorn, waitress, importlib.metadata as m\n"
        "from audit_mw.startup import _servers\n"
        "print(*[each.decode() for each in _servers()], sep=',')\n"
        "print('uvicorn', m.version('uvicorn'), end=',')\n"
        "print('waitress', m.version('waitress'))\n"
    )
    said = subprocess.check_output([sys.executable, "-c", script], text=True)
    found, expected = said.splitlines()

    assert found == expected


def test_a_package_that_is_not_installed() -> None:
    """A version that nobody knows is left out, and so is what has none."""
    assert _version("audit-mw-of-another-name") is None
    assert _text(_version("audit-mw-of-another-name")) is None


# --- the digest


def test_same_options(tmp_path: Path) -> None:
    """However the same options are given, their digest is the same."""
    as_keywords = config_of(tmp_path, max_body=1 << 20, secret_names=["pin", "tan"])
    environ = {"AUDIT_MW_TRAIL": str(tmp_path), "AUDIT_MW_SECRET_NAMES": "pin,tan"}
    as_variables = Config.load({}, environ)

    assert config_digest(as_keywords, KEY) == config_digest(as_variables, KEY)


@pytest.mark.parametrize(
    "options",
    [
        pytest.param({"rotate": "hour"}, id="word"),
        pytest.param({"max_body": 1 << 21}, id="number"),
        pytest.param({"secret_names": ["pin"]}, id="list"),
        pytest.param({"service": ODD}, id="no UTF-8"),
        pytest.param({"version": "2"}, id="version"),
        pytest.param({"min_free": "9%,5%,1%"}, id="thresholds"),
        pytest.param({"tls_fields": {"tls_version": "x-tls"}}, id="table"),
    ],
)
def test_other_options(tmp_path: Path, options: dict[str, object]) -> None:
    """An option that is another makes another digest."""
    digests = {
        config_digest(config_of(tmp_path, **given), KEY) for given in ({}, options)
    }

    assert len(digests) == 2


def test_every_option_counts(tmp_path: Path) -> None:
    """There is no option whose change the digest does not show."""
    config = config_of(tmp_path)
    changed = [
        replace(config, **{option.name: "changed"})  # type: ignore[arg-type] # so is any
        for option in fields(config)
        if option.name != "key"
    ]
    digests = {config_digest(each, KEY) for each in (config, *changed)}

    assert len(digests) == len(fields(config))


def test_key(tmp_path: Path) -> None:
    """The key counts by its id, wherever it is from, and it is not on record."""
    given = config_of(tmp_path, key=KEY)
    found = config_of(tmp_path)
    other = bytes(32)
    details = encode_details(details_of(tmp_path, key=KEY), {})

    assert config_digest(given, KEY) == config_digest(found, KEY)
    assert config_digest(given, KEY) != config_digest(found, other)
    assert KEY not in details
    assert KEY.hex().encode() not in details
