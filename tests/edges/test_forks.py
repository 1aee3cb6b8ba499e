# A process that is forked behind Python's back, as uWSGI forks its workers, is one of its
# own in the trail.
import subprocess
import sys
from pathlib import Path

from tests.edges.audited import read_trail
from tests.serving import ROOT
from tests.settling import settle

from audit_mw.trail.reader import read_segment, segments
from audit_mw.trail.record import Record

_FORKING = """
import ctypes, os, sys, time
from pathlib import Path
from audit_mw import AuditMiddleware

def serve(times):
    for _ in range(times):
        environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/"}
        app(environ, lambda *_: None)

app = AuditMiddleware(lambda environ, start: [start("200 OK", [])] and [b""],
                      interface="wsgi", trail=sys.argv[1])
def steps():
    paths = [f"/proc/self/task/{thread}/status" for thread in os.listdir("/proc/self/task")]
    own = f"/proc/self/task/{os.getpid()}/status"
    texts = [Path(path).read_text() for path in paths if path != own]
    lines = [line for text in texts for line in text.splitlines()]
    return [line for line in lines if "ctxt_switches" in line or "State:" in line]

serve(int(sys.argv[2]))
# A thread that waits for the interpreter's lock would be waited for by the child's, too:
# nobody mends that lock behind Python's back. So the writer sleeps before we fork.
before, now = [], steps()
while now != before or "R (running)" in str(now):
    time.sleep(0.05)
    before, now = now, steps()
child = ctypes.PyDLL(None).fork()
serve(3)
if not child:
    os._exit(0)
os.waitpid(child, 0)
"""


def _fork_after(requests: int, trail: Path) -> None:
    command = [sys.executable, "-c", _FORKING, str(trail), str(requests)]
    subprocess.run(command, check=True, cwd=ROOT)


def test_numbers(tmp_path: Path) -> None:
    """Parent and child count their records apart, each without a gap."""
    _fork_after(2, tmp_path)
    settle(tmp_path)
    items = [it for path in segments(tmp_path, "request") for it in read_segment(path)]
    numbers: dict[str, list[int]] = {}
    for record in items:
        assert isinstance(record, Record)
        numbers.setdefault(record.event.instance, []).append(record.seq)

    assert sorted(numbers.values()) == [[1, 2, 3], [1, 2, 3, 4, 5]]


def test_ids(tmp_path: Path) -> None:
    """Parent and child make no event id twice."""
    _fork_after(1, tmp_path)
    events = read_trail(tmp_path)

    assert len({event.event[19:] for event in events}) == 7
