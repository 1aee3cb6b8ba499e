# Whether a line is spelt as the writer spells it: one spelling a value.
#
# The reader takes a line for what it means. Here it must also be what the coder would
# have written: whatever else means the same was written by somebody else. The order of
# the keys of details is not judged, since later versions have more of them.
from collections.abc import Iterator, Mapping

from audit_mw.event import (
    Event,
    Hole,
    Opaque,
    Param,
    Rest,
    Spill,
    Spilled,
    Text,
    Upload,
)
from audit_mw.trail.params import encode_details
from audit_mw.trail.record import (
    COLUMNS,
    Record,
    StoredValue,
    draft_event,
    encode_value_line,
    finish_line,
)

__all__ = ["misspelling", "named_by", "named_values"]

_TEXTS = ("service", "client", "peer", "user", "method", "path", "action")
_DETAILS = [column.name for column in COLUMNS].index("details")


def misspelling(text: bytes, item: Record | StoredValue) -> str | None:
    """Return what is spelt otherwise than it would be written, if anything is."""
    if isinstance(item, StoredValue):
        spill = Spill(item.sha256, item.value)
        same = text == encode_value_line(item.time, item.event, spill)
        return None if same else "a value that is spelt otherwise than we write it"
    spelt = finish_line(draft_event(item.event), item.seq)
    if text == spelt:
        return None
    wrong = list(_differing(text, spelt, item.event))

    return f"{', '.join(wrong)} spelt otherwise than we write it" if wrong else None


def _differing(text: bytes, spelt: bytes, event: Event) -> Iterator[str]:
    details = event.details
    as_ordered = encode_details(details, {key: at for at, key in enumerate(details)})
    pairs = zip(text[:-1].split(b"\t"), spelt[:-1].split(b"\t"), strict=True)
    for at, (cell, expected) in enumerate(pairs):
        if at == _DETAILS:
            expected = as_ordered  # noqa: PLW2901 - the one column with an order
        # The check is over all, so it differs wherever anything does.
        if cell != expected and at != len(COLUMNS) - 1:
            yield COLUMNS[at].name


def named_values(event: Event) -> Iterator[Spilled | Rest]:
    """Yield what a record names of the values stream."""
    for name in _TEXTS:
        yield from _in_text(getattr(event, name))
    for param in event.params:
        yield from named_by(param)
    yield from _in_detail(event.details)


def named_by(param: Param) -> Iterator[Spilled | Rest]:
    """Yield what a param names of the values stream."""
    value = param.value
    yield from _in_text(param.name)
    if isinstance(value, (Spilled, Rest)):
        yield value
    elif isinstance(value, Upload):
        yield from _in_text(value.filename)
        yield from _in_text(value.type)
    elif isinstance(value, Opaque):
        yield from _in_text(value.type)
    elif isinstance(value, tuple):
        yield from _in_text(value)


def _in_text(text: Text | None) -> Iterator[Spilled]:
    for part in text if isinstance(text, tuple) else ():
        if isinstance(part, Hole) and part.sha256 is not None:
            yield Spilled(part.len, part.sha256)


def _in_detail(value: object) -> Iterator[Spilled]:
    if isinstance(value, tuple):
        yield from _in_text(value)
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _in_detail(item)
    elif isinstance(value, list):
        for item in value:
            yield from _in_detail(item)
