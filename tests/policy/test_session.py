# An id of a session joins what one session did; a session in a cookie does not.
import json
import secrets
import uuid
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable

import pytest
from flask import Flask
from flask.sessions import SecureCookieSessionInterface
from hypothesis import assume, example, given
from hypothesis import strategies as st

from audit_mw.policy.session import is_session_id

RAILS_ENCRYPTED = b"K2x5YWJj%2FZGVm--n1tC0o5Zb7aLq3Xy--Rk9iYXJiYXpxdXV4MTIzNA%3D%3D"
PYRAMID = urlsafe_b64encode(
    bytes(range(100, 164)) + b'[1795260390, 1795260390.60616, {"user": "alice"}]'
).rstrip(b"=")
BOTTLE = b'"!kfVeqdSr7xQZ1BqzJQ96YXkBFdjADVzbTu4VpxXDS8A=?gAWVFwAAAAAAAABdlC4="'
LITESTAR = [
    b64encode(bytes(size) + b'additional_authenticated_data={"expires_at":1796469991}')
    for size in (50, 51, 52)
]


@given(st.integers(16, 96))
@example(24)
def test_random_ids(size: int) -> None:
    """What `secrets` and `uuid` make is an id, whatever letters it drew."""
    for make in (secrets.token_urlsafe, secrets.token_hex):
        assert is_session_id(make(size).encode())
    assert is_session_id(uuid.uuid4().hex.encode())
    assert is_session_id(str(uuid.uuid4()).encode())


@pytest.mark.parametrize(
    "value",
    [
        b"a2zPkTV-60Dcp-a--S6ePeM9IpUpB5XT",
        b"--P5ukcXO_SgCuIfsiknKOV3voVbGe--",
        b"eyJbE85v_1zTl0BNLpKswPwbzq9z",  # that no JSON begins with
        b"s%3Aid.Vn4bT3qv8O1y6mXoqLrj2w",  # Express: an id and its signature
        b"node01x5v3k1abc.node0",
    ],
)
def test_odd_ids(value: bytes) -> None:
    """Hyphens in a row, a signature and the name of a node make no session of an id."""
    assert is_session_id(value)


@pytest.mark.parametrize(
    "value",
    [
        b"eyJhIjoxfQ.aR8x2A.sig",
        b".eJyrVkrOz0nVUcpNzMxTslIyNDJW0lFKLUktLlGqBQBkHghK.aR8x2A.0Q5n",
        b"eyJhIjoxfQ:1vLk2A:c2lnbmF0dXJl",
        b"BAh7B0kiD3Nlc3Npb25faWQ--" + b"0123456789abcdef" * 2 + b"01234567",
        RAILS_ENCRYPTED,
        RAILS_ENCRYPTED.replace(b"%3D", b"="),
        PYRAMID,
        BOTTLE,
        BOTTLE.strip(b'"'),
        *LITESTAR,
        b"x" * 257,
    ],
)
def test_state(value: bytes) -> None:
    """A session that is kept in the cookie is no id."""
    assert not is_session_id(value)


@given(
    st.dictionaries(st.text(max_size=8), st.integers() | st.text(max_size=16)),
    st.sampled_from([b64encode, urlsafe_b64encode]),
)
@example({"a": 1}, b64encode)
def test_json(session: dict[str, int | str], coded: Callable[[bytes], bytes]) -> None:
    """A session that is JSON in base64, as Express signs it, is no id."""
    value = coded(json.dumps(session).encode())
    assume(value.startswith(b"eyJ"))  # not of an empty one

    assert not is_session_id(value)
    assert not is_session_id(value.rstrip(b"="))
    assert not is_session_id(value.replace(b"=", b"%3D"))


@given(st.dictionaries(st.text(max_size=8), st.text(max_size=16), min_size=1))
def test_flask(session: dict[str, str]) -> None:
    """Whatever Flask signs is no id."""
    app = Flask("shop")
    app.secret_key = "not secret"
    serializer = SecureCookieSessionInterface().get_signing_serializer(app)
    assert serializer is not None
    value = serializer.dumps(session)

    assert not is_session_id(value.encode() if isinstance(value, str) else value)
