# Which values are secret by their shape, which only look alike, and what a megabyte of
# near misses costs.
import base64
import operator
import time
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.strategies import few, fragments

from audit_mw.config import Config
from audit_mw.policy.cards import find_cards
from audit_mw.policy.keyring import Keyring
from audit_mw.policy.redaction import Redactor
from audit_mw.policy.shapes import Span, compile_shapes, find_shapes

RUN = "Ab3" * 16  # what follows a prefix
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiI0MiJ9.c2lnbmF0dXJl"
PEM = "-----BEGIN PRIVATE KEY-----\nMC4CAQ==\n-----END PRIVATE KEY-----"
HASH = "abcdefghijklmnopqrstuvABCDEFGHIJ"
DER = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj"


def shown(text: str, *patterns: str) -> str:
    """Return `text`, each part with the shape of a secret as <class>."""
    coded = text.encode()
    parts: list[bytes] = []
    at = 0
    for start, end, cls in sorted(find_shapes(coded, compile_shapes(patterns))):
        if end > at:
            parts += coded[at:start], f"<{cls}>".encode()
            at = end

    return b"".join([*parts, coded[at:]]).decode()


@pytest.mark.parametrize(
    "prefix",
    "ghp_ gho_ ghu_ ghs_ ghr_ github_pat_ glpat- glrt- xoxb- xoxp- xapp- AKIA ASIA AIza "
    "ya29. GOCSPX- 1//0 sk_live_ sk_test_ rk_live_ whsec_ sk- sk-proj- sk-ant-api03- SG. "
    "npm_ pypi-AgE hvs. dop_v1_ shpat_ EAAC AGE-SECRET-KEY-1 dapi lin_api_ PMAK- Atzr| "
    "hf_ xkeysib- NRAK- nfp_ sntrys_ dckr_pat_ dp.pt. figd_ ATATT3 rubygems_ ntn_ key- "
    "ST- b3BlbnNzaC1rZXktdjEA MHcCAQEE glsa_ tskey- xai- pul- sqp_ HRKU- pscale_ lsv2_ "
    "v4.local. shippo_live_ CFPAT-".split(),
)
def test_prefixes(prefix: str) -> None:
    """A token with a prefix that its issuer documents is found, and only a whole one."""
    token = prefix + RUN

    assert shown(f"see {token}, there") == "see <token>, there"
    assert shown(f"a={token}&b") == "a=<token>&b"
    assert shown(prefix) == prefix
    assert shown(f"see {prefix} there") == f"see {prefix} there"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(f"a {JWT} b", "a <token> b", id="JWT"),
        pytest.param("eyJhbGciOiJub25lIn0.e30.", "<token>", id="JWT without signature"),
        pytest.param("v1.eyJhbGci.eyJ.x", "v1.<token>", id="JWT behind a version"),
        pytest.param("x-eyJhbGci.eyJ.x", "x-<token>", id="JWT behind a hyphen"),
        pytest.param("eyAiYWxnIjogMX0.e30.x", "<token>", id="JWT with a space in it"),
        pytest.param("eyJhbGciOiJIUzI1NiJ9", "eyJhbGciOiJIUzI1NiJ9", id="base64 only"),
        pytest.param(PEM, "<token>", id="PEM"),
        pytest.param(f"a\n{PEM}\nb", "a\n<token>\nb", id="PEM in a text"),
        pytest.param(PEM[:60], "<token>", id="PEM cut short"),
        pytest.param(PEM.replace("PRIVATE", "RSA PRIVATE"), "<token>", id="RSA"),
        pytest.param(PEM.replace("\n", "\\n"), "<token>", id="PEM with escaped lines"),
        pytest.param(PEM.replace("\n", " "), "<token>", id="PEM on one line"),
        pytest.param(
            "-----BEGIN PGP PRIVATE KEY BLOCK-----\nx", "<token>", id="PGP, no end"
        ),
        pytest.param(
            "---- BEGIN SSH2 ENCRYPTED PRIVATE KEY ----\nx\n"
            "---- END SSH2 ENCRYPTED PRIVATE KEY ----!",
            "<token>!",
            id="SSH2",
        ),
        pytest.param("PuTTY-User-Key-File-2: ssh-rsa\nx", "<token>", id="PuTTY"),
        pytest.param(DER, "<token>", id="key without armour"),
        pytest.param(
            PEM.replace("PRIVATE", "PUBLIC"),
            PEM.replace("PRIVATE", "PUBLIC"),
            id="public key",
        ),
        pytest.param("Bearer abcdefgh", "Bearer <token>", id="Bearer"),
        pytest.param("BEARER abcdefgh", "BEARER <token>", id="BEARER"),
        pytest.param("bEaReR abcdefgh", "bEaReR <token>", id="Bearer in any case"),
        pytest.param("Bearer of news", "Bearer of news", id="a bearer"),
        pytest.param("Basic YTpi, x", "Basic YTpi, x", id="too short for Basic"),
        pytest.param("Basic YWxpY2U6cHc=", "Basic <password>", id="Basic"),
        pytest.param("BASIC YWxpY2U6cHc=", "BASIC <password>", id="BASIC"),
        pytest.param("bASic YWxpY2U6cHc=", "bASic <password>", id="Basic in any case"),
        pytest.param("BASIC TRAINING 2026", "BASIC TRAINING 2026", id="BASIC WORDS"),
        pytest.param("basic training 2026", "basic training 2026", id="basic words"),
        pytest.param("Basic Training", "Basic Training", id="a title"),
        *(
            pytest.param(
                f"see {before}{HASH} x", f"see {before}<password> x", id=before
            )
            for before in (
                "$2b$ $6$ $apr1$ $argon2id$ pbkdf2_sha256$ scrypt:32768:8:1$ {SSHA} "
                "bcrypt_sha256$ md5$ {PBKDF2-SHA512}"
            ).split()
        ),
        pytest.param("costs $2, $15 or 5$", "costs $2, $15 or 5$", id="prices"),
        pytest.param(
            "WIFI:S:home;T:WPA;P:x;;", "WIFI:<password>", id="a code for a telephone"
        ),
        pytest.param(
            "jdbc:oracle:thin:a/b@//h", "jdbc:oracle:thin:a/<password>", id="Oracle"
        ),
        pytest.param(
            f"InVzZXIi:1sT2uV:{HASH[:27]}", "InVzZXIi:1sT2uV:<token>", id="Django's"
        ),
        pytest.param("at 12:15:30", "at 12:15:30", id="a time"),
        pytest.param(
            "pi_3MtwBw_secret_YrKJUKribcB7", "pi_3MtwBw_secret_<token>", id="Stripe's"
        ),
        pytest.param("the_secret_gardener", "the_secret_gardener", id="a slug"),
        pytest.param("M" + RUN[:24] + ".GkX9aB." + RUN, "<token>", id="Discord's"),
        pytest.param("abcdefghijABCD.atlasv1." + RUN, "<token>", id="Terraform's"),
        pytest.param("abc8Q~" + RUN[:34], "<token>", id="Azure's"),
        pytest.param("0123456789abcdef" * 2 + "-us12", "<token>", id="Mailchimp's"),
        pytest.param(
            "access-sandbox-550e8400-e29b-41d4-a716-446655440000",
            "<token>",
            id="Plaid's",
        ),
        pytest.param(
            "/key-ring-of-polished-brass-with-a-name-on-it",
            "/key-ring-of-polished-brass-with-a-name-on-it",
            id="a product",
        ),
        pytest.param("https://a:b@h/", "https://a:<password>@h/", id="in a URL"),
        pytest.param("x://a:b@c/d@h/", "x://a:<password>@h/", id="with @ and / in it"),
        pytest.param('x://a:b c"d@h', "x://a:<password>@h", id="with a space in it"),
        pytest.param("x://h:80/@a", "x://h:80/@a", id="a port"),
        pytest.param("x://h:80", "x://h:80", id="a port at the end"),
        pytest.param("x://a@h", "x://a@h", id="a user without password"),
        pytest.param(f"x://{RUN}@h", "x://<token>@h", id="a token as the user"),
        pytest.param("alice:pw@tcp(db)", "alice:<password>@tcp(db)", id="no scheme"),
        pytest.param("mailto:bob@h", "mailto:bob@h", id="an address of mail"),
        pytest.param("git@github.com:o/r", "git@github.com:o/r", id="a repository"),
        pytest.param(
            "https://hooks.slack.com/services/T0/B0/xyz",
            "https://hooks.slack.com/<token>".replace("com/", "com/services/"),
            id="Slack's hook",
        ),
        pytest.param(
            "/bot110201543:AA" + "x" * 33 + "/getMe", "/bot<token>/getMe", id="Telegram"
        ),
    ],
)
def test_shapes(text: str, expected: str) -> None:
    """A secret is found by its shape, to its end, and nothing beside it."""
    assert expected == shown(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("4111111111111111", "<card>", id="Visa"),
        pytest.param("4111 1111 1111 1111", "<card>", id="spaces"),
        pytest.param("4111-1111-1111-1111", "<card>", id="hyphens"),
        pytest.param("4111\u00a01111\u00a01111\u00a01111", "<card>", id="hard spaces"),
        pytest.param("378282246310005", "<card>", id="American Express"),
        pytest.param("3782 822463 10005", "<card>", id="its groups"),
        pytest.param("5555555555554444", "<card>", id="Mastercard"),
        pytest.param("2223003122003222", "<card>", id="its new range"),
        pytest.param("6011111111111117", "<card>", id="Discover"),
        pytest.param("30569309025904", "<card>", id="Diners"),
        pytest.param("3530111333300000", "<card>", id="JCB"),
        pytest.param("4222222222222", "<card>", id="thirteen digits"),
        pytest.param("4111 1111 1111 1111 12/27", "<card> 12/27", id="its expiry"),
        pytest.param("4111 1111 1111 1111 123", "<card> 123", id="its check code"),
        pytest.param("12 4111111111111111", "12 <card>", id="behind a number"),
        pytest.param("no.4111111111111111", "no.<card>", id="behind a full stop"),
        pytest.param("cc4111111111111111x", "cc<card>x", id="between letters"),
        pytest.param(
            "4111111111111111 5555555555554444", "<card> <card>", id="two of them"
        ),
        pytest.param("4111111111111112", "4111111111111112", id="wrong check digit"),
        pytest.param("1111111111111117", "1111111111111117", id="no issuer"),
        pytest.param("41111111111111110000", "41111111111111110000", id="too long"),
        pytest.param("0.4111111111111111", "0.4111111111111111", id="a fraction"),
        pytest.param("4111111111111111.25", "4111111111111111.25", id="an amount"),
        pytest.param("1795238767123", "1795238767123", id="milliseconds"),
        pytest.param("+4915123456786", "+4915123456786", id="a telephone number"),
        pytest.param("DE89370400440532013000", "DE89370400440532013000", id="an IBAN"),
        pytest.param("NO9386011117947", "NO9386011117947", id="a short IBAN"),
        pytest.param(
            "GB29 NWBK 6016 1331 9268 19", "GB29 NWBK 6016 1331 9268 19", id="in groups"
        ),
        pytest.param(
            "550e8400-e29b-41d4-a716-446655440000",
            "550e8400-e29b-41d4-a716-446655440000",
            id="a UUID",
        ),
    ],
)
def test_cards(text: str, expected: str) -> None:
    """A card number is one of an issuer's, with its check digit, between borders."""
    assert expected == shown(text)


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        pytest.param(r"\d{11}", "id <secret>, x", id="whole match"),
        pytest.param(r"id (?P<secret>\d{5})", "id <secret>101234, x", id="its group"),
        pytest.param(
            r"id|(?P<secret>z)", "<secret> 38001010123, x", id="a group unused"
        ),
        pytest.param(r"z?", "id 38001010123, x", id="matches nothing"),
    ],
)
def test_own_patterns(pattern: str, expected: str) -> None:
    """What secret_patterns match is withheld, or their group `secret` alone."""
    assert expected.replace("101234", "010123") == shown("id 38001010123, x", pattern)


