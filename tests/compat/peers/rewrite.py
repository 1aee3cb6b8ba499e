# A suite's test files, as the wrapped run has them: where a test calls an application
# itself, the call goes through `audited`. Lines stay where they are.
#
#     await app(scope, receive, send)        ->  await audited(app)(scope, ...)
#     start_soon(app, scope, receive, send)  ->  start_soon(audited(app), scope, ...)
import ast
from collections.abc import Iterator
from pathlib import Path

__all__ = ["rewrite", "rewrite_tree"]

_THREE = ["scope", "receive", "send"]


def rewrite_tree(directory: Path) -> int:
    """Rewrite all test files below `directory`; return the number of calls."""
    count = 0
    for path in sorted(directory.rglob("*.py")):
        text, calls = rewrite(path.read_text())
        path.write_text(text)
        count += calls

    return count


def rewrite(text: str) -> tuple[str, int]:
    """Return the text of a file with each call wrapped, and the number of calls."""
    lines = [line.encode() for line in text.splitlines(keepends=True)]
    spots = sorted({_span(node) for node in _applications(ast.parse(text))})
    for line, start, end in reversed(spots):
        old = lines[line]
        lines[line] = old[:start] + b"audited(" + old[start:end] + b")" + old[end:]

    return b"".join(lines).decode(), len(spots)


def _applications(tree: ast.AST) -> Iterator[ast.expr]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Await) and isinstance(node.value, ast.Call):
            call = node.value
            if len(call.args) == 3 and not call.keywords:
                yield call.func
        elif isinstance(node, ast.Call) and _names(node.args[1:]) == _THREE:
            yield node.args[0]


def _names(arguments: list[ast.expr]) -> list[str]:
    return [getattr(argument, "id", "") for argument in arguments]


def _span(node: ast.expr) -> tuple[int, int, int]:
    if node.lineno != node.end_lineno:
        raise ValueError(f"line {node.lineno}: an application over several lines")

    return node.lineno - 1, node.col_offset, node.end_col_offset or 0
