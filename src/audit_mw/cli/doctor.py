# audit-mw doctor: does a deployment keep what is promised?
#
# Exit codes: 0 all is well, 1 warnings, 2 wrong use, 3 errors.
import json
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import click

from audit_mw.cli.render import safe
from audit_mw.cli.trail import failing
from audit_mw.config import CONSOLES, Config
from audit_mw.doctor.check import BAD, OK, UNKNOWN, WARNING, Check
from audit_mw.doctor.examine import examine
from audit_mw.doctor.requirements import Judged, judge

__all__ = ["doctor"]

_CODES = {OK: 0, UNKNOWN: 0, WARNING: 1, BAD: 3}


@click.command()
@click.option("--trail", help="Instead of the one that the options name.")
@click.option(
    "--static",
    "roots",
    multiple=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="A directory that a web server serves; may be given again.",
)
@click.option("--no-trial", is_flag=True, help="Write nothing, not even beside it.")
@click.option("--requirements", is_flag=True, help="Show those that are met as well.")
@click.option("--json", "as_json", is_flag=True, help="Write one JSON object.")
def doctor(
    trail: str | None,
    roots: tuple[Path, ...],
    *,
    no_trial: bool,
    requirements: bool,
    as_json: bool,
) -> None:
    """
    Look whether a deployment keeps what is promised; say how to mend what does not.

    Options are read as the middleware reads them: AUDIT_MW_*, AUDIT_MW_CONFIG. What is
    given in code is not seen. Exit code 0: well, 1: warnings, 2: wrong use, 3: errors.

    \b
        audit-mw doctor --trail /var/log/shop
        AUDIT_MW_CONFIG=/etc/shop.toml audit-mw doctor --static /srv/shop/static
    """
    with failing():
        config = Config.load({"trail": _absolute(trail)})
        checks = examine(config, time.time(), roots=roots, trial=not no_trial)
    judged = list(judge(checks))
    shown = (
        [_json(config, checks, judged)]
        if as_json
        else _lines(checks, judged, all_of_them=requirements)
    )
    for line in shown:
        click.echo(line)
    code = max(_CODES[check.state] for check in checks)
    if code:
        raise click.exceptions.Exit(code)


def _absolute(trail: str | None) -> str | None:
    if trail is None or trail in CONSOLES:
        return trail

    return str(Path(trail).absolute())


def _lines(
    checks: Iterable[Check], judged: Iterable[Judged], *, all_of_them: bool
) -> Iterator[str]:
    for check in checks:
        yield f"{check.state:8} {check.name:19} {_shown(check.said)}"
        if check.mend and check.state != OK:
            yield f"{'':8} {'':19} -> {_shown(check.mend)}"
    yield ""
    for each in judged:
        if all_of_them or each.state != "met":
            number, text = each.requirement.number, each.requirement.text
            yield f"{each.state:8} {number:10} {text}: {_shown(each.why)}"


def _shown(text: str) -> str:
    # A name of a file is its maker's: only ASCII, and nothing that moves a cursor.
    return ascii(safe(text.encode(errors="surrogateescape")))[1:-1]


def _json(config: Config, checks: Iterable[Check], judged: Iterable[Judged]) -> str:
    return json.dumps(
        {
            "trail": config.trail,
            "checks": [check._asdict() for check in checks],
            "requirements": [
                {
                    "number": each.requirement.number,
                    "requirement": each.requirement.text,
                    "state": each.state,
                    "why": each.why,
                }
                for each in judged
            ],
        }
    )
