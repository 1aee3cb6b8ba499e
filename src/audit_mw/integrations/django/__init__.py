"""
What a Django project does, said in its trail; it is no middleware of Django's.

    INSTALLED_APPS = [..., "audit_mw.integrations.django"]

With `AuditMiddleware` around the application of `wsgi.py` or `asgi.py`, the request's
record has the user, the session and the name of the view; logins, failed ones and
logouts have records of their own, and so have exceptions, errors that a user is shown,
forms that are not valid, and what is done in the admin: docs/integrations.md.
"""

__all__: list[str] = []
