/* JSON text to a tree, in one pass and without an object of Python's: what is unsure is left to the reference.
 *
 * Strings point into the body where they hold no escape, else into the arena; they are valid UTF-8. The members of an
 * object are sorted by key and no key comes twice. A number keeps its text where that is the canonical one; else
 * the reference tells it. */
#ifndef ROUNDTRIP_JSON_H
#define ROUNDTRIP_JSON_H

#include <Python.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum kind { OBJECT, ARRAY, STRING, INTEGER, DECIMAL, OTHER_NUMBER, TRUE_, FALSE_, NULL_ };

enum { MAX_DEPTH = 64, CHUNK = 1 << 18 };

typedef struct {
    const char *at;
    uint32_t size;
    uint32_t escaped; /* has characters that JSON writes as escapes */
} text;

typedef struct node {
    text key;  /* of a member */
    text text; /* of a string or a number */
    struct node *inner;
    uint32_t count;
    uint8_t kind;
} node;

typedef struct chunk {
    struct chunk *next;
    size_t used, size;
    char data[];
} chunk;

typedef struct {
    const char *at, *end;
    PyObject *number; /* called with the text of an unusual number: its canonical bytes */
    chunk *arena;
    node *stack;
    size_t used, room;
} parser;

static void *take(parser *p, size_t size) {
    size = (size + 7) & ~(size_t)7;
    chunk *c = p->arena;
    if (!c || c->size - c->used < size) {
        size_t room = size > CHUNK ? size : CHUNK;
        c = malloc(sizeof(chunk) + room);
        if (!c) return NULL;
        c->next = p->arena;
        c->used = 0;
        c->size = room;
        p->arena = c;
    }
    void *found = c->data + c->used;
    c->used += size;
    return found;
}

static void drop_arena(chunk *c) {
    while (c) {
        chunk *next = c->next;
        free(c);
        c = next;
    }
}

static inline void blanks(parser *p) {
    while (p->at < p->end && (*p->at == ' ' || *p->at == '\n' || *p->at == '\r' || *p->at == '\t')) p->at++;
}

static inline int is_digit(char c) { return c >= '0' && c <= '9'; }

