# The record of a request, of which the head is coded once for all its versions.
#
# Rule: a line is, byte for byte, what `draft_event` makes of the same event.
from functools import lru_cache

from audit_mw.event import Details, Draft
from audit_mw.trail.encoding import (
    encode_column,
    encode_number,
    encode_time,
    encode_word,
    respell,
)
from audit_mw.trail.record import encode_record_details

__all__ = ["Sheet"]

_STREAM = "request"
_NO_NUMBERS = b"-\t-\t-"


class Sheet:
    """
    A record, of which the head is coded.

    Args:
        time: of the start, in microseconds since the epoch.
        event: the event id.
        columns: service, instance, client and peer; the same of many requests.
        method, path: of the request; printable ASCII without a "%".
    """

    __slots__ = ("_before", "_common", "_instance", "_request")

    def __init__(
        self,
        time: int,
        event: str,
        columns: tuple[bytes, str, bytes | None, bytes | None],
        method: bytes,
        path: bytes,
    ) -> None:
        self._before = b"%s\t%s\trequest" % (encode_time(time), event.encode())
        self._common = _common_cells(*columns)
        self._instance = columns[1]
        self._request = b"%s\t%s" % (respell(method), respell(path))

    def fill(  # noqa: PLR0913, PLR0917 - the columns that a head does not settle
        self,
        outcome: str,
        user: bytes | None,
        session: str | None,
        action: bytes | None,
        status: int | None,
        counts: tuple[int, int | None, int] | None,
        params: bytes,
        details: Details,
    ) -> Draft:
        """
        Return the draft of a version.

        Args:
            outcome, user, session, action, status: columns; these, too, need no code.
            counts: sent, rows and micros; None where nothing is sent yet.
            params: as they stand in the array of their column.
            details: shared by many records.
        """
        numbers = _NO_NUMBERS
        if counts is not None:
            sent, rows, micros = counts
            rows_cell = b"-" if rows is None else encode_number(rows)
            numbers = b"%d\t%s\t%d" % (sent, rows_cell, micros)
        coded = details.coded
        after = b"request\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t[%s]\t%s\t-\t-" % (
            outcome.encode(),
            self._common,
            b"-" if user is None else respell(user),
            b"-" if session is None else session.encode(),
            self._request,
            b"-" if action is None else respell(action),
            b"-" if status is None else b"%d" % status,
            numbers,
            params,
            encode_record_details(details) if coded is None else coded,
        )

        return Draft(_STREAM, self._before, after, self._instance)


@lru_cache(maxsize=1024)
def _common_cells(
    service: bytes, instance: str, client: bytes | None, peer: bytes | None
) -> bytes:
    cells = encode_column(service), encode_word(instance)

    return b"\t".join((*cells, encode_column(client), encode_column(peer)))
