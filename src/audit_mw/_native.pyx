# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False
# cython: nonecheck=True
#
# The short road, compiled: an ordinary request from its head to its record in the
# journal, with few objects made and hardly a function of Python called.
#
# Rule 1: it decides nothing. What is ordinary, and how that is coded, stands in the
#         memories of `Ordinary`, which are filled there. Where these have no answer, or
#         anything is not as it mostly is, the whole machinery takes over (`resume`).
# Rule 2: what it keeps is, byte for byte, what the road in Python keeps: a property
#         test compares them.
# Rule 3: whatever may run code of Python is done before any state is changed; until
#         all of it is changed, the interpreter gives way to no other thread.
# Rule 4: it is optional. Where it was not built, all goes the road in Python.
#
# (Longer than 250 lines, since calls from one module into another are what it saves.)
cimport cython
from cpython.buffer cimport PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport (
    PyBytes_AS_STRING,
    PyBytes_CheckExact,
    PyBytes_FromStringAndSize,
    PyBytes_GET_SIZE,
)
from cpython.contextvars cimport PyContextVar_Reset, PyContextVar_Set
from cpython.dict cimport PyDict_CheckExact
from cpython.list cimport PyList_CheckExact
from cpython.long cimport PyLong_CheckExact
from cpython.method cimport PyMethod_Check, PyMethod_GET_SELF
from cpython.object cimport PyObject
from cpython.ref cimport Py_DECREF
from cpython.tuple cimport PyTuple_CheckExact
from cpython.unicode cimport PyUnicode_AsLatin1String, PyUnicode_CheckExact
from cpython.weakref cimport PyWeakref_NewRef
from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport free, realloc
from libc.string cimport memchr, memcmp, memcpy, memset

import os
import warnings

from xxhash import xxh3_64_intdigest

from audit_mw.current_exchange import CURRENT, Current
from audit_mw.errors import AuditUnavailable
from audit_mw.event import NO_TLS, Draft, JsonText, Param, RequestHead
from audit_mw.known_documents import Prefix, Run
from audit_mw.ordinary import KINDS, OrdinaryHead
from audit_mw.policy.outcome import Evidence, resolve_outcome
from audit_mw.policy.plain import is_silent, telling_letters, telling_stems
from audit_mw.policy.pointers import NO_QUESTION, OF_CLASS, TELLING, Unsure
from audit_mw.policy.shapes import IN_WORDS
from audit_mw.policy.siblings import RELATED
from audit_mw.said import Said
from audit_mw.short_documents import Shown
from audit_mw.sightings import network_of
from audit_mw.trail.encoding import encode_column, encode_time, encode_word, respell
from audit_mw.trail.entry import Entry
from audit_mw.trail.forks import wiped_page
from audit_mw.trail.record import encode_record_details
from audit_mw.trail.slots import DONE, FREE, HALF, OPEN, SENDING

__all__ = [
    "Ids",
    "LongReader",
    "Reader",
    "ShortRecorder",
    "ShortRoad",
    "Stems",
    "siphash",
]

cdef extern from "Python.h":
    bint PyDict_Next(dict, Py_ssize_t *, PyObject **, PyObject **)
    int PyUnicode_KIND(object)
    void *PyUnicode_DATA(object)
    Py_ssize_t PyUnicode_GET_LENGTH(object)
    ctypedef enum PySendResult:
        PYGEN_RETURN
        PYGEN_ERROR
        PYGEN_NEXT

    PySendResult PyIter_Send(object, object, PyObject **) except PYGEN_ERROR
    bint PyCoro_CheckExact(object)
    PyObject *PyDict_GetItemWithError(object, object) except? NULL
    bint PySet_Contains(object, object) except -1
    PyObject *PyIter_Next(object) except? NULL

cdef extern from *:
    """
    #include <time.h>

    static long long audit_mw_nanos(clockid_t clock) {
        struct timespec now;
        clock_gettime(clock, &now);
        return now.tv_sec * 1000000000LL + now.tv_nsec;
    }
    static long long audit_mw_now(void) { return audit_mw_nanos(CLOCK_REALTIME); }
    static long long audit_mw_steady(void) { return audit_mw_nanos(CLOCK_MONOTONIC); }

    static int audit_mw_has_length(PyObject *it) {
        PyTypeObject *type = Py_TYPE(it);
        return (type->tp_as_sequence && type->tp_as_sequence->sq_length)
            || (type->tp_as_mapping && type->tp_as_mapping->mp_length);
    }

    /* Not before all that was stored until now: a process that is killed in between
       would leave half a version, and a state that says that it is whole. */
    static void audit_mw_switch(unsigned char *at, unsigned char state) {
        __atomic_store_n(at, state, __ATOMIC_RELEASE);
    }
    """
    long long audit_mw_now() nogil
    bint has_length "audit_mw_has_length" (object)
    long long audit_mw_steady() nogil
    void audit_mw_switch(unsigned char *, unsigned char) nogil

cdef int PASSED_BY = KINDS["passed by"]
cdef int RECORDED = KINDS["recorded"]
cdef int FORWARDING = KINDS["forwarding"]
cdef int TYPE = KINDS["type"]
cdef int SECRET = KINDS["secret"]
cdef int COOKIE = KINDS["cookie"]

cdef int S_HALF = HALF, S_FREE = FREE, S_OPEN = OPEN, S_SENDING = SENDING, S_DONE = DONE

cdef enum:
    FIELDS = 64       # as in `ordinary`: more takes a closer look
    PIECES = 64
    MOST_DIGITS = 18
    REMEMBERED = 4096
    SLOT_HEAD = 12    # length and check of a version
    VERSION_HEAD = 9  # bytes of the stream's name, of `before`, of `after`
    STAMP = 27        # 2026-11-21T05:26:07.123456Z
    EVENT = 36
    BEFORE = 72        # time, event id and stream, with their tabs
    AROUND = 26        # what stands around the cells behind the seq
    WORD = 64
    SAID = 1024       # of what words of chance say, and that in turn
    ROUNDS = 3        # as in `layers`
    ALIGNMENTS = 4
    NAME = 256        # as `SHARED` in wire/json: longer ones are shared
    KEY = 64
    LONGEST = 512     # as in `ordinary`
    DEPTH = 64
    DEEPEST = 1000    # as in wire/json
    GLANCED = 11      # as in policy/pointers
    IN_A_ROW = 16     # as in `known_documents`
    MOST_ITEMS = 1000000
    AT_ONCE = 65536   # bytes of params that are handed on together
    DIGITS = 10       # as in `known_documents`: of a plain number, and bytes of it
    NUMBER = 11
    LONG_PORT = 10000  # no port that there is has more digits
    TEXT = 256
    RUN = 14          # one less than `shapes` looks at, and than a prefix needs
    LEFT = 256        # what the end of a request adds to its version, as a rule

cdef uint8_t[:] _wiped = wiped_page()
cdef bytes STREAM = b"request"
cdef object END = object()
cdef object new_tuple = tuple.__new__
cdef object new_entry = Entry.__new__
cdef int ASKS_NOTHING = NO_QUESTION, ASKS_CLASS = OF_CLASS
cdef bytes TRUE = b"true", FALSE = b"false", NULL_WORD = b"null"
cdef bytes FORM = b"form", JSON = b"json"
cdef Py_ssize_t MOST = 0x3FFFFFFFFFFFFFFF
cdef const char **WORDS_OF_JSON = [
    b"true", b"false", b"null", b"NaN", b"Infinity", b"-Infinity"
]
cdef int *WORD_SIZES = [4, 5, 4, 3, 8, 9]
# Keys that a form or a document tells more by than their values.
cdef object TELLING_KEYS = frozenset({*TELLING, *RELATED, b"kty"})
cdef bytes CONTENT_LENGTH = b"content-length"
cdef const char *HEX = b"0123456789abcdef"


cdef inline object found_in(dict memory, object key):
    cdef PyObject *found = PyDict_GetItemWithError(memory, key)

    return None if found is NULL else <object>found


# --- bytes, piece by piece


cdef inline char *put(char *at, const char *piece, Py_ssize_t length) noexcept:
    memcpy(at, piece, length)

    return at + length


cdef inline char *put_bytes(char *at, bytes piece) noexcept:
    return put(at, PyBytes_AS_STRING(piece), PyBytes_GET_SIZE(piece))


cdef char *put_number(char *at, long long number) noexcept:
    cdef char digits[24]
    cdef int left = 24
    if number < 0:
        at[0] = b"-"
        at, number = at + 1, -number
    while True:
        left -= 1
        digits[left] = <char>(48 + number % 10)
        number //= 10
        if number == 0:
            break

    return put(at, digits + left, 24 - left)


cdef void put_little(char *at, uint64_t number, int size) noexcept:
    cdef int place
    for place in range(size):
        at[place] = <char>(number >> (8 * place) & 0xFF)


# --- words: which values can hold no secret


cdef uint8_t IS_WORD[256]   # letters, digits, - and _
cdef uint8_t IS_NAME[256]   # these and the dot
cdef uint8_t IS_HEX[256]
cdef uint8_t IN_BASE64[256]
# Of what is coded in a word: what gives no value, stands in no shape that words have
# not, is no part of a path, and begins no other coding, whatever stands beside it.
cdef uint8_t IS_IDLE[128]
# What no word without a secret has in it, sorted; and the place of the first that
# begins with these two bytes, plus one.
cdef list NEEDLES = sorted(needle.encode() for needle in IN_WORDS)
cdef uint16_t FIRST[65536]


cdef void fill_first(list needles, uint16_t *first):
    cdef int place, pair
    for place, needle in enumerate(needles):
        pair = needle[0] << 8 | needle[1]
        first[pair] = first[pair] or place + 1


cdef void fill_tables():
    cdef int byte
    letters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
    for byte in range(256):
        IS_WORD[byte] = byte in letters or byte in b"-_"
        IS_NAME[byte] = IS_WORD[byte] or byte == 46
        IS_HEX[byte] = 255
        IN_BASE64[byte] = 255
    for byte in range(128):
        IS_IDLE[byte] = IS_WORD[byte] or byte in b"!\"#'()*;<>?[]^`{|"
    for byte in range(64):
        IN_BASE64[(letters + b"-_")[byte]] = byte
    for byte in range(16):
        IS_HEX[b"0123456789abcdef"[byte]] = IS_HEX[b"0123456789ABCDEF"[byte]] = byte
    fill_first(NEEDLES, FIRST)


fill_tables()


cdef bint has_needle(
    const uint8_t *word, Py_ssize_t length, list needles, const uint16_t *first
):
    cdef Py_ssize_t at, place, most = len(needles)
    cdef const char *needle
    for at in range(length - 1):
        place = first[word[at] << 8 | word[at + 1]]
        while 0 < place <= most:
            needle = PyBytes_AS_STRING(<bytes>needles[place - 1])
            if needle[0] != word[at] or needle[1] != word[at + 1]:
                break
            if is_at(needle, word + at, length - at):
                return True
            place += 1

    return False


cdef inline bint is_at(
    const char *needle, const uint8_t *word, Py_ssize_t left
) noexcept:
    cdef Py_ssize_t place = 0
    while needle[place]:
        if place == left or <uint8_t>needle[place] != word[place]:
            return False
        place += 1

    return True


cdef inline bint is_break(
    const uint8_t *text, Py_ssize_t at, Py_ssize_t size
) noexcept:
    """Tell whether a coding goes on behind this end of a line (`layers._BREAKS`)."""
    return (
        text[at] == 10
        and 0 < at < size - 1
        and is_letter(text[at - 1])
        and is_letter(text[at + 1])
    )


cdef inline bint is_letter(uint8_t byte) noexcept:
    return IS_WORD[byte] and byte != 45 and byte != 95


cdef bint is_text(const uint8_t *said, Py_ssize_t length) noexcept:
    """Tell whether bytes are UTF-8 (RFC 3629) without control characters."""
    cdef Py_ssize_t at = 0, more
    cdef uint32_t point
    while at < length:
        point = said[at]
        at += 1
        if point < 0x80:
            if (point < 0x20 and point not in (9, 10, 13)) or point == 0x7F:
                return False
            continue
        if 0xC2 <= point <= 0xDF:
            more, point = 1, point & 0x1F
        elif 0xE0 <= point <= 0xEF:
            more, point = 2, point & 0x0F
        elif 0xF0 <= point <= 0xF4:
            more, point = 3, point & 0x07
        else:
            return False
        if at + more > length:
            return False
        for _ in range(more):
            if said[at] & 0xC0 != 0x80:
                return False
            point = point << 6 | said[at] & 0x3F
            at += 1
        if more == 2 and (point < 0x800 or 0xD800 <= point <= 0xDFFF):
            return False
        if more == 3 and not 0x10000 <= point <= 0x10FFFF:
            return False

    return True


cdef Py_ssize_t decode_base64(
    const uint8_t *word, Py_ssize_t length, uint8_t *said
) noexcept:
    """Write what a word says in base64; return its length."""
    cdef Py_ssize_t at, size = 0
    cdef uint32_t bits = 0
    cdef int held = 0
    for at in range(length):
        bits = bits << 6 | IN_BASE64[word[at]]
        held += 6
        if held >= 8:
            held -= 8
            said[size] = <uint8_t>(bits >> held & 0xFF)
            size += 1

    return size


cdef bint says_in_base64(const uint8_t *word, Py_ssize_t length) noexcept:
    cdef uint8_t said[WORD]
    cdef Py_ssize_t start, size
    for start in range(ALIGNMENTS):
        size = decode_base64(word + start, length - start, said)
        if size and is_text(said, size):
            return True

    return False


cdef bint says_in_hex(const uint8_t *word, Py_ssize_t length) noexcept:
    cdef uint8_t said[WORD]
    cdef Py_ssize_t first, end = 0, start, at, size
    while end < length:
        first = end
        while end < length and IS_HEX[word[end]] != 255:
            end += 1
        if end - first >= 20:
            for start in range(first, first + 2):
                size = 0
                for at in range(start, end - 1, 2):
                    said[size] = IS_HEX[word[at]] << 4 | IS_HEX[word[at + 1]]
                    size += 1
                if is_text(said, size):
                    return True
        end += 1

    return False


# With which a secret may begin that has blanks in it, or is a short one (`shapes`,
# `assignments`), beside what telling stems are in.
cdef list OPENINGS = [b"mii", b"eyj", b"eyai", b"ewog", b"ew0k", b"basic", b"identified"]