static inline int hex(unsigned char c) {
    if (c >= '0' && c <= '9') return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Length of the UTF-8 sequence at ``at``, 0 where there is none that is valid (RFC 3629). */
static int sequence(const unsigned char *at, const unsigned char *end) {
    size_t left = (size_t)(end - at);
#define TAIL(i) ((at[i] & 0xC0) == 0x80)
    if (at[0] >= 0xC2 && at[0] <= 0xDF) return left >= 2 && TAIL(1) ? 2 : 0;
    if (at[0] >= 0xE0 && at[0] <= 0xEF) {
        if (left < 3 || !TAIL(1) || !TAIL(2) || (at[0] == 0xE0 && at[1] < 0xA0) || (at[0] == 0xED && at[1] > 0x9F))
            return 0;
        return 3;
    }
    if (at[0] >= 0xF0 && at[0] <= 0xF4) {
        if (left < 4 || !TAIL(1) || !TAIL(2) || !TAIL(3) || (at[0] == 0xF0 && at[1] < 0x90) ||
            (at[0] == 0xF4 && at[1] > 0x8F))
            return 0;
        return 4;
    }
#undef TAIL
    return 0;
}

static int four(const char *at, uint32_t *code) {
    *code = 0;
    for (int i = 0; i < 4; i++) {
        int value = hex((unsigned char)at[i]);
        if (value < 0) return 0;
        *code = *code << 4 | (uint32_t)value;
    }
    return 1;
}

static char *utf8(char *out, uint32_t c) {
    if (c < 0x80) {
        *out++ = (char)c;
    } else if (c < 0x800) {
        *out++ = (char)(0xC0 | c >> 6);
        *out++ = (char)(0x80 | (c & 0x3F));
    } else if (c < 0x10000) {
        *out++ = (char)(0xE0 | c >> 12);
        *out++ = (char)(0x80 | (c >> 6 & 0x3F));
        *out++ = (char)(0x80 | (c & 0x3F));
    } else {
        *out++ = (char)(0xF0 | c >> 18);
        *out++ = (char)(0x80 | (c >> 12 & 0x3F));
        *out++ = (char)(0x80 | (c >> 6 & 0x3F));
        *out++ = (char)(0x80 | (c & 0x3F));
    }
    return out;
}

/* A string with escapes, from behind its quote to ``end``, which is its closing one. Surrogates come in pairs. */
static int unescape(parser *p, const char *at, const char *end, text *out) {
    char *to = take(p, (size_t)(end - at) + 1), *begin = to;
    if (!to) return 0;
    while (at < end) {
        if (*at != '\\') {
            *to++ = *at++;
            continue;
        }
        if (++at >= end) return 0;
        uint32_t code, low;
        switch (*at++) {
        case '"': *to++ = '"'; break;
        case '\\': *to++ = '\\'; break;
        case '/': *to++ = '/'; break;
        case 'b': *to++ = '\b'; break;
        case 'f': *to++ = '\f'; break;
        case 'n': *to++ = '\n'; break;
        case 'r': *to++ = '\r'; break;
        case 't': *to++ = '\t'; break;
        case 'u':
            if (end - at < 4 || !four(at, &code)) return 0;
            at += 4;
            if (code >= 0xD800 && code < 0xE000) {
                if (code >= 0xDC00 || end - at < 6 || at[0] != '\\' || at[1] != 'u' || !four(at + 2, &low)) return 0;
                if (low < 0xDC00 || low >= 0xE000) return 0;
                code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
                at += 6;
            }
            to = utf8(to, code);
            break;
        default: return 0;
        }
    }
    out->at = begin;
    out->size = (uint32_t)(to - begin);
    out->escaped = 1;
    return 1;
}

static int string(parser *p, text *out) {
    const unsigned char *at = (const unsigned char *)p->at + 1, *end = (const unsigned char *)p->end;
    const char *begin = (const char *)at;
    int escapes = 0;
    for (;;) {
        /* Eight characters at a time, while none is a quote, a backslash, a control or beyond ASCII. */
        while (end - at >= 8) {
            uint64_t word, quote, slash;
            memcpy(&word, at, 8);
            quote = word ^ 0x2222222222222222u;
            slash = word ^ 0x5C5C5C5C5C5C5C5Cu;
            uint64_t hit = (word - 0x2020202020202020u) | (quote - 0x0101010101010101u) |
                           (slash - 0x0101010101010101u) | word;
            if (hit & 0x8080808080808080u) break;
            at += 8;
        }
        if (at >= end) return 0;
        if (*at == '"') break;
        if (*at < 0x20) return 0;
        if (*at == '\\') {
            escapes = 1;
            at += 2;
        } else if (*at < 0x80) {
            at++;
        } else {
            int length = sequence(at, end);
            if (!length) return 0;
            at += length;
        }
    }
    p->at = (const char *)at + 1;
    if (escapes) return unescape(p, begin, (const char *)at, out);
    out->at = begin;
    out->size = (uint32_t)((const char *)at - begin);
    out->escaped = 0;
    return 1;
}

/* A number (RFC 8259, 6). Its text is canonical where it is a whole number of up to 15 digits, or a decimal of up to
 * 15 without zeros at its end that floating point writes the same way. */
static int number(parser *p, node *out) {
    const char *begin = p->at, *end = p->end, *at = begin;
    if (*at == '-') at++;
    const char *whole = at;
    if (at >= end || !is_digit(*at)) return 0;
    if (*at == '0') at++;
    else
        while (at < end && is_digit(*at)) at++;
    size_t digits = (size_t)(at - whole), places = 0;
    const char *fraction = at;
    if (at < end && *at == '.') {
        fraction = ++at;
        while (at < end && is_digit(*at)) at++;
        places = (size_t)(at - fraction);
        if (!places) return 0;
    }
    int exponent = 0;
    if (at < end && (*at == 'e' || *at == 'E')) {
        exponent = 1;
        at++;
        if (at < end && (*at == '+' || *at == '-')) at++;
        if (at >= end || !is_digit(*at)) return 0;
        while (at < end && is_digit(*at)) at++;
    }
    p->at = at;
    out->text.at = begin;
    out->text.size = (uint32_t)(at - begin);
    out->text.escaped = 0;
    out->kind = places ? DECIMAL : INTEGER;
    int negative_zero = *begin == '-' && *whole == '0';
    if (!exponent && !negative_zero && digits + places <= 15) {
        if (!places) return 1;
        int ends = fraction[places - 1] != '0' || places == 1;
        int tiny = *whole == '0' && places >= 3 && !memcmp(fraction, "000", 3);
        if (ends && !tiny) return 1;
    }
    out->kind = OTHER_NUMBER;
    PyObject *told = PyObject_CallFunction(p->number, "y#", begin, (Py_ssize_t)(at - begin));
    if (!told) return 0;
    char *kept = NULL;
    if (PyBytes_CheckExact(told) && (kept = take(p, (size_t)PyBytes_GET_SIZE(told)))) {
        memcpy(kept, PyBytes_AS_STRING(told), (size_t)PyBytes_GET_SIZE(told));
        out->text.at = kept;
        out->text.size = (uint32_t)PyBytes_GET_SIZE(told);
    }
    Py_DECREF(told);
    return kept != NULL;
}

/* Order of Python's strings: by code point, which is that of their UTF-8. */
static int by_key(const void *left, const void *right) {
    const text *a = &((const node *)left)->key, *b = &((const node *)right)->key;
    int order = memcmp(a->at, b->at, a->size < b->size ? a->size : b->size);
    return order ? order : (a->size > b->size) - (a->size < b->size);
}

static int sorted(node *nodes, uint32_t count) {
    if (count > 24) {
        qsort(nodes, count, sizeof(node), by_key);
    } else {
        for (uint32_t i = 1; i < count; i++) {
            if (by_key(&nodes[i - 1], &nodes[i]) <= 0) continue;
            node moved = nodes[i];
            uint32_t j = i;
            for (; j && by_key(&nodes[j - 1], &moved) > 0; j--) nodes[j] = nodes[j - 1];
            nodes[j] = moved;
        }
    }
    for (uint32_t i = 1; i < count; i++)
        if (!by_key(&nodes[i - 1], &nodes[i])) return 0;
    return 1;
}

static int value(parser *p, node *out, int depth);

static int container(parser *p, node *out, int depth) {
    int object = *p->at == '{';
    char last = object ? '}' : ']';
    size_t base = p->used;
    out->kind = object ? OBJECT : ARRAY;
    p->at++;
    blanks(p);
    if (p->at < p->end && *p->at == last) {
        p->at++;
        out->inner = NULL;
        out->count = 0;
        return 1;
    }
    for (;;) {
        node made;
        memset(&made.key, 0, sizeof made.key);
        if (object) {
            if (p->at >= p->end || *p->at != '"' || !string(p, &made.key)) return 0;
            blanks(p);
            if (p->at >= p->end || *p->at++ != ':') return 0;
            blanks(p);
        }
        if (!value(p, &made, depth + 1)) return 0;
        if (p->used == p->room) {
            size_t room = p->room ? 2 * p->room : 256;
            node *grown = realloc(p->stack, room * sizeof(node));
            if (!grown) return 0;
            p->stack = grown;
            p->room = room;
        }
        p->stack[p->used++] = made;
        blanks(p);
        if (p->at >= p->end) return 0;
        char next = *p->at++;
        if (next == last) break;
        if (next != ',') return 0;
        blanks(p);
    }
    out->count = (uint32_t)(p->used - base);
    out->inner = take(p, out->count * sizeof(node));
    if (!out->inner) return 0;
    memcpy(out->inner, p->stack + base, out->count * sizeof(node));
    p->used = base;
    return !object || sorted(out->inner, out->count);
}

static int word(parser *p, const char *wanted, node *out, enum kind kind) {
    size_t size = strlen(wanted);
    if ((size_t)(p->end - p->at) < size || memcmp(p->at, wanted, size)) return 0;
    p->at += size;
    out->kind = (uint8_t)kind;
    return 1;
}

static int value(parser *p, node *out, int depth) {
    if (p->at >= p->end || depth > MAX_DEPTH) return 0;
    switch (*p->at) {
    case '{':
    case '[': return container(p, out, depth);
    case '"': out->kind = STRING; return string(p, &out->text);
    case 't': return word(p, "true", out, TRUE_);
    case 'f': return word(p, "false", out, FALSE_);
    case 'n': return word(p, "null", out, NULL_);
    default: return number(p, out);
    }
}

#endif
