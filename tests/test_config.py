import base64
from dataclasses import FrozenInstanceError, fields
from pathlib import Path

import pytest

from audit_mw.config import Config, option_rows
from audit_mw.errors import AuditError, ConfigError
from audit_mw.option_readers import DETECTORS, Threshold

KEY = bytes(range(40))
KEY_TEXT = base64.b64encode(KEY).decode()


def in_file(path: Path, text: str) -> dict[str, str]:
    """Return the environment that names a TOML file with this table."""
    path = path / "audit.toml"
    path.write_text(f"[tool.audit_mw]\n{text}\n", encoding="utf-8")

    return {"AUDIT_MW_CONFIG": str(path)}


# (option, as keyword, in the environment, in TOML, what is read)
OPTIONS = [
    ("interface", "asgi", "asgi", '"asgi"', "asgi"),
    ("trail", "/var/trail", " /var/trail ", '"/var/trail"', "/var/trail"),
    ("service", "bank", "bank", '"bank"', "bank"),
    ("version", "2026.11", "2026.11", '"2026.11"', "2026.11"),
    ("responsible", "j.doe", "j.doe", '"j.doe"', "j.doe"),
    (
        "trusted_proxies",
        ["10.0.0.0/8", "::1", "unix"],
        "10.0.0.0/8, ::1,unix",
        '["10.0.0.0/8", "::1", "unix"]',
        ("10.0.0.0/8", "::1/128", "unix"),
    ),
    ("forwarded_by", "Forwarded", "FORWARDED", '"forwarded"', "forwarded"),
    (
        "tls_fields",
        {"tls_version": "X-TLS", "client_cert": "x-cert"},
        "tls_version=X-TLS, client_cert=x-cert",
        '{ tls_version = "X-TLS", client_cert = "x-cert" }',
        (("tls_version", "x-tls"), ("client_cert", "x-cert")),
    ),
    ("session_cookie", "SID", "SID", '"SID"', "SID"),
    ("key", KEY, KEY_TEXT, f'"{KEY_TEXT}"', KEY),
    ("key_file", "/run/key", "/run/key", '"/run/key"', "/run/key"),
    (
        "secret_names",
        ["PIN", "tan", "PIN"],
        "PIN,tan,",
        '["PIN", "tan"]',
        ("pin", "tan"),
    ),
    (
        "secret_patterns",
        ["a{1,2}", "b c"],
        "a{1,2} [b]",
        '["a{1,2}"]',
        None,
    ),
    ("not_secret", ("Author",), "Author", '["author"]', ("author",)),
    ("opaque_types", {"A/B"}, "a/b", '["a/b"]', ("a/b",)),
    ("record_fields", ["X-A", "x-b"], "x-a,x-b", '["x-a", "x-b"]', ("x-a", "x-b")),
    (
        "types",
        ["loan_granted", "loan_denied"],
        "loan_granted,loan_denied",
        '["loan_granted", "loan_denied"]',
        ("loan_granted", "loan_denied"),
    ),
    (
        "detectors",
        ["excess_input", "param_mismatch"],
        "param_mismatch,excess_input",
        '["param_mismatch", "excess_input"]',
        ("param_mismatch", "excess_input"),
    ),
    ("debug", True, "true", "true", True),
    ("on_failure", "serve", "serve", '"serve"', "serve"),
    (
        "serve_unlogged",
        ["/health", "/ready"],
        "/health,/ready",
        '["/health", "/ready"]',
        ("/health", "/ready"),
    ),
    ("on_vanished", "refuse", "refuse", '"refuse"', "refuse"),
    ("durability", "disk", "disk", '"disk"', "disk"),
    ("rotate", "hour", "hour", '"hour"', "hour"),
    ("spill_over", 1024, "1KiB", "1024", 1024),
    ("max_body", 2 << 20, "2MiB", '"2 mib"', 2 << 20),
    ("max_spill", "1GiB", "1073741824", '"1gib"', 1 << 30),
    ("max_params", 1, "1", "1", 1),
    ("max_record", 32768, "32768B", '"32KiB"', 32768),
    ("max_slots", 64, "64", "64", 64),
    ("journal_dir", "/dev/shm/x", "/dev/shm/x", '"/dev/shm/x"', "/dev/shm/x"),
    (
        "min_free",
        ("20%", "1MiB", 4096),
        "20%,1MiB,4096",
        '["20%", "1MiB", 4096]',
        (Threshold(percent=20), Threshold(size=1 << 20), Threshold(size=4096)),
    ),
    ("event_header", "X-Event", "x-event", '"x-event"', "x-event"),
    ("compiled", "off", "off", '"off"', "off"),
]
each_option = pytest.mark.parametrize(
    ("name", "keyword", "variable", "toml", "expected"),
    [pytest.param(*row, id=row[0]) for row in OPTIONS if row[-1] is not None],
)


