# audit-mw verify: is the trail whole?
import json
from collections.abc import Iterator
from pathlib import Path

import click

from audit_mw.cli.render import safe
from audit_mw.cli.trail import failing, text_option
from audit_mw.verify import Finding, Report, verify_trail

__all__ = ["verify"]


@click.command()
@text_option
@click.option(
    "--journals",
    envvar="AUDIT_MW_JOURNAL_DIR",
    type=click.Path(file_okay=False, path_type=Path),
    help="Directory of the journals; AUDIT_MW_JOURNAL_DIR, else .journal in the trail.",
)
@click.option("--json", "as_json", is_flag=True, help="Write one JSON object.")
def verify(trail: Path, journals: Path | None, *, as_json: bool) -> None:
    """
    Read the whole trail; name what is damaged, missing, or contradicts itself.

    \b
    A captured console is read as well: give its file as --trail.
    Writers may go on meanwhile. Exit code 0: all is well, 1: there are findings.
        audit-mw verify --trail /var/log/shop
    """
    with failing():
        report = verify_trail(trail, journals)
    for line in [_json(report)] if as_json else _lines(report):
        click.echo(line)
    if not report.is_well:
        raise click.exceptions.Exit(1)


def _lines(report: Report) -> Iterator[str]:
    for finding in report.findings:
        yield _shown(finding)
    if report.more:
        yield f"... and {report.more} findings more"
    for finding in report.repeated:
        yield f"note: {_shown(finding)}"
    yield from _summary(report)


def _shown(finding: Finding) -> str:
    # A path and an instance may hold what moves a cursor.
    return safe(str(finding).encode(errors="surrogateescape"))


def _summary(report: Report) -> Iterator[str]:
    yield f"{report.trail}: {report.segments} segments, {report.bytes} bytes"
    for stream, count in sorted(report.records.items()):
        yield f"  {stream:12} {count}"
    yield f"  {'instances':12} {report.instances}, {report.unended} without an end"
    yield f"  {'missing':12} {report.missing}, and {report.expired} that expired"
    yield f"  {'repeated':12} {report.repeats}, equal or recovered"
    yield f"  {'in journals':12} {report.waiting}"
    for kind, count in sorted(report.told.items()):
        counted = report.counted[kind]
        yield f"  {kind:12} {count}" + (f", counting {counted}" if counted else "")
    if report.skipped:
        yield f"  {'skipped':12} {report.skipped} lines that are no records"
    if report.unread:
        yield f"  {'unread':12} {report.unread} files that are no segments"
    found = len(report.findings) + report.more
    yield f"{found} findings" if found else "all is well"


def _json(report: Report) -> str:
    return json.dumps(
        {
            "trail": str(report.trail),
            "well": report.is_well,
            "segments": report.segments,
            "bytes": report.bytes,
            "records": dict(report.records),
            "instances": report.instances,
            "unended": report.unended,
            "missing": report.missing,
            "expired": report.expired,
            "repeats": report.repeats,
            "waiting": report.waiting,
            "unread": report.unread,
            "skipped": report.skipped,
            "told": dict(report.told),
            "counted": {kind: count for kind, count in report.counted.items() if count},
            "findings": [_plain(finding) for finding in report.findings],
            "more": report.more,
            "repeated": [_plain(finding) for finding in report.repeated],
        }
    )


def _plain(finding: Finding) -> dict[str, object]:
    return {**finding._asdict(), "path": str(finding.path)}
