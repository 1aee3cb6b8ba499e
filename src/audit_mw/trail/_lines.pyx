# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False
#
# What the writer does for each record, compiled: the number, the line, the slot given
# back; and what a reader does for each line that it passes over. `lines` and `whole`
# have the same in Python, and property tests compare the two.
from cpython.buffer cimport PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport (
    PyBytes_AS_STRING,
    PyBytes_FromStringAndSize,
    PyBytes_GET_SIZE,
)
from libc.stdint cimport uint8_t, uint64_t
from libc.string cimport memchr, memcmp, memcpy

from xxhash import xxh3_64_intdigest

from audit_mw.trail.params import PENDING
from audit_mw.trail.slots import FREE, HALF

__all__ = [
    "count_whole",
    "finish_lines",
    "free_slots",
    "number_entries",
    "take_entries",
]

cdef extern from "Python.h":
    const char *PyUnicode_AsUTF8AndSize(object, Py_ssize_t *) except NULL

cdef extern from *:
    """
    static void audit_mw_free(unsigned char *at, unsigned char state) {
        __atomic_store_n(at, state, __ATOMIC_RELEASE);
    }
    """
    void audit_mw_free(unsigned char *, unsigned char) nogil

cdef enum:
    CHECK = 16
    DIGITS = 20

cdef bytes MARK = PENDING
cdef uint8_t S_FREE = FREE, S_HALF = HALF
cdef const char *HEX = b"0123456789abcdef"


cdef inline char *put(char *at, const char *piece, Py_ssize_t size) noexcept:
    memcpy(at, piece, size)

    return at + size


def number_entries(list entries, unsigned long long first):
    """Give entries their numbers from `first` on, in the journal too."""
    cdef Py_buffer view
    cdef unsigned long long seq = first
    cdef int place
    cdef Py_ssize_t at
    for entry in entries:
        entry.seq = seq
        slot = entry.slot
        memory = None if slot is None else slot.block.memory
        if memory is not None:
            at = slot.meta
            PyObject_GetBuffer(memory, &view, PyBUF_WRITABLE)
            for place in range(8):
                (<uint8_t *>view.buf)[at + place] = <uint8_t>(seq >> (8 * place) & 0xFF)
            PyBuffer_Release(&view)
        seq += 1


def take_entries(queue, list entries, Py_ssize_t most, Py_ssize_t most_bytes):
    """Move what waits from a queue to the entries, until there are so many of them."""
    cdef Py_ssize_t size = 0
    pop = queue.popleft
    for entry in entries:
        size += PyBytes_GET_SIZE(after_of(entry.draft))
    while len(entries) < most and size < most_bytes:
        try:
            entry = pop()
        except IndexError:
            break
        entries.append(entry)
        size += PyBytes_GET_SIZE(after_of(entry.draft))


cdef inline bytes after_of(draft):
    return (<tuple>draft)[2]


def finish_lines(entries):
    """Return the lines of entries, as they are appended."""
    return b"".join([finish_line(entry) for entry in entries])


cdef bytes finish_line(entry):
    cdef bytes before, after, line, signed
    cdef char number[DIGITS + 1]
    cdef const char *delivery
    cdef const char *rest
    cdef const char *behind
    cdef Py_ssize_t digits, shown = 0, left, others, length
    cdef uint64_t check
    cdef char *to
    cdef int place
    draft = entry.draft
    before, after = (<tuple>draft)[1], (<tuple>draft)[2]
    rest = PyBytes_AS_STRING(after)
    behind = rest + PyBytes_GET_SIZE(after)
    delivery = NULL
    left = PyBytes_GET_SIZE(after)
    mark = found_at(rest, left)
    if mark is not NULL:
        delivery = PyUnicode_AsUTF8AndSize(entry.delivery, &shown)
        left += shown - PyBytes_GET_SIZE(MARK)
    digits = spell(number, entry.seq)
    # len counts its own digits, so a digit more can make it a byte longer.
    others = PyBytes_GET_SIZE(before) + digits + left + 5 + CHECK
    length = others + digits_of(others)
    length = others + digits_of(length)
    signed = PyBytes_FromStringAndSize(NULL, length - CHECK - 1)
    to = PyBytes_AS_STRING(signed)
    to += spell(to, length)
    to = put_tab(put(put_tab(to), PyBytes_AS_STRING(before), PyBytes_GET_SIZE(before)))
    to = put_tab(put(to, number, digits))
    if mark is not NULL:
        to = put(put(to, rest, mark - rest), delivery, shown)
        rest = mark + PyBytes_GET_SIZE(MARK)
    put_tab(put(to, rest, behind - rest))
    check = xxh3_64_intdigest(signed)
    line = PyBytes_FromStringAndSize(NULL, length)
    to = put(PyBytes_AS_STRING(line), PyBytes_AS_STRING(signed), length - CHECK - 1)
    for place in range(CHECK):
        to[place] = HEX[check >> (60 - 4 * place) & 15]
    to[CHECK] = b"\n"

    return line