PIECES = (
    *(
        b"eyJ",
        b".",
        b"-----BEGIN ",
        b"PRIVATE KEY-----",
        b"-----END ",
        b"Bearer ",
        b"@",
    ),
    *(
        b"://",
        b":",
        b"a",
        b" ",
        b"4111",
        b"1111",
        b"-",
        b"ghp_",
        b"sk-",
        b"MIIEvQIBADAN",
    ),
    *(b"x" * 20, b"DE89", b"\n"),
)


@few
@given(fragments(*PIECES, most=30))
def test_never_raises(text: bytes) -> None:
    """Whatever the text, spans are within it and not empty."""
    for span in find_shapes(text, compile_shapes(("a+",))):
        assert 0 <= span.start < span.end <= len(text)


@few
@given(st.from_regex(rb"[0-9 -]{0,60}", fullmatch=True))
def test_cards_apart(text: bytes) -> None:
    """Card numbers are found from left to right, apart, with 13 to 19 digits each."""
    end = 0
    for start, stop in find_cards(text):
        digits = sum(byte in b"0123456789" for byte in text[start:stop])
        assert end <= start
        assert 13 <= digits <= 19
        end = stop


def test_spans_are_values() -> None:
    """A span tells where, how far, and of which class."""
    [span] = find_shapes(b"a Bearer abcdefgh", ())

    assert span == Span(9, 17, "token")


