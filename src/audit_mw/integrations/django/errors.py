# What a project answers with an error -> the streams error, security and fault.
import sys
from collections.abc import Callable
from functools import wraps
from typing import Any

from django.core.exceptions import BadRequest, PermissionDenied, SuspiciousOperation
from django.http import Http404
from django.http.multipartparser import MultiPartParserError

from audit_mw import voice
from audit_mw.errors import AuditUnavailable
from audit_mw.integrations.hearing import class_name, contained, refusal

__all__ = ["answering", "failed", "rejecting"]

_INVALID = (BadRequest, MultiPartParserError, SuspiciousOperation)


@contained
def failed(**_: object) -> None:
    """Record the exception that Django makes a 500 of."""
    # The signal does not hand it over; it is sent where it is handled.
    error = sys.exc_info()[1]
    if error is not None and not isinstance(error, AuditUnavailable):
        voice.fault(error)


def answering(respond: Callable[..., Any]) -> Callable[..., Any]:
    """Put what is told of an answer around `response_for_exception`."""

    @wraps(respond)
    def answered(request: Any, error: BaseException) -> Any:
        response = respond(request, error)
        _answered(request, error)

        return response

    return answered


@contained
def _answered(request: Any, error: BaseException) -> None:
    # Their texts are for the log of a developer, and may quote anything.
    name = class_name(error)
    if isinstance(error, _INVALID):
        voice.error(name, type="input_validation_fail", status=400)
    elif isinstance(error, PermissionDenied):
        refusal(403, name)
    elif isinstance(error, Http404) and getattr(request, "resolver_match", None):
        refusal(404, name)  # a view found nothing; a path without a view is no error


def rejecting(reject: Callable[..., Any]) -> Callable[..., Any]:
    """Put what is told of a forged form around the middleware's `_reject`."""

    @wraps(reject)
    def rejected(middleware: Any, request: Any, reason: str) -> Any:
        response = reject(middleware, request, reason)
        _rejected(reason)

        return response

    return rejected


@contained
def _rejected(reason: str) -> None:
    # Behind the dash stands what the client sent.
    if voice.current() is not None:
        refusal(403, f"request forgery: {reason.partition(' - ')[0]}")
