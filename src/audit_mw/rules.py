# What all exchanges share: policy and parsers, compiled at start, and the memory of
# what was seen before.
from collections.abc import Callable, Mapping

from audit_mw.config import Config
from audit_mw.event import Param
from audit_mw.known_documents import KnownDocuments
from audit_mw.policy.client import FORWARDING_FIELDS, compile_client
from audit_mw.policy.findings import Limits
from audit_mw.policy.findings_forwarding import claiming_fields
from audit_mw.policy.keyring import Keyring
from audit_mw.policy.redaction import Redactor
from audit_mw.sightings import Sightings
from audit_mw.wire.body import compile_body_parser

__all__ = ["Rules"]

# Field lines that are recorded as sent; with them go all that forward, all whose name
# announces a secret (redacted), and what the config adds.
_RECORDED = frozenset(
    b"host user-agent referer origin content-type content-length content-encoding "
    b"range upgrade x-http-method-override traceparent x-request-id authorization "
    b"proxy-authorization".split()
)


class Rules:
    """
    What is decided at start, for all exchanges.

    Args:
        config: the options.
        key: of the keyed digests.
        service: name of the service.
        encode_param: gives a param as it stands in a record.
        encode_details: gives a mapping as it stands in details.
    """

    def __init__(
        self,
        config: Config,
        key: bytes,
        service: str,
        encode_param: Callable[[Param], bytes],
        encode_details: Callable[[Mapping[str, object]], bytes],
    ) -> None:
        self.config = config
        self.service = service.encode(errors="surrogateescape")
        self.encode_param = encode_param
        self.encode_details = encode_details
        self.keyring = Keyring(key)
        self.redactor = Redactor(config, self.keyring)
        self.resolve_client = compile_client(config)
        self.limits = Limits(
            frozenset(config.detectors),
            config.max_body,
            config.opaque_types,
            claiming_fields(config.forwarded_by),
        )
        self.sightings = Sightings(declared=bool(config.trusted_proxies))
        self.choose_body = compile_body_parser(
            config.max_body, self.redactor.classify, whole=True
        )
        self.documents = KnownDocuments(config, self.redactor, encode_param)
        self.session_cookie = (
            config.session_cookie.encode() if config.session_cookie else None
        )
        self.tls_fields = {name.encode(): detail for detail, name in config.tls_fields}
        named = (*config.record_fields, config.forwarded_by)
        self.recorded = (
            _RECORDED
            | FORWARDING_FIELDS
            | {name.encode() for name in named}
            | set(self.tls_fields)
        )