# What each pattern finds often, or reads far into before it fails.
NEAR_MISSES = (
    *(
        b"4111111111111111 ",
        b"Bearer abcdefgh ",
        b"eyJh.b ",
        b"a:b@c, ",
        b"x://a:b@c\n",
    ),
    *(
        b"70617373776f7264 ",
        b"4111111111111111a",
        b"-----BEGIN PRIVATE KEY-----\n-----END ",
    ),
    *(
        b"a",
        b"=",
        b"a=",
        b"ab=1&",
        b"eyJ",
        b"eyJ.",
        b"a.eyJ",
        b"ewog",
        b"-",
        b"1 ",
        b"444 ",
    ),
    *(b"-----BEGIN ", b"-----BEGIN PRIVATE KEY-----\n", b"PRIVATE KEY", b"4 1 1 1 "),
    *(b"://", b"://a:", b"://a@", b"://a:b@", b"a:b@ ", b"a:a:", b"=a:", b"@=a:", b"@"),
    *(
        b"<a ",
        b"<a b>",
        b"<",
        b"</a>",
        b"token</a>",
        b'"a"',
        b'"a",',
        b'="a"',
        b'="a" ',
    ),
    *(
        b"a is ",
        b"token is not ",
        b"--a ",
        b"-u a",
        b"\\",
        b'\\\\"',
        b'a\\"',
        b"a'''' ",
    ),
    *(
        b"%25",
        b"%",
        b"%3D",
        b"&amp;",
        b"&#1",
        b"/a",
        b"/token",
        b"/reset/",
        b"/reset/a/",
    ),
    *(b"Bearer ", b"bearer a", b"Basic ", b"basic AAAAA ", b"MIIEvQ", b"MIIEvQIBADAN"),
    *(
        b"AKIA",
        b"ghp_",
        b"sk-",
        b"sk-a",
        b"DE89 ",
        b"AB12",
        b"\n",
        b"a,\n",
        b"api key ",
    ),
    *(b"key: ", b"a key: ", b"\xff", b" ", b"\t", b"aA", b"1a", b"QUJD", b"70617373"),
    *(b"cGFzc3dvcmQ9eA==\n", b"hooks.slack.com/", b"123456789:AA", b";a=", b"user:a "),
    *(b"$2b$12$", b"argon2", b"sha1:a", b"{SSHA}", b"thin:a", b":1aaaaa:", b"secret_"),
    *(b"M" + b"a" * 23 + b".", b"a1-us", b".atlasv1.", b"8Q~", b"pass a1", b"pass 1 "),
    *(b"login a ", b"mysql -p", b" -p", b"mysql ", b"IDENTIFIED ", b"token: ", b"is: "),
    *(b"\xef\xbc\x9a", b"verify?a=1&"),
    *(b"\\u0041", b'{"a":', b"a>", b"->", b"\xe2\x86\x92", b"sess", b"1//0", b"[a]"),
)
REDACTOR = Redactor(Config.load({}, {}), Keyring(b"k" * 32))


