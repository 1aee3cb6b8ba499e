# All that the client sent -> params, redacted, in order, within the limits.
#
# Here meet what the parsers found, what policy withholds, and what a record holds.
#
# Rule 1: redaction comes first. What is withheld is never counted, coded or spilled.
# Rule 2: a text longer than `spill_over` goes to the values stream; its length and
#         digest stay.
# Rule 3: no limit cuts silently. Params that do not fit become one `rest`, a spilled
#         JSON array of them as they would have stood in the record; what even
#         `max_spill` keeps out leaves its length and digest, and `details.cut`.
#
# The coder of params is an argument, as clock and ids are: this floor does not know
# how a record is kept.
#
# (Longer than 250 lines, since what is withheld and what fits are decided together.)
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby, islice
from operator import itemgetter

from audit_mw.config import Config
from audit_mw.event import Hole, Param, Params, Redacted, Spilled, Text, Unread, Value
from audit_mw.policy.credentials import is_machine_made
from audit_mw.policy.names import OPAQUE, PASSWORD, TOKEN
from audit_mw.policy.redaction import Redactor
from audit_mw.policy.siblings import CutJson, Siblings, class_in_link
from audit_mw.spilling import RestOfParams, Spilling
from audit_mw.wire.head import Pair
from audit_mw.wire.json import unescape_part

__all__ = ["Gathering", "Held", "params_room"]

# What a record needs beside its params: the columns that are texts are bounded by
# `spill_over`, and details by the limits here. A quarter of the record is plenty.
_SHARE = 3 / 4
# Withheld values that are remembered, to be found in exceptions.
_SECRETS = 1024
_SECRET_BYTES = 1 << 20

EncodeParam = Callable[[Param], bytes]
Sent = tuple[bytes, bytes | None]
Held = list[tuple[Param, bytes, Sent | None]]


def params_room(config: Config) -> int:
    """Return how many bytes of a record its params may take."""
    return int(config.max_record * _SHARE)


