# What people type for a moment -> microseconds since the epoch.
#
#     2026-11-21  2026-11-21T05:26  2026-11-21T05:26:07.123456Z   UTC, if not said
#     30s  15m  2h  7d  4w                                        so long ago
import re
from datetime import UTC, datetime, timedelta

__all__ = ["parse_moment"]

_AGO = re.compile(r"([0-9]{1,9})([smhdw])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def parse_moment(text: str, now: datetime) -> int:
    """
    Return a moment in microseconds since the epoch.

    Args:
        text: as above.
        now: what "ago" is counted from.

    Raises:
        ValueError: it is neither a length of time nor a date.
    """
    match = _AGO.fullmatch(text)
    try:
        moment = (
            now - timedelta(**{_UNITS[match[2]]: int(match[1])})
            if match
            else datetime.fromisoformat(text)
        )
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        return (moment - _EPOCH) // timedelta(microseconds=1)
    except (ValueError, OverflowError) as error:
        raise ValueError(
            f"{text!r} is no moment: give 2h, 7d, or 2026-11-21T05:26 (UTC)"
        ) from error
