# make demo: both examples on real servers, attacked over real sockets.
#
# It starts uvicorn and gunicorn on loopback and lets Alice log in, look at somebody
# else's account, overdraw her own and crash the bank; then it sends what attackers
# send, byte for byte. It prints the lines that the trail has of it, and joins all that
# one session did by one command, and a line of the bank's usual log with the trail.
#
# What must hold is checked, too: where a line is missing, or the trail does not give
# back exactly what was sent, the demo fails.
#
# (Longer than 250 lines, since half of it are the tables of what is sent.)
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from click.testing import CliRunner

from audit_mw.cli import main as tool

HERE = Path(__file__).parent
BIN = Path(sys.executable).parent
FORM = b"application/x-www-form-urlencoded"


@dataclass(frozen=True)
class Attack:
    """One request, and a param that must come back from the trail exactly."""

    title: str
    target: bytes
    body: bytes = b""
    fields: tuple[bytes, ...] = ()
    param: str = ""
    exact: bytes = b""
    nth: int = 1
    by_alice: bool = False
    records: int = 1  # in the request stream

    def request(self, session: bytes) -> bytes:
        """Return the bytes that go over the socket."""
        method = b"POST" if self.body else b"GET"
        lines = [method + b" " + self.target + b" HTTP/1.1", b"Host: bank.example"]
        lines += self.fields
        if self.by_alice:
            lines.append(b"Cookie: sessionid=" + session)
        if self.body:
            lines += b"Content-Type: " + FORM, b"Content-Length: %d" % len(self.body)

        return b"\r\n".join([*lines, b"Connection: close", b"", self.body])


def value(title: str, coded: bytes, exact: bytes) -> Attack:
    """Return an attack by the value of one parameter."""
    return Attack(title, b"/search?q=" + coded, param="q", exact=exact)


ATTACKS = (
    Attack(
        "one name in query, body and cookie",
        b"/search?user_id=Alice&password=Secret&user_id=Bob",
        b"user_id=John&user_id=James",
        (b"Cookie: user_id=Eve",),
        "user_id",
        b"James",
        4,
    ),
    value(
        "LF and CR: a forged line",
        b"x%0D%0A2026-11-21T00:00:00Z%09GET%09/admin",
        b"x\r\n2026-11-21T00:00:00Z\tGET\t/admin",
    ),
    value("TAB: a forged column", b"a%09200%09SUCCESS", b"a\t200\tSUCCESS"),
    value("BS: overwriting", b"evil%08%08%08%08good", b"evil\b\b\b\bgood"),
    value("ESC: a terminal sequence", b"%1B%5B2J%1B%5D0;x%07", b"\x1b[2J\x1b]0;x\a"),
    value("padding out of sight", b"x" + b"+" * 120 + b"y", b"x" + b" " * 120 + b"y"),
    value(
        "U+202E: right to left",
        b"invoice%E2%80%AEfdp.exe",
        "invoice\u202efdp.exe".encode(),
    ),
    value("homoglyphs", b"%D0%B0dmin", "\u0430dmin".encode()),
    value("NUL", b"a%00b", b"a\0b"),
    value("invalid UTF-8", b"%FF%FE", b"\xff\xfe"),
    value("markup for a viewer", b"%3Cscript%3Ealert(1)", b"<script>alert(1)"),
    value("forged JSON", b"%22%5D,%5B%22query%22", b'"],["query"'),
    value("a forged placeholder", b"-", b"-"),
    value("another", b"%22%22", b'""'),
    value("a forged mark of ours", b"%25%7Bopaque:6%7D", b"%{opaque:6}"),
    value("double coding", b"%2527", b"%27"),
    Attack(
        "a forged client address",
        b"/search?q=hello",
        fields=(b"X-Forwarded-For: 203.0.113.99", b"X-Real-IP: 203.0.113.99"),
        param="x-forwarded-for",
        exact=b"203.0.113.99",
    ),
    Attack(
        "a filler of 4 kB before the real parameter",
        b"/search?filler=" + b"A" * 4096 + b"&q=hidden",
        param="filler",
        exact=b"A" * 4096,
    ),
    Attack(
        "4,096 parameters",
        b"/search",
        b"&".join(b"p%d=%d" % (n, n) for n in range(4095)) + b"&last=seen",
        param="last",
        exact=b"seen",
    ),
)

