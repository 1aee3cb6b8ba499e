# Where the trail lies: who can read, change or remove it, on what, and for how long
# there is room.
import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from audit_mw.config import Config
from audit_mw.doctor.acl import UnknownList, group_writers, read_acl, user
from audit_mw.doctor.check import BAD, OK, UNKNOWN, WARNING, Check
from audit_mw.event import STREAMS
from audit_mw.trail.mounts import file_system
from audit_mw.trail.record import VALUES
from audit_mw.upkeep.trial import PREFIX

__all__ = [
    "files_of",
    "look_at_files",
    "look_at_parents",
    "look_at_root",
    "look_at_system",
]

_ELSE = stat.S_IRWXO
# Names of directories that web servers serve as they are, as a rule.
_SERVED = {
    *("htdocs", "html", "media", "public", "public_html", "static", "staticfiles"),
    *("assets", "dist", "webroot", "www", "wwwroot", "uploads"),
}
_MEMORY = {"devtmpfs", "ramfs", "rootfs", "tmpfs"}
_NETWORK = {
    *("9p", "afs", "beegfs", "ceph", "cifs", "coda", "gfs2", "glusterfs", "gpfs"),
    *("lustre", "ncpfs", "nfs", "nfs4", "ocfs2", "orangefs", "smb2", "smb3", "smbfs"),
    *("vboxsf", "virtiofs", "wekafs"),
}
_MOST = 20_000  # names below what is served that are looked at


def look_at_files(trail: Path, journals: Path) -> Iterator[Check]:
    """Judge modes and owners of all that is in a trail, and of its journals."""
    status = trail.stat()
    open_to_all, of_others, links, left = [], [], [], []
    of_groups = []
    for path in files_of(trail, journals):
        found = path.lstat()
        if stat.S_ISLNK(found.st_mode):
            links.append(path)
            continue
        if found.st_mode & _ELSE:
            open_to_all.append(path)
        if _is_of_group(path, found):
            of_groups.append(path)
        if found.st_uid != status.st_uid:
            of_others.append(path)
        if path.name.startswith(PREFIX):
            left.append(path)
    yield _named(
        "modes",
        open_to_all,
        "open to every user of the machine",
        "nothing is open to every user of the machine",
        "chmod -R o-rwx it; the records are personal data",
    )
    if of_groups:
        said = (
            f"{of_groups[0]} can be changed by its group, with {len(of_groups)} in all"
        )
        yield Check("modes", WARNING, said, "chmod -R g-w it, unless only writers are")
    yield _named(
        "owners",
        of_others,
        f"not owned by {user(status.st_uid)}, as the trail is",
        f"all is owned by {user(status.st_uid)}",
        "chown it; a writer cannot append to what is another's",
    )
    yield _named(
        "links",
        links,
        "a symbolic link, which no writer or reader follows",
        "there are no symbolic links in it",
        "find out who made it",
    )
    if left:
        yield Check(
            "trial", WARNING, f"{left[0]} was left by a doctor that died", "remove it"
        )


def _named(name: str, found: list[Path], wrong: str, right: str, mend: str) -> Check:
    if not found:
        return Check(name, OK, right)
    more = f", and {len(found) - 1} more" if len(found) > 1 else ""

    return Check(name, BAD, f"{found[0]} is {wrong}{more}", mend)


def _is_of_group(path: Path, found: os.stat_result) -> bool:
    if not found.st_mode & stat.S_IWGRP or found.st_gid == 0:
        return False
    # Where there is a list these bits are its mask, and `look_at_lists` judges it.
    with suppress(UnknownList):
        return read_acl(path) is None

    return True


def files_of(trail: Path, journals: Path) -> Iterator[Path]:
    """Yield all that is in a trail, itself as well, and its journals elsewhere."""
    yield from _all_in(trail)
    yield from _elsewhere(trail, journals)


def _all_in(trail: Path) -> Iterator[Path]:
    yield trail
    for name in ("", *STREAMS, VALUES, ".journal"):
        if not (trail / name).is_symlink():
            with suppress(FileNotFoundError, NotADirectoryError):
                yield from sorted((trail / name).iterdir())


def _elsewhere(trail: Path, journals: Path) -> Iterator[Path]:
    """Yield the directory of journals and what is in it, if it is not in the trail."""
    if journals.parent != trail and journals.is_dir():
        yield journals
        yield from sorted(journals.glob("*.journal"))


