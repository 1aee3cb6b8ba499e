# What is done in Django's admin -> the security stream, by its own log.
#
# It is told when the admin writes its log, in the transaction of the change: what
# cannot be recorded is not done. What is undone afterwards stands, and the request's
# own record says ERROR.
#
# Rule: the object by its model and key, and the names of the fields; never a value, nor
#       the text of an object, which is made of its values. That of a user is its name.
import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import wraps
from typing import Any

from django.apps import apps
from django.conf import settings

from audit_mw import voice
from audit_mw.integrations.hearing import contained

__all__ = ["saved", "saving"]

# As django.contrib.admin.models has them, which cannot be imported before it is set up.
_FLAGS = {1: "addition", 2: "change", 3: "deletion"}
_OF_USERS = {1: "user_created", 2: "user_updated", 3: "user_deleted"}
_RIGHTS = {"user permissions", "groups", "staff status", "superuser status"}
_OF_RIGHTS = {"auth.group", "auth.permission"}


@contained
def saved(instance: Any = None, *, created: bool = False, **_: object) -> None:
    """Say what an entry of the admin's log says."""
    if created:
        _tell(instance)


def saving(create: Callable[..., Any]) -> Callable[..., Any]:
    """Put it around `bulk_create` of the log."""

    @wraps(create)
    def created(manager: Any, entries: Any, *args: Any, **named: Any) -> Any:
        entries = list(entries)
        result = create(manager, entries, *args, **named)
        for entry in entries:
            _told(entry)

        return result

    return created


@contained
def _told(entry: Any) -> None:
    _tell(entry)


def _tell(entry: Any) -> None:
    if voice.current() is None:
        return  # a fixture, or a script, which says itself what it does
    model = _model_of(entry)
    is_user = model == settings.AUTH_USER_MODEL.lower()
    fields = list(_fields(entry.change_message))
    details: dict[str, Any] = {
        "model": model,
        "object": _object(entry),
        "change": _FLAGS.get(entry.action_flag),
        "fields": fields,
        "account": entry.object_repr if is_user else None,
    }
    voice.security(
        _type(entry.action_flag, model, fields, is_user=is_user),
        outcome="SUCCESS",
        **{name: it for name, it in details.items() if it},
    )


def _object(entry: Any) -> object:
    """Return the key of an object; that of a session, or a token, by its own name."""
    if entry.object_id is None:
        return None
    found = _type_of(entry)
    model = None if found is None else found.model_class()
    key = "id" if model is None else model._meta.pk.name  # noqa: SLF001 - it is public

    return str(entry.object_id) if key == "id" else {key: str(entry.object_id)}


def _model_of(entry: Any) -> str | None:
    found = _type_of(entry)

    return None if found is None else f"{found.app_label}.{found.model}"


def _type_of(entry: Any) -> Any:
    if entry.content_type_id is None:
        return None
    # Those that it knows already; the admin has asked it for this one.
    types = apps.get_model("contenttypes", "ContentType").objects

    return types.get_for_id(entry.content_type_id)


def _type(flag: int, model: str | None, fields: list[str], *, is_user: bool) -> str:
    named = {field.lower() for field in fields}
    if is_user and flag == 2:
        if "password" in named:
            return "authn_password_change"
        if named & _RIGHTS:
            return "authz_change"
    if is_user and flag in _OF_USERS:
        return _OF_USERS[flag]

    return "authz_change" if model in _OF_RIGHTS else "authz_admin"


def _fields(message: str) -> Iterator[str]:
    """Yield the names of fields, and of related objects, that an entry tells of."""
    steps: Any = []
    with suppress(ValueError):  # a project's own words are no list
        steps = json.loads(message)
    for step in steps if isinstance(steps, list) else []:
        for told in step.values():
            if "name" in told:
                yield str(told["name"])
            yield from map(str, told.get("fields", ()))
