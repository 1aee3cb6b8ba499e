# The published schema of OCSF, as the package pydantic-ocsf has it: what an event of a
# class must have, what it may have, and of which type.
import ipaddress
import json
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import ocsf

__all__ = ["faults", "version"]

_TEXTS = (str,)
_HOST = ("actor", "device")  # what the profile of that name adds to any class
# Their numbers are those of the class, and not written out again with it.
_OF_CLASS = ("class_uid", "category_uid", "type_uid")
_TYPES: Mapping[str, tuple[type, ...]] = {
    "integer_t": (int,),
    "long_t": (int,),
    "timestamp_t": (int,),
    "port_t": (int,),
    "boolean_t": (bool,),
    "float_t": (float, int),
}


@cache
def _schema(version: str) -> Any:
    name = f"v{version.replace('.', '_')}.json"

    return json.loads((Path(ocsf.__file__).parent / "schemas" / name).read_text())


def version(version: str) -> str:
    """Return the version that the schema of a version says."""
    found: str = _schema(version)["version"]

    return found


def _inherited(table: Mapping[str, Any], name: str, key: str) -> Any:
    each = table[name]
    above = each.get("extends")
    found = _inherited(table, above, key) if above in table else {}
    own = {it: value for it, value in each.get(key, {}).items() if it[0] != "$"}

    return {
        it: {**found.get(it, {}), **own.get(it, {})}
        if key == "attributes"
        else own.get(it, found.get(it))
        for it in {**found, **own}
    }


def faults(event: Mapping[str, Any], name: str) -> list[str]:
    """
    Return what the schema does not allow in an event.

    Args:
        event: with `metadata.version`.
        name: of the class, as the schema has it.
    """
    schema = _schema(event["metadata"]["version"])
    base = schema["events"][name]
    uid = event["class_uid"] % 1000
    found = [] if base.get("uid", 0) == uid else [f"class_uid {event['class_uid']}"]
    if event["type_uid"] != event["class_uid"] * 100 + event["activity_id"]:
        found.append("type_uid")
    if event["class_uid"] // 1000 != event["category_uid"]:
        found.append("category_uid")

    return [*found, *_faults(schema, event, "events", name, name)]


def _faults(
    schema: Any, value: Mapping[str, Any], table: str, name: str, at: str
) -> Iterator[str]:
    attributes = _inherited(schema[table], name, "attributes")
    if "host" in value.get("metadata", {}).get("profiles", ()):
        attributes |= {it: {} for it in _HOST}
    constraints = _inherited(schema[table], name, "constraints")
    required = [
        key for key, each in attributes.items() if each.get("requirement") == "required"
    ]
    yield from (f"{at}: no {key}" for key in required if key not in value)
    one_of = constraints.get("at_least_one", [])
    if one_of and not set(one_of) & set(value):
        yield f"{at}: none of {one_of}"
    for key, each in value.items():
        known = schema["dictionary"]["attributes"].get(key)
        if known is None or key not in attributes:
            yield f"{at}: {key} is not of it"
        elif key != "unmapped":
            yield from _value_faults(
                schema, each, _merged(known, attributes[key], key), f"{at}.{key}"
            )


def _merged(known: Any, own: Any, key: str) -> Any:
    values = {**known.get("enum", {}), **own.get("enum", {})}

    return {**known, **own, "enum": {} if key in _OF_CLASS else values}


def _value_faults(schema: Any, value: Any, attribute: Any, at: str) -> Iterator[str]:
    if attribute.get("is_array") and not isinstance(value, list):
        yield f"{at}: no list"
        return
    allowed = attribute["enum"]
    for each in value if attribute.get("is_array") else [value]:
        kind = attribute["type"]
        if allowed and str(each) not in allowed:
            yield f"{at}: {each!r} is none of {sorted(allowed)}"
        if kind == "ip_t":
            ipaddress.ip_address(each)
        elif kind.endswith("_t"):
            is_bool = isinstance(each, bool) and kind != "boolean_t"
            if is_bool or not isinstance(each, _TYPES.get(kind, _TEXTS)):
                yield f"{at}: {each!r} is no {kind}"
        elif not isinstance(each, dict):
            yield f"{at}: no object"
        else:
            yield from _faults(schema, each, "objects", kind, at)
