from collections.abc import Collection, Iterable, Sequence
from types import EllipsisType

class Names:
    def __init__(
        self,
        stems: Iterable[tuple[str, Iterable[str]]],
        own: int,
        exempt: Iterable[str],
        words: Iterable[Collection[str]],
        endings: Sequence[Iterable[str]],
        joined: Sequence[Iterable[str]],
        classes: Sequence[str],
    ) -> None: ...
    def look(self, name: bytes, /) -> str | EllipsisType | None: ...
