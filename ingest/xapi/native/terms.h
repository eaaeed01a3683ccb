/* The special data types of the specification (Data 4), as in terms.py and timestamps.py: 1 where a text surely is one.
 *
 * Forms that are seldom seen answer 0, and the reference decides. */
#ifndef ROUNDTRIP_TERMS_H
#define ROUNDTRIP_TERMS_H

#include "json.h"

static inline int same(const text *t, const char *wanted, size_t size) {
    return t->size == size && !memcmp(t->at, wanted, size);
}
#define IS(t, wanted) same(&(t), wanted, sizeof(wanted) - 1)

static inline int letter(char c) { return (c | 0x20) >= 'a' && (c | 0x20) <= 'z'; }

static const unsigned char NOT_IN_IRI[256] = {
    [0 ... 0x20] = 1, [0x7F] = 1, ['<'] = 1, ['>'] = 1, ['"'] = 1, ['{'] = 1, ['}'] = 1, ['|'] = 1, ['\\'] = 1,
    ['^'] = 1, ['`'] = 1,
};

static int is_iri(const text *t) {
    const char *at = t->at, *end = t->at + t->size;
    if (at >= end || !letter(*at)) return 0;
    while (at < end && (letter(*at) || is_digit(*at) || *at == '+' || *at == '.' || *at == '-')) at++;
    if (at >= end || *at++ != ':' || at >= end) return 0;
    for (; at < end; at++)
        if (NOT_IN_IRI[(unsigned char)*at]) return 0;
    return 1;
}

static int is_uuid(const text *t) {
    if (t->size != 36) return 0;
    for (int i = 0; i < 36; i++) {
        if (i == 8 || i == 13 || i == 18 || i == 23) {
            if (t->at[i] != '-') return 0;
        } else if (hex((unsigned char)t->at[i]) < 0) {
            return 0;
        }
    }
    char variant = (char)(t->at[19] | 0x20);
    return t->at[14] >= '1' && t->at[14] <= '8' &&
           (t->at[19] == '8' || t->at[19] == '9' || variant == 'a' || variant == 'b');
}

/* A language of two or three letters, with or without script and region. */
static int is_language(const text *t) {
    const char *at = t->at, *end = t->at + t->size;
    int parts = 0;
    while (at < end) {
        const char *begin = at;
        int letters = 0;
        for (; at < end && *at != '-'; at++) {
            if (letter(*at)) letters++;
            else if (!is_digit(*at)) return 0;
        }
        long size = at - begin;
        if (parts == 0) {
            if ((size != 2 && size != 3) || letters != size) return 0;
            parts = 1;
        } else if (parts == 1 && size == 4 && letters == 4) {
            parts = 2;
        } else if (parts <= 2 && ((size == 2 && letters == 2) || (size == 3 && !letters))) {
            parts = 3;
        } else {
            return 0;
        }
        if (at < end && ++at == end) return 0;
    }
    return parts > 0;
}

static int is_mbox(const text *t) {
    static const char scheme[] = "mailto:";
    const char *at = t->at + 7, *end = t->at + t->size, *domain = NULL;
    if (t->size < 10 || memcmp(t->at, scheme, 7)) return 0;
    const char *begin = at;
    for (; at < end; at++) {
        unsigned char c = (unsigned char)*at;
        if (c <= 0x20 || c >= 0x7F || c == '<' || c == '>' || c == '"') return 0;
        if (c == '@') {
            if (domain || at == begin) return 0;
            domain = at + 1;
        }
    }
    return domain && domain < end;
}

static int is_sha1(const text *t) {
    if (t->size != 40) return 0;
    for (int i = 0; i < 40; i++)
        if (hex((unsigned char)t->at[i]) < 0) return 0;
    return 1;
}

static int pair(const char *at) { return is_digit(at[0]) && is_digit(at[1]) ? (at[0] - '0') * 10 + at[1] - '0' : 1000; }

/* Days from 1970-01-01 to a date of the Gregorian calendar (after H. Hinnant, days_from_civil). */
static int64_t days(int year, int month, int day) {
    year -= month <= 2;
    int64_t era = year / 400;
    int of_era = year - (int)era * 400;
    int of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + (int64_t)of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

#define DAY_US INT64_C(86400000000)

/* µs since the epoch of a timestamp with a zone; cut to microseconds. */
static int timestamp(const text *t, int64_t *out) {
    static const char lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    const char *at = t->at, *end = t->at + t->size;
    if (t->size < 20 || at[4] != '-' || at[7] != '-' || at[10] != 'T' || at[13] != ':' || at[16] != ':') return 0;
    int year = pair(at) * 100 + pair(at + 2), month = pair(at + 5), day = pair(at + 8);
    int hour = pair(at + 11), minute = pair(at + 14), second = pair(at + 17);
    if (year < 1970 || year > 2149 || month < 1 || month > 12 || hour > 23 || minute > 59 || second > 59) return 0;
    int leap = month == 2 && year % 4 == 0 && (year % 100 || year % 400 == 0);
    if (day < 1 || day > lengths[month - 1] + leap) return 0;
    int64_t micros = 0, offset = 0;
    at += 19;
    if (*at == '.') {
        int count = 0;
        for (at++; at < end && is_digit(*at); at++)
            if (count++ < 6) micros = micros * 10 + *at - '0';
        if (!count || count > 40) return 0;
        for (; count < 6; count++) micros *= 10;
    }
    if (end - at == 1 && *at == 'Z') {
        offset = 0;
    } else if (end - at == 6 && (*at == '+' || *at == '-') && at[3] == ':') {
        int hours = pair(at + 1), minutes = pair(at + 4);
        if (hours > 23 || minutes > 59) return 0;
        offset = hours * 60 + minutes;
        if (*at == '-') {
            if (!offset) return 0;
            offset = -offset;
        }
    } else {
        return 0;
    }
    int64_t seconds = days(year, month, day) * 86400 + hour * 3600 + minute * 60 + second - offset * 60;
    *out = seconds * 1000000 + micros;
    return *out >= 2 * DAY_US && *out < 65533 * DAY_US;
}

/* P, then days, T, hours, minutes, seconds as far as there are any; the last of them may have a fraction. */
static int is_duration(const text *t) {
    static const char order[] = "DHMS";
    const char *at = t->at, *end = t->at + t->size;
    int next = 0, parts = 0, in_time = 0, ended = 0;
    if (at >= end || *at++ != 'P') return 0;
    while (at < end) {
        if (*at == 'T' && !in_time) {
            in_time = 1;
            if (next < 1) next = 1;
            if (++at == end) return 0;
            continue;
        }
        const char *begin = at;
        if (ended) return 0;
        while (at < end && is_digit(*at)) at++;
        if (at == begin) return 0;
        if (at < end && (*at == '.' || *at == ',')) {
            ended = 1;
            begin = ++at;
            while (at < end && is_digit(*at)) at++;
            if (at == begin) return 0;
        }
        if (at >= end) return 0;
        while (next < 4 && order[next] != *at) next++;
        if (next == 4 || (next > 0) != in_time) return 0;
        next++;
        at++;
        parts++;
    }
    return parts > 0;
}

#endif
