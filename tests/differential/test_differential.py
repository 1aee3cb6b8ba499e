# Bare against wrapped, over thousands of generated requests: each call, message, chunk,
# object, suspension, exception and context is the same and in the same order.
#
# That the comparison would notice is shown by middlewares that are wrong on purpose. A
# seed draws the same requests again: DIFFERENTIAL_SEED=... of a failure.
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from functools import partial
from typing import Any

import pytest
import uvloop
from tests.chance import seed_of
from tests.differential import asgi_app, wsgi_app
from tests.differential.asgi_requests import AsgiRequest
from tests.differential.comparing import (
    Batch,
    Interface,
    batches,
    every_point,
    find_difference,
    shrink,
)
from tests.differential.faulty import (
    FAULTY_ASGI,
    FAULTY_WSGI,
    PassingAsgi,
    PassingWsgi,
)
from tests.differential.interfaces import asgi_asyncio, asgi_trio, wsgi
from tests.differential.wsgi_results import RESULTS
from tests.edges.audited import Audited
from tests.effort import EFFORT

SEED = seed_of("DIFFERENTIAL_SEED")
MANY = 3_000
SOME = 500
PARTS = 6

Opened = Callable[[], AbstractContextManager[Interface]]
BOTH = pytest.mark.parametrize(
    ("opened", "name"), [(asgi_asyncio, "asgi"), (wsgi, "wsgi")], ids=["asgi", "wsgi"]
)


def _assert_none(
    interface: Interface, wrap: Any, seed: int, requests: Iterable[Batch]
) -> None:
    found = find_difference(interface, wrap, requests)
    if found is not None:
        small = shrink(interface, wrap, found)
        pytest.fail(f"DIFFERENTIAL_SEED={seed}, {small}", pytrace=False)


# --- ours


def _counted(requests: Iterable[Batch], drawn: list[Any]) -> Iterator[Batch]:
    for batch in requests:
        drawn.extend(batch)
        yield batch


def _is_recorded(request: Any) -> bool:
    if isinstance(request, AsgiRequest):
        return request.scope["type"] in ("http", "websocket")
    return True


def _assert_transparent(opened: Opened, wrap: Audited, seed: int, count: int) -> None:
    drawn: list[Any] = []
    with opened() as interface:
        requests = _counted(batches(interface, seed, count), drawn)
        _assert_none(interface, wrap, seed, requests)

    assert count == len(drawn)
    assert sum(map(_is_recorded, drawn)) == len(wrap.events())


@BOTH
def test_ours(opened: Opened, name: str, audited: Audited) -> None:
    """With us nothing is different in a thousand requests, and each has its record."""
    del name
    _assert_transparent(opened, audited, SEED, 2 * SOME)


