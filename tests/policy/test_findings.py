# What each detector takes for evidence, and what for ordinary: decision tables.
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.strategies import few, params, raw

from audit_mw.event import JsonText, Param, Redacted, Spilled, Upload, Value
from audit_mw.policy.findings_coding import is_malformed_path, malformations
from audit_mw.policy.findings_mismatch import (
    OVERLAP,
    REPEAT,
    judge_repeats,
    plain_name,
)
from audit_mw.policy.findings_users import deceptions, names_person

# --- user names


@pytest.mark.parametrize(
    "user",
    [
        pytest.param(user, id=what)
        for what, user in {
            "Latin": "alice",
            "accents": "José Ångström-Żółć",
            "Estonian": "Õnne Jõgeva",
            "Vietnamese": "Nguyễn Thị Ánh",
            "accents apart": "Jose\u0301",
            "Turkish": "Işıl Şahin",
            "Greek": "Γιώργος Παπαδόπουλος",
            "Cyrillic": "Анна Петрова",
            "Ukrainian": "Зоряна Їжак",
            "Latin and Cyrillic, each a word": "Anna Петрова",
            "joined by a hyphen": "Smith-Петрова",
            "an address in Cyrillic": "иван@example.com",
            "Armenian": "Հովհաննես",
            "Georgian": "ნინო",
            "Hebrew": "דוד כהן",
            "Hebrew with a mark": "דוד\u200f (x)",
            "Hebrew with a mark behind a bracket": "דוד (x)\u200f",
            "Arabic": "محمد علي",
            "Persian with a joiner": "علی\u200cرضا",
            "Hindi with a joiner": "क्\u200dष",
            "Thai with zero width spaces": "สม\u200bชาย",
            "Chinese": "王小明",
            "Chinese, a variant": "葛\U000e0100城",
            "Japanese, four scripts": "山田タロウたろうTaro",
            "Japanese and Latin in a word": "Tシャツ",
            "Korean": "김철수",
            "Korean and Latin": "하나bank",
            "full width": "ａｌｉｃｅ",
            "emoji": "alice 🙂",
            "emoji of several": "👩🏽\u200d💻 team",
            "emoji with a heart": "❤\ufe0f\u200d🔥",
            "keycap": "1\ufe0f\u20e3",
            "flag of Scotland": "🏴\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f",
            "Greek that looks like nothing": "πthon",
            "Cyrillic that looks like nothing": "ЯNDEX",
            "pasted from a table": "alice\t",
            "an address": "alice+news@example.com",
            "micro": "µTorrent",
        }.items()
    ],
)
def test_ordinary_names(user: str) -> None:
    """A name in its own script, or in scripts that nobody mixes up, is a name."""
    assert list(deceptions(user.encode())) == []


@pytest.mark.parametrize(
    ("user", "expected"),
    [
        pytest.param(user, expected, id=what)
        for what, user, expected in [
            ("LF", b"alice\nadmin", ["control"]),
            ("LF at the end", b"alice\n", ["control"]),
            ("NUL", b"admin\0", ["control"]),
            ("BS", b"admin\b\b", ["control"]),
            ("ESC", b"\x1b[2Jadmin", ["control"]),
            ("DEL", b"admin\x7f", ["control"]),
            ("C1", "admin\x9b".encode(), ["control"]),
            ("line separator", "admin\u2028".encode(), ["control"]),
            ("control in another coding", b"\xfcser\x1b", ["control"]),
            ("override", "admin\u202e".encode(), ["bidi"]),
            ("isolate", "\u2066admin".encode(), ["bidi"]),
            ("zero width space", "ad\u200bmin".encode(), ["unseen"]),
            ("joiner", "ad\u200dmin".encode(), ["unseen"]),
            ("direction mark", "admin\u200e".encode(), ["unseen"]),
            ("soft hyphen", "ad\xadmin".encode(), ["unseen"]),
            ("byte order mark", "\ufeffadmin".encode(), ["unseen"]),
            ("word joiner", "ad\u2060min".encode(), ["unseen"]),
            ("filler", "admin\u3164".encode(), ["unseen"]),
            ("tags", "admin\U000e0041".encode(), ["unseen"]),
            ("selector", "admin\ufe0f".encode(), ["unseen"]),
            ("Cyrillic a", "\u0430dmin".encode(), ["look-alike"]),
            ("Greek o", "r\u03bfot".encode(), ["look-alike"]),
            ("Armenian o", "r\u0585ot".encode(), ["look-alike"]),
            ("bold", "\U0001d41admin".encode(), ["look-alike"]),
            ("in one of two words", "Anna \u0420etrova".encode(), ["look-alike"]),
            (
                "all of it",
                "\u0430\u200bdm\u202ein\0".encode(),
                ["control", "bidi", "unseen", "look-alike"],
            ),
        ]
    ],
)
def test_deceptive_names(user: bytes, expected: list[str]) -> None:
    """Each way to look like somebody else has its word."""
    assert expected == list(deceptions(user))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (b"user", True),
        (b"login[user]", True),
        (b"/account/username", True),
        (b"email", True),
        (b"name", True),
        (b"q", False),
        (b"filename", False),
        (b"product_name", False),
        (b"/product/name", False),
    ],
)
def test_names_person(name: bytes, *, expected: bool) -> None:
    """A param holds a user's name by its own name, unless that is a thing's."""
    assert expected == names_person(name)


