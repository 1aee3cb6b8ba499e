# What stands below a secret name is withheld, however that name is spelled.
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from audit_mw.policy.below import Below
from audit_mw.policy.names import PASSWORD, TOKEN, Classifier

BELOW = Below(Classifier())
X = b"Zq7-canary"


def _parts(name: bytes, cls: str | None = TOKEN) -> list[bytes]:
    return [name[span.start : span.end] for span in BELOW.find(name, cls)]


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(b"tokens[%b]", id="one word"),
        pytest.param(b"api[key][%b]", id="two"),
        pytest.param(b"API[Key][%b]", id="in capitals"),
        pytest.param(b"a[pi][key][%b]", id="three"),
        pytest.param(b"x[api][key][%b]", id="not from the start"),
        pytest.param(b"is[api][key][%b]", id="behind a question"),
        pytest.param(b"api[0][key][%b]", id="an index between"),
        pytest.param(b"api[key][0][%b]", id="an index below"),
        pytest.param(b"api[key][x][%b]", id="a mere key between"),
        pytest.param(b"api-key[%b]", id="a hyphen"),
        pytest.param(b"api.key.%b", id="dots"),
        pytest.param(b"password.%b", id="a dot"),
        pytest.param(b"api:key:%b", id="colons"),
        pytest.param(b"api{key}{%b}", id="braces"),
        pytest.param(b"api/key/%b", id="slashes"),
        pytest.param(b"api%%5Bkey%%5d%%5B%b%%5D", id="coded"),
        pytest.param(b"api%%255Bkey%%255D%%255B%b%%255D", id="coded twice"),
        pytest.param(b"%%61pi%%2Ekey%%2E%b", id="with coded letters"),
        pytest.param(b"/password/%b", id="a pointer"),
        pytest.param(b"/api/key/%b", id="a pointer with two"),
        pytest.param(b"/api/0/key/%b", id="a pointer with an item between"),
        pytest.param(b"/api/1/0/key/%b", id="a pointer with two items between"),
        pytest.param(b"/x/api/key/y/%b", id="a pointer, deeper"),
        pytest.param(b"/private.key.%b", id="a pointer with dots"),
        pytest.param(b"/a.pi/key.%b", id="a pointer with a dot and a slash"),
        pytest.param(b"/my.api/key/%b", id="a pointer with a part"),
    ],
)
def test_below(name: bytes) -> None:
    """It is found below one word, and below several that are one name together."""
    assert _parts(name % X) == [X]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        pytest.param(b"api[key]", [], id="the name itself"),
        pytest.param(b"api[key][current]", [], id="a key"),
        pytest.param(b"user.password.confirm.again", [], id="keys behind dots"),
        pytest.param(b"api.key.a.%b" % X, [b"a." + X], id="the rest, whole"),
        pytest.param(b"/password/a.%b" % X, [b"a." + X], id="a segment, whole"),
        pytest.param(b"%b[api][key]" % X, [], id="above"),
        pytest.param(b"/value/%b" % X, [X], id="below what a sibling names"),
        pytest.param(b"/%b" % X, [X], id="a key that a sibling names"),
        pytest.param(b"/pin-%b" % X, [], id="a secret name with more to it"),
        pytest.param(b"%b" % X, [], id="alone"),
        pytest.param(b"", [], id="empty"),
        pytest.param(b"x" * 300 + b"[%b]" % X, [X], id="where it cannot be told"),
    ],
)
def test_rest(name: bytes, expected: list[bytes]) -> None:
    """A mere key stays, and what stands above."""
    assert _parts(name) == expected


def test_class() -> None:
    """Where the whole is of no class, what is below has that of the part above it."""
    (span,) = BELOW.find(b"user[password][%b][expires]" % X, None)

    assert span.cls == PASSWORD


_names = st.lists(
    st.sampled_from(
        b"api key a pi password is 0 17 Zq7-x x status [ ] / . : { } %5B %255D %".split()
    )
    | st.binary(max_size=3),
    max_size=12,
).map(b"".join)


@given(_names, st.sampled_from([TOKEN, None]))
@example(b"/" + b"a.b/" * 100 + b"password/x-1", TOKEN)
def test_any_name(name: bytes, cls: str | None) -> None:
    """Whatever the name: the spans are in order, within it, and none is empty."""
    spans = list(BELOW.find(name, cls))
    edges = [edge for span in spans for edge in (span.start, span.end)]

    assert edges == sorted(set(edges))
    assert all(0 <= edge <= len(name) for edge in edges)
    assert all(span.cls for span in spans)


def test_is_linear() -> None:
    """A long name is looked at part by part only at its begin."""
    asked: list[bytes] = []

    class Asking(Classifier):
        def of_text(self, text: bytes) -> str | None:
            asked.append(text)
            return super().of_text(text)

    list(Below(Asking()).find(b"a.b[c]" * 10_000, TOKEN))

    assert sum(map(len, asked)) < 30_000
