# One name with different values in two sources.
#
# A check that reads the query and an action that reads the form see two values: that is
# how a parameter passes a filter. A browser does not send it by itself.
#
# Rule 1: what is withheld is not compared. Names of secrets and of csrf are among that,
#         and what is made anew for each request is left out by its name.
# Rule 2: an empty value claims nothing: `?q=` beside a form that fills `q` is how forms
#         work.
# Rule 3: the same value, coded as each source has it, is the same: a cookie in quotes
#         or in percent coding, a number of JSON.
# Rule 4: a cookie remembers what was chosen last, so a choice made anew differs from
#         it. Names of such choices are compared among the other sources only.
#
# A name that stands twice, in one source or with one value, is noted and no more:
# checkboxes, selections, and forms that post to their own page send that.
import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from audit_mw.event import JsonText, Param, Spilled, Text, Upload, Value
from audit_mw.wire.query import decode_percent

__all__ = ["OVERLAP", "REPEAT", "Repeats", "judge_repeats", "plain_name"]

REPEAT = b"param_repeat"  # one name more than once in a source
OVERLAP = b"param_overlap"  # one name in two sources, with one value

_FRESH = set(
    b"_ _t t ts _ts timestamp nonce rnd rand random cachebuster cb state requestid "
    b"request_id traceid trace_id".split()
)
_CHOICES = set(
    b"lang language locale hl lng theme mode skin tz timezone currency country region "
    b"city view layout page tab limit size perpage pagesize sort order orderby "
    b"direction dir filter columns ref referrer referer source campaign medium term "
    b"content gclid fbclid consent next redirect returnurl version "
    b"user username login email name q query search action".split()
)
_WORD = re.compile(rb"[^_.-]+\Z")


class Repeats(NamedTuple):
    """
    What the names that stand more than once say.

    `params` are one of each source and name that differ, in wire order; `names` how
    many names; `notes` what is odd but no finding.
    """

    params: list[Param]
    names: int
    notes: list[bytes]


def plain_name(param: Param) -> Text | None:
    """Return the name that an application asks for; None where there is none."""
    name = param.name
    if param.source != "json" or not isinstance(name, bytes):
        return name or None
    if name.count(b"/") != 1:
        return None  # it is the document itself, or below another name
    key = name[1:]

    return (key.replace(b"~1", b"/").replace(b"~0", b"~") if b"~" in key else key) or (
        None
    )


def judge_repeats(params: Iterable[Param], again: set[Text]) -> Repeats:
    """
    Return what the names of `again` say, which stand more than once in `params`.
    """
    by_name: dict[Text, dict[str, list[Param]]] = {name: {} for name in again}
    for param in params:
        name = None if param.source == "header" else plain_name(param)
        if name in by_name:
            by_name[name].setdefault(param.source, []).append(param)
    differing = [
        [each[0] for source, each in sources.items() if source in found]
        for name, sources in by_name.items()
        if (found := _differing(name, sources))
    ]
    notes = {
        REPEAT if len(sources) == 1 else OVERLAP for sources in by_name.values()
    } - ({OVERLAP} if differing else set())

    return Repeats(
        [param for group in differing for param in group], len(differing), sorted(notes)
    )


def _differing(name: Text, sources: Mapping[str, list[Param]]) -> set[str]:
    """Return the sources that do not agree; none where all do."""
    if len(sources) == 1 or (isinstance(name, bytes) and name.lower() in _FRESH):
        return set()
    chosen = isinstance(name, bytes) and _is_choice(name)
    claims = {
        source: claim
        for source, params in sources.items()
        if not (chosen and source == "cookie")
        if (claim := frozenset(_claims(params)))
    }

    return set(claims) if len(set(claims.values())) > 1 else set()


def _is_choice(name: bytes) -> bool:
    word = _WORD.search(name.lower())

    return name.lower().startswith(b"utm_") or (
        word is not None and word[0] in _CHOICES
    )


def _claims(params: Iterable[Param]) -> Iterable[Text | str]:
    for param in params:
        claim = _claim(param.source, param.value)
        if claim:
            yield claim


def _claim(source: str, value: Value) -> Text | str | None:
    if isinstance(value, bytes):
        return _uncoded(value) if source == "cookie" else value
    if isinstance(value, JsonText):
        return None if value.text in (b"null", b"[]", b"{}") else value.text
    if isinstance(value, Spilled):
        return value.sha256
    # A text with holes is withheld in part, and so is not compared.
    if isinstance(value, Upload):
        return value.filename

    return None


def _uncoded(value: bytes) -> bytes:
    return decode_percent(value.removeprefix(b'"').removesuffix(b'"'))
