# The applications that these tests make are wrapped as those of tests/edges are.
from tests.edges.conftest import audited

__all__ = ["audited"]
