# What tests of the torture need of the machine, each with a message that names it.
import os
import shutil

import pytest
from tests.torture.many import FAKETIME

__all__ = ["needs_faketime", "needs_root", "needs_strace"]

needs_faketime = pytest.mark.skipif(
    not FAKETIME.exists(), reason="needs Debian's faketime"
)
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
needs_strace = pytest.mark.skipif(
    shutil.which("strace") is None, reason="needs Debian's strace"
)
