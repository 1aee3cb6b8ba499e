# Keyed digests: machine-made secrets can be joined by them, and by nobody without the
# key be guessed at.
import hashlib
import hmac

__all__ = ["Keyring", "mark_of"]


class Keyring:
    """
    Keyed digests of secrets, so that their uses can be joined.

    Args:
        key: at least 32 random bytes.
    """

    def __init__(self, key: bytes) -> None:
        self._id = hashlib.sha256(b"audit_mw/1/id" + key).hexdigest()[:8]
        # One key, one purpose: what is digested here can never be confused with
        # what another part of the format may digest some day.
        own = hmac.digest(key, b"audit_mw/1/token", "sha256")
        self._mac = hmac.new(own, digestmod="sha256")
        memory = hmac.digest(key, b"audit_mw/1/memory", "sha256")
        # What secrets are known by in the memory of this process.
        self.marks = hashlib.blake2b(key=memory, digest_size=16)

    def digest(self, secret: bytes) -> str:
        """Return the key's id, a dot, and the digest, in hex."""
        mac = self._mac.copy()
        mac.update(secret)

        return f"{self._id}.{mac.hexdigest()[:32]}"

    def running(self) -> hmac.HMAC:
        """Return a digest to be fed piece by piece; `name` it when it is done."""
        return self._mac.copy()

    def name(self, mac: hmac.HMAC) -> str:
        """Return a running digest in the form of `digest`."""
        return f"{self._id}.{mac.hexdigest()[:32]}"


def mark_of(marks: hashlib.blake2b, secret: bytes) -> bytes:
    """Return what a secret is known by in memory."""
    mark = marks.copy()
    mark.update(secret)

    return mark.digest()
