# JSON bodies on the short road: what a document yields that came whole.
#
# It is read by the very parsers and the very policy of the long road; only the head is
# not looked at anew for it.
#
# The compiled road reads documents by itself, over the memories of `known_documents`,
# and asks here for each value of which these know nothing (`SingleValues`).
#
# Rule: what a document shows to the detectors, what is spilled of it and what of it no
#       parser understood are told by the long road.
from typing import NamedTuple

from audit_mw.body_params import BodyParams
from audit_mw.event import Param, Params
from audit_mw.gathering import Gathering
from audit_mw.known_documents import Values
from audit_mw.policy.detectors import names_in_document
from audit_mw.policy.pointers import Pointer, Unsure
from audit_mw.rules import Rules
from audit_mw.wire.body import Document
from audit_mw.wire.json import Member
from audit_mw.wire.multipart import Tail

__all__ = ["Shown", "SingleValues", "TakenDocument", "take_document"]

_ENDS = (b"}", b"]")
_CODED = b"%"  # in what a detector may find something


class Shown(Exception):
    """A detector may have something to say, which the long road is to tell."""


class TakenDocument(NamedTuple):
    """
    What a JSON document yields.

    Args:
        coded: its params, as they stand in a record.
        names: those of them that an application asks for.
        has_password: whether one of them could let a client in.
    """

    coded: tuple[bytes, ...]
    names: frozenset[bytes]
    has_password: bool


def take_document(rules: Rules, document: bytes) -> TakenDocument | None:
    """Return what a document yields; None where the long road is to tell."""
    config = rules.config
    if len(document) > config.max_body or not _may_be_taken(
        document, config.max_params
    ):
        return None
    gathering = Gathering(config, rules.redactor, rules.encode_param)
    reader = BodyParams(config, rules.redactor, gathering, None, rules.documents)
    # Nobody asks for its digest but the long road.
    held = Tail(len(document), document)
    reader.add_all([Document(held, rules.redactor.classify, is_json=True)])
    params = gathering.finish()
    spilling = gathering.spilling
    names = names_in_document(params)
    if names is None or spilling.spills or spilling.cut or gathering.sent_as:
        return None
    plain = frozenset(name for name in names if isinstance(name, bytes))
    if len(plain) != len(names):
        return None  # a name with a secret in it

    return TakenDocument(params.coded or (), plain, gathering.has_password)


def _may_be_taken(document: bytes, most: int) -> bool:
    # Told at a glance, what the long road is to tell is not read twice.
    return document.rstrip()[-1:] in _ENDS and document.count(b",") <= most


class SingleValues:
    """
    What single values of one document yield.

    Args:
        rules: compiled at start.
    """

    def __init__(self, rules: Rules) -> None:
        self._values = Values(rules.documents)
        self.ask = self._values.ask
        self._encode = rules.encode_param
        self._gathering = Gathering(rules.config, rules.redactor, rules.encode_param)
        self._reader = BodyParams(
            rules.config, rules.redactor, self._gathering, None, rules.documents
        )

    def take(
        self,
        pointer: Pointer,
        above: bytes,
        part: bytes,
        string: bytes | None,
        other: bytes | None,
    ) -> bytes:
        """
        Return a param as it stands in a record; of the arguments, see `Values.look`.

        Raises:
            Unsure: all of the document must be looked at.
            Shown: it is for the long road.
        """
        name = above + part
        found = self._values.look(pointer, above, part, string, other)
        if isinstance(found, Member):
            param, coded = self._add(found)
            if param.name != name:
                raise Unsure
        else:
            param = Param("json", name, found[1])
            coded = self._encode(param)  # a key may need a code where no value does
        if _CODED in coded:
            self._show(param, coded)

        return coded

    def _add(self, member: Member[str]) -> tuple[Param, bytes]:
        gathering = self._gathering
        gathering.hold()
        self._reader.add(member)
        ((param, coded, _),) = gathering.release()

        return param, coded

    def _show(self, param: Param, coded: bytes) -> None:
        params = Params((param,))
        params.coded = (coded,)
        if names_in_document(params) is None:
            raise Shown

    def end(self) -> bool:
        """
        Return whether one of them could let a client in; the document was good.

        Raises:
            Shown: something was spilled.
        """
        spilling = self._gathering.spilling
        if spilling.spills or spilling.cut:
            raise Shown
        self._values.end()

        return self._gathering.has_password
