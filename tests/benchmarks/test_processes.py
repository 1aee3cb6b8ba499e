# What the benchmarks read of a process.
import os
import subprocess
import sys

from benchmarks.processes import children, cpu_micros, descriptors, resident


def test_processes() -> None:
    """CPU, memory, children and descriptors are those of the process that is asked for."""
    code = "b = b'x' * (64 << 20); f = open('/dev/null'); sum(range(10**6)); input()"
    with subprocess.Popen(
        [sys.executable, "-c", code + "; print()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        while "/dev/null" not in descriptors(process.pid) or not cpu_micros(
            process.pid
        ):
            assert process.poll() is None
        held, listed = resident(process.pid), children(os.getpid())
        process.communicate(b"\n")

    assert 64 << 20 < held < 256 << 20
    assert process.pid in listed
