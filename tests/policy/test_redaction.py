# What is withheld of a text, a path, a URL, a credential and a traceback, and what stays.
import json
from base64 import b64encode
from collections.abc import Callable
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.strategies import few, fragments

from audit_mw.config import Config
from audit_mw.event import Hole, Redacted, Text
from audit_mw.policy.clean import Clean
from audit_mw.policy.keyring import Keyring
from audit_mw.policy.names import PASSWORD, TOKEN
from audit_mw.policy.redaction import Redactor
from audit_mw.policy.remembered import Known

KEY = b"k" * 32
KEYRING = Keyring(KEY)
REDACTOR = Redactor(Config.load({}, {}), KEYRING)


def shown(text: Text | Redacted) -> str:
    """Return a text with each hole as <class:length>."""
    if isinstance(text, Redacted):
        return f"<{text.cls}:{text.len}>"
    parts = text if isinstance(text, tuple) else (text,)

    return "".join(
        f"<{part.cls}:{part.len}>"
        if isinstance(part, Hole)
        else part.decode("utf-8", "backslashreplace")
        for part in parts
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # What gives a value to a name.
        pytest.param("password=hunter2", "password=<password:7>", id="equals sign"),
        pytest.param("a=1;password=x y", "a=1;password=<password:3>", id="to the end"),
        pytest.param('{"pin": "1234"}', '{"pin":<password:8>', id="JSON"),
        pytest.param("{'pin': 1234}", "{'pin':<password:6>", id="repr of a dict"),
        pytest.param("('pin', '1234')", "('pin', <password:7>", id="repr of a pair"),
        pytest.param("X(pin='1234')", "X(pin=<password:7>", id="repr of an object"),
        pytest.param(
            '\\\\\\"pin\\\\\\": 1', '\\\\\\"pin\\\\\\":<password:2>', id="escaped"
        ),
        pytest.param("pin => 1234", "pin =><password:5>", id="arrow"),
        pytest.param("pin -> 1234", "pin -><password:5>", id="thin arrow"),
        pytest.param("pin → 1234", "pin →<password:5>", id="drawn arrow"),
        pytest.param("pin := 1234", "pin :=<password:5>", id="assignment"),
        pytest.param(
            "a%3Db&pin%3D1234", "a%3Db&pin%3D<password:4>", id="percent-coded"
        ),
        pytest.param("<pin>1234</pin>", "<pin><password:10>", id="XML"),
        pytest.param(
            '<n:pin a="b">1</n:pin>', '<n:pin a="b"><password:9>', id="attributes"
        ),
        pytest.param(
            "<th>PIN</th><td>1234</td>", "<th>PIN</th><td><password:9>", id="a table"
        ),
        pytest.param(
            '<input name="pin" value="1">', "<<password:27>", id="an input of HTML"
        ),
        pytest.param(
            '<input value="1" name="pin">', "<<password:27>", id="value before name"
        ),
        pytest.param('name="pin" value="1"', 'name="pin"<password:10>', id="no tag"),
        pytest.param('name="pin"\r\n\r\n1234', 'name="pin"<password:8>', id="a part"),
        pytest.param("my PIN is 1234", "my PIN is <password:4>", id="a sentence"),
        pytest.param("PIN is: 1234", "PIN is: <password:4>", id="a colon behind"),
        pytest.param("heslo je x", "heslo je <password:1>", id="in Czech"),
        pytest.param("password ab12cd", "password <password:6>", id="side by side"),
        pytest.param("PIN 1234", "PIN <password:4>", id="digits beside"),
        pytest.param(
            "token 0a1b2c3d4e5f6a7b", "token <token:16>", id="a token beside its name"
        ),
        pytest.param("pin\uff1a1234", "<opaque:10>", id="a wide colon"),
        pytest.param("login a password b", "login a password <password:1>", id="netrc"),
        pytest.param("mysql -u a -pb c", "mysql -u a -p<password:3>", id="MySQL"),
        pytest.param(
            "x IDENTIFIED BY b", "x IDENTIFIED BY <password:1>", id="a user in SQL"
        ),
        pytest.param("PASSWORD 'x y'", "PASSWORD <password:5>", id="SQL"),
        pytest.param(
            "run --password x y", "run --password <password:3>", id="an option"
        ),
        pytest.param("curl -u alice:x y", "curl -u alice:<password:3>", id="curl"),
        pytest.param("an API key: abc", "an API key:<token:4>", id="two words"),
        pytest.param("PIN code: 1234", "PIN code:<password:5>", id="a second word"),
        pytest.param(
            "user,password\na,b\n",
            "user,password\n<password:4>",
            id="a table of commas",
        ),
        pytest.param("user[pin]=1234", "user[pin]=<password:4>", id="brackets"),
        pytest.param(
            "x" * 300 + "_pin=1", "x" * 300 + "_pin=<password:1>", id="long name"
        ),
        pytest.param("Cookie: a=b", "Cookie:<token:4>", id="a field line"),
        pytest.param("пароль: x y", "пароль:<password:4>", id="Cyrillic"),
        # What a further coding hides goes as a whole.
        pytest.param('{"\\u0070in":"1234"}', "<opaque:19>", id="escaped key"),
        pytest.param("%70in=1234", "<opaque:10>", id="coded name"),
        pytest.param("%2570in=1234", "<opaque:12>", id="name coded twice"),
        pytest.param("&lt;pin&gt;1234", "<opaque:15>", id="entities"),
        pytest.param("a%252525253D1", "<opaque:13>", id="coded too often"),
        pytest.param(b64encode(b'{"pin":"1234"}').decode(), "<opaque:20>", id="base64"),
        pytest.param(
            "v=" + b64encode(b'{"pin":"1234"}').decode(), "<opaque:22>", id="in base64"
        ),
        pytest.param(
            "x/" + b64encode(b'{"pin":"1234"}').decode(), "<opaque:22>", id="misaligned"
        ),
        pytest.param(
            b64encode(b'{"username":"a","pin":"1"}' * 3, altchars=b"-_").decode(),
            "<opaque:104>",
            id="base64 of URLs",
        ),
        pytest.param(
            "eyJ1c2VybmFtZSI6\nImEiLCJwaW4iOiIxIn0=",
            "<opaque:37>",
            id="base64 in lines",
        ),
        pytest.param(b"password=x".hex(), "<opaque:20>", id="hex"),
        pytest.param(
            "my card 4111111111111111, %70in=12", "<opaque:34>", id="beside another"
        ),
        # Paths in a text.
        pytest.param(
            "see https://h/reset-password/Ab1?a=1 now",
            "see https://h/reset-password/<password:3>?a=1 now",
            id="a link",
        ),
        pytest.param("/reset/MQ/c5k-0a1b2c/", "/reset/MQ/<token:10>/", id="a path"),
        # What stays.
        pytest.param("pin=", "pin=", id="no value"),
        pytest.param("password", "password", id="only a name"),
        pytest.param(
            "the password is incorrect", "the password is incorrect", id="said"
        ),
        pytest.param(
            "Please reset my password.", "Please reset my password.", id="asked"
        ),
        pytest.param("Two tokens were issued", "Two tokens were issued", id="told"),
        pytest.param("author: Jane", "author: Jane", id="an author"),
        pytest.param("order code: AB-123", "order code: AB-123", id="another code"),
        pytest.param("key: C major", "key: C major", id="another key"),
        pytest.param("50% off & more", "50% off & more", id="a percent sign"),
        pytest.param("AT&T; R&D;", "AT&T; R&D;", id="no entities"),
        pytest.param("aGVsbG8gd29ybGQh", "aGVsbG8gd29ybGQh", id="harmless base64"),
        pytest.param(
            "00ff00ff00ff00ff00ff00ff", "00ff00ff00ff00ff00ff00ff", id="no text"
        ),
        pytest.param("1.2.3.4, 10.0.0.1", "1.2.3.4, 10.0.0.1", id="addresses"),
        pytest.param("a,b\nc,d", "a,b\nc,d", id="another table"),
        pytest.param("Hi, I lost a pin\nx, y", "Hi, I lost a pin\nx, y", id="a letter"),
        *(
            pytest.param(text, text, id=text)
            for text in (
                "my password is lost|the secret is out|the session was great|auth is slow|"
                "basic training 2026|Basic concepts|scope session:read auth:write|"
                "session: 2, room 4|cp -p a b|reset password 3 times|"
                "user and password fields|user_id 12345678|Session: 10:00, room 2|"
                "ISBN 978-3-16-148410-0|order PO-2026-000123|+372 5123 4567|"
                "550e8400-e29b-41d4-a716-446655440000|R&D: 4 < 5; caf\u00e9 &amp; bar|"
                "/home/alice/share/report2026.pdf|see src/sessions/models.py line 12|"
                "EE382200221020145685|1732190766123457|2026-11-21T10:20:30.123456Z|"
                "how to change my password|forgot PIN?|label:auth author:bob"
            ).split("|")
        ),
        pytest.param("C:\\dir\\file.txt", "C:\\dir\\file.txt", id="a file"),
        pytest.param("/a/auth/views.py/x", "/a/auth/views.py/x", id="a module"),
    ],
)
def test_text(text: str, expected: str) -> None:
    """A secret in a text is withheld to the text's end, all else stays as it is."""
    assert expected == shown(REDACTOR.text(text.encode()))


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        pytest.param(
            "/a;jsessionid=1A2B;b=c/d", "/a;jsessionid=<token:4>;b=c/d", id="matrix"
        ),
        pytest.param("/reset-password/x.y", "/reset-password/<password:3>", id="after"),
        pytest.param(
            "/password/reset/x!y", "/password/reset/<password:3>", id="two after"
        ),
        pytest.param(
            "/token/Ab1/Cd2/Ef3", "/token/<token:3>/<token:3>/Ef3", id="reach"
        ),
        pytest.param(
            "/accounts/reset/MQ/c5k-0a1b2c",
            "/accounts/reset/MQ/<token:10>",
            id="Django",
        ),
        pytest.param(
            "/activate/MQ/c5k-0a1b2c/", "/activate/MQ/<token:10>/", id="activate"
        ),
        pytest.param("/sessions/0a1b2c3d", "/sessions/<token:8>", id="a session's id"),
        pytest.param("/hooks/T0a1b2c3d", "/hooks/<token:9>", id="a hook"),
        pytest.param("/confirmEmail/a1b2c3", "/confirmEmail/<token:6>", id="camel"),
        pytest.param(
            "/shared/0a1b2c3d4e5f6a7b.pdf", "/shared/<token:20>", id="a file to share"
        ),
        pytest.param(
            "/links/0a1b2c3d4e5f6a7b",
            "/links/<token:16>",
            id="a link of random letters",
        ),
        pytest.param("/log-in/T0a1b2c3d", "/log-in/<token:9>", id="a mailed link"),
        pytest.param("/a/token=Ab1/b", "/a/token=<token:3>/<token:1>", id="a pair"),
        pytest.param("/a/token:Ab1/b", "/a/token:<token:3>/<token:1>", id="a colon"),
        pytest.param("/reset-password-Ab1cd2", "<password:21>", id="no border"),
        pytest.param(
            "/re%73et-password/Ab1", "/re%73et-password/<password:3>", id="coded"
        ),
        pytest.param("/x%2Freset-password%2FAb1", "<opaque:24>", id="coded slash"),
        pytest.param("/a%3Fpin=1234", "/a%3Fpin=<password:4>", id="coded query"),
        pytest.param("http://a:b@h/c", "http://<password:3>@h/c", id="absolute form"),
        pytest.param("//a:b@c@h/d", "//<password:5>@h/d", id="two at signs"),
        pytest.param("//a:b/c@h/d", "//<password:5>@h/d", id="a slash in it"),
        pytest.param("//token@h/d", "//<password:5>@h/d", id="only a user"),
        pytest.param("/a/eyJhbGci.eyJ.x/b", "/a/<token:14>/b", id="by shape"),
        *(
            pytest.param(path, path, id=path)
            for path in (
                "/ * /api/users/42/password/reset /api/users/42/password /password/reset/done/ "
                "/users/42/change-password /forgot-password /auth/login /auth/google/callback "
                "/oauth2/authorize /realms/shop/protocol/openid-connect/token /token/refresh "
                "/api/v1/sessions/42 /sessions/keynote /static/js/auth.3f2a1b.js /api/tokens "
                "/users/alice /orders/2026-000123 /orders/confirm/42 /webhooks/github/push "
                "/docs/api/authentication/oauth2/flows /wiki/Token_ring /secretary/42 "
                "/admin/auth/user/42/change/ /.well-known/change-password /verify/email "
                "/images/550e8400-e29b-41d4-a716-446655440000.png /p/9780306406157 "
                "/shared/report2026.pdf /media/verify/logo-2026.png /keys/42 /links/a-1 "
                "/links/550e8400-e29b-41d4-a716-446655440000 /register/step2 "
                "/blog/2026/post-123 /articles/basic-training-2026 /static/auth/app.4f3a2b1c.js "
                "/cgi-bin/.%2e/.%2e/etc/passwd /search/author/Jane%20Doe //h:80/a /a//b "
                "/blog/2026/11/21/how-to-choose-a-good-password/comments"
            ).split()
        ),
    ],
)
def test_path(path: str, expected: str) -> None:
    """A segment behind one that announces a secret goes; the words of routes stay."""
    slash = "/" if expected.startswith("<") else ""

    assert slash + expected == shown(REDACTOR.path(path.encode()))


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        pytest.param(
            "https://h/a?b=c&pin=1&d", "https://h/a?b=c&pin=<password:1>&d", id="query"
        ),
        pytest.param("/a?%70in=1", "/a?%70in=<password:1>", id="coded name"),
        pytest.param(
            "/#access_token=x/y&b", "/#access_token=<token:3>&b", id="fragment"
        ),
        pytest.param(
            "/#/reset-password/x!y?a", "/#/reset-password/<password:3>?a", id="route"
        ),
        pytest.param(
            "/?next=/token/x1y", "/?next=/token/<token:3>", id="path in a query"
        ),
        pytest.param(
            "/?next=%2Ftoken%2Fx1y", "/?<opaque:19>", id="coded path in a query"
        ),
        pytest.param(
            "/cb?code=4/0AX4XfWh&state=1", "/cb?code=<secret:10>&state=1", id="code"
        ),
        pytest.param("/?user=a%3Ab", "/?user=<password:5>", id="user:password"),
        pytest.param(
            "/verify?a=0a1b2c3d4e5f6a7b&b", "/verify?a=<token:16>&b", id="mailed"
        ),
        pytest.param(
            "/view?a=0a1b2c3d4e5f6a7b", "/view?a=0a1b2c3d4e5f6a7b", id="not mailed"
        ),
        pytest.param("/?a=1;pin=2&b", "/?a=1;pin=<password:1>&b", id="semicolon"),
        pytest.param("https://u:p@h?a", "https://<password:3>@h?a", id="no path"),
        pytest.param(
            "https://token.h/a/b?q", "https://token.h/a/b?q", id="a host's name"
        ),
        pytest.param("?&&#?", "?&&#?", id="only marks"),
        pytest.param("", "", id="empty"),
    ],
)
def test_url(url: str, expected: str) -> None:
    """Of a URL each pair of its query and its fragment is looked at for itself."""
    assert expected == shown(REDACTOR.url(url.encode()))


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        pytest.param("shop.example:8080", "shop.example:8080", id="host"),
        pytest.param("a:b@c@h", "<password:5>@h", id="user information"),
        pytest.param("@h", "@h", id="none"),
        pytest.param("token=abc", "token=<token:3>", id="nonsense"),
    ],
)
def test_host(host: str, expected: str) -> None:
    """A Host has no user information; where one comes with it, it goes."""
    assert expected == shown(REDACTOR.host(host.encode()))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param("Basic YWxpY2U6c2VjcmV0", "Basic alice:<password:6>", id="Basic"),
        pytest.param("basic YWxpY2U6", "basic alice:<password:0>", id="no password"),
        pytest.param("Basic YTpiOmM=", "Basic a:<password:3>", id="a colon in it"),
        pytest.param("Basic YWxpY2U", "Basic <password:7>", id="no padding"),
        pytest.param("Basic YWxpY2U=", "Basic <password:8>", id="no colon"),
        pytest.param("Basic !", "Basic <password:1>", id="no base64"),
        pytest.param("Basic a:b", "Basic <password:3>", id="in the clear"),
        pytest.param(
            "Basic " + b64encode(b"Tr0ub4dor8xKq2Zw:").decode(),
            "Basic <password:24>",
            id="a token as the user",
        ),
        pytest.param(
            "Basic " + b64encode(b"pin=12:x").decode(),
            "<password:18>",
            id="a secret as the user",
        ),
        pytest.param("Bearer abc", "Bearer <token:3>", id="Bearer"),
        pytest.param("bearer   abc ", "bearer <token:3>", id="spaces"),
        pytest.param("Digest username=a", "Digest <token:10>", id="Digest"),
        pytest.param("AWS4-HMAC-SHA256 a", "AWS4-HMAC-SHA256 <token:1>", id="Amazon"),
        pytest.param("hunter2 abc", "<token:11>", id="no scheme that is known"),
        pytest.param("Bearer", "<token:6>", id="one word"),
        pytest.param("", "", id="empty"),
    ],
)
def test_authorization(value: str, expected: str) -> None:
    """Of an Authorization line the scheme stays, and with Basic the user's name."""
    assert expected == shown(REDACTOR.authorization(value.encode()))


