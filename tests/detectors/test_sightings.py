# What one process remembers of sessions and peers, and how it forgets.
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from tests.strategies import few, raw

from audit_mw.policy.client import Client
from audit_mw.sightings import Sightings, network_of


def _client(address: bytes | None) -> Client:
    return Client(address, "direct", trusted=False)


_HERE, _THERE = _client(b"192.0.2.7"), _client(b"203.0.113.5")


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        (b"192.0.2.7", b"192.0.2.7"),
        (b"2001:db8::1", b"2001:db8::/64"),
        (b"2001:db8:0:0:ffff::1", b"2001:db8::/64"),
        (b"unix", None),
        (b"\xff", None),
        (b"", None),
    ],
)
def test_network(address: bytes, expected: bytes | None) -> None:
    """An address of IPv4 stands for itself, one of IPv6 for its /64."""
    assert network_of(address) == expected


def test_no_address() -> None:
    """Where there is no address nothing is new."""
    sightings = Sightings(declared=True)

    assert sightings.see("s", _HERE) == ()
    assert sightings.see("s", _client(None)) == ()
    assert sightings.see("s", _client(b"unix")) == ()


def test_bounded() -> None:
    """Memory does not grow with the sessions, and those in use stay."""
    sightings = Sightings(declared=True, sessions=100)
    sightings.see("in use", _HERE)
    for number in range(10_000):
        sightings.see(f"{number}", _HERE)
        if number % 50 == 0:
            sightings.see("in use", _HERE)

    assert len(sightings) <= 200
    assert sightings.see("in use", _THERE) == (b"192.0.2.7",)
    assert sightings.see("0", _THERE) == ()


def test_addresses_are_bounded() -> None:
    """Of one session the last few addresses are remembered."""
    sightings = Sightings(declared=True)
    before: tuple[bytes, ...] = ()
    for number in range(100):
        before = sightings.see("s", _client(b"192.0.2.%d" % number))

    assert before == tuple(b"192.0.2.%d" % number for number in range(91, 99))


def test_peers() -> None:
    """Where no proxy is declared a peer is news once; else each time."""
    undeclared, declared = Sightings(declared=False), Sightings(declared=True)

    assert [undeclared.is_news(each) for each in (_HERE, _HERE, _THERE)] == [
        True,
        False,
        True,
    ]
    assert [declared.is_news(_HERE), declared.is_news(_HERE)] == [True, True]


def test_undeclared_proxy() -> None:
    """Proxies that nobody declared are one place; who forges a claim comes from it."""
    behind, before = Sightings(declared=False), Sightings(declared=False)
    before.see("s", _HERE)
    first, second = _client(b"10.0.0.1"), _client(b"10.0.0.2")

    assert behind.see("s", first, claims=True) == ()
    assert behind.see("s", second, claims=True) == ()
    assert behind.see("s", _HERE) == (b"undeclared proxy",)
    assert before.see("s", _HERE, claims=True) == ()
    assert before.see("s", first, claims=True) == (b"192.0.2.7",)


def test_threads() -> None:
    """Threads that meet lose nothing but a sighting, and never fail."""
    sightings = Sightings(declared=True, sessions=50)

    def look(thread: int) -> None:
        client = _client(b"192.0.2.%d" % thread)
        for number in range(2000):
            sightings.see(f"{number % 120}", client)
            sightings.is_news(client)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(look, range(8)))

    # Two that turn the generation at once may each leave what the other made.
    assert len(sightings) <= 2 * (50 + 8)


@few
@given(raw)
def test_any_address(address: bytes) -> None:
    """Whatever stands for an address, it is remembered or not, and no error."""
    sightings = Sightings(declared=False)
    sightings.see("s", _HERE)

    sightings.see("s", _client(address), claims=True)
    assert sightings.is_news(_client(address))
