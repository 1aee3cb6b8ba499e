# The run itself: what is measured under which server, in which order.
#
# Rule: nothing that fails ends the run, which takes an hour; it is in the results.
import argparse
import random
import sys
from collections.abc import Iterator, Sequence

from benchmarks.contenders import BASES, Contender, of_stack, versions
from benchmarks.measuring import FAILURES, reason, rounds_of
from benchmarks.report.probes import HEADINGS, probe
from benchmarks.report.results import Case, Results
from benchmarks.report.upload import Uploaded, upload
from benchmarks.servers import SERVERS
from benchmarks.typical import REQUESTS

__all__ = ["UPLOAD", "run"]

UPLOAD = "upload"  # a workload that is none of requests
_DEFAULT_SERVERS = ("uvicorn", "gunicorn gthread", "gunicorn gthread, Django")
_UPLOADED_TO = ("uvicorn", "gunicorn gthread")  # Django keeps files, as it should
_UPLOADING = ("alone", "middleware")


def run(results: Results, given: argparse.Namespace) -> None:
    """Measure, send, and try what was asked for; put into the results what is found."""
    for server, workload in _pairs(given):
        results.cases.append(_case(server, workload, given))
    results.failures += [
        f"{case.workload} at {case.server}, {name}: {case.broken[name]}"
        for case in results.cases
        for name in BASES
        if name in case.broken
    ]
    if UPLOAD in _workloads(given):
        for server in _UPLOADED_TO:
            if server in _servers(given):
                results.uploads[server] = _uploads(server, results, given)
    if results.cases and not given.no_probes:
        for server in _servers(given):
            results.probes[server] = _probes(server, results, given)


def _servers(given: argparse.Namespace) -> Sequence[str]:
    return given.server or _DEFAULT_SERVERS


def _workloads(given: argparse.Namespace) -> Sequence[str]:
    return given.workload or [*REQUESTS, UPLOAD]


def _pairs(given: argparse.Namespace) -> Iterator[tuple[str, str]]:
    for server in _servers(given):
        for workload in _workloads(given):
            if workload != UPLOAD:
                yield server, workload


def _chosen(server: str, given: argparse.Namespace) -> list[Contender]:
    there = of_stack(SERVERS[server].stack)

    return [it for it in there if not given.contender or it.name in given.contender]


def _say(what: str) -> None:
    print(what, file=sys.stderr, flush=True)


# --- costs


def _case(server: str, workload: str, given: argparse.Namespace) -> Case:
    there = _chosen(server, given)
    missing = _missing(there)
    names = [it.name for it in there if it.name not in missing]
    _say(f"{server}: {workload}: {', '.join(names)}")
    request = REQUESTS[workload]
    rounds, broken = rounds_of(server, request, names, given.rounds, given.seconds)

    return Case(
        server=server, workload=workload, rounds=rounds, broken=missing | broken
    )


def _missing(contenders: Sequence[Contender]) -> dict[str, str]:
    return {
        it.name: f"not installed: {', '.join(missing)}; they are in the extra `bench`"
        for it in contenders
        if (missing := [name for name, at in versions(it).items() if at is None])
    }


# --- the upload


def _uploads(
    server: str, results: Results, given: argparse.Namespace
) -> dict[str, list[Uploaded]]:
    names = [it.name for it in _chosen(server, given) if it.name in _UPLOADING]
    _say(f"{server}: upload of {given.upload} MiB: {', '.join(names)}")
    found: dict[str, list[Uploaded]] = {name: [] for name in names}
    for _ in range(given.upload_rounds):
        for name in random.sample(names, len(names)):
            found[name] += _uploaded(server, name, results)

    return found


def _uploaded(server: str, name: str, results: Results) -> list[Uploaded]:
    try:
        return [upload(server, name, results.size)]
    except FAILURES as error:
        results.failures.append(f"upload to {server}, {name}: {reason(error)}")
        return []


# --- what is tried


def _probes(
    server: str, results: Results, given: argparse.Namespace
) -> dict[str, dict[str, str]]:
    broken = {it for case in results.cases for it in case.broken}
    names = [it.name for it in _chosen(server, given) if it.name not in broken]
    _say(f"{server}: probes: {', '.join(names)}")

    return {name: _probed(server, name) for name in names}


def _probed(server: str, contender: str) -> dict[str, str]:
    try:
        return probe(server, contender)
    except FAILURES as error:
        return dict.fromkeys(HEADINGS, f"failed: {reason(error)}")