cdef class Stems:
    """
    Tells which words certainly announce no secret, as a name does, and which texts
    have none in them.
    """

    cdef list stems
    cdef uint16_t first[65536]
    cdef frozenset telling
    cdef uint8_t still[2048]  # of characters of two bytes: 0 where nobody asked

    def __init__(self, secret_names):
        self.telling = telling_letters(secret_names)
        memset(self.still, 0, sizeof(self.still))
        stems = [stem.encode() for stem in telling_stems(secret_names)]
        self.stems = sorted([*stems, *OPENINGS])
        memset(self.first, 0, sizeof(self.first))
        if all(len(stem) > 1 for stem in self.stems):
            fill_first(self.stems, self.first)
        else:
            self.stems = None  # a letter may be one: no word is certain

    def tells_nothing(self, bytes word not None):
        """Tell whether a word announces nothing; more may announce nothing."""
        return self.is_silent(
            <const uint8_t *>PyBytes_AS_STRING(word), PyBytes_GET_SIZE(word)
        )

    cdef bint is_silent(self, const uint8_t *word, Py_ssize_t length) except -1:
        cdef uint8_t letters[WORD]
        cdef Py_ssize_t at, size = 0
        if length > WORD or self.stems is None:
            return False
        for at in range(length):
            if not IS_WORD[word[at]]:
                return False
            if word[at] not in (45, 95):
                # In lower case: of a digit this bit is set already.
                letters[size] = word[at] | 0x20
                size += 1

        return not has_needle(letters, size, self.stems, self.first)

    def is_plain_word(self, bytes text not None):
        """Tell whether a text is a word that certainly has no secret in it."""
        return self.has_no_secret(
            <const uint8_t *>PyBytes_AS_STRING(text), PyBytes_GET_SIZE(text)
        )

    cdef bint has_no_secret(self, const uint8_t *word, Py_ssize_t length) except -1:
        cdef Py_ssize_t at, digits = 0
        if length > WORD:
            return False
        for at in range(length):
            if not IS_WORD[word[at]]:
                return False
        if length <= 12:
            return True  # too short for a shape
        for at in range(length):
            # As `cards` has it: digits, with one separator between two of them at most.
            if 48 <= word[at] <= 57:
                digits += 1
                if digits == 13:
                    return False
            elif (
                (word[at] != 45 and word[at] != 95)
                or not at
                or IS_HEX[word[at - 1]] > 9
            ):
                digits = 0
        if has_needle(word, length, NEEDLES, FIRST) or says_in_hex(word, length):
            return False

        return not says_in_base64(word, length) or self.codes_nothing(word, length)

    # --- words that say something in base64, by chance for the most part: some of a
    # hundred that a machine made

    cdef bint codes_nothing(self, const uint8_t *word, Py_ssize_t length) except -1:
        """Tell whether what a word says, and that in turn, certainly is no secret."""
        # As `layers.undone` has it: what is said joins what it was read from.
        cdef uint8_t text[SAID]
        cdef Py_ssize_t size = length, grown
        cdef int turn
        if not self.is_silent(word, length):
            return False
        memcpy(text, word, length)
        for turn in range(ROUNDS):
            grown = self.add_said(text, size, turn == 0)
            if grown < 0:
                return False
            if grown == size:
                break
            size = grown

        return True

    cdef Py_ssize_t add_said(
        self, uint8_t *text, Py_ssize_t size, bint is_first
    ) except -2:
        """Write what the words of a text say behind it; -1: that is not certain."""
        cdef uint8_t run[SAID]
        cdef Py_ssize_t at, length = 0, digits = 0, end = size
        for at in range(size + 1):
            if at < size and IS_WORD[text[at]]:
                digits = digits + 1 if IS_HEX[text[at]] != 255 else 0
                if digits == 20 and not is_first:
                    return -1  # it may say in hex what the word itself did not
                run[length] = text[at]
                length += 1
                continue
            if at < size and is_break(text, at, size):
                continue
            if length >= 12:
                end = self.add_decoded(text, end, run, length)
                if end < 0:
                    return -1
            length = digits = 0

        return end

    cdef Py_ssize_t add_decoded(
        self, uint8_t *text, Py_ssize_t end, const uint8_t *run, Py_ssize_t length
    ) except -2:
        cdef Py_ssize_t start, size
        for start in range(ALIGNMENTS):
            if end + length >= SAID:
                return -1
            size = decode_base64(run + start, length - start, text + end + 1)
            if is_text(text + end + 1, size):
                if not self.is_idle(text + end + 1, size):
                    return -1
                text[end] = 10
                end += size + 1

        return end

    cdef bint is_idle(self, const uint8_t *said, Py_ssize_t length) except -1:
        """Tell whether a text certainly has no secret in it, beside whatever it stands."""
        cdef uint8_t letters[SAID]
        cdef Py_ssize_t at = 0, size = 0, digits = 0
        cdef uint8_t byte
        while at < length:
            byte = said[at]
            if byte < 0x80:
                if not IS_IDLE[byte]:
                    return False
                if is_letter(byte):
                    letters[size] = byte | 0x20
                    size += 1
                digits += 48 <= byte <= 57
                at += 1
            elif byte < 0xE0:
                if not self.is_still((byte & 0x1F) << 6 | said[at + 1] & 0x3F):
                    return False
                at += 2
            else:
                return False
        if digits >= 13 or has_needle(said, length, NEEDLES, FIRST):
            return False

        return not has_needle(letters, size, self.stems, self.first)

    cdef bint is_still(self, int point) except -1:
        # Asked once for each: those of a word of chance are of two bytes mostly.
        if not self.still[point]:
            self.still[point] = 2 if is_silent(chr(point), self.telling) else 1

        return self.still[point] == 2

    def is_plain_text(self, bytes text not None):
        """Tell whether a text certainly has no secret in it, nor announces one."""
        return self.is_plain(
            <const uint8_t *>PyBytes_AS_STRING(text), PyBytes_GET_SIZE(text)
        )

    cdef bint is_plain(self, const uint8_t *text, Py_ssize_t length) except -1:
        """
        Tell the same: words and marks, and nothing of which a value is given by.

        No name in it tells anything, nor do any that stand beside each other. What
        gives a value otherwise, or has a shape, needs other marks, a longer run, more
        digits, or one of the openings.
        """
        cdef uint8_t letters[TEXT]
        cdef Py_ssize_t at, size = 0, word = 0, run = 0, digits = 0
        cdef uint8_t byte
        if length > TEXT or self.stems is None:
            return False
        for at in range(length + 1):
            byte = text[at] if at < length else 32
            if IS_NAME[byte]:
                run += 1
                if run > RUN:
                    return False
            else:
                run = 0
            if IS_WORD[byte]:
                if byte == 45 and not word:
                    return False  # an option of a command: `-p x`
                word += 1
                if byte != 45 and byte != 95:
                    letters[size] = byte | 0x20
                    size += 1
                digits += 48 <= byte <= 57
                continue
            if word >= 12 and says_in_base64(text + at - word, word):
                return False
            word = 0
            # Full stop, blank, comma, and the marks that end a sentence.
            if byte != 46 and byte != 32 and byte != 44 and byte != 33 and byte != 63:
                return False

        return digits < 13 and not has_needle(letters, size, self.stems, self.first)


# --- event ids


cdef class Ids:
    """Event ids, as `EventIds` makes them; the interpreter's own lock is its lock."""

    cdef object __weakref__
    cdef bytes pool
    cdef Py_ssize_t used
    cdef long long last

    def __cinit__(self):
        self.pool = b""
        self.used = self.last = 0

    def begin_child(self):
        """Start anew in a forked child."""
        self.pool = b""
        self.used = 0

    def make(self):
        """Return a new id, and its time in microseconds since the epoch."""
        cdef long long micros
        cdef bytes event = self.spell(&micros)

        return event.decode(), micros

    cdef bytes spell(self, long long *micros):
        cdef long long now, stamp
        cdef uint8_t raw[16]
        cdef char text[EVENT]
        cdef int place, at = 0
        while self.used >= PyBytes_GET_SIZE(self.pool):
            fresh = os.urandom(4096)  # others may run meanwhile, and do the same
            self.pool, self.used = fresh, 0
        now = audit_mw_now()
        stamp = now // 1_000_000 << 12 | now % 1_000_000 * 4096 // 1_000_000
        if stamp <= self.last:
            stamp = self.last + 1
        self.last = stamp
        for place in range(6):
            raw[place] = <uint8_t>(stamp >> (12 + 8 * (5 - place)) & 0xFF)
        raw[6] = <uint8_t>(0x70 | stamp >> 8 & 0x0F)
        raw[7] = <uint8_t>(stamp & 0xFF)
        memcpy(raw + 8, PyBytes_AS_STRING(self.pool) + self.used, 8)
        self.used += 8
        raw[8] = raw[8] & 0x3F | 0x80
        for place in range(16):
            if place in (4, 6, 8, 10):
                text[at] = b"-"
                at += 1
            text[at] = HEX[raw[place] >> 4]
            text[at + 1] = HEX[raw[place] & 15]
            at += 2
        micros[0] = now // 1000

        return PyBytes_FromStringAndSize(text, EVENT)


# --- slots


cdef bint store(object memory, Py_ssize_t state_at, Py_ssize_t at, Py_ssize_t half,
               bytes version, int state) except -1:
    """Keep a version in the half of a slot that is not in use, and switch to it."""
    cdef Py_buffer view
    cdef uint64_t check = xxh3_64_intdigest(version)
    cdef Py_ssize_t size = PyBytes_GET_SIZE(version)
    cdef uint8_t *block
    cdef uint8_t other
    PyObject_GetBuffer(memory, &view, PyBUF_WRITABLE)
    block = <uint8_t *>view.buf
    other = ~block[state_at] & S_HALF
    if other:
        at += half
    put_little(<char *>block + at, size, 4)
    put_little(<char *>block + at + 4, check, 8)
    memcpy(block + at + SLOT_HEAD, PyBytes_AS_STRING(version), size)
    audit_mw_switch(block + state_at, state | other)
    PyBuffer_Release(&view)

    return True


cdef bint mark(object memory, Py_ssize_t state_at, int state) except -1:
    cdef Py_buffer view
    cdef uint8_t *block
    PyObject_GetBuffer(memory, &view, PyBUF_WRITABLE)
    block = <uint8_t *>view.buf
    audit_mw_switch(block + state_at, state | block[state_at] & S_HALF)
    PyBuffer_Release(&view)

    return True


cdef bint claim(object memory, Py_ssize_t meta) except -1:
    cdef Py_buffer view
    PyObject_GetBuffer(memory, &view, PyBUF_WRITABLE)
    memset(<char *>view.buf + meta, 0, 16)
    PyBuffer_Release(&view)

    return True


# --- marks: what a secret is known by (SipHash-2-4 with 128 bits, by Aumasson and
# Bernstein): who does not know the key can neither find the secret nor another like it


cdef inline uint64_t turned(uint64_t word, int by) noexcept:
    return word << by | word >> (64 - by)


cdef inline void sip_round(uint64_t *v) noexcept:
    v[0] += v[1]
    v[1] = turned(v[1], 13) ^ v[0]
    v[0] = turned(v[0], 32)
    v[2] += v[3]
    v[3] = turned(v[3], 16) ^ v[2]
    v[0] += v[3]
    v[3] = turned(v[3], 21) ^ v[0]
    v[2] += v[1]
    v[1] = turned(v[1], 17) ^ v[2]
    v[2] = turned(v[2], 32)


cdef inline void sip_take(uint64_t *v, uint64_t word) noexcept:
    v[3] ^= word
    sip_round(v)
    sip_round(v)
    v[0] ^= word


cdef inline uint64_t sip_end(uint64_t *v) noexcept:
    cdef int _
    for _ in range(4):
        sip_round(v)

    return v[0] ^ v[1] ^ v[2] ^ v[3]


cdef bytes mark_of(bytes key, bytes secret):
    cdef uint64_t v[4]
    cdef uint64_t keys[2]
    cdef uint64_t halves[2]
    cdef uint64_t word
    cdef const uint8_t *at = <const uint8_t *>PyBytes_AS_STRING(secret)
    cdef Py_ssize_t size = PyBytes_GET_SIZE(secret), left = size & 7, place
    memcpy(keys, PyBytes_AS_STRING(key), 16)
    v[0] = keys[0] ^ <uint64_t>0x736F6D6570736575
    v[1] = keys[1] ^ <uint64_t>0x646F72616E646F6D ^ 0xEE
    v[2] = keys[0] ^ <uint64_t>0x6C7967656E657261
    v[3] = keys[1] ^ <uint64_t>0x7465646279746573
    for place in range(0, size - left, 8):
        memcpy(&word, at + place, 8)
        sip_take(v, word)
    word = <uint64_t>(size & 0xFF) << 56
    for place in range(left):
        word |= <uint64_t>at[size - left + place] << (8 * place)
    sip_take(v, word)
    v[2] ^= 0xEE
    halves[0] = sip_end(v)
    v[1] ^= 0xDD
    halves[1] = sip_end(v)

    return PyBytes_FromStringAndSize(<char *>halves, 16)


def siphash(bytes key not None, bytes text not None):
    """Return SipHash-2-4 of a text, of 128 bits; the key has 16 bytes."""
    if len(key) != 16:
        raise ValueError("a key has 16 bytes")

    return mark_of(key, text)


# --- what a query or a form yields


cdef struct Piece:
    const char *name
    Py_ssize_t name_size
    const char *value
    Py_ssize_t value_size
    PyObject *coded


cdef class Pairs:
    """The params of a query or a form, coded."""

    cdef bytes coded
    cdef Py_ssize_t number
    cdef object names
    cdef bint has_password


cdef Pairs NOTHING = Pairs.__new__(Pairs)
NOTHING.coded, NOTHING.number, NOTHING.names = b"", 0, frozenset()


cdef class Looker:
    """Looks into the memories of an `Ordinary`."""

    cdef object ordinary, marks
    cdef Reader reader
    cdef Stems stems
    cdef bytes key
    cdef dict kinds, lines, marked, clients, paths, sets, pieces, words, details, near
    cdef Py_ssize_t room, most

    def __init__(self, ordinary):
        self.ordinary = ordinary
        self.marks = ordinary.marks
        self.key, self.near = os.urandom(16), {}
        self.room, self.most = ordinary.room, ordinary.most
        self.stems = Stems(ordinary.secret_names)
        self.reader = None
        if not ordinary.documents.is_off:
            self.reader = Reader(ordinary, self.stems)
        self.kinds, self.lines = ordinary.kinds, ordinary.lines
        self.marked, self.clients = ordinary.marked, ordinary.clients
        self.paths, self.sets = ordinary.paths, ordinary.sets
        self.pieces, self.words = ordinary.pieces, ordinary.words
        self.details = ordinary.details

    cdef Pairs pairs(self, bytes source, bytes query, object taken):
        """Return the coded params of a query or a form."""
        cdef Piece pieces[PIECES]
        cdef Piece *piece
        cdef const char *at = PyBytes_AS_STRING(query)
        cdef const char *end = at + PyBytes_GET_SIZE(query)
        cdef const char *stop
        cdef const char *equals
        cdef const uint8_t *value
        cdef Py_ssize_t number = 0, size = 0, place
        cdef Py_ssize_t around = PyBytes_GET_SIZE(source) + 10
        cdef list held = []
        cdef char *to
        cdef Pairs made
        while True:
            if number == PIECES:
                return self.all_pairs(source, query, taken)
            stop = <const char *>memchr(at, b"&", end - at) if at < end else NULL
            if stop is NULL:
                stop = end
            equals = <const char *>memchr(at, b"=", stop - at) if at < stop else NULL
            if equals is NULL:
                return self.all_pairs(source, query, taken)
            piece = &pieces[number]
            piece.name, piece.name_size = at, equals - at
            piece.value, piece.value_size = equals + 1, stop - equals - 1
            value = <const uint8_t *>piece.value
            if self.stems.has_no_secret(value, piece.value_size):
                piece.coded = NULL
                size += around + piece.name_size + piece.value_size
            else:
                coded = self.odd_piece(source, at, stop - at)
                held.append(coded)
                piece.coded = <PyObject *>coded
                size += PyBytes_GET_SIZE(coded)
            number += 1
            if stop == end:
                break
            at = stop + 1
        made = Pairs.__new__(Pairs)
        made.number = number
        made.names = self.names_of(pieces, number, taken)
        made.coded = PyBytes_FromStringAndSize(NULL, size + number - 1)
        to = PyBytes_AS_STRING(made.coded)
        for place in range(number):
            piece = &pieces[place]
            if place:
                to = put(to, b",", 1)
            if piece.coded is not NULL:
                to = put_bytes(to, <bytes>piece.coded)
                continue
            to = put(to, b'["', 2)
            to = put_bytes(to, source)
            to = put(to, b'","', 3)
            to = put(to, piece.name, piece.name_size)
            to = put(to, b'","', 3)
            to = put(to, piece.value, piece.value_size)
            to = put(to, b'"]', 2)

        return made

    cdef bytes odd_piece(self, bytes source, const char *at, Py_ssize_t size):
        piece = PyBytes_FromStringAndSize(at, size)
        coded = found_in(self.pieces, (source, piece))

        return self.ordinary.piece(source, piece) if coded is None else coded

    cdef object names_of(self, Piece *pieces, Py_ssize_t number, object taken):
        cdef Py_ssize_t place
        found = tuple([
            PyBytes_FromStringAndSize(pieces[place].name, pieces[place].name_size)
            for place in range(number)
        ])
        names = found_in(self.sets, found)
        if names is None:
            names = self.ordinary.set_of(found)
        for name in found:
            if PySet_Contains(taken, name):
                raise LookupError("the same name twice")

        return names

    cdef Pairs all_pairs(self, bytes source, bytes query, object taken):
        cdef Pairs made = Pairs.__new__(Pairs)
        part = self.ordinary.query(source, query, taken)
        made.coded, made.number, made.names = part[0], part[1], part[2]

        return made

    cdef Pairs document(self, bytes body, object taken):
        """Return the coded params of a JSON document."""
        cdef Pairs made
        try:
            if self.reader is None:
                raise LookupError("no value is plain at a glance")
            made = self.reader.read(body)
        except (Certain, Shown):
            raise
        except Exception:  # who takes the closer look tells what it is
            made = Pairs.__new__(Pairs)
            part = self.ordinary.document(body)
            made.coded, made.number, made.names = part[0], part[1], part[2]
            made.has_password = part[4]
        for name in made.names:
            if PySet_Contains(taken, name):
                raise LookupError("the same name twice")

        return made

    cdef object part_of(self, tuple line, bint is_cookie):
        """Return what a field line with a secret in it yields, by its keyed digest."""
        cdef bytes text = line[0] + b":" + line[1]
        cdef bytes mark = mark_of(self.key, text)
        part = found_in(self.near, mark)
        if part is None:
            ordinary = self.ordinary
            part = ordinary.cookies(line) if is_cookie else ordinary.secret(line)
            own = self.marks.copy()
            own.update(text)
            if own.digest() in self.marked:  # it is small enough to be remembered
                if len(self.near) >= REMEMBERED:
                    self.near.clear()
                self.near[mark] = part

        return part

    cdef bytes word(self, word):
        known = found_in(self.words, word)

        return self.ordinary.word(word) if known is None else known

    cdef tuple fitting(
        self, ShortRecorder it, bytes params, Py_ssize_t number, Py_ssize_t body
    ):
        """Return the details, of the opening and of the end; None: it is too much."""
        cdef tuple key
        if number > self.most or PyBytes_GET_SIZE(params) + 1 > self.room:
            return None
        key = (<tuple>it.client)[1], it.scheme, it.http_version, it.joined, False, body
        found = found_in(self.details, key)
        if found is None:
            found = self.ordinary.details_of(it.client, it.head(), body)

        return found