def test_secrets_of_authorization() -> None:
    """Both what was sent and what it decodes to are secrets."""
    assert REDACTOR.credentials(b"Basic YTpi") == [b"YTpi", b"b"]
    assert REDACTOR.credentials(b"Bearer x") == [b"x", b"x"]
    assert REDACTOR.credentials(b"x") == [b"x", b"x"]


@pytest.mark.parametrize(
    ("cls", "value", "name", "expected"),
    [
        pytest.param(PASSWORD, b"", b"pin", "<password:0>", id="empty"),
        pytest.param(PASSWORD, b"x", b"pin", "<password:1>", id="by its class"),
        pytest.param(None, b"a b", b"q", "a b", id="ordinary"),
        pytest.param(None, b"4111111111111111", b"q", "<card:16>", id="all of it"),
        pytest.param(None, b"a:b c", b"user", "a:<password:3>", id="user:password"),
        pytest.param(None, b"a:", b"user", "a:", id="nothing behind the colon"),
        pytest.param(
            None, b"https://a.h/", b"user", "https://a.h/", id="a URL as user"
        ),
    ],
)
def test_value(cls: str | None, value: bytes, name: bytes, expected: str) -> None:
    """A value goes by its class, or as far as a secret is in it."""
    assert expected == shown(REDACTOR.value(cls, value, name))


