# Saved queries: each is a file `saved/NAME.sql`, which begins with what it is.
#
#     -- What it finds, in a line.
#     -- set user: whose
#     -- set minutes = 10: within how long
#
# A parameter is `$user` in the query: it is bound, never pasted. One that has a default
# need not be set.
import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from audit_mw.query.duck import WrongQuestion

__all__ = ["Parameter", "Saved", "parse_saved", "saved", "values_of"]

_DIRECTORY = Path(__file__).parent / "saved"
_PARAMETER = re.compile(r"-- set (\w+)(?: = (.*?))?: (.*)")


class Parameter(NamedTuple):
    """What a saved query asks for; `default` is None where it must be set."""

    name: str
    default: str | None
    meaning: str


class Saved(NamedTuple):
    """A saved query."""

    name: str
    purpose: str
    parameters: tuple[Parameter, ...]
    sql: str


def saved() -> dict[str, Saved]:
    """Return all saved queries by name."""
    paths = sorted(_DIRECTORY.glob("*.sql"))

    return {path.stem: parse_saved(path.stem, path.read_text()) for path in paths}


def parse_saved(name: str, text: str) -> Saved:
    """Return the saved query that a file has."""
    lines = text.splitlines()
    head = [line for line in lines if line.startswith("-- ")]
    found = [match for line in head if (match := _PARAMETER.fullmatch(line))]
    purpose = [line[3:] for line in head if not _PARAMETER.fullmatch(line)]
    sql = "\n".join(line for line in lines if not line.startswith("-- "))

    return Saved(
        name,
        " ".join(purpose),
        tuple(Parameter(match[1], match[2], match[3]) for match in found),
        sql.strip(),
    )


def values_of(query: Saved, given: Mapping[str, str]) -> dict[str, str]:
    """
    Return the values of all parameters of a saved query.

    Raises:
        WrongQuestion: one is missing, or is not known.
    """
    known = [each.name for each in query.parameters]
    unknown = [key for key in given if key not in known]
    if unknown:
        takes = ", ".join(known) or "none"
        raise WrongQuestion(
            f"{query.name} has no parameter {unknown[0]!r}; it has {takes}"
        )
    values = {
        each.name: given.get(each.name, each.default) for each in query.parameters
    }
    for each in query.parameters:
        if values[each.name] is None:
            raise WrongQuestion(
                f"{query.name} asks {each.meaning}: give --set {each.name}=..."
            )

    return {key: value for key, value in values.items() if value is not None}