def test_every_option_is_tested() -> None:
    """
    The table above has each option once.
    """
    assert [option.name for option in fields(Config)] == [row[0] for row in OPTIONS]


def test_defaults() -> None:
    """
    Without any option given each has its default.
    """
    config = Config.load({}, {})

    assert Config() == config
    assert (
        config.interface,
        config.trail,
        config.service,
        config.forwarded_by,
        config.spill_over,
    ) == ("auto", "audit-trail", None, "x-forwarded-for", 256)


def test_frozen() -> None:
    """
    Nobody changes an option after the start.
    """
    with pytest.raises(FrozenInstanceError):
        Config().trail = "elsewhere"  # type: ignore[misc]


# --- three sources


@each_option
def test_keyword(
    name: str, keyword: object, variable: str, toml: str, expected: object
) -> None:
    """
    Each option is a keyword.
    """
    assert variable
    assert toml
    assert expected == getattr(Config.load({name: keyword}, {}), name)


@each_option
def test_variable(
    name: str, keyword: object, variable: str, toml: str, expected: object
) -> None:
    """
    Each option is a variable of the environment.
    """
    assert keyword is not None
    assert toml
    environ = {f"AUDIT_MW_{name.upper()}": variable}

    assert expected == getattr(Config.load({}, environ), name)


@each_option
def test_file(
    *,
    tmp_path: Path,
    name: str,
    keyword: object,
    variable: str,
    toml: str,
    expected: object,
) -> None:
    """
    Each option is a key of the TOML file.
    """
    assert keyword is not None
    assert variable
    environ = in_file(tmp_path, f"{name} = {toml}")

    assert expected == getattr(Config.load({}, environ), name)


@pytest.mark.parametrize(
    ("keyword", "variable", "toml", "expected"),
    [
        pytest.param(None, None, None, "audit-trail", id="none"),
        pytest.param(None, None, "file", "file", id="file"),
        pytest.param(None, "variable", None, "variable", id="variable"),
        pytest.param(None, "variable", "file", "variable", id="variable over file"),
        pytest.param("keyword", None, "file", "keyword", id="keyword over file"),
        pytest.param(
            "keyword", "variable", None, "keyword", id="keyword over variable"
        ),
        pytest.param("keyword", "variable", "file", "keyword", id="keyword over all"),
    ],
)
def test_precedence(
    *, tmp_path: Path, keyword: str | None, variable: str | None, toml: str | None,
    expected: str,
) -> None:  # fmt: skip
    """
    The keyword wins, then the environment, then the file.
    """
    environ = in_file(tmp_path, "" if toml is None else f'trail = "{toml}"')
    if variable is not None:
        environ["AUDIT_MW_TRAIL"] = variable

    assert expected == Config.load({"trail": keyword}, environ).trail


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        pytest.param("all", DETECTORS, id="all"),
        pytest.param("none", (), id="none"),
        pytest.param([], (), id="nothing"),
        pytest.param("-param_mismatch", DETECTORS[1:], id="all but one"),
        pytest.param(["-" + name for name in DETECTORS], (), id="all but all"),
    ],
)
def test_detectors(given: object, expected: tuple[str, ...]) -> None:
    """
    What is looked for: all, none, some, or all but some.
    """
    assert expected == Config.load({"detectors": given}, {}).detectors


def test_one_option_from_each_source(tmp_path: Path) -> None:
    """
    The sources are merged, option by option.
    """
    environ = in_file(tmp_path, 'service = "file"\nrotate = "hour"')
    config = Config.load({"trail": "t"}, {**environ, "AUDIT_MW_SERVICE": "variable"})

    assert (config.trail, config.service, config.rotate) == ("t", "variable", "hour")


