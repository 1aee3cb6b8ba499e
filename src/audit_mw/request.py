# What a request brought: redacted, coded and in order, as far as it was read.
#
# Rule: a slip of ours in reading what a client sent must neither reach the application
#       nor lose the event: the record says that it is incomplete.
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from audit_mw.app_details import octets
from audit_mw.body_params import BodyParams
from audit_mw.event import Params, RequestHead, Text
from audit_mw.gathering import Gathering
from audit_mw.head_lines import (
    add_cookies,
    add_fields,
    expect_body,
    find_session,
    has_authorization,
    tls_details,
)
from audit_mw.policy.client import named_by, peer_text
from audit_mw.rules import Rules
from audit_mw.wire.body import Piece
from audit_mw.wire.cookies import parse_cookies
from audit_mw.wire.head import field_values
from audit_mw.wire.query import encode_path, parse_query_runs

__all__ = ["Request", "contain", "unparsed"]


class Request:
    """
    What a request brought.

    Args:
        rules: compiled at start.
        head: what the edge knows before the application is called.
        findings: takes what was odd about it.
    """

    def __init__(self, rules: Rules, head: RequestHead, findings: list[object]) -> None:
        self.head = head = head._replace(fields=_field_lines(head.fields))
        self.findings = findings
        self._rules = rules
        self.gathering = Gathering(rules.config, rules.redactor, rules.encode_param)
        self._params: Params | None = None
        self.client = rules.resolve_client(head.peer, head.fields)
        self._cookies = tuple(parse_cookies(field_values(head.fields, b"cookie")))
        self.session_id = find_session(rules, self._cookies)
        self.session = (
            rules.keyring.digest(self.session_id) if self.session_id else None
        )
        # The body, as far as the application read it.
        self._body = rules.choose_body(head.fields) if head.type == "request" else None
        self._expected = expect_body(head)
        self._body_params = BodyParams(
            rules.config,
            rules.redactor,
            self.gathering,
            self._expected.media_type,
            rules.documents,
        )
        self.read_bytes = 0
        self._ended = False
        self._contain(
            lambda: self.gathering.add_query(head.path, parse_query_runs(head.query))
        )
        # What stands behind the body's params in the record, but is known before them.
        self.gathering.hold()
        self._contain(lambda: add_cookies(rules, self.gathering, self._cookies))
        self._contain(lambda: add_fields(rules, self.gathering, head.fields))
        self._behind = self.gathering.release()
        self.told: dict[str, object] = {}
        self.path: Text = b""
        self._contain(self._look_at_head)

    def _look_at_head(self) -> None:
        head, gathering = self.head, self.gathering
        path = encode_path(head.path) if head.reconstructed else head.path
        redacted = gathering.keep(path, self._rules.redactor.path(path))
        self.path = gathering.spilling.bound(redacted)
        told: dict[str, object] = {
            "via": self.client.via.encode(),
            "rewritten": self._rewritten(),
            "scheme": self._word(head.scheme),
            "http_version": self._word(head.http_version),
            "joined": head.joined or None,
            "reconstructed": head.reconstructed or None,
        }
        self.told = told | tls_details(self._rules, head, self.client, gathering)

    def _rewritten(self) -> dict[str, Text | None] | None:
        head = self.head
        told = head.rewritten or named_by(head.peer, head.fields)

        return {key: self._word(word) for key, word in told.items()} if told else None

    def _word(self, word: str | None) -> Text | None:
        if word is None:
            return None

        return self.text(octets(word))

    # --- the columns of its head

    def text(self, text: bytes) -> Text:
        """Return a text as it may be kept."""
        return self.bound(self._rules.redactor.text(text))

    def bound(self, text: Text) -> Text:
        """Return a text that is redacted, its long parts spilled."""
        return self.gathering.spilling.bound(text)

    @property
    def method(self) -> Text:
        """The method."""
        return self.text(self.head.method)

    @property
    def client_text(self) -> Text | None:
        """The client's address."""
        address = self.client.address
        return None if address is None else self.bound(address)

    @property
    def peer_text(self) -> Text | None:
        """The peer."""
        peer = peer_text(self.head.peer)
        return None if peer is None else self.bound(peer)

    @property
    def has_credentials(self) -> bool:
        """Whether the client sent what could let it in, as far as it was read."""
        return self.gathering.has_password or has_authorization(self.head.fields)

    # --- the body, as the application reads it

    def read(self, chunk: bytes, *, ended: bool) -> bool:
        """
        Take a chunk of the body; `ended` where no more will come.

        Returns:
            Whether it was the last one of a body, and its params are known now.
        """
        if self._ended or self._body is None:
            return False
        body = self._body
        self.read_bytes += len(chunk)
        self._ended = ended or self.read_bytes == self._expected.declared
        self._contain(lambda: self._add_pieces(body.feed(chunk)))
        if self._ended:
            self._contain(lambda: self._add_pieces(body.finish()))

        return self._ended and self.read_bytes > 0

    def _add_pieces(self, pieces: Iterable[Piece[str]]) -> None:
        self._body_params.add_all(pieces)

    @property
    def is_whole(self) -> bool:
        """Whether the body was read to its end, all that was declared."""
        declared = self._expected.declared

        return self._ended and (declared is None or self.read_bytes >= declared)

    # --- the params

    def so_far(self) -> Params:
        """Return what is known of the params."""
        return self.gathering.so_far(self._behind)

    def gathered(self) -> Params:
        """Return all params: what is read later is none."""
        if self._params is None:
            # The order is the design's: query, body, cookies, field lines.
            self._contain(self._end_body)
            self._contain(lambda: self.gathering.place(self._behind))
            self._params = self.gathering.finish()

        return self._params

    def _end_body(self) -> None:
        if self._body is None or self._ended:
            return
        self._add_pieces(self._body.finish())
        if self._expected.announced or self.read_bytes:
            self.gathering.add_unread(self._expected.declared, self.read_bytes)

    def _contain(self, gather: Callable[[], object]) -> None:
        contain(self.findings, gather)


def contain(findings: list[object], gather: Callable[[], object]) -> None:
    """Do something that must not fail; if it does, that is a finding."""
    try:
        gather()
    except Exception as slip:  # noqa: BLE001 - whatever it is, see the rule
        findings.append(unparsed(slip))


def unparsed(slip: Exception) -> bytes:
    """Return what is noted of a slip of ours."""
    return b"unparsed: " + type(slip).__name__.encode()


def _field_lines(fields: Sequence[Any]) -> list[tuple[bytes, bytes]]:
    return [(_bytes(name).lower(), _bytes(value)) for name, value in fields]


def _bytes(found: Any) -> bytes:
    # Some servers take text from an application, where ASGI has bytes.
    return (
        found.encode("latin-1", "replace") if isinstance(found, str) else bytes(found)
    )
