# Payment card numbers: by issuer, by length, and by their check digit.
#
# Digits stand in a run, with a separator between groups. A number begins and ends where
# a group does: so a card before its `12/27` and one behind another number are found,
# and a longer number is not taken apart.
import re
from collections.abc import Iterator
from itertools import accumulate

from audit_mw.policy.runs import Alphabet

__all__ = ["find_cards"]

_RUN = re.compile(rb"(?<![0-9])(?<![0-9]\.)[0-9](?:(?:[ _-]|  |\xc2\xa0)?[0-9]){12,}+")
_FEWEST_DIGITS = 13
_DIGITS_APART = Alphabet(b"0123456789 _-\xc2\xa0", _FEWEST_DIGITS)
_OTHERS = bytes(byte for byte in range(256) if byte not in b"0123456789")
_GROUP = re.compile(rb"[0-9]+")
_FEWEST = 3  # digits of a number's first group
_MOST = 19  # digits of a number

# (first digits, lengths), from the issuers' own tables; Maestro's is the widest.
_ISSUERS = (
    (re.compile(rb"4"), (13, 16, 19)),
    (re.compile(rb"5[1-5]|2(?:2[2-9]|[3-6]|7[01]|720)"), (16,)),
    (re.compile(rb"3[47]"), (15,)),
    (re.compile(rb"3(?:0[0-59]|[689])"), (14, 16, 19)),
    (re.compile(rb"5[06-8]|6|35|8[1-7]|220[0-4]"), (16, 17, 18, 19)),
)
_LENGTHS = {length for _, lengths in _ISSUERS for length in lengths}
_PHONE = 15  # digits of a telephone number, at most (ITU-T E.164 6.1)


def find_cards(text: bytes) -> Iterator[tuple[int, int]]:
    """Yield where each payment card number starts and ends."""
    for run in _runs(text):
        for start, end in _in_run(run[0]):
            span = run.start() + start, run.start() + end
            if not (_is_fraction(text, *span) or _is_iban(text, *span)):
                yield span


def _runs(text: bytes) -> Iterator[re.Match[bytes]]:
    for start, end in _DIGITS_APART.runs(text):
        # Most are the spaces before a line of a program.
        if len(text[start:end].translate(None, _OTHERS)) >= _FEWEST_DIGITS:
            yield from _RUN.finditer(text, start, end)


def _in_run(run: bytes) -> Iterator[tuple[int, int]]:
    groups = list(_GROUP.finditer(run))
    done = 0
    for first, group in enumerate(groups):
        if group.start() >= done and len(group[0]) >= _FEWEST:
            done = _end(groups[first : first + _MOST]) or done
            if done > group.start():
                yield group.start(), done


def _end(groups: list[re.Match[bytes]]) -> int | None:
    spelt = accumulate(group[0] for group in groups)
    for digits, group in zip(spelt, groups, strict=True):
        if len(digits) > _MOST:
            return None
        if len(digits) in _LENGTHS and _is_card(digits):
            return group.end()

    return None


def _is_card(digits: bytes) -> bool:
    return any(
        len(digits) in lengths and prefix.match(digits) for prefix, lengths in _ISSUERS
    ) and _luhn(digits)


def _luhn(digits: bytes) -> bool:
    # ISO/IEC 7812-1, annex B: every second digit from the right counts twice.
    total = 0
    for place, byte in enumerate(reversed(digits)):
        digit = byte - ord("0")
        if place % 2:
            digit = digit * 2 - (9 if digit > 4 else 0)
        total += digit

    return total % 10 == 0


_FRACTION = re.compile(rb"\.[0-9]")


def _is_fraction(text: bytes, start: int, end: int) -> bool:
    # 4111111111111.25 is an amount, +4915112345678 a telephone number.
    phone = end - start <= _PHONE and text[max(0, start - 1) : start] == b"+"

    return phone or _FRACTION.match(text, end) is not None


_IBAN = re.compile(rb"(?<![A-Za-z0-9])[A-Z]{2}[0-9]{2}(?: ?[A-Z0-9]){11,30}+")
_IBAN_BYTES = 42  # 34 characters (ISO 13616), in groups of four


def _is_iban(text: bytes, start: int, end: int) -> bool:
    # An account number of a bank is personal, but no secret. Its own check digits
    # (ISO 7064 MOD 97-10) tell it from a card behind two letters.
    for iban in _IBAN.finditer(text, max(0, start - _IBAN_BYTES), end + _IBAN_BYTES):
        if iban.start() < start and end <= iban.end():
            plain = iban[0].replace(b" ", b"").decode()
            spelt = "".join(str(int(letter, 36)) for letter in plain[4:] + plain[:4])
            return int(spelt) % 97 == 1

    return False
