# What is found at a glance is what each pattern finds that is tried all along.
#
# Texts are made of what the tables have: needles, what stands around them, prefixes
# with as many characters behind them as they need and one fewer, at all borders, bare
# and coded; in short texts, and among so much ordinary text that it is a long one.
import base64

from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.policy import obvious

from audit_mw.policy import assignments, shapes, words
from audit_mw.policy.assignments import find_assignment
from audit_mw.policy.cards import find_cards
from audit_mw.policy.layers import decoded_runs, undone
from audit_mw.policy.names import Classifier
from audit_mw.policy.remembered import Known
from audit_mw.policy.shapes import compile_shapes, find_shapes
from audit_mw.policy.suspects import Suspects, Words

__all__ = ["NEEDLES", "SECRETS", "texts"]

many = settings(max_examples=100)

_NUMBERS = (b"4111", b"1111 ", b"4111111111111111", b"0.", b"\xc2\xa0", b"1", b"-us1")
_AROUND = (
    *(b"M" + b"a" * 23, b".abcdef.", b"x" * 27, b"A-b" * 9, b"0123456789abcdef" * 2),
    *(b"abcdefghijABCD", b"abc8", b"123456789", b":1abcde:", b"production-", b"//h@x"),
    *(b"-----BEGIN PRIVATE KEY-----", b"----END ", b"-File-2", b"IBADAN", b"$2b$12$"),
    *(b"pbkdf2_sha256$", b"{SSHA", b"alice:pw@h", b"sandbox-", b"services/", b"ey"),
)
_BORDERS = tuple(
    bytes([byte]) for byte in b" \t\r\n\"'`=:&;,?#{}()<>|\\/%-_.~+@$[]a\xff"
)
NEEDLES = tuple(sorted({it.needle for it in shapes._SHAPES})) + _NUMBERS + _AROUND
SECRETS = (
    *(b"password=hunter2", b"ghp_" + b"Ab3" * 12, b"token: abcdefgh12345678"),
    *("Paßwort=ä".encode(), b"4111111111111111", b"no secret, but text"),
)
_ORDINARY = (
    b"The quick brown fox jumps over the lazy dog. ",
    b"2026-11-21 05:26:07,123 INFO app.views: 200 in 12 ms\n",
    b"1,Alice,Tallinn,12.50,2026-11-21\r\n",
    b'{"id": 17, "at": "2026-11-21T05:26:07Z", "to": [1.0625, 2]}\n',
    b"    return self.value[0] + (other or {}) % 3 # as it is\n",
    b"oKwz0VYcTg3N5ZtTnvRvJ1Fh9eTQm0v4k2fRr1Q8wXbL7uUo+/Ss6Yp\n",
    b"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08\n",
)


def _prefixed(at: int, longer: int, before: bytes) -> bytes:
    name, least = shapes._PREFIXES[2 * at], int(shapes._PREFIXES[2 * at + 1])

    return before + name.encode() + (b"Ab3x" * 40)[: max(0, least + longer)]


