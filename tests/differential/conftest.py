from tests.edges.conftest import audited

__all__ = ["audited"]
