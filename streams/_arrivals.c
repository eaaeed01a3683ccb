/* Envelopes to items, items to arrivals, arrivals to rows: the Avro of schemas/codec.py, streams/rows/arrival.py and
   the usual case of streams/dedupe.py, compiled.

   Each function takes exactly what nearly all records hold, does with it what the Python does, and returns None for
   anything else: a broken datum, a statement that is refused, escapes in a name, a number with an exponent. The Python
   then does it again, and says what is wrong. tests/unit/test_compiled_arrivals.py compares the two. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <math.h>
#include <stdint.h>
#include <string.h>
#include <structmember.h>

#include "remembered.h"

#if PY_BIG_ENDIAN
#error "eight characters are looked at together, the first of them lowest"
#endif

typedef const unsigned char *At;

/* Words that come again and again: ids of students and providers, verbs, skills, activities. Sharing one object for
   each saves its making, and its hash is worked out once. */

#define WORDS 16384
#define LONGEST_WORD 96

static struct {
    uint64_t hash;
    PyObject *word;
} words[WORDS];

static inline uint64_t load(At from, size_t size) {
    uint64_t value = 0;
    memcpy(&value, from, size);
    return value;
}

static inline uint64_t hash_of(At text, size_t size) {
    uint64_t hash = size * 0x9E3779B97F4A7C15u;
    while (size >= 8) {
        hash = (hash ^ load(text, 8)) * 0xD6E8FEB86659FD93u;
        hash ^= hash >> 32;
        text += 8;
        size -= 8;
    }
    hash = (hash ^ load(text, size)) * 0xD6E8FEB86659FD93u;
    return hash ^ hash >> 29;
}

static PyObject *new_text(At text, Py_ssize_t size) { return PyUnicode_DecodeUTF8((const char *)text, size, NULL); }

static PyObject *shared_text(At text, Py_ssize_t size) {
    if (size > LONGEST_WORD)
        return new_text(text, size);
    uint64_t hash = hash_of(text, (size_t)size);
    PyObject *known = words[hash % WORDS].word;
    if (known != NULL && words[hash % WORDS].hash == hash && PyUnicode_GET_LENGTH(known) == size &&
        memcmp(PyUnicode_1BYTE_DATA(known), text, (size_t)size) == 0) {
        Py_INCREF(known);
        return known;
    }
    PyObject *made = new_text(text, size);
    if (made != NULL && PyUnicode_IS_COMPACT_ASCII(made)) {
        words[hash % WORDS].hash = hash;
        Py_INCREF(made);
        words[hash % WORDS].word = made;
        Py_XDECREF(known);
    }
    return made;
}

/* What the module is told once by configure(). */

static PyObject *item_type, *envelope_type, *arrival_type, *verbs_with_outcome, *no_uuid, *duration_of;
static long long earliest, latest;

enum { STATEMENT_ID, STUDENT_ID, PROVIDER_ID, VERB, SKILLS, TIMESTAMP, STORED, DIGEST, FLAGS, STATEMENT, ITEM_FIELDS };
static const char *const item_fields[] = {"statement_id", "student_id", "provider_id", "verb", "skills", "timestamp",
                                          "stored", "digest", "flags", "statement"};
static Py_ssize_t item_places[ITEM_FIELDS];

enum { PARTITION, OFFSET, IDX, ITEM, ACTOR, VERB_IRI, ACTIVITY, REGISTRATION, OUTCOME, DURATION_MS, ARRIVAL_FIELDS };
static const char *const arrival_fields[] = {"partition", "offset", "idx", "item", "actor", "verb_iri", "activity",
                                             "registration", "outcome", "duration_ms"};
static Py_ssize_t arrival_places[ARRIVAL_FIELDS];

/* schemas/events.py */
enum { ID_GENERATED = 1, TIMESTAMP_GENERATED = 2, CREDIT = 4 };

/* Avro (avro.apache.org/docs/1.12.0/specification, binary encoding) */

typedef struct {
    At at, end;
} Input;

static int read_long(Input *in, long long *found) {
    uint64_t value = 0;
    for (int shift = 0; shift < 63 + 7; shift += 7) {
        if (in->at == in->end)
            return 0;
        uint64_t byte = *in->at++;
        if (shift == 63 && byte > 1)
            return 0;
        value |= (byte & 0x7F) << shift;
        if (byte < 0x80) {
            *found = (long long)(value >> 1 ^ (~(value & 1) + 1));
            return 1;
        }
    }
    return 0;
}

static int read_bytes(Input *in, At *text, long long *size) {
    if (!read_long(in, size) || *size < 0 || *size > in->end - in->at)
        return 0;
    *text = in->at;
    in->at += *size;
    return 1;
}

static PyObject *read_text(Input *in, int shared) {
    At text;
    long long size;
    if (!read_bytes(in, &text, &size))
        return NULL;
    return shared ? shared_text(text, (Py_ssize_t)size) : new_text(text, (Py_ssize_t)size);
}

static PyObject *read_number(Input *in) {
    long long value;
    return read_long(in, &value) ? PyLong_FromLongLong(value) : NULL;
}

