# What holds for all tests.
import tests.forking  # noqa: F401 - first, as it says

# isort: split
import time
from collections.abc import Iterator
from importlib import import_module
from pkgutil import iter_modules
from weakref import WeakSet

import pytest
from hypothesis import HealthCheck, settings
from tests.chance import EXPLORES

from audit_mw import auditor, cli

# A machine that is busy must fail no property test: none has a clock.
settings.register_profile(
    "ours",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize=not EXPLORES,
    print_blob=True,
)
settings.load_profile("ours")
# Draws are also of what stands in the modules that are imported. Those that a command
# imports when it is typed would make them depend on which tests ran before.
for _module in iter_modules(cli.__path__, f"{cli.__name__}."):
    import_module(_module.name)

_DAY, _MINUTE = 86_400, 60
# Where processes are counted, killed or crowded, they have what a user has.
_AT_DEFAULT = {"compat", "entries", "examples", "torture"}


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let applications of other tests, not collected yet, be none of this process."""
    monkeypatch.setattr(auditor, "_auditors", WeakSet())


@pytest.fixture(autouse=True)
def _one_day() -> None:
    """Let no test of less than a minute see a day end: it writes to one segment."""
    left = _DAY - time.time() % _DAY
    if left < _MINUTE:
        time.sleep(left + 0.1)


@pytest.fixture(scope="module", autouse=True)
def _few_slots(request: pytest.FixtureRequest) -> Iterator[None]:
    """Let a journal be small: thousands of tests open one each, and use a slot of it."""
    with pytest.MonkeyPatch.context() as patch:
        if not _AT_DEFAULT & {*request.path.parts}:
            patch.setenv("AUDIT_MW_MAX_SLOTS", "256")
        yield
