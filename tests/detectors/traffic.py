# An hour of ordinary use of the banks: what people, browsers and apps send.
#
# It is written for the reader who asks what "no false alarm" means. Every request is
# one that a browser, a script of a page or an app makes by itself, or that its user
# makes with a slip of the hand.
from collections.abc import Iterator
from typing import NamedTuple
from urllib.parse import quote, quote_plus

__all__ = ["Request", "headers", "hour"]

_BROWSER = {
    "user-agent": "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
    "accept-language": "et,de;q=0.8,en;q=0.5",
    "referer": "https://bank.example/search?q=%C3%B5un&page=2",
}
_FORM = "application/x-www-form-urlencoded"


class Request(NamedTuple):
    """One request; `body` goes as it is, with its type."""

    method: str
    target: str
    body: bytes = b""
    type: str = _FORM
    fields: tuple[tuple[str, str], ...] = ()


def _form(target: str, *pairs: tuple[str, str]) -> Request:
    coded = "&".join(f"{quote_plus(name)}={quote_plus(value)}" for name, value in pairs)

    return Request("POST", target, coded.encode())


def _json(target: str, document: str) -> Request:
    return Request("POST", target, document.encode(), "application/json")


_SEARCHES = (
    "al", "Alice", "õunapuu", "Größe", "naïve café", "Москва", "東京 タワー", "서울",
    "مرحبا", "Γιώργος", "C++", "AT&T", "50% off", "100%", "a=b", "1+1=2", "rock & roll",
    "O'Brien", 'say "hi"', "<b>bold</b>", "user_id=7", "SELECT name FROM users", "#1",
    "🙂", "👩🏽\u200d💻", "❤\ufe0f", "x" * 300, "", " ", "two  spaces", "\u200fשלום",
    "zero\u200bwidth", "аdmin", "C:\\temp\\new", "../../etc", "%41", "a;b",
)  # fmt: skip


def _searches() -> Iterator[Request]:
    for text in _SEARCHES:
        yield Request("GET", f"/search?q={quote_plus(text)}")
        yield Request("GET", f"/search?q={quote(text)}&page=1")
    # Typed into the address bar, or linked to by hand.
    for target in (
        "q=100%",
        "q=50%+off",
        "q=%C3%B5un",
        "q=m%FCller",
        "q=%u00e9",
        "q=a+b",
    ):
        yield Request("GET", f"/search?{target}")
    yield Request("GET", "/search?m%FCnchen")  # what is searched for has no name
    yield Request("GET", "/search?q=a&q=b")  # checkboxes of a filter
    yield Request("GET", "/search?user_id=1&user_id=2&user_id=3")
    yield Request("GET", "/search?&q=a&&page=")
    yield Request("GET", "/search?q=a&_=1763701200123")  # a page's script, uncached
    yield Request("GET", "/search?lang=en")  # chosen anew; the cookie has the old one
    yield Request("GET", "/search?utm_source=letter&utm_campaign=may&gclid=Cj0KCQ")


def _logins() -> Iterator[Request]:
    for user, password in (
        ("alice", "wrong"),
        ("alice", ""),
        ("Alice ", "correct horse"),
        ("alice\t", "100%+safe&sound"),
        ("alise", "correct horse"),
        ("alice@example.com", "õ€🙂"),
        ("José Ångström", "x"),
        ("Иван Петров", "x"),
        ("Γιώργος", "x"),
        ("山田タロウ", "x"),
        ("علی\u200cرضا", "x"),
        ("김철수", "x"),
        ("🙂", "x"),
        ("alice", "correct horse"),
    ):
        yield _form("/login", ("user", user), ("password", password))
    yield _form("/login?next=/profile", ("user", "alice"), ("next", "/profile"))
    # An old form in Latin-1, and one that its user sent twice.
    yield Request("POST", "/login", b"user=J%F5geva&password=x")
    yield _form("/login", ("user", "alice"), ("password", "correct horse"))


def _working() -> Iterator[Request]:
    for _ in range(2):  # the second time by the back button, or in another tab
        yield Request("GET", "/profile")
        yield Request("GET", "/accounts/22051101")
        yield Request("GET", "/accounts/22051102")
        yield Request("GET", "/statement")
        yield Request("HEAD", "/health")
    order = (("from", "22051101"), ("to", "22051102"), ("amount", "1.00"))
    yield _form("/transfer", *order)
    yield _form("/transfer", *order, ("note", "rent, May\r\n+ 10% for heating"))
    yield _form("/transfer?to=22051102", *order)  # a link that filled the form
    yield _form("/search?q=", ("q", "filled in"))
    yield _form("/search?user_id=1", ("user_id", "1"), ("csrf_token", "ab12" * 8))
    yield _json("/transfer", '{"from":"22051101","to":"22051102","amount":"1.00"}')
    yield _json("/transfer?to=22051102", '{"to":22051102,"amount":1}')
    yield _json("/profile", '{"name":"Alice Õunapuu","tags":["a","b"],"age":null}')
    yield _json("/profile", '{"phone":"+372 5555","note":"line\\nline","x":"\\ud83d"}')
    yield _json("/profile", "[]")
    yield Request("POST", "/profile", b"", "application/json")
    yield Request("POST", "/profile", b'{"event":"left"}', "text/plain;charset=UTF-8")


_PART = '--b\r\nContent-Disposition: form-data; name="%s"%s\r\n\r\n%s\r\n'


def _uploads() -> Iterator[Request]:
    multipart = "multipart/form-data; boundary=b"
    for name, content in (
        ("photo.jpg", "\xff\xd8\xff\x00"),
        ("Õunad 100%.txt", "a"),
        ("a.pdf", "%PDF-1.4\x00" * 99),
        ("", ""),
    ):
        body = _PART % ("note", "", "two\r\nlines")
        body += _PART % ("files", f'; filename="{name}"', content)
        body += _PART % ("files", '; filename="b.txt"', "b")
        yield Request("POST", "/upload", f"{body}--b--\r\n".encode(), multipart)


def _apps() -> Iterator[Request]:
    # A mobile app; a monitor; a browser that asks for what is not there.
    yield Request("GET", "/health", fields=(("x-forwarded-proto", "https"),))
    yield Request("GET", "/favicon.ico")
    yield Request("GET", "/robots.txt")
    yield Request("GET", "/100%/m%FCller/a%20b")
    yield Request("GET", "/search?q=x", fields=(("via", "1.1 proxy.example"),))
    yield Request("OPTIONS", "/transfer", fields=(("origin", "https://bank.example"),))
    yield Request("POST", "/logout")
    yield Request("GET", "/profile")


def hour() -> list[Request]:
    """Return the requests of an hour, with a login where the bank asks for one."""
    return [*_searches(), *_logins(), *_working(), *_uploads(), *_apps()]


def headers(request: Request, session: str | None) -> dict[str, str]:
    """Return the field lines of a request, as a browser has them."""
    cookies = "lang=et; theme=dark; _ga=GA1.2.1234567890.1763701200"
    if session:
        cookies += f"; sessionid={session}"
    found = _BROWSER | {"cookie": cookies} | dict(request.fields)
    if request.method == "POST":
        found["content-type"] = request.type

    return found