# --- JSON documents, by what `known_documents` knows


cdef class Step:
    """A step in the tree of pointers, and what this road needs of it."""

    cdef object pointer
    cdef dict below        # by key, as it was sent
    cdef list items        # by digit
    cdef bytes part
    cdef bint is_sure      # it is as it was sent, and a value goes by its own looks
    cdef int asks


cdef Step step_of(pointer, bytes part):
    cdef Step step = Step.__new__(Step)
    step.pointer, step.part = pointer, part
    step.below, step.items = {}, [None] * 10
    step.is_sure = pointer.is_sure and pointer.coded == part
    step.asks = pointer.asks

    return step


cdef class Text:
    """What is written, piece by piece, up to a bound."""

    cdef char *start
    cdef Py_ssize_t size, held, most

    def __dealloc__(self):
        free(self.start)

    cdef char *room(self, Py_ssize_t more) except NULL:
        """Return where so many bytes can be written, which count as written."""
        cdef char *grown
        cdef Py_ssize_t held = self.held
        if self.size + more > self.most:
            raise Certain("it is more than a record has room for")
        if self.size + more > held:
            held = 2 * (self.size + more) + 1024
            grown = <char *>realloc(self.start, held)
            if grown is NULL:
                raise MemoryError
            self.start, self.held = grown, held
        self.size += more

        return self.start + self.size - more


class Certain(Exception):
    """The document is nothing for the short road, however closely it is looked at."""


cdef struct Level:
    bint is_object
    Py_ssize_t count, name_size


cdef inline bint is_blank(char byte) noexcept:
    return byte == 32 or byte == 9 or byte == 10 or byte == 13


cdef inline bint is_digit(char byte) noexcept:
    return 48 <= byte <= 57


cdef class Reader:
    """Reads JSON documents of which the parts came before."""

    cdef object ordinary, documents, pointers
    cdef dict strings, others
    cdef Stems stems
    cdef Step root
    cdef Py_ssize_t longest, longest_value, room, most
    cdef bint has_new      # steps, of the document that is read

    def __init__(self, ordinary, Stems stems not None):
        self.ordinary, self.documents = ordinary, ordinary.documents
        self.pointers = self.documents.pointers
        self.strings, self.others = self.documents.strings, self.documents.others
        self.stems = stems
        self.longest_value = self.documents.longest
        self.longest = min(self.longest_value, NAME)
        self.room, self.most = ordinary.room, ordinary.most

    def take(self, bytes document not None):
        """
        Return the coded params, their number and names, and whether one is a password.

        Raises:
            Exception: it takes a closer look; or none helps (`Certain`).
        """
        cdef Pairs made = self.read(document)

        return made.coded, made.number, frozenset(made.names), made.has_password

    cdef Pairs read(self, bytes document):
        """Return its params; what it raises tells whether a closer look may help."""
        cdef Scan scan = Scan.__new__(Scan)
        cdef Pairs made
        pointer = self.pointers.root()
        if self.root is None or self.root.pointer is not pointer:
            self.root = step_of(pointer, b"")
        scan.reader, scan.document = self, document
        scan.at = PyBytes_AS_STRING(document)
        scan.end = scan.at + PyBytes_GET_SIZE(document)
        scan.steps, scan.keys, scan.names, scan.later = [], [], set(), []
        scan.out = Text.__new__(Text)
        scan.out.most = self.room
        self.has_new = False
        try:
            made = scan.run(self.root)
        except BaseException:
            if self.has_new and self.pointers.has_new:
                # As in `policy/pointers`: who takes the closer look adds them again.
                self.root = None
                self.pointers.forget_new()
            raise
        if self.has_new:
            self.pointers.settle()

        return made

    cdef Step below(self, Step above, bytes key):
        cdef Step step
        if b"\\" in key or PyBytes_GET_SIZE(key) > KEY:
            raise LookupError("a key that takes a closer look")
        self.has_new = True
        pointer = self.pointers.below(above.pointer, key)
        step = step_of(pointer, b"/" + key)
        if pointer.part != step.part:
            raise LookupError("a key that is spelt otherwise in a name")
        if above.pointer.below.get(key) is pointer:  # it is one that is remembered
            above.below.setdefault(key, step)

        return step

    cdef Step item(self, Step above, int digit):
        cdef Step step = step_of(self.pointers.item(above.pointer, digit), b"/%d" % digit)
        if above.pointer.below.get(digit) is step.pointer:
            above.items[digit] = step

        return step


cdef class Scan:
    """One document, once."""

    cdef Reader reader
    cdef bytes document
    cdef const char *at
    cdef const char *end
    cdef Level levels[DEPTH]
    cdef int depth
    cdef char name[NAME]
    cdef Py_ssize_t name_size
    cdef list steps, keys, later
    cdef set names
    cdef Text out
    cdef Py_ssize_t number
    cdef object values

    cdef Pairs run(self, Step root):
        cdef Pairs made = Pairs.__new__(Pairs)
        cdef Level *level
        self.pass_blanks()
        self.open(root, self.look())
        while self.depth:
            level = &self.levels[self.depth - 1]
            self.name_size = level.name_size
            self.pass_blanks()
            if self.look() == (125 if level.is_object else 93):
                self.close(level)
                continue
            if level.count:
                self.pass_by(44)
                self.pass_blanks()
            if level.is_object:
                self.member(level)
            else:
                self.item(level)
        self.pass_blanks()
        if self.at != self.end:
            raise Certain("something stands behind it")
        made.number, made.names = self.number, self.names
        made.coded = self.coded()
        made.has_password = self.values is not None and self.values.end()

        return made

    cdef inline void pass_blanks(self) noexcept:
        while self.at < self.end and is_blank(self.at[0]):
            self.at += 1

    cdef inline char look(self) except? 0:
        if self.at == self.end:
            raise Certain("its end is missing")

        return self.at[0]

    cdef inline bint pass_by(self, char byte) except -1:
        if self.look() != byte:
            raise LookupError("something else stands there")
        self.at += 1

        return True

    # --- what is in an object, or an array

    cdef bint member(self, Level *level) except -1:
        cdef Step step, above = <Step>self.steps[self.depth - 1]
        cdef set keys = <set>self.keys[self.depth - 1]
        cdef const char *start
        cdef const char *stop
        self.pass_by(34)
        start = self.at
        stop = <const char *>memchr(start, 34, self.end - start)
        if stop is NULL:
            raise Certain("its end is missing")
        key = PyBytes_FromStringAndSize(start, stop - start)
        self.at = stop + 1
        step = <Step>found_in(above.below, key)
        if step is None:
            step = self.reader.below(above, key)
        if PySet_Contains(keys, key):
            if self.depth == 1:
                raise Certain("the same name twice")
            raise LookupError("the same name twice")
        keys.add(key)
        if self.depth == 1 and key:
            self.names.add(key)
        self.pass_blanks()
        self.pass_by(58)
        self.pass_blanks()
        level.count += 1
        self.add_name(PyBytes_AS_STRING(step.part), PyBytes_GET_SIZE(step.part))

        return self.value(step)

    cdef bint item(self, Level *level) except -1:
        cdef Step step, above = <Step>self.steps[self.depth - 1]
        cdef int digit = level.count if level.count < 10 else 0
        cdef char part[24]
        cdef char *end
        step = <Step>above.items[digit]
        if step is None:
            step = self.reader.item(above, digit)
        part[0] = 47
        end = put_number(part + 1, level.count)
        if self.depth == 1:
            self.names.add(PyBytes_FromStringAndSize(part + 1, end - part - 1))
        level.count += 1
        self.add_name(part, end - part)

        return self.value(step)

    cdef bint add_name(self, const char *part, Py_ssize_t size) except -1:
        if self.name_size + size > self.reader.longest:
            raise LookupError("a name that takes a closer look")
        memcpy(self.name + self.name_size, part, size)
        self.name_size += size

        return True

    cdef bint value(self, Step step) except -1:
        cdef char first = self.look()
        if first == 34:
            return self.string(step)
        if first == 123 or first == 91:
            if not step.is_sure:
                raise LookupError("what is in it takes a closer look")
            return self.open(step, first)

        return self.scalar(step)

    cdef bint open(self, Step step, char mark) except -1:
        cdef Level *level
        if mark != 123 and mark != 91:
            raise LookupError("a single value")
        if self.depth == DEPTH:
            raise LookupError("it is deep")
        level = &self.levels[self.depth]
        level.is_object, level.count = mark == 123, 0
        level.name_size = self.name_size
        self.depth += 1
        self.at += 1
        self.steps.append(step)
        self.keys.append(set() if level.is_object else None)
        if not level.is_object:
            self.write(b',{"json":"[]"}]', 15)

        return True

    cdef bint close(self, Level *level) except -1:
        if level.is_object and not level.count:
            self.write(b',{"json":"{}"}]', 15)
        self.at += 1
        self.depth -= 1
        self.steps.pop()
        self.keys.pop()

        return True

    # --- values

    cdef bint string(self, Step step) except -1:
        cdef const char *start = self.at + 1
        cdef const char *stop = start
        cdef Py_ssize_t size
        cdef bint is_escaped = False
        while stop < self.end and stop[0] != 34:
            if stop[0] == 92:
                is_escaped = True
                stop += 1
            stop += 1
        if stop >= self.end:
            raise Certain("its end is missing")
        self.at, size = stop + 1, stop - start
        if step.is_sure and not is_escaped and self.is_plain(step, start, size):
            return self.write_word(start, size)
        text = PyBytes_FromStringAndSize(start, size)
        found = found_in(self.reader.strings, text) if step.is_sure else None

        return self.write_found(step, found, text, None)

    cdef bint is_plain(self, Step step, const char *start, Py_ssize_t size) except -1:
        cdef const uint8_t *word = <const uint8_t *>start
        cdef Stems stems = self.reader.stems
        if step.asks == ASKS_NOTHING and stems.has_no_secret(word, size):
            return True
        if step.asks == ASKS_CLASS and stems.has_no_secret(word, size):
            return stems.is_silent(word, size)
        if step.asks != ASKS_NOTHING and step.asks != ASKS_CLASS:
            return False

        return size <= self.reader.longest_value and stems.is_plain(word, size)

    cdef bint scalar(self, Step step) except -1:
        cdef const char *start = self.at
        cdef bint is_plain = self.pass_scalar()
        cdef Py_ssize_t size = self.at - start
        cdef char *to
        if step.is_sure and is_plain and size <= NUMBER:
            self.write(b',{"json":"', 10)
            to = self.out.room(size + 3)
            put(put(to, start, size), b'"}]', 3)
            return True
        text = PyBytes_FromStringAndSize(start, size)
        found = found_in(self.reader.others, text) if step.is_sure else None

        return self.write_found(step, found, None, text)

    cdef bint pass_scalar(self) except -1:
        """Pass by a number or a word; tell whether it is a plain number."""
        cdef const char *at = self.at
        cdef const char *start
        cdef bint is_plain
        cdef bytes word
        cdef Py_ssize_t size = 5 if at[0] == 102 else 4
        if at[0] == 116 or at[0] == 110 or at[0] == 102:
            word = TRUE if at[0] == 116 else NULL_WORD if at[0] == 110 else FALSE
            if self.end - at < size or memcmp(at, PyBytes_AS_STRING(word), size):
                raise LookupError("no word of JSON")
            self.at = at + size
            return False
        at += at[0] == 45
        start = at
        while at < self.end and is_digit(at[0]):
            at += 1
        if at == start or (start[0] == 48 and at - start > 1):
            raise LookupError("no number, or one that not all readers know")
        is_plain = at - start <= DIGITS
        if at < self.end and at[0] == 46:
            at += 1
            start = at
            while at < self.end and is_digit(at[0]):
                at += 1
            if at == start:
                raise LookupError("as above")
            is_plain = is_plain and at - start <= DIGITS
        if at < self.end and (at[0] == 101 or at[0] == 69):
            raise LookupError("as above")
        self.at = at

        return is_plain

    # --- what is written

    cdef char *begin(self, Py_ssize_t more) except NULL:
        cdef char *to
        if self.number == self.reader.most:
            raise Certain("it is more than a record has")
        to = self.out.room((self.number > 0) + 10 + self.name_size + more)
        if self.number:
            to = put(to, b",", 1)
        self.number += 1

        return to

    cdef char *write(self, const char *end, Py_ssize_t size) except NULL:
        """Write a param of this name: the begin, and some of the end."""
        cdef char *to = self.begin(size)
        to = put(put(to, b'["json","', 9), self.name, self.name_size)

        return put(put(to, b'"', 1), end, size)

    cdef bint write_word(self, const char *start, Py_ssize_t size) except -1:
        cdef char *to = self.begin(size + 4)
        to = put(put(to, b'["json","', 9), self.name, self.name_size)
        put(put(put(to, b'","', 3), start, size), b'"]', 2)

        return True

    cdef bint write_found(self, Step step, found, bytes string, bytes other) except -1:
        cdef bytes coded
        cdef Py_ssize_t above
        if found is not None:
            coded = <bytes>(<tuple>found)[0]
            if memchr(PyBytes_AS_STRING(coded), 37, PyBytes_GET_SIZE(coded)) is NULL:
                self.write(b",", 1)
                put_bytes(self.out.room(PyBytes_GET_SIZE(coded)), coded)
                return True
        if self.values is None:
            self.values = self.reader.ordinary.single_values()
        if self.values.ask(step.pointer, string, other) > self.reader.longest_value:
            raise Certain("a value that is spilled")
        above = self.levels[self.depth - 1].name_size
        self.later.append((
            self.begin_later(),
            step.pointer,
            PyBytes_FromStringAndSize(self.name, above),
            PyBytes_FromStringAndSize(self.name + above, self.name_size - above),
            string,
            other,
        ))

        return True

    cdef Py_ssize_t begin_later(self) except -1:
        """Begin a param that is looked at when the document is good to its end."""
        if self.number == self.reader.most:
            raise Certain("it is more than a record has")
        if self.number:
            self.out.room(1)[0] = 44
        self.number += 1

        return self.out.size

    cdef bytes coded(self):
        """Return all params, now that nothing else can be wrong with the document."""
        cdef Py_ssize_t at = 0, place
        cdef list parts = []
        if not self.later:
            return PyBytes_FromStringAndSize(self.out.start, self.out.size)
        for place, *where in self.later:
            parts.append(PyBytes_FromStringAndSize(self.out.start + at, place - at))
            parts.append(self.values.take(*where))
            at = place
        parts.append(PyBytes_FromStringAndSize(self.out.start + at, self.out.size - at))

        return b"".join(parts)


# --- documents of any length, as `known_documents` reads them


cdef class Place:
    """A step in the tree of pointers, and what documents of any length need of it."""

    cdef object pointer
    cdef dict below        # by key, as it was sent
    cdef list items        # by digit
    cdef bytes part, coded, key
    cdef bint is_plain, is_sure, is_clear
    cdef int asks


cdef Place place_of(pointer):
    cdef Place place = Place.__new__(Place)
    place.pointer, place.below, place.items = pointer, {}, [None] * 10
    place.part, place.coded, place.key = pointer.part, pointer.coded, pointer.key
    place.is_plain, place.is_sure = pointer.is_plain, pointer.is_sure
    place.asks = pointer.asks
    # As `Pointers` has it: what is above a key of which nothing must be asked.
    place.is_clear = pointer.cls is None and pointer.tag is None
    names = pointer.first.replace(b"/", b"")
    place.is_clear = place.is_clear and is_letters(names)
    if pointer.part[1:].isdigit() and not names.isdigit():
        place.is_clear = False

    return place


cdef bint is_letters(bytes text):
    return not text or text.isalnum()


cdef struct Frame:
    bint is_object, is_told
    Py_ssize_t count
    Py_ssize_t name_at, name_end    # of its name behind the prefix
    Py_ssize_t begin_at, begin_end  # of how its params begin


cdef enum:
    STRING, OTHER, OPENS


