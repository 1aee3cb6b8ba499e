# The JSON Schema (2020-12) of a record as `json_line` writes it.
from typing import Any

from audit_mw.event import STREAMS
from audit_mw.reading.described import VALUE_KINDS, is_required, kind_of
from audit_mw.trail.encoding import decode_time
from audit_mw.trail.record import COLUMNS, DETAILS, FORMAT, Column

__all__ = ["json_schema"]

_Schema = dict[str, Any]
_CODED = {"type": "string", "pattern": "^[ -~]*$"}
_COUNT = {"type": ["integer", "null"]}
_OF_KEY: dict[str, _Schema] = {
    "len": _COUNT,
    "read": {"type": "integer"},
    "count": {"type": "integer"},
    "sha256": {"type": ["string", "null"]},
    "filename": {"type": ["string", "null"]},
    "type": {"type": ["string", "null"]},
}


def json_schema() -> _Schema:
    """Return the schema, as JSON takes it."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"A record of a trail, format {FORMAT}",
        "description": "Text is coded: %XX is a byte, %{...} a part that is ours.",
        "type": "object",
        "properties": {column.name: _column(column) for column in COLUMNS},
        "required": [column.name for column in COLUMNS],
        "additionalProperties": False,
        "$defs": {"value": _value()},
    }


def _column(column: Column) -> _Schema:
    said = f"{column.meaning} (whose word: {column.word_of})"

    return {"description": said, **_shape(column)}


def _shape(column: Column) -> _Schema:
    if column.name == "stream":
        return {"enum": list(STREAMS)}
    if column.name == "params":
        return {"type": "array", "items": _param()}
    if column.name == "details":
        keys = {key: {"description": meaning} for key, meaning in DETAILS.items()}
        return {"type": "object", "properties": keys}
    if column.decode is decode_time:
        return {"type": "string", "format": "date-time"}
    kind = kind_of(column).json
    types: str | list[str] = kind if is_required(column) else [kind, "null"]
    coded = {"pattern": _CODED["pattern"]} if kind == "string" else {}

    return {"type": types, **coded}


def _param() -> _Schema:
    name = {"type": ["string", "null"], "pattern": _CODED["pattern"]}

    return {
        "type": "array",
        "description": "source, name, value",
        "prefixItems": [_CODED, name, {"$ref": "#/$defs/value"}],
        "minItems": 3,
        "items": False,
    }


def _value() -> _Schema:
    ours = [
        {
            "type": "object",
            "description": kind.meaning,
            "properties": {key: _OF_KEY.get(key, _CODED) for key in keys},
            "required": list(keys),
            "additionalProperties": False,
        }
        for keys, kind in VALUE_KINDS.items()
    ]

    return {"anyOf": [{"type": "null"}, _CODED, *ours]}
