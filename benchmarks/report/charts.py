# Results -> one SVG a server and figure: a panel for each workload, a bar for each
# contender, its quartiles as a line across the bar's end.
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.costs import Measured, Spread, of
from benchmarks.report.results import Case, Results

try:
    import matplotlib as mpl
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
except ImportError as error:
    raise SystemExit(
        f"{error}: charts need the extra `bench`: pip install 'audit-mw[bench]';"
        " --no-charts has the report without them"
    ) from None

__all__ = ["FIGURES", "draw"]

# The end of the file's name -> what the axis says, and the figure.
FIGURES: dict[str, tuple[str, Callable[[Measured], float]]] = {
    "cpu": ("CPU a request, µs", lambda it: it.micros),
    "rate": ("requests a second", lambda it: it.per_second),
    "p99": ("99th percentile of latency, µs", lambda it: it.p99),
}
_OURS, _BASE, _PEER = "#c0392b", "#7f8c8d", "#2980b9"
_COLOURS = {"middleware": _OURS, "alone": _BASE, "access log": _BASE}


def draw(results: Results, directory: Path) -> list[Path]:
    """Write the charts into a directory; return their files."""
    directory.mkdir(parents=True, exist_ok=True)
    servers: dict[str, list[Case]] = {}
    for case in filter(lambda it: it.names, results.cases):
        servers.setdefault(case.server, []).append(case)

    return [
        _chart(server, cases, figure, directory)
        for server, cases in servers.items()
        for figure in FIGURES
    ]


def _chart(server: str, cases: Sequence[Case], figure: str, directory: Path) -> Path:
    names = max(len(case.names) for case in cases)
    # Text stays text, and the same run has the same ids: a difference can be read.
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "audit-mw"}):
        sheet = Figure(figsize=(9, (0.26 * names + 0.8) * len(cases)))
        panels = sheet.subplots(len(cases), 1, squeeze=False)[:, 0]
        for panel, case in zip(panels, cases, strict=True):
            _bars(panel, case, figure)
        sheet.suptitle(f"{server}: {FIGURES[figure][0]}")
        sheet.tight_layout()
        path = directory / f"{server.replace(', ', '-').replace(' ', '-')}-{figure}.svg"
        sheet.savefig(path, metadata={"Date": None})

    return path


def _bars(panel: Axes, case: Case, figure: str) -> None:
    found = {name: of(case.rounds, name, FIGURES[figure][1]) for name in case.names}
    medians = [it.median for it in found.values()]
    panel.barh(
        list(found),
        medians,
        xerr=_errors(list(found.values())),
        color=[_COLOURS.get(name, _PEER) for name in found],
    )
    panel.bar_label(panel.containers[-1], [f" {it:,.0f}" for it in medians])  # type: ignore[arg-type] # the bars
    panel.invert_yaxis()
    panel.margins(x=0.12)
    panel.set_title(case.workload, loc="left", fontsize="medium")


def _errors(spreads: Sequence[Spread]) -> list[list[float]]:
    low = [it.median - it.low for it in spreads]

    return [low, [it.high - it.median for it in spreads]]