TRANSFER = b"from=22051101&to=22051102&amount=9999"
STORY = (
    Attack("a wrong password", b"/login", b"user=alice&password=hunter2"),
    Attack("no password", b"/login", b"user=alice&password="),
    Attack("the right one", b"/login", b"user=alice&password=correct+horse"),
    Attack(
        "her balance in dollars, by the service of rates",
        b"/accounts/22051101?currency=USD",
        by_alice=True,
        records=2,
    ),
    Attack("somebody else's account", b"/accounts/22051102", by_alice=True),
    Attack("more money than she has", b"/transfer", TRANSFER, by_alice=True),
    Attack("a crash", b"/crash", by_alice=True),
    Attack("the logout", b"/logout", b"bye=1", by_alice=True),
    Attack("a token in a path", b"/search;jsessionid=0123456789abcdef?q=x"),
)
LOGIN = """\
request request SUCCESS /login 200
session authn_login_success SUCCESS - -
""".splitlines()
# What the other streams say of it, and what the session did, in the order of time.
SAID = {
    "session": (
        "authn_login_fail FAILURE",
        "authn_login_fail ATTEMPT",
        "authn_login_success SUCCESS",
        "session_expired SUCCESS",
    ),
    "security": ("authz_fail FAILURE",),
    "error": ("error FAILURE",),
    "fault": ("request ERROR",),
}
SESSION = """\
request request SUCCESS /login 200
session authn_login_success SUCCESS - -
request request SUCCESS /accounts/22051101 200
request call SUCCESS - -
request request FAILURE /accounts/22051102 403
security authz_fail FAILURE - -
request request FAILURE /transfer 422
error error FAILURE - -
request request ERROR /crash 500
fault request ERROR - -
request request SUCCESS /logout 204
session session_expired SUCCESS - -
""".splitlines()


def free_port() -> int:
    """Return a port of the loopback interface that nobody uses."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]

    return int(port)


def servers(port: int) -> dict[str, list[str]]:
    """Return the command of each server."""
    return {
        "uvicorn": [
            f"{BIN / 'uvicorn'}", "fastapi_app.app:app", "--host=127.0.0.1",
            f"--port={port}", "--no-access-log", "--log-level=critical",
            "--no-proxy-headers",
        ],
        "gunicorn": [
            f"{BIN / 'gunicorn'}", "flask_app.app:app", f"--bind=127.0.0.1:{port}",
            "--log-level=critical", "--limit-request-line=8190",
        ],
    }  # fmt: skip


@contextmanager
def serving(command: list[str], port: int, trail: Path) -> Iterator[None]:
    """Run a server until the end of the block."""
    environ = os.environ | {"AUDIT_MW_TRAIL": str(trail)}
    with usual_log(trail).open("wb") as log:
        server = subprocess.Popen(  # noqa: S603 - the command stands above
            command, cwd=HERE, env=environ, stderr=log
        )
    try:
        wait_for(port, server)
        yield
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(20)


def usual_log(trail: Path) -> Path:
    """Return the file that a server's stderr goes to, as it ever did."""
    return trail.with_name(f"{trail.name}-stderr")


def wait_for(port: int, server: "subprocess.Popen[bytes]") -> None:
    """Return as soon as the server listens."""
    for _ in range(600):
        if server.poll() is not None:
            raise SystemExit(f"{server.args!r} ended with {server.returncode}")
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise SystemExit(f"{server.args!r} does not listen")


def send(port: int, request: bytes) -> bytes:
    """Send a request and return the head of the answer."""
    with socket.create_connection(("127.0.0.1", port), 10) as connection:
        connection.sendall(request)
        answer = b""
        while chunk := connection.recv(65_536):
            answer += chunk

    return answer.partition(b"\r\n\r\n")[0]


def audit_mw(*arguments: str, told: bytes = b"") -> bytes:
    """Run the command line tool, tell it something, and return what it prints."""
    # In this process: one of its own for each of some fifty would take most of it.
    done = CliRunner().invoke(tool, arguments, input=told, catch_exceptions=False)
    if done.exit_code:
        raise SystemExit(f"audit-mw {' '.join(arguments)}: {done.output}")

    return done.stdout_bytes


def segment(trail: Path, stream: str) -> Path:
    """Return the active segment of a stream."""
    return max((trail / stream).glob("*.log"))


def lines(trail: Path, stream: str, count: int = 1) -> list[bytes]:
    """Return the records of a stream, without the header, once there are so many."""
    # A record is safe before its response, and on its line some 20 ms after it.
    for _ in range(1000):
        if list((trail / stream).glob("*.log")):
            found = segment(trail, stream).read_bytes().splitlines()[1:]
            if len(found) >= count:
                return found
        time.sleep(0.01)
    raise SystemExit(f"{trail / stream} has fewer than {count} records")


def shown(line: bytes) -> str:
    """Return a line, its middle left out where it is very long."""
    text = line.decode("ascii")

    return text if len(text) <= 2000 else f"{text[:900]} ... {text[-700:]}"


def check(attack: Attack, trail: Path, line: bytes) -> None:
    """Fail unless the trail gives back what was sent."""
    if not attack.param:
        return
    event = line.split(b"\t")[2].decode()
    exact = audit_mw(
        "decode", str(segment(trail, "request")), "--param", attack.param,
        "--event", event, "--nth", str(attack.nth), "--raw",
    )  # fmt: skip
    if exact != attack.exact:
        raise SystemExit(f"{attack.title}: sent {attack.exact!r}, got {exact!r}")
    print(f"      decode --param {attack.param} --raw: {len(exact)} bytes, exact")


