# Where sessions were seen, which peers and users were told of: the memory of a process.
#
# It forgets. Two generations stand in it: what is asked for moves to the young one, and
# when that is full the old one goes. So what is in use stays, and memory is bounded by
# the number of entries, whatever clients send.
#
# Rule: no lock. A thread that forks, or a greenlet that switches, cannot hold what
#       there is not. Each step is one operation of a dict, which is atomic; where two
#       threads meet, one thing is told twice or not at all.
from collections.abc import Hashable
from functools import lru_cache
from ipaddress import IPv6Network, ip_address

from audit_mw.event import Text
from audit_mw.policy.client import Client

__all__ = ["Sightings", "network_of"]

_SESSIONS = 8192  # of one generation
_PEERS = 1024
_ADDRESSES = 8  # of one session
_UNDECLARED = b"undeclared proxy"


class Sightings:
    """
    What this process remembers of sessions and peers.

    Args:
        declared: whether the proxies are known, so that any other is none.
        sessions: that are remembered at least, of those in use.
        peers: likewise, and users.
    """

    def __init__(
        self, *, declared: bool, sessions: int = _SESSIONS, peers: int = _PEERS
    ) -> None:
        self._declared = declared
        self.sessions = _Memory(sessions)
        self._peers = _Memory(peers)
        self._users = _Memory(peers)

    def see(
        self, session: str, client: Client, *, claims: bool = False
    ) -> tuple[bytes, ...]:
        """
        Note from where a session is used.

        Args:
            session: its digest.
            client: as policy settled on it.
            claims: whether a peer that is not trusted names another address.

        Returns:
            The addresses that it was used from, the oldest first, if this one is new.
        """
        place = None if client.address is None else network_of(client.address)
        if place is None:
            return ()
        known = self.sessions.get(session)
        if place in known:
            return ()
        if claims and not self._declared:
            # What comes through a proxy that nobody declared has the address of that,
            # or of one of many. Who forges a claim comes from another place, too.
            place = _UNDECLARED
            if place in known:
                return ()
        self.sessions.put(session, (*known, place)[-_ADDRESSES:])

        return known

    def is_news(self, client: Client) -> bool:
        """
        Tell whether it is news that a peer sends what only a proxy may.

        Where no proxy is declared it may be one, and then each of its requests has
        such a header: that is told once.
        """
        if self._declared:
            return True
        peer = client.address or b"-"
        network = network_of(peer) or peer
        if self._peers.get(network):
            return False
        self._peers.put(network, (network,))

        return True

    def knows_user(self, user: Text) -> bool:
        """Tell whether a principal was told of: each of its requests shows the same."""
        return bool(self._users.get(user))

    def note_user(self, user: Text) -> None:
        """Note that a principal was told of."""
        self._users.put(user, (b"-",))

    def __len__(self) -> int:
        """Return how many sessions are remembered."""
        return len(self.sessions)


class _Memory:
    def __init__(self, most: int) -> None:
        self._most = most
        self.young: dict[Hashable, tuple[bytes, ...]] = {}
        self.old: dict[Hashable, tuple[bytes, ...]] = {}

    def __len__(self) -> int:
        return len(self.young.keys() | self.old.keys())

    def get(self, key: Hashable) -> tuple[bytes, ...]:
        known = self.young.get(key)
        if known is None:
            known = self.old.get(key, ())
            if known:
                self.put(key, known)

        return known

    def put(self, key: Hashable, known: tuple[bytes, ...]) -> None:
        young = self.young
        if len(young) >= self._most and key not in young:
            self.young, self.old = {}, young
        self.young[key] = known


@lru_cache(maxsize=1024)
def network_of(address: bytes) -> bytes | None:
    """
    Return what stands for an address: of IPv6 its /64, in which a host changes its own
    address as it likes; None for what is no address.
    """
    try:
        found = ip_address(address.decode("latin-1"))
    except ValueError:
        return None
    if found.version == 4:
        return address

    return str(IPv6Network((int(found), 64), strict=False)).encode()