static PyObject *read_skills(Input *in) {
    long long many;
    if (!read_long(in, &many) || many < 0 || many > in->end - in->at)
        return NULL;
    PyObject *skills = PyList_New((Py_ssize_t)many);
    if (skills == NULL || many == 0)
        return skills;
    for (Py_ssize_t i = 0; i < many; i++) {
        PyObject *skill = read_text(in, 1);
        if (skill == NULL) {
            Py_DECREF(skills);
            return NULL;
        }
        PyList_SET_ITEM(skills, i, skill);
    }
    long long more;
    if (!read_long(in, &more) || more != 0) {
        Py_DECREF(skills);
        return NULL;
    }
    return skills;
}

static PyObject *read_item(Input *in) {
    PyObject *values[ITEM_FIELDS] = {NULL}, *item = NULL;
    At text;
    long long size;
    if ((values[STATEMENT_ID] = read_text(in, 0)) && (values[STUDENT_ID] = read_text(in, 1)) &&
        (values[PROVIDER_ID] = read_text(in, 1)) && (values[VERB] = read_text(in, 1)) &&
        (values[SKILLS] = read_skills(in)) && (values[TIMESTAMP] = read_number(in)) &&
        (values[STORED] = read_number(in)) && (values[DIGEST] = read_number(in)) &&
        (values[FLAGS] = read_number(in)) && read_bytes(in, &text, &size) &&
        (values[STATEMENT] = PyBytes_FromStringAndSize((const char *)text, (Py_ssize_t)size)))
        item = PyObject_Vectorcall(item_type, values, ITEM_FIELDS, NULL);
    for (int i = 0; i < ITEM_FIELDS; i++)
        Py_XDECREF(values[i]);
    return item;
}

static PyObject *read_items(Input *in) {
    PyObject *items = NULL;
    long long many;
    if (!read_long(in, &many) || many < 0 || many > in->end - in->at)
        return NULL;
    /* Counted before it is made: an item takes ten bytes at least, and a broken count must not take all memory. */
    if (many > (in->end - in->at) / 10 || (items = PyList_New((Py_ssize_t)many)) == NULL || many == 0)
        return items;
    for (Py_ssize_t i = 0; i < many; i++) {
        PyObject *item = read_item(in);
        if (item == NULL) {
            Py_DECREF(items);
            return NULL;
        }
        PyList_SET_ITEM(items, i, item);
    }
    long long more;
    if (!read_long(in, &more) || more != 0) {
        Py_DECREF(items);
        return NULL;
    }
    return items;
}

/* Nothing was made: None for the Python to look at it, unless memory is short. */
static PyObject *unusual(void) {
    if (PyErr_Occurred()) {
        if (PyErr_ExceptionMatches(PyExc_MemoryError))
            return NULL;
        PyErr_Clear();
    }
    Py_RETURN_NONE;
}

PyDoc_STRVAR(decode_doc, "decode(data, start)\n--\n\n"
"The envelope in bytes from a place on, to their end; None for anything unusual.");

static PyObject *decode(PyObject *module, PyObject *const *args, Py_ssize_t given) {
    (void)module;
    if (given != 2 || !PyBytes_CheckExact(args[0]) || envelope_type == NULL) {
        PyErr_SetString(PyExc_TypeError, "decode(bytes, int), after configure()");
        return NULL;
    }
    Py_ssize_t start = PyLong_AsSsize_t(args[1]);
    if (start < 0 || start > PyBytes_GET_SIZE(args[0]))
        return unusual();
    At data = (At)PyBytes_AS_STRING(args[0]);
    Input in = {data + start, data + PyBytes_GET_SIZE(args[0])};
    PyObject *values[3] = {NULL}, *envelope = NULL;
    if ((values[0] = read_text(&in, 1)) && (values[1] = read_number(&in)) && (values[2] = read_items(&in)) &&
        in.at == in.end)
        envelope = PyObject_Vectorcall(envelope_type, values, 3, NULL);
    for (int i = 0; i < 3; i++)
        Py_XDECREF(values[i]);
    return envelope != NULL ? envelope : unusual();
}

/* JSON (RFC 8259), as strict as msgspec or stricter. */

#define DEEPEST 64

typedef struct {
    At text;
    Py_ssize_t size; /* -1: not there */
} Span;

static const Span ABSENT = {NULL, -1};