@pytest.mark.long
@pytest.mark.parametrize("look", ["text", "names_secret", "path", "url", "class_in"])
@pytest.mark.parametrize("piece", NEAR_MISSES)
def test_cost(piece: bytes, look: str) -> None:
    """Twice as many near misses cost about twice as much, never four times."""
    work: Callable[[bytes], object] = getattr(REDACTOR, look)

    # A busy machine can make one look dear, or five; what is quadratic is so each time.
    assert any(_grows_as_its_input(work, piece) for _ in range(20))


def _grows_as_its_input(work: Callable[[bytes], object], piece: bytes) -> bool:
    half, whole = (_seconds(work, piece, 1 << size) for size in (16, 17))

    return whole < 3 * half


def _seconds(work: Callable[[bytes], object], piece: bytes, size: int) -> float:
    text = (piece * (size // len(piece) + 1))[:size]
    spent = []
    for _ in range(3):
        start = time.process_time()
        work(text)
        spent.append(time.process_time() - start)

    return min(spent)


_WORDS = st.one_of(
    st.text("abcXYZ019_-", max_size=70).map(str.encode),
    st.sampled_from(
        (
            b"sk_live_",
            b"glpat-",
            b"key-",
            b"secret_",
            b"MII",
            b"xoxb-",
            b"sk-",
            b"AKIA",
            b"access-",
        )
    ).flatmap(
        lambda start: st.text("abX019_", max_size=50).map(
            lambda end: start + end.encode()
        )
    ),
    st.text("pw=:'hunter2 ", min_size=1, max_size=40).map(
        lambda said: base64.urlsafe_b64encode(said.encode()).rstrip(b"=")
    ),
    st.from_regex(rb"[0-9_-]{10,40}", fullmatch=True),
)


@given(st.binary(max_size=3).filter(bytes.isalnum) | st.just(b""), _WORDS)
def test_short_words(before: bytes, word: bytes) -> None:
    """
    A short word is told at once to be clean only if a whole look says so, too.
    """
    keyring = Keyring(bytes(32))
    at_once = Redactor(Config.load({}), keyring)
    # With a pattern of the user's own nothing is told at once.
    looked_at = Redactor(Config.load({"secret_patterns": ["zq{9}"]}), keyring)

    assert at_once.text(before + word) == looked_at.text(before + word)


_PARTS = st.one_of(
    st.sampled_from(
        (b"password", b"eyJ", b"AKIA", b"cGFzcz14", b"4111", b"1111", b"MII")
    ),
    st.sampled_from((b"hunter2", b"basic", b"0000", b"-us1", b"sk-", b"1//0", b"http")),
    st.text("abXYZ019_-", max_size=12).map(str.encode),
    st.from_regex(rb"[0-9]{1,11}", fullmatch=True),
)
_MARKS = st.sampled_from((b"/", b"[", b"]", b"][", b"-", b"_", b""))


@given(
    st.sampled_from((None, "password", "token")),
    st.lists(st.builds(operator.add, _MARKS, _PARTS), max_size=6).map(b"".join),
)
def test_short_names(cls: str | None, name: bytes) -> None:
    """So is a name of short parts."""
    keyring = Keyring(bytes(32))
    at_once = Redactor(Config.load({}), keyring)
    looked_at = Redactor(Config.load({"secret_patterns": ["zq{9}"]}), keyring)

    assert at_once.name(cls, name) == looked_at.name(cls, name)