def show(name: str, trail: Path, port: int) -> None:
    """Send everything to one server and print what it left in the trail."""
    session, expected = b"", 0
    for attack in (*STORY, *ATTACKS):
        head = send(port, attack.request(session))
        session = session or b"".join(re.findall(rb"sessionid=([^;\s]+)", head)[:1])
        expected += attack.records
        line = lines(trail, "request", expected)[-1]
        status = head.partition(b"\r\n")[0].decode("latin-1")
        print(f"\n--- {name}: {attack.title}  ->  {status}\n{shown(line)}")
        check(attack, trail, line)
    show_streams(name, trail)
    show_session(name, trail, session)
    show_usual(name, trail)
    print(f"\n--- {name}: the login that failed, as people read it")
    print(audit_mw("tail", "-n", "999", str(trail)).decode().partition("\n20")[0])
    judge(name, trail, expected, session)


def show_streams(name: str, trail: Path) -> None:
    """Print what the bank said of all this, by stream; fail where it is not there."""
    for stream, expected in SAID.items():
        # What was found in the attacks is in the security stream, too.
        found = lines(trail, stream, len(expected))
        said = {kind_of(line): line for line in reversed(found)}
        print(f"\n--- {name}: the stream {stream}")
        for kind in expected:
            if kind not in said:
                raise SystemExit(f"the stream {stream} has no {kind}: {list(said)}")
            print(shown(said[kind]))


def kind_of(line: bytes) -> str:
    """Return type and outcome of a record."""
    return b" ".join(line.split(b"\t")[5:7]).decode("ascii")


def show_session(name: str, trail: Path, session: bytes) -> None:
    """Print all that one session did, by one command; fail where something is not."""
    digest = audit_mw("digest", "--trail", str(trail), told=session).decode().strip()
    print(f"\n--- {name}: all that Alice's session did")
    if joined(trail, digest) != SESSION:
        raise SystemExit("that is not what the session did")


def show_usual(name: str, trail: Path) -> None:
    """Print a line of the bank's usual log, and what the trail has of that event."""
    text = usual_log(trail).read_text()
    (line,) = (line for line in text.splitlines() if line.endswith(" alice logged in"))
    print(
        f"\n--- {name}: a line of the usual log, and what the trail has of it\n{line}"
    )
    if joined(trail, line.split()[2]) != LOGIN:
        raise SystemExit("that is not what the line was about")


def joined(trail: Path, key: str) -> list[str]:
    """Print what has a digest or an event id, by one command, and return it."""
    columns = "{print $2, $4, $6, $7, $12, $15, $17}"
    command = (
        f"grep -hF {key} {trail}/*/*.log"
        f" | awk -F '\\t' -v OFS='\\t' '{columns}' | LC_ALL=C sort"
    )
    found = subprocess.run(  # noqa: S603 - the command stands above
        ["/bin/sh", "-c", command], check=True, capture_output=True, text=True
    ).stdout
    print(f"$ {command}\n{found}", end="")
    rows = [row.split("\t") for row in found.splitlines()]
    if {row[4] for row in rows} != {"alice"}:
        raise SystemExit("somebody else did some of it")

    return [" ".join([*row[1:4], *row[5:]]) for row in rows]


def judge(name: str, trail: Path, expected: int, session: bytes) -> None:
    """Fail unless every request is on record, whole, and no secret is."""
    sent, kept = len(STORY) + len(ATTACKS), lines(trail, "request")
    clients = {line.split(b"\t")[9] for line in kept}
    requests = sum(line.split(b"\t")[5] == b"request" for line in kept)
    torn = [line for line in kept if line.count(b"\t") != 24]
    print(f"\n{name}: {sent} requests, {requests} records, {len(torn)} torn, ", end="")
    print(f"clients {clients}")
    secrets = (b"hunter2", b"correct horse", b"correct+horse", b"0123456789abcdef")
    paths = [*trail.rglob("*.log"), usual_log(trail)]
    files = [path.read_bytes() for path in paths]
    leaked = [s for s in (*secrets, session) for data in files if s in data]
    if (len(kept), requests) != (expected, sent) or torn or leaked:
        raise SystemExit("that is not what a trail must look like")
    if clients != {b"127.0.0.1"}:
        raise SystemExit("somebody else's address is on record")


def main() -> None:
    """Run the demo."""
    root = Path(tempfile.mkdtemp(prefix="audit-mw-demo-"))
    try:
        for name in ("uvicorn", "gunicorn"):
            port = free_port()
            with serving(servers(port)[name], port, root / name):
                show(name, root / name, port)
            print(f"\n--- {name}: is every record there, whole and in order?")
            print(audit_mw("verify", "--trail", str(root / name)).decode().rstrip())
    finally:
        shutil.rmtree(root, ignore_errors=True)
    print("\nEvery request is on record once, nothing is forged, no secret is kept.")


if __name__ == "__main__":
    main()
