# What can go wrong, by whose fault it is.
#
# A bad client is not in this list: what a client sends is never an error here,
# it is a note in the event.
__all__ = ["AuditError", "AuditUnavailable", "ConfigError", "DamagedRecord"]


class AuditError(Exception):
    """The root of every exception that this package raises of its own accord."""


class ConfigError(AuditError):
    """
    An option is wrong. Raised at start, never while a request runs.

    Args:
        option: the option's name, as the user wrote it.
        value: what the user gave.
        right: what would be right, as a phrase.
        where: the source of the value: a keyword, a variable, a file.
    """

    def __init__(
        self, option: str, value: object, right: str, where: str = "keyword"
    ) -> None:
        super().__init__(f"option {option!r} ({where}) is {value!r}: {right}")
        self.option = option
        self.value = value
        self.right = right
        self.where = where


class AuditUnavailable(AuditError):
    """
    The trail cannot take a record now, so the request must not be answered.

    The cause (an `OSError`, as a rule) is chained.
    """


class DamagedRecord(AuditError):
    """
    A line of a segment is not what the writer wrote.

    Args:
        reason: what is wrong with it, as a phrase.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
