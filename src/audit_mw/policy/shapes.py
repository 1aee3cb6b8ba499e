# Values that are secret by their shape, whatever they are called.
#
# Each shape is (a piece of text without which it cannot stand, the pattern, the class,
# where it is looked for). The piece is looked for first, since a search for fixed bytes
# costs next to nothing; most shapes need a long run of letters and the like besides, so
# the piece is looked for in these runs only. Where a piece is found, the pattern is
# tried there, and not all along the text. Patterns are anchored at the border of a run
# and possessive, so that a megabyte of near misses is read once, not once for each of
# its bytes.
#
# (Longer than 250 lines, since the table stands beside what reads it.)
import re
import string
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from audit_mw.policy.cards import find_cards
from audit_mw.policy.names import CARD, PASSWORD, SECRET, TOKEN
from audit_mw.policy.runs import Alphabet

__all__ = [
    "IN_WORDS",
    "Shape",
    "Span",
    "compile_shapes",
    "find_shapes",
    "is_bare_word",
]


class Shape(NamedTuple):
    """
    A pattern; its group `secret`, or else all of it, is what is withheld.

    What else is told of it only saves work: how far behind the start of a match the
    needle stands; that it stands in a long run; an alphabet, where a match begins with
    a run of it; and what a match has in it that is searched for at less cost. A needle
    in any case is written in lower case.
    """

    needle: bytes
    pattern: re.Pattern[bytes]
    cls: str
    ahead: int | None = None
    is_in_run: bool = False
    alphabet: Alphabet | None = None
    sign: re.Pattern[bytes] | None = None
    is_any_case: bool = False


class Span(NamedTuple):
    """A part of a text that is to be withheld."""

    start: int
    end: int
    cls: str


_EDGE = rb"(?<![A-Za-z0-9_-])"
_RUN = rb"[A-Za-z0-9_.~+/=|:-]"
_HASHED = rb"[A-Za-z0-9_./$,=+-]{16,}+"

_WORDS = (string.ascii_letters + string.digits).encode() + b"_-"
_OTHERS = b".~+/=|:"  # of a run, beside those of words
_RUNS = Alphabet(_WORDS + _OTHERS, 15)  # the shortest token with a prefix

# Prefixes that issuers document so that scanners can find what leaked, and how many
# characters follow at least.
_PREFIXES = (
    "ghp_ 20 gho_ 20 ghu_ 20 ghs_ 20 ghr_ 20 github_pat_ 20 glpat- 16 "
    "gldt- 16 glrt- 16 "
    "glptt- 16 glagent- 16 gloas- 16 glsoat- 16 glcbt- 16 glft- 16 xoxa- 10 xoxb- 10 "
    "xoxc- 10 xoxd- 10 xoxe- 10 xoxe. 10 xoxp- 10 xoxr- 10 xoxs- 10 xapp- 10 AKIA 16 "
    "ASIA 16 IQoJ 60 FwoG 60 AIza 30 ya29. 20 GOCSPX- 20 1//0 30 4/0A 30 sk_live_ 10 "
    "sk_test_ 10 rk_live_ 10 rk_test_ 10 whsec_ 16 SG. 20 npm_ 30 pypi-AgE 16 "
    "hvs. 20 hvb. 20 dop_v1_ 20 doo_v1_ 20 dor_v1_ 20 shpat_ 20 shpca_ 20 shppa_ 20 "
    "shpss_ 20 EAA 40 AGE-SECRET-KEY-1 20 dapi 32 lin_api_ 20 PMAK- 20 Atzr| 20 hf_ 30 "
    "gsk_ 30 xkeysib- 30 NRAK- 20 nfp_ 30 sntrys_ 20 sntryu_ 20 dckr_pat_ 20 dp.pt. 20 "
    "figd_ 20 ATATT3 20 ATCTT3 20 ATBB 28 rubygems_ 20 ory_at_ 20 ory_rt_ 20 ops_ey 20 "
    "ntn_ 30 sbp_ 30 sq0atp- 20 sq0csp- 30 key- 32 xprv 100 ST- 20 PGT- 20 TGT- 20 "
    "MHcCAQEE 30 MHQCAQEE 30 MIGHAgEAMBMG 30 MIGEAgEAMBAG 30 MC4CAQAwBQYDK2V 30 "
    "b3BlbnNzaC1rZXkt 30 glsa_ 20 glc_ 20 CCIPAT_ 20 fm2_ 20 tskey- 16 r8_ 30 xai- 30 "
    "pul- 30 sqp_ 30 squ_ 30 sqa_ 30 AKCp 40 pscale_ 20 pplx- 30 lsv2_ 20 sk-lf- 20 "
    "CFPAT- 20 bkua_ 20 HRKU- 20 snyk_uat. 20 dt0c01. 30 essu_ 20 pnu_ 30 tfp_ 30 "
    "rdme_ 20 shippo_live_ 20 duffel_live_ 20 FLWSECK 20 EZAK 30 A21AA 40 "
    "y0_ 30 AQVN 30 "
    "v2.local. 30 v3.local. 30 v4.local. 30 v2.public. 30 v3.public. 30 v4.public. 30"
).split()


