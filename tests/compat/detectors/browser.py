# A browser for the pages of Django's admin: it keeps cookies, and sends a form with all
# that stands in it, as browsers do.
import io
import re
import sys
from collections.abc import Callable
from html.parser import HTMLParser
from typing import Any
from urllib.parse import quote, unquote_to_bytes, urlencode, urljoin

__all__ = ["Browser", "Page"]

Fields = list[tuple[str, str]]
_BOUNDARY = "----geckoformboundary1234567890"


class Page:
    """A page that was got: its address, status and text."""

    def __init__(self, target: str, status: str, text: str, location: str) -> None:
        self.target = target
        self.status = status
        self.text = text
        self.location = location

    def form(self, form: str) -> "_Form":
        """Return the form of this id."""
        found = _Form(form)
        found.feed(self.text)
        assert found.found, f"{self.target}: no form {form}"

        return found


class _Form(HTMLParser):
    """The fields of one form."""

    def __init__(self, form: str) -> None:
        super().__init__()
        self._form = form
        self._inside = False
        self._select: str | None = None
        self._several = False
        self._area: str | None = None
        self.found = False
        self.action = ""
        self.multipart = False
        self.fields: Fields = []
        self.files: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        it = {name: value or "" for name, value in attrs}
        if tag == "form" and it.get("id") == self._form:
            self._inside = self.found = True
            self.action = it.get("action", "")
            self.multipart = it.get("enctype", "").startswith("multipart")
        elif self._inside and tag == "input":
            self._input(it, dict(attrs))
        elif self._inside and tag == "select":
            self._select, self._several = it.get("name"), "multiple" in it
        elif self._inside and tag == "option" and self._select:
            self._option(it)
        elif self._inside and tag == "textarea":
            self._area = it["name"]
            self.fields.append((self._area, ""))

    def _input(self, it: dict[str, str], given: dict[str, Any]) -> None:
        kind, name = it.get("type", "text"), it.get("name", "")
        if not name or kind in ("submit", "button", "reset"):
            return
        if kind == "file":
            self.files.append(name)
        elif kind not in ("checkbox", "radio") or "checked" in given:
            self.fields.append((name, it.get("value", "on" if kind[0] == "c" else "")))

    def _option(self, it: dict[str, str]) -> None:
        # Of a list that takes one, the first is chosen where none is.
        name = str(self._select)
        if "selected" in it:
            self.set(name, it.get("value", "")) if not self._several else (
                self.fields.append((name, it.get("value", "")))
            )
        elif not self._several and name not in dict(self.fields):
            self.fields.append((name, it.get("value", "")))

    def handle_data(self, data: str) -> None:
        if self._area:
            self.set(self._area, data.removeprefix("\n"))

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._inside = False
        elif tag == "select":
            self._select = None
        elif tag == "textarea":
            self._area = None

    def set(self, name: str, *values: str) -> None:
        """Fill in a field, where it stands; several values for a list of several."""
        at = next((n for n, each in enumerate(self.fields) if each[0] == name), None)
        rest = [each for each in self.fields if each[0] != name]
        place = len(rest) if at is None else at
        self.fields = [*rest[:place], *((name, it) for it in values), *rest[place:]]


class Browser:
    """
    Sends requests to a WSGI application.

    Args:
        app: wrapped.
        address: of the client.
    """

    def __init__(self, app: Any, address: str = "192.0.2.7") -> None:
        self._app = app
        self._address = address
        self._cookies = {"theme": "dark", "django_language": "et"}
        self._at = ""

    def get(self, target: str) -> Page:
        """Follow a link."""
        return self._follow(self._send("GET", urljoin(self._at, target)))

    def submit(self, page: Page, form: "_Form", *buttons: tuple[str, str]) -> Page:
        """Send a form of a page, by one of its buttons."""
        target = urljoin(page.target, form.action)
        fields = [*form.fields, *buttons]
        if form.multipart:
            kind, body = _multipart(fields, form.files)
        else:
            kind = "application/x-www-form-urlencoded"
            body = urlencode(fields).encode()

        return self._follow(self._send("POST", target, body, kind))

    def _follow(self, page: Page) -> Page:
        while page.status.startswith("302"):
            page = self._send("GET", urljoin(page.target, page.location))
        assert page.status.startswith("200"), (page.target, page.status)
        self._at = page.target

        return page

    def _send(
        self, method: str, target: str, body: bytes = b"", kind: str = ""
    ) -> Page:
        path, _, query = quote(target, safe="/?&=%+~:,;@!$'()*").partition("?")
        environ: dict[str, Any] = {
            "REQUEST_METHOD": method,
            "PATH_INFO": unquote_to_bytes(path).decode("latin-1"),
            "RAW_URI": f"{path}?{query}" if query else path,
            "QUERY_STRING": query,
            "REMOTE_ADDR": self._address,
            "SERVER_NAME": "library.example",
            "SERVER_PORT": "80",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "CONTENT_TYPE": kind,
            "CONTENT_LENGTH": f"{len(body)}",
            "HTTP_HOST": "library.example",
            "HTTP_REFERER": f"http://library.example{self._at}",
            "HTTP_COOKIE": "; ".join(f"{k}={v}" for k, v in self._cookies.items()),
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(body),
            "wsgi.errors": sys.stderr,
            "wsgi.version": (1, 0),
            "wsgi.multithread": False,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
        }
        told: dict[str, Any] = {}

        def start(
            status: str, given: Fields, _error: object = None
        ) -> Callable[[bytes], object]:
            told.update(status=status, headers=given)
            return lambda _: None

        result = self._app(environ, start)
        text = b"".join(result).decode()
        if hasattr(result, "close"):
            result.close()
        headers = [(name.lower(), value) for name, value in told["headers"]]
        for name, value in headers:
            if name == "set-cookie" and (found := re.match(r" *(\w+)=([^;]*)", value)):
                self._cookies[found[1]] = found[2]

        return Page(target, told["status"], text, dict(headers).get("location", ""))


def _multipart(fields: Fields, files: list[str]) -> tuple[str, bytes]:
    parts = [
        f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}'
        for name, value in fields
    ]
    # What nobody chose is sent as a file without a name.
    parts += [
        f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"; filename=""'
        "\r\nContent-Type: application/octet-stream\r\n\r\n"
        for name in files
    ]
    body = "\r\n".join([*parts, f"--{_BOUNDARY}--", ""])

    return f"multipart/form-data; boundary={_BOUNDARY}", body.encode()
