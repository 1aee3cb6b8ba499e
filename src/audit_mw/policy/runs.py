# Where a text has so many characters of one alphabet in a row.
#
# Nearly all that is made by a machine stands in such a run, and ordinary text has few.
# So a run is looked for before any pattern is: the text is mapped to two marks, and
# as many marks in a row are found by a search for fixed bytes, at the speed of memory.
# A pattern costs some hundred times that at each place where it might begin.
from collections.abc import Iterator

__all__ = ["Alphabet"]

_IN, _OUT = b"\1", b"\0"


class Alphabet:
    """
    Finds the runs of an alphabet.

    Args:
        members: its characters.
        least: how many in a row are a run.
    """

    def __init__(self, members: bytes, least: int) -> None:
        self._marks = bytes(byte in members for byte in range(256))
        self._run = _IN * least

    def runs(self, text: bytes) -> Iterator[tuple[int, int]]:
        """Yield where each run starts and ends, as long as it goes, in order."""
        marks = text.translate(self._marks)
        start = marks.find(self._run)
        while start >= 0:
            end = marks.find(_OUT, start)
            yield start, end if end >= 0 else len(text)
            start = marks.find(self._run, end) if end >= 0 else -1

    def around(self, text: bytes, needle: bytes) -> Iterator[tuple[int, int]]:
        """Yield, of the runs of any length, those in which `needle` stands."""
        marks = text.translate(self._marks)
        at = text.find(needle)
        while at >= 0:
            end = marks.find(_OUT, at)
            end = end if end >= 0 else len(text)
            yield marks.rfind(_OUT, 0, at) + 1, end
            at = text.find(needle, end)
