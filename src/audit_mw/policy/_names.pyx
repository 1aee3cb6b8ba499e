# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False
#
# The class that a name of ASCII announces, compiled: a hostile document has a hundred
# thousand names, each of which is asked for. `names` has the same in Python, for all
# names; it decides which tables there are, and a property test compares the two.
from cpython.bytes cimport (
    PyBytes_AS_STRING,
    PyBytes_FromStringAndSize,
    PyBytes_GET_SIZE,
)
from libc.stdint cimport uint8_t, uint16_t, uint32_t
from libc.string cimport memcmp, memset

__all__ = ["Names"]

cdef enum:
    LONGEST = 512  # bytes of a name: longer ones are left to `names`
    STEMS = 64     # bytes of a stem, more than any has

# What a word is known for.
cdef enum:
    IS_ORDINARY = 1
    IS_STATE = 2
    IS_QUESTION = 4
    IS_PASSWORD = 8
    IS_TOKEN = 16
    DESCRIBES = 32


cdef struct Word:
    Py_ssize_t at, size
    int known


cdef inline int kind_of(uint8_t byte) noexcept:
    """0: it parts words; 1: a digit; 2: a small letter; 3: a capital."""
    if 48 <= byte <= 57:
        return 1
    if 97 <= byte <= 122:
        return 2

    return 3 if 65 <= byte <= 90 else 0