@pytest.mark.parametrize(
    ("source", "name", "value", "cls"),
    [
        pytest.param("form", b"pin", b"1", PASSWORD, id="by name"),
        pytest.param("form", b"%70in", b"1", PASSWORD, id="by a coded name"),
        pytest.param("form", b"code", b"123456", "secret", id="by name and value"),
        pytest.param("cookie", b"x", b"8f14e45fceea167a", TOKEN, id="a cookie, hex"),
        pytest.param("cookie", b"x", b"a1-B2_c3d4e5f6g7", TOKEN, id="a cookie, mixed"),
        pytest.param("cookie", b"x", b"dark", None, id="a cookie, a word"),
        pytest.param("cookie", b"x", b"2026-11-21T05:26", None, id="a cookie, a time"),
        pytest.param("form", b"x", b"8f14e45fceea167a", None, id="no cookie"),
    ],
)
def test_class_of(source: str, name: bytes, value: bytes, cls: str | None) -> None:
    """A cookie that looks made by a machine may be a session, whatever its name."""
    assert cls == REDACTOR.class_of(source, name, value)


@pytest.mark.parametrize(
    ("cls", "name", "expected"),
    [
        pytest.param(None, b"user[0][name]", "user[0][name]", id="ordinary"),
        pytest.param(PASSWORD, b"user[pin]", "user[pin]", id="the name itself"),
        pytest.param(TOKEN, b"/tokens/0/id", "/tokens/0/id", id="keys"),
        pytest.param(
            TOKEN, b"/tokens/Ab1cd2", "/tokens/<token:6>", id="a secret as a key"
        ),
        pytest.param(TOKEN, b"tokens[a b]", "tokens[<token:3>]", id="in brackets"),
        pytest.param(None, b"pin:1234", "pin:<password:4>", id="a pair as a name"),
    ],
)
def test_name(cls: str | None, name: bytes, expected: str) -> None:
    """A name stays, but for what a secret name has below it and is no mere key."""
    assert expected == shown(REDACTOR.name(cls, name))


