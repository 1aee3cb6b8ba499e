# What is printed of the format agrees with what is written, and read.
import json
import re
import sqlite3
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given
from tests.strategies import events, few
from tests.trail.samples import event

from audit_mw.cli import main
from audit_mw.event import STREAMS, Event, Param
from audit_mw.reading.ddl import sql
from audit_mw.reading.described import STREAM_MEANINGS, VALUE_KINDS, sample_lines
from audit_mw.reading.jsonl import json_line
from audit_mw.reading.markdown import markdown
from audit_mw.reading.schema import json_schema
from audit_mw.trail.params import VALUE_KEYS, encode_param
from audit_mw.trail.record import (
    COLUMNS,
    DETAILS,
    VALUE_COLUMNS,
    VALUES,
    decode_line,
    decode_value_line,
    draft_event,
    finish_line,
)

SCHEMA = json_schema()


# --- a validator of what the schema uses, and of nothing else


def fits(value: Any, schema: Any) -> bool:
    """Tell whether a value fits a schema; fail on a word that is not known here."""
    if isinstance(schema, bool):
        return schema
    known = {"$schema", "title", "description", "format", "$defs"}
    return all(
        word in known or _RULES[word](value, said, schema)
        for word, said in schema.items()
    )


def _is_of(value: Any, kind: str) -> bool:
    kinds = {"string": str, "array": list, "object": dict, "integer": int}

    return value is None if kind == "null" else isinstance(value, kinds[kind])


def _items(value: Any, said: Any, schema: Any) -> bool:
    rest = (
        value[len(schema.get("prefixItems", ())) :] if isinstance(value, list) else []
    )

    return all(fits(item, said) for item in rest)


def _properties(value: Any, said: Any, _schema: Any) -> bool:
    if not isinstance(value, dict):
        return True

    return all(fits(value[key], rule) for key, rule in said.items() if key in value)


_RULES: dict[str, Any] = {
    "type": lambda value, said, _: any(
        _is_of(value, kind) for kind in ([said] if isinstance(said, str) else said)
    ),
    "enum": lambda value, said, _: value in said,
    "pattern": lambda value, said, _: (
        not isinstance(value, str) or re.search(said, value) is not None
    ),
    "properties": _properties,
    "required": lambda value, said, _: (
        not isinstance(value, dict) or set(said) <= set(value)
    ),
    "additionalProperties": lambda value, said, schema: (
        said or not isinstance(value, dict) or set(value) <= set(schema["properties"])
    ),
    "items": _items,
    "prefixItems": lambda value, said, _: (
        not isinstance(value, list)
        or all(fits(*pair) for pair in zip(value, said, strict=False))
    ),
    "minItems": lambda value, said, _: (
        not isinstance(value, list) or len(value) >= said
    ),
    "anyOf": lambda value, said, _: any(fits(value, each) for each in said),
    "$ref": lambda value, said, _: fits(
        value, SCHEMA["$defs"][said.rpartition("/")[2]]
    ),
}


# --- the tables are whole


def test_streams() -> None:
    """Each stream has its meaning."""
    assert list(STREAM_MEANINGS) == [*STREAMS, VALUES]


def test_value_kinds() -> None:
    """Each object that may stand for a value has its meaning, and a sample of it."""
    samples = [
        tuple(json.loads(encode_param(Param("form", b"n", kind.sample)))[2])
        for kind in VALUE_KINDS.values()
    ]

    assert set(VALUE_KINDS) == set(VALUE_KEYS)
    assert samples == list(VALUE_KINDS)


def test_samples() -> None:
    """The samples are lines that a reader takes."""
    lines = dict(sample_lines())

    assert decode_line(lines["a login that failed"]).seq == 12
    assert decode_value_line(lines["a value"]).value == b"test"


def test_markdown() -> None:
    """Each column, stream and key of details is in the documentation."""
    names = [each.name for each in (*COLUMNS, *VALUE_COLUMNS)]
    shown = markdown()

    missing = [
        name
        for name in (*names, *STREAM_MEANINGS, *DETAILS)
        if f"| `{name}` |" not in shown
    ]
    assert missing == []


def test_sql() -> None:
    """The statements make tables with these columns."""
    with sqlite3.connect(":memory:") as database:
        database.executescript(sql())
        rows = {
            table: [row[1] for row in database.execute(f"PRAGMA table_info({table})")]
            for table in ("record", "stored_value")
        }
    database.close()

    assert rows["record"] == [column.name for column in COLUMNS]
    assert rows["stored_value"] == [column.name for column in VALUE_COLUMNS]


# --- the schema


@few
@given(events)
def test_schema(whole: Event) -> None:
    """Whatever is in a record, its JSON line fits the schema."""
    line = finish_line(draft_event(whole), 1)

    assert fits(json.loads(json_line(line)), SCHEMA)


@pytest.mark.parametrize(
    "change",
    [
        {"stream": "values"},
        {"status": "200"},
        {"event": None},
        {"path": "\u00e9"},
        {"more": 1},
        {"params": [["query", "q"]]},
        {"params": [["query", "q", 1]]},
        {"params": [["query", "q", {"len": 1}]]},
        {"params": [["query", "q", "v", "w"]]},
        {"details": []},
    ],
    ids=str,
)
def test_schema_refuses(change: dict[str, object]) -> None:
    """What no reader writes does not fit."""
    fields = json.loads(json_line(finish_line(draft_event(event()), 1)))

    assert fits(fields, SCHEMA)
    assert not fits({**fields, **change}, SCHEMA)


@pytest.mark.parametrize(
    ("form", "begin"),
    [("markdown", "What stands"), ("json-schema", "{\n"), ("sql", "CREATE TABLE")],
)
def test_command(form: str, begin: str) -> None:
    """The command prints each of the forms, in printable ASCII."""
    shown = CliRunner().invoke(main, ["describe", "--format", form])

    assert shown.exit_code == 0
    assert shown.stdout.startswith(begin)
    assert shown.stdout.isascii()
