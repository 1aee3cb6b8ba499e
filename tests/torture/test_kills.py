# kill -9 at random instants: a few here, 2,000 of them in `make torture`.
from pathlib import Path

import pytest
from tests.chance import seed_of
from tests.torture.kills import Round, run_round

SEED = seed_of("TORTURE_SEED")


@pytest.mark.parametrize(
    ("names", "ending"),
    [
        pytest.param(
            ["uvicorn", "gunicorn sync"], "recover", marks=pytest.mark.torture
        ),
        pytest.param(
            ["uvicorn", "gunicorn gthread"], "a new process", marks=pytest.mark.torture
        ),
        (["uvicorn", "gunicorn asgi"], "the living"),
    ],
)
def test_kills(tmp_path: Path, names: list[str], ending: str) -> None:
    """What was answered is recorded once, what began is recorded, no line is torn."""
    done = run_round(Round(names, 4, SEED, ending), tmp_path)

    assert done.answered > 0
    assert done.wrong == [], str(done)