def _prefixed(prefix: str, least: str) -> Shape:
    coded = prefix.encode()
    # A prefix that means nothing else may stand in the middle of a word.
    edge = b"" if coded[-1:] == b"_" and len(coded) > 3 else _EDGE
    # "key-ring-of-polished-brass" is none.
    digit = (
        rb"(?=[^\s0-9]{0,24}[0-9])" if coded[-1:] == b"-" and len(coded) < 5 else b""
    )
    pattern = edge + re.escape(coded) + digit + _RUN + b"{%s,}+" % least.encode()

    return Shape(coded, re.compile(pattern), TOKEN, ahead=0, is_in_run=True)


def _any_of(prefixes: Iterable[str]) -> bytes:
    # By first letter, so that a search skips what begins with none of them.
    by_letter: dict[str, list[str]] = {}
    for prefix in prefixes:
        by_letter.setdefault(prefix[0], []).append(re.escape(prefix[1:]))

    return "|".join(
        f"{re.escape(letter)}(?:{'|'.join(rest)})" for letter, rest in by_letter.items()
    ).encode()


# A word with none of these, and with less digits than a card, has no shape.
IN_WORDS = (*_PREFIXES[::2], "secret_", "sk-", "-us", "MII", "access-")
_OF_PREFIXES = tuple(map(_prefixed, _PREFIXES[::2], _PREFIXES[1::2]))

