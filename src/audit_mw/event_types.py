# The names that an event may have: the whole logging vocabulary of OWASP (its
# "Application Logging Vocabulary" sheet), and what this package adds.
#
# Levels are OWASP's own words. What is ours has the level that a like name has there.
from collections.abc import Collection
from difflib import get_close_matches
from typing import NamedTuple

__all__ = ["OURS", "OWASP", "EventType", "check_type", "type_rows"]


class EventType(NamedTuple):
    """A name, how much it matters, and what it says."""

    name: str
    level: str
    meaning: str


OWASP = tuple(
    EventType(*row)
    for row in (
        ("authn_login_success", "INFO", "a user logged in"),
        ("authn_login_successafterfail", "INFO", "a user logged in after failures"),
        ("authn_login_fail", "WARN", "a login that failed"),
        ("authn_login_fail_max", "WARN", "a user reached the limit of failed logins"),
        ("authn_login_lock", "WARN", "an account was locked"),
        ("authn_password_change", "INFO", "a password was changed"),
        ("authn_password_change_fail", "CRITICAL", "a password was not changed"),
        ("authn_impossible_travel", "CRITICAL", "a user is at two far places at once"),
        ("authn_token_created", "INFO", "a token for access was made"),
        ("authn_token_revoked", "INFO", "a token was revoked"),
        ("authn_token_reuse", "CRITICAL", "a revoked token was used"),
        ("authn_token_delete", "WARN", "a token was deleted"),
        ("authz_fail", "CRITICAL", "somebody tried what is not theirs"),
        ("authz_change", "WARN", "what a user may do was changed"),
        ("authz_admin", "WARN", "a privileged user did something"),
        ("crypt_decrypt_fail", "WARN", "a decryption failed"),
        ("crypt_encrypt_fail", "WARN", "an encryption failed"),
        ("excess_rate_limit_exceeded", "WARN", "a limit of use was exceeded"),
        ("upload_complete", "INFO", "a file was uploaded"),
        ("upload_stored", "INFO", "an uploaded file was stored"),
        ("upload_validation", "INFO|CRITICAL", "an uploaded file was examined"),
        ("upload_delete", "INFO", "an uploaded file was deleted"),
        ("input_validation_fail", "WARN", "input that the server found invalid"),
        ("input_validation_discrete_fail", "WARN", "a value that no list offered"),
        ("malicious_excess_404", "WARN", "many requests for what is not there"),
        ("malicious_extraneous", "CRITICAL", "input that nobody asked for"),
        ("malicious_attack_tool", "CRITICAL", "a tool of attackers"),
        ("malicious_cors", "CRITICAL", "a request from an origin that may not"),
        (
            "malicious_direct_reference",
            "CRITICAL",
            "a reach for somebody else's object",
        ),
        ("privilege_permissions_changed", "WARN", "who may do what to an object"),
        ("sensitive_create", "WARN", "sensitive data was created"),
        ("sensitive_read", "WARN", "sensitive data was read"),
        ("sensitive_update", "WARN", "sensitive data was changed"),
        ("sensitive_delete", "WARN", "sensitive data was deleted"),
        ("sequence_fail", "CRITICAL", "a step was taken out of its order"),
        ("session_created", "INFO", "a session began"),
        ("session_renewed", "INFO", "a session was extended"),
        ("session_expired", "INFO", "a session ended: logout, timeout, revoked"),
        ("session_use_after_expire", "CRITICAL", "a session was used after its end"),
        ("sys_startup", "WARN", "a process began to write to the trail"),
        ("sys_shutdown", "WARN", "a process ended in order"),
        ("sys_restart", "WARN", "a system was restarted"),
        ("sys_crash", "WARN", "a process ended without a word"),
        ("sys_monitor_disabled", "WARN", "a monitor was stopped"),
        ("sys_monitor_enabled", "WARN", "a monitor was started"),
        ("user_created", "WARN", "a user was created"),
        ("user_updated", "WARN", "a user was changed"),
        ("user_archived", "WARN", "a user was archived"),
        ("user_deleted", "WARN", "a user was deleted"),
    )
)

OURS = tuple(
    EventType(*row)
    for row in (
        ("request", "INFO", "a request was served"),
        ("websocket", "INFO", "a websocket was served"),
        ("call", "INFO", "the application used an external resource (2.2)"),
        ("error", "WARN", "an error that the user was shown (2.5.2)"),
        ("exception", "CRITICAL", "an exception, outside of any request (2.5.1)"),
        ("log", "INFO", "a record of the application's own logging"),
        ("sys_deploy", "WARN", "a version was deployed"),
        ("sys_reload", "WARN", "a server read its configuration again"),
        ("sys_timeout", "WARN", "a worker was ended: it did not answer its server"),
        ("log_gap", "CRITICAL", "records are missing, or were not made"),
        ("log_refused", "CRITICAL", "requests were refused, for no record could be"),
        ("log_space", "WARN", "free space of the trail crossed a threshold"),
        ("segment_closed", "INFO", "a segment was closed"),
        ("segment_expired", "WARN", "a segment was removed, its time being over"),
        ("param_mismatch", "WARN", "one name, different values in two sources"),
        ("deceptive_user", "WARN", "a user name that looks like another one"),
        ("forged_forwarding", "WARN", "a forwarding header of who may not set one"),
        ("malformed_input", "WARN", "input that is coded as no client would"),
        ("excess_input", "WARN", "more or longer parameters than a record takes"),
        ("session_new_address", "WARN", "a session was used from another address"),
    )
)

# What the trail says of itself, and what has a call of its own: whoever reads the
# trail must be able to rely on who said it.
_NOBODYS = {
    *("request", "websocket", "call", "exception", "log", "sys_startup", "sys_crash"),
    *("sys_shutdown", "log_gap", "log_refused", "log_space", "segment_closed"),
    "segment_expired",
}
_KNOWN = {each.name for each in (*OWASP, *OURS)} - _NOBODYS


def check_type(name: object, own: Collection[str] = ()) -> str:
    """
    Return `name` if it is one that an application may say, or one of `own`.

    Raises:
        ValueError: it is not; the message names the nearest that is.
    """
    if isinstance(name, str) and (name in _KNOWN or name in own):
        return name
    if name in _NOBODYS:
        raise ValueError(f"{name!r} is a word of the trail's own: say another one")
    near = get_close_matches(str(name)[:99], [*_KNOWN, *own], 1)
    said = f"; {near[0]!r}?" if near else ""

    raise ValueError(
        f"{str(name)[:99]!r} is no name of an event{said} (those of OWASP's logging "
        "vocabulary are known; declare your own with the option types)"
    )


def type_rows() -> list[EventType]:
    """Return all names that need no declaration, for the documentation."""
    return [*OWASP, *OURS]
