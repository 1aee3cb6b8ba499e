# A certificate (RFC 5280 4.1) -> its subject and serial number, and no more:
#
#     TBSCertificate ::= SEQUENCE {
#         version [0] EXPLICIT Version DEFAULT v1,
#         serialNumber INTEGER, signature SEQUENCE, issuer Name,
#         validity SEQUENCE, subject Name, ... }
#     Name ::= SEQUENCE OF SET OF SEQUENCE { type OBJECT IDENTIFIER, value ANY }
#
# The subject is written as RFC 2253 has it, with what is not ASCII as \XX: so do
# OpenSSL, nginx ($ssl_client_s_dn) and Apache httpd, and one name must look alike
# wherever it comes from.
#
# Rule: nothing is verified here. Who ended TLS did that, or did not.
import re
from base64 import b64decode
from binascii import Error as BadBase64
from collections.abc import Iterator
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

__all__ = ["Certificate", "find_der", "parse_certificate"]


class Certificate(NamedTuple):
    """Whose certificate it is, and its number, in hex as openssl prints it."""

    subject: bytes
    serial: bytes


# --- where it is, in what a proxy sends

# nginx codes it by %XX, Envoy too, and Apache httpd puts spaces for line ends.
_BLANK = rb"(?:\s|\+|%(?:20|09|0[aAdD]))"
_BEGIN = re.compile(rb"-----BEGIN" + _BLANK + rb"CERTIFICATE-----")
_END = b"-----END"
_SPACE = re.compile(rb"\s+")
_SEQUENCE, _SET, _OID, _INTEGER, _VERSION = 0x30, 0x31, 0x06, 0x02, 0xA0


def find_der(told: bytes) -> bytes | None:
    """
    Return the first certificate in a value, as DER; None if there is none.

    It may be DER itself, PEM (as it is, by %XX, its lines joined), or base64 of DER, in
    colons (RFC 9440) or not.
    """
    if _is_der(told):
        return told
    begin = _BEGIN.search(told)
    # To the first end behind it: a value of beginnings alone is looked through once.
    body = told[begin.end() :].partition(_END)[0] if begin else told.strip(b" :")
    if b"%" in body:
        body = unquote_to_bytes(body)
    try:
        der = b64decode(_SPACE.sub(b"", body), validate=True)
    except (BadBase64, ValueError):
        return None

    return der if _is_der(der) else None


def _is_der(octets: bytes) -> bool:
    # A text may begin with 0x30, "0"; none goes on with the length of a certificate.
    return octets[:1] == b"\x30" and octets[1:2] in (b"\x81", b"\x82", b"\x83")


# --- what is in it


def parse_certificate(der: bytes) -> Certificate | None:
    """Return subject and serial number; None of what is no certificate."""
    try:
        return _certificate(der)
    except (IndexError, ValueError):
        return None


def _certificate(der: bytes) -> Certificate:
    parts = _items(_inside(_inside(der, _SEQUENCE), _SEQUENCE))
    tag, number = next(parts, (0, b""))
    if tag == _VERSION:
        tag, number = next(parts, (0, b""))
    rest = list(parts)
    if tag != _INTEGER or not number or rest[3][0] != _SEQUENCE:
        raise ValueError("no certificate")
    # RFC 4514 2.1: the last comes first.
    names = [_relative_name(each) for _, each in _items(rest[3][1])]

    return Certificate(b",".join(names[::-1]), _serial(number))


def _serial(number: bytes) -> bytes:
    value = int.from_bytes(number, signed=True)
    digits = b"%02X" % abs(value)

    return (b"-" if value < 0 else b"") + b"0" * (len(digits) % 2) + digits


def _relative_name(der: bytes) -> bytes:
    # OpenSSL turns the order of these around, too.
    return b"+".join([_attribute(each) for _, each in _items(der)][::-1])


def _attribute(der: bytes) -> bytes:
    (_, oid), (tag, value) = _items(der)
    name = _NAMES.get(oid)
    charset = _CHARSETS.get(tag)
    if name is None or charset is None:
        # RFC 4514 2.4: what has no text is its DER in hex.
        shown = b"#" + (_header(tag, len(value)) + value).hex().upper().encode()
        return (name or _dotted(oid)) + b"=" + shown

    return name + b"=" + _escaped(value.decode(charset).encode())


_CHARSETS = {
    0x0C: "utf-8",
    0x12: "latin-1",  # numeric
    0x13: "latin-1",  # printable
    0x14: "latin-1",  # teletex, as everybody takes it
    0x16: "latin-1",  # IA5
    0x1C: "utf-32-be",
    0x1E: "utf-16-be",
}
_NAMES = {
    bytes([0x55, 0x04, last]): name.encode()
    for last, name in {
        3: "CN", 4: "SN", 5: "serialNumber", 6: "C", 7: "L", 8: "ST", 9: "street",
        10: "O", 11: "OU", 12: "title", 42: "GN", 43: "initials",
        46: "dnQualifier", 65: "pseudonym", 97: "organizationIdentifier",
    }.items()
}  # fmt: skip
_NAMES |= {
    bytes.fromhex("2A864886F70D010901"): b"emailAddress",
    bytes.fromhex("0992268993F22C640101"): b"UID",
    bytes.fromhex("0992268993F22C640119"): b"DC",
}


def _dotted(oid: bytes) -> bytes:
    numbers, number = [], 0
    for byte in oid:
        number = number << 7 | byte & 0x7F
        if byte < 0x80:
            numbers.append(number)
            number = 0
    first = min(numbers[0] // 40, 2)

    return b".".join(b"%d" % n for n in (first, numbers[0] - 40 * first, *numbers[1:]))


_SPECIAL = re.compile(rb'[,+"\\<>;]|\A[ #]| \Z')
_UNSEEN = re.compile(rb"[\x00-\x1F\x7F-\xFF]")


def _escaped(text: bytes) -> bytes:
    marked = _SPECIAL.sub(lambda found: b"\\" + found[0], text)

    return _UNSEEN.sub(lambda found: b"\\%02X" % found[0][0], marked)


# --- DER (X.690 8.1): tag, length, content


def _items(der: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at < len(der):
        start, end = _bounds(der, at)
        yield der[at], der[start:end]
        at = end


def _inside(der: bytes, tag: int) -> bytes:
    start, end = _bounds(der, 0)
    if der[0] != tag:
        raise ValueError("another tag")

    return der[start:end]


def _bounds(der: bytes, at: int) -> tuple[int, int]:
    length, start = der[at + 1], at + 2
    if length & 0x80:
        many = length & 0x7F
        length = int.from_bytes(der[start : start + many])
        start += many
    if start + length > len(der):
        raise ValueError("cut off")

    return start, start + length


def _header(tag: int, length: int) -> bytes:
    if length < 0x80:
        return bytes([tag, length])
    size = length.to_bytes((length.bit_length() + 7) // 8)

    return bytes([tag, 0x80 | len(size)]) + size
