# Many lines at once: whether the length and the check of each fit it.
#
# Who has to know of all lines that they are whole, and of none what it means, asks
# here: one line at a time costs seven times as much. Where it was built, the compiled
# one serves (`_lines`), which does the same.
from audit_mw.trail.record import is_whole

try:
    from audit_mw.trail import _lines
except ImportError:  # there was no compiler when it was installed
    _lines = None  # type: ignore[assignment] # what a module that is not there is

__all__ = ["count_whole"]


def count_each(text: bytes) -> tuple[int, int]:
    """
    Return how many lines of a text are whole, up to the first that is not.

    Args:
        text: begins with a line; its last one may be cut.

    Returns:
        The lines, and their bytes.
    """
    count = at = 0
    while behind := text.find(b"\n", at) + 1:
        if not is_whole(text[at:behind]):
            break
        count, at = count + 1, behind

    return count, at


count_whole = count_each if _lines is None else _lines.count_whole