cdef inline const char *found_at(const char *at, Py_ssize_t size) noexcept:
    """Return where the delivery is to stand; NULL: nowhere."""
    cdef Py_ssize_t marked = PyBytes_GET_SIZE(MARK)
    cdef const char *end = at + size - marked + 1
    while at < end:
        at = <const char *>memchr(at, MARK[0], end - at)
        if at is NULL or not memcmp(at, PyBytes_AS_STRING(MARK), marked):
            return at
        at += 1

    return NULL


cdef inline char *put_tab(char *at) noexcept:
    at[0] = b"\t"

    return at + 1


cdef Py_ssize_t spell(char *at, unsigned long long number) noexcept:
    cdef Py_ssize_t digits = digits_of(number), place
    for place in range(digits):
        at[digits - 1 - place] = <char>(48 + number % 10)
        number //= 10

    return digits


cdef int digits_of(unsigned long long number) noexcept:
    cdef int digits = 1
    while number > 9:
        number //= 10
        digits += 1

    return digits


def free_slots(entries, tuple blocks, small, large):
    """
    Mark the slots of entries as free, and give those of these blocks back.

    Args:
        blocks: of the journal; another's slots are not given back.
        small, large: where they are put.
    """
    cdef Py_buffer view
    cdef uint8_t *block
    cdef Py_ssize_t at
    give_small, give_large = small.append, large.append
    for entry in entries:
        slot = entry.slot
        if slot is None:
            continue
        home = slot.block
        memory = home.memory
        if memory is not None:
            at = slot.place
            PyObject_GetBuffer(memory, &view, PyBUF_WRITABLE)
            block = <uint8_t *>view.buf
            audit_mw_free(block + at, S_FREE | block[at] & S_HALF)
            PyBuffer_Release(&view)
        for each in blocks:
            if each is home:
                if slot.is_large:
                    give_large(slot)
                else:
                    give_small(slot)
                break


def count_whole(bytes text):
    """Return how many lines of a text are whole, up to the first that is not."""
    cdef const char *begin = PyBytes_AS_STRING(text)
    cdef const char *end = begin + PyBytes_GET_SIZE(text)
    cdef const char *at = begin
    cdef const char *behind
    cdef Py_ssize_t count = 0
    while at < end:
        behind = <const char *>memchr(at, b"\n", end - at)
        if behind is NULL or not is_whole(at, behind + 1 - at):
            break
        at = behind + 1
        count += 1

    return count, at - begin


cdef bint is_whole(const char *line, Py_ssize_t size) except -1:
    cdef char number[DIGITS + 1]
    cdef Py_ssize_t digits = spell(number, size)
    cdef const char *said
    cdef uint64_t check
    cdef int place
    number[digits] = b"\t"
    if size < digits + CHECK + 2 or memcmp(line, number, digits + 1):
        return False
    said = line + size - CHECK - 1
    check = xxh3_64_intdigest(PyBytes_FromStringAndSize(line, size - CHECK - 1))
    for place in range(CHECK):
        if said[place] != HEX[check >> (60 - 4 * place) & 15]:
            return False

    return True
