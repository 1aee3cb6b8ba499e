# Who may read or change the trail by an access control list, which no mode shows.
#
# Rule 1: who is let in by name is named, with what he may. That he may read is no
#         fault, as it is none of a group; that he may change it is one.
# Rule 2: root may all, and the owner is the owner: of them nothing is said.
from collections.abc import Iterator
from pathlib import Path

from audit_mw.doctor.acl import (
    ACCESS,
    DEFAULT,
    OWN_GROUP,
    UnknownList,
    others,
    read_acl,
)
from audit_mw.doctor.check import OK, UNKNOWN, WARNING, Check
from audit_mw.doctor.place import files_of

__all__ = ["look_at_lists"]

_NAME = "lists"
# Verb, and what is said of it -> the paths of which it is said.
_Given = dict[tuple[str, str], list[Path]]


def look_at_lists(trail: Path, journals: Path) -> Iterator[Check]:
    """Judge the access control lists of all that is in a trail, and of its journals."""
    given: _Given = {}
    unknown: list[str] = []
    for path in files_of(trail, journals):
        if path.is_symlink():
            continue
        try:
            _note(given, path)
        except UnknownList as error:
            unknown.append(str(error))
        except FileNotFoundError:  # closed or expired since
            continue
    if unknown:
        said = f"{unknown[0]}, and {len(unknown)} in all are not known"
        yield Check(_NAME, UNKNOWN, said, "look at it with getfacl")
    yield from _told(given)
    if not (given or unknown):
        yield Check(_NAME, OK, "no access control list lets anybody in beside the mode")


def _note(given: _Given, path: Path) -> None:
    status = path.lstat()
    for kind, words in (ACCESS, ""), (DEFAULT, "what will be made in "):
        if kind == DEFAULT and not path.is_dir():
            continue
        for grant in others(read_acl(path, kind) or (), status):
            if grant.may_write or (grant.may_read and grant.tag != OWN_GROUP):
                verb = "change" if grant.may_write else "read"
                what = f"{grant.who} may {verb} {words}"
                given.setdefault((verb, what), []).append(path)


def _told(given: _Given) -> Iterator[Check]:
    for (verb, what), paths in sorted(given.items()):
        more = f", with {len(paths)} in all" if len(paths) > 1 else ""
        said = f"by an access control list {what}{paths[0]}{more}"
        if verb == "read":
            yield Check(_NAME, OK, said)
        else:
            mend = "setfacl -b it, unless he is a writer; getfacl shows who"
            yield Check(_NAME, WARNING, said, mend)
