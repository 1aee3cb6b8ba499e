# What one run found: the value that tables and charts are drawn from, and its JSON.
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from benchmarks.contenders import CONTENDERS
from benchmarks.costs import Measured, Round
from benchmarks.report.upload import Uploaded

__all__ = ["Case", "Results", "write"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One workload under one server: its rounds, and what is wrong with whom."""

    server: str
    workload: str
    rounds: Sequence[Round]
    broken: Mapping[str, str]

    @property
    def names(self) -> list[str]:
        """Return who was measured, in the order of the table of contenders."""
        return [it for it in CONTENDERS if any(it in each for each in self.rounds)]


@dataclass(slots=True, kw_only=True)
class Results:
    """
    All that was found: `facts` of the machine, `settings` of the run, `cases`; by
    server and contender `uploads` (each of `size` bytes) and `probes`; `failures` of
    what every contender is compared with.
    """

    facts: Mapping[str, str]
    settings: Mapping[str, str]
    cases: list[Case] = field(default_factory=list)
    size: int = 0
    uploads: dict[str, dict[str, list[Uploaded]]] = field(default_factory=dict)
    probes: dict[str, dict[str, dict[str, str]]] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)


def write(path: Path, results: Results) -> None:
    """Write the numbers as JSON, each with its name."""
    path.write_text(json.dumps(_plain(asdict(results)), indent=1) + "\n")


def _plain(value: object) -> object:
    if isinstance(value, Measured | Uploaded):
        return value._asdict()
    if isinstance(value, dict):
        return {name: _plain(it) for name, it in value.items()}
    if isinstance(value, list):
        return [_plain(it) for it in value]

    return value
