# What tests of the torture need of the machine, each with a message that names it.
import os
import shutil

import pytest

__all__ = ["needs_cc", "needs_root", "needs_strace"]

needs_cc = pytest.mark.skipif(shutil.which("cc") is None, reason="needs Debian's gcc")
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
needs_strace = pytest.mark.skipif(
    shutil.which("strace") is None, reason="needs Debian's strace"
)