class Gathering:
    """
    The params of one exchange, and what they spill.

    Args:
        config: the limits.
        redactor: decides what is withheld.
        encode_param: gives a param as it stands in a record.
    """

    def __init__(
        self, config: Config, redactor: Redactor, encode_param: EncodeParam
    ) -> None:
        self._config = config
        self._redactor = redactor
        self._encode = encode_param
        self._room = params_room(config)
        self._params: list[Param] = []
        self._coded: list[bytes] = []
        self._held: Held | None = None
        self._rest: RestOfParams | None = None
        self.spilling = Spilling(config)
        self.sent_as: list[object] = []
        self.secrets: list[bytes] = []
        self._cut: defaultdict[str, CutJson] = defaultdict(CutJson)
        self._siblings = Siblings(redactor.classify)
        self._secret_room = _SECRET_BYTES
        self.has_password = False

    def add_pairs(self, source: str, pairs: Iterable[Pair]) -> None:
        """Take pairs of a query, a form or a cookie line."""
        for pair in pairs:
            self.add_pair(source, pair)

    def add_query(self, path: bytes, runs: Iterable[tuple[Pair, int]]) -> None:
        """
        Take the pairs of a query.

        Args:
            path: may tell what they are for.
            runs: pairs, and how many times each stands in a row.
        """
        linked = self._redactor.is_link(path)
        for pair, times in runs:
            cls = class_in_link(pair.value) if linked else None
            self.add_repeated("query", pair, times, cls)

    def add_repeated(
        self, source: str, pair: Pair, times: int, cls: str | None = None
    ) -> None:
        """Take a pair that stands `times` times in a row; `cls` as in `add_pair`."""
        left = times
        while left and (self._rest is None or left == times):
            self.add_pair(source, pair, cls)
            left -= 1
            if self._held is not None:
                break
        if left and not self._repeats(source, pair, cls):
            for _ in range(left):
                self.add_pair(source, pair, cls)
        elif left and self._held is not None:
            self._held += [self._held[-1]] * left
        elif left and self._rest is not None:
            self._rest.add_repeated(_code_bland(source, pair), left)

    def _repeats(self, source: str, pair: Pair, cls: str | None) -> bool:
        """Tell whether a pair that was taken yields the same again, and no more."""
        return (
            cls is None
            and not self._config.secret_patterns
            and not self._cut[source].goes_on
            and _is_bland(pair)
            and self._redactor.class_of(source, pair.name, pair.value or b"") is None
            and self._siblings.class_of(source, pair) is None
        )

    def add_pair(self, source: str, pair: Pair, cls: str | None = None) -> None:
        """Take a pair; `cls` is its class if that is known before its name."""
        cls = (
            cls
            or self._redactor.class_of(source, pair.name, pair.value or b"")
            or self._siblings.class_of(source, pair)
        )
        cut = self._cut[source]
        if cut.goes_on:
            self.add_withheld(source, pair, OPAQUE)
            cut.pass_by(pair, has_secret=True)
            return
        if pair.value is None and is_machine_made(pair.name):
            self.add_withheld(source, pair, TOKEN)  # a value that has no name
            return
        looked_at = cls is not None or self._config.secret_patterns
        is_beyond = self._rest is not None and self._held is None
        if self._rest is not None and is_beyond and not looked_at and _is_bland(pair):
            self._rest.add(_code_bland(source, pair))
            return
        name = self.name(cls, pair.name)
        value = self.value(cls, pair.value, pair.name)
        cut.pass_by(pair, has_secret=_has_hole(name, value))
        classed = not isinstance(value, bytes) and value is not None
        sent = None if classed or name != pair.name else pair.sent
        self.add(source, name, value, sent)

    def add_withheld(self, source: str, pair: Pair, cls: str) -> None:
        """Take a pair of which the name, too, is a secret or a part of one."""
        self.remember(pair.name)
        self._redactor.forget(pair.name)
        name = (self._redactor.hole(cls, pair.name),) if pair.name else b""
        value = None if pair.value is None else self.withhold(cls, pair.value)
        self.add(source, name, value)

    def add_unread(self, declared: int | None, read: int) -> None:
        """Note that the application did not read the body to its end."""
        self.add("body", None, Unread(declared, read))

    # --- secrets

    def value(self, cls: str | None, value: bytes | None, name: bytes = b"") -> Value:
        """Return a value as it may be kept; `cls` is the class of its name."""
        if value is None:
            return None
        if cls is not None:
            return self.withhold(cls, value)
        shown = self._redactor.value(None, value, name)
        if isinstance(shown, Redacted):
            self._remember_parts(value, (Hole(shown.len, shown.cls),))
            return shown

        return self.keep(value, shown)

    def name(self, cls: str | None, name: bytes, *, is_told: bool = False) -> Text:
        """Return a name as it may be kept, as `Redactor.name` does."""
        shown = self._redactor.name(cls, name, is_told=is_told)
        if isinstance(shown, tuple) and name[:1] == b"/" and b"~" in name:
            # The application has its keys otherwise than a pointer spells them.
            for hidden in _hidden(name, shown):
                for part in hidden.split(b"/"):
                    if b"~" in part:
                        self.remember(unescape_part(part))

        return self.keep(name, shown)

    def text(self, text: bytes) -> Text:
        """Return any other text as it may be kept."""
        return self.keep(text, self._redactor.text(text))

    def keep(self, text: bytes, shown: Text) -> Text:
        """Return `shown`, which is `text` with holes; remember what was in them."""
        if isinstance(shown, tuple):
            self._remember_parts(text, shown)

        return shown

    def _remember_parts(self, text: bytes, shown: tuple[bytes | Hole, ...]) -> None:
        for hidden in _hidden(text, shown):
            self.remember(hidden)
        # Where a secret was taken to go to the end, it may have been shorter.
        # Who sends more of them than are remembered must not have all looked for.
        for secret in islice(self._redactor.secrets(text), 4 * _SECRETS):
            self.remember(secret)

    def withhold(self, cls: str, value: bytes) -> Value:
        """Return what stands in the place of a secret value."""
        self.remember(value)
        self.has_password = self.has_password or bool(cls == PASSWORD and value)

        return self._redactor.withhold(cls, value)

    def remember(self, secret: bytes) -> None:
        """Remember a withheld value until the exchange ends, for its exceptions."""
        fits = 0 < len(secret) <= self._secret_room
        if fits and len(self.secrets) < _SECRETS:
            self.secrets.append(secret)
            self._secret_room -= len(secret)

    # --- limits

    def add(
        self, source: str, name: Text | None, value: Value, sent: Sent | None = None
    ) -> None:
        """Take a param that is redacted; `sent` is how it came, if that was odd."""
        if isinstance(value, bytes) and self.spilling.is_long(value):
            value = Spilled(len(value), self.spilling.spill(value))
        elif isinstance(value, tuple):
            value = self.spilling.bound(value)
        name = None if name is None else self.spilling.bound(name)
        param = Param(source, name, value)
        coded = self._encode(param)
        if self._held is None:
            self._place(param, coded, sent)
        else:
            self._held.append((param, coded, sent))

    def add_run(
        self,
        params: Sequence[Param],
        coded: Sequence[bytes],
        beyond: Iterable[tuple[bytes, int]] = (),
    ) -> None:
        """
        Take params of a body that need no look and no bound.

        Args:
            params: all, or one more than a record may have; of the others nobody asks
                what they were.
            coded: how each stands in a record.
            beyond: how more of them do, joined, and how many these are; only where
                those before are more than a record may have.
        """
        done = 0
        if self._rest is None:
            size = sum(map(len, coded)) + len(coded)
            number = len(self._params) + len(coded)
            if size <= self._room and number <= self._config.max_params:
                self._room -= size
                self._params += params
                self._coded += coded
                return
            for done, param in enumerate(params, 1):
                self._place(param, coded[done - 1], None)
                if self._rest is not None:
                    break
        if self._rest is None:
            return
        if coded[done:]:
            self._rest.add_joined(b",".join(coded[done:]), len(coded) - done)
        for joined, count in beyond:
            self._rest.add_joined(joined, count)

    def code_start(self, source: str, name: Text) -> bytes:
        """Return how params stand in a record of which the names begin with `name`."""
        return self._encode(Param(source, name, None)).removesuffix(b'",null]')

    def hold(self) -> None:
        """Keep what is taken from here on apart, until `release`."""
        self._held = []

    def release(self) -> Held:
        """Take what comes as before; return what was kept apart."""
        held, self._held = self._held or [], None

        return held

    def place(self, held: Held) -> None:
        """Take what was kept apart."""
        for done, (param, coded, sent) in enumerate(held):
            if self._rest is not None:
                self._place_beyond(self._rest, held[done:])
                return
            self._place(param, coded, sent)

    def _place_beyond(self, rest: RestOfParams, held: Held) -> None:
        for (coded, sent), run in groupby(held, itemgetter(1, 2)):
            if sent is None:
                rest.add_repeated(coded, sum(1 for _ in run))
                continue
            for param, *_ in run:
                self._place(param, coded, sent)

    def _place(self, param: Param, coded: bytes, sent: Sent | None) -> None:
        if self._rest is None and not self._fits(coded, sent):
            self._rest = self.spilling.begin_rest()
        if self._rest is not None:
            self._rest.add(coded)
            if sent is not None:
                self._rest.add(self._encode(Param("sent_as", *self._bound_sent(sent))))
            return
        if sent is not None:
            self.sent_as.append([len(self._params), *self._bound_sent(sent)])
        self._params.append(param)
        self._coded.append(coded)

    def _fits(self, coded: bytes, sent: Sent | None) -> bool:
        self._room -= len(coded) + 1
        if sent is not None:
            self._room -= 3 * min(len(sent[0]), 256) + 3 * min(len(sent[1] or b""), 256)
            self._room -= 64

        return self._room >= 0 and len(self._params) < self._config.max_params

    def _bound_sent(self, sent: Sent) -> tuple[Text, Text | None]:
        name, value = sent
        bound = self.spilling.bound

        return bound(name), None if value is None else bound(value)

    # --- the result

    def so_far(self, held: Held) -> Params:
        """Return what is known of the params; `held` come last, as far as they fit."""
        room, most = self._room, self._config.max_params - len(self._params)
        coded = list(self._coded)
        params = list(self._params)
        for param, code, _ in held[: max(most, 0)]:
            room -= len(code) + 1
            if room < 0:
                break
            params.append(param)
            coded.append(code)

        return _params(params, coded)

    def finish(self) -> Params:
        """Return all params; the rest, if any, is the last."""
        if self._rest is not None:
            rest = Param("rest", None, self.spilling.end_rest(self._rest))
            self._params.append(rest)
            self._coded.append(self._encode(rest))
            self._rest = None

        return _params(self._params, self._coded)


