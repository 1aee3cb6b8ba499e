# All checks of one deployment, in the order in which they are told.
import errno
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from audit_mw.config import Config
from audit_mw.doctor.check import BAD, OK, UNKNOWN, Check
from audit_mw.doctor.life import (
    look_at_digest,
    look_at_ends,
    look_at_journals,
    look_at_rewriting,
    look_at_troubles,
    look_at_websockets,
)
from audit_mw.doctor.lists import look_at_lists
from audit_mw.doctor.options import (
    look_at_clock,
    look_at_key,
    look_at_options,
    look_at_proxies,
)
from audit_mw.doctor.place import (
    look_at_files,
    look_at_parents,
    look_at_root,
    look_at_system,
)
from audit_mw.doctor.recent import Recent, read_recent
from audit_mw.doctor.room import look_at_retention, look_at_room
from audit_mw.errors import AuditError
from audit_mw.trail.adoption import survey
from audit_mw.trail.clock import clock_state
from audit_mw.upkeep.options import options_digest
from audit_mw.upkeep.trial import try_trail

__all__ = ["examine"]


def examine(
    config: Config,
    now: float,
    *,
    roots: tuple[Path, ...] = (),
    environ: Mapping[str, str] | None = None,
    trial: bool = True,
) -> list[Check]:
    """
    Return what each check says; one that cannot be made says so.

    Args:
        config: the options, as the service has them.
        now: seconds since the epoch.
        roots: directories that a web server serves.
        environ: instead of the process's own.
        trial: whether to write beside the trail.
    """
    environ = os.environ if environ is None else environ
    found: list[Check] = []
    for name, look in _checks(config, now, roots, environ, trial=trial):
        found += _made(name, look)

    return found


def _made(name: str, look: Callable[[], Iterable[Check]]) -> Iterator[Check]:
    try:
        yield from look()
    except PermissionError as error:
        said = f"it cannot be looked at from here: {error}"
        yield Check(name, UNKNOWN, said, "run it as the owner of the trail, or as root")
    except (AuditError, OSError) as error:
        yield Check(name, BAD, str(error))


def _checks(
    config: Config,
    now: float,
    roots: tuple[Path, ...],
    environ: Mapping[str, str],
    *,
    trial: bool,
) -> Iterator[tuple[str, Callable[[], Iterable[Check]]]]:
    trail = Path(config.trail)
    journals = Path(config.journal_dir or trail / ".journal")
    # What nobody has read yet is unread, and says nothing.
    recent = {"system": Recent(unread=1), "request": Recent(unread=1)}
    if config.is_console:
        said = f"the trail is the console ({config.trail}); its files are another's"
        yield "trail", lambda: [Check("trail", UNKNOWN, said)]
    elif not trail.is_dir():
        said = f"{trail} is not there"
        mend = "name it with --trail; a service makes it at its start"
        yield "trail", lambda: [Check("trail", BAD, said, mend)]
    else:
        yield "damage", lambda: _read(recent, trail, "system", now)
        yield "damage", lambda: _read(recent, trail, "request", now)
        yield "trial", lambda: [_tried(config)] if trial else []
        yield "modes", lambda: look_at_files(trail, journals)
        yield "lists", lambda: look_at_lists(trail, journals)
        yield "parents", lambda: look_at_parents(trail)
        yield "served", lambda: look_at_root(trail, roots)
        yield "room", lambda: look_at_room(config, now)
        yield "retention", lambda: look_at_retention(trail, now)
        yield "troubles", lambda: look_at_troubles(recent, now)
        yield (
            "options",
            lambda: look_at_digest(recent["system"], options_digest(config)),
        )
        yield "websockets", lambda: look_at_websockets(recent["request"])
        yield "ends", lambda: look_at_ends(recent["system"], _alive(journals, trail))
    yield "file system", lambda: look_at_system(config)
    yield (
        "journals",
        lambda: look_at_journals(journals, None if config.is_console else trail),
    )
    yield "clock", lambda: look_at_clock(clock_state())
    yield "proxies", lambda: look_at_proxies(config)
    yield "rewriting", lambda: look_at_rewriting(config, recent["request"], environ)
    yield "key", lambda: look_at_key(config)
    yield "refusal", lambda: look_at_options(config)


def _read(
    recent: dict[str, Recent], trail: Path, stream: str, now: float
) -> Iterator[Check]:
    recent[stream] = read_recent(trail, stream, now)

    return iter(())


def _alive(journals: Path, trail: Path) -> int:
    return sum(state.alive for state in survey(journals, trail))


def _tried(config: Config) -> Check:
    try:
        is_well = try_trail(config)
    except OSError as error:
        if error.errno != errno.EROFS:
            raise
        mend = "let the service write here; for a copy on such media give --no-trial"
        return Check("trial", BAD, str(error), mend)
    if is_well:
        return Check("trial", OK, "a record and a value were written and read back")

    return Check("trial", BAD, "what was written beside the trail is not read back")
