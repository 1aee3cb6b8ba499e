# One run, one report: `make bench`, or
#
#     python -m benchmarks.report [--server uvicorn] [--workload get] [--quick]
#
# REPORT.md, REPORT.json and charts/ go where --out says. What is measured stands in
# `contenders`, `typical` and `servers`; the order in which it is done, in `running`.
import argparse
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from benchmarks.contenders import CONTENDERS
from benchmarks.load import generator
from benchmarks.report.machine import facts
from benchmarks.report.results import Results, write
from benchmarks.report.running import UPLOAD, run
from benchmarks.report.tables import report
from benchmarks.report.upload import MIB
from benchmarks.servers import SERVERS
from benchmarks.typical import REQUESTS

_QUICK = {"rounds": 1, "seconds": 0.2, "upload": 8, "upload_rounds": 1}
_FULL = {"rounds": 5, "seconds": 2.0, "upload": 1024, "upload_rounds": 3}


def main(arguments: Sequence[str]) -> None:
    """Measure, and write the report."""
    given = _given(arguments)
    # What cannot be drawn is to be known before an hour of measuring, not after it.
    charts = None if given.no_charts else import_module("benchmarks.report.charts")
    results = Results(facts=facts(), settings=_settings(given), size=given.upload * MIB)
    run(results, given)
    given.out.mkdir(parents=True, exist_ok=True)
    write(given.out / "REPORT.json", results)
    drawn = charts.draw(results, given.out / "charts") if charts else []
    names = [str(path.relative_to(given.out)) for path in drawn]
    (given.out / "REPORT.md").write_text(report(results, names))
    print(given.out / "REPORT.md")
    if results.failures:
        raise SystemExit("\n".join(results.failures))


def _given(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="benchmarks.report",
        description="the middleware beside its peers; each choice may be given again",
    )
    parser.add_argument("--server", choices=SERVERS, action="append")
    parser.add_argument("--workload", choices=[*REQUESTS, UPLOAD], action="append")
    parser.add_argument("--contender", choices=CONTENDERS, action="append")
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--seconds", type=float, help="of each measurement")
    parser.add_argument("--upload", type=int, metavar="MIB", help="size of the upload")
    parser.add_argument("--upload-rounds", type=int)
    parser.add_argument("--no-probes", action="store_true")
    parser.add_argument("--no-charts", action="store_true")
    parser.add_argument(
        "--quick", action="store_true", help="that it runs, not how fast"
    )
    parser.add_argument("--out", type=Path, default=Path(__file__).parent.parent)
    given = parser.parse_args(arguments)
    for name, value in (_QUICK if given.quick else _FULL).items():
        if getattr(given, name) is None:
            setattr(given, name, value)

    return given


def _settings(given: argparse.Namespace) -> dict[str, str]:
    return {
        "rounds": str(given.rounds),
        "seconds of each measurement": f"{given.seconds:g}",
        "load by": generator(given.seconds),
    }


if __name__ == "__main__":
    main(sys.argv[1:])
