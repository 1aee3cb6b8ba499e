import pytest

from audit_mw.wire.ciphers import name_cipher


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        (b"0x1301", b"TLS_AES_128_GCM_SHA256"),
        (b"0xc02f", b"TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"),
        (b"0xCCA9", b"TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256"),
        (b"0x0000", b"0x0000"),
        (b"0x13011", b"0x13011"),
        (b"ECDHE-RSA-AES128-GCM-SHA256", b"ECDHE-RSA-AES128-GCM-SHA256"),
        (b"", b""),
    ],
)
def test_name(told: bytes, expected: bytes) -> None:
    """A number that the registry names has that name; all else stays."""
    assert name_cipher(told) == expected
