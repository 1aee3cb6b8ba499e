# What the options promise: proxies that are trusted, the key, what happens where no
# record can be written.
import string
from collections.abc import Iterator
from ipaddress import ip_network
from itertools import pairwise
from pathlib import Path

from audit_mw.config import Config
from audit_mw.doctor.check import BAD, OK, UNKNOWN, WARNING, Check
from audit_mw.errors import ConfigError
from audit_mw.trail.clock import ClockState
from audit_mw.trail.key import KEY_NAME, load_key

__all__ = ["look_at_clock", "look_at_key", "look_at_options", "look_at_proxies"]

_WIDE = {4: 8, 6: 16}  # bits of a network below which it is half of the world
_TEXT = frozenset(string.printable.encode())
_DISTINCT = 16  # of 32 random bytes fewer are different once in 10**9 times
_OFF = 1_000_000  # microseconds


def look_at_clock(state: ClockState) -> Iterator[Check]:
    """Judge what the kernel says of its clock."""
    if state.synchronised is None:
        yield Check("clock", UNKNOWN, "the kernel does not tell")
    elif not state.synchronised:
        mend = "run chrony (with rtcsync), ntpd or systemd-timesyncd"
        # chrony without rtcsync keeps it, and does not tell the kernel.
        yield Check(
            "clock", WARNING, "no one tells the kernel that it is in step", mend
        )
    elif (state.error or 0) > _OFF:
        said = f"the clock may be off by {state.error} microseconds"
        yield Check("clock", WARNING, said, "look at what keeps it")
    else:
        yield Check("clock", OK, f"in step, off by {state.error} microseconds at most")


def look_at_proxies(config: Config) -> Iterator[Check]:
    """Judge who is believed."""
    if not config.trusted_proxies:
        yield Check("proxies", OK, "no proxy is trusted: client is the peer")
    for named in config.trusted_proxies:
        yield _judged(named)


def _judged(named: str) -> Check:
    if named == "unix":
        return Check("proxies", OK, "peers on a Unix socket are believed")
    network = ip_network(named, strict=False)
    said = f"{network} is believed"
    mend = "name the addresses of your proxies, and nothing else"
    if network.prefixlen == 0:
        said = f"{network}: everybody is believed to be whomever he says"
        return Check("proxies", BAD, said, mend)
    if network.is_private or network.is_loopback:
        return Check(
            "proxies", OK, f"{said}: {network.num_addresses} private addresses"
        )
    if network.prefixlen < _WIDE[network.version]:
        return Check("proxies", BAD, f"{said}: a large part of the world", mend)
    many = network.num_addresses
    state = OK if many == 1 else WARNING

    return Check("proxies", state, f"{said}: {many} public addresses", mend)


def look_at_key(config: Config) -> Iterator[Check]:
    """Judge the key of the keyed digests; it is shown nowhere, nor what it is like."""
    if config.key is not None:
        yield from _strength(config.key, "the option key")
        return
    where = config.key_file or str(Path(config.trail) / KEY_NAME)
    if not Path(where).exists():
        yield Check("key", UNKNOWN, f"{where} is not there yet")
        return
    try:
        key = load_key(config)
    except ConfigError as error:
        yield Check("key", BAD, f"{where} is no key to use: {error}")
    except OSError as error:
        yield Check(
            "key", UNKNOWN, f"{where} cannot be read from here: {error.strerror}"
        )
    else:
        yield from _strength(key, where)
        yield from _owner_of(Path(where), Path(config.trail))


def _owner_of(key: Path, trail: Path) -> Iterator[Check]:
    owner = key.stat().st_uid
    if trail.is_dir() and owner not in (0, trail.stat().st_uid):
        said = f"{key} belongs to uid {owner}, who is not the owner of the trail"
        yield Check("key", BAD, said, "chown it: who owns it can read it")


def _strength(key: bytes, where: str) -> Iterator[Check]:
    mend = "make one of random bytes: head -c 32 /dev/urandom; old digests stay as is"
    steps = {(after - before) % 256 for before, after in pairwise(key)}
    # 0, 1, 2, ... has many bytes, and is guessed first of all.
    if min(len(set(key)), len(steps)) < _DISTINCT:
        yield Check("key", BAD, f"{where} repeats few bytes: it can be guessed", mend)
    elif set(key) <= _TEXT:
        said = f"{where} is text: if somebody thought of it, it can be guessed"
        yield Check("key", WARNING, said, mend)
    else:
        yield Check("key", OK, f"{where} has {len(key)} bytes and looks random")


def look_at_options(config: Config) -> Iterator[Check]:
    """Judge what happens where no record can be written, and what is not recorded."""
    if config.on_failure == "serve":
        said = "on_failure=serve: what cannot be recorded is served all the same"
        yield Check("refusal", BAD, said, "on_failure=refuse")
    elif config.serve_unlogged:
        said = (
            f"{len(config.serve_unlogged)} paths are served though none can be written"
        )
        yield Check("refusal", WARNING, said, "only for what says nothing of anybody")
    else:
        yield Check("refusal", OK, "what cannot be recorded is not served")
    if config.detectors:
        yield Check(
            "detectors", OK, f"{len(config.detectors)} detectors tell of attacks"
        )
    else:
        yield Check("detectors", WARNING, "no detector is on", "detectors=all")
    said = {
        "process": "a record outlives its process, not a loss of power",
        "disk": "a record is on the disk before the response ends",
    }[config.durability]
    yield Check("durability", OK, said)
