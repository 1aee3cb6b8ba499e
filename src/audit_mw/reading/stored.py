# The exact values of an event that are not in its record.
#
# A record names a spilled value by its digest, in params, in texts and in details, and
# a rest of params that names more. They are all looked up at once: the values stream
# has no order, and is read through for them.
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from audit_mw.errors import DamagedRecord
from audit_mw.event import Event, Hole, Param, Rest, Spilled
from audit_mw.trail.params import decode_params
from audit_mw.trail.reader import Damage, find_values

__all__ = ["load_stored", "params_of"]

_TEXTS = ("service", "client", "peer", "user", "method", "path", "action")


def load_stored(
    trail: Path, events: Iterable[Event], damages: list[Damage] | None = None
) -> dict[str, bytes]:
    """
    Return the values that events name, by digest, as far as the trail has them.

    Args:
        trail: the directory, or a captured console.
        events: of which the values are wanted.
        damages: gets what is wrong with segments that may have had what is not found.
    """
    given = list(events)
    wanted = {digest for event in given for digest in _named(event)}
    stored = find_values(trail, wanted, damages) if wanted else {}
    inside = {
        digest
        for event in given
        for param in params_of(event, stored)
        for digest in _digests((param.name, param.value))
    }
    missing = inside - set(stored) - wanted

    return stored | (find_values(trail, missing, damages) if missing else {})


def params_of(event: Event, stored: Mapping[str, bytes]) -> Iterator[Param]:
    """Yield the params of an event, those of a stored rest in its place."""
    for param in event.params:
        if isinstance(param.value, Rest) and param.value.sha256 in stored:
            try:
                yield from decode_params(stored[param.value.sha256])
                continue
            except DamagedRecord:  # it is shown as what it is
                pass
        yield param


def _named(event: Event) -> Iterator[str]:
    for param in event.params:
        yield from _digests((param.name, param.value))
    yield from _digests(getattr(event, name) for name in _TEXTS)
    yield from _digests(event.details.values())


def _digests(values: Iterable[object]) -> Iterator[str]:
    for value in values:
        if isinstance(value, Spilled | Rest | Hole):
            if value.sha256 is not None:
                yield value.sha256
        elif isinstance(value, tuple | list):
            yield from _digests(value)
        elif isinstance(value, Mapping):
            yield from _digests(value.values())
