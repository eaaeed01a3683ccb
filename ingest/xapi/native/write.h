/* The bytes that are kept: JSON with sorted keys and agents swapped for their keys, its digest, and the Avro datum. */
#ifndef ROUNDTRIP_WRITE_H
#define ROUNDTRIP_WRITE_H

#include "rules.h"

typedef struct {
    char *data;
    size_t size, room;
    int failed;
} buffer;

static char *more(buffer *b, size_t size) {
    if (b->room - b->size < size) {
        size_t room = 2 * b->room + size + 4096;
        char *grown = realloc(b->data, room);
        if (!grown) {
            b->failed = 1;
            return NULL;
        }
        b->data = grown;
        b->room = room;
    }
    return b->data + b->size;
}

static inline void put(buffer *b, const char *at, size_t size) {
    char *to = more(b, size);
    if (!to) return;
    memcpy(to, at, size);
    b->size += size;
}
#define PUT(b, words) put(b, words, sizeof(words) - 1)

/* Zigzag varint (Avro 1.11, binary encoding). */
static void put_long(buffer *b, int64_t value) {
    uint64_t left = ((uint64_t)value << 1) ^ (uint64_t)(value >> 63);
    char *to = more(b, 10);
    if (!to) return;
    do {
        *to++ = (char)(left > 0x7F ? (left & 0x7F) | 0x80 : left);
        b->size++;
        left >>= 7;
    } while (left);
}

static void put_sized(buffer *b, const char *at, size_t size) {
    put_long(b, (int64_t)size);
    put(b, at, size);
}

static void put_text(buffer *b, const text *t) {
    static const char digits[] = "0123456789abcdef";
    PUT(b, "\"");
    if (!t->escaped) {
        put(b, t->at, t->size);
    } else {
        char *to = more(b, 6 * (size_t)t->size);
        if (!to) return;
        for (uint32_t i = 0; i < t->size; i++) {
            unsigned char c = (unsigned char)t->at[i];
            const char *found = c && c < 0x80 ? strchr("\"\"\\\\\bb\ff\nn\rr\tt", c) : NULL;
            if (c >= 0x20 && c != '"' && c != '\\') {
                *to++ = (char)c;
            } else if (found && (c < 0x20 || c == '"' || c == '\\')) {
                *to++ = '\\';
                *to++ = found[1];
            } else {
                memcpy(to, "\\u00", 4);
                to[4] = digits[c >> 4];
                to[5] = digits[c & 15];
                to += 6;
            }
        }
        b->size = (size_t)(to - b->data);
    }
    PUT(b, "\"");
}

static void put_node(buffer *b, const node *n) {
    switch (n->kind) {
    case OBJECT:
        PUT(b, "{");
        EACH(one, n) {
            if (one != n->inner) PUT(b, ",");
            put_text(b, &one->key);
            PUT(b, ":");
            put_node(b, one);
        }
        PUT(b, "}");
        break;
    case ARRAY:
        PUT(b, "[");
        EACH(one, n) {
            if (one != n->inner) PUT(b, ",");
            put_node(b, one);
        }
        PUT(b, "]");
        break;
    case STRING: put_text(b, &n->text); break;
    case TRUE_: PUT(b, "true"); break;
    case FALSE_: PUT(b, "false"); break;
    case NULL_: PUT(b, "null"); break;
    default: put(b, n->text.at, n->text.size);
    }
}

/* Places of agents in a statement, in the order of xapi/agents.py: actor, object, instructor, team. */
static int agents_of(const statement *s, const node *found[4]) {
    int count = 0;
    const node *places[4] = {s->actor, s->object, s->instructor, s->team};
    for (int i = 0; i < 4; i++)
        if (places[i]) found[count++] = places[i];
    return count;
}

static void put_context(buffer *b, const statement *s, const node *agents[4], const text keys[4], int count) {
    PUT(b, "{");
    EACH(one, s->context) {
        if (one != s->context->inner) PUT(b, ",");
        put_text(b, &one->key);
        PUT(b, ":");
        int agent = 0;
        while (agent < count && agents[agent] != one) agent++;
        if (agent < count) {
            put_text(b, &keys[agent]);
        } else if (one == s->activities) {
            /* Answered as arrays, also where one activity was sent (Data 2.4.6.2). */
            PUT(b, "{");
            EACH(list, one) {
                if (list != one->inner) PUT(b, ",");
                put_text(b, &list->key);
                PUT(b, ":");
                if (list->kind == OBJECT) PUT(b, "[");
                put_node(b, list);
                if (list->kind == OBJECT) PUT(b, "]");
            }
            PUT(b, "}");
        } else {
            put_node(b, one);
        }
    }
    PUT(b, "}");
}

