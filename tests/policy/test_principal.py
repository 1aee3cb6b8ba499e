# Who: what an application may put in the place of a user, and what of it is a name.
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.strategies import few

from audit_mw.policy.principal import principal_of


class User:
    """A user as frameworks have them; what is asked for decides."""

    def __init__(self, **attributes: object) -> None:
        self.__dict__.update(attributes)


class Hostile:
    """An object that does not like to be asked."""

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError(name)

    def __str__(self) -> str:
        raise RuntimeError

    def __bool__(self) -> bool:
        raise RuntimeError


class Lazy:
    """An object that asks a database what it is, as Django's lazy user does."""

    @property  # type: ignore[misc] # what such objects do
    def __class__(self) -> Any:
        raise ConnectionError


class Unsure(User):
    """A user that cannot say whether it is authenticated."""

    @property
    def is_authenticated(self) -> bool:
        raise ConnectionError


class Refusing(User):
    """Starlette's own users: an identity that is not implemented."""

    @property
    def identity(self) -> str:
        raise NotImplementedError


class Shouting(str):
    """A text that is no text when it is asked."""

    __slots__ = ()

    def __str__(self) -> str:
        raise RuntimeError


@pytest.mark.parametrize(
    ("user", "name"),
    [
        pytest.param(None, None, id="nobody"),
        pytest.param("", None, id="empty"),
        pytest.param("alice", "alice", id="a text"),
        pytest.param(b"alic\xe9", "alicé", id="bytes"),
        pytest.param(b"", None, id="no bytes"),
        pytest.param(42, "42", id="a number"),
        pytest.param(0, "0", id="the number of root"),
        pytest.param(True, None, id="true"),
        pytest.param(False, None, id="false"),
        pytest.param(User(username="alice"), None, id="does not say"),
        pytest.param(
            User(is_authenticated=False, username="alice"), None, id="not authenticated"
        ),
        pytest.param(
            User(is_authenticated=lambda: False, username="bob"),
            None,
            id="a method: no",
        ),
        pytest.param(
            User(is_authenticated=lambda: True, username="bob"),
            "bob",
            id="a method: yes",
        ),
        pytest.param(Unsure(username="mallory"), None, id="raises when asked"),
        pytest.param(
            User(is_authenticated=True, username="alice"), "alice", id="Django's"
        ),
        pytest.param(
            User(is_authenticated=True, identity="a", username="b"), "a", id="identity"
        ),
        pytest.param(
            Refusing(is_authenticated=True, display_name="alice"),
            "alice",
            id="Starlette's",
        ),
        pytest.param(User(is_authenticated=True, id=42), "42", id="only an id"),
        pytest.param(
            User(is_authenticated=True, username="", id=7), "7", id="an empty name"
        ),
        pytest.param(
            User(is_authenticated=True, username=["alice"]), None, id="no text"
        ),
        pytest.param(User(is_authenticated=True), None, id="no name at all"),
        pytest.param(Hostile(), None, id="raises"),
        pytest.param(Lazy(), None, id="raises for its class"),
        pytest.param(Shouting("x"), None, id="raises for its text"),
        pytest.param(10**5000, None, id="a number beyond what is shown"),
        pytest.param({"username": "alice"}, None, id="a mapping"),
    ],
)
def test_principal(user: object, name: str | None) -> None:
    """A name is taken from what vouches for one, and nothing that it does gets out."""
    assert name == principal_of(user)


@few
@given(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(),
        st.binary(max_size=8),
        st.text(st.characters(exclude_categories=()), max_size=8),
        st.lists(st.integers(), max_size=2),
    )
)
def test_never_raises(user: object) -> None:
    """The answer is a text that is not empty, or none."""
    name = principal_of(user)

    assert name is None or (isinstance(name, str) and name)
