# Which segments can have what a question asks for: told by their indexes and names.
#
# Rule: a segment is left out only where it cannot have any of it. A spilled value has
#       the time of the first record that had it, and later ones name it as well, so of
#       values an index says nothing, and the end of a question's time neither.
from contextlib import suppress
from pathlib import Path

from audit_mw.errors import DamagedRecord
from audit_mw.trail.index import Index, read_index
from audit_mw.trail.names import period_of
from audit_mw.trail.record import VALUES
from audit_mw.trail.seen import Seen, look
from audit_mw.trail.span import Span

__all__ = ["chosen", "index_of"]

_SLACK_SECONDS = 86_400


def chosen(trail: Path, stream: str, span: Span) -> list[Seen]:
    """
    Return the segments of a stream that can have records of a time range.

    Raises:
        OSError: the directory cannot be read.
    """
    may_have = _may_have_value if stream == VALUES else _may_have

    return [seen for seen in look(trail, stream) if may_have(seen, span)]


def _may_have(seen: Seen, span: Span) -> bool:
    return span.is_all or span.may_have(seen)


def _may_have_value(seen: Seen, span: Span) -> bool:
    period = period_of(seen.path.name)
    if period is None or span.since is None:
        return True

    return (period.end + _SLACK_SECONDS) * 1_000_000 > span.since


def index_of(seen: Seen) -> Index | None:
    """Return the index of an archive, if there is one and it is of this archive."""
    if not seen.is_packed:
        return None  # it may have grown since
    with suppress(DamagedRecord, OSError):
        index = read_index(seen.path)
        if index and sum(frame.packed for frame in index.frames) == seen.size:
            return index

    return None
