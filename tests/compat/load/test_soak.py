# Memory and descriptors of a server that is under load for long.
from pathlib import Path

import pytest
from tests.compat.load.flat import MIB, Sample, unflat
from tests.compat.load.servers import SERVERS
from tests.compat.load.soak import report, soak


@pytest.mark.parametrize(
    ("leak", "files", "sockets", "said"),
    [
        pytest.param(0, 0, 4, [], id="flat"),
        pytest.param(20, 0, 4, [], id="an arena, settling"),
        pytest.param(64, 0, 4, ["median"], id="an object a request"),
        pytest.param(400, 0, 4, ["median"], id="a leak"),
        pytest.param(0, 1, 4, ["files"], id="a file every second"),
        pytest.param(0, 0, 40, ["sockets"], id="sockets"),
    ],
)
def test_unflat(leak: int, files: int, sockets: int, said: list[str]) -> None:
    """What grows after the warm-up is named; what grew in it is not."""
    warm = [Sample(at * 80, 40 * MIB + at * MIB // 10, ("x",), 8) for at in range(300)]
    start = warm[-1]
    steady = [
        Sample(
            start.requests + at * 80,
            start.resident + at * 80 * leak,
            ("x",) * (1 + files * at),
            sockets,
        )
        for at in range(1, 601)
    ]
    found = list(unflat(warm + steady))

    assert len(found) == len(said)
    assert all(word in line for word, line in zip(said, found, strict=True))


def test_short_soak(tmp_path: Path) -> None:
    """Both servers are loaded at once, each worker is watched, and no trail is wrong."""
    soaked = soak(list(SERVERS), 5, tmp_path)

    assert {name: len(it.samples) for name, it in soaked.items()} == {
        "uvicorn": 2,
        "gunicorn": 2,
    }
    assert [said for it in soaked.values() for said in it.wrong()] == []


@pytest.mark.long
def test_long_soak(tmp_path: Path) -> None:
    """For ten minutes memory and descriptors are flat, and no trail is wrong."""
    soaked = soak(list(SERVERS), 600, tmp_path)
    lines = list(report(soaked))
    print(*lines, sep="\n")

    assert [line for line in lines if "NOT FLAT" in line] == []
    assert [said for it in soaked.values() for said in it.wrong()] == []
