# Texts that were looked at and hold no secret: most come again with the next request.
from audit_mw.event import Text

__all__ = ["Clean"]


class Clean:
    """Texts that were looked at and hold no secret: most come again and again."""

    def __init__(self) -> None:
        self.texts: set[bytes] = set()

    def add(self, text: bytes) -> None:
        """Take a text that holds none."""
        if len(text) <= _CLEAN_BYTES:
            if len(self.texts) >= _CLEAN_TEXTS:
                self.texts.clear()
            self.texts.add(text)

    def note(self, text: bytes, shown: Text) -> Text:
        """Return `shown`; if nothing of `text` is withheld in it, remember that."""
        if shown is text:
            self.add(text)

        return shown


_CLEAN_BYTES = 512
_CLEAN_TEXTS = 4096
