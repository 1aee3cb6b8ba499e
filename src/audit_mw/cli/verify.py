# audit-mw verify: is the trail whole?
import json
from collections.abc import Iterator
from pathlib import Path

import click

from audit_mw.cli.progress import watching
from audit_mw.cli.render import safe, shown_path
from audit_mw.cli.trail import check_trails, failing, trails_option
from audit_mw.verify import Finding, Report, Touched, verify_trail

__all__ = ["verify"]

_SHOWN = 20  # of the records that damage touches


@click.command()
@trails_option
@click.option(
    "--journals",
    envvar="AUDIT_MW_JOURNAL_DIR",
    type=click.Path(file_okay=False, path_type=Path),
    help="Directory of the journals; AUDIT_MW_JOURNAL_DIR, else .journal in the trail.",
)
@click.option(
    "--checkpoint",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Go on where the last run with this file was; what it read is not read again.",
)
@click.option("--json", "as_json", is_flag=True, help="Write a JSON object a trail.")
def verify(
    trails: tuple[Path, ...],
    journals: Path | None,
    checkpoint: Path | None,
    *,
    as_json: bool,
) -> None:
    """
    Read whole trails; name what is damaged, missing, or contradicts itself.

    \b
    A captured console is read as well: give its file as --trail.
    Writers may go on meanwhile. Exit code 0: all is well, 1: there are findings.
        audit-mw verify --trail /var/log/shop
        audit-mw verify --trail /mnt/web1 --trail /mnt/web2 --json
        audit-mw verify --trail /var/log/shop --checkpoint /var/lib/shop/verified
    """
    if checkpoint is not None and len(trails) > 1:
        raise click.UsageError("--checkpoint is of one trail; run verify for each")
    check_trails(trails)
    is_well = True
    for trail in trails:
        report = _verified(trail, journals, checkpoint)
        for line in [_json(report)] if as_json else _lines(report):
            click.echo(line)
        is_well = is_well and report.is_well
    if not is_well:
        raise click.exceptions.Exit(1)


def _verified(trail: Path, journals: Path | None, checkpoint: Path | None) -> Report:
    shown = shown_path(trail)
    with failing(), watching() as progress:
        return verify_trail(
            trail,
            journals,
            lambda part: progress.show(f"verify {shown}", part),
            checkpoint,
        )


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
    trail = shown_path(report.trail)
    yield f"{trail}: {report.segments} segments, {report.bytes} bytes"
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
    yield from _touched(report)
    found = len(report.findings) + report.more
    yield f"{found} findings" if found else "all is well"


def _touched(report: Report) -> Iterator[str]:
    """Say which records the damage touches, and what can be relied on."""
    if report.damaged:
        yield f"  {'damaged':12} {report.damaged} lines; those that say which they are:"
    for touched in report.touched[:_SHOWN]:
        where = report.at(touched.place, "")
        which = f"seq {touched.seq or '?'} of {touched.instance or '?'}"
        name = safe(where.path.name.encode(errors="surrogateescape"))
        yield f"    event {touched.event}, {which}: {name}:{where.line}"
    if len(report.touched) > _SHOWN:
        yield f"    and {len(report.touched) - _SHOWN} more: --json has them"
    if not report.is_well:
        whole = report.runs - report.broken
        yield f"  {'relied on':12} {sum(report.records.values())} lines that are whole"
        yield f"  {'complete':12} {whole} of {report.runs} streams of instances"


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
            "damaged": report.damaged,
            "touched": [_touched_plain(report, each) for each in report.touched],
            "runs": report.runs,
            "broken": report.broken,
            "findings": [_plain(finding) for finding in report.findings],
            "more": report.more,
            "repeated": [_plain(finding) for finding in report.repeated],
        }
    )


def _plain(finding: Finding) -> dict[str, object]:
    return {**finding._asdict(), "path": str(finding.path)}


def _touched_plain(report: Report, touched: Touched) -> dict[str, object]:
    where = report.at(touched.place, "")

    return {
        "event": touched.event,
        "seq": touched.seq,
        "instance": touched.instance,
        "path": str(where.path),
        "line": where.line,
    }