cdef class LongReader:
    """Reads documents for `KnownDocuments`, and leaves in its scan what that would."""

    cdef object known, pointers
    cdef dict strings, others
    cdef Stems stems
    cdef Place root
    cdef Py_ssize_t longest

    def __init__(self, known, Stems stems not None):
        self.known, self.pointers = known, known.pointers
        self.strings, self.others = known.strings, known.others
        self.longest, self.stems = known.longest, stems

    def read(self, scan, bytes document not None):
        """
        Return how many bytes could not be read; `scan` has what was found then.

        Raises:
            Unsure: as the scan in Python.
        """
        cdef LongScan it = LongScan.__new__(LongScan)
        it.reader, it.scan, it.document = self, scan, document
        it.start = it.at = it.kept = PyBytes_AS_STRING(document)
        it.end = it.at + PyBytes_GET_SIZE(document)
        it.places, it.keys, it.prefixes, it.found = [], [], [], []
        it.params, it.coded, it.beyond = [], [], []
        it.names, it.begins, it.out = endless(), endless(), endless()
        it.most = self.known.most
        try:
            tail = it.run()
        except BaseException:
            self.forget_new()
            raise
        if tail:
            self.forget_new()
        scan.found = it.found

        return tail

    cdef bint forget_new(self) except -1:
        # `KnownDocuments` takes the pointers out of its tree; ours has them, too.
        if self.pointers.has_new:
            self.root = None

        return True

    cdef Place root_of(self, tag):
        pointer = self.pointers.root(tag)
        if tag is not None:
            return place_of(pointer)
        if self.root is None or self.root.pointer is not pointer:
            self.root = place_of(pointer)

        return self.root

    cdef Place below(self, Place above, bytes sent):
        pointer = self.pointers.below(above.pointer, sent)
        cdef Place place = place_of(pointer)
        if above.pointer.below.get(sent) is pointer:  # it is one that is remembered
            above.below.setdefault(sent, place)

        return place

    cdef Place item(self, Place above, int digit):
        pointer = above.pointer.below.get(digit)
        if pointer is None:
            pointer = self.pointers.item(above.pointer, digit)
        cdef Place place = place_of(pointer)
        if above.pointer.below.get(digit) is pointer:
            above.items[digit] = place

        return place


cdef Text endless():
    cdef Text text = Text.__new__(Text)
    text.most = MOST
    text.room(1)  # of nothing written there is a place, too
    text.size = 0

    return text


cdef class LongScan:
    """One document of any length, once."""

    cdef LongReader reader
    cdef object scan
    cdef bytes document
    cdef const char *start
    cdef const char *at
    cdef const char *end
    cdef const char *kept       # the end of what is told by the params
    cdef Frame frames[DEEPEST]
    cdef int depth
    cdef list places, keys, prefixes
    cdef Text names, begins
    cdef object prefix          # of the params below
    # The run that is open: params as long as they are asked for, and behind these only
    # how they stand in a record.
    cdef list found, params, coded, beyond
    cdef Text out
    cdef Py_ssize_t most, number
    # The value that was read last.
    cdef int kind
    cdef const char *value
    cdef Py_ssize_t size
    cdef bint is_escaped, is_number
    # How a param is named within its array or object.
    cdef const char *part
    cdef Py_ssize_t part_size
    cdef const char *spelt
    cdef Py_ssize_t spelt_size

    cdef Py_ssize_t run(self) except -1:
        cdef bint good = True
        cdef const char *at = self.blanks(self.at)
        if at == self.end or (at[0] != 123 and at[0] != 91):
            raise Unsure
        self.at = at + 1
        self.part = self.spelt = self.at
        self.part_size = self.spelt_size = 0
        self.open(self.reader.root_of(None), at[0], False)
        while good and self.depth:
            if self.frames[self.depth - 1].is_object:
                good = self.members()
            else:
                good = self.items()
        self.end_run()
        if good and self.blanks(self.kept) == self.end:
            return 0

        return max(1, self.end - self.kept)

    # --- what stands in the text

    cdef inline const char *blanks(self, const char *at) noexcept:
        while at < self.end and is_blank(at[0]):
            at += 1

        return at

    cdef const char *string(self, const char *at, bint *is_escaped) noexcept:
        """Return the quote that ends a string; NULL where there is none."""
        is_escaped[0] = False
        while at < self.end and at[0] != 34:
            if at[0] == 92:
                is_escaped[0] = True
                at += 1
            at += 1

        return at if at < self.end else NULL

    cdef const char *any_value(self, const char *at) noexcept:
        """Return where a value ends that begins here; NULL where there is none."""
        cdef const char *stop
        if at == self.end:
            return NULL
        if at[0] == 34:
            stop = self.string(at + 1, &self.is_escaped)
            self.kind, self.value, self.size = STRING, at + 1, stop - at - 1
            if stop is NULL:
                return NULL
            return stop + 1
        if at[0] == 123 or at[0] == 91:
            self.kind, self.value = OPENS, at
            return at + 1
        stop = self.scalar(at)
        self.kind, self.value, self.size = OTHER, at, stop - at

        return stop

    cdef const char *scalar(self, const char *at) noexcept:
        cdef const char *start = at
        cdef const char *stop
        cdef Py_ssize_t digits
        self.is_number = False
        if at[0] == 45:
            at += 1
        if at == self.end or not is_digit(at[0]):
            return self.word(start)
        stop = at + 1
        if at[0] != 48:
            stop = self.digits(stop)
        digits = stop - at
        self.is_number = digits <= DIGITS
        if stop < self.end and stop[0] == 46:
            at = self.digits(stop + 1)
            if at > stop + 1:
                self.is_number = self.is_number and at - stop - 1 <= DIGITS
                stop = at
        if stop < self.end and (stop[0] == 101 or stop[0] == 69):
            at = stop + 1
            if at < self.end and (at[0] == 43 or at[0] == 45):
                at += 1
            if self.digits(at) > at:
                self.is_number = False
                stop = self.digits(at)
        self.is_number = self.is_number and stop - start <= NUMBER

        return stop

    cdef inline const char *digits(self, const char *at) noexcept:
        while at < self.end and is_digit(at[0]):
            at += 1

        return at

    cdef const char *word(self, const char *at) noexcept:
        cdef int place
        cdef Py_ssize_t size
        for place in range(6):
            size = WORD_SIZES[place]
            if self.end - at >= size and not memcmp(at, WORDS_OF_JSON[place], size):
                return at + size

        return NULL

    # --- objects and arrays, up to their end, or to what opens in them

    cdef bint members(self) except -1:
        cdef Frame *frame = &self.frames[self.depth - 1]
        cdef Place place = <Place>self.places[self.depth - 1], sub
        cdef set keys = <set>self.keys[self.depth - 1]
        cdef const char *at
        cdef const char *key
        cdef const char *stop
        cdef bint is_escaped, is_again
        cdef char mark
        while True:
            at = self.blanks(self.at)
            if at == self.end:
                return False
            if at[0] == 125:
                self.at = at + 1
                return self.end_object(frame, place)
            if frame.count:
                if at[0] != 44:
                    return False
                at = self.blanks(at + 1)
            if at == self.end or at[0] != 34:
                return False
            key = at + 1
            stop = self.string(key, &is_escaped)
            if stop is NULL:
                return False
            at = self.blanks(stop + 1)
            if at == self.end or at[0] != 58:
                return False
            at = self.any_value(self.blanks(at + 1))
            if at is NULL:
                return False
            sent = PyBytes_FromStringAndSize(key, stop - key)
            sub = <Place>found_in(place.below, sent)
            if sub is None and (
                self.kind == OPENS
                or is_escaped
                or not self.is_clear(place, sent, frame.name_end - frame.name_at)
            ):
                sub = self.reader.below(place, sent)
            self.at = at
            frame.count += 1
            if self.kind == OPENS:
                mark = self.value[0]
                is_again = PySet_Contains(keys, sub.key)
                keys.add(sub.key)
                self.name_by(sub)
                return self.open(sub, mark, is_again)
            self.kept = at
            if sub is None:
                keys.add(sent)
                self.take_clear(frame, place, sent)
                continue
            keys.add(sub.key)
            self.name_by(sub)
            self.take(frame, sub, sub.asks, sub.is_sure)

    cdef bint end_object(self, Frame *frame, Place place) except -1:
        if not frame.count and not frame.is_told:
            self.part_size = self.spelt_size = 0
            self.tell(frame, place, b"{}")

        return self.close()

    cdef bint close(self) except -1:
        self.kept = self.at
        self.depth -= 1
        self.places.pop()
        self.keys.pop()
        self.prefixes.pop()
        if self.depth:
            self.names.size = self.frames[self.depth - 1].name_end
            self.begins.size = self.frames[self.depth - 1].begin_end
            self.change_prefix(self.prefixes[self.depth - 1])

        return True

    cdef bint items(self) except -1:
        cdef Frame *frame = &self.frames[self.depth - 1]
        cdef Place place = <Place>self.places[self.depth - 1], sub
        cdef const char *at
        cdef char part[24]
        cdef int digit
        while True:
            if frame.count and not frame.count % IN_A_ROW:
                sub = <Place>place.items[0]
                if sub is None or not sub.is_sure:
                    if self.items_in_a_row(frame, place):
                        continue
            at = self.blanks(self.at)
            if at == self.end:
                return False
            if at[0] == 93:
                self.at = at + 1
                return self.close()
            if frame.count:
                if at[0] != 44:
                    return False
                at = self.blanks(at + 1)
            at = self.any_value(at)
            if at is NULL:
                return False
            if frame.count >= MOST_ITEMS:
                raise Unsure
            self.at = at
            digit = frame.count if frame.count < 10 else 0
            sub = <Place>place.items[digit]
            if sub is None:
                sub = self.reader.item(place, digit)
            part[0] = 47
            self.part = self.spelt = part
            self.part_size = put_number(part + 1, frame.count) - part
            self.spelt_size = self.part_size
            frame.count += 1
            if self.kind == OPENS:
                return self.open(sub, self.value[0], False)
            self.kept = at
            self.take(frame, sub, sub.asks, sub.is_sure)

    cdef bint items_in_a_row(self, Frame *frame, Place place) except -1:
        """Leave plain items of a place that takes a closer look for that."""
        cdef Py_ssize_t size
        found = self.scan.items_in_a_row(
            place.pointer, self.name_of(frame), frame.count, self.at - self.start
        )
        if found is None:
            return False
        self.end_run()
        items, at, kept, count = found
        self.found.append(items)
        self.at, self.kept = self.start + <Py_ssize_t>at, self.start + <Py_ssize_t>kept
        frame.count += count

        return True

    cdef inline bint name_by(self, Place sub) except -1:
        self.part = PyBytes_AS_STRING(sub.part)
        self.part_size = PyBytes_GET_SIZE(sub.part)
        self.spelt = PyBytes_AS_STRING(sub.coded)
        self.spelt_size = PyBytes_GET_SIZE(sub.coded)

        return True

    cdef bytes name_of(self, Frame *frame):
        return PyBytes_FromStringAndSize(
            self.names.start + frame.name_at, frame.name_end - frame.name_at
        )

    cdef bytes part_name(self, Frame *frame):
        cdef Py_ssize_t size = frame.name_end - frame.name_at
        cdef bytes name = PyBytes_FromStringAndSize(NULL, size + self.part_size)
        cdef char *to = PyBytes_AS_STRING(name)
        put(put(to, self.names.start + frame.name_at, size), self.part, self.part_size)

        return name

    cdef bint open(self, Place place, char mark, bint is_again) except -1:
        """Go into an array or an object; tell whether it is not too deep."""
        cdef Frame *above
        cdef Frame *frame
        cdef Py_ssize_t size
        cdef bint is_object = mark == 123, is_told = not is_object or is_again
        cdef const char *next_at
        if self.depth == DEEPEST:
            return False
        frame = &self.frames[self.depth]
        frame.count = 0
        frame.is_object = is_object
        if self.depth:
            above = &self.frames[self.depth - 1]
            frame.name_at, frame.begin_at = above.name_at, above.begin_at
        else:
            frame.name_at = frame.begin_at = 0
            put(self.begins.room(9), b'["json","', 9)
        put(self.names.room(self.part_size), self.part, self.part_size)
        put(self.begins.room(self.spelt_size), self.spelt, self.spelt_size)
        frame.name_end, frame.begin_end = self.names.size, self.begins.size
        size = frame.name_end - frame.name_at
        if size > NAME:
            next_at = self.blanks(self.at)
            is_told = is_told or (next_at < self.end and next_at[0] == 125)
        frame.is_told = is_told
        self.part_size = self.spelt_size = 0
        if is_told:
            self.kept = self.at
            self.tell(frame, place, b"{}" if is_object else b"[]")
        prefix = self.prefix
        if size > NAME:
            # As in `flatten`: what is below has names of its own, behind the prefix.
            is_secret = place.pointer.tag is not None
            prefix = Prefix(prefix, self.name_of(frame), is_secret=is_secret)
            place = self.reader.root_of(place.pointer.tag)
            frame.name_at, frame.begin_at = frame.name_end, frame.begin_end
            self.change_prefix(prefix)
        self.depth += 1
        self.places.append(place)
        self.keys.append(set() if is_object else None)
        self.prefixes.append(prefix)

        return True

    cdef bint tell(self, Frame *frame, Place place, bytes text) except -1:
        """Take an array or an object as a value of its own."""
        cdef Py_ssize_t size = frame.name_end - frame.name_at
        if not place.is_plain or size > self.reader.longest:
            self.scan.tell(place.pointer, self.name_of(frame), text)
            self.hand_back()
            return True
        self.kind = OTHER
        self.write(frame, b'{"json":"', 9, text, b'"}]', 3)

        return True

    # --- values

    cdef bint is_clear(self, Place above, bytes key, Py_ssize_t name_size) except -1:
        """Tell what `Pointers` does: that nothing must be asked of a key."""
        cdef Py_ssize_t size = PyBytes_GET_SIZE(key)
        cdef char word[GLANCED]
        cdef const char *begin = PyBytes_AS_STRING(above.part)
        cdef Py_ssize_t above_size = PyBytes_GET_SIZE(above.part), place
        if not above.is_clear or not size or name_size + 1 + size > GLANCED:
            return False
        if self.prefix is not None:
            return False
        if above_size:
            above_size -= 1
            begin += 1
        put(put(word, begin, above_size), PyBytes_AS_STRING(key), size)
        for place in range(above_size + size):
            if IN_BASE64[<uint8_t>word[place]] >= 62:
                return False
        if not self.reader.stems.is_silent(<const uint8_t *>word, above_size + size):
            return False
        lowered = PyBytes_FromStringAndSize(word, above_size + size).lower()
        if PySet_Contains(TELLING_KEYS, lowered):
            return False

        return not above_size or not PySet_Contains(TELLING_KEYS, key.lower())

    cdef bint take_clear(self, Frame *frame, Place above, bytes key) except -1:
        cdef char part[GLANCED + 1]
        cdef Place sub
        part[0] = 47
        put(part + 1, PyBytes_AS_STRING(key), PyBytes_GET_SIZE(key))
        self.part = self.spelt = part
        self.part_size = self.spelt_size = PyBytes_GET_SIZE(key) + 1
        if self.kind == OTHER and self.is_number:
            self.write(frame, b'{"json":"', 9, None, b'"}]', 3)
            return True
        if self.kind == STRING and self.is_plain(ASKS_CLASS):
            self.write(frame, b'"', 1, None, b'"]', 2)
            return True
        sub = self.reader.below(above, key)
        self.name_by(sub)

        return self.take(frame, sub, sub.asks, sub.is_sure)

    cdef bint is_plain(self, int asks) except -1:
        cdef const uint8_t *word = <const uint8_t *>self.value
        cdef Stems stems = self.reader.stems
        if self.is_escaped or (asks != ASKS_NOTHING and asks != ASKS_CLASS):
            return False
        if self.size > self.reader.longest:
            return False
        if asks == ASKS_NOTHING and stems.has_no_secret(word, self.size):
            return True
        if asks == ASKS_CLASS and stems.has_no_secret(word, self.size):
            return stems.is_silent(word, self.size)

        return stems.is_plain(word, self.size)

    cdef bint take(self, Frame *frame, Place sub, int asks, bint is_sure) except -1:
        """Take a value, or leave it for a closer look."""
        cdef Py_ssize_t size = frame.name_end - frame.name_at + self.part_size
        found = None
        if is_sure and size <= self.reader.longest:
            if self.kind == STRING:
                if self.is_plain(asks):
                    self.write(frame, b'"', 1, None, b'"]', 2)
                    return True
            elif self.is_number:
                self.write(frame, b'{"json":"', 9, None, b'"}]', 3)
                return True
        text = PyBytes_FromStringAndSize(self.value, self.size)
        if is_sure and size <= self.reader.longest:
            found = found_in(
                self.reader.strings if self.kind == STRING else self.reader.others,
                text,
            )
        if found is None:
            found = self.look(frame, sub, text)
        if found is None:
            return self.hand_back()
        coded, value = <tuple>found
        self.write(
            frame, PyBytes_AS_STRING(coded), PyBytes_GET_SIZE(coded), value, b"", 0
        )

        return True

    cdef object look(self, Frame *frame, Place sub, bytes text):
        cdef bytes part = PyBytes_FromStringAndSize(self.part, self.part_size)
        string, other = (text, None) if self.kind == STRING else (None, text)

        return self.scan.look(sub.pointer, self.name_of(frame), string, other, part)

    cdef bint hand_back(self) except -1:
        """Take what the scan handed back, at its place."""
        self.end_run()
        self.found += self.scan.found
        self.scan.found = []

        return True

    # --- what is written

    cdef bint write(
        self,
        Frame *frame,
        const char *before,
        Py_ssize_t before_size,
        object value,
        const char *behind,
        Py_ssize_t behind_size,
    ) except -1:
        """
        Write a param: what stands before its value, the value, and what is behind.

        `value` is None where it is as it was sent, bytes of ours where these stand in
        the place of it, or, where nothing is behind, all of it is in `before`.
        """
        cdef const char *text = self.value
        cdef Py_ssize_t size = self.size if behind_size else 0
        cdef Py_ssize_t begin_size = frame.begin_end - frame.begin_at, whole
        cdef char *to
        cdef bytes made
        cdef bint is_own = value is not None and behind_size
        if is_own:
            text, size = PyBytes_AS_STRING(value), PyBytes_GET_SIZE(value)
        whole = begin_size + self.spelt_size + 2 + before_size + size + behind_size
        if self.most:
            made = PyBytes_FromStringAndSize(NULL, whole)
            self.coded.append(made)
            to = PyBytes_AS_STRING(made)
        else:
            to = self.out.room(whole + (self.number > 0))
            if self.number:
                to[0] = 44 if self.prefix is None else 0  # the prefix goes there
                to += 1
            self.number += 1
        to = put(to, self.begins.start + frame.begin_at, begin_size)
        to = put(put(to, self.spelt, self.spelt_size), b'",', 2)
        put(put(put(to, before, before_size), text, size), behind, behind_size)
        if self.out.size >= AT_ONCE:
            self.end_block()
        if not self.most:
            return True
        self.most -= 1
        if value is None:
            value = PyBytes_FromStringAndSize(text, size)
            is_own = self.kind == OTHER
        if is_own:
            value = JsonText(value)
        named = "json", self.part_name(frame), value
        self.params.append(new_tuple(Param, named))

        return True

    cdef bint end_block(self) except -1:
        if self.number:
            made = PyBytes_FromStringAndSize(self.out.start, self.out.size)
            self.beyond.append((made, self.number))
            self.number = self.out.size = 0

        return True

    cdef bint end_run(self) except -1:
        self.end_block()
        if self.coded or self.beyond:
            self.found.append(Run(self.params, self.coded, self.prefix, self.beyond))
            self.params, self.coded, self.beyond = [], [], []

        return True

    cdef bint change_prefix(self, prefix) except -1:
        if prefix is not self.prefix:
            self.end_run()
            self.prefix = prefix
            self.scan.prefix = prefix

        return True


