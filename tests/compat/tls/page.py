# The blocks of docs/tls.md that are run.
import re

from tests.serving import ROOT

__all__ = ["block"]

_BLOCK = re.compile(
    r"<!-- tls: ([^>]+?) -->\n```\w+\n(.*?)^```$", re.DOTALL | re.MULTILINE
)
_BLOCKS = dict(_BLOCK.findall((ROOT / "docs/tls.md").read_text()))


def block(name: str) -> str:
    """Return the text of the block called `name`."""
    return str(_BLOCKS[name])
