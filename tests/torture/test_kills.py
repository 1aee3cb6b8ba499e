# kill -9 at random instants: a few here, 2,000 of them in `make torture`.
import os
import random
from pathlib import Path

import pytest
from tests.torture.kills import Round, run_round

SEED = int(os.environ.get("TORTURE_SEED") or random.SystemRandom().getrandbits(30))


@pytest.mark.parametrize(
    ("names", "ending"),
    [
        (["uvicorn", "gunicorn sync"], "recover"),
        (["uvicorn", "gunicorn gthread"], "a new process"),
        (["uvicorn", "gunicorn asgi"], "the living"),
    ],
)
def test_kills(tmp_path: Path, names: list[str], ending: str) -> None:
    """What was answered is recorded once, what began is recorded, no line is torn."""
    done = run_round(Round(names, 7, SEED, ending), tmp_path)

    assert done.answered > 0
    assert done.wrong == [], str(done)