@pytest.mark.parametrize(
    ("name", "secret"),
    [
        *(
            (name, True)
            for name in ("password.txt", "id_rsa", "a.pem", "x/.env", "a.P12")
        ),
        *(
            (name, False)
            for name in ("a.png", "report.docx", "environment", "keys.png", "")
        ),
    ],
)
def test_files(name: str, secret: bool) -> None:
    """Some files hold secrets, as their names tell."""
    assert secret == REDACTOR.names_secret_file(name.encode())


@pytest.mark.parametrize(
    ("body", "secret"),
    [
        *(
            (b, True)
            for b in (b"<pin>1</pin>", b"a pin b", b"x" * 70 + b"password" + b"x" * 70)
        ),
        *(
            (b, True)
            for b in (b"%70assword=x", b"user:\n  api_key: x", b"4111111111111111")
        ),
        *(
            (b, True)
            for b in (
                b'{"method":"login","params":["alice","hunter2x"]}\n{"a":1}',
                b'x{"method": "user.logIn", "params": ["alice", "hunter2x"]}',
                b"{'kty':'oct','k':'GawgguFyGrWKav7AX4VKUg'}",
                b'{"api": {"key": "A1-abcdefg9"}}\n{}',
            )
        ),
        *((b, False) for b in (b"hello world", b"<a>spinning</a>", b"", b"author: me")),
        *((b, False) for b in (b'{"a":1}\n{"b":"red"}', b'say "hello" to {them}')),
    ],
)
def test_names_secret(body: bytes, secret: bool) -> None:
    """A body that nobody understood is kept only if it speaks of no secret at all."""
    assert secret == REDACTOR.names_secret(body)


