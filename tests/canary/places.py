# Where a secret may stand in a request: one table, read by tests/test_canary.py.
#
# A place makes a request around a canary, and says what the record must still tell of
# it: source and name of the param, the class, and the length (None: any).
import gzip
import json
from base64 import b64encode
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from urllib.parse import quote, quote_plus

from tests.canary.drive import Request

__all__ = ["CANARIES", "PLACES", "Place"]

CANARIES = {
    "alphanumeric": b"Tr0ub4dor8xKq2Zw",
    "letters": b"correcthorsebatterystaple",
    "digits": b"48151623",
    "punctuated": b"p\"a s's&w=o%r;d\\x,y",
    "non-ascii": "pässt-шифр-密碼-7é".encode(),
    "parted": b"Xk7pQ2vLa&Rt9mWz4sc=Yb3nHc8df;Jf6gTq1wk",
    "lines": b"first line of it\nsecond 'line' of it",
    "no text": b"\xffQ7w\xfeErT9yU\xe9pX2",
    "jwt": b"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiI0MiJ9.c2lnbmF0dXJlLXNpZ25hdHVyZQ",
    "pem": b"-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIJmk8VfE2xY1WvA5sT4r\n"
    b"Zq0Hn7LdUcOb3GpXjKeM9iRy\n-----END PRIVATE KEY-----\n",
    "card": b"4111111111111111",
}

# What each kind of place can hold.
ANY = frozenset(CANARIES)
ALL = ANY - {"no text"}
ONE_LINE = ALL - {"lines", "pem"}
TOKENS = frozenset({"alphanumeric", "letters", "digits", "jwt", "card"})
SHAPED = frozenset({"jwt", "pem", "card"})