_OF_JWT = Alphabet(_WORDS + b".", 4)
_SHAPES = (
    Shape(
        b"PRIVATE KEY",
        # Up to the end of the armour; where that is missing, to the end.
        re.compile(
            rb"-----? ?BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)? ?----"
            rb"(?:(?!----[- ]END )[\s\S])*+(?:----[- ]END [A-Z0-9 ]{0,60}-{0,5})?"
        ),
        TOKEN,
    ),
    Shape(b"PuTTY-User-Key", re.compile(rb"PuTTY-User-Key-File[\s\S]*+"), TOKEN),
    Shape(
        b"MII",  # RSA and DSA keys without their armour: SEQUENCE, then INTEGER 0
        re.compile(rb"MII[A-Za-z0-9+/]{3}IBA(?:AK|DAN)[A-Za-z0-9+/=\s]{40,}+"),
        TOKEN,
    ),
    *(
        Shape(
            start,  # {" in base64, perhaps with a space: the first part of a JWT
            re.compile(
                rb"(?<![A-Za-z0-9_.-])(?>[A-Za-z0-9_.-]*?(?="
                + start
                + rb"))(?P<secret>[A-Za-z0-9_-]++(?:\.[A-Za-z0-9_-]*+)++)"
            ),
            TOKEN,
            alphabet=_OF_JWT,
        )
        for start in (b"eyJ", b"eyAi", b"ewog", b"ew0K")
    ),
    # RFC 9110 11.1: the name of a scheme is written in any case.
    Shape(
        b"bearer",
        re.compile(rb"(?i:\bbearer)[ ,.:=]++(?P<secret>[A-Za-z0-9_.~+/=-]{8,}+)"),
        TOKEN,
        ahead=0,
        is_any_case=True,
    ),
    Shape(
        b"basic ",  # but no words, as in "basic training"
        re.compile(
            rb"(?i:\bbasic) +(?!(?:[A-Za-z]?[a-z]++|[A-Z]++)(?![A-Za-z0-9+/=]))"
            rb"(?P<secret>[A-Za-z0-9+/]{6,}+=*+)(?![A-Za-z])"
        ),
        PASSWORD,
        ahead=0,
        is_any_case=True,
    ),
    *(
        # Passwords as databases hold them: guesses can be tested on these.
        Shape(
            needle,
            re.compile(kind + rb"(?P<secret>" + _HASHED + rb")"),
            PASSWORD,
            sign=re.compile(re.escape(needle) + _HASHED),
        )
        for needle, kind in (
            (
                b"$",
                rb"\$(?:2[abxy]?|[1567PHy]|apr1|argon2i?d?|scrypt|sha1|pbkdf2[\w-]*+)\$",
            ),
            (
                b"$",
                rb"(?:pbkdf2|scrypt|bcrypt|argon2|md5|sha(?:1|256|512))[\w:]{0,40}+\$",
            ),
            (b"}", rb"\{(?:(?:S?SHA|PBKDF2)[\w-]{0,16}|S?MD5|CRYPT)\}"),
        )
    ),
    Shape(b"WIFI:", re.compile(rb"WIFI:(?P<secret>[^\r\n]++)"), PASSWORD),
    Shape(
        b"thin:", re.compile(rb"thin:[^\s/@]{1,64}+/(?P<secret>[^\r\n]++)"), PASSWORD
    ),
    Shape(
        b":1",  # what Django signs: payload:time:signature
        re.compile(rb":1[0-9A-Za-z]{5}:(?P<secret>[\w-]{27,43}+)(?![\w-])"),
        TOKEN,
        is_in_run=True,
    ),
    Shape(
        b"secret_",  # of Stripe's client_secret, and of Notion
        re.compile(
            rb"(?<![A-Za-z0-9])secret_(?P<secret>(?=[A-Za-z]*+[0-9])[A-Za-z0-9]{10,}+)"
        ),
        TOKEN,
        ahead=0,
        is_in_run=True,
    ),
    Shape(
        b".",  # Discord
        re.compile(_EDGE + rb"[MNO][\w-]{23,27}+\.[\w-]{6}\.[\w-]{27,}+"),
        TOKEN,
        is_in_run=True,
        sign=re.compile(rb"\.[\w-]{6}\.[\w-]{27}"),
    ),
    Shape(
        b".atlasv1.",
        re.compile(rb"\w{14}\.atlasv1\.[\w=-]{30,}+"),
        TOKEN,
        ahead=14,
        is_in_run=True,
    ),
    Shape(
        b"Q~",
        re.compile(rb"[\w.~-]{3}[78]Q~[\w.~-]{31,34}"),
        TOKEN,
        ahead=4,
        is_in_run=True,
    ),
    Shape(
        b"-us",
        re.compile(_EDGE + rb"[0-9a-f]{32}-us[0-9]{1,2}(?![\w-])"),
        TOKEN,
        ahead=32,
        is_in_run=True,
    ),
    Shape(
        b"access-",
        re.compile(rb"access-(?:sandbox|development|production)-[0-9a-f-]{36}"),
        TOKEN,
        is_in_run=True,
    ),
    Shape(
        b"://",  # RFC 3986 3.2.1: a token as the user's name
        re.compile(rb"://(?P<secret>[^\s:/?#@\"'<>]{16,}+)(?=@)"),
        TOKEN,
    ),
    Shape(
        b"@",  # user:password@host, without a scheme before it
        re.compile(
            rb"(?<![\w.%+:/@-])(?!(?:mailto|sips?|xmpp|acct|e-?mail|from|to|b?cc|npm):)"
            rb"[\w.%+-]{1,64}+:(?!//)(?P<secret>[^\s\"'<>@,;]{1,128}+)(?=@[\w(\[])"
        ),
        PASSWORD,
        sign=re.compile(rb":[^\s\"'<>@,;:]{0,128}+@[\w(\[]"),
    ),
    Shape(
        b"sk-",
        re.compile(_EDGE + rb"sk-(?=[a-z0-9-]{0,24}?[A-Za-z0-9_]{20})" + _RUN + b"++"),
        TOKEN,
        ahead=0,
        is_in_run=True,
    ),
    Shape(
        b"hooks.slack.com/",
        re.compile(rb"hooks\.slack\.com/[a-z]+/(?P<secret>[A-Za-z0-9/_-]{8,}+)"),
        TOKEN,
        is_in_run=True,
    ),
    Shape(
        b":AA",
        re.compile(rb"(?<![0-9])[0-9]{8,10}:AA[A-Za-z0-9_-]{30,}+"),
        TOKEN,
        is_in_run=True,
        sign=re.compile(rb":AA[A-Za-z0-9_-]{30}"),
    ),
)
# A prefix stands at the border of a word, or has a "_" in it, and of either there are
# few. The two characters beside it tell which it may be.
_TO_WORDS = bytes.maketrans(_OTHERS, b" " * len(_OTHERS))
_BY_HEAD: dict[bytes, list[int]] = {}
_BY_TAIL: dict[bytes, list[int]] = {}
for _at, _shape in enumerate(_OF_PREFIXES):
    if _shape.pattern.pattern.startswith(_EDGE):
        _head = _shape.needle.translate(_TO_WORDS).split()[0][:2]
        _BY_HEAD.setdefault(_head, []).append(_at)
    else:
        _tail = _shape.needle.partition(b"_")[0][-2:]
        _BY_TAIL.setdefault(_tail, []).append(_at)


