# Child processes of the torture: started, waited for, and never left behind.
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.serving import ROOT
from tests.torture.app import witnessed
from tests.torture.hands import answers
from tests.torture.judge import complaints, orphans, recover, verify

__all__ = ["Child", "crew", "judged", "run", "said"]

_SECONDS = 300  # until a test gives up on a child that hangs

Child = subprocess.Popen[str]


@contextmanager
def crew(
    directory: Path,
    *tasks: Sequence[str],
    options: Mapping[str, object] | None = None,
    under: Sequence[object] = (),
    environ: Mapping[str, str] | None = None,
) -> Iterator[list[Child]]:
    """
    Run tasks of `tests.torture.hands` at the same time, one process each.

    Args:
        directory: of trail and witnesses; made if need be.
        tasks: name and arguments of each.
        options: of the middleware.
        under: a command that starts them, such as strace with its options.
        environ: more of their environment.
    """
    directory.mkdir(parents=True, exist_ok=True)
    own = {
        "TORTURE_DIRECTORY": str(directory),
        "TORTURE_OPTIONS": json.dumps(dict(options or {})),
    }
    children: list[Child] = []
    try:
        for task in tasks:
            command = [*under, sys.executable, "-m", "tests.torture.hands", *task]
            child = subprocess.Popen(
                [str(word) for word in command],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                cwd=ROOT,
                env={**os.environ, **own, **(environ or {})},
            )
            children.append(child)
        yield children
    finally:
        for child in children:
            child.kill()
            child.communicate()


def said(child: Child) -> tuple[int, Any, str]:
    """Wait for a child; return its exit code, what its task returned, its errors."""
    out, errors = child.communicate(timeout=_SECONDS)
    text = out.removeprefix("ready\n")

    return child.returncode, json.loads(text) if text else None, errors


def run(
    directory: Path,
    *task: str,
    options: Mapping[str, object] | None = None,
    under: Sequence[object] = (),
    environ: Mapping[str, str] | None = None,
) -> tuple[int, Any, str]:
    """Run one task to its end; see `crew` and `said`."""
    with crew(directory, task, options=options, under=under, environ=environ) as (it,):
        return said(it)


def judged(directory: Path) -> list[str]:
    """Let adopt what is left; return what is wrong with the trail in a directory."""
    trail = directory / "trail"
    if orphans(trail):
        recover(trail)
    known = answers(directory)

    return [*complaints(trail, known, witnessed(directory)), *verify(trail)]
