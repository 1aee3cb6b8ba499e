# Results -> report: what stands in it, and what is missing.
from benchmarks.costs import Measured, Round, Spread
from benchmarks.report.results import Case, Results
from benchmarks.report.tables import report, shown
from benchmarks.report.upload import MIB, Uploaded

ROUNDS: list[Round] = [
    {
        "alone": Measured(10, 4000, 100, 200),
        "access log": Measured(30, 2000, 200, 400, 1),
        "middleware": Measured(20, 3000, 150, 300, 1),
        "loguru": Measured(70, 1000, 400, 800, 0.984),
    }
]
CASE = Case(
    server="uvicorn",
    workload="get",
    rounds=ROUNDS,
    broken={"structlog": "not installed: structlog"},
)


def results(**more: object) -> Results:
    """Return results of one case."""
    found = Results(facts={"cores": "2"}, settings={"rounds": "1"}, cases=[CASE])
    for name, value in more.items():
        setattr(found, name, value)

    return found


def row(text: str, start: str) -> list[str]:
    """Return the cells of the last row that starts so."""
    line = [it for it in text.splitlines() if it.startswith(f"| {start} |")][-1]

    return [cell.strip() for cell in line.strip("|").split("|")]


def test_costs() -> None:
    """A row has the cost, what it adds, its ratio to the access log, and the rest."""
    text = report(results())
    case = text[text.index("## uvicorn: get") : text.index("## Versions")]

    assert row(case, "loguru") == [
        "loguru",
        "70 (70 to 70)",
        "60 (60 to 60)",
        "3.00 (3.00 to 3.00)",
        "1,000 (1,000 to 1,000)",
        "400 (400 to 400)",
        "800 (800 to 800)",
        "98.4%",
    ]
    assert row(case, "alone")[2:4] == ["-", "-"]
    assert row(case, "alone")[-1] == "-"
    assert row(text, "cores") == ["cores", "2"]


def test_broken() -> None:
    """Who could not be measured is named, with the reason."""
    assert "structlog is not in it: not installed: structlog" in report(results())


def test_glance() -> None:
    """What was tried of a contender stands beside its cost and what it records."""
    probed = {"loguru": {"params": "yes", "full": "serves on"}}
    text = report(results(probes={"uvicorn": probed}))
    glance = text[text.index("what each costs") : text.index("## uvicorn: get")]

    assert row(glance, "loguru")[1:3] == ["60 (60 to 60)", "3.00 (3.00 to 3.00)"]
    assert row(glance, "loguru")[3].startswith("what the recipe logs")
    assert row(glance, "loguru")[4:] == ["yes", "-", "-", "-", "-", "serves on"]


def test_upload() -> None:
    """An upload has its cost, its rate, and what memory grew by."""
    found = {"uvicorn": {"alone": [Uploaded(1000, 300, 0.25)]}}
    text = report(results(size=1024 * MIB, uploads=found))

    assert "An upload of 1,024 MiB" in text
    assert row(text, "uvicorn, alone")[-1] == "0.2 (0.2 to 0.2)"


def test_shown() -> None:
    """A spread stands as its median and quartiles; none, as a dash."""
    assert shown(Spread(1.25, 2.5, 1000), 2) == "2.50 (1.25 to 1,000.00)"
    assert shown(None) == "-"


def test_charts() -> None:
    """Each chart is shown by its file."""
    assert "![uvicorn-cpu](charts/uvicorn-cpu.svg)" in report(
        results(), ["charts/uvicorn-cpu.svg"]
    )
