# Forwarding headers -> the nodes that they name, leftmost first.
#
# X-Forwarded-For is a list of addresses; proxies append on the right. Forwarded
# (RFC 7239) is a list of elements, each with a "for" among its parameters:
#     Forwarded   = 1#forwarded-element
#     node        = nodename [ ":" node-port ]
#     nodename    = IPv4address / "[" IPv6address "]" / "unknown" / obfnode
#
# A node that names no address (unknown, obfuscated, malformed) is None: who walks
# the list must see that there was a hop, and stop there.
import re
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, ip_address

from audit_mw.wire.head import OWS, split_list

__all__ = ["Address", "parse_address", "parse_forwarded", "parse_node", "parse_nodes"]

Address = IPv4Address | IPv6Address

_PORT = re.compile(rb":(?:[0-9]{1,5}|_[A-Za-z0-9._-]+)")  # RFC 7239 6.3
# forwarded-element = [ forwarded-pair ] *( ";" [ forwarded-pair ] ), RFC 7239 4
_PAIR = re.compile(
    rb'(?:^|;)[ \t]*+(?:([^=;,"\s]++)[ \t]*+=[ \t]*+'
    rb'(?:"((?:[^"\\]|\\.)*+)"|([^";, \t]*+))[ \t]*+)?+(?=;|\Z)',
    re.DOTALL,
)
# From "::" to an IPv6 address with its zone and a port. A line of commas alone would
# else be looked at for its length in milliseconds per kilobyte.
_NODE_BYTES = range(2, 65)


def parse_nodes(lines: Iterable[bytes]) -> list[Address | None]:
    """
    Return the nodes of X-Forwarded-For lines, or of any list of addresses.

    Empty elements are left out, as a recipient must (RFC 9110 5.6.1.2).
    """
    pieces = (piece.strip(OWS) for line in lines for piece in line.split(b","))

    return [parse_node(piece) for piece in pieces if piece]


def parse_forwarded(lines: Iterable[bytes]) -> list[Address | None]:
    """Return the `for` nodes of Forwarded lines (RFC 7239 5.2)."""
    return [_for_node(element) for element in split_list(lines)]


def _for_node(element: bytes) -> Address | None:
    # Nothing may be left over: a client that leaves a quote open swallows what the
    # proxy appends, and what it typed before would pass for the proxy's word.
    if _PAIR.sub(b"", element):
        return None
    found = [pair for pair in _PAIR.findall(element) if pair[0].lower() == b"for"]
    if len(found) != 1:  # each parameter at most once an element, RFC 7239 4
        return None
    _, quoted, token = found[0]

    return parse_node(re.sub(rb"\\(.)", rb"\1", quoted) or token)


def parse_node(node: bytes) -> Address | None:
    """
    Return the address of a node, its port and brackets taken off.

    Returns:
        None for `unknown`, for an obfuscated name and for what is no address.
    """
    if len(node) not in _NODE_BYTES:
        return None
    if node.startswith(b"["):
        address, bracket, port = node[1:].partition(b"]")
        if not bracket or (port and not _PORT.fullmatch(port)) or b":" not in address:
            return None
    else:
        address, colon, port = node.partition(b":")
        if b":" in port:  # an IPv6 address without brackets
            address = node
        elif colon and not _PORT.fullmatch(colon + port):
            return None

    return parse_address(address.decode("latin-1"))


def parse_address(text: str) -> Address | None:
    """Return the address that `text` spells, an IPv4-mapped one folded; else None."""
    try:
        address = ip_address(text)
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        return address.ipv4_mapped

    return address