@pytest.mark.parametrize(
    ("text", "secrets", "expected"),
    [
        pytest.param("a\nb", [], "a\nb", id="nothing"),
        pytest.param(
            "a\npin=1 2\nb", [], "a\npin=<password:3>\nb", id="to the line's end"
        ),
        pytest.param("x hunter2 y", [b"hunter2"], "x <password:7> y", id="known"),
        pytest.param(
            "x HUNTER2 y", [b"hunter2"], "x <password:7> y", id="another case"
        ),
        pytest.param("x 68756e74657232", [b"hunter2"], "x <password:14>", id="in hex"),
        pytest.param(
            "line 42 and 142", [b"42"], "line <password:2> and 142", id="short"
        ),
        pytest.param("a b!c d", [b"b!c"], "a <password:3> d", id="short with a mark"),
        pytest.param(
            "  | ab12\n  | cd34",
            [b"ab12\ncd34"],
            "  | <password:4>\n  | <password:4>",
            id="lines",
        ),
        pytest.param(
            "x 0123456789abc... y",
            [b"0123456789abcdefgh"],
            "x <password:13>... y",
            id="a part",
        ),
        pytest.param("nothing of it", [b"", b"zz"], "nothing of it", id="not there"),
        pytest.param(
            '  File "/a/token/x1y.py", line 1',
            [],
            '  File "/a/token/x1y.py", line 1',
            id="frame",
        ),
    ],
)
def test_lines(text: str, secrets: list[bytes], expected: str) -> None:
    """In a traceback known secrets go wherever they stand, others to the line's end."""
    assert expected == shown(REDACTOR.lines(text.encode(), Known(secrets)))


