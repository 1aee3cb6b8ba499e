# Flask; its wsgi_app is wrapped, so that `app` stays Flask's own object.
import os
from collections.abc import Iterator

from flask import Flask, abort, redirect, request, session
from werkzeug.wrappers import Response

from audit_mw import AuditMiddleware

app = Flask(__name__)
app.secret_key = os.urandom(16)
app.config["PROPAGATE_EXCEPTIONS"] = "LET_THROUGH" in os.environ or None
app.wsgi_app = AuditMiddleware(app.wsgi_app)  # type: ignore[method-assign] # as Flask says


@app.get("/")
def page() -> str:
    return "hello"


@app.post("/form")
def form() -> str:
    return ",".join(request.form.getlist("item"))


@app.post("/json")
def document() -> str:
    return str(request.get_json()["order"]["item"])


@app.post("/upload")
def upload() -> str:
    return str(len(request.files["photo"].read()))


@app.post("/login")
def login() -> str:
    session["user"] = request.form["user"]

    return "welcome"


@app.get("/me")
def me() -> str:
    name = session.get("user") or abort(401)
    request.environ["REMOTE_USER"] = name

    return str(name)


@app.get("/fail")
def fail() -> str:
    raise LookupError("no such account")


@app.get("/stream")
def stream() -> Iterator[str]:
    return iter(["one,", "two,", "three"])


@app.get("/old")
def old() -> Response:
    return redirect("/")
