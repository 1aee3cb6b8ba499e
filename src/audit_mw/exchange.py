# One request with its response, from the first byte to the end -> one Event.
#
# A sans-IO state machine: an edge feeds what passes by, and is told when the next thing
# that it hands over is the last message, which is the first after which a client can
# hold the complete response:
#
# - the start, for HEAD, 204, 304 and Content-Length 0 (RFC 9110 6.4.1),
# - the chunk that reaches the declared Content-Length,
# - else the final chunk, or the final trailers where trailers were announced;
# - for a websocket the close, or the end of a response that denies it.
#
# All state of one request is here. What happens after the last message changes nothing.
#
# (Longer than 250 lines, since a state machine that is cut in two has two states. What
# is found in an exchange, and said in it, is judged elsewhere, and asked for here.)
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from audit_mw.alarms import alarm_details, alarm_of
from audit_mw.app_details import AppDetails, octets
from audit_mw.body_params import BodyParams
from audit_mw.event import Event, Params, RequestHead, Text
from audit_mw.gathering import Gathering
from audit_mw.head_lines import (
    add_cookies,
    add_fields,
    declared_length,
    expect_body,
    find_session,
    has_authorization,
    tls_details,
)
from audit_mw.policy.client import named_by, peer_text
from audit_mw.policy.detectors import detect, is_ordinary
from audit_mw.policy.findings import Finding, Received
from audit_mw.policy.outcome import Evidence, resolve_outcome
from audit_mw.policy.remembered import NOTHING, Known
from audit_mw.rules import Rules
from audit_mw.said import Said
from audit_mw.statements import (
    APP_BYTES,
    ROLES_BYTES,
    Facts,
    Statement,
    compose,
)
from audit_mw.websocket import Conversation
from audit_mw.wire.body import Piece
from audit_mw.wire.cookies import parse_cookies
from audit_mw.wire.head import field_values
from audit_mw.wire.query import encode_path, parse_query

__all__ = ["Exchange"]

_BODILESS = {204, 304}
_SWITCHING = 101
_FORBIDDEN = 403
_ABNORMAL = 1006  # RFC 6455 7.1.5: the connection was lost without a close
_INTERNAL_ERROR = 1011  # RFC 6455 7.4.1


