# POSIX access control lists: who may read and change a file beside whom its mode names.
#
# The kernel gives a list as an extended attribute, little-endian (its own headers
# posix_acl_xattr.h, posix_acl.h):
#     u32 version = 2, then of each entry: u16 tag, u16 perm, u32 id
#
# Rule 1: of a file that has a list the mode's bits of the group are the mask: what its
#         group may is in the list.
# Rule 2: what a user or a group is given counts as far as the mask lets it.
# Rule 3: what is no list of this version is said to be none that is known, and never
#         that nobody else may.
import errno
import grp
import os
import pwd
import stat
import struct
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

__all__ = [
    "ACCESS",
    "DEFAULT",
    "GROUP",
    "OWN_GROUP",
    "USER",
    "Entry",
    "Grant",
    "UnknownList",
    "grants",
    "group_writers",
    "others",
    "parse_acl",
    "read_acl",
    "user",
]

ACCESS, DEFAULT = "system.posix_acl_access", "system.posix_acl_default"
_VERSION = 2
_HEADER, _ENTRY = struct.Struct("<I"), struct.Struct("<HHI")
USER, OWN_GROUP, GROUP, _MASK = 0x02, 0x04, 0x08, 0x10
_TAGS = {0x01, USER, OWN_GROUP, GROUP, _MASK, 0x20}
_READ, _WRITE, _ALL = 4, 2, 7
# There is no list, or no such thing on this file system.
_NONE = {errno.ENODATA, errno.EOPNOTSUPP, errno.ENOSYS}


class UnknownList(Exception):
    """A list of another kind than is known here."""


class Entry(NamedTuple):
    """An entry of a list: whom it is about, what is given, and who of them."""

    tag: int
    perm: int
    id: int


class Grant(NamedTuple):
    """
    What somebody may who is neither the owner nor everybody.

    Args:
        tag: `USER`, `GROUP`, or `OWN_GROUP`, the group that the file has.
        id: of the user or the group; of `OWN_GROUP` it says nothing.
        may_read, may_write: after the mask.
    """

    tag: int
    id: int
    may_read: bool
    may_write: bool

    @property
    def who(self) -> str:
        """Whom it is given to, by number, and by name if there is one."""
        if self.tag == OWN_GROUP:
            return "its group"

        return user(self.id) if self.tag == USER else _group(self.id)


def parse_acl(text: bytes) -> tuple[Entry, ...] | None:
    """Return the entries of a list as the kernel gives it; None: it is none."""
    body = text[_HEADER.size :]
    if len(text) < _HEADER.size or len(body) % _ENTRY.size:
        return None
    if _HEADER.unpack_from(text)[0] != _VERSION:
        return None
    entries = tuple(Entry(*each) for each in _ENTRY.iter_unpack(body))
    if any(each.tag not in _TAGS or each.perm > _ALL for each in entries):
        return None

    return entries


def grants(entries: Sequence[Entry]) -> tuple[Grant, ...]:
    """Return what a list gives to single users and groups, as far as its mask lets."""
    mask = next((each.perm for each in entries if each.tag == _MASK), _ALL)

    return tuple(
        Grant(
            each.tag,
            each.id,
            bool(each.perm & mask & _READ),
            bool(each.perm & mask & _WRITE),
        )
        for each in entries
        if each.tag in {USER, OWN_GROUP, GROUP}
    )


def read_acl(path: Path, name: str = ACCESS) -> tuple[Grant, ...] | None:
    """
    Return what the list of a file gives; None: it has none.

    Raises:
        UnknownList: it has one that is not known here.
        OSError: it cannot be looked at.
    """
    if not hasattr(os, "getxattr"):  # of Linux alone
        raise UnknownList("access control lists of this system are not known here")
    try:
        text = os.getxattr(path, name, follow_symlinks=False)
    except OSError as error:
        if error.errno in _NONE:
            return None
        raise
    entries = parse_acl(text)
    if entries is None:
        raise UnknownList(f"{path} has an access control list of an unknown kind")

    return grants(entries)


def others(grants: Iterable[Grant], status: os.stat_result) -> Iterator[Grant]:
    """Yield what is given to whom a file does not belong to, and who is not root."""
    for grant in grants:
        is_roots = grant.tag != OWN_GROUP and grant.id == 0
        is_owner = grant.tag == USER and grant.id == status.st_uid
        is_roots_group = grant.tag == OWN_GROUP and status.st_gid == 0
        if not (is_roots or is_owner or is_roots_group):
            yield grant


def group_writers(path: Path, status: os.stat_result) -> list[str]:
    """Return who may write to a file by the bits of its group, or its list."""
    if not status.st_mode & stat.S_IWGRP:
        return []
    found = None
    with suppress(UnknownList):  # then the bits are all that there is to judge
        found = read_acl(path)
    if found is None:
        return [] if status.st_gid == 0 else [f"the group {status.st_gid}"]

    return [each.who for each in others(found, status) if each.may_write]


def user(uid: int) -> str:
    """Return a user by number, and by name if there is one."""
    with suppress(KeyError, OverflowError):
        return f"uid {uid} ({pwd.getpwuid(uid).pw_name})"

    return f"uid {uid}"


def _group(gid: int) -> str:
    with suppress(KeyError, OverflowError):
        return f"gid {gid} ({grp.getgrgid(gid).gr_name})"

    return f"gid {gid}"
