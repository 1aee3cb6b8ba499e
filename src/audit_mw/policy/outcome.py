# How an exchange ended -> its outcome, the first row that holds.
#
# The application's own word comes before this table. An exception after the last
# message is no evidence here: the client can hold the complete response.
from dataclasses import dataclass

__all__ = ["OUTCOMES", "Evidence", "resolve_outcome"]

OUTCOMES = ("SUCCESS", "FAILURE", "ATTEMPT", "ERROR", "ABORTED")


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """
    What was seen until the last message.

    Args:
        gone: the client left, or the task was cancelled, before the last message.
        broken: an exception, no response, or a response that broke after its start.
        status: of the response; 403 for a websocket that was closed unaccepted.
        credentials: the client sent what could have let it in.
    """

    gone: bool = False
    broken: bool = False
    status: int | None = None
    credentials: bool = False


_SERVER_ERROR = 500
_CLIENT_ERROR = 400
_ASKS_WHO = (401, 407)  # RFC 9110 15.5.2, 15.5.8


def resolve_outcome(evidence: Evidence) -> str:
    """Return the outcome of an exchange."""
    status = evidence.status or 0
    if evidence.gone:
        return "ABORTED"
    if evidence.broken or status >= _SERVER_ERROR:
        return "ERROR"
    if status in _ASKS_WHO:
        return "FAILURE" if evidence.credentials else "ATTEMPT"
    if status >= _CLIENT_ERROR:
        return "FAILURE"

    return "SUCCESS"