# In a text without a long run stand no shapes but these. In a long one it costs less to
# look for one needle after the other.
_HAS_LOOSE = re.compile(
    b"|".join(
        (
            _any_of(
                shape.needle.decode()
                for shape in _SHAPES
                if not (shape.is_in_run or shape.is_any_case)
            ),
            *(
                b"%c(?i:%s)" % (first, re.escape(shape.needle[1:]))
                for shape in _SHAPES
                if shape.is_any_case
                for first in shape.needle[:1] + shape.needle[:1].upper()
            ),
        )
    )
)
_SHORT = 256

# In such a word stand no shapes but those with a prefix, cards, and these.
_WORD = re.compile(rb"[A-Za-z0-9_-]{1,64}")
_HAS_ANY = re.compile(_any_of(IN_WORDS))


def is_bare_word(text: bytes) -> bool:
    """Tell whether a text is a word in which no shape built in can stand."""
    return (
        _WORD.fullmatch(text) is not None
        and _HAS_ANY.search(text) is None
        and next(find_cards(text), None) is None
    )


def compile_shapes(patterns: tuple[str, ...]) -> tuple[Shape, ...]:
    """Return the shapes of the option `secret_patterns`."""
    return tuple(
        Shape(b"", re.compile(pattern.encode()), SECRET) for pattern in patterns
    )


def find_shapes(text: bytes, own: tuple[Shape, ...]) -> Iterator[Span]:
    """Yield each part of `text` that has the shape of a secret, built in or `own`."""
    for shape in (*own, *_possible(text)):
        for match in _matches(shape, text):
            start, end = _secret(match)
            if start < end:
                yield Span(start, end, shape.cls)
    if b"@" in text and b"://" in text:
        yield from _find_passwords(text)
    for start, end in find_cards(text):
        yield Span(start, end, CARD)


def _possible(text: bytes) -> Iterator[Shape]:
    runs = b"\n".join([text[start:end] for start, end in _RUNS.runs(text)])
    if not runs and len(text) < _SHORT and _HAS_LOOSE.search(text) is None:
        return
    lower = text.lower()
    for shape in _SHAPES:
        where = runs if shape.is_in_run else lower if shape.is_any_case else text
        if shape.needle in where:
            yield shape
    for at in sorted(_prefixes(runs)) if runs else ():
        if _OF_PREFIXES[at].needle in runs:
            yield _OF_PREFIXES[at]


def _prefixes(runs: bytes) -> Iterator[int]:
    heads = {word[:2] for word in runs.translate(_TO_WORDS).split()}
    for head in heads.intersection(_BY_HEAD):
        yield from _BY_HEAD[head]
    tails = {word[-2:] for word in runs.split(b"_")}
    for tail in tails.intersection(_BY_TAIL):
        yield from _BY_TAIL[tail]


def _matches(shape: Shape, text: bytes) -> Iterable[re.Match[bytes]]:
    if shape.ahead is not None:
        return _at_needles(shape, text, shape.ahead)
    if shape.alphabet is not None:
        runs = shape.alphabet.around(text, shape.needle)
        return filter(None, (shape.pattern.match(text, start) for start, _ in runs))
    if shape.sign is not None and shape.sign.search(text) is None:
        return ()

    return shape.pattern.finditer(text)


def _at_needles(shape: Shape, text: bytes, ahead: int) -> Iterator[re.Match[bytes]]:
    # As finditer() has them, but without a look at what is between the needles.
    where = text.lower() if shape.is_any_case else text
    at = where.find(shape.needle, ahead)
    while at >= 0:
        match = shape.pattern.match(text, at - ahead)
        if match is not None:
            yield match
        after = match.end() + ahead if match is not None else at + 1
        at = where.find(shape.needle, after)


def _secret(match: re.Match[bytes]) -> tuple[int, int]:
    start, end = match.span("secret" if "secret" in match.re.groupindex else 0)

    return (start, end) if start >= 0 else match.span()


# RFC 3986 3.2.1: user:password@, but no port.
_USER = re.compile(
    rb"://[^\s:/?#@]*+:(?![0-9]{0,5}+(?:[/?#]|\Z))(?P<password>[^\r\n]++)"
)


def _find_passwords(text: bytes) -> Iterator[Span]:
    # Up to the last @: people type passwords with @ and spaces in them as they are.
    for match in _USER.finditer(text):
        end = match["password"].rfind(b"@")
        if end > 0:
            yield Span(match.start("password"), match.start("password") + end, PASSWORD)
