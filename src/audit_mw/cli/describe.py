# audit-mw describe: what stands in a trail, from the tables that writer and reader use.
import json

import click

from audit_mw.cli.output import pager_option, print_lines
from audit_mw.reading.ddl import sql
from audit_mw.reading.markdown import markdown
from audit_mw.reading.schema import json_schema

__all__ = ["describe"]

_FORMS = {
    "markdown": markdown,
    "json-schema": lambda: json.dumps(json_schema(), indent=2),
    "sql": sql,
}


@click.command()
@click.option(
    "--format",
    "form",
    type=click.Choice(list(_FORMS)),
    default="markdown",
    show_default=True,
    help="To read, to check JSON lines, or to make tables.",
)
@pager_option
def describe(form: str, *, no_pager: bool) -> None:
    """
    Print what stands in a trail: columns, streams, types, kinds of values, samples.

    \b
        audit-mw describe
        audit-mw describe --format json-schema > record.schema.json
        audit-mw describe --format sql | sqlite3 copy.db

    \b
    It reads no trail. The schema is of `audit-mw find --format jsonl`.
    """
    print_lines(_FORMS[form]().splitlines(), pages=not no_pager)
