# The number of a cipher suite -> its name, as the IANA registry "TLS Cipher Suites"
# has it: what clients and servers of TLS 1.2 and 1.3 agree on (RFC 8446, 5246, 5288,
# 5289, 7905, 6655, 7251).
#
# Names alone are readable in a record (11.9); a number that is not here stays one.
import re

__all__ = ["name_cipher"]

_TLS13 = {
    0x1301: "TLS_AES_128_GCM_SHA256",
    0x1302: "TLS_AES_256_GCM_SHA384",
    0x1303: "TLS_CHACHA20_POLY1305_SHA256",
    0x1304: "TLS_AES_128_CCM_SHA256",
    0x1305: "TLS_AES_128_CCM_8_SHA256",
}

# The suites of one key exchange stand side by side, so a row is: exchange, then the
# number of each cipher.
_CIPHERS = (
    "AES_128_CBC_SHA AES_256_CBC_SHA AES_128_CBC_SHA256 AES_256_CBC_SHA256 "
    "AES_256_CBC_SHA384 AES_128_GCM_SHA256 AES_256_GCM_SHA384 AES_128_CCM AES_256_CCM "
    "CHACHA20_POLY1305_SHA256 3DES_EDE_CBC_SHA"
).split()
_TLS12 = {
    "RSA": "002F 0035 003C 003D - 009C 009D C09C C09D - 000A",
    "DHE_RSA": "0033 0039 0067 006B - 009E 009F C09E C09F CCAA 0016",
    "ECDHE_RSA": "C013 C014 C027 - C028 C02F C030 - - CCA8 C012",
    "ECDHE_ECDSA": "C009 C00A C023 - C024 C02B C02C C0AC C0AD CCA9 C008",
}

_NAMES = _TLS13 | {
    int(number, 16): f"TLS_{exchange}_WITH_{cipher}"
    for exchange, numbers in _TLS12.items()
    for cipher, number in zip(_CIPHERS, numbers.split(), strict=True)
    if number != "-"
}
_NUMBER = re.compile(rb"0[xX]([0-9A-Fa-f]{4})\Z")


def name_cipher(told: bytes) -> bytes:
    """Return the name of a suite that is told by its number, `0x1301`; all else is."""
    found = _NUMBER.match(told)

    return _NAMES.get(int(found[1], 16), "").encode() or told if found else told
