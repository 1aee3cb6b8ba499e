# What is asked: a GET as a browser sends it, and the other workloads.
#
# TAG in a request stands for eight characters that differ from request to request,
# USER for eight that differ from user to user, of whom there are a thousand: what
# differs for real users (a search, a session) must differ here, or a cache would seem
# to be worth more than it is.
from typing import NamedTuple

__all__ = ["BROWSER", "PATH", "QUERY", "REQUESTS", "TAG", "USER", "USERS", "Request"]

TAG = "@@@@@@@@"
USER = "########"
USERS = 1_000
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
_OWN_SESSION = BROWSER | {"Cookie": BROWSER["Cookie"].replace("01234567", USER, 1)}
_OWN_SEARCH = f"q=shoes-{TAG}&page=2&sort=price&colour=red"
_FORM = "application/x-www-form-urlencoded"
_BOUNDARY = "----3e4c0c5e2d1f"


class Request(NamedTuple):
    """A request as a load generator wants it."""

    method: str
    target: str
    fields: dict[str, str]
    body: str = ""

    @property
    def text(self) -> str:
        """Return it as it stands on the wire, with TAG and USER in it."""
        lines = [f"{self.method} {self.target} HTTP/1.1"]
        lines += [f"{name}: {value}" for name, value in self.fields.items()]
        if self.body:
            lines.append(f"Content-Length: {len(self.body)}")

        return "\r\n".join([*lines, "", self.body])

    def wire(self, number: int) -> bytes:
        """Return it as it stands on the wire, numbers in the place of TAG and USER."""
        text = self.text.replace(TAG, f"{number:08x}")

        return text.replace(USER, f"{number % USERS:08x}").encode()


def _post(media: str, body: str) -> Request:
    return Request("POST", PATH, _OWN_SESSION | {"Content-Type": media}, body)


def _json(length: int) -> str:
    start = f'{{"q":"shoes-{TAG}","page":2,"sort":"price","items":['
    item = '{"sku":"red-shoe","size":42,"price":79.9,"gift":false,"note":null}'
    count = (length - len(start)) // (len(item) + 1)

    return start + ",".join([item] * count) + "]}"


def _multipart(length: int) -> str:
    field = f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="%s"%s\r\n\r\n'
    start = field % ("title", "") + f"shoes-{TAG}\r\n"
    file = '; filename="shoes.txt"\r\nContent-Type: text/plain'
    start += field % ("photo", file)
    text = "The quick brown fox jumps over the lazy dog.\n" * (length // 45)

    return f"{start}{text}\r\n--{_BOUNDARY}--\r\n"


REQUESTS = {
    "bare": Request("GET", "/", {"Host": "shop.example"}),
    "get": Request("GET", f"{PATH}?{_OWN_SEARCH}", _OWN_SESSION),
    "form": _post(_FORM, _OWN_SEARCH),
    "json": _post("application/json", _json(2_000)),
    "multipart": _post(
        f"multipart/form-data; boundary={_BOUNDARY}", _multipart(50_000)
    ),
    "params": _post(_FORM, "&".join(f"p{number:04}={TAG}" for number in range(4_096))),
    # 20 values of 400 bytes, each of which is new: nothing that was seen can be reused.
    "spill": _post(
        _FORM, "&".join(f"v{number:02}={TAG}{'x' * 392}" for number in range(20))
    ),
}