# --- the road


cdef enum:
    OF_NOTHING, OF_FIELD, OF_METHOD, OF_RAW_URI, OF_REQUEST_URI, OF_QUERY, OF_PROTOCOL
    OF_SCHEME, OF_HOST, OF_PORT, OF_OWN_PORT, OF_SOCKET, OF_CHANNEL, OF_ANOTHER

cdef dict PLACES = {
    "REQUEST_METHOD": OF_METHOD,
    "RAW_URI": OF_RAW_URI,
    "REQUEST_URI": OF_REQUEST_URI,
    "QUERY_STRING": OF_QUERY,
    "SERVER_PROTOCOL": OF_PROTOCOL,
    "wsgi.url_scheme": OF_SCHEME,
    "REMOTE_ADDR": OF_HOST,
    "REMOTE_PORT": OF_PORT,
    "SERVER_PORT": OF_OWN_PORT,
    "gunicorn.socket": OF_SOCKET,
    "waitress.client_disconnected": OF_CHANNEL,
    # What may have put another address in its place.
    "werkzeug.proxy_fix.orig": OF_ANOTHER,
    "PROXY_PROTOCOL": OF_ANOTHER,
    "CONN_REMOTE_ADDR": OF_ANOTHER,
}


cdef class Key:
    """What a key of an environ is of; of a field line also what is known of that."""

    cdef int place, kind
    cdef bint is_bare   # there, but empty, where none was sent
    cdef bytes name
    cdef dict lines     # as they are recorded, by their values


cdef struct Parts:
    PyObject *coded[FIELDS + 1]   # in the order of the record: cookies first
    Py_ssize_t number, size


cdef class ShortRoad:
    """
    Begins what is ordinary, for one application.

    Args:
        ids: makes event ids.
        writer: gives slots.
        resume: makes the whole recorder of what was begun here.
        ask: tells user and action, from what tells whom somebody vouches for.
        event_header: response header that carries the event id, if any.
    """

    cdef Ids ids
    cdef Looker looker
    cdef object writer, ask_peer, ask, vouch, resume, sightings, sessions
    cdef object field_name, tells_no_tls
    cdef object pass_on, received, keep_first, awaiting, refuse_unless
    cdef object tees, tee_input, told, note_leaving, types
    cdef dict marks
    cdef bytes event_header
    cdef str event_name
    cdef dict peers, keys, shown_hosts, shown_clients, spelt
    cdef Py_ssize_t shown_lines
    cdef type last_owner
    cdef bint is_of_uvicorn, sees_sessions
    cdef bytes service, instance_cell, second_text
    cdef object instance
    cdef long long second

    def __init__(self, ids, writer, resume, ask, event_header):
        self.ids = ids
        self.writer = writer
        self.resume = resume
        self.ask = ask
        self.event_header = event_header.encode() if event_header else None
        self.event_name = event_header or None
        self.peers, self.keys = {}, {}
        self.shown_hosts = {}
        self.shown_clients = {}
        self.spelt = {}
        self.second = -1

    def learn(self, rules, ordinary):
        """Go by these rules, and these memories, from now on."""
        self.service = encode_column(rules.service)
        self.sightings = rules.sightings
        self.sessions = rules.sightings.sessions
        self.sees_sessions = "session_new_address" in rules.limits.detectors
        self.looker = None if ordinary.is_off else Looker(ordinary)
        self.keys, self.shown_lines = {}, 0  # it is the rules that tell their kinds
        if self.looker is not None and self.looker.reader is not None:
            known = ordinary.documents
            known.compiled = LongReader(known, self.looker.reader.stems)

    def know_scopes(self, vouch, peers, ask_peer, tees):
        """
        Take what tells of the scopes of ASGI.

        Args:
            vouch: tells whom the application vouches for, from a scope.
            peers: of transports, by their weak references (`asgi_peer`).
            ask_peer: who is at the socket of an object of the server.
            tees: what to do with a message that is not ordinary (`asgi_tees`).
        """
        self.vouch, self.peers, self.ask_peer = vouch, peers, ask_peer
        self.pass_on, self.received = tees.pass_on, tees.received
        self.keep_first, self.awaiting = tees.keep_first, tees.awaiting
        self.refuse_unless, self.marks = tees.refuse_unless, tees.MARKS

    def know_environs(self, heads, tees, inputs, types):
        """
        Take what tells of the environs of WSGI.

        Args:
            heads: whom the application vouches for, and what stands where (`wsgi_head`).
            tees: what to do with a response that is not ordinary (`wsgi_response`).
            inputs: likewise with a body (`wsgi_input`).
            types: the event types that the options declare.
        """
        self.vouch = heads.vouched
        self.field_name, self.tells_no_tls = heads.field_name, heads.tells_no_tls
        self.tees, self.types = tees, types
        self.tee_input, self.told = inputs.TeeInput, inputs.told
        self.note_leaving = inputs.note_leaving

    def begin_asgi(self, scope, receive, send):
        """
        Begin the recording of an HTTP request of ASGI, if it is ordinary.

        Returns:
            A `Sending`; None where it takes a closer look, and nothing was begun.
        """
        cdef ShortRecorder it = ShortRecorder.__new__(ShortRecorder)
        cdef Sending sending
        if self.looker is None or not _wiped[0] or not PyDict_CheckExact(scope):
            return None
        sending = Sending.__new__(Sending)
        sending.receiving = Receiving.__new__(Receiving)
        sending.recorder = sending.receiving.recorder = it
        sending.to_server, sending.receiving.from_server = send, receive
        try:
            if self.read_scope(it, scope, receive) and self.begun(it, scope):
                return sending
        except Exception:  # who takes the closer look tells what it is
            pass

        return None

    def begin_wsgi(self, environ, start_response):
        """
        Begin the recording of a request of WSGI, likewise.

        Returns:
            A `Response`; None as above.
        """
        cdef ShortRecorder it = ShortRecorder.__new__(ShortRecorder)
        cdef Response response
        if self.looker is None or not _wiped[0] or not PyDict_CheckExact(environ):
            return None
        response = Response.__new__(Response)
        response.recorder, response.environ = it, environ
        response.start_response = start_response
        try:
            if self.read_environ(it, environ) and self.begun(it, environ):
                return response
        except Exception:  # as above
            pass

        return None

    cdef bint begun(self, ShortRecorder it, dict scope) except -1:
        it.road = self
        it.scope = scope
        # First: the time of what is new to the memories is time of the request.
        it.event_text = self.ids.spell(&it.time)
        it.started = audit_mw_steady()
        if not self.look(it):
            return False
        pump = self.writer.pump
        if pump is None or not pump.accepting or pump.refusal is not None:
            return False
        if pump.durable:
            return False
        it.stamp = self.stamp_of(it.time)
        instance = pump.instance
        if instance is not self.instance:
            self.instance, self.instance_cell = instance, encode_word(instance)
        it.keeper, it.instance = pump, instance
        it.instance_cell = self.instance_cell
        cells = it.cells(b"ABORTED", None, None)
        version = it.version(cells, None, -1, it.params, it.opening_details)
        if not it.take_slot(pump):
            return False
        if PyBytes_GET_SIZE(version) > it.half - SLOT_HEAD:
            pump.free(it.slot)
            return False
        # Asked again: a pump that ends says so first, and counts its slots then.
        if not pump.accepting:
            pump.free(it.slot)
            return False
        try:
            it.put(S_OPEN, version)
        except BaseException:
            pump.free(it.slot)
            raise
        it.is_begun = True

        return True

    # --- the head, as the server gives it

    cdef bint read_scope(self, ShortRecorder it, dict scope, receive) except -1:
        method, path = scope.get("method"), scope.get("raw_path")
        query, headers = scope.get("query_string"), scope.get("headers")
        if not PyUnicode_CheckExact(method) or not PyBytes_CheckExact(path):
            return False
        if not PyBytes_CheckExact(query) or not PyList_CheckExact(headers):
            return False
        it.scheme, it.http_version = scope.get("scheme"), scope.get("http_version")
        extensions = scope.get("extensions")
        if it.scheme != "http" or (extensions and "tls" in extensions):
            return False
        if not self.read_peer(it, scope.get("client"), receive):
            return False
        # Some servers leave the query on the path.
        it.raw_path = path if b"?" not in <bytes>path else path.partition(b"?")[0]
        it.method, it.query = PyUnicode_AsLatin1String(method), query
        it.fields = tuple(<list>headers)

        return True

    cdef bint read_peer(self, ShortRecorder it, client, receive) except -1:
        if not PyTuple_CheckExact(client) or len(<tuple>client) != 2:
            return False
        host, port = <tuple>client
        if not PyUnicode_CheckExact(host) or not PyLong_CheckExact(port):
            return False
        if not host or port <= 0:
            return False
        it.peer = client
        owner = (
            <object>PyMethod_GET_SELF(receive)
            if PyMethod_Check(receive)
            else getattr(receive, "__self__", None)
        )
        if type(owner) is not self.last_owner:
            self.last_owner = type(owner)
            self.is_of_uvicorn = self.last_owner.__module__.startswith("uvicorn.")
        if not self.is_of_uvicorn:
            return True
        transport = owner.transport
        own = found_in(self.peers, PyWeakref_NewRef(transport, None))
        if own is None:
            own = self.ask_peer(owner)

        return own is None or own == client

    cdef bint read_environ(self, ShortRecorder it, dict environ) except -1:
        cdef Py_ssize_t at = 0
        cdef PyObject *key_at
        cdef PyObject *value_at
        cdef PyObject *found
        cdef Key key
        cdef list lines = []
        cdef object method = None, query = "", protocol = None, scheme = None
        cdef object raw = None, uri = None, host = None, port = None, own_port = None
        while PyDict_Next(environ, &at, &key_at, &value_at):
            value = <object>value_at
            found = PyDict_GetItemWithError(self.keys, <object>key_at)
            key = self.key_of(<object>key_at) if found is NULL else <Key>found
            if key.place == OF_NOTHING:
                continue
            if key.place == OF_FIELD:
                if not is_latin(value):
                    return False
                if PyUnicode_GET_LENGTH(value) or not key.is_bare:
                    lines.append(key)
                    lines.append(value)
            elif key.place == OF_METHOD:
                method = value
            elif key.place == OF_RAW_URI:
                raw = value
            elif key.place == OF_REQUEST_URI:
                uri = value
            elif key.place == OF_QUERY:
                query = value
            elif key.place == OF_PROTOCOL:
                protocol = value
            elif key.place == OF_SCHEME:
                scheme = value
            elif key.place == OF_HOST:
                host = value
            elif key.place == OF_PORT:
                port = value
            elif key.place == OF_OWN_PORT:
                own_port = value
            elif not self.is_silent(key, value, environ):
                return False
        target = raw or uri
        if not PyUnicode_CheckExact(protocol) or not PyUnicode_CheckExact(scheme):
            return False
        if not is_latin(target) or not self.read_remote(it, host, port, own_port):
            return False
        it.scheme = scheme
        if protocol == "HTTP/1.1":
            it.http_version = "1.1"
        else:
            it.http_version = protocol[5:] if protocol[:5] == "HTTP/" else protocol
            it.http_version = it.http_version or None
        it.raw_path = path_of(target)
        it.method, it.query = exact_latin(method), exact_latin(query)
        it.lines = lines
        it.joined = it.is_wsgi = True

        return True

    cdef Key key_of(self, key):
        cdef Key made = Key.__new__(Key)
        if not PyUnicode_CheckExact(key):
            raise TypeError("no text")
        made.place = PLACES.get(key, OF_NOTHING)
        if made.place == OF_NOTHING:
            made.name = self.field_name(key)
            if not self.tells_no_tls((key,)):
                made.place = OF_ANOTHER
            elif made.name is not None:
                made.place, made.lines = OF_FIELD, {}
                made.kind = self.looker.ordinary.kind(made.name)
                made.is_bare = key in ("CONTENT_TYPE", "CONTENT_LENGTH")
        if len(key) <= LONGEST:
            if len(self.keys) >= REMEMBERED:
                self.keys.clear()
            self.keys[key] = made

        return made

    cdef bint is_silent(self, Key key, value, dict environ) except -1:
        """Tell whether what may tell of TLS, or of another peer, does not."""
        if key.place == OF_SOCKET:
            # As it is for the most part under gunicorn, whose sockets know.
            return getattr(value, "cipher", END) is END
        if key.place != OF_CHANNEL:
            return False
        channel = getattr(value, "__self__", None)
        addr = getattr(channel, "addr", None)

        return not addr or addr[0] == environ.get("REMOTE_ADDR")

    cdef bint read_remote(self, ShortRecorder it, host, port, own_port) except -1:
        if not PyUnicode_CheckExact(host) or not host or host == "0.0.0.0":
            return False
        if PyUnicode_CheckExact(port):
            port = number_of(port)
        if not PyLong_CheckExact(port) or port <= 0:
            return False
        if own_port is not None and str(own_port)[:1] == "/":
            return False
        it.peer = (host, port)

        return True

    # --- what it yields, by the memories

    cdef bint look(self, ShortRecorder it) except -1:
        cdef Parts parts
        cdef Looker looker = self.looker
        cdef tuple known
        cdef Pairs query = NOTHING
        cdef Py_ssize_t place
        cdef list telling, held = []
        cdef object claims = ()
        cdef char *to
        parts.coded[0], parts.number, parts.size = NULL, 0, 0
        it.cookie_names, it.media = NOTHING.names, b""
        if it.lines is None:
            if not self.take_fields(it, &parts, held):
                return False
        elif not self.take_lines(it, &parts, held):
            return False
        telling, it.telling = it.telling, None
        it.number += parts.number
        if telling is not None or it.method not in (b"GET", b"HEAD"):
            claims = [each[1] for each in telling or () if each[0] == FORWARDING]
            it.declared, it.media = looker.ordinary.body(it.method, telling or ())
        known = (it.peer[0], *claims) if claims else (it.peer[0],)
        client = found_in(looker.clients, known)
        it.client = (
            looker.ordinary.client(it.peer, claims) if client is None else client
        )
        found = found_in(looker.paths, (it.raw_path, False))
        if found is None:
            found = looker.ordinary.path(it.head())
        it.path = (<tuple>found)[0]
        if PyBytes_GET_SIZE(it.query):
            if (<tuple>found)[1] or PyBytes_GET_SIZE(it.query) >= looker.room:
                return False
            query = looker.pairs(b"query", it.query, it.cookie_names)
        it.query_coded, it.query_names = query.coded, query.names
        it.number += query.number
        it.behind = PyBytes_FromStringAndSize(NULL, parts.size - 1 if parts.size else 0)
        to = PyBytes_AS_STRING(it.behind)
        for place in range(parts.number + 1):
            if parts.coded[place] is NULL:
                continue
            if to != PyBytes_AS_STRING(it.behind):
                to = put(to, b",", 1)
            to = put_bytes(to, <bytes>parts.coded[place])
        it.params = joined(query.coded, b"", it.behind)
        it.method_word = looker.word(it.method)

        return self.settle(it)

    cdef bint take_fields(self, ShortRecorder it, Parts *parts, list held) except -1:
        """Take the field lines of a scope."""
        cdef Looker looker = self.looker
        cdef int kind
        if len(it.fields) > FIELDS:
            return False
        for found in it.fields:
            if not PyTuple_CheckExact(found) or len(<tuple>found) != 2:
                return False
            line = <tuple>found
            known_kind = found_in(looker.kinds, line[0])
            kind = looker.ordinary.kind(line[0]) if known_kind is None else known_kind
            if not PyBytes_CheckExact(line[1]):
                return False
            if kind != PASSED_BY and not self.take_line(it, parts, held, kind, line):
                return False

        return True

    cdef bint take_lines(self, ShortRecorder it, Parts *parts, list held) except -1:
        """Take those of an environ."""
        cdef list lines = it.lines
        cdef Py_ssize_t place
        cdef Key key
        if len(lines) > 2 * FIELDS:
            return False
        for place in range(0, len(lines), 2):
            key, value = <Key>lines[place], lines[place + 1]
            if key.kind == PASSED_BY:
                continue
            if key.kind == RECORDED:
                text = found_in(key.lines, value)
                if text is None:
                    text = self.new_line(key, value)
                self.add(parts, held, text)
                continue
            line = (key.name, PyUnicode_AsLatin1String(value))
            if not self.take_line(it, parts, held, key.kind, line):
                return False

        return True

    cdef bytes new_line(self, Key key, value):
        cdef tuple line = (key.name, PyUnicode_AsLatin1String(value))
        text = found_in(self.looker.lines, line)
        if text is None:
            text = self.looker.ordinary.line(line)
        if line in self.looker.lines:  # it is short enough to be remembered
            if self.shown_lines >= REMEMBERED:
                self.keys, self.shown_lines = {}, 0
            key.lines[value] = text
            self.shown_lines += 1

        return text

    cdef bint take_line(
        self, ShortRecorder it, Parts *parts, list held, int kind, tuple line
    ) except -1:
        cdef Looker looker = self.looker
        if kind <= TYPE:
            text = found_in(looker.lines, line)
            if text is None:
                text = looker.ordinary.line(line)
            if kind != RECORDED:
                if it.telling is None:
                    it.telling = []
                it.telling.append((kind, line))
        elif kind == SECRET:
            part = looker.part_of(line, False)
            it.has_credentials = it.has_credentials or (<tuple>part)[4]
            text = (<tuple>part)[0]
        elif kind == COOKIE and not it.has_cookies:
            part = looker.part_of(line, True)
            text, it.session = (<tuple>part)[0], (<tuple>part)[3]
            it.cookie_names = (<tuple>part)[2]
            it.has_credentials = it.has_credentials or (<tuple>part)[4]
            it.number += (<tuple>part)[1]
            it.has_cookies = True
            if text:
                held.append(text)
                parts.coded[0] = <PyObject *>text
                parts.size += PyBytes_GET_SIZE(text) + 1
            return True
        else:
            return False

        return self.add(parts, held, text)

    cdef bint add(self, Parts *parts, list held, text) except -1:
        held.append(text)
        parts.number += 1
        parts.coded[parts.number] = <PyObject *>text
        parts.size += PyBytes_GET_SIZE(text) + 1

        return True

    cdef bint settle(self, ShortRecorder it) except -1:
        """Look whether all of it fits, and how it stands in a record."""
        found = self.looker.fitting(it, it.params, it.number, 0)
        if found is None:
            return False
        it.opening_details = coded_details(found[0])
        it.details = coded_details(found[1])
        it.found_details = found
        it.client_cell = self.client_cell_of((<tuple>it.client)[0])
        it.peer_cell = self.peer_cell_of(it.peer)
        it.method_cell = self.cell_of(it.method_word)
        it.path_cell = self.cell_of(it.path)

        return True

    # --- cells: what stands in a column, of what comes again and again

    cdef bytes stamp_of(self, long long micros):
        cdef bytes stamp
        cdef char *at
        cdef long long second = micros // 1_000_000, left = micros % 1_000_000
        cdef int place
        if second != self.second:
            self.second_text, self.second = encode_time(second * 1_000_000), second
        stamp = PyBytes_FromStringAndSize(PyBytes_AS_STRING(self.second_text), STAMP)
        at = PyBytes_AS_STRING(stamp) + STAMP - 2
        for place in range(6):
            at[-place] = <char>(48 + left % 10)
            left //= 10

        return stamp

    cdef bytes client_cell_of(self, address):
        cell = found_in(self.shown_clients, address)

        return (
            kept(self.shown_clients, address, encode_column(address))
            if cell is None
            else cell
        )

    cdef bytes peer_cell_of(self, tuple peer):
        # Each connection has a port of its own: the host alone comes again.
        cdef bytes before
        cdef char digits[24]
        cdef char *end
        host, port = peer
        if port > 65535:
            return encode_column(self.looker.ordinary.peer(peer))
        before = found_in(self.shown_hosts, host)
        if before is None:
            before = encode_column(self.looker.ordinary.peer((host, LONG_PORT)))
            if not before.endswith(b":10000"):
                raise LookupError("no port is shown")
            before = kept(self.shown_hosts, host, before[: len(before) - 5])
        end = put_number(digits, port)

        return before + PyBytes_FromStringAndSize(digits, end - digits)

    cdef bytes cell_of(self, bytes text):
        cell = found_in(self.spelt, text)

        return kept(self.spelt, text, respell(text)) if cell is None else cell

    # --- what is asked at the end

    cdef bint may_vouch(self, ShortRecorder it) except -1:
        cdef dict told = <dict>it.scope
        if it.is_wsgi:
            return "REMOTE_USER" in told

        return "user" in told or "endpoint" in told or "route" in told

    cdef object seen_before(self, ShortRecorder it):
        """Return from where else a session was used; None where that is not asked."""
        cdef dict young
        if not self.sees_sessions or it.session is None:
            return None
        young = self.sessions.young
        known = found_in(young, it.session)
        if known is not None and network_of((<tuple>it.client)[0]) in known:
            return ()

        return self.sightings.see(it.session, it.client)