static inline At space(At at) {
    while (*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t')
        at++;
    return at;
}

#define ALL(byte) (0x0101010101010101u * (byte))
#define ZERO_IN(value) (((value) - ALL(1)) & ~(value) & ALL(0x80))

/* One character outside ASCII, well-formed (RFC 3629): the place behind it. The bytes end with a zero, which is none. */
static At wide(At at) {
    unsigned char first = at[0];
    if (first < 0xC2)
        return NULL;
    if (first < 0xE0)
        return (at[1] & 0xC0) == 0x80 ? at + 2 : NULL;
    if ((at[1] & 0xC0) != 0x80 || (at[2] & 0xC0) != 0x80)
        return NULL;
    if (first < 0xF0)
        return (first == 0xE0 && at[1] < 0xA0) || (first == 0xED && at[1] > 0x9F) ? NULL : at + 3;
    if (first > 0xF4 || (at[3] & 0xC0) != 0x80 || (first == 0xF0 && at[1] < 0x90) || (first == 0xF4 && at[1] > 0x8F))
        return NULL;
    return at + 4;
}

static At escape(At at) {
    switch (at[1]) {
    case '"': case '\\': case '/': case 'b': case 'f': case 'n': case 'r': case 't':
        return at + 2;
    case 'u':
        for (int i = 2; i < 6; i++)
            if (!Py_ISXDIGIT(at[i]))
                return NULL;
        return (at[2] | 0x20) == 'd' && at[3] > '7' ? NULL : at + 6; /* surrogates are Python's */
    default:
        return NULL;
    }
}

/* A string from its quote on; the place behind it, or NULL. ``plain`` tells whether it holds no escapes. */
static At string(At at, At end, Span *found, int *plain) {
    if (*at++ != '"')
        return NULL;
    found->text = at;
    *plain = 1;
    for (;;) {
        while (end - at >= 8) {
            uint64_t eight = load(at, 8);
            uint64_t odd = (eight & ALL(0x80)) | ZERO_IN(eight ^ ALL('"')) | ZERO_IN(eight ^ ALL('\\')) |
                           ((eight - ALL(0x20)) & ~eight & ALL(0x80));
            if (odd) {
                /* The lowest mark is never the borrow of another. */
                at += __builtin_ctzll(odd) >> 3;
                break;
            }
            at += 8;
        }
        while (*at >= 0x20 && *at < 0x80 && *at != '"' && *at != '\\')
            at++;
        if (*at == '"') {
            found->size = at - found->text;
            return at + 1;
        }
        if (*at == '\\') {
            *plain = 0;
            at = escape(at);
        } else {
            at = *at < 0x80 ? NULL : wide(at);
        }
        if (at == NULL)
            return NULL;
    }
}

static At number(At at) {
    if (*at == '-')
        at++;
    if (*at == '0') {
        at++;
    } else {
        if (!Py_ISDIGIT(*at))
            return NULL;
        while (Py_ISDIGIT(*at))
            at++;
    }
    if (*at == '.') {
        if (!Py_ISDIGIT(*++at))
            return NULL;
        while (Py_ISDIGIT(*at))
            at++;
    }
    if ((*at | 0x20) == 'e') {
        at++;
        if (*at == '+' || *at == '-')
            at++;
        if (!Py_ISDIGIT(*at))
            return NULL;
        while (Py_ISDIGIT(*at))
            at++;
    }
    return at;
}

static At literal(At at, const char *word, size_t size) { return memcmp(at, word, size) == 0 ? at + size : NULL; }

typedef At (*Member)(Span key, At at, At end, int depth, void *into);

static At value(At at, At end, int depth);

/* An object from its brace on; each member's value is read by ``member``. */
static At object(At at, At end, int depth, Member member, void *into) {
    if (*at++ != '{' || depth > DEEPEST)
        return NULL;
    at = space(at);
    if (*at == '}')
        return at + 1;
    for (;;) {
        Span key;
        int plain;
        if ((at = string(at, end, &key, &plain)) == NULL || !plain)
            return NULL;
        at = space(at);
        if (*at != ':')
            return NULL;
        at = member(key, space(at + 1), end, depth, into);
        if (at == NULL)
            return NULL;
        at = space(at);
        if (*at == '}')
            return at + 1;
        if (*at != ',')
            return NULL;
        at = space(at + 1);
    }
}

static At skipped(Span key, At at, At end, int depth, void *into) {
    (void)key, (void)into;
    return value(at, end, depth + 1);
}

static At list(At at, At end, int depth) {
    if (depth > DEEPEST)
        return NULL;
    at = space(at + 1);
    if (*at == ']')
        return at + 1;
    for (;;) {
        if ((at = value(at, end, depth + 1)) == NULL)
            return NULL;
        at = space(at);
        if (*at == ']')
            return at + 1;
        if (*at != ',')
            return NULL;
        at = space(at + 1);
    }
}

/* Any value, checked and left. */
static At value(At at, At end, int depth) {
    Span text;
    int plain;
    switch (*at) {
    case '"': return string(at, end, &text, &plain);
    case '{': return object(at, end, depth, skipped, NULL);
    case '[': return list(at, end, depth);
    case 't': return end - at >= 4 ? literal(at, "true", 4) : NULL;
    case 'f': return end - at >= 5 ? literal(at, "false", 5) : NULL;
    case 'n': return end - at >= 4 ? literal(at, "null", 4) : NULL;
    default: return number(at);
    }
}

/* A string that is kept: once, and without escapes. */
static At kept(At at, At end, Span *into) {
    int plain;
    if (into->size >= 0 || (at = string(at, end, into, &plain)) == NULL || !plain)
        return NULL;
    return at;
}

static At kept_or_null(At at, At end, Span *into, int *seen) {
    if ((*seen)++)
        return NULL;
    if (*at == 'n')
        return end - at >= 4 ? literal(at, "null", 4) : NULL;
    return kept(at, end, into);
}

static inline int is(Span key, const char *name, Py_ssize_t size) {
    return key.size == size && memcmp(key.text, name, (size_t)size) == 0;
}

#define IS(key, name) is(key, name, sizeof(name) - 1)

/* Digits with at most one point as a double: exact where the digits are fewer than 2**53 and the power of ten has no
   rounding of its own, so that one division rounds once, as it should. */
static int decimal(At at, At end, double *found) {
    static const double powers[] = {1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};
    uint64_t digits = 0;
    int many = 0, behind = 0, point = 0;
    for (; at < end; at++) {
        if (*at == '.') {
            point = 1;
            continue;
        }
        if (!Py_ISDIGIT(*at) || ++many > 15)
            return 0;
        digits = digits * 10 + (uint64_t)(*at - '0');
        behind += point;
    }
    *found = (double)digits / powers[behind];
    return many > 0;
}

typedef struct {
    double value;
    int seen, told;
} Number;

static At score_number(At at, At end, Number *into) {
    if (into->seen++)
        return NULL;
    if (*at == 'n')
        return end - at >= 4 ? literal(at, "null", 4) : NULL;
    At behind = number(at);
    int negative = *at == '-';
    if (behind == NULL || !decimal(at + negative, behind, &into->value) || (negative && into->value == 0.0))
        return NULL;
    if (negative)
        into->value = -into->value;
    into->told = 1;
    return behind;
}

typedef struct {
    Number scaled, raw, min, max;
} Score;

static At score_member(Span key, At at, At end, int depth, void *into) {
    Score *score = into;
    if (IS(key, "scaled"))
        return score_number(at, end, &score->scaled);
    if (IS(key, "raw"))
        return score_number(at, end, &score->raw);
    if (IS(key, "min"))
        return score_number(at, end, &score->min);
    if (IS(key, "max"))
        return score_number(at, end, &score->max);
    return value(at, end, depth + 1);
}

typedef struct {
    Span actor, verb, object, duration, registration;
    Score score;
    int success, has_verb, has_object, has_result, has_context; /* success: -1 for none */
    int saw_success, saw_score, saw_duration, saw_registration, has_score;
} Told;

static At result_member(Span key, At at, At end, int depth, void *into) {
    Told *told = into;
    if (IS(key, "success")) {
        if (told->saw_success++)
            return NULL;
        told->success = *at == 't' ? 1 : *at == 'f' ? 0 : -1;
        return *at == 't' || *at == 'f' || *at == 'n' ? value(at, end, depth + 1) : NULL;
    }
    if (IS(key, "score")) {
        if (told->saw_score++)
            return NULL;
        if (*at == 'n')
            return value(at, end, depth + 1);
        told->has_score = 1;
        return object(at, end, depth + 1, score_member, &told->score);
    }
    if (IS(key, "duration"))
        return kept_or_null(at, end, &told->duration, &told->saw_duration);
    return value(at, end, depth + 1);
}

static At context_member(Span key, At at, At end, int depth, void *into) {
    Told *told = into;
    if (IS(key, "registration"))
        return kept_or_null(at, end, &told->registration, &told->saw_registration);
    return value(at, end, depth + 1);
}

static At id_member(Span key, At at, At end, int depth, void *into) {
    return IS(key, "id") ? kept(at, end, into) : value(at, end, depth + 1);
}

static At statement_member(Span key, At at, At end, int depth, void *into) {
    Told *told = into;
    if (IS(key, "actor"))
        return kept(at, end, &told->actor);
    if (IS(key, "verb")) {
        if (told->has_verb++)
            return NULL;
        return object(at, end, depth + 1, id_member, &told->verb);
    }
    if (IS(key, "object")) {
        if (told->has_object++)
            return NULL;
        return *at == '"' ? kept(at, end, &told->object) : object(at, end, depth + 1, id_member, &told->object);
    }
    if (IS(key, "result")) {
        if (told->has_result++)
            return NULL;
        return *at == 'n' ? value(at, end, depth + 1) : object(at, end, depth + 1, result_member, told);
    }
    if (IS(key, "context")) {
        if (told->has_context++)
            return NULL;
        return *at == 'n' ? value(at, end, depth + 1) : object(at, end, depth + 1, context_member, told);
    }
    return value(at, end, depth + 1);
}

static int read_statement(PyObject *statement, Told *told) {
    At at = (At)PyBytes_AS_STRING(statement), end = at + PyBytes_GET_SIZE(statement);
    *told = (Told){.success = -1, .actor = ABSENT, .verb = ABSENT, .object = ABSENT, .duration = ABSENT,
                   .registration = ABSENT};
    at = object(space(at), end, 0, statement_member, told);
    return at != NULL && space(at) == end && told->actor.size >= 0 && told->verb.size >= 0 && told->has_object;
}

/* Rows */

static int is_uuid(At text, Py_ssize_t size) {
    if (size != 36)
        return 0;
    for (int i = 0; i < 36; i++)
        if (i == 8 || i == 13 || i == 18 || i == 23 ? text[i] != '-' : !Py_ISXDIGIT(text[i]))
            return 0;
    return 1;
}

static int is_uuid_text(PyObject *text) {
    return PyUnicode_CheckExact(text) && PyUnicode_IS_COMPACT_ASCII(text) &&
           is_uuid(PyUnicode_1BYTE_DATA(text), PyUnicode_GET_LENGTH(text));
}

static int is_kept_moment(PyObject *moment) {
    if (!PyLong_CheckExact(moment))
        return 0;
    int overflow;
    long long value = PyLong_AsLongLongAndOverflow(moment, &overflow);
    return !overflow && value >= earliest && value <= latest;
}

/* streams.rows.result.outcome; 0 where it tells none. */
static int outcome_of(const Told *told, double *outcome) {
    if (told->success >= 0) {
        *outcome = told->success;
        return 1;
    }
    if (!told->has_score)
        return 0;
    const Score *score = &told->score;
    double share, low = score->min.told ? score->min.value : 0.0;
    if (score->scaled.told)
        share = score->scaled.value;
    else if (score->raw.told && score->max.told && score->max.value > low)
        share = (score->raw.value - low) / (score->max.value - low);
    else
        return 0;
    if (!isfinite(share))
        return 0;
    *outcome = share < 0.0 ? 0.0 : share > 1.0 ? 1.0 : share;
    return 1;
}

/* streams.rows.result.duration_ms: what nearly all send is read here, PT and seconds; else the Python is asked. */
static PyObject *duration(const Told *told) {
    Span text = told->duration;
    double seconds;
    if (text.size <= 0)
        return PyLong_FromLong(-1);
    At last = text.text + text.size - 1;
    if (text.size >= 4 && text.text[0] == 'P' && text.text[1] == 'T' && *last == 'S' && Py_ISDIGIT(text.text[2]) &&
        Py_ISDIGIT(last[-1]) && decimal(text.text + 2, last, &seconds) && seconds < 1e8) {
        int points = 0;
        for (At at = text.text; at < last; at++)
            points += *at == '.';
        if (points <= 1)
            return PyLong_FromDouble(nearbyint(seconds * 1000.0));
    }
    PyObject *whole = new_text(text.text, text.size);
    if (whole == NULL)
        return NULL;
    PyObject *found = PyObject_CallOneArg(duration_of, whole);
    Py_DECREF(whole);
    return found;
}

static inline PyObject *field(PyObject *item, int number) {
    return *(PyObject **)((char *)item + item_places[number]);
}

static inline PyObject *told_by(PyObject *arrival, int number) {
    return *(PyObject **)((char *)arrival + arrival_places[number]);
}

/* The flags of an item, -1 for what is none. */
static inline long flags_of(PyObject *item) {
    PyObject *flags = field(item, FLAGS);
    int overflow;
    return flags != NULL && PyLong_CheckExact(flags) ? PyLong_AsLongAndOverflow(flags, &overflow) : -1;
}

/* An arrival whose fields are all there: what made it fills them, but nobody forbids another. */
static inline int is_arrival(PyObject *one) {
    if (Py_TYPE(one) != (PyTypeObject *)arrival_type)
        return 0;
    for (int i = 0; i < ARRIVAL_FIELDS; i++)
        if (told_by(one, i) == NULL)
            return 0;
    PyObject *item = told_by(one, ITEM);
    if (Py_TYPE(item) != (PyTypeObject *)item_type)
        return 0;
    for (int i = 0; i < ITEM_FIELDS; i++)
        if (field(item, i) == NULL)
            return 0;
    return 1;
}

static PyObject *arrival(PyObject *partition, PyObject *offset, PyObject *idx, PyObject *item) {
    if (Py_TYPE(item) != (PyTypeObject *)item_type)
        return NULL;
    for (int i = 0; i < ITEM_FIELDS; i++)
        if (field(item, i) == NULL)
            return NULL;
    if (!is_kept_moment(field(item, TIMESTAMP)) || !is_kept_moment(field(item, STORED)) ||
        !is_uuid_text(field(item, STATEMENT_ID)) || !is_uuid_text(field(item, STUDENT_ID)) ||
        !PyBytes_CheckExact(field(item, STATEMENT)))
        return NULL;
    Told told;
    if (!read_statement(field(item, STATEMENT), &told) ||
        (told.registration.size >= 0 && !is_uuid(told.registration.text, told.registration.size)))
        return NULL;
    int counts = PySet_Contains(verbs_with_outcome, field(item, VERB));
    if (counts < 0)
        return NULL;
    double outcome;
    PyObject *made = NULL;
    PyObject *values[] = {
        partition,
        offset,
        idx,
        item,
        shared_text(told.actor.text, told.actor.size),
        shared_text(told.verb.text, told.verb.size),
        shared_text(told.object.text, told.object.size >= 0 ? told.object.size : 0),
        told.registration.size >= 0 ? shared_text(told.registration.text, told.registration.size) : Py_NewRef(no_uuid),
        counts && outcome_of(&told, &outcome) ? PyFloat_FromDouble(outcome) : Py_NewRef(Py_None),
        duration(&told),
    };
    int whole = 1;
    for (int i = 4; i < 10; i++)
        whole = whole && values[i] != NULL;
    if (whole)
        made = PyObject_Vectorcall(arrival_type, values, 10, NULL);
    for (int i = 4; i < 10; i++)
        Py_XDECREF(values[i]);
    return made;
}

PyDoc_STRVAR(read_doc, "read(partition, offset, idx, item)\n--\n\n"
"What streams.rows.arrival.read makes of an item; None for anything unusual, faults among it.");

static PyObject *read_one(PyObject *module, PyObject *const *args, Py_ssize_t given) {
    (void)module;
    if (given != 4 || arrival_type == NULL) {
        PyErr_SetString(PyExc_TypeError, "read(partition, offset, idx, item), after configure()");
        return NULL;
    }
    PyObject *made = arrival(args[0], args[1], args[2], args[3]);
    return made != NULL ? made : unusual();
}

PyDoc_STRVAR(read_all_doc, "read_all(partition, offset, items)\n--\n\n"
"The arrivals of an envelope, when all its items are primary and usual; else None.");

static PyObject *read_all(PyObject *module, PyObject *const *args, Py_ssize_t given) {
    (void)module;
    if (given != 3 || arrival_type == NULL || !PyList_CheckExact(args[2])) {
        PyErr_SetString(PyExc_TypeError, "read_all(partition, offset, list), after configure()");
        return NULL;
    }
    Py_ssize_t many = PyList_GET_SIZE(args[2]);
    PyObject *arrivals = PyList_New(many);
    if (arrivals == NULL)
        return NULL;
    for (Py_ssize_t i = 0; i < many; i++) {
        PyObject *item = PyList_GET_ITEM(args[2], i), *idx = PyLong_FromSsize_t(i), *made = NULL;
        if (idx != NULL && Py_TYPE(item) == (PyTypeObject *)item_type) {
            long flags = flags_of(item);
            if (flags >= 0 && flags < CREDIT)
                made = arrival(args[0], args[1], idx, item);
        }
        Py_XDECREF(idx);
        if (made == NULL) {
            Py_DECREF(arrivals);
            return unusual();
        }
        PyList_SET_ITEM(arrivals, i, made);
    }
    return arrivals;
}

/* A tuple of borrowed values, each of which is there. */
static PyObject *row_of(PyObject *const *values, Py_ssize_t many) {
    PyObject *row = PyTuple_New(many);
    if (row != NULL)
        for (Py_ssize_t i = 0; i < many; i++)
            PyTuple_SET_ITEM(row, i, Py_NewRef(values[i]));
    return row;
}

static int append_row(PyObject *rows, PyObject *const *values, Py_ssize_t many) {
    PyObject *row = row_of(values, many);
    int failed = row == NULL || PyList_Append(rows, row) < 0;
    Py_XDECREF(row);
    return !failed;
}

static int in_key(unsigned char c) {
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_' || c == '.' || c == '-';
}

/* streams/rows/texts.py: the text without the id that the row tells beside it. */
static PyObject *row_text(PyObject *statement, PyObject *statement_id) {
    static const char before[] = "{\"authority\":\"", between[] = "\",\"id\":\"", after[] = "\",";
    enum { BEFORE = sizeof before - 1, BETWEEN = sizeof between - 1, AFTER = sizeof after - 1, ID = 36 };
    if (!PyBytes_CheckExact(statement) || !is_uuid_text(statement_id))
        return NULL;
    At text = (At)PyBytes_AS_STRING(statement), end = text + PyBytes_GET_SIZE(statement), at = text + BEFORE;
    At id = PyUnicode_1BYTE_DATA(statement_id);
    if (end - text < BEFORE || memcmp(text, before, BEFORE) != 0)
        return Py_NewRef(statement);
    while (at < end && in_key(*at))
        at++;
    if (at == text + BEFORE || end - at < BETWEEN + ID + AFTER || memcmp(at, between, BETWEEN) != 0 ||
        memcmp(at + BETWEEN, id, ID) != 0 || memcmp(at + BETWEEN + ID, after, AFTER) != 0)
        return Py_NewRef(statement);
    for (int i = 0; i < ID; i++)
        if (id[i] >= 'A' && id[i] <= 'F')
            return Py_NewRef(statement);
    At rest = at + BETWEEN + ID + AFTER;
    Py_ssize_t authority = at + AFTER - (text + 1);
    PyObject *made = PyBytes_FromStringAndSize(NULL, authority + (end - rest));
    if (made != NULL) {
        memcpy(PyBytes_AS_STRING(made), text + 1, (size_t)authority);
        memcpy(PyBytes_AS_STRING(made) + authority, rest, (size_t)(end - rest));
    }
    return made;
}

PyDoc_STRVAR(rows_doc, "rows(arrivals, generation)\n--\n\n"
"Rows of statements and of attempts, when all arrivals are primary; else None.");

static PyObject *rows(PyObject *module, PyObject *const *args, Py_ssize_t given) {
    (void)module;
    if (given != 2 || arrival_type == NULL || !PyList_CheckExact(args[0])) {
        PyErr_SetString(PyExc_TypeError, "rows(list, generation), after configure()");
        return NULL;
    }
    PyObject *statements = PyList_New(0), *attempts = PyList_New(0);
    int whole = statements != NULL && attempts != NULL;
    for (Py_ssize_t i = 0; whole && i < PyList_GET_SIZE(args[0]); i++) {
        PyObject *one = PyList_GET_ITEM(args[0], i);
        if (!is_arrival(one)) {
            whole = 0;
            break;
        }
        PyObject *item = told_by(one, ITEM);
        long flags = flags_of(item);
        PyObject *text = row_text(field(item, STATEMENT), field(item, STATEMENT_ID));
        if (text == NULL) {
            whole = 0;
            break;
        }
        PyObject *statement[] = {
            field(item, STUDENT_ID), field(item, TIMESTAMP), field(item, STATEMENT_ID), field(item, STORED),
            field(item, PROVIDER_ID), field(item, VERB), told_by(one, VERB_IRI), told_by(one, ACTIVITY),
            told_by(one, ACTOR), told_by(one, REGISTRATION), field(item, SKILLS), field(item, DIGEST), args[1],
            told_by(one, PARTITION), told_by(one, OFFSET), told_by(one, IDX), text,
        };
        whole = flags >= 0 && flags < CREDIT && append_row(statements, statement, 17);
        Py_DECREF(text);
        if (whole && told_by(one, OUTCOME) != Py_None) {
            PyObject *attempt[] = {
                field(item, STUDENT_ID), field(item, TIMESTAMP), field(item, STATEMENT_ID), told_by(one, ACTIVITY),
                field(item, SKILLS), told_by(one, OUTCOME), told_by(one, DURATION_MS), field(item, VERB),
                field(item, PROVIDER_ID), field(item, STORED), args[1], told_by(one, PARTITION), told_by(one, OFFSET),
                told_by(one, IDX),
            };
            whole = append_row(attempts, attempt, 14);
        }
    }
    PyObject *both = whole ? PyTuple_Pack(2, statements, attempts) : NULL;
    Py_XDECREF(statements);
    Py_XDECREF(attempts);
    return both != NULL ? both : unusual();
}

/* What is remembered of a partition, while a batch is looked through. */

typedef struct {
    PyObject *memory, *latest; /* the first one borrowed */
    Remembered *young, *old;
    long long number, complete_from, highest;
} Memory;

#define MEMORIES 256

static int open_memory(Memory *into, PyObject *memories, PyObject *partition, long long number) {
    *into = (Memory){.memory = PyDict_GetItemWithError(memories, partition), .number = number};
    if (into->memory == NULL)
        return 0;
    into->young = (Remembered *)PyObject_GetAttrString(into->memory, "young");
    into->old = (Remembered *)PyObject_GetAttrString(into->memory, "old");
    into->latest = PyObject_GetAttrString(into->memory, "latest");
    PyObject *from = PyObject_GetAttrString(into->memory, "complete_from");
    PyObject *highest = PyObject_GetAttrString(into->memory, "highest_stored");
    int fits = into->young != NULL && into->old != NULL && into->latest != NULL && from != NULL &&
               highest != NULL && Py_IS_TYPE(into->young, remembered_type) && Py_IS_TYPE(into->old, remembered_type) &&
               PyDict_CheckExact(into->latest) && PyLong_CheckExact(from) && PyLong_CheckExact(highest);
    if (fits) {
        into->complete_from = PyLong_AsLongLong(from);
        into->highest = PyLong_AsLongLong(highest);
        fits = !PyErr_Occurred();
    }
    Py_XDECREF(from);
    Py_XDECREF(highest);
    return fits;
}

static int close_memory(Memory *memory, int keep) {
    int failed = 0;
    if (keep) {
        PyObject *highest = PyLong_FromLongLong(memory->highest);
        failed = highest == NULL || PyObject_SetAttrString(memory->memory, "highest_stored", highest) < 0;
        Py_XDECREF(highest);
    }
    Py_XDECREF(memory->young);
    Py_XDECREF(memory->old);
    Py_XDECREF(memory->latest);
    return failed;
}

#define NOTHING (-(1LL << 62)) /* as in streams.dedupe */

static PyObject *key_of(const uint64_t *id) { return PyBytes_FromStringAndSize((const char *)id, 32); }

/* 1: new and remembered, or never to be a duplicate; 0: to be judged; -1: a Python error is set. */
static int remember(Memory *memory, PyObject *one, PyObject *doubtful, long long clock_error) {
    PyObject *item = told_by(one, ITEM);
    Slot slot = {{0}};
    long flags = flags_of(item);
    int overflow, failed = 0;
    long long timestamp = PyLong_AsLongLongAndOverflow(field(item, TIMESTAMP), &overflow);
    long long stored = overflow ? 0 : PyLong_AsLongLongAndOverflow(field(item, STORED), &overflow);
    if (flags < 0 || overflow)
        return 0;
    if (flags & ID_GENERATED)
        return 1;
    if (!number_of_uuid(field(item, STATEMENT_ID), slot.id) || !number_of_uuid(field(item, STUDENT_ID), slot.id + 2))
        return 0;
    int known = remembered_find(memory->young, slot.id) != NULL || remembered_find(memory->old, slot.id) != NULL;
    PyObject *key = NULL;
    if (!known && PySet_GET_SIZE(doubtful)) {
        key = key_of(slot.id);
        known = key != NULL ? PySet_Contains(doubtful, key) : -1;
    }
    int suffices = flags & TIMESTAMP_GENERATED ? memory->complete_from < 0
                                               : timestamp > memory->complete_from + clock_error;
    if (!suffices && known == 0 && PyDict_GET_SIZE(memory->latest)) {
        PyObject *latest = PyDict_GetItemWithError(memory->latest, field(item, STUDENT_ID));
        if (latest != NULL) {
            long long until = PyLong_AsLongLong(latest);
            suffices = flags & TIMESTAMP_GENERATED ? until == NOTHING : timestamp > until;
        }
        if (PyErr_Occurred())
            known = -1;
    }
    if (known < 0) {
        failed = 1;
    } else if (known || !suffices) {
        if (key == NULL)
            key = key_of(slot.id);
        failed = key == NULL || PySet_Add(doubtful, key) < 0;
        known = 1;
    } else {
        slot.offset = PyLong_AsLongLong(told_by(one, OFFSET));
        slot.idx = (int32_t)PyLong_AsLong(told_by(one, IDX));
        slot.digest = PyLong_AsLongLong(field(item, DIGEST));
        failed = PyErr_Occurred() != NULL || !remembered_put(memory->young, slot);
        if (stored > memory->highest)
            memory->highest = stored;
    }
    Py_XDECREF(key);
    return failed ? -1 : !known;
}

PyDoc_STRVAR(remember_new_doc, "remember_new(arrivals, memories, clock_error)\n--\n\n"
"Remembers the arrivals that are new beyond doubt, and returns the places of all others in the list: see\n"
"streams.dedupe. memories: PartitionMemory by partition; clock_error in µs.");

static PyObject *remember_new(PyObject *module, PyObject *const *args, Py_ssize_t given) {
    (void)module;
    if (given != 3 || arrival_type == NULL || !PyList_CheckExact(args[0]) || !PyDict_CheckExact(args[1])) {
        PyErr_SetString(PyExc_TypeError, "remember_new(list, dict, int), after configure()");
        return NULL;
    }
    long long clock_error = PyLong_AsLongLong(args[2]);
    if (clock_error == -1 && PyErr_Occurred())
        return NULL;
    Memory memories[MEMORIES];
    int many = 0, at = 0, failed = 0;
    PyObject *left = PyList_New(0), *doubtful = PySet_New(NULL);
    failed = left == NULL || doubtful == NULL;
    for (Py_ssize_t i = 0; !failed && i < PyList_GET_SIZE(args[0]); i++) {
        PyObject *one = PyList_GET_ITEM(args[0], i);
        int done = 0;
        if (is_arrival(one) && PyLong_CheckExact(field(told_by(one, ITEM), TIMESTAMP)) &&
            PyLong_CheckExact(field(told_by(one, ITEM), STORED)) && PyLong_CheckExact(told_by(one, PARTITION))) {
            int overflow;
            long long number = PyLong_AsLongLongAndOverflow(told_by(one, PARTITION), &overflow);
            if (at >= many || memories[at].number != number) {
                for (at = 0; at < many && memories[at].number != number; at++)
                    ;
                if (at == many && many < MEMORIES) {
                    if (open_memory(&memories[at], args[1], told_by(one, PARTITION), number)) {
                        many++;
                    } else {
                        Py_XDECREF(memories[at].young);
                        Py_XDECREF(memories[at].old);
                        Py_XDECREF(memories[at].latest);
                        if (PyErr_Occurred()) /* a memory that is not begun: the Python says so */
                            PyErr_Clear();
                    }
                }
            }
            if (at < many)
                done = remember(&memories[at], one, doubtful, clock_error);
        }
        if (done < 0) {
            failed = 1;
        } else if (!done) {
            PyObject *place = PyLong_FromSsize_t(i);
            failed = place == NULL || PyList_Append(left, place) < 0;
            Py_XDECREF(place);
        }
    }
    PyObject *error_type, *error, *trace;
    PyErr_Fetch(&error_type, &error, &trace);
    for (int i = 0; i < many; i++)
        if (close_memory(&memories[i], error_type == NULL))
            failed = 1;
    if (error_type != NULL)
        PyErr_Restore(error_type, error, trace);
    Py_XDECREF(doubtful);
    if (failed)
        Py_CLEAR(left);
    return left;
}

PyDoc_STRVAR(configure_doc, "configure(item, envelope, arrival, verbs, no_uuid, duration_ms, earliest, latest)\n--\n\n"
"The types that are made, the verbs whose result tells an outcome, the UUID that stands for none, what reads unusual\n"
"durations, and the moments between which a row can be written (µs).");

/* Where a type keeps the values of its fields. */
static int learn_places(PyObject *type, const char *const *names, int many, Py_ssize_t *places) {
    for (int i = 0; i < many; i++) {
        PyObject *descriptor = PyObject_GetAttrString(type, names[i]);
        if (descriptor == NULL)
            return 0;
        int fits = Py_IS_TYPE(descriptor, &PyMemberDescr_Type) &&
                   ((PyMemberDescrObject *)descriptor)->d_member->type == T_OBJECT_EX;
        if (fits)
            places[i] = ((PyMemberDescrObject *)descriptor)->d_member->offset;
        Py_DECREF(descriptor);
        if (!fits) {
            PyErr_SetString(PyExc_TypeError, "items and arrivals keep their fields in slots");
            return 0;
        }
    }
    return 1;
}

static PyObject *configure(PyObject *module, PyObject *args) {
    (void)module;
    PyObject *given[6];
    long long from, to;
    if (!PyArg_ParseTuple(args, "OOOOOOLL", &given[0], &given[1], &given[2], &given[3], &given[4], &given[5], &from, &to))
        return NULL;
    if (!PyAnySet_Check(given[3])) {
        PyErr_SetString(PyExc_TypeError, "verbs are a set");
        return NULL;
    }
    if (!learn_places(given[0], item_fields, ITEM_FIELDS, item_places) ||
        !learn_places(given[2], arrival_fields, ARRIVAL_FIELDS, arrival_places))
        return NULL;
    PyObject **kept[] = {&item_type, &envelope_type, &arrival_type, &verbs_with_outcome, &no_uuid, &duration_of};
    for (int i = 0; i < 6; i++) {
        PyObject *before = *kept[i];
        *kept[i] = Py_NewRef(given[i]);
        Py_XDECREF(before);
    }
    earliest = from;
    latest = to;
    Py_RETURN_NONE;
}

static PyMethodDef methods[] = {
    {"configure", configure, METH_VARARGS, configure_doc},
    {"decode", (PyCFunction)(void (*)(void))decode, METH_FASTCALL, decode_doc},
    {"read", (PyCFunction)(void (*)(void))read_one, METH_FASTCALL, read_doc},
    {"read_all", (PyCFunction)(void (*)(void))read_all, METH_FASTCALL, read_all_doc},
    {"remember_new", (PyCFunction)(void (*)(void))remember_new, METH_FASTCALL, remember_new_doc},
    {"rows", (PyCFunction)(void (*)(void))rows, METH_FASTCALL, rows_doc},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, "_arrivals",
                                        "Compiled part of schemas.codec and streams.rows.arrival.", -1, methods};

PyMODINIT_FUNC PyInit__arrivals(void) {
    PyObject *module = PyModule_Create(&definition);
    if (module != NULL && !remembered_begin(module))
        Py_CLEAR(module);
    return module;
}
