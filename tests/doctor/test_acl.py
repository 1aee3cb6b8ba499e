# Access control lists: what the kernel gives is read as it is, and who is let in is said.
import errno
import os
import shutil
import struct
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.doctor.test_doctor import NOW

from audit_mw.config import Config
from audit_mw.doctor.acl import (
    ACCESS,
    DEFAULT,
    GROUP,
    OWN_GROUP,
    USER,
    Entry,
    UnknownList,
    grants,
    parse_acl,
    read_acl,
)
from audit_mw.doctor.check import OK, UNKNOWN, WARNING, Check
from audit_mw.doctor.examine import examine
from audit_mw.upkeep.mark import mark_trail

ALICE, STAFF = 12_345, 23_456
NO_ID = 0xFFFF_FFFF
Words = Sequence[tuple[int, int, int]]
# Owner, a user, the group, a group, the mask, all others: as the kernel sorts them.
MAY_READ: Words = (
    *((1, 6, NO_ID), (2, 4, ALICE), (4, 4, NO_ID), (8, 4, STAFF)),
    *((16, 4, NO_ID), (32, 0, NO_ID)),
)
MAY_CHANGE: Words = (
    *((1, 6, NO_ID), (2, 6, ALICE), (4, 4, NO_ID), (8, 6, STAFF)),
    *((16, 6, NO_ID), (32, 0, NO_ID)),
)
MASKED: Words = (*MAY_CHANGE[:4], (16, 0, NO_ID), (32, 0, NO_ID))
GROUP_MAY: Words = (
    *((1, 6, NO_ID), (2, 4, ALICE), (4, 6, NO_ID)),
    *((16, 6, NO_ID), (32, 0, NO_ID)),
)

entries = st.lists(
    st.builds(
        Entry,
        st.sampled_from([1, 2, 4, 8, 16, 32]),
        st.integers(0, 7),
        st.integers(0, NO_ID),
    )
)


def packed(words: Words, version: int = 2) -> bytes:
    """Return a list as the kernel has it."""
    parts = (struct.pack("<HHI", *each) for each in words)

    return struct.pack("<I", version) + b"".join(parts)


# --- as it is stored


@given(entries)
def test_round_trip(words: list[Entry]) -> None:
    """Each entry comes back, in order."""
    assert parse_acl(packed(words)) == tuple(words)


@given(st.one_of(st.binary(max_size=300), st.binary().map(lambda it: packed([]) + it)))
def test_any_bytes(text: bytes) -> None:
    """No bytes are an error; what is said is no more than was there, and no other."""
    found = parse_acl(text)

    assert found is None or packed(found) == text
    assert found is None or len(grants(found)) <= len(text) // 8


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(packed(MAY_READ, 3), id="version"),
        pytest.param(packed(MAY_READ)[:-1], id="cut"),
        pytest.param(packed([(3, 4, 0)]), id="tag"),
        pytest.param(packed([(2, 8, 0)]), id="perm"),
    ],
)
def test_unknown(text: bytes) -> None:
    """What is of another kind is none that is known."""
    assert parse_acl(text) is None


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        pytest.param(MAY_READ, "rrr", id="read"),
        pytest.param(MAY_CHANGE, "wrw", id="change"),
        pytest.param(MASKED, "---", id="masked"),
        pytest.param(MAY_CHANGE[:3], "wr", id="no mask"),
        pytest.param(GROUP_MAY, "rw", id="group"),
    ],
)
def test_grants(words: Words, expected: str) -> None:
    """Single users and groups may what they are given, as far as the mask lets them."""
    found = grants([Entry(*each) for each in words])
    said = ["w" if it.may_write else "r" if it.may_read else "-" for it in found]

    assert "".join(said) == expected
    assert {it.tag for it in found} <= {USER, OWN_GROUP, GROUP}


# --- on a file system


def put(path: Path, words: Words, name: str = ACCESS) -> None:
    """Give a file a list; skip where its file system takes none."""
    try:
        os.setxattr(path, name, packed(words))
    except OSError as error:
        if error.errno not in {errno.EOPNOTSUPP, errno.ENOSYS}:
            raise
        pytest.skip("the file system has no access control lists")