prefixed = st.builds(
    _prefixed,
    st.integers(0, len(shapes._PREFIXES) // 2 - 1),
    st.integers(-1, 2),
    st.sampled_from((b"", b"-", b"_", b"x", b"/", b".", b" ")),
)
hidden = st.builds(
    lambda text, code, cut: code(text)[cut:],
    st.sampled_from(SECRETS),
    st.sampled_from(
        (
            base64.b64encode,
            base64.urlsafe_b64encode,
            base64.encodebytes,
            lambda text: text.hex().encode(),
            lambda text: b"".join(b"%%%02x" % byte for byte in text),
            lambda text: text.replace(b"=", b"%3D").replace(b"%", b"%25"),
            lambda text: b"".join(b"\\u%04x" % byte for byte in text),
        )
    ),
    st.integers(0, 2),
)
pieces = st.one_of(
    st.sampled_from(NEEDLES),
    st.sampled_from(NEEDLES).map(bytes.swapcase),
    st.sampled_from(NEEDLES).map(bytes.title),
    st.sampled_from(_BORDERS),
    st.sampled_from(SECRETS),
    st.sampled_from((b"\\n", b"\\r", b"\r\n", b"=", b"%25", b"&amp;")),
    prefixed,
    hidden,
    st.binary(max_size=6),
    st.text("aZ09_-.+/ ", max_size=40).map(str.encode),
)
texts = st.builds(
    lambda said, before, after: before + b"".join(said) + after,
    st.lists(pieces, max_size=24),
    st.builds(
        lambda text, often: text * often, st.sampled_from(_ORDINARY), st.integers(0, 9)
    ),
    st.builds(
        lambda text, often: text * often, st.sampled_from(_ORDINARY), st.integers(0, 9)
    ),
)


@many
@given(texts)
@example(b"bEARER abcdefgh")
@example(b"a BEARER abcdefgh, a bearer ijklmnop")
def test_shapes(text: bytes) -> None:
    """The same spans in the same order, own patterns among them."""
    own = compile_shapes(("a+b",))

    assert list(obvious.find_shapes(text, own)) == list(find_shapes(text, own))


@many
@given(
    st.lists(
        st.one_of(prefixed, st.sampled_from(NEEDLES), st.sampled_from(_BORDERS)),
        max_size=9,
    ).map(b"".join)
)
def test_shapes_side_by_side(text: bytes) -> None:
    """The same where hardly anything stands between them."""
    assert list(obvious.find_shapes(text, ())) == list(find_shapes(text, ()))


def test_each_prefix() -> None:
    """Each prefix, with as many characters as it needs, is found at each border."""
    for at in range(len(shapes._PREFIXES) // 2):
        for longer in (-1, 0):
            for border in _BORDERS:
                text = _prefixed(at, longer, b"x" + border) + b", and so on"
                found = list(find_shapes(text, ()))

                assert list(obvious.find_shapes(text, ())) == found


def test_runs_are_long_enough() -> None:
    """What is looked for in long runs only cannot stand in a shorter one."""
    for name, least in zip(shapes._PREFIXES[::2], shapes._PREFIXES[1::2], strict=True):
        assert list(shapes._RUNS.runs(name.encode() + b"A" * int(least)))


@many
@given(st.one_of(texts, st.text("014 -_.\xa0x", max_size=80).map(str.encode)))
def test_cards(text: bytes) -> None:
    """The same card numbers."""
    assert list(obvious.find_cards(text)) == list(find_cards(text))


@many
@given(texts)
def test_layers(text: bytes) -> None:
    """The same is said by codings, once and again, and broken into lines."""
    assert list(obvious.undone(text)) == list(undone(text))
    assert list(obvious.find_decoded(text)) == list(decoded_runs(text))


@many
@given(st.one_of(st.text(max_size=40), st.text("\t\r\nazAZ\x7f\xa0\u0800\U00010000")))
def test_all_that_is_text_is_told(said: str) -> None:
    """No text is taken for none, however it is coded."""
    text = base64.b64encode(said.encode()) + b" " + said.encode().hex().encode()

    assert list(obvious.find_decoded(text)) == list(decoded_runs(text))


_TABLES = (
    *(words.PASSWORD_STEMS, words.PASSWORD_WORDS, words.PASSWORD_ENDINGS),
    *(words.TOKEN_STEMS, words.TOKEN_WORDS, words.TOKEN_ENDINGS, words.CARD_STEMS),
    *(words.ORDINARY, words.ORDINARY_NAMES, words.STATES, words.DESCRIBING),
)
_STEMS = sorted({stem for table in _TABLES for stem in table})
_JOINS = ("", "-", "_", ".", "[", "]", "~", "1", "2", "x", "author", "-spin-", "aside")
_CASES = (str.lower, str.upper, str.title, str.capitalize, str.swapcase, str)


def _spelt(parts: list[tuple[str, str, int]], before: str) -> bytes:
    return (
        before + "".join(_CASES[case](it) + join for it, join, case in parts)
    ).encode()


# Names whole, in two parts with something in between, and with a letter changed.
names = st.builds(
    _spelt,
    st.lists(
        st.tuples(
            st.one_of(
                st.sampled_from(_STEMS),
                st.sampled_from(_STEMS).map(lambda stem: stem[: len(stem) // 2]),
                st.sampled_from(_STEMS).map(lambda stem: stem[len(stem) // 2 :]),
                st.sampled_from(("user", "pet", "zz9", "Über", "my", "a", "B")),
            ),
            st.sampled_from(_JOINS),
            st.integers(0, len(_CASES) - 1),
        ),
        min_size=1,
        max_size=4,
    ),
    st.sampled_from(("", "user", "my", "X-", "--", "-", "$", "\u2192", "ns:")),
)
_OWN = (("pet", "zz9", "\u043f\u0435\u0442"), ("sometoken",))
_GIVERS = (
    *(
        b"=",
        b": ",
        b" := ",
        b"=>",
        b" -> ",
        b"->",
        b" is ",
        b" was: ",
        b" to ",
        b" x1y2z3",
    ),
    *(b" 123456 ", b"</td><td>", b" <b> <i>", b' value="', b'"] = ', b"%3D", b"%3d"),
    *(
        " → ".encode(),
        " è ".encode(),
        " är ".encode(),
        b" hunter2x",
        b'", "',
        b"\r\n\r\n",
    ),
    *(b"' ", b" 'x'", b'\\" ', b" --x y", b",b\n", b"\n"),
)
_BEFORE = (
    *(b"<", b"<ns:", b"--", b"the ", b"api ", b"PIN ", b'"', b"'", b'="', b"my-", b"`"),
    *(
        b"mysql -p",
        b" -p",
        b"-u a:",
        b"--user=a:",
        b"IDENTIFIED BY ",
        b"login x pass y ",
    ),
    *(b"key", b"code", b"name", b"value", b"number", b"Word", b"user,", b"\xff"),
)
said = st.lists(
    st.one_of(
        names,
        st.sampled_from(_GIVERS),
        st.sampled_from(_BEFORE),
        st.sampled_from(_BORDERS),
        st.binary(max_size=3),
    ),
    max_size=12,
).map(b"".join)
_FILLED = tuple(text * (1 + 1024 // len(text)) for text in _ORDINARY)


@many
@given(said)
def test_short_assignments(text: bytes) -> None:
    """Where nothing may give a value, no form of an assignment finds one."""
    classify = Classifier(*_OWN)

    assert obvious.find_assignment(text, classify) == find_assignment(text, classify)


@settings(max_examples=150)
@given(st.sampled_from(_FILLED), said, st.sampled_from((b"", *_ORDINARY)), said)
def test_assignments(
    before: bytes, first: bytes, between: bytes, second: bytes
) -> None:
    """In a long text the same value is found as where each name is looked at."""
    text = first + before + b"\n" + second + between
    classify = Classifier(*_OWN)

    assert obvious.find_assignment(text, classify) == find_assignment(text, classify)


@many
@given(st.lists(names, max_size=40))
def test_suspects(spelt: list[bytes]) -> None:
    """Each word that the classifier gives a class is among the suspects."""
    classify = Classifier(*_OWN)
    found = Words(b" ".join(spelt))
    suspects = Suspects(["pet", "zz9"]).among(found.each, classify, 1 << 20)
    missed = [
        word
        for word in b" ".join(spelt).split()
        if classify(word) is not None
        if suspects is not None and Words.one(word) not in suspects
    ]

    # A name with a mark in it, such as "ns:key", is two words of a text.
    assert [word for word in missed if Words.one(word) in found.each] == []


def test_many_names() -> None:
    """More names than one text may have are suspect as a whole, long text or not."""
    text = b"".join(b"a%d=1 " % number for number in range(assignments._NAMES + 2))
    classify = Classifier()

    assert find_assignment(text, classify) == (0, "opaque")
    assert obvious.find_assignment(text, classify) == (0, "opaque")


secrets = st.lists(
    st.one_of(
        st.sampled_from(SECRETS), st.text("abC1 %/é\n", max_size=30).map(str.encode)
    ),
    max_size=4,
)


@many
@given(secrets, st.data())
def test_known(known: list[bytes], data: st.DataObject) -> None:
    """Known secrets and their parts are found as at each byte of a text."""
    some = st.sampled_from([*known, b"x"])
    text = b"".join(
        data.draw(
            st.lists(
                st.one_of(
                    some,
                    some.map(bytes.upper),
                    some.map(lambda secret: repr(secret).encode()),
                    st.builds(lambda it, at: it[at:], some, st.integers(0, 9)),
                    st.builds(lambda it, at: it[:-at], some, st.integers(1, 9)),
                    st.binary(max_size=3),
                ),
                max_size=9,
            )
        )
    )

    assert list(obvious.find_known(Known(known), text)) == list(Known(known).find(text))


def test_many_known() -> None:
    """So many that they are not searched for one by one are found all the same."""
    known = Known(b"%04d-%d" % (number * 7919 % 10_000, number) for number in range(99))
    text = b"no 0000-0, and 7919-1 or " + b"%04d-%d" % (7919 * 98 % 10_000, 98)

    assert list(obvious.find_known(known, text)) == list(known.find(text))
    assert list(known.find(text))


def test_too_many_suspects() -> None:
    """Where each word looks like a name of a secret, all is looked at, and found."""
    text = b" ".join(
        b"keystone%b" % bytes((65 + n // 26, 65 + n % 26)) for n in range(600)
    )
    text += b" hockey pockey " * 99 + b" a password: x"
    classify = Classifier()

    assert find_assignment(text, classify) == obvious.find_assignment(text, classify)
    assert find_assignment(text, classify) is not None
