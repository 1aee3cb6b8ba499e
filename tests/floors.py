# Who may import whom: the one table, and all that is read from it.
#
# `python -m tests.floors --check` reads the imports of src/audit_mw from the source,
# names each that the table does not allow, and says when the picture of the house in
# ARCHITECTURE.md is out of date; `--write` draws that picture again.
#
# Rule 1: what the table does not allow is wrong, and so is a module without a floor.
# Rule 2: an import stands at the top of its module, where it can be read. One in a
#         function dodges a cycle, and a cycle says that a floor is wrong.
# Rule 3: of what others wrote a floor imports the standard library and what it names
#         here. That keeps frameworks out of the edges.
import ast
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from graphlib import CycleError, TopologicalSorter
from itertools import zip_longest
from pathlib import Path
from textwrap import wrap
from typing import NamedTuple

__all__ = ["FLOORS", "draw", "main", "problems", "read_sources", "unknown_words"]

ROOT = Path(__file__).parent.parent
PACKAGE = "audit_mw"

Sources = Mapping[str, str]  # path below src/audit_mw -> text


class Floor(NamedTuple):
    """
    Modules that stand side by side.

    A word of `modules` is a module, or a package with all that is in it. A word of
    `may_import` may also be the name of a floor.
    """

    name: str
    modules: str
    may_import: str
    of_others: str = ""


FLOORS = (
    Floor("door", "__init__ door", "door edges voice vocabulary", "importlib"),
    Floor(
        "integrations",
        "integrations serve",
        "integrations door edges voice vocabulary",
        "importlib django flask flask_login werkzeug",
    ),
    Floor(
        "edges",
        "middleware asgi* wsgi* tls_socket health_endpoint",
        "edges auditor current_exchange health_report vocabulary",
    ),
    Floor(
        "voice",
        "voice outside",
        "voice auditor current_exchange recorder said statements trail.forks vocabulary",
    ),
    Floor(
        "composer",
        "auditor current_exchange recorder ids short_road _native startup system_notes "
        "health_report",
        "composer exchange policy trail vocabulary",
        "importlib.metadata xxhash",
    ),
    Floor(
        "exchange",
        "alarms app_details body_params exchange gathering head_lines known_documents "
        "ordinary request rules said short_documents sightings spilling statements "
        "tls_facts websocket",
        "exchange policy wire vocabulary",
    ),
    Floor("policy", "policy", "policy wire vocabulary"),
    Floor("wire", "wire", "wire", "werkzeug.datastructures werkzeug.sansio"),
    Floor(
        "readers",
        "cli verify reading replay doctor query export",
        "readers upkeep trail.reader trail.follow trail.merging trail.seen "
        "trail.span trail.record trail.params trail.encoding trail.names "
        "trail.archive trail.index trail.facts trail.adoption trail.clock "
        "trail.key trail.mounts trail.space trail.whole wire.query wire.head vocabulary",
        "click duckdb importlib",
    ),
    Floor("upkeep", "upkeep", "upkeep composer policy trail vocabulary"),
    Floor("trail", "trail", "trail vocabulary", "orjson xxhash zstandard compression"),
    Floor(
        "vocabulary",
        "event event_types config option_readers errors",
        "errors event_types option_readers",
    ),
)
# Clock, ids and bytes are arguments here.
SANS_IO = (
    "exchange policy wire event trail.encoding trail.record trail.params trail.sheet"
)
IO = "os io socket asyncio threading time datetime random logging".split()
HIDING = "importlib imp pkgutil runpy".split()  # what is imported cannot be read

_NAMED = {floor.name: floor for floor in FLOORS}


class Import(NamedTuple):
    """One import: where it stands, and all that may be meant by it."""

    line: int
    names: tuple[str, ...]
    nested: bool


# --- reading


def read_sources(directory: Path) -> dict[str, str]:
    """Return the text of each module below a directory; of Cython, its imports."""
    sources = {
        path.relative_to(directory).as_posix(): path.read_text(encoding="utf-8")
        for path in sorted(directory.rglob("*.py"))
    }
    for path in sorted(directory.rglob("*.pyx")):
        name = path.relative_to(directory).with_suffix(".py").as_posix()
        found = _IMPORT.findall(path.read_text(encoding="utf-8"))
        sources[name] = "\n".join(found)

    return sources