def test_key_in_lines() -> None:
    """A key in armour is found over several lines."""
    text = b"a\n-----BEGIN PRIVATE KEY-----\nx\n-----END PRIVATE KEY-----\nb"

    assert shown(REDACTOR.lines(text)) == "a\n<token:55>\nb"


def test_digests() -> None:
    """A token has a digest under the key, and nothing else has one."""
    digest = KEYRING.digest(b"abc")
    running = KEYRING.running()
    running.update(b"abc")

    assert REDACTOR.withhold(TOKEN, b"abc") == Redacted(3, TOKEN, digest)
    assert REDACTOR.withhold(TOKEN, b"") == Redacted(0, TOKEN)
    assert REDACTOR.withhold(PASSWORD, b"abc") == Redacted(3, PASSWORD)
    assert REDACTOR.hole(TOKEN, b"abc") == Hole(3, TOKEN, digest)
    assert KEYRING.name(running) == digest
    assert Keyring(b"x" * 32).digest(b"abc") != digest
    assert digest.partition(".")[0] == Keyring(KEY).digest(b"x").partition(".")[0]


def test_own_names_and_patterns() -> None:
    """Names and patterns of the config count as the built-in ones do."""
    config = Config.load(
        {"secret_names": "kood", "secret_patterns": [r"\d{4}"], "not_secret": "pin"}, {}
    )
    redactor = Redactor(config, KEYRING)

    assert shown(redactor.text(b"kood: abc")) == "kood:<secret:4>"
    assert shown(redactor.text(b"1234")) == "<secret:4>"
    assert shown(redactor.text(b"pin=abc")) == "pin=abc"


