# What the application says of an exchange, while it runs: its word, checked where it is
# said, so that a slip of a developer is an error in the developer's line.
#
# Rule: what is said after the last message changes nothing; the record is made.
from collections.abc import Iterable

from audit_mw.policy.outcome import OUTCOMES

__all__ = ["Own", "Said", "check_count", "check_name", "check_outcome", "check_roles"]

_MOST = (1 << 63) - 1  # what readers of the trail can hold as a number


class Own(str):
    """
    A text that is ours, or an integration's, whatever a client sends.

    What the client sent is not looked for in it: where a password is one of our words,
    what is withheld in its place would tell which. What has the shape of a secret is
    withheld in it all the same.
    """

    __slots__ = ()


def check_name(what: str, value: object) -> str | None:
    """
    Return a name as text; None stays.

    Raises:
        TypeError: it is no name; an object of a user is not its name.
    """
    if value is None or isinstance(value, str):
        return value or None
    if isinstance(value, bytes):
        return value.decode(errors="surrogateescape") or None
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) <= _MOST:
        return str(value)

    kind = type(value).__name__
    raise TypeError(f"{what} must be a text, or a number that names it, not a {kind}")


def check_outcome(value: object) -> str:
    """
    Return an outcome.

    Raises:
        ValueError: there is no such outcome.
    """
    if isinstance(value, str) and value in OUTCOMES:
        return value

    raise ValueError(f"outcome must be one of {', '.join(OUTCOMES)}, not {value!r:.99}")


def check_count(what: str, value: object) -> int | None:
    """
    Return a number of things; None stays.

    Raises:
        TypeError: it is no number.
        ValueError: it is less than none, or more than there can be.
    """
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"{what} must be a number, not a {type(value).__name__}")
    if not 0 <= value <= _MOST:
        raise ValueError(f"{what} must be from 0 to 2**63 - 1")

    return int(value)


def check_roles(value: object) -> tuple[str, ...]:
    """
    Return names of roles.

    Raises:
        TypeError: it is no list of names.
    """
    if value is None:
        return ()
    if isinstance(value, (str, bytes)) or not isinstance(value, Iterable):
        raise TypeError(f"roles must be a list of names, not a {type(value).__name__}")
    names = (check_name("each of roles", role) for role in value)

    return tuple(name for name in names if name is not None)


class Said:
    """What the application said of one exchange so far."""

    __slots__ = (
        "action",
        "notes",
        "outcome",
        "roles",
        "rows",
        "session",
        "user",
    )

    def __init__(self) -> None:
        self.user: str | None = None
        self.roles: tuple[str, ...] = ()
        self.session: bytes | None = None
        self.action: str | None = None
        self.rows: int | None = None
        self.outcome: str | None = None
        self.notes: dict[str, object] = {}  # as details have them