# Not `cimport`, which takes declarations of C.
_IMPORT = re.compile(r"^(?:from [\w.]+ )?import (?:\([^)]*\)|[\w., ]+)$", re.MULTILINE)


def module_of(path: str) -> str:
    """Return the name of a module, without that of our package."""
    name = path.removesuffix(".py").replace("/", ".")

    return name.removesuffix(".__init__")


def _imports(node: ast.AST, package: str, *, nested: bool = False) -> Iterator[Import]:
    """Yield the imports below a node; those of `__import__` have no names."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import):
            for alias in child.names:
                yield Import(child.lineno, (alias.name,), nested)
        elif isinstance(child, ast.ImportFrom):
            start = _absolute(child, package)
            for alias in child.names:
                names = (f"{start}.{alias.name}", start)
                yield Import(child.lineno, names, nested)
        elif isinstance(child, ast.Name) and child.id == "__import__":
            yield Import(child.lineno, (), nested)
        else:
            inside = isinstance(
                child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
            )
            yield from _imports(child, package, nested=nested or inside)


def _absolute(node: ast.ImportFrom, package: str) -> str:
    if not node.level:
        return node.module or ""
    parents = package.split(".")
    start = parents[: len(parents) - node.level + 1]

    return ".".join([*start, node.module or ""]).rstrip(".")


# --- judging


def _stands_in(module: str, words: str) -> bool:
    """Tell whether a module is meant by one of `words`."""
    for word in words.split():
        floor = _NAMED.get(word)
        for pattern in floor.modules.split() if floor else [word]:
            if fnmatchcase(module, pattern) or module.startswith(f"{pattern}."):
                return True

    return False


def _floor_of(module: str) -> Floor | None:
    floors = (floor for floor in FLOORS if _stands_in(module, floor.modules))

    return next(floors, None)


def problems(sources: Sources) -> list[str]:
    """Name each import in `sources` that is wrong, and each module without a floor."""
    modules = {module_of(path): path for path in sources}
    graph: dict[str, set[str]] = {module: set() for module in modules}
    found = []
    for module, path in modules.items():
        floor = _floor_of(module)
        if floor is None:
            found.append(f"{path}:1: {module} stands on no floor")
            continue
        package = f"{PACKAGE}.{module_of(path.rpartition('/')[0] or '.')}".rstrip(".")
        for each in _imports(ast.parse(sources[path]), package):
            ours = _ours(each, modules)
            graph[module] |= {ours} if ours and ours != module else set()
            found += [
                f"{path}:{each.line}: {reason}"
                for reason in _reasons(each, ours, module, floor)
            ]

    return [*dict.fromkeys(found), *_cycles(graph)]


def _ours(each: Import, modules: Iterable[str]) -> str | None:
    """Return which of our modules is meant."""
    for name in each.names:
        if name == PACKAGE:
            return "__init__"
        ours = name.removeprefix(f"{PACKAGE}.")
        if ours != name and ours in modules:
            return ours

    return None


def _reasons(
    each: Import, ours: str | None, module: str, floor: Floor
) -> Iterator[str]:
    if each.nested:
        yield "an import that is not at the top of its module"
    if ours is not None:
        if not _stands_in(ours, floor.may_import):
            yield f"{floor.name} must not import {ours}"
        return
    top = each.names[-1].partition(".")[0] if each.names else ""
    is_named = any(_stands_in(name, floor.of_others) for name in each.names)
    if not top or (top in HIDING and not is_named):
        yield "an import that cannot be read from the source"
    elif top in IO and _stands_in(module, SANS_IO):
        yield f"{module} is sans-IO and must not import {top}"
    elif top == PACKAGE:
        yield f"{each.names[-1]} is not there"
    elif top not in sys.stdlib_module_names and not is_named:
        yield f"{floor.name} must not import {each.names[-1]}"


def _cycles(graph: Mapping[str, set[str]]) -> Iterator[str]:
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        yield f"a cycle: {' -> '.join(reversed(error.args[1]))}"


def unknown_words(sources: Sources) -> list[str]:
    """Name what the table says of modules that are not there."""
    modules = [module_of(path) for path in sources]
    words = [SANS_IO, *(f"{floor.modules} {floor.may_import}" for floor in FLOORS)]

    return [
        f"tests/floors.py: no module is meant by {word!r}"
        for word in dict.fromkeys(" ".join(words).split())
        if not any(_stands_in(module, word) for module in modules)
    ]


# --- drawing

_LEFT, _RIGHT = 38, 34  # columns inside of a box
_BLOCK = re.compile(r"(<!-- floors: begin -->\n).*(<!-- floors: end -->)", re.DOTALL)


def draw(sources: Sources) -> str:
    """Return the house as text, and the table of its floors."""
    return f"```text\n{_house(sources)}\n```\n\n{_table(sources)}\n"


def _house(sources: Sources) -> str:
    # Readers stand beside the edges, on the trail; the trail beside what it does not
    # know: both are under the composer.
    entries = ("door", "integrations", "edges", "voice")
    above = _beside(entries, ("readers", "upkeep"), sources)
    below = _beside(("composer", "exchange", "policy", "wire"), ("trail",), sources)
    ground = _box("vocabulary", _LEFT + _RIGHT + 5, sources)
    rows = [f"{_framed(left)}   {_framed(right)}" for left, right in [*above, *below]]
    rows[len(above) + 1] = rows[len(above) + 1].replace("|   |", "|-->|")

    return "\n".join([*rows, *map(_framed, ground), _framed(ground[0])])


def _beside(
    left: tuple[str, ...], right: tuple[str, ...], sources: Sources
) -> list[tuple[str, str]]:
    lines = [line for name in left for line in _box(name, _LEFT, sources)]
    others = [line for name in right for line in _box(name, _RIGHT, sources)]
    pairs = zip_longest(lines, others, fillvalue="")

    return [(a.ljust(_LEFT), b.ljust(_RIGHT)) for a, b in pairs]


def _box(name: str, width: int, sources: Sources) -> list[str]:
    package = _NAMED[name].modules
    members = _members(_NAMED[name], sources)
    inside = [m.removeprefix(f"{package}.") for m in members if m != package]
    is_package = bool(inside) and package in members
    title = f"{name} ({package}/)" if is_package else name
    shown = wrap(", ".join(inside or members), width - 4)
    lines = [f" {title}", *(f"   {line}" for line in shown)]

    return ["-" * width, *(line.ljust(width) for line in lines)]


def _framed(line: str) -> str:
    corner = "+" if line.startswith("-") else "|"

    return f"{corner}{line}{corner}"


def _members(floor: Floor, sources: Sources) -> list[str]:
    modules = map(module_of, sources)

    return sorted(name for name in modules if _stands_in(name, floor.modules))


def _table(sources: Sources) -> str:
    header = ("floor", "may import, of ours", "of others", "without I/O")
    rows = [
        (
            floor.name,
            ", ".join(floor.may_import.split()),
            ", ".join(floor.of_others.split()) or "-",
            _sans_io(floor, sources),
        )
        for floor in FLOORS
    ]
    lines = [header, tuple("---" for _ in header), *rows]

    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _sans_io(floor: Floor, sources: Sources) -> str:
    members = _members(floor, sources)
    without = [name for name in members if _stands_in(name, SANS_IO)]

    return "all" if without == members else ", ".join(without) or "-"


def main(arguments: list[str], root: Path = ROOT) -> int:
    """Check, or write the picture; return the exit code."""
    sources = read_sources(root / "src" / PACKAGE)
    document = root / "ARCHITECTURE.md"
    before = document.read_text(encoding="utf-8")
    after = _BLOCK.sub(lambda match: match[1] + draw(sources) + match[2], before)
    found = [f"src/{PACKAGE}/{problem}" for problem in problems(sources)]
    found += unknown_words(sources)
    if "--write" in arguments:
        document.write_text(after, encoding="utf-8")
    elif before != after:
        found.append(f"{document.name} is stale: run python -m tests.floors --write")
    elif _BLOCK.search(before) is None:
        found.append(f"{document.name} has no place for the picture of the floors")
    for line in found:
        sys.stderr.write(f"{line}\n")

    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
