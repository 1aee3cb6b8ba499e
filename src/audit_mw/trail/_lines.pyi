from collections import deque
from collections.abc import Iterable

from audit_mw.trail.entry import Entry
from audit_mw.trail.slots import Block, Slot

def count_whole(text: bytes) -> tuple[int, int]: ...
def finish_lines(entries: Iterable[Entry]) -> bytes: ...
def free_slots(
    entries: Iterable[Entry],
    blocks: tuple[Block, ...],
    small: deque[Slot],
    large: deque[Slot],
) -> None: ...
def number_entries(entries: list[Entry], first: int) -> None: ...
def take_entries(
    queue: deque[Entry], entries: list[Entry], most: int, most_bytes: int
) -> None: ...
