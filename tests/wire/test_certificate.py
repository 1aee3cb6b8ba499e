# The certificate below was made by openssl, and is shown as openssl shows it.
import hashlib
from base64 import b64encode
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.driving import calls

from audit_mw.wire.certificate import Certificate, find_der, parse_certificate

PEM = b"""\
-----BEGIN CERTIFICATE-----
MIICVDCCAfugAwIBAgICAPEwCgYIKoZIzj0EAwIwgYgxCzAJBgNVBAYTAkVFMREw
DwYDVQQKDAjDhCwgTHRkLjEUMAgGA1UECwwBYTAIBgNVBAsMAWIxEzARBgNVBAMM
CiMgIngiIDw7PiAxFDASBgkqhkiG9w0BCQEWBWFAYi5jMRMwEQYKCZImiZPyLGQB
GRYDb3JnMRAwDgYDVQQFEwdQTk9FRS0xMB4XDTI2MTEyMTE4MTgzNFoXDTM2MTEx
ODE4MTgzNFowgYgxCzAJBgNVBAYTAkVFMREwDwYDVQQKDAjDhCwgTHRkLjEUMAgG
A1UECwwBYTAIBgNVBAsMAWIxEzARBgNVBAMMCiMgIngiIDw7PiAxFDASBgkqhkiG
9w0BCQEWBWFAYi5jMRMwEQYKCZImiZPyLGQBGRYDb3JnMRAwDgYDVQQFEwdQTk9F
RS0xMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEEuG7oHwvqGfc1vKdUAK/mrT+
eoTzVcY2MvJm+37l3EwW9So0qjRiE1e22F2WklZQ/8d7gdLprqRRxg6ubUjmbqNT
MFEwHQYDVR0OBBYEFAr6jD2WaZ6eOtoAjKR1E5DNQtkTMB8GA1UdIwQYMBaAFAr6
jD2WaZ6eOtoAjKR1E5DNQtkTMA8GA1UdEwEB/wQFMAMBAf8wCgYIKoZIzj0EAwID
RwAwRAIgYUIhhGPqnz7TYMtwyw+kYglX3crgL+0kiVYUEzGGqH4CIByn6ti7xenC
4exJE0fDeXXtZ7+tdnj7nYNEsAgpBDLp
-----END CERTIFICATE-----
"""
SUBJECT = (
    rb"serialNumber=PNOEE-1,DC=org,emailAddress=a@b.c,"
    rb"CN=\# \"x\" \<\;\>\ ,OU=b+OU=a,O=\C3\84\, Ltd.,C=EE"
)
SHA256 = "6f53e36f241e8563b5010d071be1f361e594f2fa6bc007ff5f0cbe9fe5e1446f"


def _der() -> bytes:
    der = find_der(PEM)
    assert der is not None

    return der


DER = _der()


def test_parse() -> None:
    """Subject and serial number are those that openssl prints."""
    assert hashlib.sha256(DER).hexdigest() == SHA256
    assert parse_certificate(DER) == Certificate(SUBJECT, b"F1")


@pytest.mark.parametrize(
    "told",
    [
        pytest.param(DER, id="DER"),
        pytest.param(quote(PEM).encode(), id="nginx, escaped"),
        pytest.param(PEM.replace(b"\n", b"\n\t"), id="nginx, folded"),
        pytest.param(PEM.replace(b"\n", b" "), id="Apache"),
        pytest.param(
            b'Hash=ab;Cert="' + quote(PEM, "").encode() + b'";Subject="CN=x"',
            id="Envoy",
        ),
        pytest.param(b64encode(DER), id="HAProxy, base64"),
        pytest.param(b":" + b64encode(DER) + b":", id="RFC 9440"),
        pytest.param(quote(b64encode(DER)).encode(), id="Traefik"),
    ],
)
def test_find(told: bytes) -> None:
    """A certificate is found in whatever form a proxy sends it."""
    assert find_der(told) == DER


@pytest.mark.parametrize(
    "told",
    [
        b"",
        b"CN=alice",
        b"alice",
        b"0.9.2342.1=x",
        b"MGIB",
        b"-----BEGIN CERTIFICATE-----" * 99,
    ],
)
def test_find_none(told: bytes) -> None:
    """A name is no certificate."""
    assert find_der(told) is None


def test_work() -> None:
    """A value of many beginnings is looked through once."""
    begin = b"-----BEGIN CERTIFICATE-----"
    few, many = (calls(lambda n=n: find_der(begin * n)) for n in (10, 10_000))  # type: ignore[misc] # bound early

    assert many == few


def test_cut() -> None:
    """What is cut off is no certificate, and no error."""
    assert {parse_certificate(DER[:end]) for end in range(len(DER))} == {None}


def _with_subject(subject: bytes, serial: bytes = b"\x02\x01\x81") -> bytes:
    parts = serial + b"\x30\x00" * 3 + b"\x30" + bytes([len(subject)]) + subject
    inner = b"\x30" + bytes([len(parts)]) + parts

    return b"\x30" + bytes([len(inner)]) + inner


def _attribute(oid: bytes, tag: int, value: bytes) -> bytes:
    pair = b"\x06" + bytes([len(oid)]) + oid + bytes([tag, len(value)]) + value
    pair = b"\x30" + bytes([len(pair)]) + pair

    return b"\x31" + bytes([len(pair)]) + pair


@pytest.mark.parametrize(
    ("oid", "tag", "value", "expected"),
    [
        pytest.param("550403", 0x1E, b"\0a\x20\xac", rb"CN=a\E2\82\AC", id="BMP"),
        pytest.param("550403", 0x0C, b" a\n ", rb"CN=\ a\0A\ ", id="spaces, LF"),
        pytest.param("550403", 0x04, b"ab", b"CN=#04026162", id="no text"),
        pytest.param("2a030481", 0x0C, b"a", b"1.2.3.4=#0C0161", id="cut OID"),
        pytest.param("883703", 0x0C, b"a", b"2.999.3=#0C0161", id="unknown OID"),
    ],
)
def test_names(oid: str, tag: int, value: bytes, expected: bytes) -> None:
    """A name without a text of its own is its number, a value its DER in hex."""
    der = _with_subject(_attribute(bytes.fromhex(oid), tag, value))

    assert parse_certificate(der) == Certificate(expected, b"-7F")


@given(st.binary(max_size=99), st.integers(0, len(DER) - 1))
def test_anything(octets: bytes, at: int) -> None:
    """No input is an error, and what is shown is ASCII that can be seen."""
    for der in (octets, DER[:at] + octets + DER[at + len(octets) :]):
        find_der(der)
        found = parse_certificate(der)
        assert found is None or all(0x20 <= byte < 0x7F for byte in found.subject)
