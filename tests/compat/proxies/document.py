# The blocks of docs/proxies.md that are run, and how ports and paths of a test come
# into the place of those that are printed.
import re
from collections.abc import Mapping

from tests.serving import ROOT

__all__ = ["PRINTED", "append", "block", "put"]

# What the page prints, and what stands there in a test: addresses that loopback has.
PRINTED = {"127.0.0.5": "192.0.2.7"}

_BLOCK = re.compile(
    r"<!-- proxy: ([^>]+?) -->\n```\w+\n(.*?)^```$", re.DOTALL | re.MULTILINE
)
_BLOCKS = dict(_BLOCK.findall((ROOT / "docs/proxies.md").read_text()))


def block(name: str) -> str:
    """Return the text of the block called `name`."""
    return str(_BLOCKS[name])


def put(text: str, changes: Mapping[str, object]) -> str:
    """Return `text` with each key, which must be there, replaced by its value."""
    for old, new in changes.items():
        assert old in text, f"{old!r} is not in:\n{text}"
        text = text.replace(old, str(new))

    return text


def append(text: str, line: str, more: str) -> str:
    """Return `text` with more lines behind one that must be there."""
    return put(text, {line: f"{line}\n{more}"})
