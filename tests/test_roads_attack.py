"""
What was found against the short road, each with the request that shows it.
"""

from tests.test_roads import INSTANCE, make_rules, ordinary_course

from audit_mw.event import Draft, Event
from audit_mw.exchange import Exchange
from audit_mw.ordinary import Ordinary
from audit_mw.trail.sheet import Sheet


class _Interrupted(Exchange):
    """Here another thread speaks at the worst of times."""

    __slots__ = ()

    def _short_opening(self, *arguments: object) -> Draft:
        _ = self.session_id

        return super()._short_opening(*arguments)  # type: ignore[arg-type]


def test_another_thread_leaves_the_road() -> None:
    """
    A version is kept by one road or the other, whoever leaves the short one meanwhile.
    """
    rules = make_rules({})
    head = ordinary_course().head
    exchange = _Interrupted(rules, head, "event", 0, 0, Ordinary(rules, Sheet))

    assert isinstance(exchange.opening(INSTANCE), (Event, Draft))
