# What the kernel says of its clock, and what is said where it does not.
import ctypes
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from audit_mw.trail.clock import ClockState, _Timex, clock_state

needs_linux = pytest.mark.skipif(sys.platform != "linux", reason="needs Linux")
# A second way to the same answer; `adjtimex` is a package that few have.
PROGRAM = """
#include <stddef.h>
#include <stdio.h>
#include <sys/timex.h>
#define AT(field) printf("\\"" #field "\\": %zu, ", offsetof(struct timex, field))
int main(void) {
    struct timex t = {0};
    int state = adjtimex(&t);
    printf("{");
    AT(modes); AT(offset); AT(maxerror); AT(esterror); AT(status); AT(constant);
    AT(time); AT(tick); AT(jitter); AT(shift); AT(stabil); AT(stbcnt); AT(tai);
    printf("\\"size\\": %zu, \\"off\\": %d}", sizeof t,
           state == TIME_ERROR || (t.status & STA_UNSYNC) != 0);
}
"""
ASK = """
import json
from audit_mw.trail.clock import clock_state
print(json.dumps(clock_state()))
"""


@needs_linux
def test_the_kernel_tells() -> None:
    """Whether the clock is in step, and an error that is no nonsense."""
    state = clock_state()
    if state.synchronised is None:
        pytest.skip("needs a kernel that may be asked (a sandbox forbids adjtimex)")

    assert state.source == "adjtimex"
    assert state.error is not None
    assert 0 <= state.error <= 16_000_000  # NTP_PHASE_LIMIT, where it stops to count


@needs_linux
@pytest.mark.skipif(shutil.which("gcc") is None, reason="needs gcc")
def test_layout(tmp_path: Path) -> None:
    """Each field is where the platform's own header has it; nothing is too short."""
    source, program = tmp_path / "timex.c", tmp_path / "timex"
    source.write_text(PROGRAM)
    subprocess.run(["gcc", "-o", program, source], check=True)
    told = json.loads(subprocess.check_output([program]))
    size, is_off = told.pop("size"), told.pop("off")

    assert told == {name: getattr(_Timex, name).offset for name in told}
    assert ctypes.sizeof(_Timex) >= size
    assert clock_state().synchronised in (None, not is_off)


@needs_linux
@pytest.mark.skipif(shutil.which("strace") is None, reason="needs Debian's strace")
@pytest.mark.parametrize("error", ["EPERM", "ENOSYS"])
def test_a_sandbox(error: str) -> None:
    """Where the call is forbidden nothing is known, and nothing fails."""
    calls = "adjtimex,clock_adjtime"
    inject = f"inject={calls}:error={error}"
    command = ["strace", "-qq", "-o", "/dev/null", "-e", f"trace={calls}", "-e", inject]
    said = subprocess.check_output([*command, sys.executable, "-c", ASK])

    assert ClockState(*json.loads(said)) == ClockState(None, None, None)