/* What identity of content means: all but id, authority, stored, timestamp and version, without the first brace. */
static void put_content(buffer *b, const statement *s, const text keys[4]) {
    const node *agents[4];
    int count = agents_of(s, agents), first = 1;
    EACH(one, s->root) {
        if (one == s->id || one == s->timestamp || IS(one->key, "stored") || IS(one->key, "version")) continue;
        if (!first) PUT(b, ",");
        first = 0;
        put_text(b, &one->key);
        PUT(b, ":");
        int agent = 0;
        while (agent < count && agents[agent] != one) agent++;
        if (agent < count) put_text(b, &keys[agent]);
        else if (one == s->context) put_context(b, s, agents, keys, count);
        else put_node(b, one);
    }
    PUT(b, "}");
}

/* BLAKE2b (RFC 7693) of an open brace and ``data``, 8 bytes long, as a big-endian integer. */
static const uint64_t BLAKE_IV[8] = {
    0x6a09e667f3bcc908u, 0xbb67ae8584caa73bu, 0x3c6ef372fe94f82bu, 0xa54ff53a5f1d36f1u,
    0x510e527fade682d1u, 0x9b05688c2b3e6c1fu, 0x1f83d9abfb41bd6bu, 0x5be0cd19137e2179u,
};

static void blake_block(uint64_t h[8], const unsigned char *data, uint64_t count, int last) {
    static const unsigned char order[10][16] = {
        {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}, {14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3},
        {11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4}, {7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8},
        {9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13}, {2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9},
        {12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11}, {13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10},
        {6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5}, {10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0},
    };
    uint64_t m[16], v[16];
    for (int i = 0; i < 16; i++) {
        m[i] = 0;
        for (int j = 7; j >= 0; j--) m[i] = m[i] << 8 | data[8 * i + j];
    }
    for (int i = 0; i < 8; i++) {
        v[i] = h[i];
        v[i + 8] = BLAKE_IV[i];
    }
    v[12] ^= count;
    if (last) v[14] = ~v[14];
#define TURN(x, n) ((x) >> (n) | (x) << (64 - (n)))
#define MIX(a, b, c, d, x, y)                                                                                          \
    v[a] += v[b] + m[x], v[d] = TURN(v[d] ^ v[a], 32), v[c] += v[d], v[b] = TURN(v[b] ^ v[c], 24),                     \
        v[a] += v[b] + m[y], v[d] = TURN(v[d] ^ v[a], 16), v[c] += v[d], v[b] = TURN(v[b] ^ v[c], 63)
    for (int round = 0; round < 12; round++) {
        const unsigned char *s = order[round % 10];
        MIX(0, 4, 8, 12, s[0], s[1]);
        MIX(1, 5, 9, 13, s[2], s[3]);
        MIX(2, 6, 10, 14, s[4], s[5]);
        MIX(3, 7, 11, 15, s[6], s[7]);
        MIX(0, 5, 10, 15, s[8], s[9]);
        MIX(1, 6, 11, 12, s[10], s[11]);
        MIX(2, 7, 8, 13, s[12], s[13]);
        MIX(3, 4, 9, 14, s[14], s[15]);
    }
#undef MIX
#undef TURN
    for (int i = 0; i < 8; i++) h[i] ^= v[i] ^ v[i + 8];
}

static int64_t digest(const unsigned char *data, size_t size) {
    uint64_t h[8], count = 0, out = 0;
    unsigned char rest[128] = {0};
    memcpy(h, BLAKE_IV, sizeof h);
    h[0] ^= 0x01010000u ^ 8u;
    while (size > 128) {
        count += 128;
        blake_block(h, data, count, 0);
        data += 128;
        size -= 128;
    }
    memcpy(rest, data, size);
    blake_block(h, rest, count + size, 1);
    for (int i = 0; i < 8; i++) out = out << 8 | (h[0] >> (8 * i) & 0xFF);
    return (int64_t)out;
}

#endif
