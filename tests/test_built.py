# Where it can be built, the compiled road is there: else its tests would be skipped, and
# nobody would see that it no longer compiles.
import os
import shutil
import sysconfig
from importlib import import_module
from pathlib import Path

import pytest


def _can_build() -> bool:
    headers = Path(sysconfig.get_paths()["include"], "Python.h")

    return headers.is_file() and any(map(shutil.which, ("cc", "gcc")))


@pytest.mark.skipif(not _can_build(), reason="there is no compiler, or no headers")
@pytest.mark.skipif(
    os.environ.get("AUDIT_MW_COMPILED") == "off", reason="it is left out on purpose"
)
@pytest.mark.parametrize(
    "name", ["audit_mw._native", "audit_mw.policy._names", "audit_mw.trail._lines"]
)
def test_built(name: str) -> None:
    """A machine that can compile has what is compiled."""
    module = import_module(name)

    assert Path(str(module.__file__)).suffix in {".so", ".pyd"}
