# Two reports of one suite, bare and wrapped -> what is wrong, in sentences.
from dataclasses import dataclass, field

from tests.compat.peers.suites import Suite

__all__ = ["Report", "complaints", "differing"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a run wrote; see `inside/outcomes.py` and `inside/audited.py`."""

    outcomes: dict[str, str]
    reasons: dict[str, str] = field(default_factory=dict)
    uncollected: list[str] = field(default_factory=list)
    asked: dict[str, int] = field(default_factory=dict)
    seen: dict[str, int] = field(default_factory=dict)
    recorded: dict[str, int] = field(default_factory=dict)
    damaged: list[str] = field(default_factory=list)

    @property
    def passed(self) -> int:
        """How many tests passed."""
        return list(self.outcomes.values()).count("passed")

    @property
    def requests(self) -> int:
        """How many requests were recorded."""
        return sum(self.recorded.values())


def differing(bare: Report, wrapped: Report) -> dict[str, str]:
    """Return the tests that do not end alike, and how each ends."""
    return {
        test: f"{was} bare, {now} wrapped"
        for test in sorted(bare.outcomes.keys() | wrapped.outcomes.keys())
        if (was := bare.outcomes.get(test, "not run"))
        != (now := wrapped.outcomes.get(test, "not run"))
    }


def complaints(suite: Suite, bare: Report, wrapped: Report) -> list[str]:
    """Return all that is not as it should be; nothing, if all is well."""
    return [
        *_of_outcomes(suite, bare, wrapped),
        *_of_records(wrapped),
        *_too_few("tests pass bare", bare.passed, suite.passed),
        *_too_few("requests are recorded", wrapped.requests, suite.requests),
    ]


def _of_outcomes(suite: Suite, bare: Report, wrapped: Report) -> list[str]:
    found = differing(bare, wrapped)
    news = [
        f"{test}: {how}, and not listed\n{wrapped.reasons.get(test, '')}"
        for test, how in found.items()
        if test not in suite.differences
    ]
    gone = [
        f"{test}: listed, but ends as it does bare"
        for test in suite.differences
        if test not in found
    ]
    unread = sorted({*bare.uncollected, *wrapped.uncollected})

    return [*news, *gone, *(f"{module}: not collected" for module in unread)]


def _of_records(wrapped: Report) -> list[str]:
    return [
        *(f"damaged: {line}" for line in wrapped.damaged),
        *_unlike("seen", wrapped.seen, "recorded", wrapped.recorded),
        *(
            f"{test}: {asked} requests sent, but {wrapped.seen.get(test, 0)} seen"
            for test, asked in wrapped.asked.items()
            if asked > wrapped.seen.get(test, 0)
        ),
    ]


def _unlike(
    this: str, these: dict[str, int], that: str, those: dict[str, int]
) -> list[str]:
    return [
        f"{test}: {these.get(test, 0)} requests {this}, {those.get(test, 0)} {that}"
        for test in sorted(these.keys() | those.keys())
        if these.get(test, 0) != those.get(test, 0)
    ]


def _too_few(what: str, found: int, expected: int) -> list[str]:
    return [f"only {found} {what}, not {expected}"] if found < expected else []
