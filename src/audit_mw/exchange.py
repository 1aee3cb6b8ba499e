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
from audit_mw.event import DELIVERY, Draft, Event, Params, RequestHead, Text
from audit_mw.head_lines import declared_length
from audit_mw.ordinary import Begun, Ordinary, OrdinaryHead, Sheet
from audit_mw.policy.client import Client, peer_text
from audit_mw.policy.detectors import detect, is_ordinary
from audit_mw.policy.findings import Finding, Received
from audit_mw.policy.outcome import Evidence, resolve_outcome
from audit_mw.policy.remembered import NOTHING, Known
from audit_mw.request import Request, contain, unparsed
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

__all__ = ["Exchange"]

_BODILESS = {204, 304}
_SWITCHING = 101
_FORBIDDEN = 403
_ABNORMAL = 1006  # RFC 6455 7.1.5: the connection was lost without a close
_INTERNAL_ERROR = 1011  # RFC 6455 7.4.1
_CLIENT_ERROR = 400
_NO_WORDS = None, None
_NOTHING_SAID = Said()  # never changed


class Exchange:
    """
    One exchange.

    Args:
        rules: compiled at start.
        head: what the edge knows before the application is called.
        event: the event id.
        time: of the start, in microseconds since the epoch.
        started: of a clock that only goes forward, in nanoseconds.
        ordinary: knows what came before; None: all is looked at anew.
        begun: what the compiled road did of it, to be gone on from.
    """

    # As they are at first: to set each of them for each request has its price.
    finished = False
    # What the framework, or the server, vouches for; what is said counts more.
    user: str | None = None
    action: str | None = None
    _said: Said | None = None
    _known: tuple[int, Known] = (0, NOTHING)
    _found: list[Finding] | None = None  # not looked for yet
    _before: tuple[bytes, ...] | None = None  # likewise
    _body = b"", False  # what the short road read of it, and whether that is the end
    _sheet: Sheet | None = None
    # The response, as far as the application gave it.
    _status: int | None = None
    _declared: int | None = None
    _sent = 0
    _trailers = _estimated = False
    _conversation: Conversation | None = None
    # What cut it short.
    _gone = _broken = False
    _reason: Text | None = None

    def __init__(  # noqa: PLR0913, PLR0917 - what one exchange is made of
        self,
        rules: Rules,
        head: RequestHead,
        event: str,
        time: int,
        started: int,
        ordinary: Ordinary | None = None,
        begun: Begun | None = None,
    ) -> None:
        self.event = event
        self._rules = rules
        self._head = head
        self._time = time
        self._started = started
        self._findings: list[object] = []
        # The request: by the short road as long as nothing else is asked of it.
        self._ordinary = ordinary
        self._request: dict[str, Request] = {}
        if ordinary is not None and begun is not None:
            self._go_on(begun, ordinary)
            return
        self._short = None if ordinary is None else ordinary.look(head)
        if self._short is None:
            self._whole()

    def _go_on(self, begun: Begun, ordinary: Ordinary) -> None:
        self._short = short = begun.short
        self._body = begun.body or b"", begun.has_ended
        self._status, self._declared = begun.status, begun.declares
        self._sent = begun.sent
        if begun.spoken is not None:
            self._said = begun.spoken
        self._before = begun.before
        self.finished = begun.is_kept
        if begun.is_kept:
            self._found = []
        self._lay_out(short, ordinary, begun.instance)
        if 0 < short.body < short.declared:
            self._whole()  # whatever comes next of it

    @property
    def said(self) -> Said:
        """What the application said of it so far."""
        said = self._said
        # Threads may meet here, and all must have the same one.
        return self.__dict__.setdefault("_said", Said()) if said is None else said

    def _whole(self) -> Request:
        """Return the request as the long road has it, to which there is no way back."""
        request = self._request.get("")
        if request is None:
            request = Request(self._rules, self._head, self._findings)
            body, ended = self._body
            if body or ended:
                request.read(body, ended=ended)
            # Threads may meet here, and all must have the same one.
            request = self._request.setdefault("", request)
            self._short = None

        return request

    # --- the request, as the application reads it

    def read(self, chunk: bytes, *, ended: bool) -> bool:
        """
        Take a chunk of the body; `ended` where no more will come.

        Returns:
            Whether it was the last one of a body, and its params are known now.
        """
        if self.finished:
            return False
        short, (_, has_ended) = self._short, self._body
        if short is not None and (has_ended or not chunk):
            self._body = self._body[0], has_ended or ended
            return False
        known = short and self._with_body(short, chunk)
        if known is None:
            return self._whole().read(chunk, ended=ended)
        # In this order, for other threads: a request that is looked at from here on
        # has the body, and one that was before is fed with it.
        self._body = chunk, True
        if self._request:
            return self._whole().read(chunk, ended=True)
        self._short = known

        return True

    def _with_body(self, short: OrdinaryHead, chunk: bytes) -> OrdinaryHead | None:
        ordinary = self._ordinary

        return (
            None if ordinary is None else ordinary.with_body(short, self._head, chunk)
        )

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

    @property
    def _socket(self) -> Conversation:
        if self._conversation is None:
            self._conversation = Conversation(self._rules.keyring)

        return self._conversation

    def _talking(self) -> Conversation:
        # Of a conversation only the long road tells; some applications begin one where
        # there is no websocket.
        if not self.finished:
            self._whole()

        return self._socket

    def accept(self) -> None:
        """Note that the application accepted the websocket."""
        self._talking().accepted = True
        self._status = _SWITCHING

    def message_in(self, message: bytes) -> None:
        """Take a message of the client."""
        self._talking().message_in(message)

    def message_out(self, message: bytes) -> None:
        """Take a message of the application."""
        self._talking().message_out(message)

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

    def opening(self, instance: str) -> Event | Draft:
        """Return the event as it is on record should the process die now."""
        # Once: another thread may leave the short road meanwhile.
        short, ordinary = self._short, self._ordinary
        words = self._short_words((self._said or _NOTHING_SAID).user, None)
        if short is not None and ordinary is not None and words is not None:
            return self._short_opening(short, ordinary, instance, words[0])
        request = self._whole()
        gathering = request.gathering
        details = request.told | {
            "delivery": b"unknown",
            "reason": b"process_died",
            "request_len": request.read_bytes or None,
            "cut": gathering.spilling.cut or None,
            "sent_as": gathering.sent_as or None,
            "findings": self._findings or None,
        }

        return self._event(
            instance,
            outcome="ABORTED",
            user=self._text(self.said.user),
            status=self._status,
            params=request.so_far(),
            details=_present(details),
        )

    def finish(self, now: int, instance: str, delivery: object) -> Event | Draft:
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
            draft = self._short_finish(now, delivery)
            return self._finish(now, instance, delivery) if draft is None else draft
        except Exception as slip:  # noqa: BLE001 - as in `contain`
            self._findings.append(unparsed(slip))
            return self._bare(now, instance, delivery)

    # --- by the short road

    def _lay_out(self, short: OrdinaryHead, ordinary: Ordinary, instance: str) -> Sheet:
        columns = self._rules.service, instance, short.client.address, short.peer
        self._sheet = sheet = ordinary.lay_out(
            self._time, self.event, columns, short.method, short.path
        )

        return sheet

    def _short_opening(
        self,
        short: OrdinaryHead,
        ordinary: Ordinary,
        instance: str,
        user: bytes | None,
    ) -> Draft:
        sheet = self._lay_out(short, ordinary, instance)
        # Said or started while the body is read, it is on record with its params.
        said = self._said or _NOTHING_SAID
        session = short.session if said.session is None else self.session_digest

        return sheet.fill(
            "ABORTED",
            user,
            session,
            None,
            self._status,
            None,
            short.params,
            short.opening,
        )

    def _short_finish(self, now: int, delivery: object) -> Draft | None:
        """Return the draft of the record, if nothing asks for a closer look."""
        short, said, sheet = self._short, self._said or _NOTHING_SAID, self._sheet
        if (
            short is None
            or self._request  # another thread was faster
            or sheet is None
            or delivery is not DELIVERY
            or self._reason is not None
            or self._estimated
            or short.body != short.declared
            or self._findings
            or said.action is not None
            or said.roles
            or said.notes
        ):
            return None
        words = self._short_words(said.user or self.user, self.action)
        if words is None:
            return None
        session, detectors = short.session, self._rules.limits.detectors
        if said.session is not None:
            session = self.session_digest
        if session is not None and detectors and self._seen_before():
            return None
        if self._found is None and detectors:
            self._found = []
        is_fine = self._status is not None and self._status < _CLIENT_ERROR
        is_cut = self._gone or self._broken
        outcome = "SUCCESS" if is_fine and not is_cut else None

        return sheet.fill(
            said.outcome or outcome or resolve_outcome(self._evidence()),
            words[0],
            session,
            words[1],
            self._status,
            (self._sent, said.rows, (now - self._started) // 1000),
            short.params,
            short.details,
        )

    def _short_words(
        self, user: str | None, action: str | None
    ) -> tuple[bytes | None, bytes | None] | None:
        """Return user and action as they are kept, if they need no code."""
        if user is None and action is None:
            return _NO_WORDS
        if self._ordinary is None:
            return None
        word = self._ordinary.maybe_word
        try:
            return word(user), word(action)
        except Exception:  # noqa: BLE001 - the long road tells what it is
            return None

    # --- by the long road

    def _finish(self, now: int, instance: str, delivery: object) -> Event:
        params = self._whole().gathered()
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
        request = self._whole()

        return Event(
            time=self._time,
            event=self.event,
            stream="request",
            type=self.type,
            service=self._rules.service,
            instance=instance,
            client=request.client_text,
            peer=request.peer_text,
            session=self.session_digest,
            method=request.method,
            path=request.path,
            spills=request.gathering.spilling.spills,
            **columns,
        )

    def _bare(self, now: int, instance: str, delivery: object) -> Event:
        # What needs no reading of what the client sent.
        return Event(
            time=self._time,
            event=self.event,
            stream="request",
            type=self.type,
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

    @property
    def has_findings(self) -> bool:
        """Whether there is something to tell of it."""
        return bool(self._found)

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
        request, before = self._whole(), self._seen_before()
        sent_as, cut = request.gathering.sent_as, request.gathering.spilling.cut
        if not (before or sent_as or cut) and is_ordinary(
            params, request.path, user, request.client.via
        ):
            return
        sightings = self._rules.sightings
        if user is not None and sightings.knows_user(user):
            user = None
        found = detect(
            Received(
                params=params,
                fields=request.head.fields,
                path=request.path,
                client=request.client,
                sent_as=sent_as,
                cut=cut,
                user=user,
                read=request.read_bytes,
                # Connections break, and what was cut off in the middle is malformed
                # of itself.
                ended=request.is_whole and not self._gone,
                is_news=self._is_news(request),
                before=before,
            ),
            self._rules.limits,
        )
        if user is not None and found.shows_user:
            sightings.note_user(user)
        self._findings += [finding.name.encode() for finding in found.findings]
        self._findings += found.notes
        self._found = found.findings

    def _is_news(self, request: Request) -> bool:
        # Where the server put a claim in the peer's place, it trusts who makes it.
        return (
            self._claims()
            and not request.told.get("rewritten")
            and "forged_forwarding" in self._rules.limits.detectors
            and self._rules.sightings.is_news(request.client)
        )

    def _claims(self) -> bool:
        if self._client.via != "untrusted-claim":
            return False
        claims = self._rules.limits.claims

        return any(name in claims for name, _ in self._whole().head.fields)

    def _seen_before(self) -> tuple[bytes, ...]:
        # Asked once: it is remembered then that the session is seen here.
        if self._before is None:
            self._before = ()
            if "session_new_address" in self._rules.limits.detectors:
                self._before = self._see()

        return self._before

    def _see(self) -> tuple[bytes, ...]:
        short, see = self._short, self._rules.sightings.see
        if short is not None and self._said is None and short.session is not None:
            return see(short.session, short.client)
        # The session that the client sent, and that which it has now: a login gives it
        # a new one, of which nothing is known.
        before: tuple[bytes, ...] = ()
        client, sent, now = self._client, self._session, self.session_digest
        for session in (sent, now if now != sent else None):
            if session is not None:
                before = see(session, client, claims=self._claims()) or before

        return before

    # --- what is said beside it

    def end_request(self) -> None:
        """Note that the application reads no more; what it may quote is known then."""
        self._whole().gathered()

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
        request = self._whole()
        facts = Facts(
            client=request.client_text,
            peer=request.peer_text,
            user=self._user(),
            session=self.session_digest,
            secrets=self._known_secrets(),
        )
        time = self._time + (now - self._started) // 1000

        return compose(self._rules, said, self.event, time, facts)

    @property
    def has_credentials(self) -> bool:
        """Whether the client sent what could let it in, as far as it was read."""
        short = self._short

        return self._whole().has_credentials if short is None else short.has_credentials

    @property
    def session_id(self) -> bytes | None:
        """The session id that the client sent, or the application named."""
        return self.said.session or self._whole().session_id

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
            self._whole().gathering.remember(session)

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
        rules, gathering = self._rules, self._whole().gathering

        return AppDetails(
            rules.redactor,
            gathering.spilling,
            self._known_secrets(),
            rules.encode_details,
        )

    def _known_secrets(self) -> Known:
        # To spell them all takes its time, and a client may have sent a thousand.
        secrets = self._whole().gathering.secrets
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
        return None if word is None else self._whole().text(octets(word))

    @property
    def _client(self) -> Client:
        return (self._short or self._whole()).client

    @property
    def _session(self) -> str | None:
        return (self._short or self._whole()).session

    def _evidence(self) -> Evidence:
        return Evidence(
            gone=self._gone,
            broken=self._broken,
            status=self._status,
            credentials=self.has_credentials or self._session is not None,
        )

    def _details(self, delivery: object) -> dict[str, object]:
        request, own = self._whole(), self._of_application()
        gathering, reason = request.gathering, self._reason
        details: dict[str, object] = request.told | {
            "delivery": delivery,
            "reason": None if reason is None else request.bound(reason),
            "request_len": request.read_bytes or None,
            "estimated": self._estimated or None,
            "cut": gathering.spilling.cut or None,
            "sent_as": gathering.sent_as or None,
            "findings": self._findings or None,
        }

        return _present(details | self._socket.details() | own)

    def _contain(self, gather: Callable[[], object]) -> None:
        contain(self._findings, gather)


def _present(details: dict[str, object]) -> dict[str, object]:
    return {key: value for key, value in details.items() if value is not None}
