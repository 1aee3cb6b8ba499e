# Records that are there twice: as they were written, and again, recovered.
#
# Who adopts the journal of a killed process cannot always tell what came into a segment
# that is gone; then it appends the record again, and says so in `details`. A view
# counts it once, and `repeated` has the other.
#
# Rule 1: what is left out is the one that says of itself that it was recovered, and
#         only where one that does not say so is equal to it but for `details`, where
#         the delivery is. Whoever writes to a trail hides nothing by a number alone.
# Rule 2: DuckDB takes a segment for a table of a hundred rows, whatever its size. What
#         it would join so that all records are held in memory is asked with another
#         condition beside it (OR, AND), which leaves it no choice.
# Rule 3: a trail in which nothing was recovered costs nothing but a look at `details`
#         while the lengths are summed up.
from collections.abc import Iterable, Iterator, Mapping, Sequence

from audit_mw.query.columns import Portion, read_stream
from audit_mw.query.duck import literal, name
from audit_mw.trail.record import COLUMNS

__all__ = ["KEYS", "MAY_BE_RECOVERED", "find_repeats", "once", "repeated"]

KEYS = "repeated_keys"
MAY_BE_RECOVERED = "contains(details::VARCHAR, '\"recovered\":true')"
# An application may have noted the same of its own, deeper.
_IS_RECOVERED = (
    f"coalesce({MAY_BE_RECOVERED} AND (details ->> 'recovered') = 'true', false)"
)
_OWN = {"len", "details", "salt", "seal", "check"}
_KEY = ("instance", "stream", "seq", "event")
_ALIKE = [each.name for each in COLUMNS if each.name not in {*_OWN, *_KEY}]


def find_repeats(
    portions: Mapping[str, Sequence[Portion]], streams: Iterable[str]
) -> Iterator[str]:
    """
    Yield the statements that make the table of what is to be left out.

    Args:
        portions: of each stream, where its lines are.
        streams: those that have records which were recovered.
    """
    yield (
        f"CREATE TABLE {KEYS} "
        '(stream VARCHAR, instance VARCHAR, seq UBIGINT, "check" VARCHAR)'
    )
    same = " AND ".join(
        f"written.{name(it)} = again.{name(it)}" for it in _KEY
    )  # by these they are found, and by the others looked at
    same += "".join(
        f" AND written.{name(it)} IS NOT DISTINCT FROM again.{name(it)}"
        for it in _ALIKE
    )
    number = "each.instance = again.instance AND each.seq = again.seq"
    for stream in sorted(streams):
        lines = read_stream(stream, portions.get(stream, ()))
        yield f"CREATE TABLE recovered AS FROM ({lines}) WHERE {_IS_RECOVERED}"
        yield (
            f"CREATE TABLE written AS FROM ({lines}) AS each "
            f"WHERE NOT {_IS_RECOVERED} "
            f"AND (seq IS NULL OR EXISTS (FROM recovered AS again WHERE {number}))"
        )
        yield (
            f"INSERT INTO {KEYS} SELECT DISTINCT "  # noqa: S608 - of our table
            f'{literal(stream)}, again.instance, again.seq, again."check" '
            f"FROM written JOIN recovered AS again ON {same}"
        )
        yield "DROP TABLE recovered; DROP TABLE written"


def once(sql: str) -> str:
    """Return the query that yields each record of another once."""
    return f"FROM ({sql}) AS each WHERE NOT {_IS_AGAIN}"


def repeated(sql: str) -> str:
    """Return the query that yields the records of another that are there again."""
    return f"FROM ({sql}) AS each WHERE {_IS_AGAIN}"


_IS_IT = " AND ".join(
    f"each.{name(it)} = it.{name(it)}" for it in ("stream", "instance", "seq", "check")
)
_IS_AGAIN = (
    f"(coalesce({MAY_BE_RECOVERED}, false) "
    f"AND EXISTS (FROM {KEYS} AS it WHERE {_IS_IT}))"
)
