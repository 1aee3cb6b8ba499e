# Results -> the text of the report. Medians, with the quartiles in parentheses.
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from benchmarks.contenders import CONTENDERS, Contender, versions
from benchmarks.costs import Measured, Spread, added, of, ratio, spread
from benchmarks.report.probes import HEADINGS
from benchmarks.report.results import Case, Results
from benchmarks.report.upload import MIB

__all__ = ["report", "shown"]

NOTES = """\
Each figure is a median over the rounds, with the quartiles in parentheses.
In each round each contender ran once, in random order, in a server of its own; what it
adds, and the ratio to what the access log adds, are taken within a round.
CPU is the user and system time of the worker process, as the kernel counts it, for each
request that was answered; what a contender does in threads of its own is in it.
Latency is that of 8 connections that ask without a pause, so the server is always full.
"recorded" is the share of the answered requests of which a record was found in the
contender's file after its server had been stopped by SIGTERM; "-" where it writes none.
"""
PROBED = """\
What each records, and what it does when it matters, was tried in this run
(`benchmarks/report/probes.py`; the middleware knew its proxy, and had a small journal):

- query, body: whether a value that was sent there is in the records,
- address: whether the peer's is in the records, or that of the client for whom it says
  to ask (X-Forwarded-For), or both; where the client's stands alone, anybody's word was
  taken for it,
- hostile bytes: newlines in path and query, escape sequences in fields,
- kill -9 under load: requests that were answered with 200 and are in no record after
  the service was started again,
- cannot write: what is answered when its files cannot grow any more.
"""


def report(results: Results, charts: Sequence[str] = ()) -> str:
    """Return the report; `charts` are the names of the files that it shows."""
    return "\n".join(_lines(results, charts)) + "\n"


def _lines(results: Results, charts: Sequence[str]) -> Iterator[str]:
    yield "# What it costs, beside its peers\n"
    yield "Made by `make bench`; not to be edited.\n"
    yield from table(("what", "which"), _settings(results))
    yield f"\n{NOTES}"
    yield from _glance(results)
    for case in results.cases:
        yield from _case(case)
    if results.uploads:
        yield from _uploads(results)
    yield from (f"Failed: {it}\n" for it in results.failures)
    for chart in charts:
        yield f"![{chart.removesuffix('.svg').rpartition('/')[2]}]({chart})\n"
    yield from _versions(results)


def table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """Yield the lines of a table."""
    yield _row(headings)
    yield _row(["---"] * len(headings))
    for row in rows:
        yield _row(row)


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |"


def shown(found: Spread | None, digits: int = 0) -> str:
    """Return a spread as it stands in a cell."""
    if found is None:
        return "-"
    low, median, high = (f"{it:,.{digits}f}" for it in found)

    return f"{median} ({low} to {high})"


def _settings(results: Results) -> Iterator[tuple[str, str]]:
    yield from results.facts.items()
    yield from results.settings.items()


# --- costs


def _case(case: Case) -> Iterator[str]:
    yield f"## {case.server}: {case.workload}\n"
    headings = ("", "CPU a request, µs", "adds, µs", "to the access log", "requests/s")
    rows = [_costs(case, name) for name in case.names]
    yield from table((*headings, "p50, µs", "p99, µs", "recorded"), rows)
    yield ""
    for name, reason in case.broken.items():
        yield f"{name} is not in it: {reason}\n"


def _costs(case: Case, name: str) -> list[str]:
    def figure(what: Callable[[Measured], float]) -> str:
        # wrk tells no latency where it had too few answers.
        found = of(case.rounds, name, what)
        return shown(found if found.median else None)

    share = of(case.rounds, name, lambda it: it.recorded).median

    return [
        name,
        figure(lambda it: it.micros),
        *_added(case, name),
        figure(lambda it: it.per_second),
        figure(lambda it: it.p50),
        figure(lambda it: it.p99),
        f"{share:.1%}" if CONTENDERS[name].evidence else "-",
    ]


def _added(case: Case, name: str) -> tuple[str, str]:
    if name == "alone":
        return "-", "-"

    return (
        shown(spread(added(case.rounds, name))),
        shown(spread(ratio(case.rounds, name)), 2),
    )


def _uploads(results: Results) -> Iterator[str]:
    yield f"## An upload of {results.size / MIB:,.0f} MiB\n"
    headings = ("", "CPU a MiB, µs", "MiB/s", "memory grew by, MiB")
    rows = [
        [
            f"{server}, {name}",
            shown(spread([it.micros for it in found])),
            shown(spread([it.per_second for it in found])),
            shown(spread([it.grown for it in found]), 1),
        ]
        for server, contenders in results.uploads.items()
        for name, found in contenders.items()
    ]
    yield from table(headings, rows)
    yield ""


# --- what is recorded, beside its cost


def _glance(results: Results) -> Iterator[str]:
    if results.probes:
        yield PROBED
    for case in _first(results):
        probes = results.probes.get(case.server, {})
        yield f"## {case.server}: what each costs and records\n"
        costs = (f"adds to {case.workload}, µs", "to the access log")
        yield from table(
            ("", *costs, "records", *HEADINGS.values()),
            (_glanced(case, name, probes.get(name, {})) for name in case.names),
        )
        yield ""


def _first(results: Results) -> list[Case]:
    # Of each server the typical GET, else what was measured first.
    chosen: dict[str, Case] = {}
    for case in results.cases:
        if case.server not in chosen or case.workload == "get":
            chosen[case.server] = case

    return list(chosen.values())


def _glanced(case: Case, name: str, found: Mapping[str, str]) -> list[str]:
    return [
        name,
        *_added(case, name),
        CONTENDERS[name].keeps,
        *(found.get(key, "-") for key in HEADINGS),
    ]


def _present(results: Results) -> list[Contender]:
    names = {name for case in results.cases for name in (*case.names, *case.broken)}

    return [it for name, it in CONTENDERS.items() if name in names]


def _versions(results: Results) -> Iterator[str]:
    yield "## Versions of the peers\n"
    found = {
        package: installed or "not installed"
        for it in _present(results)
        for package, installed in versions(it).items()
    }
    yield from table(("package", "version"), sorted(found.items()))