cdef bint is_latin(text) except -1:
    """Tell whether it is exactly a text, all of which is Latin-1."""
    return PyUnicode_CheckExact(text) and PyUnicode_KIND(text) == 1


cdef object number_of(text):
    """Return the number that a text of decimal digits is; None: it is another."""
    cdef Py_UCS4 digit
    cdef int number = 0
    if 0 < len(<str>text) <= 9:
        for digit in <str>text:
            if not 48 <= <int>digit <= 57:
                break
            number = 10 * number + (<int>digit - 48)
        else:
            return number

    return int(text) if text.isdecimal() else None


cdef bytes path_of(text):
    """Return what stands before the query, of a target that is Latin-1."""
    cdef const char *start = <const char *>PyUnicode_DATA(text)
    cdef Py_ssize_t size = PyUnicode_GET_LENGTH(text)
    cdef const char *end = <const char *>memchr(start, b"?", size)

    return PyBytes_FromStringAndSize(start, size if end is NULL else end - start)


cdef bytes exact_latin(text):
    # A subclass may say something else of itself, and the road in Python asks it.
    if not PyUnicode_CheckExact(text):
        raise TypeError("no text")

    return PyUnicode_AsLatin1String(text)


cdef bytes kept(dict memory, key, bytes found):
    if len(memory) >= REMEMBERED:
        memory.clear()
    memory[key] = found

    return found


cdef bytes coded_details(details):
    return details.coded or encode_record_details(details)


cdef bytes joined(bytes first, bytes second, bytes third):
    """Return those of three arrays that are not empty, as one."""
    cdef Py_ssize_t size = 0
    cdef bytes whole
    cdef char *to
    cdef int place
    cdef PyObject *parts[3]
    parts[0], parts[1] = <PyObject *>first, <PyObject *>second
    parts[2] = <PyObject *>third
    for place in range(3):
        if PyBytes_GET_SIZE(<bytes>parts[place]):
            size += PyBytes_GET_SIZE(<bytes>parts[place]) + 1
    if not size:
        return b""
    whole = PyBytes_FromStringAndSize(NULL, size - 1)
    to = PyBytes_AS_STRING(whole)
    for place in range(3):
        if not PyBytes_GET_SIZE(<bytes>parts[place]):
            continue
        if to != PyBytes_AS_STRING(whole):
            to = put(to, b",", 1)
        to = put_bytes(to, <bytes>parts[place])

    return whole


# --- what an edge holds while a request runs


