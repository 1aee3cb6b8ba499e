# Whose address: the peer is a fact, all else is a claim.
#
# The peer is the socket at the other end. If it is one of `trusted_proxies`, the one
# header that those set is walked from the right, for a proxy appends there: while the
# hop is trusted, go on; the first that is not is the client. What stands to the left
# of it anyone may have typed.
#
# A node that names no address stops the walk at the last good hop. Peer and client
# stay apart for good: overwriting one with the other is the classic mistake.
import re
from collections.abc import Callable, Sequence
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import NamedTuple

from audit_mw.config import Config
from audit_mw.wire.forwarded import (
    Address,
    parse_address,
    parse_forwarded,
    parse_nodes,
)
from audit_mw.wire.head import field_values

__all__ = ["FORWARDING_FIELDS", "Client", "compile_client", "named_by", "peer_text"]

Fields = Sequence[tuple[bytes, bytes]]
Peer = tuple[str, int | None] | None

_BETWEEN_WORDS = re.compile(rb'[,;="\[\]\s]+')

# Every header that proxies and CDNs are known to name a client, a scheme or a host
# with. Each is recorded as sent, whether or not it is believed.
FORWARDING_FIELDS = frozenset(
    b"forwarded x-forwarded-for x-forwarded x-forwarded-proto x-forwarded-host "
    b"x-forwarded-port x-forwarded-server x-forwarded-prefix x-forwarded-by "
    b"x-forwarded-ssl x-original-forwarded-for x-envoy-external-address forwarded-for "
    b"x-real-ip x-client-ip client-ip x-cluster-client-ip true-client-ip "
    b"cf-connecting-ip cf-connecting-ipv6 cf-pseudo-ipv4 fastly-client-ip "
    b"fly-client-ip x-appengine-user-ip x-azure-clientip x-azure-socketip "
    b"x-proxyuser-ip x-remote-ip x-remote-addr wl-proxy-client-ip proxy-client-ip "
    b"x-original-url x-rewrite-url x-original-host x-host via".split()
)


class Client(NamedTuple):
    """
    The address that policy settled on, and how.

    `trusted` tells whether the peer is a trusted proxy.
    """

    address: bytes | None
    via: str
    trusted: bool


def peer_text(peer: Peer) -> bytes | None:
    """Return the peer as a column: `1.2.3.4:80`, `[::1]:80`, `unix`; None: unknown."""
    if peer is None:
        return None
    host, port = peer
    if port is None:
        return host.encode(errors="surrogateescape")
    shown = f"[{host}]" if ":" in host else host

    return f"{shown}:{port}".encode(errors="surrogateescape")


def named_by(peer: Peer, fields: Fields) -> dict[str, str] | None:
    """
    Return which header the peer is from, if it looks so.

    No socket has port 0: it is what uvicorn, Hypercorn and daphne put beside an address
    that they take from a header. Where that address stands in none, nothing is said: a
    port may be unknown.
    """
    if peer is None or peer[1] != 0:
        return None
    words = _words(peer[0].encode("latin-1", "replace"))
    for name, value in fields:
        if name in FORWARDING_FIELDS and words and words <= _words(value):
            return {"by": name.decode("latin-1")}

    return None


def _words(value: bytes) -> set[bytes]:
    return set(_BETWEEN_WORDS.split(value)) - {b""}


def compile_client(config: Config) -> Callable[[Peer, Fields], Client]:
    """Return a function from the peer and the field lines to the client."""
    trusts_unix = "unix" in config.trusted_proxies
    networks = [ip_network(n) for n in config.trusted_proxies if n != "unix"]
    header = config.forwarded_by.encode()
    parse = parse_forwarded if header == b"forwarded" else parse_nodes

    def trusted_peer(peer: Peer, address: Address | None) -> bool:
        if address is None:
            return trusts_unix and peer is not None and peer[0] == "unix"
        return _in(address, networks)

    def resolve_client(peer: Peer, fields: Fields) -> Client:
        address = parse_address(peer[0]) if peer else None
        own = _address_text(peer, address)
        lines = field_values(fields, header)
        trusted = bool(config.trusted_proxies) and trusted_peer(peer, address)
        if not trusted:
            claims = lines or any(name in FORWARDING_FIELDS for name, _ in fields)
            return Client(own, "untrusted-claim" if claims else "direct", trusted=False)
        if not lines:
            return Client(own, "direct", trusted=True)
        nodes = parse(lines)
        client, via = own, "proxied" if nodes else "malformed"
        for node in reversed(nodes):
            if node is None:
                via = "malformed"
                break
            client = str(node).encode()
            if not _in(node, networks):
                break
        return Client(client, via, trusted=True)

    return resolve_client


def _in(address: Address, networks: Sequence[IPv4Network | IPv6Network]) -> bool:
    return any(address in network for network in networks)


def _address_text(peer: Peer, address: Address | None) -> bytes | None:
    if address is not None:
        return str(address).encode()

    return peer[0].encode(errors="surrogateescape") if peer else None