@pytest.mark.long
@pytest.mark.parametrize("part", range(1, PARTS + 1))  # so that all workers have some
@BOTH
def test_ours_at_length(opened: Opened, name: str, part: int, audited: Audited) -> None:
    """The same over many more, others in each part."""
    print(f"{name}: DIFFERENTIAL_SEED={SEED + part}")
    _assert_transparent(opened, audited, SEED + part, 2 * EFFORT * MANY // PARTS)


def test_ours_in_uvloop(audited: Audited) -> None:
    """In the loop that servers like best nothing is different either."""
    opened = partial(asgi_asyncio, uvloop.new_event_loop)
    _assert_transparent(opened, audited, SEED, SOME)


def test_ours_in_trio(audited: Audited) -> None:
    """The edge knows no loop, so trio, where nothing is asyncio's, is no different."""
    interface = asgi_trio()
    drawn = batches(interface, SEED, SOME)
    alone = [(request,) for batch in drawn for request in batch if request.is_alone]
    _assert_none(interface, audited, SEED, alone)

    assert len(alone) >= SOME // 2


_ASGI_TROUBLES = [
    ("cancel", "suspended"),
    ("cancel twice", "suspended"),
    ("abandon", "suspended"),
    ("send", "server takes"),
    ("receive", "server is asked"),
]
_WSGI_TROUBLES = [
    ("leaves", "server sends"),
    ("send", "server sends"),
    ("start", "server is told"),
    ("input", "input "),
]


def _calm(interface: Interface, troubles: Any) -> Iterator[Batch]:
    requests = [
        request
        for batch in batches(interface, SEED, 160)
        for request in batch
        if request.trouble.what == "none" and request.catches != "all"
    ]

    return every_point(interface, requests, troubles)


@pytest.mark.parametrize(
    ("opened", "troubles"),
    [(asgi_asyncio, _ASGI_TROUBLES), (wsgi, _WSGI_TROUBLES)],
    ids=["asgi", "wsgi"],
)
def test_ours_at_every_point(opened: Opened, troubles: Any, audited: Audited) -> None:
    """Cancelled, closed or failing at every point of a call, it fails as without us."""
    drawn: list[Any] = []
    with opened() as interface:
        requests = _counted(_calm(interface, troubles), drawn)
        _assert_none(interface, audited, SEED, requests)

    assert len(drawn) > SOME


# --- the comparison itself


def _same(app: Any) -> Any:
    return app


@pytest.mark.parametrize(
    ("opened", "right"),
    [
        (asgi_asyncio, _same),
        (asgi_asyncio, PassingAsgi),
        (wsgi, _same),
        (wsgi, PassingWsgi),
    ],
    ids=["asgi bare", "asgi", "wsgi bare", "wsgi"],
)
def test_right_middleware(opened: Opened, right: Any) -> None:
    """Nothing differs without a middleware, nor with one that does nothing."""
    with opened() as interface:
        _assert_none(interface, right, SEED, batches(interface, SEED, MANY // 5))


@pytest.mark.parametrize("faulty", FAULTY_ASGI.values(), ids=FAULTY_ASGI)
def test_faulty_asgi(faulty: Any) -> None:
    """A middleware with one fault is caught."""
    with asgi_asyncio() as interface:
        assert find_difference(interface, faulty, batches(interface, SEED, MANY))


@pytest.mark.parametrize("faulty", FAULTY_WSGI.values(), ids=FAULTY_WSGI)
def test_faulty_wsgi(faulty: Any) -> None:
    """A middleware with one fault is caught."""
    with wsgi(patience=0.1) as interface:
        assert find_difference(interface, faulty, batches(interface, SEED, MANY))


def test_grammar_says_all() -> None:
    """Each step that an application can do is drawn, and each result it can return."""
    with asgi_asyncio() as asynchronous, wsgi() as synchronous:
        asgi = [r for batch in batches(asynchronous, SEED, MANY) for r in batch]
        calls = [r for batch in batches(synchronous, SEED, MANY) for r in batch]

    assert set(asgi_app.STEPS) == {step[0] for r in asgi for step in r.steps}
    assert {*wsgi_app.STEPS, "yield"} == {step[0] for r in calls for step in r.steps}
    assert set(RESULTS) == {r.shape for r in calls}


@BOTH
def test_seed_draws_again(opened: Opened, name: str) -> None:
    """A seed gives the same requests each time, another seed others."""
    with opened() as interface:
        one, again, other = (
            list(batches(interface, seed, 50)) for seed in (SEED, SEED, SEED + 1)
        )

    assert one == again, name
    assert one != other


@pytest.mark.parametrize(
    ("opened", "fault", "steps"),
    [
        (asgi_asyncio, FAULTY_ASGI["drops trailers"], ["trailers"]),
        (wsgi, FAULTY_WSGI["drops write"], ["start", "write"]),
    ],
    ids=["asgi", "wsgi"],
)
def test_difference_is_made_smaller(
    opened: Opened, fault: Any, steps: list[str]
) -> None:
    """What is shown is what makes the difference, and where the stories part."""
    with opened() as interface:
        found = find_difference(interface, fault, batches(interface, SEED, MANY))
        assert found is not None
        small = shrink(interface, fault, found)
    (request,) = small.batch

    assert steps == [step[0] for step in request.steps]
    assert f"{request}" in str(small)
