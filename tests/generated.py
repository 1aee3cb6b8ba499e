# The parts of the documentation that are drawn from the code.
#
# A block stands between `<!-- NAME: begin -->` and `<!-- NAME: end -->` in any Markdown
# file of the project. `python -m tests.generated --check` fails where the code says
# something else than the file; `--write` brings the file up to date.
import hashlib
import logging
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.compat.servers.facts import COLUMNS as SERVER_COLUMNS
from tests.compat.servers.facts import rows as server_rows

from audit_mw.config import Config, option_rows
from audit_mw.event import (
    Event,
    Hole,
    JsonText,
    Opaque,
    Param,
    Redacted,
    Rest,
    Spill,
    Spilled,
    Unread,
    Upload,
)
from audit_mw.event_types import type_rows
from audit_mw.integrations.log_records import details_of, outcome_of
from audit_mw.reading.markdown import markdown
from audit_mw.rules import Rules
from audit_mw.statements import Facts, Statement, compose
from audit_mw.trail.params import encode_details, encode_param
from audit_mw.trail.record import (
    COLUMNS,
    DETAILS,
    VALUE_COLUMNS,
    draft_event,
    encode_value_line,
    finish_line,
    header_line,
)

ROOT = Path(__file__).parent.parent
SHA256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
TEST_SHA256 = hashlib.sha256(b"test").hexdigest()
HMAC = "1c2d3e4f.66b80c3dddc06bfe62325dfdfc092e60"
TIME = 1_795_238_767_123_456
EVENT_ID = "019aa4f2-35c3-7a1b-8c4d-5e6f70819203"
INSTANCE = "web1:4711:1eeb7084"


def _table(header: tuple[str, ...], rows: Iterator[tuple[str, ...]]) -> str:
    lines = [header, tuple("---" for _ in header), *rows]

    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def columns() -> str:
    """Draw the columns of a record."""
    rows = (
        (str(place), f"`{column.name}`", column.meaning, column.word_of)
        for place, column in enumerate(COLUMNS, 1)
    )

    return _table(("#", "column", "what", "whose word"), rows)


def value_columns() -> str:
    """Draw the columns of the values stream."""
    rows = (
        (str(place), f"`{column.name}`", column.meaning)
        for place, column in enumerate(VALUE_COLUMNS, 1)
    )

    return _table(("#", "column", "what"), rows)


def details() -> str:
    """Draw the keys of details."""
    rows = ((f"`{key}`", meaning) for key, meaning in DETAILS.items())

    return _table(("key", "what"), rows)


def options() -> str:
    """Draw the options."""
    rows = (
        (f"`{name}`", f"`{default}`" if default != "none" else default, meaning)
        for name, default, meaning in option_rows()
    )

    return _table(("option", "default", "meaning"), rows)


VALUES = (
    (Param("query", b"q", b"100% \xff\n"), "what the client sent, coded"),
    (Param("query", b"q", b""), "a name, `=`, and nothing behind it"),
    (Param("cookie", b"flag", None), "a name without `=`"),
    (Param("form", b"password", Redacted(6, "password")), "a password: its length"),
    (
        Param("cookie", b"sessionid", Redacted(32, "token", HMAC)),
        "a token: length and keyed digest",
    ),
    (
        Param("header", b"authorization", (b"Basic alice:", Hole(6, "password"))),
        "a text with a hole: the user name stays",
    ),
    (Param("form", b"note", Spilled(5000, SHA256)), "more than `spill_over` bytes"),
    (Param("json", b"/amount", JsonText(b"12.50")), "a JSON number, exactly"),
    (Param("json", b"/tags", JsonText(b"[]")), "a JSON array, before its members"),
    (
        Param("file", b"photo", Upload(b"a.png", b"image/png", 1234, SHA256)),
        "an uploaded file",
    ),
    (Param("body", None, Unread(60, 0)), "a body that the application did not read"),
    (
        Param("body", None, Opaque(9, b"application/x-foo")),
        "a body that nobody understood and that may hold a secret",
    ),
    (Param("rest", None, Rest(3096, 81_203, SHA256)), "the params that did not fit"),
)


def values() -> str:
    """Draw an example of each kind of param."""
    rows = ((f"`{encode_param(param).decode()}`", what) for param, what in VALUES)

    return _table(("stands in `params`", "means"), rows)