# --- one name in two sources


def _judge(*params: tuple[str, bytes, Value]) -> tuple[list[str], list[bytes]]:
    made = [Param(*each) for each in params]
    names = [plain_name(param) for param in made]
    again = {name for name in names if name and names.count(name) > 1}
    judged = judge_repeats(made, again)

    return [param.source for param in judged.params], judged.notes


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        pytest.param(params, expected, id=what)
        for what, params, expected in [
            (
                "query and form",
                [("query", b"id", b"1"), ("form", b"id", b"2")],
                ["query", "form"],
            ),
            (
                "query and JSON",
                [("query", b"id", b"1"), ("json", b"/id", JsonText(b"2"))],
                ["query", "json"],
            ),
            (
                "form and cookie",
                [("form", b"user_id", b"1"), ("cookie", b"user_id", b"2")],
                ["form", "cookie"],
            ),
            (
                "form and file",
                [("form", b"f", b"a"), ("file", b"f", Upload(b"b", None, 1, None))],
                ["form", "file"],
            ),
            (
                "one value more",
                [("query", b"id", b"1"), ("form", b"id", b"1"), ("form", b"id", b"2")],
                ["query", "form"],
            ),
            (
                "long ones",
                [
                    ("query", b"id", Spilled(300, "aa")),
                    ("form", b"id", Spilled(300, "bb")),
                ],
                ["query", "form"],
            ),
            (
                "an escaped key of JSON",
                [("query", b"a/b", b"1"), ("json", b"/a~1b", b"2")],
                ["query", "json"],
            ),
        ]
    ],
)
def test_mismatch(params: list[tuple[str, bytes, Value]], expected: list[str]) -> None:
    """Different values in two sources are a finding, with one param of each."""
    assert (expected, []) == _judge(*params)


_SECRET = Redacted(6, "password")


