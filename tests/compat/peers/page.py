# docs/peers.md: the parts of it that are drawn from the table of suites.
import re

from tests.compat.peers.suites import SUITES
from tests.serving import ROOT

__all__ = ["PAGE", "render", "write_page"]

PAGE = ROOT / "docs" / "peers.md"
_BLOCK = re.compile(r"(<!-- (peers-\w+): begin -->\n).*?(<!-- \2: end -->)", re.DOTALL)


def _suites() -> str:
    rows = [
        "| suite | wrapped | tests that pass | requests recorded | not run |",
        "| --- | --- | --- | --- | --- |",
    ]
    rows += [
        f"| {s.name} {s.version} | {s.how} | {s.passed} | {s.requests} "
        f"| {s.unrun or '-'} |"
        for s in SUITES
    ]

    return "\n".join(rows)


def _differences() -> str:
    rows = ["| suite | test | why |", "| --- | --- | --- |"]
    rows += [
        f"| {suite.name} | `{test}` | {found.why} |"
        for suite in SUITES
        for test, found in suite.differences.items()
    ]

    return "\n".join(rows)


_DRAWN = {"peers-suites": _suites, "peers-differences": _differences}


def render(text: str) -> str:
    """Return the text of the page with each block as the table says."""
    return _BLOCK.sub(lambda m: f"{m[1]}{_DRAWN[m[2]]()}\n{m[3]}", text)


def write_page() -> None:
    """Bring the page up to date."""
    PAGE.write_text(render(PAGE.read_text()))
