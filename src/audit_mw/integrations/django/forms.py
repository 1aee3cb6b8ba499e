# Forms that are not valid -> the error stream: which fields, and what kind of error.
#
# A form is cleaned once, when the application first asks for its errors. What a view
# adds to them afterwards is not seen.
from collections.abc import Callable, Iterator
from functools import wraps
from typing import Any

from audit_mw import voice
from audit_mw.integrations.hearing import (
    Problem,
    class_name,
    contained,
    rejected_input,
)

__all__ = ["cleaning"]


def cleaning(clean: Callable[..., None]) -> Callable[..., None]:
    """Put what is told of an invalid form around `full_clean`."""

    @wraps(clean)
    def cleaned(form: Any) -> None:
        clean(form)
        _cleaned(form)

    return cleaned


@contained
def _cleaned(form: Any) -> None:
    # Not `errors`, which would have the form cleaned by us.
    if voice.current() is None or not form.is_bound or not form._errors:  # noqa: SLF001
        return
    rejected_input(voice.Own("invalid form"), _problems(form), form=class_name(form))


def _problems(form: Any) -> Iterator[Problem]:
    # The messages are left out: they quote what was typed.
    for field, errors in form._errors.as_data().items():  # noqa: SLF001
        where = form.add_prefix(field) if field in form.fields else field
        for each in errors:
            yield Problem(where, str(each.code or "invalid"))
