# What can be reached from an object: all that a process keeps because of it.
import gc
import os
from types import FunctionType

__all__ = ["reachable", "texts_in"]


def reachable(root: object) -> list[object]:
    """Return each object that something leads to, and that itself."""
    seen: dict[int, object] = {}
    left = [root]
    while left:
        each = left.pop()
        if id(each) not in seen and not issubclass(type(each), (type, type(os))):
            seen[id(each)] = each
            # A function's globals lead to all that other tests ever made.
            left += (
                [each.__closure__, each.__defaults__, each.__dict__]
                if type(each) is FunctionType
                else gc.get_referents(each)
            )

    return list(seen.values())


def texts_in(*roots: object) -> bytes:
    """Return all text and all bytes that can be reached, a line each."""
    # By type: there are objects that raise when their class is asked for.
    found = reachable(list(roots))
    texts = [
        bytes(each) for each in found if type(each) is bytes or type(each) is bytearray
    ]
    words = [
        str(each).encode("utf-8", "replace") for each in found if type(each) is str
    ]

    return b"\n".join([*texts, *words])