def test_what_is_remembered_is_bounded() -> None:
    """Of texts that hold no secret so many are remembered, and no long ones."""
    clean = Clean()
    for number in range(5000):
        clean.add(b"%d" % number)
    clean.add(b"x" * 600)

    assert len(clean.texts) < 4096
    assert b"x" * 600 not in clean.texts


def test_no_secret_is_remembered() -> None:
    """A text with a secret is looked at each time, and never held."""
    redactor = Redactor(Config.load({}, {}), KEYRING)
    for look in (redactor.text, redactor.path, redactor.url):
        look(b"/a/password=hunter2")

    held = (redactor._clean, redactor._clean_paths, redactor._clean_urls)
    assert not any(b"hunter2" in text for clean in held for text in clean.texts)


PIECES = (
    *(
        b"password",
        b"token",
        b"pin",
        b"=",
        b":",
        b"&",
        b";",
        b"/",
        b"?",
        b"#",
        b"%",
        b"%25",
    ),
    *(
        b"\\u0070",
        b"\\",
        b'"',
        b"'",
        b"<",
        b">",
        b"&lt;",
        b" ",
        b"\n",
        b"@",
        b"://",
        b"a",
    ),
    *(
        b"Bearer ",
        b"eyJ",
        b".",
        b"cGFzc3dvcmQ9eHh4",
        b"4111111111111111",
        b"reset",
        b"\xff",
    ),
    *(b"-----BEGIN PRIVATE KEY-----", b" is ", b"--", b"\r\n\r\n", b"name=", b"value="),
)
LOOKS = ("text", "path", "url", "host", "lines")