Length = int | Callable[[bytes], int] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A place: how to make the request, and what its record must tell."""

    id: str
    make: Callable[[bytes], Request]
    source: str
    name: bytes | None
    cls: str | None
    length: Length = len
    kinds: frozenset[str] = ALL


def percent(text: bytes) -> bytes:
    """Return `text`, each byte that may mean something coded."""
    return quote(text, safe="").encode()


def text_of(canary: bytes) -> str:
    """Return a canary as a JSON document or an exception has it."""
    return canary.decode()


FORM = (b"content-type", b"application/x-www-form-urlencoded")
JSON = (b"content-type", b"application/json")
MULTIPART = (b"content-type", b"multipart/form-data; boundary=edge")

PASSWORD_NAMES = (
    "password Password PASSWORD new_password newPassword user[password] user.password "
    "pass-word passwd pwd PIN userPin oldpin pw dbpw user_pass pass1 j_password "
    "_password login:password ctl00$MainContent$txtPassword password_confirmation "
    "password2 form-0-password Password1 PaSsWoRd user[0][password] p_a_s_s_w_o_r_d "
    "passphrase passcode otp TOTP one_time_code twoFactorCode oobCode mfa_code smsCode cvv "
    "security-code парoль пароль ПАРОЛЬ salasana parool kennwort Passwort Losungswort "
    "contraseña CONTRASEÑA lösenord hasło heslo jelszó mot_de_passe mdp senha "
    "wachtwoord adgangskode passord parole lozinka şifre clave κωδικός סיסמה 密码 "
    "パスワード ﾊﾟｽﾜｰﾄﾞ 비밀번호 ｐａｓｓｗｏｒｄ pаsswоrd psw pasword passnew pwhash"
).split()
TOKEN_NAMES = (
    "api_key apiKey APIKey X-Api-Key api[key] access_token accessToken refreshToken "
    "client_secret clientSecret sessionid session_id sid JSESSIONID PHPSESSID "
    "csrf_token csrfmiddlewaretoken _xsrf authenticity_token private_key privkey "
    "signedRequest id_token code_verifier device_code SAMLResponse "
    "X-Amz-Signature sig hmac aws_secret_access_key subscription-key AccountKey "
    "webSession websid SESSabcdef payment_method_nonce sesame seed_phrase mnemonic "
    "__RequestVerificationToken geheimnis"
).split()


def query(name: str) -> Callable[[bytes], Request]:
    """Return a maker of requests with the canary under `name` in the query."""
    coded = quote_plus(name).encode()

    return lambda canary: Request(
        method="GET", query=b"page=2&%s=%s&q=x" % (coded, percent(canary))
    )


def form(name: str) -> Callable[[bytes], Request]:
    """Return a maker of requests with the canary under `name` in a form."""
    coded = quote_plus(name).encode()

    return lambda canary: Request(
        fields=(FORM,),
        body=b"page=2&%s=%s&q=x" % (coded, quote_plus(canary).encode()),
    )


def part(head: bytes, before: bytes = b"") -> Callable[[bytes], Request]:
    """Return a maker of multipart requests with the canary as content of a part."""
    return lambda canary: multipart(head, before + canary)


def multipart(head: bytes, content: bytes) -> Request:
    """Return a multipart request with one part between two ordinary ones."""
    ordinary = b'--edge\r\nContent-Disposition: form-data; name="page"\r\n\r\n2\r\n'
    own = b"--edge\r\nContent-Disposition: form-data; %s\r\n\r\n%s\r\n" % (
        head,
        content,
    )

    return Request(
        fields=(MULTIPART,), body=ordinary + own + ordinary + b"--edge--\r\n"
    )


def document(make: Callable[[str], object]) -> Callable[[bytes], Request]:
    """Return a maker of requests with a JSON document around the canary."""
    return lambda canary: json_body(json.dumps(make(text_of(canary))).encode())


def json_body(body: bytes, media_type: bytes = JSON[1]) -> Request:
    """Return a request with a JSON body."""
    return Request(fields=((b"content-type", media_type),), body=body)


def typed(
    media_type: bytes, around: Callable[[bytes], bytes]
) -> Callable[[bytes], Request]:
    """Return a maker of requests with a body of some type around the canary."""
    return lambda canary: json_body(around(canary), media_type)


def header(
    name: bytes, around: Callable[[bytes], bytes] = bytes
) -> Callable[[bytes], Request]:
    """Return a maker of requests with the canary in a field line."""
    return lambda canary: Request(method="GET", fields=((name, around(canary)),))


def path(around: Callable[[bytes], bytes]) -> Callable[[bytes], Request]:
    """Return a maker of requests with the canary in the path."""
    return lambda canary: Request(method="GET", path=around(canary))


def named() -> Iterator[Place]:
    """Yield a place for each spelling of a name, in turn in each source."""
    makers = (("query", query), ("form", form))
    classes = ((PASSWORD_NAMES, "password"), (TOKEN_NAMES, "token"))
    pairs = [(name, cls) for names, cls in classes for name in names]
    for turn, (name, cls) in enumerate(pairs):
        source, maker = makers[turn % 2]
        # Which class a name has is for tests/policy/test_names.py to say.
        exact = None if name in ("parole", "clave") else cls
        yield Place(
            id=f"{source} {name}",
            make=maker(name),
            source=source,
            name=name.encode(),
            cls=exact,
            kinds=frozenset({"alphanumeric", "punctuated", "letters"}),
        )


def _deep(text: str) -> object:
    value: object = {"password": text}
    for _ in range(200):
        value = {"a": value}

    return value


def _basic(canary: bytes) -> bytes:
    return b"Basic " + b64encode(b"alice:" + canary)


_LONG = b"x" * (1 << 20)

QUERIES = (
    Place(
        id="query, nothing but a token",
        make=lambda c: Request(query=percent(c)),
        source="query",
        name=None,
        cls="token",
        kinds=frozenset({"alphanumeric", "jwt"}),
    ),
    Place(
        id="query, JSON as it is",
        make=lambda c: Request(query=b'{"user":"a=b","password":%s}' % _json(c)),
        source="query",
        name=None,
        cls=None,
        length=None,
    ),
    Place(
        id="query",
        make=query("password"),
        source="query",
        name=b"password",
        cls="password",
        kinds=ANY,
    ),
    Place(
        id="query, name percent-coded",
        make=lambda c: Request(query=b"%70ass%77ord=" + percent(c)),
        source="query",
        name=b"password",
        cls="password",
    ),
    Place(
        id="query, name percent-coded twice",
        make=lambda c: Request(query=b"%2570ass%2577ord=" + percent(c)),
        source="query",
        name=b"%70ass%77ord",
        cls="password",
    ),
    Place(
        id="query, value percent-coded twice",
        make=lambda c: Request(query=b"q=" + percent(b"password=" + percent(c))),
        source="query",
        name=b"q",
        cls=None,
        length=None,
    ),
    Place(
        id="query, pair percent-coded three times",
        make=lambda c: Request(
            query=b"q=" + percent(percent(percent(b"password=" + c)))
        ),
        source="query",
        name=b"q",
        cls=None,
        length=None,
    ),
    Place(
        id="query, pair percent-coded eight times",
        make=lambda c: Request(query=b"q=" + _often(percent, b"password=" + c, 8)),
        source="query",
        name=b"q",
        cls=None,
        length=None,
    ),
    Place(
        id="query, semicolon as separator",
        make=lambda c: Request(query=b"a=1;password=" + percent(c)),
        source="query",
        name=b"a",
        cls=None,
        length=None,
    ),
    Place(
        id="query, in the name",
        make=lambda c: Request(query=percent(b"password=" + c) + b"=1"),
        source="query",
        name=None,
        cls=None,
        length=None,
    ),
    Place(
        id="query, in a name without value",
        make=lambda c: Request(query=percent(b"password:" + c)),
        source="query",
        name=None,
        cls=None,
        length=None,
    ),
    Place(
        id="query, URL in a parameter",
        make=lambda c: Request(
            query=b"next=" + percent(b"https://h/x?token=" + percent(c) + b"&a=1")
        ),
        source="query",
        name=b"next",
        cls=None,
        length=None,
    ),
    Place(
        id="query, path in a parameter",
        make=lambda c: Request(
            query=b"next=" + percent(b"/reset-password/" + percent(c))
        ),
        source="query",
        name=b"next",
        cls=None,
        length=None,
    ),
    Place(
        id="query, user information in a parameter",
        make=lambda c: Request(
            query=b"dsn=" + percent(b"postgres://shop:" + percent(c) + b"@db/shop")
        ),
        source="query",
        name=b"dsn",
        cls=None,
        length=None,
    ),
    Place(
        id="query, user information with a raw at sign and slash",
        make=lambda c: Request(
            query=b"dsn=" + percent(b"postgres://shop:a@b/" + c + b"@db/shop")
        ),
        source="query",
        name=b"dsn",
        cls=None,
        length=None,
        kinds=ONE_LINE,
    ),
    Place(
        id="query, user:password as the user's name",
        make=lambda c: Request(query=b"username=" + percent(b"alice:" + c)),
        source="query",
        name=b"username",
        cls="password",
        length=None,
    ),
    Place(
        id="query, OAuth's authorization code",
        make=query("code"),
        source="query",
        name=b"code",
        cls="secret",
        kinds=frozenset({"alphanumeric", "digits"}),
    ),
    Place(
        id="query, beyond the first thousand params",
        make=lambda c: Request(query=b"a=1&" * 1500 + b"password=" + percent(c)),
        source="rest",
        name=None,
        cls=None,
        length=None,
    ),
    Place(
        id="query, in base64 of JSON",
        make=lambda c: Request(
            query=b"state="
            + percent(b64encode(json.dumps({"password": text_of(c)}).encode()))
        ),
        source="query",
        name=b"state",
        cls="opaque",
        length=None,
    ),
    Place(
        id="query, in hex of a form",
        make=lambda c: Request(query=b"blob=" + (b"password=" + c).hex().encode()),
        source="query",
        name=b"blob",
        cls="opaque",
        length=None,
    ),
    Place(
        id="query, GraphQL",
        make=lambda c: Request(
            query=b"query="
            + percent(b'mutation{login(user:"a",password:%s){id}}' % _json(c))
        ),
        source="query",
        name=b"query",
        cls=None,
        length=None,
    ),
)


def _often(code: Callable[[bytes], bytes], text: bytes, times: int) -> bytes:
    for _ in range(times):
        text = code(text)

    return text


def _json(canary: bytes) -> bytes:
    return json.dumps(text_of(canary)).encode()


FORMS = (
    Place(
        id="form, JSON that is sent as one",
        make=lambda c: Request(
            fields=(FORM,), body=b'{"user":"a=b","password":%s,"x":"y&z"}' % _json(c)
        ),
        source="form",
        name=None,
        cls=None,
        length=None,
    ),
    Place(
        id="form, key=value in a user's name before a colon",
        make=lambda c: Request(
            fields=(FORM,), body=b"user=" + percent(b"pin=" + c + b":x")
        ),
        source="form",
        name=b"user",
        cls=None,
        length=None,
    ),
    Place(
        id="form",
        make=form("password"),
        source="form",
        name=b"password",
        cls="password",
        kinds=ANY,
    ),
    Place(
        id="form, lower-case percent coding",
        make=lambda c: Request(fields=(FORM,), body=b"password=" + percent(c).lower()),
        source="form",
        name=b"password",
        cls="password",
        kinds=frozenset({"punctuated", "pem"}),
        length=None,
    ),
    Place(
        id="form, JSON in a value",
        make=lambda c: Request(
            fields=(FORM,),
            body=b"payload=" + percent(b'{"user":"a","password":%s,"b":1}' % _json(c)),
        ),
        source="form",
        name=b"payload",
        cls="password",
        length=None,
    ),
    Place(
        id="form, JSON in JSON in a value",
        make=lambda c: Request(
            fields=(FORM,),
            body=b"payload="
            + percent(json.dumps({"x": json.dumps({"password": text_of(c)})}).encode()),
        ),
        source="form",
        name=b"payload",
        cls="password",
        length=None,
    ),
    Place(
        id="form, JSON with an escaped key in a value",
        make=lambda c: Request(
            fields=(FORM,),
            body=b"payload=" + percent(b'{"\\u0070assword":%s}' % _json(c)),
        ),
        source="form",
        name=b"payload",
        cls=None,
        length=None,
    ),
    Place(
        id="form, XML in a value",
        make=lambda c: Request(
            fields=(FORM,),
            body=b"xml=" + percent(b"<a><Password t='1'>%s</Password></a>" % c),
        ),
        source="form",
        name=b"xml",
        cls="password",
        length=None,
    ),
    Place(
        id="form, XML with entities in a value",
        make=lambda c: Request(
            fields=(FORM,),
            body=b"xml=" + percent(b"&lt;password&gt;%s&lt;/password&gt;" % c),
        ),
        source="form",
        name=b"xml",
        cls=None,
        length=None,
    ),
    Place(
        id="form, HTML input in a value",
        make=lambda c: Request(
            fields=(FORM,),
            body=b"html=" + percent(b'<input name="password" value="%s">' % c),
        ),
        source="form",
        name=b"html",
        cls="password",
        length=None,
    ),
    Place(
        id="form, repr of a list of pairs in a value",
        make=lambda c: Request(
            fields=(FORM,),
            body=b"dump=" + percent(repr([("password", text_of(c))]).encode()),
        ),
        source="form",
        name=b"dump",
        cls="password",
        length=None,
    ),
    Place(
        id="form, a sentence",
        make=lambda c: Request(
            fields=(FORM,), body=b"message=" + percent(b"hi, my password is " + c)
        ),
        source="form",
        name=b"message",
        cls="password",
    ),
    Place(
        id="form, a name of two words in a value",
        make=lambda c: Request(
            fields=(FORM,), body=b"message=" + percent(b"the api key: " + c)
        ),
        source="form",
        name=b"message",
        cls="token",
        length=None,
    ),
    Place(
        id="form, SQL in a value",
        make=lambda c: Request(
            fields=(FORM,), body=b"sql=" + percent(b"ALTER USER a PASSWORD '%s'" % c)
        ),
        source="form",
        name=b"sql",
        cls="password",
        length=None,
    ),
    Place(
        id="form, command line in a value",
        make=lambda c: Request(
            fields=(FORM,), body=b"run=" + percent(b"tool --password %s -v" % c)
        ),
        source="form",
        name=b"run",
        cls=None,
        length=None,
    ),
    Place(
        id="form, value over 256 bytes",
        make=lambda c: Request(
            fields=(FORM,), body=b"note=" + b"x" * 300 + percent(b" password=" + c)
        ),
        source="form",
        name=b"note",
        cls=None,
        length=None,
    ),
    Place(
        id="form, secret over 256 bytes",
        make=lambda c: Request(fields=(FORM,), body=b"password=" + percent(c) * 300),
        source="form",
        name=b"password",
        cls="password",
        length=lambda c: len(c) * 300,
    ),
    Place(
        id="form, secret over 1 MiB",
        make=lambda c: Request(
            fields=(FORM,), body=b"password=" + percent(c) + _LONG + b"&a=1"
        ),
        source="form",
        name=b"password",
        cls="password",
        length=lambda c: len(c) + len(_LONG),
        kinds=frozenset({"punctuated"}),
    ),
    Place(
        id="form, very long name",
        make=lambda c: Request(
            fields=(FORM,), body=b"x" * 5000 + b"_password=" + percent(c)
        ),
        source="form",
        name=None,
        cls=None,
        length=None,
    ),
    Place(
        id="form, secret name in the middle of a very long name",
        make=lambda c: Request(
            fields=(FORM,),
            body=b"x" * 5000 + b"[password]" + b"x" * 5000 + b"=" + percent(c),
        ),
        source="form",
        name=None,
        cls=None,
        length=None,
    ),
    Place(
        id="form, name in another coding than UTF-8",
        make=lambda c: Request(
            fields=(FORM,), body="пароль".encode("cp1251") + b"=" + percent(c)
        ),
        source="form",
        name="пароль".encode("cp1251"),
        cls="password",
    ),
    Place(
        id="form, over 4 MiB of spill",
        make=lambda c: Request(
            fields=(FORM,),
            body=b"&".join(b"n%d=%s" % (i, b"y%d" % i * 300_000) for i in range(6))
            + b"&password="
            + percent(c),
        ),
        source="form",
        name=b"password",
        cls="password",
        kinds=frozenset({"punctuated"}),
    ),
)

PARTS = (
    Place(
        id="multipart field",
        make=part(b'name="password"'),
        source="form",
        name=b"password",
        cls="password",
        kinds=ANY,
    ),
    Place(
        id="multipart field, name without quotes",
        make=part(b"name=password"),
        source="form",
        name=b"password",
        cls="password",
    ),
    Place(
        id="multipart field, two names",
        make=part(b'name="password"; name="x"'),
        source="form",
        name=None,
        cls="password",
    ),
    Place(
        id="multipart field, two names, the other way round",
        make=part(b'name="x"; name="password"'),
        source="form",
        name=None,
        cls="password",
    ),
    Place(
        id="multipart field, extended name",
        make=part(b"name*=UTF-8''pass%77ord"),
        source="form",
        name=None,
        cls=None,
        length=None,
    ),
    Place(
        id="multipart field, key=value in its content",
        make=part(b'name="note"', b"a=1\npassword="),
        source="form",
        name=b"note",
        cls=None,
        length=None,
    ),
    Place(
        id="multipart field, JSON as its content",
        make=lambda c: multipart(b'name="json"', b'{"password":%s}' % _json(c)),
        source="form",
        name=b"json",
        cls="password",
        length=None,
    ),
    Place(
        id="multipart file name",
        make=lambda c: multipart(b'name="f"; filename="token=%s.txt"' % c, b"x"),
        source="file",
        name=b"f",
        cls="token",
        length=None,
        kinds=TOKENS,
    ),
    Place(
        id="multipart file, field named secret",
        make=part(b'name="secret"; filename="a.txt"'),
        source="file",
        name=b"secret",
        cls="token",
    ),
    Place(
        id="multipart file, named after a secret",
        make=part(b'name="f"; filename="password.txt"'),
        source="file",
        name=b"f",
        cls="opaque",
    ),
    Place(
        id="multipart file, a private key by its name",
        make=part(b'name="f"; filename="id_rsa"'),
        source="file",
        name=b"f",
        cls="opaque",
    ),
    Place(
        id="multipart file, a secret as its content",
        make=part(b'name="f"; filename="a.txt"'),
        source="file",
        name=b"f",
        cls="opaque",
        kinds=SHAPED,
    ),
    Place(
        id="multipart file, a small one with a secret in it",
        make=part(b'name="f"; filename="a.ini"', b"password="),
        source="file",
        name=b"f",
        cls="opaque",
        length=None,
    ),
    Place(
        id="multipart file, secret in its type",
        make=lambda c: multipart(
            b'name="f"; filename="a"\r\nContent-Type: text/plain; password=%s' % c, b"x"
        ),
        source="file",
        name=b"f",
        cls=None,
        length=None,
        kinds=TOKENS,
    ),
    Place(
        id="multipart, broken",
        make=lambda c: Request(
            fields=(MULTIPART,),
            body=b'--edge\r\nContent-Disposition: form-data; name="password"\r\n\r\n'
            + c,
        ),
        source="body",
        name=None,
        cls="opaque",
        length=None,
    ),
    Place(
        id="multipart, secret behind the end",
        make=lambda c: Request(
            fields=(MULTIPART,),
            body=multipart(b'name="a"', b"1").body + b"password=" + c,
        ),
        source="body",
        name=None,
        cls="opaque",
        length=None,
    ),
    Place(
        id="multipart, secret before the beginning",
        make=lambda c: Request(
            fields=(MULTIPART,),
            body=b"password=" + c + b"\r\n" + multipart(b'name="a"', b"1").body,
        ),
        source="body",
        name=None,
        cls="opaque",
        length=None,
    ),
    Place(
        id="multipart, no boundary",
        make=lambda c: Request(
            fields=((b"content-type", b"multipart/form-data"),),
            body=multipart(b'name="password"', c).body,
        ),
        source="body",
        name=None,
        cls="opaque",
        length=None,
    ),
)

DOCUMENTS = (
    Place(
        id="JSON, positional arguments of a login",
        make=document(
            lambda t: {"jsonrpc": "2.0", "method": "login", "params": ["alice", t]}
        ),
        source="json",
        name=b"/params/1",
        cls="password",
    ),
    Place(
        id="JSON, positional arguments, the method behind",
        make=document(
            lambda t: {"params": {"args": ["db", "alice", t], "method": "authenticate"}}
        ),
        source="json",
        name=b"/params/args/2",
        cls="password",
    ),
    Place(
        id="JSON, a key below what another member names",
        make=document(lambda t: {"name": "tokens", "value": {t: {"a": 1}}}),
        source="json",
        name=None,
        cls=None,
        length=None,
        kinds=frozenset({"alphanumeric", "digits", "parted"}),
    ),
    Place(
        id="JSON, one-time code as a number",
        make=lambda c: json_body(b'{"code":%s}' % c),
        source="json",
        name=b"/code",
        cls="secret",
        kinds=frozenset({"digits"}),
    ),
    Place(
        id="JSON, flat",
        make=document(lambda t: {"a": 1, "password": t}),
        source="json",
        name=b"/password",
        cls="password",
    ),
    Place(
        id="JSON, nested",
        make=document(lambda t: {"user": {"login": {"newPassword": t}}}),
        source="json",
        name=b"/user/login/newPassword",
        cls="password",
    ),
    Place(
        id="JSON, name in two keys",
        make=document(lambda t: {"api": {"key": t}}),
        source="json",
        name=b"/api/key",
        cls="token",
    ),
    Place(
        id="JSON, array",
        make=document(lambda t: {"passwords": ["a", t]}),
        source="json",
        name=b"/passwords/1",
        cls="password",
    ),
    Place(
        id="JSON, array of objects",
        make=document(lambda t: [{"pin": t}]),
        source="json",
        name=b"/0/pin",
        cls="password",
    ),
    Place(
        id="JSON, object below",
        make=document(lambda t: {"password": {"is": [t]}}),
        source="json",
        name=b"/password/is/0",
        cls="password",
    ),
    Place(
        id="JSON, a key below",
        make=document(lambda t: {"tokens": {t: 1}}),
        source="json",
        name=None,
        cls=None,
        length=None,
        kinds=ONE_LINE - {"letters"},
    ),
    Place(
        id="JSON, duplicate keys",
        make=lambda c: json_body(
            b'{"password":"first","password":%s,"a":1}' % _json(c)
        ),
        source="json",
        name=b"/password",
        cls="password",
    ),
    Place(
        id="JSON, escaped key",
        make=lambda c: json_body(b'{"\\u0070ass\\u0077ord":%s}' % _json(c)),
        source="json",
        name=b"/password",
        cls="password",
    ),
    Place(
        id="JSON, each character escaped",
        make=lambda c: json_body(
            b'{"password":"%s"}'
            % "".join(f"\\u{ord(x):04x}" for x in text_of(c)).encode()
        ),
        source="json",
        name=b"/password",
        cls="password",
    ),
    Place(
        id="JSON, number",
        make=lambda c: json_body(b'{"pin":%s}' % c),
        source="json",
        name=b"/pin",
        cls="password",
        kinds=frozenset({"digits", "card"}),
    ),
    Place(
        id="JSON, card as a number",
        make=lambda c: json_body(b'{"amount":%s}' % c),
        source="json",
        name=b"/amount",
        cls="card",
        kinds=frozenset({"card"}),
    ),
    Place(
        id="JSON, two hundred deep",
        make=document(_deep),
        source="json",
        name=None,
        cls="password",
        length=len,
    ),
    Place(
        id="JSON, over 256 bytes",
        make=document(lambda t: {"password": t + "x" * 300}),
        source="json",
        name=b"/password",
        cls="password",
        length=lambda c: len(c) + 300,
    ),
    Place(
        id="JSON, document over 1 MiB",
        make=lambda c: json_body(b'{"a":"%s","password":%s}' % (_LONG, _json(c))),
        source="body",
        name=None,
        cls="opaque",
        length=None,
        kinds=frozenset({"punctuated", "pem"}),
    ),
    Place(
        id="JSON, key over 256 bytes",
        make=document(lambda t: {"x" * 600 + "password": {"a": t}}),
        source="json",
        name=None,
        cls="password",
    ),
    Place(
        id="JSON, as text/plain",
        make=lambda c: json_body(b'{"password":%s}' % _json(c), b"text/plain"),
        source="json",
        name=b"/password",
        cls="password",
    ),
    Place(
        id="JSON, truncated",
        make=lambda c: json_body(b'{"a":1,"password":"' + _json(c)[1:-1]),
        source="body",
        name=None,
        cls="opaque",
        length=None,
    ),
    Place(
        id="JSON, truncated behind the secret",
        make=lambda c: json_body(b'{"a":1,"password":%s,"b":' % _json(c)),
        source="json",
        name=b"/password",
        cls="password",
    ),
    Place(
        id="JSON, truncated, as text/plain",
        make=lambda c: json_body(b'{"password":%s,' % _json(c), b"text/plain"),
        source="body",
        name=None,
        cls="opaque",
        length=None,
    ),
    Place(
        id="JSON, two documents, a line each",
        make=lambda c: json_body(b'{"a":1}\n{"password":%s}\n' % _json(c)),
        source="body",
        name=None,
        cls="opaque",
        length=None,
    ),
    Place(
        id="JSON, single quotes",
        make=lambda c: json_body(b"{'password': '%s'}" % c),
        source="body",
        name=None,
        cls="opaque",
        length=None,
    ),
    Place(
        id="JSON, UTF-16",
        make=lambda c: json_body(json.dumps({"password": text_of(c)}).encode("utf-16")),
        source="json",
        name=b"/password",
        cls="password",
    ),
    Place(
        id="JSON, UTF-32 without a mark",
        make=lambda c: json_body(
            json.dumps({"password": text_of(c)}).encode("utf-32-be")
        ),
        source="json",
        name=b"/password",
        cls="password",
    ),
    Place(
        id="JSON, name and value",
        make=document(lambda t: {"name": "password", "value": t}),
        source="json",
        name=b"/value",
        cls="password",
    ),
    Place(
        id="JSON, value and name",
        make=document(lambda t: [{"Value": t, "Key": "user.password"}]),
        source="json",
        name=b"/0/Value",
        cls="password",
    ),
    Place(
        id="JSON, name and nested value",
        make=document(lambda t: {"key": "password", "value": {"stringValue": t}}),
        source="json",
        name=b"/value/stringValue",
        cls="password",
    ),
    Place(
        id="JSON, JSON Patch",
        make=document(lambda t: [{"op": "replace", "path": "/password", "value": t}]),
        source="json",
        name=b"/0/value",
        cls="password",
    ),
    Place(
        id="JSON, list of pairs",
        make=document(lambda t: [["user", "a"], ["password", t]]),
        source="json",
        name=b"/1/1",
        cls="password",
    ),
    Place(
        id="JSON, flat list of names and values",
        make=document(lambda t: ["password", t]),
        source="json",
        name=b"/1",
        cls="password",
    ),
    Place(
        id="JSON, private key as JWK",
        make=document(lambda t: {"kty": "OKP", "crv": "Ed25519", "x": "1", "d": t}),
        source="json",
        name=b"/d",
        cls="token",
    ),
    Place(
        id="JSON, in a string",
        make=document(lambda t: {"body": json.dumps({"password": t})}),
        source="json",
        name=b"/body",
        cls="password",
        length=None,
    ),
    Place(
        id="JSON, GraphQL",
        make=document(
            lambda t: {"query": f"mutation{{login(password:{json.dumps(t)}){{id}}}}"}
        ),
        source="json",
        name=b"/query",
        cls="password",
        length=None,
    ),
    Place(
        id="JSON, GraphQL with a variable of its own name",
        make=document(
            lambda t: {
                "query": "mutation($p: String!){login(password: $p){id}}",
                "variables": {"p": t},
            }
        ),
        source="json",
        name=b"/variables/p",
        cls="password",
    ),
    Place(
        id="JSON, secret in a key",
        make=document(lambda t: {"password=" + t: 1}),
        source="json",
        name=None,
        cls=None,
        length=None,
    ),
    Place(
        id="JSON, by shape alone",
        make=document(lambda t: {"comment": "here: " + t}),
        source="json",
        name=b"/comment",
        cls=None,
        length=None,
        kinds=SHAPED,
    ),
    Place(
        id="JSON, beyond the first thousand params",
        make=document(lambda t: {"a": list(range(1500)), "password": t}),
        source="rest",
        name=None,
        cls=None,
        length=None,
    ),
)

BODIES = (
    Place(
        id="body, XML-RPC",
        make=typed(
            b"text/xml",
            b"<methodCall><methodName>login</methodName><params><param><value>"
            b"%s</value></param></params></methodCall>".__mod__,
        ),
        source="body",
        name=None,
        cls="opaque",
        length=None,
    ),
    Place(
        id="body, protobuf that looks like text",
        make=typed(
            b"application/x-protobuf", lambda c: b"\n" + bytes([len(c) + 32]) + c
        ),
        source="body",
        name=None,
        cls="opaque",
        length=None,
        kinds=frozenset({"alphanumeric", "letters", "digits", "card"}),
    ),
    Place(
        id="body, Python's escapes in a text",
        make=typed(b"text/plain", b"\\x70assword=%s".__mod__),
        source="body",
        name=None,
        cls="opaque",
        length=None,
    ),
    Place(
        id="body, gzip",
        make=lambda c: Request(
            fields=(JSON, (b"content-encoding", b"gzip")),
            body=gzip.compress(b'{"password":%s}' % _json(c), mtime=0),
        ),
        source="body",
        name=None,
        cls="opaque",
        length=None,
    ),
    Place(
        id="body, coded by its own word but not in truth",
        make=lambda c: Request(
            fields=(FORM, (b"content-encoding", b"br")), body=b"password=" + percent(c)
        ),
        source="body",
        name=None,
        cls="opaque",
        length=None,
    ),
    Place(
        id="body, XML",
        make=typed(b"application/xml", b"<a><password>%s</password></a>".__mod__),
        source="body",
        name=None,
        cls="opaque",
        length=None,
    ),
    Place(
        id="body, XML in UTF-16",
        make=typed(
            b"application/xml",
            lambda c: f"<password>{text_of(c)}</password>".encode("utf-16"),
        ),
        source="body",
        name=None,
        cls="opaque",
        length=None,
    ),
    Place(
        id="body, XML attribute",
        make=typed(b"text/xml", b'<login user="a" password="%s"/>'.__mod__),
        source="body",
        name=None,
        cls="opaque",
        length=None,
    ),
    Place(
        id="body, YAML",
        make=typed(b"application/yaml", b"user: a\npassword: %s\n".__mod__),
        source="body",
        name=None,
        cls="opaque",
        length=None,
    ),
    Place(
        id="body, CSV",
        make=typed(b"text/csv", b"user,password\na,%s\n".__mod__),
        source="body",
        name=None,
        cls="opaque",
        length=None,
    ),
    Place(
        id="body, form with the wrong type",
        make=typed(b"text/plain", lambda c: b"a=1&password=" + percent(c)),
        source="body",
        name=None,
        cls="opaque",
        length=None,
    ),
    Place(
        id="body, form with the wrong type, name percent-coded",
        make=typed(b"text/plain", lambda c: b"a=1&%70assword=" + percent(c)),
        source="body",
        name=None,
        cls="opaque",
        length=None,
    ),
    Place(
        id="body, MessagePack",
        make=typed(b"application/msgpack", b"\x81\xa8password\xb0%s".__mod__),
        source="body",
        name=None,
        cls="opaque",
        length=None,
    ),
    Place(
        id="body, a secret name behind sixty letters",
        make=typed(
            b"text/plain",
            lambda c: b"x" * 60 + b"password" + b"x" * 60 + b"\n" + c,
        ),
        source="body",
        name=None,
        cls="opaque",
        length=None,
    ),
    Place(
        id="body, base64 of JSON",
        make=typed(
            b"text/plain",
            lambda c: b64encode(json.dumps({"password": text_of(c)}).encode()),
        ),
        source="body",
        name=None,
        cls="opaque",
        length=None,
    ),
    Place(
        id="body, UTF-7",
        make=typed(
            b"text/plain; charset=utf-7",
            lambda c: b"+AHAAYQBzAHMAdwBvAHIAZA-=" + c,
        ),
        source="body",
        name=None,
        cls="opaque",
        length=None,
    ),
    Place(
        id="body, by shape alone",
        make=typed(b"text/plain", b"see %s there".__mod__),
        source="body",
        name=None,
        cls="opaque",
        length=None,
        kinds=SHAPED,
    ),
)


def _cookie(value: bytes) -> bytes:
    # RFC 6265 4.1.1: what a cookie's value may not hold is percent-coded.
    return percent(value)


COOKIES = (
    Place(
        id="cookie, quoted with a semicolon in it",
        make=header(b"cookie", lambda c: b'sessionid="%s;%s"; b=2' % (c[:4], c)),
        source="cookie",
        name=None,
        cls="token",
        length=None,
        kinds=ONE_LINE - {"punctuated"},
    ),
    Place(
        id="cookie, no name",
        make=header(b"cookie", lambda c: b"a=1; " + c),
        source="cookie",
        name=None,
        cls="token",
        kinds=frozenset({"alphanumeric", "jwt"}),
    ),
    Place(
        id="cookie, base64 by an unknown name",
        make=header(b"cookie", lambda c: b"app=" + b64encode(b"x" + c)),
        source="cookie",
        name=b"app",
        cls="token",
        length=None,
        kinds=ALL - {"letters", "digits", "card"},
    ),
    Place(
        id="cookie",
        make=header(b"cookie", lambda c: b"theme=dark; sessionid=" + _cookie(c)),
        source="cookie",
        name=b"sessionid",
        cls="token",
        length=lambda c: len(percent(c)),
    ),
    Place(
        id="cookie, split lines",
        make=lambda c: Request(
            fields=((b"cookie", b"a=1"), (b"cookie", b"JSESSIONID=" + _cookie(c)))
        ),
        source="cookie",
        name=b"JSESSIONID",
        cls="token",
        length=lambda c: len(percent(c)),
    ),
    Place(
        id="cookie, quoted",
        make=header(b"cookie", lambda c: b'auth="%s"; a=1' % _cookie(c)),
        source="cookie",
        name=b"auth",
        cls="token",
        length=lambda c: len(percent(c)) + 2,
    ),
    Place(
        id="cookie, spaces around",
        make=header(b"cookie", lambda c: b"a=1;  sid = %s ;b" % _cookie(c)),
        source="cookie",
        name=b"sid",
        cls="token",
        length=lambda c: len(percent(c)),
    ),
    Place(
        id="cookie, comma between",
        make=header(b"cookie", lambda c: b"a=1, sessionid=" + _cookie(c)),
        source="cookie",
        name=b"a",
        cls=None,
        length=None,
    ),
    Place(
        id="cookie, a session by an unknown name",
        make=header(b"cookie", lambda c: b"app=" + b"8f14e45f" + _cookie(c)),
        source="cookie",
        name=b"app",
        cls="token",
        length=lambda c: len(percent(c)) + 8,
        kinds=frozenset({"alphanumeric", "jwt"}),
    ),
    Place(
        id="cookie, signed, by an unknown name",
        make=header(b"cookie", lambda c: b"prefs=ImEi.Z2l0.%s" % _cookie(c)),
        source="cookie",
        name=b"prefs",
        cls="token",
        length=None,
        kinds=frozenset({"alphanumeric", "jwt"}),
    ),
    Place(
        id="cookie, Cookie2",
        make=header(b"cookie2", lambda c: b"x=" + _cookie(c)),
        source="header",
        name=b"cookie2",
        cls="token",
        length=lambda c: len(percent(c)) + 2,
    ),
    Place(
        id="cookie, Set-Cookie",
        make=header(b"set-cookie", lambda c: b"x=%s; Path=/" % _cookie(c)),
        source="header",
        name=b"set-cookie",
        cls="token",
        length=None,
    ),
    Place(
        id="cookie, JSON in it",
        make=header(
            b"cookie", lambda c: b"prefs=" + percent(b'{"password":%s}' % _json(c))
        ),
        source="cookie",
        name=b"prefs",
        cls=None,
        length=None,
    ),
)

HEADERS = (
    Place(
        id="header, Basic",
        make=header(b"authorization", _basic),
        source="header",
        name=b"authorization",
        cls="password",
        kinds=ANY,
    ),
    Place(
        id="header, Basic in lower case and unpadded",
        make=header(
            b"authorization",
            lambda c: b"basic " + b64encode(b"a:" + c).rstrip(b"=") + b"!",
        ),
        source="header",
        name=b"authorization",
        cls="password",
        length=None,
    ),
    Place(
        id="header, Basic without a colon",
        make=header(b"authorization", lambda c: b"Basic " + b64encode(c)),
        source="header",
        name=b"authorization",
        cls="password",
        length=None,
    ),
    Place(
        id="header, Basic in the clear",
        make=header(b"authorization", lambda c: b"Basic alice:" + c),
        source="header",
        name=b"authorization",
        cls="password",
        length=None,
        kinds=ONE_LINE,
    ),
    Place(
        id="header, Basic with a token as the user",
        make=header(
            b"authorization", lambda c: b"Basic " + b64encode(c + b":x-oauth-basic")
        ),
        source="header",
        name=b"authorization",
        cls="password",
        length=None,
        kinds=frozenset({"alphanumeric", "jwt", "card"}),
    ),
    Place(
        id="header, two Basic lines folded into one",
        make=header(b"authorization", lambda c: _basic(c) + b"," + _basic(c)),
        source="header",
        name=b"authorization",
        cls="password",
        length=None,
    ),
    Place(
        id="header, Bearer",
        make=header(b"authorization", b"Bearer ".__add__),
        source="header",
        name=b"authorization",
        cls="token",
        kinds=ONE_LINE,
    ),
    Place(
        id="header, Digest",
        make=header(b"authorization", b'Digest username="a", response="%s"'.__mod__),
        source="header",
        name=b"authorization",
        cls="token",
        length=lambda c: len(b'username="a", response=""') + len(c),
        kinds=ONE_LINE,
    ),
    Place(
        id="header, no scheme",
        make=header(b"authorization"),
        source="header",
        name=b"authorization",
        cls="token",
        kinds=ONE_LINE,
    ),
    Place(
        id="header, a secret where the scheme stands",
        make=header(b"authorization", lambda c: c + b" and more"),
        source="header",
        name=b"authorization",
        cls="token",
        length=None,
        kinds=ONE_LINE,
    ),
    Place(
        id="header, colon behind the scheme",
        make=header(b"authorization", b"Bearer: ".__add__),
        source="header",
        name=b"authorization",
        cls="token",
        length=None,
        kinds=ONE_LINE,
    ),
    Place(
        id="header, Proxy-Authorization",
        make=header(b"proxy-authorization", _basic),
        source="header",
        name=b"proxy-authorization",
        cls="password",
    ),
    *(
        Place(
            id=f"header, {name}",
            make=header(name.encode()),
            source="header",
            name=name.encode(),
            cls="token",
            kinds=ONE_LINE,
        )
        for name in (
            "x-api-key x-auth-token x-csrf-token x-access-token api-key x-amz-security-token "
            "ocp-apim-subscription-key private-token x-vault-token x-hub-signature-256"
        ).split()
    ),
    Place(
        id="header, Referer's query",
        make=header(b"referer", lambda c: b"https://h/a?page=2&token=" + percent(c)),
        source="header",
        name=b"referer",
        cls="token",
        length=lambda c: len(percent(c)),
    ),
    Place(
        id="header, Referer's fragment",
        make=header(b"referer", lambda c: b"https://h/#access_token=" + percent(c)),
        source="header",
        name=b"referer",
        cls="token",
        length=lambda c: len(percent(c)),
    ),
    Place(
        id="header, Referer's path in its fragment",
        make=header(b"referer", lambda c: b"https://h/#/reset-password/" + percent(c)),
        source="header",
        name=b"referer",
        cls="password",
        length=lambda c: len(percent(c)),
    ),
    Place(
        id="header, Referer's user information",
        make=header(b"referer", lambda c: b"https://alice:%s@h/a" % percent(c)),
        source="header",
        name=b"referer",
        cls="password",
        length=lambda c: len(percent(c)) + len(b"alice:"),
    ),
    Place(
        id="header, Referer's user information with an at sign",
        make=header(b"referer", lambda c: b"https://alice:x@%s@h/a" % percent(c)),
        source="header",
        name=b"referer",
        cls="password",
        length=None,
    ),
    Place(
        id="header, Referer's path",
        make=header(b"referer", lambda c: b"https://h/reset-password/" + percent(c)),
        source="header",
        name=b"referer",
        cls="password",
        length=lambda c: len(percent(c)),
    ),
    Place(
        id="header, Referer in a Referer",
        make=header(
            b"referer", lambda c: b"https://h/?u=" + percent(b"/a?pin=" + percent(c))
        ),
        source="header",
        name=b"referer",
        cls=None,
        length=None,
    ),
    Place(
        id="header, Host with user information",
        make=header(b"host", lambda c: b"alice:%s@shop.example" % percent(c)),
        source="header",
        name=b"host",
        cls="password",
        length=None,
    ),
    Place(
        id="header, X-Forwarded-Host with user information",
        make=header(
            b"x-forwarded-host", lambda c: b"alice:%s@shop.example" % percent(c)
        ),
        source="header",
        name=b"x-forwarded-host",
        cls="password",
        length=None,
    ),
    Place(
        id="header, X-Original-URL",
        make=header(b"x-original-url", lambda c: b"/a?b=1&api_key=" + percent(c)),
        source="header",
        name=b"x-original-url",
        cls="token",
        length=lambda c: len(percent(c)),
    ),
    Place(
        id="header, User-Agent",
        make=header(b"user-agent", b"tool/1 (token=%s)".__mod__),
        source="header",
        name=b"user-agent",
        cls="token",
        length=None,
        kinds=ONE_LINE,
    ),
    Place(
        id="header, Content-Type",
        make=header(b"content-type", b'text/plain; password="%s"'.__mod__),
        source="header",
        name=b"content-type",
        cls="password",
        length=None,
        kinds=ONE_LINE,
    ),
    Place(
        id="header, X-Forwarded-For",
        make=header(b"x-forwarded-for", b"1.2.3.4, token=%s".__mod__),
        source="header",
        name=b"x-forwarded-for",
        cls=None,
        length=None,
        kinds=ONE_LINE,
    ),
    Place(
        id="header, Forwarded",
        make=header(b"forwarded", b'for=1.2.3.4;secret="%s"'.__mod__),
        source="header",
        name=b"forwarded",
        cls="token",
        length=None,
        kinds=ONE_LINE,
    ),
)

PATHS = (
    Place(
        id="path, ;jsessionid=",
        make=path(lambda c: b"/a;jsessionid=%s/b" % percent(c)),
        source="path",
        name=None,
        cls="token",
        length=lambda c: len(percent(c)),
    ),
    Place(
        id="path, user information",
        make=path(lambda c: b"https://alice:%s@h/a" % percent(c)),
        source="path",
        name=None,
        cls="password",
        length=lambda c: len(percent(c)) + len(b"alice:"),
    ),
    *(
        Place(
            id=f"path, {before}",
            make=path(
                lambda c, before=before: before.encode() + percent(c) + b"/edit"  # type: ignore[misc] # bound now, not late
            ),
            source="path",
            name=None,
            cls="password" if "pass" in before else "token",
            length=lambda c: len(percent(c)),
        )
        for before in (
            "/reset-password/",
            "/password/reset/",
            "/accounts/password/reset/key/",
            "/api/token/",
            "/users/reset_password/",
            "/sessions/",
        )
    ),
    *(
        Place(
            id=f"path, {before}",
            make=path(lambda c, before=before: before.encode() + percent(c) + b"/"),  # type: ignore[misc] # bound now, not late
            source="path",
            name=None,
            cls="token",
            length=lambda c: len(percent(c)),
            kinds=frozenset({"alphanumeric", "jwt", "digits", "punctuated"}),
        )
        for before in (
            "/accounts/reset/MQ/",
            "/activate/MQ/",
            "/verify-email/",
            "/confirm/",
            "/invite/",
            "/users/log-in/",
            "/magic-link/",
            "/unsubscribe/",
        )
    ),
    Place(
        id="path, a slash percent-coded",
        make=path(lambda c: b"/x%2Freset-password%2F" + percent(c)),
        source="path",
        name=None,
        cls=None,
        length=None,
    ),
    Place(
        id="path, name=value",
        make=path(lambda c: b"/a/token=%s/b" % percent(c)),
        source="path",
        name=None,
        cls="token",
        length=lambda c: len(percent(c)),
    ),
    Place(
        id="path, name:value",
        make=path(lambda c: b"/a/token:%s/b" % percent(c)),
        source="path",
        name=None,
        cls=None,
        length=None,
    ),
    Place(
        id="path, name-value",
        make=path(lambda c: b"/reset-password-%s/b" % percent(c)),
        source="path",
        name=None,
        cls="password",
        length=None,
        kinds=frozenset({"alphanumeric", "digits"}),
    ),
    Place(
        id="path, by shape alone",
        make=path(lambda c: b"/hook/%s/b" % c),
        source="path",
        name=None,
        cls=None,
        length=len,
        kinds=frozenset({"jwt", "card"}),
    ),
    Place(
        id="path, a query that was coded into it",
        make=path(lambda c: b"/a%3Fb=1%26token=" + percent(c)),
        source="path",
        name=None,
        cls=None,
        length=None,
    ),
)

SOCKETS = (
    Place(
        id="websocket, query",
        make=lambda c: Request(
            type="websocket", method="GET", query=b"token=" + percent(c)
        ),
        source="query",
        name=b"token",
        cls="token",
    ),
    Place(
        id="websocket, path",
        make=lambda c: Request(
            type="websocket", method="GET", path=b"/ws/token/" + percent(c)
        ),
        source="path",
        name=None,
        cls="token",
        length=lambda c: len(percent(c)),
    ),
    Place(
        id="websocket, subprotocol",
        make=lambda c: Request(
            type="websocket",
            method="GET",
            fields=(
                (b"sec-websocket-protocol", b"bearer, " + c),
                (b"cookie", b"sid=" + percent(c)),
            ),
        ),
        source="cookie",
        name=b"sid",
        cls="token",
        length=lambda c: len(percent(c)),
        kinds=ONE_LINE,
    ),
)

PLACES = (
    *named(),
    *QUERIES,
    *FORMS,
    *PARTS,
    *DOCUMENTS,
    *BODIES,
    *COOKIES,
    *HEADERS,
    *PATHS,
    *SOCKETS,
)
