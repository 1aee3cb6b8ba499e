# What the application adds: never raises but for what nobody could record, is read back
# as it was said, and takes no more of a record than it may.
import math
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum
from pathlib import PurePosixPath
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.strategies import few

from audit_mw.app_details import AppDetails
from audit_mw.config import Config
from audit_mw.event import Hole
from audit_mw.policy.keyring import Keyring
from audit_mw.policy.redaction import Redactor
from audit_mw.policy.remembered import Known
from audit_mw.spilling import Spilling
from audit_mw.trail.params import decode_details, encode_details

CONFIG = Config.load({}, {})
REDACTOR = Redactor(CONFIG, Keyring(bytes(32)))
MOST = 512


def encode(details: Mapping[str, object]) -> bytes:
    """Return details as a record has them."""
    return encode_details(details, {})


def told(value: object, *secrets: bytes) -> tuple[Any, Spilling]:
    """Return what is kept of a value, and what it spills."""
    spilling = Spilling(CONFIG, 32 << 10)
    details = AppDetails(REDACTOR, spilling, Known(secrets), encode)

    return details.fit("app", {"v": value}, MOST), spilling


class Colour(Enum):
    RED = "red"


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        (None, None),
        (True, True),
        (17, 17),
        (-(1 << 63), -(1 << 63)),
        (1 << 63, b"%d" % (1 << 63)),
        (1.5, b"1.5"),
        (math.nan, b"nan"),
        (Decimal("12.50"), b"12.50"),
        (datetime(2026, 11, 21, tzinfo=UTC), b"2026-11-21 00:00:00+00:00"),
        (UUID(int=7), str(UUID(int=7)).encode()),
        (PurePosixPath("/a/b"), b"/a/b"),
        (Colour.RED, b"red"),
        ("é\t", "é\t".encode()),
        (b"\xff", b"\xff"),
        (bytearray(b"x"), b"x"),
        (("a", 1), [b"a", 1]),
        ({"a": {"b": []}}, {"a": {"b": []}}),
        ({1: 2}, {"1": 2}),
        ("", b""),
        ("-", b"-"),
        (4111111111111111, (Hole(16, "card"),)),
    ],
    ids=repr,
)
def test_kinds(value: object, kept: object) -> None:
    """Each kind of value is kept as text, number, list or mapping."""
    assert told(value)[0] == {"v": kept}


def test_huge_number() -> None:
    """A number that no text is made of is kept in hex."""
    made, spilling = told(1 << 20_000)

    assert made["v"][0].len == 5003
    assert spilling.spills[0].value.startswith(b"0x1000")


@pytest.mark.parametrize("value", [object(), [{"a": object()}], lambda: 1, type])
def test_no_text(value: object) -> None:
    """An object whose text would tell nothing is an error that says what it is."""
    with pytest.raises(TypeError, match="cannot be recorded: say what of it"):
        told(value)


def test_cycle() -> None:
    """What contains itself is an error, as is what is nested too deep."""
    cycle: list[object] = []
    cycle.append(cycle)
    with pytest.raises(ValueError, match="nested deeper"):
        told(cycle)


def test_awkward_keys() -> None:
    """A key that is long, or holds a secret, stands as a value: keys have no holes."""
    made, _ = told({"k" * 300: 1, "hunter2": 2, "fine": 3}, b"hunter2")

    assert made["v"] == {
        "key 0": [(Hole(300, sha256=made["v"]["key 0"][0][0].sha256),), 1],
        "key 1": [(Hole(7, "password"),), 2],
        "fine": 3,
    }


@pytest.mark.parametrize(
    "value",
    [
        {"name": "password", "value": "Zq8xkW8v"},
        [("password", "Zq8xkW8v")],
        [["X-Api-Key", "Zq8xkW8v"], ["Accept", "*/*"]],
        {"headers": [("Authorization", "Zq8xkW8v")]},
        {"key": "9f86d081884c7d659a2feaa0c55ad015"},
        {"code": "482913"},
    ],
    ids=repr,
)
def test_named_beside(value: object) -> None:
    """A secret is known by the name that stands beside it, too, and by name and form."""
    coded = encode({"app": told(value)[0]})

    for secret in (b"Zq8xkW8v", b"9f86d081884c7d65", b"482913"):
        assert secret not in coded


def test_beside_a_name() -> None:
    """A member that is called by its own name is known by that."""
    made, _ = told({"name": "alice", "password": "Zq8xkW8v", "value": "v"})

    assert made["v"] == {
        "name": b"alice",
        "password": (Hole(8, "password"),),
        "value": b"v",
    }


def test_names_of_keywords() -> None:
    """The application's own names are not blanked out by what a client sent."""
    known = Known([b"status", b"owner", b"hunter2"])
    details = AppDetails(REDACTOR, Spilling(CONFIG), known, encode)
    named = details.named({"status": 403, "owner": "bob", "k" * 99: 1, "hunter2": 2})

    assert list(named) == ["status", "owner", "key 2", "key 3"]
    assert named["key 3"] == [(Hole(7, "password"),), 2]


def test_keys_that_meet() -> None:
    """Keys that are one text, and those of ours, stand beside each other."""
    made, _ = told({1: "a", "1": "b", "key 3": "c", "k" * 99: "d"})

    assert len(made["v"]) == 4


words = st.text(st.characters(codec=None))  # halves of surrogate pairs, too
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | words | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(words | st.binary(), inner),
    max_leaves=40,
)


def test_deepest() -> None:
    """The deepest that an application may say is read back, its keys withheld too."""
    value: object = {}
    for _ in range(8):
        value = {"hunter2": value}
    made = AppDetails(
        REDACTOR, Spilling(CONFIG, 32 << 10), Known((b"hunter2",)), encode
    ).value("app", value)
    coded = encode({"app": made})

    assert b"hunter2" not in coded
    assert decode_details(coded) == {"app": made}


@few
@given(values, st.lists(st.binary(min_size=1), max_size=3))
def test_any_value(value: object, secrets: list[bytes]) -> None:
    """Any value is kept, within its bytes, and read back as it was kept."""
    try:
        made, spilling = told(value, *secrets)
    except ValueError as error:
        assert "nested deeper" in str(error)  # noqa: PT017 - the only reason
        return
    coded = encode({"app": made})

    assert len(coded) <= MOST + 100
    assert decode_details(coded) == {"app": made}
    for spill in spilling.spills:
        assert spill.value