SAMPLE = Event(
    time=TIME,
    event=EVENT_ID,
    stream="request",
    type="request",
    outcome="FAILURE",
    service=b"bank",
    instance=INSTANCE,
    client=b"192.0.2.7",
    peer=b"10.0.0.5:41522",
    method=b"POST",
    path=b"/login",
    action=b"bank.views.login",
    status=401,
    sent=21,
    micros=1834,
    params=(
        Param("form", b"user", b"alice"),
        Param("form", b"password", Redacted(6, "password")),
        Param("header", b"host", b"bank.example"),
        Param("header", b"x-forwarded-for", b"192.0.2.7"),
    ),
    details={
        "via": b"proxied",
        "delivery": b"taken",
        "scheme": b"http",
        "http_version": b"1.1",
        "request_len": 26,
    },
)
FAULT = Event(
    time=TIME + 2000,
    event=EVENT_ID,
    stream="fault",
    type="request",
    outcome="ERROR",
    service=b"bank",
    instance=INSTANCE,
    details={
        "reason": b"ValueError",
        "traceback": b'Traceback (most recent call last):\n  File "views.py", line 7\n'
        b"ValueError: no such account\n",
    },
)
REFUSED = Event(
    time=TIME + 9_000_000,
    event="019aa4f2-58f3-7c00-9d10-aabbccddeeff",
    stream="system",
    type="log_refused",
    outcome="FAILURE",
    service=b"bank",
    instance=INSTANCE,
    details={
        "reason": b"the trail '/var/log/audit' takes no record: ENOSPC "
        b"(No space left on device)",
        "count": 3,
        "first": b"2026-11-21T05:26:09.000000Z",
        "last": b"2026-11-21T05:26:11.250000Z",
    },
)


# What an application says is composed as at run time, so that a sample changes with it.
KEY = hashlib.sha256(b"of the samples").digest()
RULES = Rules(
    Config.load({"key": KEY}, {}),
    KEY,
    "bank",
    encode_param,
    lambda details: encode_details(details, {}),
)
SESSION = b"8f14e45fceea167a5a36dedd4bea2543"
BEFORE = b"c9f0f895fb98ab9159f51fd0297e236d"
CALLER = Facts(b"192.0.2.7", b"10.0.0.5:41522")
ALICE = CALLER._replace(user="alice", session=RULES.keyring.digest(SESSION))


def _said(seq: int, facts: Facts, **columns: Any) -> str:
    said = Statement(**columns)
    event = compose(RULES, said, EVENT_ID, TIME + 1500, facts)

    return _fenced(finish_line(draft_event(replace(event, instance=INSTANCE)), seq))


def session_sample() -> str:
    """Show a login that failed."""
    return _said(
        4,
        CALLER,
        stream="session",
        type="authn_login_fail",
        outcome="FAILURE",
        user="alice",
        reason="wrong password",
        method="password",
    )


def login_sample() -> str:
    """Show a login, with the session ids before and after it."""
    return _said(
        5,
        CALLER,
        stream="session",
        type="authn_login_success",
        user="alice",
        method="password",
        session=SESSION,
        session_before=BEFORE,
        roles=("clerk",),
    )


def security_sample() -> str:
    """Show what the security officer is to see."""
    return _said(
        1,
        ALICE,
        stream="security",
        type="authz_fail",
        outcome="FAILURE",
        app={"resource": "/accounts/22051102"},
    )


def error_sample() -> str:
    """Show an error that the user was shown."""
    return _said(
        2,
        ALICE,
        stream="error",
        type="error",
        outcome="FAILURE",
        reason="insufficient funds",
        app={"account": "22051102"},
    )


def call_sample() -> str:
    """Show an external resource that was used."""
    return _said(
        13,
        ALICE,
        stream="request",
        type="call",
        action="smtp://mail.example",
        is_url=True,
        micros=5120,
    )


def debug_sample() -> str:
    """Show a record of the application's own logging."""
    place = {"name": "bank.offers", "pathname": "/srv/bank/offers.py", "lineno": 41}
    level = {"levelno": logging.DEBUG, "levelname": "DEBUG"}
    record = logging.makeLogRecord(place | level)
    outcome = outcome_of(record.levelno)
    app = details_of(record, "3 offers found")

    return _said(1, ALICE, stream="debug", type="log", outcome=outcome, app=app)


def automatic_sample() -> str:
    """Show what a job says, outside of any request."""
    said = Statement(
        stream="system",
        type="sys_deploy",
        version="2026.11.1",
        automation="deploy",
        responsible="j.doe",
    )
    event = compose(RULES, said, REFUSED.event, REFUSED.time)

    return _fenced(finish_line(draft_event(replace(event, instance=INSTANCE)), 4))


def event_types() -> str:
    """Draw the names that an event may have."""
    rows = (
        (f"`{each.name}`", each.level.replace("|", " or "), each.meaning)
        for each in type_rows()
    )

    return _table(("type", "level", "what"), rows)


def _fenced(line: bytes) -> str:
    return f"```text\n{line.decode().rstrip()}\n```"


def request_sample() -> str:
    """Show a line of the request stream."""
    return _fenced(finish_line(draft_event(SAMPLE), 12))


