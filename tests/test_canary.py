# A secret is sent in every place that we could think of; it must be nowhere.
#
# Each place of tests/canary/places.py and flows.py is tried with canaries of several kinds, over
# both interfaces, through the real middleware. Then all files of the trail are read.
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from zlib import crc32

import pytest
from tests.canary.drive import DRIVERS
from tests.canary.errors import ERRORS, ORIGINS, Fail, Make
from tests.canary.flows import FLOWS
from tests.canary.places import CANARIES, PLACES, Place
from tests.canary.spellings import leaks
from tests.settling import settle

from audit_mw.event import Event, Hole, Opaque, Param, Redacted, Rest, Text, Upload
from audit_mw.trail.reader import read_events, segments


def turns(kinds: frozenset[str], text: str) -> Iterator[tuple[str, str]]:
    """Yield (interface, canary): each canary over ASGI, and two over WSGI."""
    ordered = sorted(kinds)
    yield from (("asgi", kind) for kind in ordered)
    first = crc32(text.encode())
    for turn in {first % len(ordered), (first + 1) % len(ordered)}:
        yield "wsgi", ordered[turn]


CASES = [
    pytest.param(place, kind, interface, id=f"{interface}: {place.id}: {kind}")
    for place in (*PLACES, *FLOWS)
    for interface, kind in turns(place.kinds, place.id)
    if interface == "asgi" or not place.id.startswith("websocket")
]


@pytest.mark.parametrize(("place", "kind", "interface"), CASES)
def test_nowhere(place: Place, kind: str, interface: str, tmp_path: Path) -> None:
    """A secret is in no file, and the record tells where one was, and how long."""
    canary = CANARIES[kind]
    request = place.make(canary)

    DRIVERS[interface](request, tmp_path)

    assert leaks(tmp_path, canary) == []
    [event] = events(tmp_path, "request")
    assert not any(b"unparsed" in found for found in findings(event))
    assert expected(place, canary) in list(told(event, place)), event.params


FAULTS = [
    pytest.param(
        make, fail, kind, interface, id=f"{interface}: {origin}, {style}: {kind}"
    )
    for origin, (make, kinds) in ORIGINS.items()
    for style, fail in ERRORS.items()
    for interface, kind in list(turns(kinds, origin + style))[-4:]
]


@pytest.mark.parametrize(("make", "fail", "kind", "interface"), FAULTS)
def test_not_in_an_exception(
    make: Make, fail: Fail, kind: str, interface: str, tmp_path: Path
) -> None:
    """A secret that the application shows when it fails is in no file either."""
    canary = CANARIES[kind]
    shown = canary.decode("utf-8", "surrogateescape")
    request = replace(make(canary), error=lambda: fail(shown))

    DRIVERS[interface](request, tmp_path)

    assert leaks(tmp_path, canary) == []
    [event] = events(tmp_path, "fault")
    assert "traceback" in event.details


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