@few
@given(st.sampled_from(LOOKS), fragments(*PIECES, most=14))
def test_never_raises(look: str, text: bytes) -> None:
    """Whatever the text, with holes it is as long as it was, each part at its place."""
    parts = getattr(REDACTOR, look)(text)
    at = 0
    for part in parts if isinstance(parts, tuple) else (parts,):
        length = part.len if isinstance(part, Hole) else len(part)
        if isinstance(part, bytes):
            assert part == text[at : at + length]
        at += length

    assert at == len(text)


@few
@given(st.binary(max_size=80) | fragments(*PIECES), st.binary(max_size=20))
def test_nothing_raises(text: bytes, name: bytes) -> None:
    """No bytes are an error to any of the looks."""
    REDACTOR.authorization(text)
    REDACTOR.credentials(text)
    REDACTOR.names_secret(text)
    REDACTOR.names_secret_file(text)
    REDACTOR.class_in(text)
    REDACTOR.class_of("cookie", name, text)
    REDACTOR.value(None, text, name)
    REDACTOR.name(TOKEN, text)
    list(REDACTOR.secrets(text))
    REDACTOR.lines(text, Known([name, text]))


GIVERS = ("password={}", 'pin: "{}"', "<pin>{}</pin>", "('token', '{}')", "--secret {}")
CODINGS: tuple[Callable[[str], str], ...] = (
    str,
    lambda text: quote(text, safe=""),
    lambda text: quote(quote(text, safe=""), safe=""),
    lambda text: json.dumps({"x": text}),
    lambda text: json.dumps(json.dumps({"x": text})),
    lambda text: b64encode(text.encode()).decode(),
    lambda text: quote(b64encode(text.encode()).decode(), safe=""),
    lambda text: text.encode().hex(),
    lambda text: "".join(f"\\u{ord(letter):04x}" for letter in text),
    lambda text: (
        text.replace("<", "&lt;").replace("p", "&#112;").replace("s", "&#x73;")
    ),
)


@given(
    st.text(" abc,;", max_size=8),
    st.sampled_from(GIVERS),
    st.text("KXZ0123456789'\"\\ &=%/é", min_size=8, max_size=24),
    st.sampled_from(CODINGS),
)
def test_no_secret_survives(
    before: str, giver: str, secret: str, code: Callable[[str], str]
) -> None:
    """Whatever gives it and whatever codes it, no part that stays has the secret."""
    if giver.endswith("{}"):
        secret = f"K{secret}"
    text = code(before + " " + giver.format(secret)).encode()
    kept = REDACTOR.text(text)
    stays = b"|".join(
        part
        for part in (kept if isinstance(kept, tuple) else (kept,))
        if isinstance(part, bytes)
    )

    assert secret.encode() not in stays
    coded = code(secret).strip('"{}:x \\').encode()
    assert len(coded) < 8 or coded not in stays


@given(st.text("abcXYZ0123456789 '&é", min_size=6, max_size=20), st.integers(0, 40))
def test_no_known_secret_survives(secret: str, at: int) -> None:
    """A secret that is known is in no part that stays, wherever it stood."""
    text = ("x" * 40)[:at] + " " + secret + " " + ("y" * 40)[at:]
    kept = REDACTOR.lines(text.encode(), Known([secret.encode()]))

    assert isinstance(kept, tuple)
    assert not any(secret.encode() in part for part in kept if isinstance(part, bytes))
