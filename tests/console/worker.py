# A process whose trail is its console, for tests that kill it or run several at once.
#
#     python -m tests.console.worker DIRECTORY NAME COUNT [OPTION=VALUE ...]
#
# It asks its application COUNT times (0: until it is killed). The word of each request
# that began, and of each that was answered 200, goes into a file of its own.
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

from tests.console.consoles import OPTIONS, Pipe, call
from tests.serving import ROOT, SECONDS

from audit_mw import AuditMiddleware
from audit_mw.trail import console

__all__ = ["began_and_answered", "main", "start"]

_QUIET = {"PYTHONWARNINGS": "ignore", "PYTHONDEVMODE": ""}
# Its record is longer than what a pipe keeps apart from other writes.
_MORE = "".join(f"&p{number}={'v' * 200}" for number in range(30))


def began_and_answered(directory: Path) -> tuple[set[str], set[str]]:
    """Return the words that any process noted."""
    began: set[str] = set()
    answered: set[str] = set()
    for path in directory.glob("*.words"):
        for line in path.read_text().splitlines():
            said, word = line.split()
            (answered if said == "answered" else began).add(word)

    return began, answered


def start(
    pipe: Pipe, directory: Path, name: str, count: int, *options: str
) -> "subprocess.Popen[bytes]":
    """Start a worker whose console is the pipe."""
    words = [sys.executable, "-m", "tests.console.worker", directory, name, count]

    return subprocess.Popen(
        [*map(str, words), *options],
        stdin=subprocess.DEVNULL,
        stdout=pipe.into,
        cwd=ROOT,
        env={**os.environ, **_QUIET},
    )


class _Served:
    def __init__(self, path: Path) -> None:
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def note(self, said: str, word: str) -> None:
        os.write(self._fd, f"{said} {word}\n".encode())

    def __call__(self, environ: Any, start_response: Any) -> list[bytes]:
        environ["wsgi.input"].read()
        self.note("began", environ["QUERY_STRING"].partition("&")[0][2:])
        start_response("200 OK", [("Content-Length", "2")])

        return [b"ok"]


def _numbers(most: int) -> Iterator[int]:
    return iter(range(most)) if most else count()


def main(directory: str, name: str, most: str, *options: str) -> None:
    """Serve; see above."""
    # Who reads is a test, which a busy machine may hold up: no reader that is stalled.
    console._PATIENCE = 1000 * SECONDS
    # As programs do that are to end quietly with `head`.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    served = _Served(Path(directory) / f"{name}-{os.getpid()}.words")
    more = dict(option.split("=", 1) for option in options)
    given = OPTIONS | {"journal_dir": f"{directory}/journals"} | more
    wrapped = AuditMiddleware(served, **given)
    wrapped._auditor.open()
    for number in _numbers(int(most)):
        word = f"{name}-{os.getpid()}-{number}"
        body = b"a=" + b"%d" % number * 3000 if number % 10 == 9 else b""
        if call(wrapped, word + _MORE, body) == 200:
            served.note("answered", word)
    wrapped._auditor.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
