# A secret is sent in every place that we could think of; it must be nowhere.
#
# Each place of tests/canary/places.py and flows.py is tried with canaries of several kinds, over
# both interfaces, through the real middleware. Then all files of the trail are read. The
# canaries of a place share a trail: to open one takes longer than to fill it.
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from zlib import crc32

import pytest
from tests.canary.drive import DRIVERS, Request
from tests.canary.errors import ERRORS, ORIGINS, Fail, Make
from tests.canary.flows import FLOWS
from tests.canary.places import CANARIES, PLACES, Place
from tests.canary.spellings import leaks_in, readings
from tests.settling import settle

from audit_mw.event import Event, Hole, Opaque, Param, Redacted, Rest, Text, Upload
from audit_mw.trail.reader import read_events, segments


def kinds_over(interface: str, kinds: frozenset[str], text: str) -> list[str]:
    """Return which canaries go over an interface: each over ASGI, and two over WSGI."""
    ordered = sorted(kinds)
    if interface == "asgi":
        return ordered
    first = crc32(text.encode())

    return [ordered[turn % len(ordered)] for turn in (first, first + 1)]


CASES = [
    pytest.param(place, interface, id=f"{interface}: {place.id}")
    for place in (*PLACES, *FLOWS)
    for interface in DRIVERS
    if interface == "asgi" or not place.id.startswith("websocket")
]


@pytest.mark.parametrize(("place", "interface"), CASES)
def test_nowhere(place: Place, interface: str, tmp_path: Path) -> None:
    """A secret is in no file, and the record tells where one was, and how long."""
    kinds = kinds_over(interface, place.kinds, place.id)

    DRIVERS[interface]([place.make(CANARIES[kind]) for kind in kinds], tmp_path)

    read = [*readings(tmp_path)]
    assert [(kind, leaks_in(read, CANARIES[kind])) for kind in kinds] == [
        (kind, []) for kind in kinds
    ]
    for kind, event in zip(kinds, events(tmp_path, "request"), strict=True):
        assert not any(b"unparsed" in found for found in findings(event)), kind
        told_of = list(told(event, place))
        assert expected(place, CANARIES[kind]) in told_of, (kind, event.params)


FAULTS = [
    pytest.param(make, kinds, origin, interface, id=f"{interface}: {origin}")
    for origin, (make, kinds) in ORIGINS.items()
    for interface in DRIVERS
]


@pytest.mark.parametrize(("make", "kinds", "origin", "interface"), FAULTS)
def test_not_in_an_exception(
    make: Make, kinds: frozenset[str], origin: str, interface: str, tmp_path: Path
) -> None:
    """A secret that the application shows when it fails is in no file either."""
    failing = [
        (kind, failing_with(make, kind, fail))
        for style, fail in ERRORS.items()
        for kind in kinds_over(interface, kinds, origin + style)[-2:]
    ]

    DRIVERS[interface]([request for _, request in failing], tmp_path)

    used = sorted({kind for kind, _ in failing})
    read = [*readings(tmp_path)]
    assert [(kind, leaks_in(read, CANARIES[kind])) for kind in used] == [
        (kind, []) for kind in used
    ]
    faults = events(tmp_path, "fault")
    assert len(faults) == len(failing)
    assert all("traceback" in event.details for event in faults)


def failing_with(make: Make, kind: str, fail: Fail) -> Request:
    """Return a request with a canary, which the application shows as it fails."""
    shown = CANARIES[kind].decode("utf-8", "surrogateescape")

    return replace(make(CANARIES[kind]), error=lambda: fail(shown))


def findings(event: Event) -> list[bytes]:
    """Return what was odd about a request."""
    found = event.details.get("findings", [])
    assert isinstance(found, list)

    return found


def events(trail: Path, stream: str) -> list[Event]:
    """Return all events of a stream."""
    settle(trail)

    return [event for path in segments(trail, stream) for event in read_events(path)]


Told = tuple[str | None, int | None]


def expected(place: Place, canary: bytes) -> Told:
    """Return (class, length) as the record must tell them; None: any."""
    length = place.length(canary) if callable(place.length) else place.length

    return place.cls, length


def told(event: Event, place: Place) -> Iterator[Told]:
    """Yield (class, length) of all that is withheld at a place, also as "any"."""
    for cls, length in _withheld(event, place):
        yield cls, length
        yield None, length
        yield cls, None
        yield None, None


def _withheld(event: Event, place: Place) -> Iterator[tuple[str, int]]:
    if place.source == "path":
        yield from _holes(event.path)
    for param in event.params:
        if param.source == place.source and place.name in (None, param.name):
            yield from _of_param(param)


def _of_param(param: Param) -> Iterator[tuple[str, int]]:
    yield from _holes(param.name)
    if isinstance(param.value, Redacted):
        yield param.value.cls, param.value.len
    elif isinstance(param.value, Opaque):
        yield "opaque", param.value.len
    elif isinstance(param.value, Rest):
        yield "rest", param.value.len
    elif isinstance(param.value, Upload):
        if param.value.sha256 is None:
            yield "opaque", param.value.len
        yield from _holes(param.value.filename)
        yield from _holes(param.value.type)
    elif isinstance(param.value, tuple):
        yield from _holes(param.value)


def _holes(text: Text | None) -> Iterator[tuple[str, int]]:
    if isinstance(text, tuple):
        yield from (
            (part.cls or "spilled", part.len) for part in text if isinstance(part, Hole)
        )
