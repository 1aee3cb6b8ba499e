# Mixed load at real servers with two workers: as many records as requests, each once,
# whole, in sequence, and of nobody else.
import asyncio
import random
from itertools import islice
from pathlib import Path

import pytest
from tests.chance import seed_of
from tests.compat.load.client import Client
from tests.compat.load.judge import await_records, complaints
from tests.compat.load.mix import plan
from tests.compat.load.servers import SERVERS, loading

_CONNECTIONS = 24
_SIZES = [
    pytest.param(2_000, id="small"),
    pytest.param(50_000, id="large", marks=pytest.mark.long),
]


@pytest.mark.parametrize("count", _SIZES)
@pytest.mark.parametrize("name", SERVERS)
def test_mixed_load(name: str, count: int, tmp_path: Path) -> None:
    """Every request has its one record, which holds what it sent, and how it ended."""
    drawn = seed_of("LOAD_SEED")
    print(f"LOAD_SEED={drawn}")
    chance = random.Random(drawn)
    with loading(name, tmp_path) as loaded:
        batches = plan(count, loaded.server.left_out, chance)
        client = Client(loaded.running.port, batches, chance)
        asyncio.run(client.run(_CONNECTIONS))
        await_records(loaded)
    workers = loaded.witnessed()
    witnessed = [word for words in workers.values() for word in words]
    wrong = list(islice(complaints(loaded.trail, client.sent, witnessed), 20))
    print(*wrong, sep="\n")

    assert wrong == []
    assert len(workers) == 2
    assert len(client.sent) == count
