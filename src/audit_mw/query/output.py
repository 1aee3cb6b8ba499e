# Rows -> what is printed: a table, CSV, JSON, JSON lines.
#
# Rule 1: what goes to standard output is printable ASCII, whatever a client sent: that
#         may be a terminal. A table and CSV have other bytes as %XX, JSON as \uXXXX.
# Rule 2: a text cell of CSV that a spreadsheet would take for a formula gets an
#         apostrophe in front. A number is a number, and stays one.
# Rule 3: times are as in a record, UTC.
import csv
import io
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice
from typing import Any

from audit_mw.query.duck import literal
from audit_mw.query.engine import Answer, Field, column

__all__ = ["FORMATS", "defused", "plain", "render"]

_TIMES = "TIMESTAMP WITH TIME ZONE"
_FLOATS = ("DOUBLE", "FLOAT")
_NUMBERS = re.compile(r"U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?|DECIMAL.*|DOUBLE|FLOAT")
# Spreadsheets of East Asia take the wide forms as well.
_FORMULA = tuple("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")
_AHEAD = 1000  # rows that the widths of a table are taken from
_WIDEST = 200
_WIDE = re.compile(r"(?<= ) |^ | $")
_UNSAFE = re.compile(r"[^ -~]")

Row = tuple[Any, ...]


def render(answer: Answer, form: str, *, ascii_only: bool) -> Iterator[str]:
    """
    Yield the lines of an answer, without their ends.

    Args:
        answer: its rows are read here.
        form: one of `FORMATS`.
        ascii_only: CSV is for standard output; in a file it has printable Unicode.
    """
    return FORMATS[form](answer, ascii_only)


def plain(text: str) -> str:
    """Return a text as printable ASCII, every other byte as %XX."""
    return _UNSAFE.sub(_coded, text)


def _coded(unsafe: re.Match[str]) -> str:
    exact = unsafe[0].encode(errors="surrogatepass")

    return "".join(f"%{byte:02X}" for byte in exact)


def defused(text: str) -> str:
    """Return a text that no spreadsheet takes for a formula."""
    return f"'{text}" if text.startswith(_FORMULA) else text


def _time(place: int) -> str:
    return f"strftime({column(place)} AT TIME ZONE 'UTC', '%Y-%m-%dT%H:%M:%S.%fZ')"


def _texts(fields: Sequence[Field]) -> list[str]:
    return [
        _time(place) if each.type == _TIMES else f"{column(place)}::VARCHAR"
        for place, each in enumerate(fields)
    ]


# --- a table


def _table(answer: Answer, _ascii_only: bool) -> Iterator[str]:  # noqa: FBT001 - one of FORMATS
    rows = (_cells(row) for row in answer.rows(_texts(answer.fields)))
    names = tuple(plain(each.name) for each in answer.fields)
    ahead = list(islice(rows, _AHEAD))
    widths = [max(map(len, cells)) for cells in zip(names, *ahead, strict=True)]
    widths = [min(width, _WIDEST) for width in widths]
    right = [_is_number(each) for each in answer.fields]
    ruled = tuple("-" * width for width in widths)
    for row in chain([names, ruled], ahead, rows):
        cells = zip(row, widths, right, strict=True)
        yield "  ".join(_padded(*cell) for cell in cells).rstrip()


def _cells(row: Row) -> tuple[str, ...]:
    # Two spaces part the cells: a text that has them could pass for more than one.
    return tuple(
        "-" if cell is None else _WIDE.sub(_coded, plain(cell)) for cell in row
    )


def _padded(cell: str, width: int, is_right: bool) -> str:  # noqa: FBT001 - one of a row's
    return cell.rjust(width) if is_right else cell.ljust(width)


def _is_number(each: Field) -> bool:
    return _NUMBERS.fullmatch(each.type) is not None


# --- CSV, RFC 4180 but for the ends of lines


def _csv(answer: Answer, ascii_only: bool) -> Iterator[str]:  # noqa: FBT001 - one of FORMATS
    safe = plain if ascii_only else _printable
    numbers = [_is_number(each) for each in answer.fields]
    yield _csv_line([safe(defused(each.name)) for each in answer.fields])
    for row in answer.rows(_texts(answer.fields)):
        cells = zip(row, numbers, strict=True)
        yield _csv_line([_csv_cell(*cell, safe) for cell in cells])


def _csv_cell(
    cell: str | None,
    is_number: bool,  # noqa: FBT001 - one of a row's
    safe: Callable[[str], str],
) -> str:
    if cell is None:
        return ""

    return cell if is_number else safe(defused(cell))


def _csv_line(cells: Sequence[str]) -> str:
    written = io.StringIO()
    csv.writer(written, lineterminator="").writerow(cells)

    return written.getvalue()


def _printable(text: str) -> str:
    return "".join(it if it.isprintable() else plain(it) for it in text)


# --- JSON


def _json_lines(answer: Answer, _ascii_only: bool) -> Iterator[str]:  # noqa: FBT001 - one of FORMATS
    parts: list[str] = []
    for place, each in enumerate(answer.fields):
        key = f"to_json({literal(each.name)})::VARCHAR"
        parts += [key, "':'", f"coalesce({_json_of(place, each)}, 'null')", "','"]
    row = f"'{{' || {' || '.join(parts[:-1])} || '}}'"
    for (line,) in answer.rows([row]):
        yield _escaped(line)


def _json_of(place: int, each: Field) -> str:
    if each.type == _TIMES:
        return f"to_json({_time(place)})::VARCHAR"
    if each.type in _FLOATS:  # JSON has no NaN
        it = column(place)
        return f"to_json(CASE WHEN isfinite({it}) THEN {it} END)::VARCHAR"

    return f"to_json({column(place)})::VARCHAR"


def _escaped(line: str) -> str:
    return _UNSAFE.sub(_json_code, line)


def _json_code(unsafe: re.Match[str]) -> str:
    units = unsafe[0].encode("utf-16-be", "surrogatepass")
    pairs = zip(units[::2], units[1::2], strict=True)

    return "".join(f"\\u{high:02x}{low:02x}" for high, low in pairs)


def _json(answer: Answer, ascii_only: bool) -> Iterator[str]:  # noqa: FBT001 - one of FORMATS
    lines: Iterable[str] = _json_lines(answer, ascii_only)
    begin = "["
    for line in lines:
        yield begin + line
        begin = ","
    yield "]" if begin == "," else "[]"


FORMATS: Mapping[str, Callable[[Answer, bool], Iterator[str]]] = {
    "table": _table,
    "csv": _csv,
    "json": _json,
    "jsonl": _json_lines,
}
