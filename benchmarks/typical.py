# What is typically asked: a GET with 4 params and 3 cookies, and the fields of a
# browser; or the same with a form or a JSON document in the place of the params.
from typing import NamedTuple

__all__ = ["BROWSER", "PATH", "QUERY", "REQUESTS", "Request"]

PATH = "/search"
QUERY = "q=shoes&page=2&sort=price&colour=red"
BROWSER = {
    "Host": "shop.example",
    "User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko Firefox",
    "Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    "Accept-Language": "en-GB,en;q=0.5",
    "Accept-Encoding": "gzip, deflate, br",
    "Referer": "https://shop.example/catalogue?page=2",
    "Cookie": "sessionid=0123456789abcdef0123456789abcdef; theme=dark; lang=en",
}


class Request(NamedTuple):
    """A request as a load generator wants it."""

    method: str
    target: str
    fields: dict[str, str]
    body: str = ""

    @property
    def wire(self) -> bytes:
        """Return it as it stands on the wire."""
        lines = [f"{self.method} {self.target} HTTP/1.1"]
        lines += [f"{name}: {value}" for name, value in self.fields.items()]
        if self.body:
            lines.append(f"Content-Length: {len(self.body)}")

        return "\r\n".join([*lines, "", self.body]).encode()


def _post(media: str, body: str) -> Request:
    return Request("POST", PATH, BROWSER | {"Content-Type": media}, body)


REQUESTS = {
    "get": Request("GET", f"{PATH}?{QUERY}", BROWSER),
    "form": _post("application/x-www-form-urlencoded", QUERY),
    "json": _post(
        "application/json", '{"q":"shoes","page":2,"sort":"price","colour":["red"]}'
    ),
}