def look_at_parents(trail: Path) -> Iterator[Check]:
    """Judge the directories above: who may rename or replace the trail."""
    owner = trail.stat().st_uid
    found = []
    for path in trail.absolute().parents:
        status = path.lstat()
        if stat.S_ISLNK(status.st_mode):
            found.append(Check("parents", WARNING, f"{path} is a symbolic link"))
            continue
        found += _judged(path, status, owner)
    yield from found or [
        Check("parents", OK, "nobody but its owner and root can rename the trail")
    ]
    if trail.is_symlink():
        yield Check("parents", WARNING, f"{trail} itself is a symbolic link")


def _judged(path: Path, status: os.stat_result, owner: int) -> Iterator[Check]:
    is_sticky = bool(status.st_mode & stat.S_ISVTX)
    if status.st_mode & stat.S_IWOTH:
        yield Check(
            "parents",
            WARNING if is_sticky else BAD,
            f"every user may write to {path}",
            "put the trail where only its owner and root can rename what is above it",
        )
    elif not is_sticky:
        for who in group_writers(path, status):
            said = f"{who} may rename what is in {path}"
            yield Check("parents", WARNING, said, f"chmod g-w {path}")
    if status.st_uid not in (0, owner):
        said = f"{path} belongs to {user(status.st_uid)}, who may rename the trail"
        yield Check("parents", WARNING, said, f"chown {path}, or move the trail")


def look_at_root(trail: Path, roots: tuple[Path, ...]) -> Iterator[Check]:
    """
    Tell whether a web server may serve the trail.

    Args:
        roots: directories that are served, as the user names them.
    """
    real = trail.resolve()
    unsure = ""
    for root in roots:
        if real.is_relative_to(root.resolve()):
            said = f"the trail is below {root}, which is served"
            yield Check("served", BAD, said, "move it: whoever asks for it gets it")
            return
        link, is_whole = _link_to(real, root)
        if link is not None:
            said = f"{link}, which is served, leads to the trail"
            yield Check("served", BAD, said, "remove it")
            return
        unsure = unsure or ("" if is_whole else f"not all of {root} could be looked at")
    named = [part for part in real.parts if part.lower() in _SERVED]
    if named:
        said = f"{named[0]!a} in its path is a name that web servers serve, as a rule"
        yield Check("served", WARNING, said, "move it, unless nothing serves it")
    elif unsure:
        yield Check("served", UNKNOWN, unsure, "see that no link there leads to it")
    elif roots:
        yield Check("served", OK, "the trail is below none of the served directories")
    else:
        said = "no name in its path is one that is served as a rule"
        mend = "name what is served, with --static, for a sure answer"
        yield Check("served", UNKNOWN, said, mend)


def _link_to(trail: Path, root: Path) -> tuple[Path | None, bool]:
    """Return a link below a directory to a trail or around it; whether all was seen."""
    failed: list[OSError] = []
    names = 0
    for directory, below, files in os.walk(root, onerror=failed.append):
        for name in (*below, *files):
            path = Path(directory, name)
            if path.is_symlink() and _leads(path, trail):
                return path, True
        names += len(below) + len(files)
        if names > _MOST:
            return None, False

    return None, not failed


def _leads(link: Path, trail: Path) -> bool:
    real = Path(os.path.realpath(link))

    return trail.is_relative_to(real) or real.is_relative_to(trail)


def look_at_system(config: Config) -> Iterator[Check]:
    """Judge the file systems of trail and journals."""
    journal = Path(config.journal_dir or Path(config.trail) / ".journal")
    if not config.is_console:
        yield _judged_system("trail", Path(config.trail))
    yield _judged_system("journal", journal)


def _judged_system(what: str, directory: Path) -> Check:
    name, kind = f"{what} file system", file_system(directory)
    if kind is None:
        return Check(name, UNKNOWN, "the kernel does not tell")
    if kind in _MEMORY:
        said = f"{directory} is in memory ({kind}): a restart of the machine loses it"
        mend = "put it on a disk"
        return Check(name, BAD if what == "trail" else WARNING, said, mend)
    if kind in _NETWORK or kind.startswith("fuse"):
        said = f"{directory} is on {kind}: locks, and what sync means, are the server's"
        return Check(name, WARNING, said, "use a local disk, and ship the lines")
    if kind in ("overlay", "aufs"):
        said = f"{directory} is on {kind}, which goes with its container"
        return Check(name, WARNING, said, "mount a volume there")

    return Check(name, OK, f"{directory} is on {kind}")
