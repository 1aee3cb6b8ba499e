# make demo: both examples on real servers, attacked over real sockets.
#
# It starts uvicorn and gunicorn on loopback, sends what attackers send, byte for byte,
# and prints the lines that the trail has of it. What must hold is checked, too: where
# the trail does not give back exactly what was sent, the demo fails.
import os
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

    def request(self) -> bytes:
        """Return the bytes that go over the socket."""
        method = b"POST" if self.body else b"GET"
        lines = [method + b" " + self.target + b" HTTP/1.1", b"Host: bank.example"]
        lines += self.fields
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

STORY = (
    Attack("a wrong password", b"/login", b"user=alice&password=hunter2"),
    Attack("the right one", b"/login", b"user=alice&password=correct+horse"),
    Attack("a crash", b"/crash"),
    Attack("a token in a path", b"/search;jsessionid=0123456789abcdef?q=x"),
)


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
    server = subprocess.Popen(  # noqa: S603 - the command stands above
        command, cwd=HERE, env=environ, stderr=subprocess.DEVNULL
    )
    try:
        wait_for(port, server)
        yield
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(20)


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
    """Send a request and return the status line of the answer."""
    with socket.create_connection(("127.0.0.1", port), 10) as connection:
        connection.sendall(request)
        answer = b""
        while chunk := connection.recv(65_536):
            answer += chunk

    return answer.partition(b"\r\n")[0]


def audit_mw(*arguments: str) -> bytes:
    """Run the command line tool and return what it prints."""
    command = [str(BIN / "audit-mw"), *arguments]
    return subprocess.run(command, check=True, capture_output=True).stdout  # noqa: S603


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
    for number, attack in enumerate((*STORY, *ATTACKS), 1):
        status = send(port, attack.request()).decode("latin-1")
        line = lines(trail, "request", number)[-1]
        print(f"\n--- {name}: {attack.title}  ->  {status}\n{shown(line)}")
        check(attack, trail, line)
    sent, kept = len(STORY) + len(ATTACKS), lines(trail, "request")
    clients = {line.split(b"\t")[9] for line in kept}
    torn = [line for line in kept if line.count(b"\t") != 24]
    if (trail / "fault").exists():  # Flask answers for its exceptions itself
        print(f"\n--- {name}: the crash, in the fault stream")
        print(shown(lines(trail, "fault")[-1]))
    print(f"\n--- {name}: the login that failed, as people read it")
    print(audit_mw("tail", "-n", "999", str(trail)).decode().partition("\n20")[0])
    print(f"\n{name}: {sent} requests, {len(kept)} records, {len(torn)} torn, ", end="")
    print(f"clients {clients}")
    secrets = (b"hunter2", b"correct horse", b"correct+horse", b"0123456789abcdef")
    files = [path.read_bytes() for path in trail.rglob("*.log")]
    leaked = [secret for secret in secrets for data in files if secret in data]
    if len(kept) != sent or torn or clients != {b"127.0.0.1"} or leaked:
        raise SystemExit("that is not what a trail must look like")


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