def _params(params: Iterable[Param], coded: Iterable[bytes]) -> Params:
    found = Params(params)
    found.coded = tuple(coded)

    return found


def _has_hole(name: Text, value: Value) -> bool:
    return isinstance(name, tuple) or isinstance(value, (tuple, Redacted))


_BLAND = 4  # bytes in which no secret can be


def _is_bland(pair: Pair) -> bool:
    # Beyond the limits of a record params come by the hundred thousand, and what a
    # client needs for each is a byte or two. These need no look and no code.
    name, value, sent = pair

    return (
        sent is None
        and len(name) <= _BLAND
        and (not name or name.isalnum())
        and (not value or (len(value) <= _BLAND and value.isalnum()))
    )


def _code_bland(source: str, pair: Pair) -> bytes:
    if pair.value is None:
        return b'["%b","%b",null]' % (source.encode(), pair.name)

    return b'["%b","%b","%b"]' % (source.encode(), pair.name, pair.value)


def _hidden(text: bytes, shown: tuple[bytes | Hole, ...]) -> Iterator[bytes]:
    """Yield what stands in a text where `shown` has holes."""
    at = 0
    for part in shown:
        length = part.len if isinstance(part, Hole) else len(part)
        if isinstance(part, Hole):
            yield text[at : at + length]
        at += length
