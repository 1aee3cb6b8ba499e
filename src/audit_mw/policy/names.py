# The name of a value -> the class of the secret that it holds, or None.
#
# A name is normalised first: compatibility characters folded (NFKC), camelCase and
# every separator taken as the border of a word, case gone. Then two tables apply:
# stems, which count anywhere in the joined words (`userPassword2`, `x-api-key`), and
# words, which are too short for that and count only whole (`pin`, not `shipping`).
#
# False positives are cheap (a length in place of a value), false negatives are
# incidents; so the tables are wide, and hold the languages of Europe.
import re
from collections.abc import Iterable
from unicodedata import normalize

__all__ = [
    "CARD",
    "OPAQUE",
    "PASSWORD",
    "SECRET",
    "TOKEN",
    "Classifier",
    "names_session",
]

PASSWORD = "password"  # noqa: S105 - the name of a class
TOKEN = "token"  # noqa: S105 - the name of a class
CARD = "card"
SECRET = "secret"  # noqa: S105 - the name of a class
OPAQUE = "opaque"

# Low in entropy, so that even a keyed digest would be too much: length only.
PASSWORD_STEMS = (
    "passw passwd passphras passcode psswd pswd pwd kennwort parool salasana contrasen "
    "contrasenya motdepasse senha wachtwoord haslo hasło парол losenord lösenord "
    "adgangskode passord heslo jelszo jelszó lozinka slaptazod slaptažod parola "
    "密码 密碼 パスワード 비밀번호 pincode securityanswer secretanswer securitycode "
    "onetimecode verificationcode cardverif"
).split()
PASSWORD_WORDS = set("pass pw pin pins puk otp totp hotp tan mdp cvv cvc csc".split())

# Made by machines, so that a keyed digest joins their uses and tells nothing else.
TOKEN_STEMS = (
    "token secret apikey accesskey privatekey secretkey signingkey sharedkey sshkey "
    "encryptionkey masterkey servicekey authkey appkey sessionid sessionkey sessid "
    "sesskey jsession phpsess aspsession aspxauth credential authoriz authoris "
    "authentic csrf xsrf bearer jwt saml assertion connectsid passkey signature "
    "rememberme rememberweb recoverycode backupcode authcode codeverifier"
).split()
TOKEN_WORDS = set("sid sess session auth oauth sig hmac cookie jwe otc".split())

_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_WORD = re.compile(r"[^\W\d_]+|\d+")
_NAME_BYTES = 512  # of a longer name the ends count
_REMEMBERED = 4096


def _decode(name: bytes) -> str:
    if len(name) > 2 * _NAME_BYTES:
        name = name[:_NAME_BYTES] + b" " + name[-_NAME_BYTES:]
    try:
        return name.decode()
    except UnicodeDecodeError:
        return name.decode("latin-1")


def _words(name: str) -> list[str]:
    if not name.isascii():
        name = normalize("NFKC", name)

    return _WORD.findall(_CAMEL.sub(" ", name).lower())


class Classifier:
    """
    The class of the secret that a name announces.

    Args:
        more: further stems, of class `secret`.
        exempt: names that are no secret; they must be equal once normalised.
    """

    def __init__(self, more: Iterable[str] = (), exempt: Iterable[str] = ()) -> None:
        self._stems = (
            *(("".join(_words(stem)), SECRET) for stem in more),
            *((stem, PASSWORD) for stem in PASSWORD_STEMS),
            *((stem, TOKEN) for stem in TOKEN_STEMS),
        )
        self._exempt = {"".join(_words(name)) for name in exempt}
        self._remembered: dict[bytes, str | None] = {}

    def __call__(self, name: bytes) -> str | None:
        """Return the class of `name`, or None."""
        try:
            return self._remembered[name]
        except KeyError:
            cls = self._look(name)
        if len(name) <= _NAME_BYTES:
            # Names that never come again must not fill the memory.
            if len(self._remembered) >= _REMEMBERED:
                self._remembered.clear()
            self._remembered[name] = cls

        return cls

    def _look(self, name: bytes) -> str | None:
        words = _words(_decode(name))
        joined = "".join(words)
        if joined in self._exempt:
            return None
        for stem, cls in self._stems:
            if stem in joined:
                return cls
        if not PASSWORD_WORDS.isdisjoint(words):
            return PASSWORD
        if not TOKEN_WORDS.isdisjoint(words):
            return TOKEN

        # "mypass", "userpass"; the price is "bypass" and "compass".
        return PASSWORD if joined.endswith("pass") else None


_SESSION_STEMS = ("sessionid", "sessid", "jsession", "phpsess", "aspsession")
_SESSION_WORDS = {"sid", "sess", "session"}


def names_session(name: bytes) -> bool:
    """Tell whether a cookie of this name holds a session id, as servers call them."""
    found = _words(_decode(name))
    joined = "".join(found)

    return any(stem in joined for stem in _SESSION_STEMS) or not (
        _SESSION_WORDS.isdisjoint(found)
    )