class Exchange:
    """
    One exchange.

    Args:
        rules: compiled at start.
        head: what the edge knows before the application is called.
        event: the event id.
        time: of the start, in microseconds since the epoch.
        started: of a clock that only goes forward, in nanoseconds.
    """

    def __init__(
        self, rules: Rules, head: RequestHead, event: str, time: int, started: int
    ) -> None:
        self.event = event
        self.finished = False
        self.said = Said()
        self._known = 0, NOTHING
        # What the framework, or the server, vouches for; what is said counts more.
        self.user: str | None = None
        self.action: str | None = None
        self._rules = rules
        self._head = head
        self._time = time
        self._started = started
        self._gathering = Gathering(rules.config, rules.redactor, rules.encode_param)
        self._params: Params | None = None
        self._findings: list[object] = []
        self._found: list[Finding] | None = None  # not looked for yet
        self._client = rules.resolve_client(head.peer, head.fields)
        self._cookies = tuple(parse_cookies(field_values(head.fields, b"cookie")))
        self._session_id = find_session(rules, self._cookies)
        self._session = (
            rules.keyring.digest(self._session_id) if self._session_id else None
        )
        # The request, as far as the application read it.
        self._body = rules.choose_body(head.fields) if head.type == "request" else None
        self._expected = expect_body(head)
        self._body_params = BodyParams(
            rules.config, rules.redactor, self._gathering, self._expected.media_type
        )
        self._read = 0
        self._ended = False
        # The response, as far as the application gave it.
        self._status: int | None = None
        self._declared: int | None = None
        self._sent = 0
        self._trailers = False
        self._estimated = False
        self._socket = Conversation(rules.keyring)
        # What cut it short.
        self._gone = False
        self._broken = False
        self._reason: Text | None = None
        self._contain(
            lambda: self._gathering.add_query(head.path, parse_query(head.query))
        )
        # What stands behind the body's params in the record, but is known before them.
        self._gathering.hold()
        self._contain(lambda: add_cookies(rules, self._gathering, self._cookies))
        self._contain(lambda: add_fields(rules, self._gathering, head.fields))
        self._behind = self._gathering.release()
        self._told: dict[str, object] = {}
        self._path: Text = b""
        self._contain(self._look_at_head)

    def _look_at_head(self) -> None:
        head, redact, bound = self._head, self._rules.redactor, self._bound
        path = encode_path(head.path) if head.reconstructed else head.path
        self._path = bound(self._gathering.keep(path, redact.path(path)))
        told: dict[str, object] = {
            "via": self._client.via.encode(),
            "rewritten": self._rewritten(),
            "scheme": self._text(head.scheme),
            "http_version": self._text(head.http_version),
            "joined": head.joined or None,
            "reconstructed": head.reconstructed or None,
        }
        self._told = told | tls_details(
            self._rules, head, self._client, self._gathering
        )

    # --- the request, as the application reads it

    def read(self, chunk: bytes, *, ended: bool) -> bool:
        """
        Take a chunk of the body; `ended` where no more will come.

        Returns:
            Whether it was the last one of a body, and its params are known now.
        """
        if self.finished or self._ended or self._body is None:
            return False
        body = self._body
        self._read += len(chunk)
        self._ended = ended or self._read == self._expected.declared
        self._contain(lambda: self._add_pieces(body.feed(chunk)))
        if self._ended:
            self._contain(lambda: self._add_pieces(body.finish()))

        return self._ended and self._read > 0

    def _add_pieces(self, pieces: Iterable[Piece[str]]) -> None:
        self._body_params.add_all(pieces)

    # --- the response, before it is handed over

    @property
    def has_started(self) -> bool:
        """Whether the application gave a status."""
        return self._status is not None

    def start(
        self,
        status: int,
        fields: Iterable[tuple[bytes, bytes]],
        *,
        trailers: bool = False,
    ) -> bool:
        """Take the start of the response; return whether it is the last message."""
        self._status = status
        self._trailers = trailers
        self._declared = declared_length(fields)
        bodiless = self._head.method == b"HEAD" or status in _BODILESS

        return bodiless or (self._declared == 0 and not trailers)

    @property
    def declares_length(self) -> bool:
        """Whether the response has a Content-Length."""
        return self._declared is not None

    def send(self, length: int, *, more: bool, estimated: bool = False) -> bool:
        """Take a chunk of the response; return whether it is the last message."""
        if self.finished:
            return False
        if not self.has_started:
            self.end_early()
        if estimated and not more and self._declared is not None:
            length = max(self._declared - self._sent, 0)
        self._sent += length
        self._estimated = self._estimated or estimated
        if self._trailers:
            return False
        reached = (
            self._declared is not None and length > 0 and self._sent >= self._declared
        )

        return reached or not more

    def send_trailers(self, *, more: bool) -> bool:
        """Take trailers; return whether they are the last message."""
        return not self.finished and not more

    # --- websockets

    def accept(self) -> None:
        """Note that the application accepted the websocket."""
        self._socket.accepted = True
        self._status = _SWITCHING

    def message_in(self, message: bytes) -> None:
        """Take a message of the client."""
        self._socket.message_in(message)

    def message_out(self, message: bytes) -> None:
        """Take a message of the application."""
        self._socket.message_out(message)

    def close(self, code: int) -> bool:
        """Note that the application closes; return whether it is the last message."""
        if self.finished:
            return False
        if self._socket.accepted:
            self._socket.close_code = code
            self._broken = self._broken or code == _INTERNAL_ERROR
        else:
            self._status = _FORBIDDEN

        return True

    def disconnected(self, code: int | None) -> None:
        """Note that the client closed, or was lost."""
        if self.finished:
            return
        if self._socket.accepted:
            self._socket.close_code = code
        if not self._socket.accepted or code == _ABNORMAL:
            self.gone()

    # --- what cuts it short

    @property
    def is_gone(self) -> bool:
        """Whether the client left before the last message."""
        return self._gone

    def gone(self, reason: str = "client gone") -> None:
        """Note that the client left, or that the task was cancelled."""
        if not self.finished and not self._gone:
            self._gone = True
            self._reason = reason.encode()

    def failed(self, reason: str) -> None:
        """Note that an exception left the application."""
        if not self.finished and not self._gone:
            self._broken = True
            self._reason = reason.encode(errors="surrogatepass")

    def unrecorded(self) -> None:
        """Note that the record failed, so that the response is broken off."""
        self._gone = False
        self._broken = True
        self._reason = b"audit trail unavailable"

    def end_early(self) -> bool:
        """Note the end without a last message; return whether that cut it short."""
        if self._socket.accepted:
            return self._gone or self._broken
        if not self._gone and not self._broken:
            self._broken = True
            self._reason = b"broken after start" if self.has_started else b"no response"

        return True

    def untaken(self, reason: str, *, gone: bool) -> None:
        """Note that the server took no last message; `gone`: the client left."""
        self._gone = gone
        self._broken = not gone
        self._reason = reason.encode(errors="surrogatepass")

    # --- the events

    def opening(self, instance: str) -> Event:
        """Return the event as it is on record should the process die now."""
        gathering = self._gathering
        details = self._told | {
            "delivery": b"unknown",
            "reason": b"process_died",
            "request_len": self._read or None,
            "cut": gathering.spilling.cut or None,
            "sent_as": gathering.sent_as or None,
            "findings": self._findings or None,
        }

        return self._event(
            instance,
            outcome="ABORTED",
            user=self._text(self.said.user),
            status=self._status,
            params=gathering.so_far(self._behind),
            details=_present(details),
        )

    def finish(self, now: int, instance: str, delivery: object) -> Event:
        """
        Return the event.

        Args:
            now: of the clock that `started` is of, in nanoseconds.
            instance: the worker.
            delivery: whether the server took the last message: taken, failed, unknown,
                or DELIVERY where that is not known yet.
        """
        self.finished = True
        try:
            return self._finish(now, instance, delivery)
        except Exception as slip:  # noqa: BLE001 - as in _contain
            self._findings.append(_unparsed(slip))
            return self._bare(now, instance, delivery)

    def _finish(self, now: int, instance: str, delivery: object) -> Event:
        params = self._gathered()
        said = self.said
        user = self._text(self._user())
        if self._found is None and self._rules.limits.detectors:
            self._found = []
            self._contain(lambda: self._detect(params, user))

        return self._event(
            instance,
            outcome=self._outcome(),
            user=user,
            action=self._action(),
            status=self._status,
            sent=self._sent,
            rows=said.rows,
            micros=(now - self._started) // 1000,
            params=params,
            details=self._details(delivery),
        )

    def _event(self, instance: str, **columns: Any) -> Event:
        head, bound = self._head, self._bound

        return Event(
            time=self._time,
            event=self.event,
            stream="request",
            type=head.type,
            service=self._rules.service,
            instance=instance,
            client=_maybe(bound, self._client.address),
            peer=_maybe(bound, peer_text(head.peer)),
            session=self.session_digest,
            method=bound(self._rules.redactor.text(head.method)),
            path=self._path,
            spills=self._gathering.spilling.spills,
            **columns,
        )

    def _bare(self, now: int, instance: str, delivery: object) -> Event:
        # What needs no reading of what the client sent.
        return Event(
            time=self._time,
            event=self.event,
            stream="request",
            type=self._head.type,
            outcome=self._outcome(),
            service=self._rules.service,
            instance=instance,
            client=self._client.address,
            peer=peer_text(self._head.peer),
            status=self._status,
            sent=self._sent,
            micros=(now - self._started) // 1000,
            details={"delivery": delivery, "findings": self._findings},
        )

    # --- what is found in it

    def alarms(self, now: int) -> list[Event]:
        """
        Return the events of what was found, once; `finish` comes before.

        Args:
            now: of the clock that `started` is of, in nanoseconds.
        """
        found, self._found = self._found or (), []
        events: list[Event] = []
        for finding in found:
            self._contain(partial(self._add_alarm, events, finding, now))

        return events

    def _add_alarm(self, events: list[Event], finding: Finding, now: int) -> None:
        events.append(self._alarm(finding, now))

    def _alarm(self, finding: Finding, now: int) -> Event:
        event = self.tell(alarm_of(finding), now)
        shown = alarm_details(self._rules, finding)

        return replace(event, details={**event.details, **shown})

    def _detect(self, params: Params, user: Text | None) -> None:
        gathering, before = self._gathering, self._seen_before()
        sent_as, cut = gathering.sent_as, gathering.spilling.cut
        if not (before or sent_as or cut) and is_ordinary(
            params, self._path, user, self._client.via
        ):
            return
        sightings = self._rules.sightings
        if user is not None and sightings.knows_user(user):
            user = None
        found = detect(
            Received(
                params=params,
                fields=self._head.fields,
                path=self._path,
                client=self._client,
                sent_as=sent_as,
                cut=cut,
                user=user,
                read=self._read,
                ended=self._is_whole(),
                is_news=self._is_news(),
                before=before,
            ),
            self._rules.limits,
        )
        if user is not None and found.shows_user:
            sightings.note_user(user)
        self._findings += [finding.name.encode() for finding in found.findings]
        self._findings += found.notes
        self._found = found.findings

    def _is_whole(self) -> bool:
        # Connections break, and what was cut off in the middle is malformed of itself.
        declared = self._expected.declared
        is_all = declared is None or self._read >= declared

        return self._ended and is_all and not self._gone

    def _is_news(self) -> bool:
        # Where the server put a claim in the peer's place, it trusts who makes it.
        return (
            self._claims()
            and not self._told.get("rewritten")
            and "forged_forwarding" in self._rules.limits.detectors
            and self._rules.sightings.is_news(self._client)
        )

    def _claims(self) -> bool:
        claims = self._rules.limits.claims

        return self._client.via == "untrusted-claim" and any(
            name in claims for name, _ in self._head.fields
        )

    def _seen_before(self) -> tuple[bytes, ...]:
        # The session that the client sent, and that which it has now: a login gives it
        # a new one, of which nothing is known.
        if "session_new_address" not in self._rules.limits.detectors:
            return ()
        see = self._rules.sightings.see
        before: tuple[bytes, ...] = ()
        now = self.session_digest
        for session in (self._session, now if now != self._session else None):
            if session is not None:
                before = see(session, self._client, claims=self._claims()) or before

        return before

    # --- what is said beside it

    def end_request(self) -> None:
        """Note that the application reads no more; what it may quote is known then."""
        self._contain(self._gathered)

    def tell(self, said: Statement, now: int) -> Event:
        """
        Return the event of something that the application says in this exchange.

        Args:
            said: by the application.
            now: of the clock that `started` is of, in nanoseconds.

        Raises:
            TypeError: something cannot be recorded.
            ValueError: something is nested too deep.
        """
        facts = Facts(
            client=_maybe(self._bound, self._client.address),
            peer=_maybe(self._bound, peer_text(self._head.peer)),
            user=self._user(),
            session=self.session_digest,
            secrets=self._known_secrets(),
        )
        time = self._time + (now - self._started) // 1000

        return compose(self._rules, said, self.event, time, facts)

    @property
    def has_credentials(self) -> bool:
        """Whether the client sent what could let it in, as far as it was read."""
        return self._gathering.has_password or has_authorization(self._head.fields)

    @property
    def session_id(self) -> bytes | None:
        """The session id that the client sent, or the application named."""
        return self.said.session or self._session_id

    @property
    def type(self) -> str:
        """The type of its record: request or websocket."""
        return self._head.type

    def _action(self) -> Text | None:
        if self.said.action is None:
            return self._text(self.action)

        return self._app_details().text(self.said.action)

    def _user(self) -> str | None:
        return self.said.user or self.user

    def name_session(self, session: bytes | None) -> None:
        """Take the session id that the application names; None: that of the client."""
        self.said.session = session
        if session:
            self._gathering.remember(session)

    @property
    def session_digest(self) -> str | None:
        """The digest of the session id, if there is one."""
        said = self.said.session

        return self._session if said is None else self._rules.keyring.digest(said)

    def _outcome(self) -> str:
        return self.said.outcome or resolve_outcome(self._evidence())

    def note(self, details: Mapping[str, object]) -> None:
        """
        Take details of the application's own; of a name the last counts.

        Raises:
            TypeError: something cannot be recorded.
            ValueError: something is nested too deep.
        """
        if not self.finished:
            # Not replaced, for threads may note at once.
            self.said.notes.update(self._app_details().named(details))

    def _app_details(self) -> AppDetails:
        rules, gathering = self._rules, self._gathering

        return AppDetails(
            rules.redactor,
            gathering.spilling,
            self._known_secrets(),
            rules.encode_details,
        )

    def _known_secrets(self) -> Known:
        # To spell them all takes its time, and a client may have sent a thousand.
        secrets = self._gathering.secrets
        count, known = self._known
        if count != len(secrets):
            known = Known(secrets)
            self._known = len(secrets), known

        return known

    def _of_application(self) -> dict[str, object]:
        said = self.said
        if not said.roles and not said.notes:
            return {}
        told = self._app_details()

        return {
            "roles": told.fit("roles", list(said.roles), ROLES_BYTES),
            "app": told.bound("app", dict(said.notes), APP_BYTES),
        }

    def _text(self, word: str | None) -> Text | None:
        if word is None:
            return None
        text = self._rules.redactor.text(octets(word))

        return self._gathering.spilling.bound(text)

    def _bound(self, text: Text) -> Text:
        return self._gathering.spilling.bound(text)

    def _evidence(self) -> Evidence:
        return Evidence(
            gone=self._gone,
            broken=self._broken,
            status=self._status,
            credentials=self.has_credentials or self._session is not None,
        )

    def _gathered(self) -> Params:
        if self._params is None:
            # The order is the design's: query, body, cookies, field lines.
            self._contain(self._end_body)
            self._contain(lambda: self._gathering.place(self._behind))
            self._params = self._gathering.finish()

        return self._params

    def _end_body(self) -> None:
        if self._body is None or self._ended:
            return
        self._add_pieces(self._body.finish())
        if self._expected.announced or self._read:
            self._gathering.add_unread(self._expected.declared, self._read)

    def _details(self, delivery: object) -> dict[str, object]:
        gathering, own = self._gathering, self._of_application()
        details: dict[str, object] = self._told | {
            "delivery": delivery,
            "reason": _maybe(self._bound, self._reason),
            "request_len": self._read or None,
            "estimated": self._estimated or None,
            "cut": gathering.spilling.cut or None,
            "sent_as": gathering.sent_as or None,
            "findings": self._findings or None,
        }

        return _present(details | self._socket.details() | own)

    def _rewritten(self) -> dict[str, Text | None] | None:
        head = self._head
        told = head.rewritten or named_by(head.peer, head.fields)

        return {key: self._text(word) for key, word in told.items()} if told else None

    def _contain(self, gather: Callable[[], object]) -> None:
        # A slip of ours in reading what a client sent must neither reach the
        # application nor lose the event: the record says that it is incomplete.
        try:
            gather()
        except Exception as slip:  # noqa: BLE001 - whatever it is, see above
            self._findings.append(_unparsed(slip))


def _unparsed(slip: Exception) -> bytes:
    return b"unparsed: " + type(slip).__name__.encode()


def _present(details: dict[str, object]) -> dict[str, object]:
    return {key: value for key, value in details.items() if value is not None}


def _maybe(make: Callable[[Text], Text], text: Text | None) -> Text | None:
    return None if text is None else make(text)
