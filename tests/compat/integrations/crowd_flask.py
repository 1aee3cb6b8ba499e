# Many users at once: each says its name, and is told it back after a while.
import time

import flask_login
from flask import Flask, Request

import audit_mw
from audit_mw import AuditMiddleware
from audit_mw.integrations.flask import listen

app = Flask(__name__)
app.secret_key = "of your own"
app.wsgi_app = AuditMiddleware(app.wsgi_app)  # type: ignore[method-assign] # as Flask says
listen(app)
manager = flask_login.LoginManager(app)


class User(flask_login.UserMixin):  # type: ignore[misc] # it has no types
    """Whoever the header names."""

    def __init__(self, name: str) -> None:
        self.id = name


@manager.request_loader  # type: ignore[untyped-decorator] # it has no types
def load(request: Request) -> User:
    """Believe the header."""
    return User(request.headers["X-User"])


@app.get("/me")
@flask_login.login_required  # type: ignore[untyped-decorator] # it has no types
def me() -> str:
    """Say something of the user, after a while."""
    name = str(flask_login.current_user.id)
    time.sleep(len(name) / 1000)
    audit_mw.error("insufficient funds", said_by=name)

    return name