def test_the_process_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    The environment is the process's own, if no other is given.
    """
    monkeypatch.setenv("AUDIT_MW_SERVICE", "mine")

    assert Config.load().service == "mine"


def test_other_variables() -> None:
    """
    Variables of others, and the name of the application, are no options.
    """
    environ = {"AUDIT_MW_APP": "module:app", "PATH": "/bin", "XAUDIT_MW_A": "1"}

    assert Config() == Config.load({}, environ)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("a{1,2} [b]", ("a{1,2}", "[b]"), id="text, parted by spaces"),
        pytest.param(["a{1,2}", "b c"], ("a{1,2}", "b c"), id="list"),
        pytest.param("", (), id="empty"),
        pytest.param(["é"], ("é",), id="beyond ASCII"),
    ],
)
def test_patterns(text: object, expected: tuple[str, ...]) -> None:
    """
    A comma can stand in a pattern, so spaces part them.
    """
    assert expected == Config.load({"secret_patterns": text}, {}).secret_patterns


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        pytest.param("192.0.2.1", "192.0.2.1/32", id="IPv4 address"),
        pytest.param("10.0.0.0/255.0.0.0", "10.0.0.0/8", id="mask"),
        pytest.param("2001:DB8::/32", "2001:db8::/32", id="IPv6"),
        pytest.param("::ffff:10.0.0.1", "10.0.0.1/32", id="IPv4-mapped address"),
        pytest.param("::ffff:10.0.0.0/104", "10.0.0.0/8", id="IPv4-mapped network"),
        pytest.param("::/0", "::/0", id="all of IPv6"),
        pytest.param("unix", "unix", id="unix"),
    ],
)
def test_networks(given: str, expected: str) -> None:
    """
    An address is a network of one, and an IPv4-mapped one is folded as peers are.
    """
    assert (expected,) == Config.load({"trusted_proxies": [given]}, {}).trusted_proxies


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        pytest.param("", (), id="empty text"),
        pytest.param([], (), id="empty list"),
        pytest.param(["a", "", "b"], ("a", "b"), id="empty item"),
        pytest.param("a,,b,", ("a", "b"), id="empty pieces"),
        pytest.param("a,b,a", ("a", "b"), id="repeated"),
    ],
)
def test_lists(given: object, expected: tuple[str, ...]) -> None:
    """
    Empty items of a list, and repeated ones, are left out.
    """
    assert expected == Config.load({"secret_names": given}, {}).secret_names


# --- what is wrong


@pytest.mark.parametrize(
    ("name", "value", "right"),
    [
        pytest.param("interface", "ASGI", "give one of auto, asgi, wsgi", id="word"),
        pytest.param("interface", 3, "give one of auto", id="number as word"),
        pytest.param("rotate", "week", "give one of day, hour", id="another word"),
        pytest.param("trail", "", "a text that is not empty", id="empty"),
        pytest.param("trail", " ", "a text that is not empty", id="space"),
        pytest.param("service", 3, "a text that is not empty", id="number as text"),
        pytest.param(
            "trusted_proxies", "10.0.0.1/8", "host bits set; give", id="host bits"
        ),
        pytest.param("trusted_proxies", "proxy", "networks such as", id="host name"),
        pytest.param("trusted_proxies", "10.0.0.0/33", "networks such as", id="mask"),
        pytest.param("trusted_proxies", [" "], "not empty", id="space in a list"),
        pytest.param(
            "trusted_proxies", 10, "give a list of texts", id="number as list"
        ),
        pytest.param("trusted_proxies", b"::1", "give a list of texts", id="bytes"),
        pytest.param("trusted_proxies", {"a": 1}, "give a list of texts", id="mapping"),
        pytest.param("trusted_proxies", [1], "not empty", id="number in a list"),
        pytest.param(
            "forwarded_by", "x forwarded", "the name of a header", id="space in"
        ),
        pytest.param("forwarded_by", "x-a:", "the name of a header", id="colon"),
        pytest.param("forwarded_by", "é", "the name of a header", id="beyond ASCII"),
        pytest.param(
            "record_fields", "x-a,x b", "the name of a header", id="header list"
        ),
        pytest.param("event_header", "x\r\ny", "the name of a header", id="line break"),
        pytest.param("session_cookie", "a;b", "the name of a cookie", id="cookie"),
        pytest.param(
            "tls_fields", "cipher=x", "tls_version, tls_cipher", id="TLS name"
        ),
        pytest.param("tls_fields", ["a"], "tls_version, tls_cipher", id="TLS list"),
        pytest.param("tls_fields", "tls_version", "not empty", id="TLS without header"),
        pytest.param("tls_fields", {"tls_version": 1}, "not empty", id="TLS number"),
        pytest.param("tls_fields", {1: "x"}, "header names for", id="TLS key"),
        pytest.param("types", "Loan granted", "such as loan_granted", id="type"),
        pytest.param("detectors", "all,forgery", "some of param_", id="detector"),
        pytest.param(
            "detectors", "-excess_input,param_mismatch", "omit with a -", id="signs"
        ),
        pytest.param("debug", "yes", "give true or false", id="switch"),
        pytest.param("secret_patterns", "a(", "no regular expression", id="pattern"),
        pytest.param(
            "secret_patterns", ["a{9999999999999}"], "no regular", id="repeat"
        ),
        pytest.param(
            "secret_patterns", "(" * 9999 + ")" * 9999, "no regular", id="deep"
        ),
        pytest.param(
            "secret_patterns", 1, "give a list of texts", id="number as pattern"
        ),
        pytest.param("spill_over", "x", "a size such as 64KiB", id="no number"),
        pytest.param("spill_over", "", "a size such as 64KiB", id="empty number"),
        pytest.param("spill_over", "1KB", "a size such as 64KiB", id="another unit"),
        pytest.param("spill_over", 256.0, "a size such as 64KiB", id="float"),
        pytest.param("spill_over", "1.5KiB", "a size such as 64KiB", id="fraction"),
        pytest.param("spill_over", True, "a size such as 64KiB", id="boolean"),
        pytest.param("spill_over", -1, "a size such as 64KiB", id="negative"),
        pytest.param("spill_over", "9" * 9999, "a size such as 64KiB", id="endless"),
        pytest.param(
            "spill_over",
            "\uff12\uff15\uff16",
            "a size such as 64KiB",
            id="other digits",
        ),
        pytest.param("spill_over", 63, "give 64 to 4096", id="too small"),
        pytest.param("spill_over", 4097, "give 64 to 4096", id="too large"),
        pytest.param("max_body", 1023, "give 1024 to 1073741824", id="body"),
        pytest.param("max_spill", "2GiB", "give 0 to 1073741824", id="spill"),
        pytest.param("max_params", 0, "give 1 to 1000000", id="params"),
        pytest.param("max_record", "16KiB", "give 32768 to 1048576", id="record"),
    ],
)
def test_wrong_value(name: str, value: object, right: str) -> None:
    """
    A wrong value is an error that names option, source, value and what would be right.
    """
    with pytest.raises(ConfigError) as caught:
        Config.load({name: value}, {})

    error = caught.value
    assert isinstance(error, AuditError)
    assert (name, value, "keyword of AuditMiddleware") == (
        error.option,
        error.value,
        error.where,
    )
    assert right in error.right
    assert str(error) == (
        f"option {name!r} (keyword of AuditMiddleware) is {value!r}: {error.right}"
    )


def test_wrong_variable() -> None:
    """
    A wrong value in the environment names the variable.
    """
    with pytest.raises(ConfigError) as caught:
        Config.load({}, {"AUDIT_MW_MAX_BODY": "big"})

    assert str(caught.value) == (
        "option 'max_body' (variable AUDIT_MW_MAX_BODY) is 'big': "
        "give a whole number, or a size such as 64KiB or 1MiB"
    )


def test_wrong_in_the_file(tmp_path: Path) -> None:
    """
    A wrong value in the file names the file.
    """
    environ = in_file(tmp_path, "max_body = 1")
    with pytest.raises(ConfigError) as caught:
        Config.load({}, environ)

    assert caught.value.where == f"[tool.audit_mw] in {environ['AUDIT_MW_CONFIG']}"
    assert (caught.value.option, caught.value.value) == ("max_body", 1)


def test_wrong_but_overruled(tmp_path: Path) -> None:
    """
    A value that another source overrules is not read.
    """
    environ = {**in_file(tmp_path, "max_body = 1"), "AUDIT_MW_MAX_BODY": "2KiB"}

    assert Config.load({}, environ).max_body == 2048


@pytest.mark.parametrize(
    ("name", "right"),
    [
        pytest.param("trial", "there is no such option; trail?", id="near"),
        pytest.param("trusted_proxy", "; trusted_proxies?", id="singular"),
        pytest.param("Trail", "; trail?", id="case"),
        pytest.param("zzzzzz", "there is no such option", id="far"),
        pytest.param("", "there is no such option", id="empty"),
    ],
)
def test_unknown_option(name: str, right: str) -> None:
    """
    An unknown name is an error, and the nearest option is suggested.
    """
    with pytest.raises(ConfigError) as caught:
        Config.load({name: "x"}, {})

    assert caught.value.option == name
    assert caught.value.right.endswith(right)


@pytest.mark.parametrize("name", ["AUDIT_MW_TRIAL", "AUDIT_MW_trial"])
def test_unknown_variable(name: str) -> None:
    """
    An unknown variable with our prefix is an error that names the variable.
    """
    with pytest.raises(ConfigError, match=r"\(variable AUDIT_MW_TRIAL\).*; trail\?"):
        Config.load({}, {name: "x"})


def test_unknown_in_the_file(tmp_path: Path) -> None:
    """
    An unknown key in the file is an error that names the file.
    """
    with pytest.raises(ConfigError, match=r"in .*audit\.toml\).*; trail\?"):
        Config.load({}, in_file(tmp_path, 'trial = "x"'))


@pytest.mark.parametrize(
    ("content", "right"),
    [
        pytest.param(None, "that can be read", id="missing"),
        pytest.param(b"[", "a table [tool.audit_mw]", id="no TOML"),
        pytest.param(b"\xff", "a table [tool.audit_mw]", id="no UTF-8"),
        pytest.param(b"", "a table [tool.audit_mw]", id="empty"),
        pytest.param(b"[tool]", "a table [tool.audit_mw]", id="no table of ours"),
        pytest.param(b"tool = 1", "a table [tool.audit_mw]", id="no table at all"),
        pytest.param(
            b"[tool]\naudit_mw = 1", "make tool.audit_mw a table", id="number"
        ),
        pytest.param(b"a = " + b"[" * 9999, "a table [tool.audit_mw]", id="deep"),
    ],
)
def test_wrong_file(tmp_path: Path, content: bytes | None, right: str) -> None:
    """
    A file that is no such file is an error that names the variable and the file.
    """
    path = tmp_path / "audit.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        Config.load({}, {"AUDIT_MW_CONFIG": str(path)})

    assert right in caught.value.right
    assert (str(path), "variable AUDIT_MW_CONFIG") == (
        caught.value.value,
        caught.value.where,
    )


def test_directory_as_file(tmp_path: Path) -> None:
    """
    A directory is no file.
    """
    with pytest.raises(ConfigError, match="that can be read"):
        Config.load({}, {"AUDIT_MW_CONFIG": str(tmp_path)})


# --- the key


@pytest.mark.parametrize(
    "key",
    [
        pytest.param("too-short", id="no base64"),
        pytest.param(KEY_TEXT + "=", id="padding"),
        pytest.param(KEY_TEXT[:-4] + "é===", id="beyond ASCII"),
        pytest.param(base64.b64encode(KEY[:31]).decode(), id="too short"),
        pytest.param(KEY[:31], id="bytes, too short"),
        pytest.param(bytearray(KEY), id="bytearray"),
        pytest.param(12345678901234567890, id="number"),
        pytest.param([KEY_TEXT], id="list"),
    ],
)
def test_wrong_key(key: object) -> None:
    """
    A key that is nearly right is still a secret, and in no message.
    """
    with pytest.raises(ConfigError, match="base64") as caught:
        Config.load({"key": key}, {})

    said = f"{caught.value} {caught.value!r} {vars(caught.value)}"
    assert str(key) not in said
    assert repr(key) not in said
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("name", ["keys", "Key", "secret_key", "hmac_key", "zzz"])
def test_key_under_a_wrong_name(name: str) -> None:
    """
    Nobody knows what an unknown option holds, so its value is in no message.
    """
    for keywords, environ in (
        ({name: KEY_TEXT}, {}),
        ({}, {f"AUDIT_MW_X{name.upper()}": KEY_TEXT}),
    ):
        with pytest.raises(ConfigError) as caught:
            Config.load(keywords, environ)

        assert KEY_TEXT not in f"{caught.value} {caught.value!r} {vars(caught.value)}"


def test_key_in_the_file(tmp_path: Path) -> None:
    """
    No more is a key said that stands in a file with a mistake.
    """
    for text in (
        f'key = "{KEY_TEXT[:-5]}"',
        f'key = "{KEY_TEXT}',
        f'kee = "{KEY_TEXT}"',
    ):
        with pytest.raises(ConfigError) as caught:
            Config.load({}, in_file(tmp_path, text))

        assert (
            KEY_TEXT[:-5] not in f"{caught.value!r} {caught.value} {vars(caught.value)}"
        )


def test_repr_without_key() -> None:
    """
    The options are shown without the key.
    """
    config = Config.load({"key": KEY, "trail": "here"}, {})

    assert "here" in repr(config)
    assert "key=" not in repr(config)
    assert repr(KEY)[2:-1] not in repr(config)


# --- documentation


def test_rows() -> None:
    """
    Each option has a row for the documentation, with its default as one writes it.
    """
    rows = {name: (default, meaning) for name, default, meaning in option_rows()}

    assert [option.name for option in fields(Config)] == list(rows)
    assert all(meaning for _, meaning in rows.values())
    assert {"auto", "none", "256", "1000", "64KiB", "1MiB", "4MiB"} <= {
        default for default, _ in rows.values()
    }