cdef class Names:
    """
    Tells the class of names.

    Args:
        stems: what announces a class wherever it stands, class by class; of what has
            stems of several classes, the first counts. Those of the user come first.
        own: how many of these classes are the user's own.
        exempt: names, joined, that announce nothing.
        words: sets of words, in the order of `IS_ORDINARY` and so on.
        endings: of words, that announce a password, and a token.
        joined: endings of all of a name that announce a password, and a card.
        classes: what to call a password, a token and a card.
    """

    cdef list stems          # sorted
    cdef list classes_of     # of these, as bits
    cdef uint16_t first[65536]
    cdef list classes
    cdef uint32_t own
    cdef frozenset exempt
    cdef dict words
    cdef tuple password_endings, token_endings, password_joined, card_joined
    cdef object password, token, card

    def __init__(self, stems, own, exempt, words, endings, joined, classes):
        found = {}
        self.classes = [cls for cls, _ in stems]
        for place, (_, each) in enumerate(stems):
            for stem in each:
                if stem.isascii():
                    found[stem.encode()] = found.get(stem.encode(), 0) | 1 << place
        if any(not 1 < len(stem) < STEMS for stem in found):
            raise ValueError("a stem is too short or too long for this")
        self.stems = sorted(found)
        self.classes_of = [found[stem] for stem in self.stems]
        self.own = (1 << <int>own) - 1
        memset(self.first, 0, sizeof(self.first))
        for place, stem in enumerate(self.stems):
            pair = stem[0] << 8 | stem[1]
            self.first[pair] = self.first[pair] or place + 1
        self.exempt = frozenset(it.encode() for it in exempt if it.isascii())
        self.words = {}
        for place, each in enumerate(words):
            for word in filter(str.isascii, each):
                self.words[word.encode()] = self.words.get(word.encode(), 0) | 1 << place
        self.password_endings, self.token_endings = (
            tuple(it.encode() for it in each if it.isascii()) for each in endings
        )
        self.password_joined, self.card_joined = (
            tuple(it.encode() for it in each) for each in joined
        )
        self.password, self.token, self.card = classes

    def look(self, bytes name not None):
        """Return the class of a name, or None; `...` where that must be asked elsewhere."""
        cdef const uint8_t *sent = <const uint8_t *>PyBytes_AS_STRING(name)
        cdef Py_ssize_t length = PyBytes_GET_SIZE(name), at, size = 0, kept = 0
        cdef uint8_t joined[LONGEST]
        cdef Word words[LONGEST]
        cdef int count = 0, left = 0, kind, before = 0, after, place, all_known = 0
        cdef uint32_t found
        if length > LONGEST:
            return ...
        for at in range(length):
            if sent[at] >= 0x80:
                return ...
            kind = kind_of(sent[at])
            if not kind:
                before = 0
                continue
            if kind == 3:
                after = kind_of(sent[at + 1]) if at + 1 < length else 0
                if before != 3 or after == 2:
                    before = 0  # camelCase, and HTTPServer
            elif kind == 2 and before == 3:
                before = 2
            if kind != before:
                words[count].at, words[count].size = size, 0
                count += 1
            words[count - 1].size += 1
            joined[size] = sent[at] | 0x20 if kind > 1 else sent[at]
            size += 1
            before = kind
        if is_among(self.exempt, joined, size):
            return None
        if self.own:
            found = self.stems_in(joined, size) & self.own
            if found:
                return self.first_of(found)
        if not count:
            return None
        for place in range(count):
            words[place].known = self.known(joined + words[place].at, words[place].size)
            all_known |= words[place].known
        if words[count - 1].known & IS_STATE or words[0].known & IS_QUESTION:
            return None
        if all_known & IS_ORDINARY:
            for place in range(count):
                if words[place].known & IS_ORDINARY:
                    continue
                for at in range(words[place].size):
                    joined[kept + at] = joined[words[place].at + at]
                words[left] = words[place]
                words[left].at = kept
                kept += words[place].size
                left += 1
            count, size = left, kept
            if not count:
                return None
        found = self.stems_in(joined, size) & ~self.own
        if found:
            return self.first_of(found)

        return self.by_word(joined, size, words, count)

    cdef object by_word(
        self, const uint8_t *joined, Py_ssize_t size, const Word *words, int count
    ):
        cdef int place, known = 0
        for place in range(count):
            known |= words[place].known
        if known & IS_PASSWORD or any_ends(joined, words, count, self.password_endings):
            return self.password
        if ends_with(joined, size, self.password_joined):
            return self.password
        if ends_with(joined, size, self.card_joined):
            return self.card
        if known & IS_TOKEN or any_ends(joined, words, count, self.token_endings):
            return None if words[count - 1].known & DESCRIBES else self.token
        if size >= 4 and not memcmp(joined, b"sess", 4):
            return self.token

        return self.token if size >= 5 and not memcmp(joined, b"ssess", 5) else None

    cdef int known(self, const uint8_t *word, Py_ssize_t size) except -1:
        found = self.words.get(PyBytes_FromStringAndSize(<const char *>word, size))

        return 0 if found is None else found

    cdef uint32_t stems_in(self, const uint8_t *joined, Py_ssize_t size) except? 0xFFFFFFFF:
        cdef Py_ssize_t at, place, most = len(self.stems)
        cdef bytes stem
        cdef const uint8_t *text
        cdef uint32_t found = 0
        for at in range(size - 1):
            place = self.first[joined[at] << 8 | joined[at + 1]]
            while 0 < place <= most:
                stem = <bytes>self.stems[place - 1]
                text = <const uint8_t *>PyBytes_AS_STRING(stem)
                if text[0] != joined[at] or text[1] != joined[at + 1]:
                    break
                if PyBytes_GET_SIZE(stem) <= size - at and not memcmp(
                    text, joined + at, PyBytes_GET_SIZE(stem)
                ):
                    found |= <uint32_t>self.classes_of[place - 1]
                place += 1

        return found

    cdef object first_of(self, uint32_t found):
        cdef int place = 0
        while not found >> place & 1:
            place += 1

        return self.classes[place]


cdef inline bint is_among(frozenset names, const uint8_t *joined, Py_ssize_t size) except -1:
    return PyBytes_FromStringAndSize(<const char *>joined, size) in names


cdef bint ends_with(const uint8_t *text, Py_ssize_t size, tuple endings):
    cdef Py_ssize_t length
    for ending in endings:
        length = PyBytes_GET_SIZE(<bytes>ending)
        if length <= size and not memcmp(
            text + size - length, PyBytes_AS_STRING(<bytes>ending), length
        ):
            return True

    return False


cdef bint any_ends(
    const uint8_t *joined, const Word *words, int count, tuple endings
):
    cdef int place
    for place in range(count):
        if ends_with(joined + words[place].at, words[place].size, endings):
            return True

    return False
