# Which bytes are judged: those that are there when it begins, though writers go on.
#
# Rule 1: what names something is looked at before what it names. `system` comes first,
#         since it tells where each stream ended; values come last, since a record names
#         them; and of a stream the newest file comes first. So what a writer, or who
#         rotates, does meanwhile makes no gap.
# Rule 2: a file is known again wherever it is by then (`trail.seen`).
import fcntl
import os
from contextlib import suppress
from pathlib import Path

from audit_mw.event import STREAMS
from audit_mw.trail.reader import segments
from audit_mw.trail.record import VALUES
from audit_mw.trail.seen import Seen, look, open_seen

__all__ = ["Seen", "is_being_written", "open_seen", "take_snapshot", "unread"]

_ORDER = ("system", *(stream for stream in STREAMS if stream != "system"), VALUES)


def take_snapshot(trail: Path) -> dict[str, list[Seen]]:
    """Return the segments of each stream, the oldest first; values are the last."""
    return {stream: look(trail, stream) for stream in _ORDER}


def unread(trail: Path) -> int:
    """Return how many files stand among the segments that are none of ours."""
    count = 0
    for stream in _ORDER:
        with suppress(FileNotFoundError, NotADirectoryError):
            names = [path.name for path in (trail / stream).iterdir()]
            known = {path.name for path in segments(trail, stream)}
            count += sum(
                name not in known and not name.endswith((".index", ".new", ".zst"))
                for name in names
            )

    return count


def is_being_written(path: Path, size: int) -> bool:
    """Tell whether a segment that had `size` bytes is, or was since, appended to."""
    with suppress(FileNotFoundError), path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        return os.fstat(file.fileno()).st_size != size

    return True  # renamed meanwhile: whoever rotates does so with one that is written
