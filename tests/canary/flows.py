# Where the logins, links and messages of today's applications put a secret, in the
# spellings that no table of names has: one table more, read by tests/test_canary.py.
#
# A row says what stands around the canary, and which canaries it takes; that something
# is withheld at its place is enough, of whatever class.
import json
from collections.abc import Callable

from tests.canary.drive import Request
from tests.canary.places import (
    FORM,
    ONE_LINE,
    Place,
    document,
    form,
    path,
    percent,
    query,
    typed,
)

__all__ = ["FLOWS"]

RANDOM = frozenset({"alphanumeric"})
WORDS = frozenset({"alphanumeric", "letters"})
MADE = frozenset({"alphanumeric", "jwt"})
TYPED = ONE_LINE - {"jwt", "card"}

Make = Callable[[bytes], Request]


def flow(id_: str, source: str, make: Make, kinds: frozenset[str]) -> Place:
    """Return a place of which the record tells only that something was withheld."""
    return Place(
        id=id_, make=make, source=source, name=None, cls=None, length=None, kinds=kinds
    )


def note(around: str) -> Make:
    """Return a maker of forms with a text around the canary, which stands for `@`."""
    before, _, after = around.encode().partition(b"@")

    return lambda canary: Request(
        fields=(FORM,), body=b"note=" + percent(before + canary + after)
    )


NAMES = (
    "tfa_code verifyCode verif_code validation_code confirm_code dynamicCode "
    "emergency_code scratch_code memorable_word memorableInformation security_word "
    "challenge_answer kba_answer mothersMaiden cvn passowrd pasw psk гасло mima "
    "tok tkn access_tokn client_secert creds invitation_code inviteCode join_code "
    "reset_hash keystore cryptogram pın PİN paѕsԝord"
).split()

# What is secret only if it looks like it.
MACHINE_MADE = (
    "user_key clientKey tls_key kms_key enc-key rootKey hash_key activation_key "
    "share_key form_key unsealKey pkey cas_ticket github_pat sign"
).split()

TEXTS = (
    "Passwort lautet @",
    "la contraseña es @",
    "le mot de passe est @",
    "mot de passe : @",
    "heslo je @",
    "password is: @",
    "password：@",
    "パスワード＝@",
    "CREATE USER a IDENTIFIED BY '@'",
    "ALTER USER a IDENTIFIED BY @",
    "machine h login alice password @",
    "username alice password @",
    "mysql -u root -p@ shop",
    "sshpass -p @ ssh alice@h",
    "WIFI:S:home;T:WPA;P:@;;",
    "jdbc:oracle:thin:scott/@@//h:1521/x",
)

# Nothing but the look of a word tells that it is one.
BESIDE = ("password @", "my pw @ thanks", "token @", "secret @", "API-Key @")

ROUTES = (
    "/confirmEmail/@ /verifyEmail/@ /acceptInvite/12/@ /activateAccount/@/done "
    "/IncomingWebhook/@/1 /hooks/catch/123456/@ /key/@ /api/keys/@ /link/@ "
    "/register/@ /feed/@ /ical/@/basic.ics"
).split()

# A link that was mailed, its token under a name that says nothing.
LINKS = (
    "/verify?id=5&h=@ /unsubscribe?u=12&k=@ /account/reset?t=@ /magic-link?x=@ "
    "/invitations/accept?i=@"
).split()


def route(around: str) -> Make:
    """Return a maker of requests with the canary in a path, where it has an `@`."""
    before, _, after = around.encode().partition(b"@")

    return path(lambda canary: before + percent(canary) + after)


def link(around: str) -> Make:
    """Return a maker of requests with the canary in the query of a mailed link."""
    at, _, pairs = around.encode().partition(b"?")

    return lambda canary: Request(
        method="GET", path=at, query=pairs.replace(b"@", percent(canary))
    )


def _graphql(canary: bytes) -> Request:
    said = b"query($p: String!){login(password: $p){id}}"
    variables = json.dumps({"p": canary.decode()}).encode()

    return Request(
        method="GET",
        query=b"query=%s&variables=%s" % (percent(said), percent(variables)),
    )


FLOWS = (
    *(flow(f"form, {name}", "form", form(name), WORDS) for name in NAMES),
    *(flow(f"query, {name}", "query", query(name), RANDOM) for name in MACHINE_MADE),
    *(
        flow(f"text, {text}", "form", note(text), TYPED - {"digits"} | {"letters"})
        for text in TEXTS
    ),
    *(flow(f"text, {text}", "form", note(text), RANDOM) for text in BESIDE),
    *(flow(f"path, {text}", "path", route(text), RANDOM) for text in ROUTES),
    *(flow(f"link, {text}", "query", link(text), MADE) for text in LINKS),
    flow(
        "query, u and p",
        "query",
        lambda c: Request(method="GET", query=b"db=x&u=alice&p=" + percent(c)),
        TYPED - {"digits"},
    ),
    flow(
        "form, username and p",
        "form",
        lambda c: Request(fields=(FORM,), body=b"username=alice&p=" + percent(c)),
        TYPED - {"digits"},
    ),
    flow("query, GraphQL and its variables", "query", _graphql, ONE_LINE),
    flow(
        "JSON, a Secret of Kubernetes",
        "json",
        document(lambda text: {"kind": "Secret", "stringData": {"db": text}}),
        ONE_LINE,
    ),
    flow(
        "JSON, Odoo's positional password",
        "json",
        document(
            lambda text: {
                "method": "call",
                "params": {
                    "service": "object",
                    "method": "execute_kw",
                    "args": ["db", 2, text, "res.partner", "read", [[1]]],
                },
            }
        ),
        ONE_LINE,
    ),
    flow(
        "body, netrc",
        "body",
        typed(b"text/plain", b"machine h\nlogin alice\npassword %s\n".__mod__),
        ONE_LINE,
    ),
)
