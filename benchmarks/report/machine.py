# What is to be known of the machine and of what is measured on it, or no figure means
# anything to anybody else.
import os
import platform
import re
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

__all__ = ["facts"]

_PACKAGES = ("uvicorn", "httptools", "uvloop", "gunicorn", "Django")


def facts() -> dict[str, str]:
    """Return what is to be known, by name, in the order in which to tell it."""
    usable, all_of_them = len(os.sched_getaffinity(0)), os.cpu_count()

    return {
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "CPU": _model(),
        "cores": f"{usable} of {all_of_them}",
        "memory": f"{_memory() / 2**30:.1f} GiB",
        "kernel": platform.release(),
        "Python": platform.python_version(),
        "load average at the start": f"{os.getloadavg()[0]:.1f}",
        "audit-mw": version("audit-mw"),
        **{package: version(package) for package in _PACKAGES},
    }


def _model() -> str:
    said = Path("/proc/cpuinfo").read_text()
    found = re.search(r"^model name\s*: (.+)$", said, re.MULTILINE)

    return found[1] if found else platform.machine()


def _memory() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
