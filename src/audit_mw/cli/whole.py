# A record with all of its values -> lines for a terminal.
#
# What is not printable ASCII is coded, and named below the value that has it by its
# code point: that the "a" of a name is a Cyrillic one is to be seen, and to deceive
# nobody.
from collections.abc import Callable, Iterator, Mapping

from audit_mw.cli.output import paint
from audit_mw.cli.render import quoted, safe, shown_detail, shown_value, word
from audit_mw.event import Event, Hole, Param, Spilled, Text
from audit_mw.reading.letters import name_letters
from audit_mw.reading.stored import params_of
from audit_mw.trail.encoding import encode_time
from audit_mw.trail.merging import Found

__all__ = ["WholeRecord"]

_IN_HEAD = {"time", "stream", "type", "outcome", "params", "details", "spills"}
_COLUMNS = [name for name in Event.__slots__ if name not in _IN_HEAD]


class WholeRecord:
    """
    Shows records, and what they spilled in its place.

    Args:
        stored: values that are not in a record, by digest.
        most: bytes of a value that are shown; None: all.
    """

    def __init__(self, stored: Mapping[str, bytes], most: int | None) -> None:
        self._stored = stored
        self._most = most

    def lines(self, found: Found) -> Iterator[str]:
        """Yield the lines of a record."""
        event = found.record.event
        head = (
            f"{encode_time(event.time).decode()} {word(event.stream)} "
            f"{found.record.seq} {word(event.type)} {word(event.outcome)}"
        )
        where = f"{found.path}:{found.line}".encode(errors="surrogateescape")
        yield paint(head, event.outcome)
        yield f"  at {safe(where)}"
        for name in _COLUMNS:
            yield from self._column(name, getattr(event, name))
        yield from self._params(event)
        yield from self._details(event)

    def _column(self, name: str, value: Text | str | int | None) -> Iterator[str]:
        if value is None:
            return
        if isinstance(value, int):
            yield f"  {name:9} {value}"
            return
        if isinstance(value, str):
            value = value.encode(errors="surrogateescape")
        yield f"  {name:9} {self._text(value, word)}"
        yield from self._named(value)

    def _params(self, event: Event) -> Iterator[str]:
        if event.params:
            yield "  params"
        for param in params_of(event, self._stored):
            yield from self._param(param)

    def _param(self, param: Param) -> Iterator[str]:
        name = "" if param.name is None else self._text(param.name, word) + " = "
        value = param.value
        if isinstance(value, Spilled):
            value = (Hole(value.len, sha256=value.sha256),)
        if isinstance(value, (bytes, tuple)):
            shown = self._text(value, quoted)
        else:
            shown = shown_value(value)
        yield f"    {word(param.source):7} {name}{shown}"
        yield from self._named(param.name)
        yield from self._named(value)

    def _details(self, event: Event) -> Iterator[str]:
        if event.details:
            yield "  details"
        for key, value in event.details.items():
            if isinstance(value, (bytes, tuple)):
                yield from self._detail(key, self._whole(value))
            else:
                yield f"    {word(key)} = {shown_detail(value)}"

    def _detail(self, key: str, value: Text) -> Iterator[str]:
        # A traceback is of many lines; each is shown behind a mark that is ours.
        if isinstance(value, bytes) and b"\n" in value.rstrip(b"\n"):
            yield f"    {word(key)} ="
            yield from (
                f"      | {safe(line)}" for line in value.rstrip(b"\n").split(b"\n")
            )
            yield from self._named(value.replace(b"\n", b""))
        else:
            yield f"    {word(key)} = {self._text(value, word)}"
            yield from self._named(value)

    def _text(self, text: Text, shown: Callable[[Text], str]) -> str:
        whole = self._whole(text)
        where = _where(text, whole)
        if not isinstance(whole, bytes) or len(whole) <= (self._most or len(whole)):
            return shown(whole) + where
        more = len(whole) - (self._most or 0)

        return f"{shown(whole[: self._most])} and {more} bytes more, see --whole{where}"

    def _whole(self, text: Text) -> Text:
        """Return a text, and what was spilled of it in its place."""
        if isinstance(text, bytes):
            return text
        parts = tuple(self._part(part) for part in text)
        if any(isinstance(part, Hole) for part in parts):
            return parts

        return b"".join(part for part in parts if isinstance(part, bytes))

    def _part(self, part: bytes | Hole) -> bytes | Hole:
        if isinstance(part, Hole) and part.sha256 is not None:
            return self._stored.get(part.sha256, part)

        return part

    def _named(self, text: object) -> Iterator[str]:
        whole = self._whole(text) if isinstance(text, (bytes, tuple)) else b""
        for part in (whole,) if isinstance(whole, bytes) else whole:
            if isinstance(part, bytes):
                yield from (f"            {line}" for line in name_letters(part))


def _where(text: Text, whole: Text) -> str:
    """Say of a text that was spilled, in part or all of it, whether it was found."""
    if text is whole or not any(_is_spilled(part) for part in text):
        return ""
    if any(_is_spilled(part) for part in whole if not isinstance(whole, bytes)):
        return " (not in the values stream)"

    return " (from the values stream)"


def _is_spilled(part: object) -> bool:
    return isinstance(part, Hole) and part.sha256 is not None
