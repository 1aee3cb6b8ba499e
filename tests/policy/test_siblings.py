# What one pair says of another, and what stays where none says anything.
import pytest

from audit_mw.policy.names import OPAQUE, PASSWORD, TOKEN, Classifier
from audit_mw.policy.siblings import Siblings, class_in_link
from audit_mw.wire.head import Pair

SECRET_QUERY = b"query($p: String!){login(password: $p){id}}"


@pytest.mark.parametrize(
    ("pairs", "cls"),
    [
        pytest.param([(b"u", b"alice"), (b"p", b"x")], PASSWORD, id="behind a user"),
        pytest.param([(b"User", b"a"), (b"P", b"x")], PASSWORD, id="in capitals"),
        pytest.param([(b"u", b"alice"), (b"p", b"2")], None, id="a page"),
        pytest.param([(b"q", b"alice"), (b"p", b"x")], None, id="behind none"),
        pytest.param([(b"u", b""), (b"p", b"x")], None, id="behind an empty one"),
        pytest.param(
            [(b"query", SECRET_QUERY), (b"variables", b"{}")], OPAQUE, id="GraphQL"
        ),
        pytest.param(
            [(b"query", b"query($a: Int){b(c: $a){d}}"), (b"variables", b"{}")],
            None,
            id="GraphQL without a secret",
        ),
        pytest.param([(b"query", b"x"), (b"variables", b"a,b")], None, id="a search"),
    ],
)
def test_class(pairs: list[tuple[bytes, bytes]], cls: str | None) -> None:
    """The last pair has the class that those before it give it."""
    siblings = Siblings(Classifier())

    found = [siblings.class_of("query", Pair(name, value)) for name, value in pairs]

    assert found[-1] == cls
    assert found[:-1] == [None]


def test_sources_are_apart() -> None:
    """A user in the query says nothing of a form."""
    siblings = Siblings(Classifier())
    siblings.class_of("query", Pair(b"u", b"alice"))

    assert siblings.class_of("form", Pair(b"p", b"x")) is None


@pytest.mark.parametrize(
    ("value", "cls"),
    [
        pytest.param(b"0a1b2c3d4e5f6a7b", TOKEN, id="random"),
        pytest.param(b"550e8400-e29b-41d4-a716-446655440000", None, id="a UUID"),
        pytest.param(b"42", None, id="a number"),
        pytest.param(b"newsletter", None, id="a word"),
        pytest.param(None, None, id="none"),
    ],
)
def test_in_a_link(value: bytes | None, cls: str | None) -> None:
    """In a link that was mailed, what looks random is a token."""
    assert cls == class_in_link(value)
