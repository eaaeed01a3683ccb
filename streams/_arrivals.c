/* Envelopes to items and items to arrivals: the Avro of schemas/codec.py and streams/rows/arrival.py, compiled.

   Each function takes exactly what nearly all records hold, does with it what the Python does, and returns None for
   anything else: a broken datum, a statement that is refused, escapes in a name, a number with an exponent. The Python
   then does it again, and says what is wrong. tests/unit/test_compiled_arrivals.py compares the two. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <math.h>
#include <stdint.h>
#include <string.h>
#include <structmember.h>

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

PyDoc_STRVAR(configure_doc, "configure(item, envelope, arrival, verbs, no_uuid, duration_ms, earliest, latest)\n--\n\n"
"The types that are made, the verbs whose result tells an outcome, the UUID that stands for none, what reads unusual\n"
"durations, and the moments between which a row can be written (µs).");

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
    for (int i = 0; i < ITEM_FIELDS; i++) {
        PyObject *descriptor = PyObject_GetAttrString(given[0], item_fields[i]);
        if (descriptor == NULL)
            return NULL;
        int fits = Py_IS_TYPE(descriptor, &PyMemberDescr_Type) &&
                   ((PyMemberDescrObject *)descriptor)->d_member->type == T_OBJECT_EX;
        if (fits)
            item_places[i] = ((PyMemberDescrObject *)descriptor)->d_member->offset;
        Py_DECREF(descriptor);
        if (!fits) {
            PyErr_SetString(PyExc_TypeError, "an item keeps its fields in slots");
            return NULL;
        }
    }
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
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, "_arrivals",
                                        "Compiled part of schemas.codec and streams.rows.arrival.", -1, methods};

PyMODINIT_FUNC PyInit__arrivals(void) { return PyModule_Create(&definition); }