@pytest.mark.parametrize(
    ("params", "note"),
    [
        pytest.param(params, note, id=what)
        for what, params, note in [
            ("checkboxes", [("form", b"t", b"1"), ("form", b"t", b"2")], REPEAT),
            ("equal", [("query", b"id", b"1"), ("form", b"id", b"1")], OVERLAP),
            (
                "equal, in another order",
                [
                    ("query", b"t", b"1"),
                    ("query", b"t", b"2"),
                    ("form", b"t", b"2"),
                    ("form", b"t", b"1"),
                ],
                OVERLAP,
            ),
            ("empty", [("query", b"q", b""), ("form", b"q", b"x")], OVERLAP),
            ("no value", [("query", b"q", None), ("form", b"q", b"x")], OVERLAP),
            (
                "JSON's null",
                [("query", b"q", b"x"), ("json", b"/q", JsonText(b"null"))],
                OVERLAP,
            ),
            (
                "JSON's number",
                [("query", b"q", b"5"), ("json", b"/q", JsonText(b"5"))],
                OVERLAP,
            ),
            ("secrets", [("query", b"pw", _SECRET), ("form", b"pw", b"x")], OVERLAP),
            ("made anew", [("query", b"_", b"1"), ("form", b"_", b"2")], OVERLAP),
            (
                "a choice",
                [("query", b"lang", b"de"), ("cookie", b"lang", b"et")],
                OVERLAP,
            ),
            (
                "Django's choice",
                [
                    ("form", b"site_language", b"de"),
                    ("cookie", b"site_language", b"et"),
                ],
                OVERLAP,
            ),
            (
                "a campaign",
                [("query", b"utm_id", b"1"), ("cookie", b"utm_id", b"2")],
                OVERLAP,
            ),
            (
                "a cookie in quotes and coding",
                [("form", b"u", b"a b"), ("cookie", b"u", b'"a%20b"')],
                OVERLAP,
            ),
        ]
    ],
)
def test_no_mismatch(params: list[tuple[str, bytes, Value]], note: bytes) -> None:
    """What ordinary clients send is noted, and no more."""
    assert ([], [note]) == _judge(*params)


@pytest.mark.parametrize(
    ("name", "value"), [(b"/a/id", b"2"), (b"", b"2"), (b"/", b"2")]
)
def test_json_below(name: bytes, value: bytes) -> None:
    """Only a member at the top of a document has a name that others have."""
    assert _judge(("query", b"id", b"1"), ("json", name, value)) == ([], [])


# --- coding


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        pytest.param(name, value, expected, id=what)
        for what, name, value, expected in [
            ("NUL", b"q", b"a\0b", ["NUL"]),
            ("NUL in a name", b"q\0", b"a", ["NUL"]),
            ("NUL in a name alone", b"q\0", None, ["NUL"]),
            ("overlong dot", b"q", b"..\xc0\xaf..", ["overlong UTF-8"]),
            ("overlong of three", b"q", b"\xe0\x80\xae", ["overlong UTF-8"]),
            ("a name in Latin-1", b"m\xfcller", b"1", ["name that is no UTF-8"]),
            ("what was searched for", b"m\xfcller", None, []),
            ("Latin-1", b"q", b"m\xfcller", []),
            ("windows-1251", b"q", "УКРАЇНА".encode("cp1251"), []),
            ("umlauts", "größe".encode(), "größer".encode(), []),
            ("percent", b"q", b"100%", []),
            ("percent and digits", b"q", b"%zz %41", []),
            ("half an emoji", b"q", b"\xed\xa0\xbd", []),
            ("two lines", b"note", b"a\r\nb", []),
            ("bytes that are none", b"q", b"\xff\xfe", []),
        ]
    ],
)
def test_coding(name: bytes, value: bytes | None, expected: list[str]) -> None:
    """What no ordinary client sends is malformed; the rest is another coding."""
    assert expected == list(malformations(Param("query", name, value)))


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (b"/a%00.png", True),
        (b"/..%c0%af..", True),
        (b"/%E0%80%AE", True),
        (b"/m%FCller", False),
        (b"/100%", False),
        (b"/a%2500", False),
        ("/gr\u00f6\u00dfe".encode(), False),
    ],
)
def test_path(path: bytes, *, expected: bool) -> None:
    """A path is malformed by a NUL, or by what hides a dot or slash."""
    assert expected == is_malformed_path(path)


# --- whatever is sent


@few
@given(raw | st.text().map(str.encode))
def test_any_name(user: bytes) -> None:
    """Any bytes get a few words at most, each once."""
    found = list(deceptions(user))

    assert len(found) == len(set(found)) <= 4


@few
@given(st.lists(params, max_size=20))
def test_any_params(made: list[Param]) -> None:
    """Any params are judged, and evidence is what stands there."""
    names = {name for param in made if (name := plain_name(param))}
    judged = judge_repeats(made, names)

    assert all(param in made for param in judged.params)
    assert judged.names <= len(names)
    assert all(len(set(malformations(param))) <= 3 for param in made)