def fault_sample() -> str:
    """Show a line of the fault stream."""
    return _fenced(finish_line(draft_event(FAULT), 1))


def _system(seq: int, kind: str, outcome: str, **details: object) -> str:
    event = replace(REFUSED, type=kind, outcome=outcome, details=details)

    return _fenced(finish_line(draft_event(event), seq))


def startup_sample() -> str:
    """Show how an instance begins."""
    clock = {"synchronised": True, "error": 512, "source": b"adjtimex"}
    journal = {"file_system": b"ext4", "in_memory": False, "with_trail": True}
    return _system(
        1,
        "sys_startup",
        "SUCCESS",
        config=b"0b1f6b6ca4e1e24b0a8bb9a5ddbf2ebb4b6fd9e4c1f1e24b0a8bb9a5ddbf2ebb",
        key_id=b"dae5a4e8",
        version=b"2026.11.1",
        python=b"3.12.3",
        audit_mw=b"0.1.0",
        servers=[b"gunicorn 27.0.0"],
        clock=clock,
        journal=journal,
        durability=b"process",
        boot_id=b"b27d7446-d816-43e8-b9a9-7ed0385cb1de",
        uid=33,
    )


def shutdown_sample() -> str:
    """Show how it ends."""
    return _system(
        3, "sys_shutdown", "SUCCESS", last={"system": 3, "request": 812, "fault": 1}
    )


def crash_sample() -> str:
    """Show what an adopter says of a process that was killed."""
    return _system(
        2,
        "sys_crash",
        "FAILURE",
        count=3,
        crashed=b"web1:4702:9c21aa07",
        unfinished=1,
    )


def gap_sample() -> str:
    """Show what is said of a segment that somebody removed."""
    return _system(
        2,
        "log_gap",
        "FAILURE",
        reason=b"unlinked",
        segment=b"request/2026-11-21.log",
        inode=131204,
        size=48211,
        last_seq=87,
    )


def space_sample() -> str:
    """Show what is said of a disk that fills."""
    free = {"trail": 104_857_600, "journal": 104_857_600}
    return _system(2, "log_space", "FAILURE", reason=b"free space is low", free=free)


def system_sample() -> str:
    """Show a line of the system stream."""
    return _fenced(finish_line(draft_event(REFUSED), 1))


def header_sample() -> str:
    """Show the first line of a segment."""
    return _fenced(header_line("request"))


def values_sample() -> str:
    """Show a line of the values stream, of a value shorter than one would be."""
    return _fenced(encode_value_line(TIME, EVENT_ID, Spill(TEST_SHA256, b"test")))


def servers() -> str:
    """Draw what the records of each server tell."""
    return _table(("server", *SERVER_COLUMNS.values()), server_rows())


BLOCKS: dict[str, Callable[[], str]] = {
    "columns": columns,
    "value-columns": value_columns,
    "details": details,
    "options": options,
    "values": values,
    "event-types": event_types,
    "request-sample": request_sample,
    "session-sample": session_sample,
    "login-sample": login_sample,
    "security-sample": security_sample,
    "error-sample": error_sample,
    "call-sample": call_sample,
    "debug-sample": debug_sample,
    "automatic-sample": automatic_sample,
    "fault-sample": fault_sample,
    "system-sample": system_sample,
    "startup-sample": startup_sample,
    "shutdown-sample": shutdown_sample,
    "crash-sample": crash_sample,
    "gap-sample": gap_sample,
    "space-sample": space_sample,
    "header-sample": header_sample,
    "values-sample": values_sample,
    "servers": servers,
    "described": markdown,
}
_BLOCK = re.compile(r"(<!-- ([a-z-]+): begin -->\n).*?(<!-- \2: end -->)", re.DOTALL)


def render(text: str) -> str:
    """Return a file's text with each block as the code says."""

    def block(match: re.Match[str]) -> str:
        draw = BLOCKS.get(match[2])
        return f"{match[1]}{draw()}\n{match[3]}" if draw else match[0]

    return _BLOCK.sub(block, text)


def documents() -> list[Path]:
    """Return the Markdown files that may hold blocks."""
    return [
        *ROOT.glob("*.md"),
        *ROOT.glob("docs/**/*.md"),
        *ROOT.glob("examples/**/*.md"),
    ]


def main(arguments: list[str]) -> int:
    """Check or write; return the exit code."""
    stale = [
        path for path in documents() if render(path.read_text()) != path.read_text()
    ]
    for path in stale:
        if "--write" in arguments:
            path.write_text(render(path.read_text()))
        else:
            name = path.relative_to(ROOT)
            sys.stderr.write(
                f"{name} is stale: run python -m tests.generated --write\n"
            )

    return int(bool(stale) and "--write" not in arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