cdef class ShortRecorder:
    """
    Records one ordinary exchange, as `Recorder` does; what else is asked of it goes to
    the whole recorder that it is then gone on with.
    """

    cdef object __weakref__
    cdef ShortRoad road
    cdef object whole
    # The request.
    cdef readonly object scope
    cdef readonly tuple peer
    cdef tuple fields
    cdef list lines  # keys and values of the field lines, where an environ had them
    cdef readonly bytes method, raw_path, query
    cdef readonly object scheme, http_version
    cdef bytes event_text
    cdef readonly long long time, started
    # What it yields.
    cdef object client, cookie_names, query_names, session
    cdef tuple found_details
    cdef bytes path, method_word, params, query_coded, behind
    cdef Py_ssize_t number, declared
    cdef bytes media
    cdef bint has_credentials
    cdef readonly bytes body
    cdef bytearray gathered  # the body, as long as there is more of it to come
    cdef readonly bint has_ended
    # How it stands in the record.
    cdef bytes stamp, client_cell, peer_cell, method_cell, path_cell, instance_cell
    cdef bytes opening_details, details
    # Where that is kept.
    cdef readonly object keeper, slot, instance
    cdef object block
    cdef Py_ssize_t state_at, at, half
    cdef bytes kept
    # The response.
    cdef readonly object status, declares
    cdef readonly long long sent
    cdef readonly object before
    # What the application said of it so far, and whom a framework vouches for.
    cdef readonly object spoken
    cdef tuple changes
    cdef list telling
    cdef bint has_cookies
    cdef bint is_begun, is_committed, is_leaving, is_wsgi
    cdef readonly bint joined
    cdef readonly bint is_sent

    def __init__(self):
        raise TypeError("a ShortRoad begins it")

    def __del__(self):
        # A signal may raise between its begin and whoever was to end it; and nothing
        # of a parent's is ours to end.
        if self.is_begun and not self.is_sent and self.whole is None and _wiped[0]:
            try:
                self.full().end()
            except Exception:  # whoever drops it has no use for it
                pass

    # --- the record

    cdef bytes version(
        self, Cells cells, status, long long sent, bytes params, bytes details
    ):
        """Return what a slot keeps; `sent` is -1 where nothing is sent yet."""
        cdef char numbers[96]
        cdef char *end = numbers
        cdef char *to
        cdef Py_ssize_t after, size
        cdef bytes made
        end = put(end, b"-", 1) if status is None else put_number(end, status)
        if sent < 0:
            end = put(end, b"\t-\t-\t-", 6)
        else:
            end = put_number(put(end, b"\t", 1), sent)
            end = put(end, b"\t", 1)
            rows = None if self.spoken is None else self.spoken.rows
            end = put(end, b"-", 1) if rows is None else put_number(end, rows)
            end = put(end, b"\t", 1)
            end = put_number(end, (audit_mw_steady() - self.started) // 1000)
        after = (
            AROUND
            + PyBytes_GET_SIZE(cells.outcome)
            + PyBytes_GET_SIZE(self.road.service)
            + PyBytes_GET_SIZE(self.instance_cell)
            + PyBytes_GET_SIZE(self.client_cell)
            + PyBytes_GET_SIZE(self.peer_cell)
            + PyBytes_GET_SIZE(cells.user)
            + PyBytes_GET_SIZE(cells.session)
            + PyBytes_GET_SIZE(self.method_cell)
            + PyBytes_GET_SIZE(self.path_cell)
            + PyBytes_GET_SIZE(cells.action)
            + (end - numbers)
            + PyBytes_GET_SIZE(params)
            + PyBytes_GET_SIZE(details)
        )
        size = VERSION_HEAD + 7 + BEFORE + after
        made = PyBytes_FromStringAndSize(NULL, size)
        to = PyBytes_AS_STRING(made)
        to[0] = 7
        put_little(to + 1, BEFORE, 4)
        put_little(to + 5, after, 4)
        to = put(to + VERSION_HEAD, b"request", 7)
        to = put(to, PyBytes_AS_STRING(self.stamp), STAMP)
        to = put(to, b"\t", 1)
        to = put(to, PyBytes_AS_STRING(self.event_text), EVENT)
        to = put(to, b"\trequestrequest\t", 16)
        to = put_cell(to, cells.outcome)
        to = put_cell(to, self.road.service)
        to = put_cell(to, self.instance_cell)
        to = put_cell(to, self.client_cell)
        to = put_cell(to, self.peer_cell)
        to = put_cell(to, cells.user)
        to = put_cell(to, cells.session)
        to = put_cell(to, self.method_cell)
        to = put_cell(to, self.path_cell)
        to = put_cell(to, cells.action)
        to = put(to, numbers, end - numbers)
        to = put(to, b"\t[", 2)
        to = put_bytes(to, params)
        to = put(to, b"]\t", 2)
        to = put_bytes(to, details)
        to = put(to, b"\t-\t-", 4)

        return made

    cdef Cells cells(self, bytes outcome, bytes user, bytes action):
        cdef Cells made = Cells.__new__(Cells)
        made.outcome = outcome
        made.user = b"-" if user is None else self.road.cell_of(user)
        made.action = b"-" if action is None else self.road.cell_of(action)
        made.session = b"-" if self.session is None else (<str>self.session).encode()

        return made

    cdef bint take_slot(self, pump) except -1:
        cdef Py_ssize_t left
        pool = pump.pool
        free = pool.free_small
        left = len(free)
        if left < pool.half[0] or len(pool.free_large) < pool.half[1]:
            slot = pool.begin()  # it grows ahead, or refuses
            if slot is None:
                return False
        else:
            slot = free.pop()
        self.slot, self.block = slot, slot.block
        self.state_at, self.at, self.half = slot.place, slot.offset, slot.half
        memory = self.block.memory
        if memory is not None:
            claim(memory, slot.meta)

        return True

    cdef bint put(self, int state, bytes version) except -1:
        memory = self.block.memory
        if memory is not None:
            store(memory, self.state_at, self.at, self.half, version, state)

        return True

    # --- the request, as the application reads it

    def read(self, chunk, *, bint ended):
        """Take a chunk of the body; nothing must be waited for."""
        if PyBytes_CheckExact(chunk):
            return self.take(<bytes>chunk, ended)

        return self.full().read(chunk, ended=ended)

    cdef object take(self, bytes chunk, bint ended):
        cdef bint has_more
        if self.whole is None and not self.is_leaving:
            if self.is_committed:
                return ()
            has_more = self.gathered is None or not ended
            if self.has_ended or (not chunk and has_more):
                self.has_ended = self.has_ended or ended
                return ()
            if chunk and (self.gather(chunk, ended) or self.read_last(chunk)):
                return ()
            self.media = b""  # it is not to be looked at here once more

        return self.full().read(chunk, ended=ended)

    cdef bint gather(self, bytes chunk, bint ended) except -1:
        """Hold a chunk of a body that fits, if it is not the last one."""
        cdef Py_ssize_t held = PyBytes_GET_SIZE(chunk)
        if ended or not self.media or self.body is not None:
            return False
        if self.gathered is not None:
            held += len(self.gathered)
        if held >= self.declared or self.declared >= self.road.looker.room:
            return False
        if self.gathered is None:
            first = bytearray(chunk)
            if self.is_leaving or self.is_committed:
                return False
            self.gathered = first
        else:
            self.gathered += chunk

        return True

    cdef bint read_last(self, bytes chunk) except -1:
        """Take what completes a body; tell whether it is an ordinary one."""
        if self.gathered is None:
            return self.read_whole(chunk)
        if len(self.gathered) + PyBytes_GET_SIZE(chunk) != self.declared:
            return False

        return self.read_whole(bytes(self.gathered) + chunk)

    cdef bint read_whole(self, bytes body) except -1:
        """Take a body that was read whole; tell whether it is an ordinary one."""
        cdef Looker looker = self.road.looker
        cdef Py_ssize_t size = PyBytes_GET_SIZE(body)
        cdef Pairs part
        cdef bytes params, version
        cdef bint is_put = False
        if not self.media or self.body is not None:
            return False
        if size != self.declared or size >= looker.room:
            return False
        try:
            if self.media == JSON:
                part = looker.document(body, self.cookie_names)
            else:
                part = looker.pairs(FORM, body, self.cookie_names)
            for name in part.names:
                if PySet_Contains(self.query_names, name):
                    return False
            params = joined(self.query_coded, part.coded, self.behind)
            found = looker.fitting(self, params, self.number + part.number, size)
            if found is None:
                return False
            opening, details = coded_details(found[0]), coded_details(found[1])
            cells = self.cells(b"ABORTED", self.said_user(None), None)
            version = self.version(cells, self.status, -1, params, opening)
            if PyBytes_GET_SIZE(version) + LEFT > self.half - SLOT_HEAD:
                is_put = self.move(version)
        except Exception:  # who takes the closer look tells what it is
            return False
        if self.is_leaving or self.is_committed:
            return False
        if PyBytes_GET_SIZE(version) > self.half - SLOT_HEAD:
            return False
        if not is_put:
            self.put(S_OPEN, version)
        self.body, self.has_ended, self.gathered = body, True, None
        self.params, self.details, self.found_details = params, details, found
        self.number += part.number
        self.has_credentials = self.has_credentials or part.has_password

        return True

    cdef bint move(self, bytes version) except -1:
        """Go to a large slot, as `Place` does, if one is free and large enough."""
        keeper, small = self.keeper, self.slot
        large = keeper.large()
        if large is None:
            return False
        if PyBytes_GET_SIZE(version) > large.room:
            keeper.free(large)
            return False
        try:
            # Both have the record for a moment; the large one says so.
            large.claim(small.number if small.state else -1)
            large.put(S_OPEN, version)
        except BaseException:
            keeper.free(large)
            raise
        if self.is_leaving or self.is_committed or small is not self.slot:
            keeper.free(large)
            return False
        memory, place = small.block.memory, small.place
        self.slot, self.block = large, large.block
        self.state_at, self.at, self.half = large.place, large.offset, large.half
        if memory is not None:
            mark(memory, place, S_FREE)  # in one go: in both, it would be told twice
        keeper.free(small)

        return True

    # --- the response, before it is handed over

    cdef bint tell(self, message) except -1:
        """Take a message that the application sends; tell whether that is all."""
        if self.whole is not None or self.is_leaving:
            return False
        if not PyDict_CheckExact(message):
            return False
        kind = (<dict>message).get("type")
        try:
            if kind == "http.response.body":
                return self.tell_body(<dict>message)
            if kind == "http.response.start":
                return self.tell_start(<dict>message)
        except Exception:
            pass

        return False

    cdef bint tell_start(self, dict message) except -1:
        status, headers = message.get("status"), message.get("headers")
        if message.get("trailers") not in (None, False):
            return False
        if not PyLong_CheckExact(status) or not 100 <= status <= 999:
            return False
        if self.status is not None or not PyList_CheckExact(headers):
            return False
        declares = None
        for pair in <list>headers:
            if not PyTuple_CheckExact(pair) or len(<tuple>pair) != 2:
                return False
            name, value = <tuple>pair
            if not PyBytes_CheckExact(name) or not PyBytes_CheckExact(value):
                return False
            if PyBytes_GET_SIZE(name) == 14 and declares is None:
                if (<bytes>name).lower() == CONTENT_LENGTH:
                    declares = length_of(value)

        return self.start(status, declares)

    cdef bint start(self, status, declares) except -1:
        if self.is_committed:
            return False
        if status in (204, 304) or self.method == b"HEAD" or declares == 0:
            return self.keep(status, declares, self.sent)
        self.status, self.declares = status, declares

        return True

    cdef bint tell_body(self, dict message) except -1:
        cdef long long length
        body, more = message.get("body"), message.get("more_body")
        if body is None:
            length = 0
        elif PyBytes_CheckExact(body):
            length = PyBytes_GET_SIZE(body)
        else:
            return False
        if more is not None and more is not True and more is not False:
            return False

        return self.pass_on(length, more is True)

    cdef bint pass_on(self, long long length, bint more) except -1:
        cdef long long sent = self.sent + length
        if self.is_committed:
            return True  # what comes later changes nothing
        if self.status is None:
            return False
        if more and (self.declares is None or not length or sent < self.declares):
            self.sent = sent
            return True

        return self.keep(self.status, self.declares, sent)

    cdef bint keep(self, status, declares, long long sent) except -1:
        """Keep the record; tell whether that was all."""
        cdef bytes user = None, action = None, version, outcome
        cdef ShortRoad road = self.road
        cdef Cells cells
        if self.declared != (0 if self.body is None else PyBytes_GET_SIZE(self.body)):
            return False
        if self.changes is not None or road.may_vouch(self):
            found = road.ask(self.vouching())
            if found is not None:
                user = None if found[0] is None else road.looker.word(found[0])
                action = None if found[1] is None else road.looker.word(found[1])
        if self.before is None:  # once: it is remembered then that it is seen here
            self.before = road.seen_before(self)
        if self.before:
            return False
        user = self.said_user(user)
        if self.spoken is not None and self.spoken.outcome is not None:
            outcome = self.spoken.outcome.encode()
        elif status < 400:
            outcome = b"SUCCESS"
        else:
            credentials = self.has_credentials or self.session is not None
            seen = Evidence(status=status, credentials=credentials)
            outcome = resolve_outcome(seen).encode()
        cells = self.cells(outcome, user, action)
        version = self.version(cells, status, sent, self.params, self.details)
        if self.is_leaving or self.is_committed:
            return False
        if PyBytes_GET_SIZE(version) > self.half - SLOT_HEAD:
            return False
        self.put(S_SENDING, version)
        self.status, self.declares, self.sent = status, declares, sent
        self.kept, self.is_committed = version, True

        return True

    cdef bytes said_user(self, bytes user):
        """
        Return the user, as the application says, or else vouches for.

        Raises:
            LookupError: it says what the short road does not take.
        """
        said = self.spoken
        if said is None:
            return user
        if said.action is not None or said.roles or said.notes:
            raise LookupError("more is said than who it is")
        if said.session is not None:
            raise LookupError("another session is said")

        return self.road.looker.word(said.user) if said.user else user

    # --- the same of WSGI

    def respond(self, status, fields):
        """Take the start of a response; return whether it is the last message."""
        if self.whole is not None or self.is_leaving or self.is_committed:
            return self.full().respond(status, fields)
        if self.status is not None or not PyLong_CheckExact(status):
            return self.full().respond(status, fields)
        declares = None
        for name, value in fields:
            if declares is None and name == CONTENT_LENGTH:
                declares = length_of(value)
        if self.is_leaving:
            return self.full().respond(status, fields)

        return self.responds(status, declares)

    cdef bint responds(self, status, declares) except -1:
        self.status, self.declares = status, declares

        return status in (204, 304) or self.method == b"HEAD" or declares == 0

    def send(self, length, *, more, estimated=False):
        """Take a chunk of a response, or the whole."""
        if not estimated and self.passed_on(length, more):
            return ()

        return self.full().send(length, more=more, estimated=estimated)

    cdef bint passed_on(self, length, bint more) except -1:
        if self.whole is not None or self.is_leaving:
            return False
        try:
            return self.pass_on(length, more)
        except Exception:  # who takes the closer look tells what it is
            return False

    def commit(self):
        """Keep the record before its last message is handed over."""
        return () if self.commits() else self.full().commit()

    cdef bint commits(self) except -1:
        if self.whole is not None or self.is_leaving:
            return False
        if self.is_committed:
            return True
        try:
            return self.status is not None and self.keep(
                self.status, self.declares, self.sent
            )
        except Exception:  # as above
            return False

    # --- the end

    def taken(self):
        """Note that the server took the last message."""
        self.was_taken()

    cdef bint was_taken(self) except -1:
        if self.whole is not None or self.is_leaving:
            self.full().taken()
        elif self.is_committed and not self.is_sent:
            self.hand_over("taken")

        return True

    def handed_over(self):
        """Note that the server has the last message; what becomes of it nobody says."""
        self.was_handed_over()

    cdef bint was_handed_over(self) except -1:
        if self.whole is not None or self.is_leaving:
            self.full().handed_over()
        elif self.is_committed and not self.is_sent:
            self.hand_over("unknown")

        return True

    cdef bint hand_over(self, str delivery) except -1:
        entry = new_entry(Entry)
        entry.draft, entry.spills, entry.slot = self.drafted(), (), self.slot
        entry.delivery, entry.seq = delivery, 0
        entry.since = audit_mw_steady() / 1e9
        queue, memory = self.keeper.queue, self.block.memory
        if self.is_sent or self.is_leaving:
            return False
        # In one go: what a signal raises comes before all of it, or behind.
        if memory is not None:
            mark(memory, self.state_at, S_DONE)
        queue.append(entry)
        self.is_sent = True
        if self.keeper.is_asleep:
            self.keeper.wake()

        return True

    def end(self):
        """Record what is not recorded yet: the exchange is over."""
        self.ended()

    cdef bint ended(self) except -1:
        if self.whole is None and not self.is_leaving and self.is_committed:
            if not self.is_sent:
                self.hand_over("unknown")
        else:
            self.full().end()

        return True

    def undelivered(self, error):
        """Note that the server raised `error` and took nothing."""
        if not self.is_sent or self.whole is not None:
            self.full().undelivered(error)

    # --- what it is, and what it becomes

    @property
    def opening(self):
        """What to wait for before the application is called."""
        return ()

    @property
    def refused(self):
        """Why the record failed, if it did."""
        return self.why_refused()

    cdef object why_refused(self):
        return None if self.whole is None else self.whole.refused

    @property
    def event(self):
        """The event id."""
        return self.event_text.decode()

    @property
    def committed(self):
        """Whether the record is in the journal."""
        return self.has_committed()

    cdef bint has_committed(self) except -1:
        return self.is_committed if self.whole is None else self.whole.committed

    @property
    def is_kept(self):
        """Whether it was in the journal before the whole recorder took over."""
        return self.is_committed

    @property
    def draft(self):
        """The line that is kept; None before."""
        return self.drafted()

    cdef object drafted(self):
        cdef bytes before, after
        cdef const char *at
        cdef Py_ssize_t size
        if self.kept is None:
            return None
        at = PyBytes_AS_STRING(self.kept) + VERSION_HEAD + 7
        size = PyBytes_GET_SIZE(self.kept) - VERSION_HEAD - 7
        before = PyBytes_FromStringAndSize(at, BEFORE)
        after = PyBytes_FromStringAndSize(at + BEFORE, size - BEFORE)

        return new_tuple(Draft, ("request", before, after, self.instance))

    @property
    def short(self):
        """What the head yields, as the road in Python has it."""
        opening, details = self.found_details

        return OrdinaryHead(
            client=self.client,
            session=self.session,
            method=self.method_word,
            path=self.path,
            peer=self.road.looker.ordinary.peer(self.peer),
            params=self.params,
            apart=(self.query_coded, self.behind),
            names=(self.query_names, self.cookie_names),
            number=self.number,
            has_credentials=self.has_credentials,
            body=0 if self.body is None else len(self.body),
            declared=self.declared,
            media=self.media,
            opening=opening,
            details=details,
        )

    def head(self):
        """Return the head, as the edge in Python has it."""
        if self.fields is None:
            self.fields = fields_of(self.lines)

        return RequestHead(
            self.method,
            self.raw_path,
            self.query,
            self.fields,
            "request",
            self.scheme,
            self.http_version,
            self.peer,
            None,
            self.joined,
            False,
            NO_TLS,
        )

    def vouching(self):
        """Return what tells whom the edge vouches for, as frameworks have changed it."""
        # It must not hold the recorder: the whole one is held by that, and holds this.
        vouch, scope, changes = self.road.vouch, self.scope, self.changes or ()

        def asked():
            found = vouch(scope)
            for change in changes:
                found = change(found)

            return found

        return asked

    def vouch_by(self, change):
        """Let what the edge vouches for be changed, at the moment when it is asked."""
        if self.whole is not None or self.is_leaving:
            self.full().vouch_by(change)
            return
        self.changes = (*(self.changes or ()), change)

    @property
    def is_vouched(self):
        """Whether an integration vouches."""
        return self.changes is not None if self.whole is None else self.whole.is_vouched

    @property
    def said(self):
        """What the application said of it so far."""
        if self.whole is not None or self.is_leaving:
            return self.full().said
        if self.spoken is None:
            said = Said()
            # Threads may meet here, and all must have the same one.
            if self.spoken is None:
                self.spoken = said

        return self.spoken

    def __getattr__(self, name):
        return getattr(self.full(), name)

    cdef object full(self):
        """Return the whole recorder; from here on nothing is done in this one."""
        self.is_leaving = True
        if self.gathered is not None and self.body is None:
            self.body = bytes(self.gathered)
        if self.whole is None:
            made = self.road.resume(self)
            # Threads may meet here, and all must have the same one.
            if self.whole is None:
                self.whole = made

        return self.whole


cdef tuple fields_of(list lines):
    cdef Py_ssize_t place

    return tuple([
        ((<Key>lines[place]).name, PyUnicode_AsLatin1String(lines[place + 1]))
        for place in range(0, len(lines), 2)
    ])


# --- the tees of ASGI


cdef enum:
    NEW, PASSING_ON, GOING_ROUND, OVER


cdef class Receiving:
    """`receive` of an ordinary request, teed, as `asgi_tees.Receiving` has it."""

    cdef ShortRecorder recorder
    cdef object from_server

    def __init__(self):
        raise TypeError("a ShortRoad makes it")

    def __call__(self):
        """Receive, and tell."""
        cdef Passage passage = Passage.__new__(Passage)
        passage.receiving = self

        return passage

    def __getattr__(self, name):
        return marked(self.recorder.road, name)


cdef class Sending:
    """`send` of an ordinary request, teed, as `asgi_tees.Sending` has it."""

    cdef readonly ShortRecorder recorder
    cdef readonly Receiving receiving
    cdef object to_server
    cdef bint has_started

    def __init__(self):
        raise TypeError("a ShortRoad makes it")

    def __call__(self, message):
        """Send, and tell."""
        cdef Passage passage = Passage.__new__(Passage)
        passage.sending, passage.message = self, message

        return passage

    def refuse(self):
        """Answer 503, if nothing was sent yet."""
        return self.recorder.road.refuse_unless(self.has_started, self.to_server)

    def __getattr__(self, name):
        return marked(self.recorder.road, name)


cdef object marked(ShortRoad road, name):
    # Who asks whether it is a coroutine function is to find that it is.
    if road.marks is None or name not in road.marks:
        raise AttributeError(name)

    return road.marks[name]


@cython.auto_pickle(False)  # a copy that is dropped would close what both await
cdef class Passage:
    """One message that passes: what a coroutine of a tee does, to who awaits it."""

    cdef object __weakref__
    cdef Sending sending
    cdef Receiving receiving
    cdef object message, yielded, inner
    cdef int state
    cdef bint is_running

    def __init__(self):
        raise TypeError("a tee makes it")

    def __await__(self):
        if self.state == PASSING_ON or self.state == GOING_ROUND:
            raise RuntimeError("coroutine is being awaited already")
        return self

    def __iter__(self):
        return self

    def __next__(self):
        if self.goes_on(None, None):
            return self.yielded
        if self.message is None:
            raise StopIteration
        raise StopIteration(self.message)

    def send(self, value):
        """Go on with what is sent."""
        if self.state == NEW and value is not None:
            raise TypeError("can't send non-None value to a just-started coroutine")
        return self.result(self.goes_on(value, None))

    def throw(self, what, *more):
        """Go on with what is raised."""
        if self.state == NEW and not self.is_running:
            # What was never begun is over with it, and tells nothing. How it is raised
            # depends on the version of Python, so a coroutine of that does it.
            self.state = OVER
            return self.road().awaiting(None).throw(what, *more)

        return self.result(self.goes_on(None, (what, *more)))

    cdef object result(self, bint has_yielded):
        if has_yielded:
            return self.yielded
        if self.message is None:
            raise StopIteration
        raise StopIteration(self.message)

    def close(self):
        """End it, wherever it is."""
        if self.state == OVER:
            return
        if self.state == NEW:
            self.state = OVER
            return
        try:
            self.throw(GeneratorExit())
        except (GeneratorExit, StopIteration):
            return
        raise RuntimeError("coroutine ignored GeneratorExit")

    def __del__(self):
        if self.state == NEW:
            name = "send" if self.receiving is None else "receive"
            warnings.warn(f"coroutine {name!r} was never awaited", RuntimeWarning)
        elif self.state != OVER:
            self.close()

    cdef ShortRoad road(self):
        return (
            self.sending.recorder if self.receiving is None else self.receiving.recorder
        ).road

    cdef bint goes_on(self, value, tuple what) except -1:
        """Run on, or with what is raised; tell whether it yields, or is through."""
        if self.is_running:
            raise ValueError("coroutine already executing")
        if self.state == OVER:
            raise RuntimeError("cannot reuse already awaited coroutine")
        self.is_running = True
        try:
            return self.runs_on(value) if what is None else self.runs_into(what)
        except StopIteration as error:
            # Who awaits would take it for the result (PEP 479).
            raise RuntimeError("coroutine raised StopIteration") from error
        finally:
            self.is_running = False

    cdef bint runs_on(self, value) except -1:
        cdef PyObject *found = NULL
        cdef PySendResult how
        while True:
            try:
                if self.state == NEW:
                    self.begin()
                how = PyIter_Send(self.inner, value, &found)
            except BaseException as error:
                self.failed(error)
                raise
            said = <object>found
            Py_DECREF(said)
            if how == PYGEN_NEXT:
                self.yielded = said
                return True
            if self.receiving is not None:
                self.message = said
            if not self.is_through():
                return False
            value = None

    cdef bint runs_into(self, tuple what) except -1:
        try:
            if is_exit(what):
                # What is awaited is closed; and whatever it makes of that, this ends.
                self.inner.close()
                self.inner = self.road().awaiting(None)
            self.yielded = self.inner.throw(*what)
            return True
        except StopIteration as end:
            found = end.value
        except BaseException as error:
            self.failed(error)
            raise
        self.message = self.message if self.receiving is None else found

        return self.is_through() and self.runs_on(None)

    cdef bint begin(self) except -1:
        cdef ShortRoad road = self.road()
        cdef Sending sending = self.sending
        if sending is None:
            self.state = PASSING_ON
            awaited = self.receiving.from_server()
        elif sending.recorder.tell(self.message):
            self.state = PASSING_ON
            awaited = sending.to_server(
                self.message
                if road.event_header is None
                else with_event(self.message, road.event_header, sending.recorder)
            )
        else:
            self.state = GOING_ROUND
            awaited = road.pass_on(
                sending.recorder, sending.to_server, self.message, road.event_header
            )
        self.inner = awaited if PyCoro_CheckExact(awaited) else road.awaiting(awaited)

        return True

    cdef bint is_through(self) except -1:
        """Tell of what has passed; return whether there is more to be waited for."""
        cdef int state = self.state
        self.state = OVER
        if self.receiving is not None:
            return state == PASSING_ON and self.has_received()
        if state == PASSING_ON:
            self.sending.recorder.was_taken()
        if not self.sending.has_started:
            self.sending.has_started = self.message["type"] == "http.response.start"
        self.message = None

        return False

    cdef bint has_received(self) except -1:
        cdef ShortRecorder recorder = self.receiving.recorder
        cdef dict message
        steps = None
        if PyDict_CheckExact(self.message):
            message = <dict>self.message
            body, more = message.get("body"), message.get("more_body")
            if message.get("type") == "http.request" and PyBytes_CheckExact(body):
                steps = recorder.read(body, ended=not more)
        if steps is None:
            steps = recorder.road.received(recorder, self.message)
        if not steps:
            return False
        self.inner = recorder.road.keep_first(steps, self.message)
        self.state = GOING_ROUND

        return True

    cdef object failed(self, error):
        cdef int state = self.state
        self.state = OVER
        if state == PASSING_ON and self.receiving is None:
            self.sending.recorder.undelivered(error)


cdef bint is_exit(tuple what) except -1:
    cdef object raised = what[0]
    if isinstance(raised, type):
        return issubclass(raised, GeneratorExit)

    return isinstance(raised, GeneratorExit)


cdef dict with_event(dict message, bytes name, ShortRecorder recorder):
    # A copy: message and list may be the application's constants.
    if message["type"] != "http.response.start":
        return message

    return message | {"headers": [*message["headers"], (name, recorder.event_text)]}


# --- the tees of WSGI


cdef object RUNNING = CURRENT
cdef enum:
    NOTHING_SAID = -1
    LENGTH_OF_NAME = 14  # of "content-length"


cdef object enter(current):
    return PyContextVar_Set(RUNNING, current)


cdef bint leave(before) except -1:
    try:
        PyContextVar_Reset(RUNNING, before)
    except ValueError:
        # What is served was begun in another context, and that is not ours to change.
        PyContextVar_Set(RUNNING, None)

    return True


cdef class Response:
    """What becomes of an ordinary request, as `wsgi_response.Response` has it."""

    cdef ShortRecorder recorder
    cdef object current, environ, start_response
    cdef Input input
    cdef bint is_bodiless

    def __init__(self):
        raise TypeError("a ShortRoad makes it")

    def serve(self, app):
        """Call the application; return what goes to the server."""
        cdef ShortRecorder recorder = self.recorder
        self.current = Current(recorder, recorder.road.types)
        self.tee_input()
        before = enter(self.current)
        try:
            result = app(self.environ, self.start)
        except BaseException as error:
            refused = recorder.why_refused()
            if refused is not None and error is refused:
                return self.refuse(refused)
            recorder.road.tees.end(recorder, error)
            self.end()
            raise
        finally:
            leave(before)

        return self.returned(result)

    cdef bint tee_input(self) except -1:
        cdef dict environ = <dict>self.environ
        cdef PyObject *stream = PyDict_GetItemWithError(environ, "wsgi.input")
        cdef Input tee
        if stream is NULL:
            return False
        tee = Input.__new__(Input)
        tee.stream, tee.recorder = <object>stream, self.recorder
        tee.road = self.recorder.road
        environ["wsgi.input"] = self.input = tee

        return True

    def start(self, status, headers, *more, **named):
        """Take the application's `start_response`."""
        cdef ShortRecorder recorder = self.recorder
        cdef ShortRoad road = recorder.road
        cdef Write tee
        refused = recorder.why_refused()
        if refused is not None:
            raise refused
        sent = headers
        if road.event_name is not None:
            sent = [*headers, (road.event_name, recorder.event)]
        if more or named:
            write = self.start_response(status, sent, *more, **named)
        else:
            write = self.start_response(status, sent)
        self.respond(status, headers)
        tee = Write.__new__(Write)
        tee.response, tee.write = self, write

        return tee

    cdef bint respond(self, status, headers) except -1:
        # WSGI holds a start back until there is a body, so it is no last message yet.
        cdef ShortRecorder recorder = self.recorder
        cdef long long declares = NOTHING_SAID
        cdef int code = code_of(status)
        cdef bint is_first = recorder.whole is None and recorder.status is None
        if recorder.is_leaving or recorder.is_committed:
            is_first = False
        if is_first and code >= 0 and find_length(headers, &declares):
            length = None if declares == NOTHING_SAID else declares
            self.is_bodiless = recorder.responds(code, length)
            return True
        tees = recorder.road.tees
        self.is_bodiless = recorder.respond(tees.code(status), tees.fields_of(headers))

        return True

    cdef bint passing(self, chunk) except -1:
        """Tell of a chunk before it passes."""
        cdef ShortRecorder recorder = self.recorder
        if self.is_bodiless and not recorder.has_committed():
            if not recorder.commits():
                recorder.road.tees.wait(recorder, recorder.commit())
            return True
        size = (
            PyBytes_GET_SIZE(chunk)
            if PyBytes_CheckExact(chunk)
            else recorder.road.tees.size((chunk,))
        )
        if not recorder.passed_on(size, True):
            recorder.road.tees.wait(recorder, recorder.send(size, more=True))

        return True

    cdef object returned(self, result):
        """Return what goes to the server in the place of `result`."""
        cdef Tee tee
        tees = self.recorder.road.tees
        if isinstance(result, (list, tuple)) and (
            PyList_CheckExact(result)
            or PyTuple_CheckExact(result)
            or tees.is_plain(result)
        ):
            return self.whole(result, size_of(tees, result), False)
        if self.is_file(result):
            return self.whole(result, tees.file_size(result), True)
        tee = SizedTee.__new__(SizedTee) if has_length(result) else Tee.__new__(Tee)
        tee.result, tee.response = result, self
        if self.is_bodiless and tees.answers_head_alone(self.environ):
            return self.whole(tee, 0, False)

        return tee

    cdef bint is_file(self, result) except -1:
        wrapper = found_in(<dict>self.environ, "wsgi.file_wrapper")
        if isinstance(wrapper, type):
            return isinstance(result, wrapper)

        return wrapper is not None and self.recorder.road.tees.is_file(
            result, self.environ
        )

    cdef object whole(self, result, length, bint estimated):
        cdef ShortRecorder recorder = self.recorder
        tees = recorder.road.tees
        try:
            if self.is_bodiless:
                if not recorder.commits():
                    tees.wait(recorder, recorder.commit())
            elif estimated or not recorder.passed_on(length, False):
                steps = recorder.send(length, more=False, estimated=estimated)
                tees.wait(recorder, steps)
        except AuditUnavailable as error:
            tees.close(result)
            return self.refuse(error)
        recorder.was_handed_over()
        self.end()

        return result

    cdef bint end(self) except -1:
        """Note that the application is through with the request."""
        self.current.end()
        if self.input is not None:
            self.input.let_go()

        return True

    cdef object refuse(self, error):
        """Take the start back, if nothing was sent yet; else the server raises."""
        self.end()
        exc_info = (type(error), error, error.__traceback__)

        return self.recorder.road.tees.refuse(
            self.environ, self.start_response, exc_info
        )


cdef class Write:
    """The `write` of one start, teed."""

    cdef Response response
    cdef object write

    def __init__(self):
        raise TypeError("a Response makes it")

    def __call__(self, chunk):
        """Tell, and write."""
        cdef Response response = self.response
        response.passing(chunk)
        try:
            result = self.write(chunk)
        except BaseException as error:
            response.recorder.undelivered(error)
            raise
        response.recorder.was_taken()

        return result


cdef class Tee:
    """An iterable that tells what passes; closed once, with what it is around."""

    cdef object __weakref__
    cdef object result, iterator, refusal
    cdef Response response
    cdef bint is_closed, has_ended

    def __init__(self):
        raise TypeError("a Response makes it")

    def __iter__(self):
        return self

    def __next__(self):
        cdef ShortRecorder recorder = self.response.recorder
        if self.refusal is not None:
            return next(self.refusal)
        recorder.was_taken()  # who asks for more took what it was given
        chunk = self.pull()
        try:
            if chunk is not END:
                self.response.passing(chunk)
                return chunk
            if not recorder.passed_on(0, False):
                recorder.road.tees.wait(recorder, recorder.send(0, more=False))
        except AuditUnavailable as error:
            self.refusal = iter(self.response.refuse(error))
            return next(self.refusal)
        self.has_ended = True
        raise StopIteration

    cdef object pull(self):
        cdef ShortRecorder recorder = self.response.recorder
        cdef PyObject *found
        before = enter(self.response.current)
        try:
            if self.iterator is None:
                self.iterator = iter(self.result)
            found = PyIter_Next(self.iterator)
            if found is NULL:
                return END
            chunk = <object>found
            Py_DECREF(chunk)
            return chunk
        except BaseException as error:
            if error is recorder.why_refused():
                return END  # to be told, which raises it again
            recorder.road.tees.end(recorder, error)
            raise
        finally:
            leave(before)

    def close(self):
        """Close the application's iterable; what is not recorded yet is cut short."""
        cdef ShortRecorder recorder = self.response.recorder
        if self.is_closed:
            return
        self.is_closed = True
        if self.has_ended:
            recorder.was_taken()
        before = enter(self.response.current)
        try:
            close = getattr(self.result, "close", None)
            if close is not None:
                close()
        except BaseException as error:
            self.abandon()
            recorder.road.tees.end(recorder, error)
            raise
        finally:
            leave(before)
            self.response.end()
        self.abandon()
        recorder.ended()

    cdef bint abandon(self) except -1:
        # The server closes early when the client is gone.
        cdef ShortRecorder recorder = self.response.recorder
        if not recorder.has_committed() and recorder.why_refused() is None:
            recorder.exchange.gone()

        return True

    def __del__(self):
        # A server that forgets close() must not cost the record.
        try:
            if not self.is_closed:
                self.abandon()
                self.response.recorder.ended()
                self.response.end()
        except Exception:
            pass


cdef class SizedTee(Tee):
    """Around a sequence that is no list: servers take Content-Length from `len`."""

    def __len__(self):
        return len(self.result)


cdef class Input:
    """`wsgi.input`, teed: what is read at once here, all else by a `TeeInput`."""

    cdef object __weakref__
    cdef dict __dict__
    cdef ShortRoad road
    cdef ShortRecorder recorder
    cdef object stream, whole
    cdef long long told

    def __init__(self):
        raise TypeError("a Response makes it")

    cdef bint let_go(self) except -1:
        self.recorder = None
        if self.whole is not None:
            self.whole.let_go()

        return True

    def read(self, *size):
        """Read as the stream does."""
        cdef bint is_whole = not size, may_end = True
        if self.whole is not None or not is_size(size):
            return self.full().read(*size)
        if size and size[0] is not None:
            is_whole, may_end = size[0] < 0, size[0] != 0
        try:
            chunk = self.stream.read(*size)
        except BaseException as error:
            if self.recorder is not None:
                self.road.note_leaving(self.recorder, error)
            raise
        if size and size[0] is None:
            is_whole = True
        if chunk is not None:  # a raw stream that has nothing yet
            self.tell(chunk, is_whole or (may_end and not chunk))

        return chunk

    cdef bint tell(self, chunk, bint ended) except -1:
        cdef ShortRecorder recorder = self.recorder
        if recorder is None:
            return False
        if self.whole is not None or not PyBytes_CheckExact(chunk):
            # Who reads in the meantime may be another thread.
            self.full()._tell(chunk, ended=ended)
            return True
        self.told += PyBytes_GET_SIZE(chunk)
        steps = recorder.take(<bytes>chunk, ended)
        if steps:
            self.road.told(steps)

        return True

    def readline(self, *size):
        """Read a line as the stream does."""
        return self.full().readline(*size)

    def readlines(self, *hint):
        """Read lines as the stream does."""
        return self.full().readlines(*hint)

    def __iter__(self):
        whole = self.full()
        lines = iter(whole)

        return self if lines is whole else lines

    def __next__(self):
        return next(self.full())

    def __getattr__(self, name):
        return getattr(self.full(), name)

    cdef object full(self):
        if self.whole is None:
            made = self.road.tee_input(self.stream, self.recorder, self.told)
            # Threads may meet here, and all must have the same one.
            if self.whole is None:
                self.whole = made

        return self.whole


cdef bint is_size(tuple size) except -1:
    # What else a stream may take for a size, the road in Python asks.
    return not size or (
        len(size) == 1 and (size[0] is None or PyLong_CheckExact(size[0]))
    )


cdef object size_of(tees, result):
    cdef Py_ssize_t size = 0
    for chunk in result:
        if not PyBytes_CheckExact(chunk):
            return tees.size(result)
        size += PyBytes_GET_SIZE(chunk)

    return size


cdef int code_of(status) except -2:
    """Return the number of a status; -1 where it takes a closer look."""
    cdef Py_UCS4 digit
    cdef int code = 0, place
    if not PyUnicode_CheckExact(status) or len(<str>status) < 3:
        return -1
    for place in range(3):
        digit = (<str>status)[place]
        if not 48 <= <int>digit <= 57:
            return -1
        code = 10 * code + (<int>digit - 48)

    return code


cdef bint find_length(headers, long long *declares) except -1:
    """Find what the first Content-Length says; False where it takes a closer look."""
    cdef Py_UCS4 digit
    cdef long long length
    if not PyList_CheckExact(headers):
        return False
    for pair in <list>headers:
        if not PyTuple_CheckExact(pair) or len(<tuple>pair) != 2:
            return False
        name, value = <tuple>pair
        if not PyUnicode_CheckExact(name) or not PyUnicode_CheckExact(value):
            return False
        if len(<str>name) != LENGTH_OF_NAME or declares[0] != NOTHING_SAID:
            continue
        if (<str>name).lower() != "content-length":
            continue
        if not 0 < len(<str>value) <= MOST_DIGITS:
            return False
        length = 0
        for digit in <str>value:
            if not 48 <= <int>digit <= 57:
                return False
            length = 10 * length + (<int>digit - 48)
        declares[0] = length

    return True


cdef class Cells:
    """The columns that a head does not settle."""

    cdef bytes outcome, user, session, action


cdef inline char *put_cell(char *at, bytes cell) noexcept:
    at = put_bytes(at, cell)
    at[0] = b"\t"

    return at + 1


cdef object length_of(bytes value):
    text = value.strip()

    return int(text) if text.isdigit() and len(text) <= MOST_DIGITS else None
