# The compiled short road, where it was built; else the one in Python serves alone.
#
# It begins what is ordinary. What is not, whenever that shows, is gone on with by the
# whole recorder, which is made here as if it had been at it from the start.
from collections.abc import Callable, Mapping
from typing import Any

from audit_mw.config import Config
from audit_mw.errors import ConfigError
from audit_mw.exchange import Exchange
from audit_mw.ids import EventIds, IdMaker, begin_in_children
from audit_mw.ordinary import Ordinary
from audit_mw.recorder import Recorder, Vouched, ask
from audit_mw.rules import Rules
from audit_mw.trail.place import Place
from audit_mw.trail.writer import Writer

try:
    from audit_mw import _native
except ImportError:  # there was no compiler when it was installed
    _native = None  # type: ignore[assignment] # what a module that is not there is

__all__ = ["ShortRoad", "check_built", "make_ids"]

# Begins an ordinary request; returns a recorder, or None where nothing was begun.
Begin = Callable[..., Any]
# Whom the application vouches for, from a scope or an environ.
Vouch = Callable[[Any], Vouched]


def check_built(config: Config) -> None:
    """
    Return if the compiled road is there, or need not be.

    Raises:
        ConfigError: it is asked for, and was not built.
    """
    if config.compiled == "on" and _native is None:
        right = (
            "it was not built: install a C compiler and Python's headers, then this "
            "package anew, from its source; or leave the option away"
        )
        raise ConfigError("compiled", config.compiled, right)


def make_ids(config: Config) -> IdMaker:
    """Return what makes event ids."""
    if _native is None or config.compiled == "off":
        return EventIds()
    ids = _native.Ids()
    begin_in_children(ids)

    return ids


class ShortRoad:
    """
    What an edge begins ordinary requests with.

    Args:
        config: the options.
        ids: makes event ids.
        writer: gives slots.
    """

    def __init__(self, config: Config, ids: IdMaker, writer: Writer) -> None:
        self._config = config
        self._ids = ids
        self._writer = writer
        self._known: tuple[Rules, Ordinary] | None = None
        self._road = self._built()

    def _built(self) -> "_native.ShortRoad | None":
        if _native is None or not isinstance(self._ids, _native.Ids):
            return None

        return _native.ShortRoad(
            self._ids,
            self._writer,
            self._resume,
            ask,
            self._config.event_header,
        )

    def begin_asgi(
        self,
        vouch: Vouch,
        peers: Mapping[Any, object],
        ask_peer: Callable[..., object],
        tees: Any,
    ) -> Begin | None:
        """
        Return what begins an ordinary request, from its scope, `receive` and `send`.

        It returns a `send` that is teed, which has its `receiving` and its `recorder`;
        or None where nothing was begun.

        Args:
            vouch: tells whom the application vouches for, from a scope.
            peers: of transports, by their weak references.
            ask_peer: tells the peer of an object of the server.
            tees: what to do with a message that is not ordinary (`asgi_tees`).

        Returns:
            None where there is no such road.
        """
        if self._road is None:
            return None
        self._road.know_scopes(vouch, peers, ask_peer, tees)

        return self._road.begin_asgi

    def begin_wsgi(self, heads: Any, tees: Any, inputs: Any) -> Begin | None:
        """
        Return what begins one of WSGI, from its environ and `start_response`.

        What it returns serves the request with the application that it is given; None
        where nothing was begun.

        Args:
            heads: what tells of environs (`wsgi_head`).
            tees: what to do with a response that is not ordinary (`wsgi_response`).
            inputs: likewise with a body (`wsgi_input`).

        Returns:
            None where there is no such road.
        """
        if self._road is None:
            return None
        self._road.know_environs(heads, tees, inputs, self._config.types)

        return self._road.begin_wsgi

    def learn(self, rules: Rules, ordinary: Ordinary) -> None:
        """Go by these rules, and these memories, from now on."""
        self._known = rules, ordinary
        if self._road is not None:
            self._road.learn(rules, ordinary)

    def _resume(self, begun: Any) -> Recorder:
        """Return the whole recorder of what was begun by the compiled road."""
        if self._known is None:
            raise RuntimeError("nothing is begun before it is known how")
        rules, ordinary = self._known
        exchange = Exchange(
            rules,
            begun.head(),
            begun.event,
            begun.time,
            begun.started,
            ordinary,
            begun,
        )
        place = Place(begun.keeper, begun.slot)
        place.go_on(begun.draft, is_over=begun.is_sent)
        recorder = Recorder(
            exchange,
            place,
            self._writer,
            begun.vouching(),
            lenient=self._config.on_failure == "serve",
        )
        recorder.go_on(begun)

        return recorder
