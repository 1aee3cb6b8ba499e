# Coverage in processes that fork while their threads run.
#
# Its lock is held for a moment whenever a thread comes to a file that is new to it. A
# child that is forked in that moment waits for it for ever, at its first traced line. So
# it is made anew in each child: by a method in C, which is traced by nobody, before any
# other hook of the child. Import this first.
import os
from contextlib import suppress
from typing import Any

__all__: list[str] = []

with suppress(ImportError, AttributeError):  # there is no coverage, or it does not run
    from coverage import Coverage

    _collector: Any = Coverage.current()._collector  # type: ignore[union-attr]
    os.register_at_fork(after_in_child=_collector.data_lock._at_fork_reinit)
