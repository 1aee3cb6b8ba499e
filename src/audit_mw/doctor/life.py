# What the trail tells of the service: whether it was stopped, refused, or lost anything
# of late; and whether addresses, options and lifespan are what one takes them to be.
import os
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

from audit_mw.config import Config
from audit_mw.doctor.check import BAD, OK, UNKNOWN, WARNING, Check
from audit_mw.doctor.recent import Recent
from audit_mw.event import Event
from audit_mw.trail.adoption import survey

__all__ = [
    "look_at_digest",
    "look_at_ends",
    "look_at_journals",
    "look_at_rewriting",
    "look_at_troubles",
    "look_at_websockets",
]

_DAYS = 7
_TROUBLES = {
    "log_gap": "lines that vanished from a segment",
    "log_refused": "requests that were refused, or served without a record",
    "log_space": "too little space",
    "sys_crash": "a process that died",
}


def look_at_troubles(recent: Mapping[str, Recent], now: float) -> Iterator[Check]:
    """Tell of gaps, refusals and damage of late; `now` in seconds."""
    since = int((now - _DAYS * 86_400) * 1_000_000)
    count = Counter(
        event.type for event in recent["system"].events if event.time >= since
    )
    found = [kind for kind in _TROUBLES if count[kind]]
    for kind in found:
        said = f"{count[kind]} times {kind} in {_DAYS} days: {_TROUBLES[kind]}"
        yield Check(
            "troubles", WARNING, said, f"look: audit-mw tail -s system ({kind})"
        )
    if not found and not recent["system"].is_whole:
        said = f"not all of the last {_DAYS} days of system could be read in a moment"
        mend = "look: audit-mw find --stream system --type 'log_*'"
        yield Check("troubles", UNKNOWN, said, mend)
    elif not found:
        yield Check("troubles", OK, f"no gap, refusal or crash in {_DAYS} days")
    for stream, each in recent.items():
        if each.strangers:
            said = f"in {stream} there is what is no file where a segment is to stand"
            yield Check("damage", BAD, said, "find out who put it there")
        if each.damaged:
            said = f"{each.damaged} of the last lines of {stream} are damaged"
            yield Check("damage", BAD, said, "run audit-mw verify")
        elif each.unread:
            yield Check("damage", UNKNOWN, f"{stream} cannot be read from here")
        elif not each.events:
            yield Check("damage", UNKNOWN, f"there is no record of {stream} to look at")
        else:
            said = f"the last {len(each.events)} records of {stream} are whole"
            yield Check("damage", OK, said, "audit-mw verify reads all")


def look_at_journals(directory: Path, trail: Path | None) -> Iterator[Check]:
    """Tell of journals of processes that died."""
    found = False
    try:
        # One that cannot be looked into would be taken for an empty one.
        os.scandir(directory).close()
    except FileNotFoundError:
        if os.path.lexists(directory):  # a link that leads nowhere
            raise
    for state in survey(directory, trail):
        found = found or not state.alive
        if state.problem is not None:
            said = f"{state.path} cannot be read: {state.problem}"
            yield Check("journals", BAD, said, "keep it; see audit-mw recover")
        elif not state.alive:
            said = (
                f"{state.path} is of a process that died; {state.waiting} records wait"
            )
            yield Check("journals", WARNING, said, "run audit-mw recover")
    if not found:
        yield Check("journals", OK, "no process died and left its journal")


def look_at_ends(recent: Recent, alive: int) -> Iterator[Check]:
    """
    Tell whether processes say when they begin and end.

    Args:
        recent: of `system`.
        alive: how many journals somebody has.
    """
    began = {e.instance for e in recent.events if e.type == "sys_startup"}
    ended = {e.instance for e in recent.events if e.type == "sys_shutdown"}
    if not began:
        yield Check("ends", UNKNOWN, "no process said that it began, of late")
        return
    silent = max(len(began - ended) - alive, 0)
    said = f"{silent} of the last {len(began)} processes ended without sys_shutdown"
    mend = "they were killed, or the server runs without lifespan (uvicorn: --lifespan)"
    yield Check("ends", WARNING if silent else OK, said, mend if silent else "")


def look_at_digest(recent: Recent, digest: bytes | None) -> Iterator[Check]:
    """
    Tell whether the options that are read here are those of the service.

    Args:
        recent: of `system`.
        digest: of the options; None if there is no key yet.
    """
    told = [e.details.get("config") for e in recent.events if e.type == "sys_startup"]
    known = [each for each in told if each is not None]
    if not known or digest is None:
        yield Check("options", UNKNOWN, "no service told of its options, of late")
    elif known[-1] == digest:
        yield Check("options", OK, "the service began with the options that are read")
    else:
        said = "the service began with other options than those that are read here"
        mend = "give its environment and AUDIT_MW_CONFIG; what code gives is not seen"
        yield Check("options", UNKNOWN, said, mend)


def look_at_websockets(recent: Recent) -> Iterator[Check]:
    """Tell of websockets, of which messages are counted only."""
    count = sum(event.type == "websocket" for event in recent.events)
    if count:
        said = f"of {count} recent websockets messages are counted, and none is kept"
        mend = "have the application tell of them: audit_mw.security, audit_mw.call"
        yield Check("websockets", WARNING, said, mend)
    elif not recent.events:
        yield Check("websockets", UNKNOWN, "there is no request to look at")
    else:
        said = f"none of the last {len(recent.events)} requests was a websocket"
        yield Check("websockets", OK, said)


def look_at_rewriting(
    config: Config, recent: Recent, environ: Mapping[str, str]
) -> Iterator[Check]:
    """Tell whether something before us puts another address in the peer's place."""
    events = [event for event in recent.events if event.peer is not None]
    by = Counter(filter(None, map(_rewriter, events)))
    if by:
        who, count = by.most_common(1)[0]
        said = f"in {count} of the last {len(events)} requests {who} replaced the peer"
        mend = (
            "turn it off (uvicorn: --no-proxy-headers); trusted_proxies does the same"
        )
        yield Check("rewriting", WARNING, said, mend)
    allowed = environ.get("FORWARDED_ALLOW_IPS")
    if allowed is not None:
        state = BAD if "*" in allowed else WARNING
        said = f"FORWARDED_ALLOW_IPS is {allowed!a}: a server believes these peers"
        yield Check("rewriting", state, said, "unset it, and use trusted_proxies")
    if not by and allowed is None:
        state = OK if events else UNKNOWN
        said = f"in none of the last {len(events)} requests was the peer replaced"
        yield Check("rewriting", state, said)
    yield from _claims(config, events)


def _rewriter(event: Event) -> str | None:
    found = event.details.get("rewritten")
    by = found.get("by") if isinstance(found, Mapping) else None

    return ascii(by.decode("latin-1")) if isinstance(by, bytes) else None


def _claims(config: Config, events: list[Event]) -> Iterator[Check]:
    via = Counter(event.details.get("via") for event in events)
    claims = via[b"untrusted-claim"]
    if claims and not config.trusted_proxies and claims * 2 > len(events):
        said = f"{claims} of the last {len(events)} requests name another client"
        mend = "name the proxy in trusted_proxies, if there is one"
        yield Check("proxies", WARNING, said, mend)
    if via[b"malformed"]:
        said = f"{via[b'malformed']} of the last {len(events)} chains of proxies break"
        yield Check("proxies", WARNING, said, "see docs/proxies.md")
