# What Hypothesis draws from: the values of event.py in their one canonical form,
# bytes as hostile clients send them, and the ways to cut a stream.
from collections.abc import Sequence

from hypothesis import settings
from hypothesis import strategies as st

from audit_mw.event import (
    STREAMS,
    Event,
    Hole,
    JsonText,
    Opaque,
    Param,
    Redacted,
    Rest,
    Spilled,
    Text,
    Unread,
    Upload,
    Value,
)

__all__ = [
    "chunked",
    "details",
    "events",
    "few",
    "fragments",
    "holes",
    "params",
    "raw",
    "texts",
    "times",
    "values",
    "words",
]

# A decorator for property tests: few examples.
few = settings(max_examples=60)

_HOSTILE = (
    b"",
    b"-",
    b'""',
    b"%",
    b"%2D",
    b"%{token:1}",
    b"\\",
    b'"',
    b"\t",
    b"\n",
    b"\r\n",
    b"\x00",
    b"\x1b[2J",
    b"\x7f",
    b"\xff",
    "é".encode(),
    "\u2028".encode(),
    "\ud800".encode("utf-8", "surrogatepass"),
)

_hex64 = st.text("0123456789abcdef", min_size=64, max_size=64)
_hmac = st.from_regex(r"[0-9a-f]{8}\.[0-9a-f]{32}", fullmatch=True)
_class = st.sampled_from(["password", "token", "opaque", "card"])
_len = st.integers(0, 1 << 70)


def fragments(*parts: bytes, most: int = 12) -> st.SearchStrategy[bytes]:
    """Draw strings of `parts` with a few bytes of anything between."""
    part = st.sampled_from(parts) | st.binary(max_size=3)

    return st.lists(part, max_size=most).map(b"".join)


raw: st.SearchStrategy[bytes] = fragments(*_HOSTILE, most=5) | st.binary(max_size=40)

holes: st.SearchStrategy[Hole] = st.one_of(
    st.builds(Hole, _len, _class, st.none() | _hmac),
    st.builds(Hole, _len, sha256=_hex64),
)


def _with_holes(pairs: Sequence[tuple[bytes, Hole]], end: bytes) -> Text:
    parts = [part for pair in pairs for part in pair]

    return tuple(part for part in (*parts, end) if part)


# Canonical: no empty run, no two runs side by side, and a hole, or else plain bytes.
texts: st.SearchStrategy[Text] = raw | st.builds(
    _with_holes, st.lists(st.tuples(raw, holes), min_size=1, max_size=3), raw
)

values: st.SearchStrategy[Value] = st.one_of(
    st.none(),
    texts,
    st.builds(Redacted, _len.filter(lambda size: size < 1 << 63), _class),
    st.builds(Redacted, st.integers(0, 1 << 40), _class, _hmac),
    st.builds(Spilled, st.integers(0, 1 << 40), _hex64),
    st.builds(JsonText, raw),
    st.builds(
        Upload,
        st.none() | texts,
        st.none() | texts,
        st.integers(0, 1 << 40),
        _hex64,
    ),
    st.builds(Unread, st.none() | st.integers(0, 1 << 40), st.integers(0, 1 << 40)),
    st.builds(Opaque, st.integers(0, 1 << 40), st.none() | texts),
    st.builds(Rest, st.integers(0, 1 << 20), st.integers(0, 1 << 40), _hex64),
)

params: st.SearchStrategy[Param] = st.builds(
    Param,
    st.sampled_from(["query", "form", "json", "file", "cookie", "header", "body"]),
    st.none() | texts,
    values,
)

words: st.SearchStrategy[str] = st.text(max_size=12)

# Keys of details are the application's, so any text, lone surrogates as well.
_keys = st.text(st.characters(exclude_categories=()), max_size=8)
_details_leaves = st.one_of(
    st.none(), st.booleans(), st.integers(), st.integers(1 << 62, 1 << 80), texts
)
_details_values = st.recursive(
    _details_leaves,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(_keys, inner, max_size=3)
    ),
    max_leaves=6,
)
details: st.SearchStrategy[dict[str, object]] = st.dictionaries(
    st.sampled_from(["via", "reason", "sent_as", "app"]) | _keys,
    _details_values,
    max_size=4,
)

# Microseconds from the first to the last moment of the years 1 to 9999.
times: st.SearchStrategy[int] = st.integers(
    -62_135_596_800_000_000, 253_402_300_799_999_999
)

_counts = st.none() | st.integers(-(1 << 70), 1 << 70)
_columns = st.none() | texts

events: st.SearchStrategy[Event] = st.builds(
    Event,
    time=times,
    event=words,
    stream=st.sampled_from(STREAMS),
    type=words,
    outcome=words,
    service=texts,
    instance=words,
    client=_columns,
    peer=_columns,
    user=_columns,
    session=st.none() | words,
    method=_columns,
    path=_columns,
    action=_columns,
    status=_counts,
    sent=_counts,
    rows=_counts,
    micros=_counts,
    params=st.lists(params, max_size=4).map(tuple),
    details=details,
    salt=st.none() | words,
    seal=st.none() | words,
)


@st.composite
def chunked(draw: st.DrawFn, bodies: st.SearchStrategy[bytes]) -> list[bytes]:
    """Draw a body, cut into chunks at random."""
    body = draw(bodies)
    cuts = draw(st.lists(st.integers(0, len(body)), max_size=8).map(sorted))

    return [body[a:b] for a, b in zip([0, *cuts], [*cuts, len(body)], strict=True)]