@pytest.fixture
def trail(tmp_path: Path) -> Path:
    """A trail that a service has left, of a group that is not root's."""
    tmp_path.chmod(0o750)
    path = tmp_path / "trail"
    path.mkdir(0o750)
    mark_trail(path, "restart")

    return path


def segment(trail: Path) -> Path:
    """Return the only segment."""
    return next((trail / "system").glob("*.log"))


def told(trail: Path, name: str = "lists") -> list[Check]:
    """Return what the check says."""
    config = Config.load({"trail": str(trail)}, environ={})

    return [it for it in examine(config, NOW, environ={}) if it.name == name]


def test_none(trail: Path) -> None:
    """Where there is no list, nobody is let in by one."""
    assert read_acl(segment(trail)) is None
    assert [check.state for check in told(trail)] == [OK]


def test_reads(trail: Path) -> None:
    """Who may read beside the mode is said, and is no fault."""
    put(segment(trail), MAY_READ)
    found = told(trail)

    assert {check.state for check in found} == {OK}
    assert [check.said for check in found] == [
        f"by an access control list {who} may read {segment(trail)}"
        for who in (f"gid {STAFF}", f"uid {ALICE}")
    ]


def test_changes(trail: Path) -> None:
    """Who may change what is evidence is a fault, and is said with how to mend it."""
    put(segment(trail), MAY_CHANGE)
    put(trail / "system", MAY_CHANGE)
    found = [check for check in told(trail) if check.state == WARNING]

    assert [f"uid {ALICE} may change" in check.said for check in found] == [False, True]
    assert all("with 2 in all" in check.said and check.mend for check in found)
    # The bits of the group are the mask: of the group itself nothing wrong is said.
    assert not any("by its group" in check.said for check in told(trail, "modes"))


def test_masked(trail: Path) -> None:
    """What the mask does not let through is given to nobody."""
    put(segment(trail), MASKED)

    assert {check.state for check in told(trail)} == {OK}
    assert "lets anybody in" in told(trail)[0].said


def test_default(trail: Path) -> None:
    """What a directory hands on to all that is made in it is said."""
    put(trail / "system", MAY_CHANGE, DEFAULT)
    found = told(trail)

    assert {check.state for check in found} == {WARNING}
    assert all(f"what will be made in {trail}/system" in it.said for it in found)


def test_own_group(trail: Path) -> None:
    """A list by which the group of the file may change it is found, but root's."""
    group = os.getgid() or (65_534 if os.geteuid() == 0 else 0)
    os.chown(segment(trail), -1, group)
    put(segment(trail), GROUP_MAY)
    states = {check.state for check in told(trail) if "its group" in check.said}

    assert states == ({WARNING} if group else set())


def test_parent(trail: Path) -> None:
    """Who may rename the trail by a list is told, too."""
    words = [(tag, perm | 1, who) for tag, perm, who in MAY_CHANGE]
    put(trail.parent, words)
    said = [check.said for check in told(trail, "parents")]

    assert f"uid {ALICE} may rename what is in {trail.parent}" in said


def test_own(trail: Path) -> None:
    """Of root, and of the owner, nothing is said."""
    owner = segment(trail).stat().st_uid
    words = [(1, 6, NO_ID), (2, 6, owner), (4, 4, NO_ID), (16, 6, NO_ID)]
    words += [(32, 0, NO_ID)]
    put(segment(trail), words)

    assert {check.state for check in told(trail)} == {OK}


def test_another_kind(trail: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the system has lists of another kind, nobody says that there is none."""
    monkeypatch.delattr(os, "getxattr")
    with pytest.raises(UnknownList):
        read_acl(trail)

    assert {check.state for check in told(trail)} == {UNKNOWN}
    assert {check.state for check in told(trail, "parents")} != {UNKNOWN}


@pytest.mark.skipif(shutil.which("setfacl") is None, reason="needs setfacl")
def test_setfacl(trail: Path) -> None:
    """What the tool of the system sets is read."""
    put(segment(trail), MAY_READ)
    subprocess.run(["setfacl", "-m", "u:54321:rw", segment(trail)], check=True)

    assert any("uid 54321 may change" in check.said for check in told(trail))
