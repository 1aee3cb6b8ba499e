# Django's registry finds this class by the name of the module, and makes one of it.
#
# Rule 1: signals where there are any. Where Django tells nobody (which request is
#         served, what is answered with an error, which form is wrong, what the admin
#         deletes in one go) one function is put around Django's own, which is called as
#         it was, and whose result goes on.
# Rule 2: no query and no change of a session is made for the trail's sake.
from django.apps import AppConfig, apps
from django.contrib.auth.signals import (
    user_logged_in,
    user_logged_out,
    user_login_failed,
)
from django.core.handlers import exception
from django.core.handlers.base import BaseHandler
from django.core.signals import got_request_exception
from django.db.models.signals import post_save
from django.forms.forms import BaseForm
from django.middleware.csrf import CsrfViewMiddleware

from audit_mw.integrations.django import admin, errors, forms, logins, requests
from audit_mw.integrations.hearing import put_around

__all__ = ["AuditConfig"]


class AuditConfig(AppConfig):  # type: ignore[misc] # Django has no types
    """Lets a Django project be heard, from the moment that it is set up."""

    name = "audit_mw.integrations.django"
    label = "audit_mw"
    verbose_name = "Audit trail"

    def ready(self) -> None:
        """Connect everything, once in a process."""
        put_around(BaseHandler, "get_response", requests.asking)
        put_around(BaseHandler, "get_response_async", requests.asking_async)
        put_around(exception, "response_for_exception", errors.answering)
        put_around(CsrfViewMiddleware, "_reject", errors.rejecting)
        put_around(BaseForm, "full_clean", forms.cleaning)
        got_request_exception.connect(errors.failed)
        user_logged_in.connect(logins.logged_in)
        user_logged_out.connect(logins.logged_out)
        user_login_failed.connect(logins.login_failed)
        if apps.is_installed("django.contrib.admin"):
            entries = apps.get_model("admin", "LogEntry")
            post_save.connect(admin.saved, sender=entries)
            # What is deleted in one go is saved in one go, and that has no signal.
            put_around(type(entries.objects), "bulk_create", admin.saving)
