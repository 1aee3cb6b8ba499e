from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.driving import any_size, cpu_bound
from tests.strategies import few, fragments

from audit_mw.wire.head import field_values, parse_media_type, split_list

LINES = fragments(b'"', b"\\", b",", b";", b"=", b" ", b"\t", b"a", b"boundary=", b"/")


def test_field_values_in_order() -> None:
    """
    All lines of one name are given, in the order in which they came.
    """
    fields = [(b"a", b"1"), (b"b", b"2"), (b"a", b""), (b"aa", b"3")]

    assert field_values(fields, b"a") == [b"1", b""]


@pytest.mark.parametrize(
    ("line", "name", "parameters"),
    [
        pytest.param(b"", b"", {}, id="empty"),
        pytest.param(b"text/plain", b"text/plain", {}, id="no parameter"),
        pytest.param(b" Text/HTML\t", b"text/html", {}, id="case and space"),
        pytest.param(b"a/b;c=d", b"a/b", {b"c": b"d"}, id="token"),
        pytest.param(b"a/b ; \t C=D", b"a/b", {b"c": b"D"}, id="case of a name only"),
        pytest.param(b'a/b; c="d;e"', b"a/b", {b"c": b"d;e"}, id="quoted semicolon"),
        pytest.param(b'a/b; c="\\"\\d"', b"a/b", {b"c": b'"d'}, id="quoted pairs"),
        pytest.param(b'a/b; c=""', b"a/b", {b"c": b""}, id="quoted, empty"),
        pytest.param(b"a/b; c=1; c=2", b"a/b", {b"c": b"1"}, id="first of two"),
        pytest.param(b"a/b; c; d=1", b"a/b", {b"d": b"1"}, id="no equals sign"),
        pytest.param(b'a/b; c="d', b"a/b", {b"c": b""}, id="quote not closed"),
        pytest.param(
            b'a/b; x=";boundary=no"; boundary=yes',
            b"a/b",
            {b"x": b";boundary=no", b"boundary": b"yes"},
            id="a parameter inside of quotes is none",
        ),
        pytest.param(b"\xff/b; c=\xff", b"\xff/b", {b"c": b"\xff"}, id="high bytes"),
    ],
)
def test_media_type(line: bytes, name: bytes, parameters: dict[bytes, bytes]) -> None:
    """
    A Content-Type line gives its type in lower case and its parameters unquoted.
    """
    assert (name, parameters) == parse_media_type(line)


@few
@given(LINES)
def test_media_type_is_bounded(line: bytes) -> None:
    """
    No line is an error, and what comes out is never more than what went in.
    """
    name, parameters = parse_media_type(line)

    assert len(name) + sum(
        len(key) + len(parameters[key]) for key in parameters
    ) <= len(line)


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        pytest.param([], [], id="no line"),
        pytest.param([b""], [], id="empty line"),
        pytest.param([b"a, b,c"], [b"a", b"b", b"c"], id="spaces"),
        pytest.param([b"a", b"b"], [b"a", b"b"], id="two lines"),
        pytest.param([b",a,,\t,b,"], [b"a", b"b"], id="empty elements"),
        pytest.param([b'a="b,c",d'], [b'a="b,c"', b"d"], id="quoted comma"),
        pytest.param([b'"\\",",a'], [b'"\\","', b"a"], id="quoted quote"),
        pytest.param([b'a="b,c'], [b'a="b,c'], id="quote not closed"),
        pytest.param([b'a="b,c\\'], [b'a="b,c\\'], id="not closed, ends in backslash"),
        pytest.param([b'a="', b"b"], [b'a="', b"b"], id="a quote ends with its line"),
        pytest.param([b"a\\,b"], [b"a\\", b"b"], id="backslash outside of quotes"),
        pytest.param([b'a="b\n'], [b'a="b'.rstrip() + b"\n"], id="line feed"),
    ],
)
def test_list(lines: list[bytes], expected: list[bytes]) -> None:
    """
    The elements of a list field are split at commas that are not quoted.
    """
    assert expected == list(split_list(lines))


@few
@given(st.lists(LINES, max_size=3))
def test_list_loses_only_separators(lines: list[bytes]) -> None:
    """
    What the elements leave out of their lines is commas and white space.
    """
    kept = b"".join(split_list(lines)).translate(None, b", \t")

    assert b"".join(lines).translate(None, b", \t") == kept


@few
@given(LINES)
def test_list_again(line: bytes) -> None:
    """
    Elements put together again with commas are split into the same elements.
    """
    elements = list(split_list([line]))

    assert elements == list(split_list([b",".join(elements)]))


@any_size
@pytest.mark.parametrize("read", [parse_media_type, lambda line: [*split_list([line])]])
@pytest.mark.parametrize(
    "hostile",
    [b'"', b"\\", b'\\"', b";", b"=", b",", b";a=", b';a="', b' "\\', b"a;", b"\t"],
)
def test_hostile_lines(
    *, read: Callable[[bytes], object], hostile: bytes, size: int
) -> None:
    """
    Any amount of what a grammar could stumble over cost what they weigh.
    """
    line = hostile * (size // 5 // len(hostile))

    with cpu_bound(60):
        for start in (b"", b"a/b;", b'"', b'a/b;c="'):
            for end in (b"", b"\\", b'"'):
                read(start + line + end)
