# Who: the identity that the application vouched for, or nobody.
from dataclasses import dataclass
from typing import Any

import pytest
from starlette.authentication import SimpleUser, UnauthenticatedUser

from audit_mw.policy.principal import principal_of


@dataclass
class User:
    """A user object with some of the attributes that frameworks give theirs."""

    is_authenticated: bool = True
    identity: object = None
    username: object = None
    id: object = None


class Hostile:
    """Raises whatever it is asked."""

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError(name)


@pytest.mark.parametrize(
    ("user", "expected"),
    [
        pytest.param(None, None, id="nobody"),
        pytest.param("", None, id="an empty name"),
        pytest.param("alice", "alice", id="a name"),
        pytest.param(b"ali\xe9", "ali\u00e9", id="bytes"),
        pytest.param(42, "42", id="a number"),
        pytest.param(True, None, id="a truth value"),
        pytest.param(SimpleUser("alice"), "alice", id="Starlette's"),
        pytest.param(UnauthenticatedUser(), None, id="Starlette's nobody"),
        pytest.param(User(username="alice"), "alice", id="Django's"),
        pytest.param(User(identity="a", username="b"), "a", id="identity first"),
        pytest.param(User(id=7), "7", id="only an id"),
        pytest.param(User(is_authenticated=False, username="x"), None, id="not in"),
        pytest.param(User(), None, id="no name"),
        pytest.param(Hostile(), None, id="one that raises"),
        pytest.param(object(), None, id="anything"),
    ],
)
def test_principal(user: object, expected: str | None) -> None:
    """A text, or an object that says it is authenticated, has a name; else nobody."""
    assert principal_of(user) == expected
