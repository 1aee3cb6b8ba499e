# The requirements of docs/requirements.md as a table: which checks show each, and what
# is to be said of it in any deployment.
#
# Rule: a requirement that has checks is met where all of them are well, and not met
#       where one is not. One that has none is met by design, or a trail cannot tell.
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from audit_mw.doctor.check import BAD, UNKNOWN, WARNING, Check

__all__ = ["REQUIREMENTS", "Judged", "Requirement", "judge"]

MET, UNMET, UNSURE = "met", "not met", "unknown"


class Requirement(NamedTuple):
    """
    One requirement.

    Args:
        number: as in the catalogue.
        text: as in docs/requirements.md.
        checks: what shows it in a deployment.
        why: what is to be said where no check speaks.
        known: whether the code alone meets it, whatever the deployment is.
    """

    number: str
    text: str
    checks: tuple[str, ...] = ()
    why: str = "by design"
    known: bool = True


class Judged(NamedTuple):
    """A requirement for this deployment: met, not met or unknown, and why."""

    requirement: Requirement
    state: str
    why: str


_SAYS = "only what the application says of it is on record"

REQUIREMENTS = (
    Requirement(
        "1", "standard components", (), "a departure: files, not stdlib logging"
    ),
    Requirement("2", "separate logs"),
    Requirement("2.2", "external resources used", (), _SAYS, known=False),
    Requirement("3", "nothing twice"),
    Requirement("4", "entries of one event are linked by a field that is no timestamp"),
    Requirement("5", "synchronised clocks", ("clock",)),
    Requirement("6", "files first, usable without the application", ("trial",)),
    Requirement("7", "plain text, printable ASCII"),
    Requirement("8", "extractable without losing analysability"),
    Requirement("9", "split by function, not by module"),
    Requirement("10", "no log, no service", ("refusal", "options")),
    Requirement(
        "11, 11.4", "all activity, successful and failed", ("troubles", "websockets")
    ),
    Requirement("11.1", "every attempt to authenticate", (), _SAYS, known=False),
    Requirement("11.2", "administrative acts", (), _SAYS, known=False),
    Requirement("11.3", "nobody stops the log unnoticed", ("ends", "damage")),
    Requirement("11.5-11.7", "parameters, body parameters, order as sent"),
    Requirement(
        "11.8",
        "requests answered from a cache too",
        (),
        "whether we are outermost is not seen in a trail",
        known=False,
    ),
    Requirement(
        "11.9",
        "TLS version and cipher",
        (),
        "whether the server or a proxy tells is seen in records only",
        known=False,
    ),
    Requirement("11.10", "missing or empty is marked by what no client can type"),
    Requirement(
        "12", "never: passwords, private keys, session ids", ("key", "options")
    ),
    Requirement("13", "all user input coded, and reproducible", ("websockets",)),
    Requirement(
        "14",
        "protected against reading, change, destruction",
        (
            *("modes", "lists", "owners", "links", "parents", "served"),
            *("retention", "journals"),
        ),
    ),
    Requirement("15", "English names"),
    Requirement("16", "tab-separated, one line an event"),
    Requirement("17", "multi-line apart"),
    Requirement(
        "18", "what the user sent is distinguishable from what the server says"
    ),
    Requirement("19", "at least 10 kB a record, its length at its start"),
    Requirement(
        "20", "values over 256 bytes in a separate file with time, event id and hash"
    ),
    Requirement("21.1", "who", (), _SAYS, known=False),
    Requirement(
        "21.1.3-4", "automatic processes, responsible person", (), _SAYS, known=False
    ),
    Requirement("21.2", "what"),
    Requirement("21.3", "where: application and instance"),
    Requirement("21.4", "whence", ("proxies", "rewriting", "options")),
    Requirement("21.5", "when: UTC, at least a second, larger to smaller", ("clock",)),
    Requirement("21.6", "result: code, outcome, bytes, rows"),
    Requirement(
        "22-24", "the log is documented, and the documentation grows with the code"
    ),
)


def judge(checks: Iterable[Check]) -> Iterator[Judged]:
    """Yield each requirement as the checks show it."""
    found = list(checks)
    for requirement in REQUIREMENTS:
        ours = [check for check in found if check.name in requirement.checks]
        yield Judged(requirement, *_judged(requirement, ours))


def _judged(requirement: Requirement, checks: list[Check]) -> tuple[str, str]:
    wrong = [check for check in checks if check.state in (BAD, WARNING)]
    if wrong:
        return UNMET, wrong[0].said
    unsure = [check for check in checks if check.state == UNKNOWN]
    if unsure:
        return UNSURE, unsure[0].said
    if not {check.name for check in checks}.issuperset(requirement.checks):
        return UNSURE, "not all that shows it was looked at"

    return (MET if requirement.known else UNSURE), (
        checks[0].said if checks else requirement.why
    )
