# What passes over one websocket: counted and digested, never kept.
#
# The digest is keyed. A plain one of a short conversation could be guessed at, and the
# conversation may be a password.
from dataclasses import dataclass, field

from audit_mw.policy.keyring import Keyring

__all__ = ["Conversation"]


class _Messages:
    def __init__(self, keyring: Keyring) -> None:
        self._keyring = keyring
        self._mac = keyring.running()
        self.count = 0
        self._len = 0

    def add(self, message: bytes) -> None:
        # The length keeps "a", "bc" and "ab", "c" apart.
        self._mac.update(b"%d:" % len(message))
        self._mac.update(message)
        self.count += 1
        self._len += len(message)

    def details(self) -> dict[str, object]:
        digest = self._keyring.name(self._mac).encode()

        return {"count": self.count, "len": self._len, "hmac": digest}


@dataclass(slots=True)
class Conversation:
    """Both directions of a websocket, and how it was closed."""

    keyring: Keyring
    accepted: bool = False
    close_code: int | None = None
    _in: _Messages = field(init=False)
    _out: _Messages = field(init=False)

    def __post_init__(self) -> None:
        self._in = _Messages(self.keyring)
        self._out = _Messages(self.keyring)

    def message_in(self, message: bytes) -> None:
        """Take a message of the client."""
        self._in.add(message)

    def message_out(self, message: bytes) -> None:
        """Take a message of the application."""
        self._out.add(message)

    def details(self) -> dict[str, object]:
        """Return what there is to say, by key of `details`."""
        said: dict[str, object] = {}
        if self.close_code is not None:
            said["close_code"] = self.close_code
        if self._in.count:
            said["messages_in"] = self._in.details()
        if self._out.count:
            said["messages_out"] = self._out.details()

        return said
