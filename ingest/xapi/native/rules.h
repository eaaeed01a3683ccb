/* The rules of the specification, as in xapi/validation: 1 where a part surely keeps them all.
 *
 * What breaks one, and what is too rare to be known here (sub-statements, attachments, an authority, context agents),
 * answers 0: the reference then accepts it, or says what is wrong. */
#ifndef ROUNDTRIP_RULES_H
#define ROUNDTRIP_RULES_H

#include "terms.h"

/* What is known of a valid statement; pointers into the tree. */
typedef struct {
    node *root, *actor, *object, *context, *id, *timestamp, *version, *verb_id, *activity_id, *instructor, *team, *activities;
    int64_t time, digest; /* the digest is there once an item was made */
} statement;

#define IDENTIFIER_BYTES 2048 /* as in validation/actors.py */

#define EACH(member, of) for (node *member = (of)->inner, *member##_end = member + (of)->count; member < member##_end; member++)

static int only(const node *n, enum kind kind) { return n->kind == kind; }
static int iri(const node *n) { return n->kind == STRING && is_iri(&n->text); }
static int uuid(const node *n) { return n->kind == STRING && is_uuid(&n->text); }

static int language_map(const node *n) {
    if (n->kind != OBJECT) return 0;
    EACH(one, n) if (one->kind != STRING || !is_language(&one->key)) return 0;
    return 1;
}

static int extensions(const node *n) {
    if (n->kind != OBJECT) return 0;
    EACH(one, n) if (!is_iri(&one->key)) return 0;
    return 1;
}

static int account(const node *n) {
    /* Sorted: homePage before name. */
    return n->kind == OBJECT && n->count == 2 && IS(n->inner[0].key, "homePage") && iri(&n->inner[0]) &&
           IS(n->inner[1].key, "name") && n->inner[1].kind == STRING && n->inner[1].text.size > 0 &&
           n->inner[0].text.size + n->inner[1].text.size <= IDENTIFIER_BYTES;
}

static const node *find(const node *n, const char *name, size_t size) {
    EACH(one, n) if (same(&one->key, name, size)) return one;
    return NULL;
}

static int is_group(const node *n) {
    const node *type = n->kind == OBJECT ? find(n, "objectType", 10) : NULL;
    return type && type->kind == STRING && IS(type->text, "Group");
}

static int party(const node *n, int group) {
    const node *members = NULL;
    int identifiers = 0;
    if (n->kind != OBJECT) return 0;
    EACH(one, n) {
        if (IS(one->key, "objectType")) {
            if (one->kind != STRING || !(group ? IS(one->text, "Group") : IS(one->text, "Agent"))) return 0;
        } else if (IS(one->key, "name")) {
            if (one->kind != STRING) return 0;
        } else if (IS(one->key, "account")) {
            identifiers++;
            if (!account(one)) return 0;
        } else if (IS(one->key, "mbox")) {
            identifiers++;
            if (one->kind != STRING || !is_mbox(&one->text) || one->text.size > IDENTIFIER_BYTES) return 0;
        } else if (IS(one->key, "mbox_sha1sum")) {
            identifiers++;
            if (one->kind != STRING || !is_sha1(&one->text)) return 0;
        } else if (IS(one->key, "openid")) {
            identifiers++;
            if (!iri(one) || one->text.size > IDENTIFIER_BYTES) return 0;
        } else if (group && IS(one->key, "member")) {
            members = one;
            if (one->kind != ARRAY) return 0;
            EACH(inner, one) if (!party(inner, 0)) return 0;
        } else {
            return 0;
        }
    }
    return identifiers == 1 || (group && !identifiers && members && members->count);
}

static int actor(const node *n) { return party(n, is_group(n)); }

static int components(const node *n) {
    if (n->kind != ARRAY || n->count > 64) return 0;
    EACH(one, n) {
        if (one->kind != OBJECT) return 0;
        const node *id = find(one, "id", 2);
        if (!id || id->kind != STRING || !id->text.size) return 0;
        EACH(member, one) {
            if (member == id) continue;
            if (!IS(member->key, "description") || !language_map(member)) return 0;
        }
        for (const node *earlier = n->inner; earlier < one; earlier++) {
            const node *other = find(earlier, "id", 2);
            if (same(&other->text, id->text.at, id->text.size)) return 0;
        }
    }
    return 1;
}

/* Whether an interaction type (NULL: a list of no type) may have the component list ``name``; -1: no such type. */
static int may_have(const text *type, const text *name) {
    if (IS(*type, "choice") || IS(*type, "sequencing")) return IS(*name, "choices");
    if (IS(*type, "likert")) return IS(*name, "scale");
    if (IS(*type, "matching")) return IS(*name, "source") || IS(*name, "target");
    if (IS(*type, "performance")) return IS(*name, "steps");
    if (IS(*type, "true-false") || IS(*type, "fill-in") || IS(*type, "long-fill-in") || IS(*type, "numeric") ||
        IS(*type, "other"))
        return 0;
    return -1;
}

static int definition(const node *n) {
    static const text none = {"", 0, 0};
    if (n->kind != OBJECT) return 0;
    const node *type = find(n, "interactionType", 15);
    if (type && (type->kind != STRING || may_have(&type->text, &none) < 0)) return 0;
    EACH(one, n) {
        if (IS(one->key, "name") || IS(one->key, "description")) {
            if (!language_map(one)) return 0;
        } else if (IS(one->key, "type") || IS(one->key, "moreInfo")) {
            if (!iri(one)) return 0;
        } else if (IS(one->key, "extensions")) {
            if (!extensions(one)) return 0;
        } else if (one == type) {
            continue;
        } else if (IS(one->key, "correctResponsesPattern")) {
            if (!type || one->kind != ARRAY) return 0;
            EACH(pattern, one) if (pattern->kind != STRING) return 0;
        } else if (!type || may_have(&type->text, &one->key) != 1 || !components(one)) {
            return 0;
        }
    }
    return 1;
}

static node *activity(const node *n) {
    node *id = NULL;
    if (n->kind != OBJECT) return NULL;
    EACH(one, n) {
        if (IS(one->key, "id")) {
            if (!iri(one)) return NULL;
            id = one;
        } else if (IS(one->key, "objectType")) {
            if (one->kind != STRING || !IS(one->text, "Activity")) return NULL;
        } else if (!IS(one->key, "definition") || !definition(one)) {
            return NULL;
        }
    }
    return id;
}

static int reference(const node *n) {
    return n->kind == OBJECT && n->count == 2 && IS(n->inner[0].key, "id") && uuid(&n->inner[0]) &&
           IS(n->inner[1].key, "objectType") && n->inner[1].kind == STRING && IS(n->inner[1].text, "StatementRef");
}

static int verb(const node *n, statement *of) {
    if (n->kind != OBJECT) return 0;
    EACH(one, n) {
        if (IS(one->key, "id")) {
            if (!iri(one)) return 0;
            of->verb_id = one;
        } else if (!IS(one->key, "display") || !language_map(one)) {
            return 0;
        }
    }
    return of->verb_id != NULL;
}

static int score(const node *n) {
    double found[4] = {0};
    int known[4] = {0};
    if (n->kind != OBJECT) return 0;
    EACH(one, n) {
        int place = IS(one->key, "scaled") ? 0 : IS(one->key, "raw") ? 1 : IS(one->key, "min") ? 2 : 3;
        char copy[24];
        if (place == 3 && !IS(one->key, "max")) return 0;
        /* Up to 15 digits: as exact in a double as in the reference. */
        if (one->kind != INTEGER && one->kind != DECIMAL) return 0;
        memcpy(copy, one->text.at, one->text.size);
        copy[one->text.size] = 0;
        found[place] = PyOS_string_to_double(copy, NULL, NULL);
        known[place] = 1;
    }
    double scaled = found[0], raw = found[1], low = found[2], high = found[3];
    if (known[0] && !(scaled >= -1 && scaled <= 1)) return 0;
    if (known[2] && known[3] && low >= high) return 0;
    return !(known[1] && ((known[2] && raw < low) || (known[3] && raw > high)));
}

static int result(const node *n) {
    if (n->kind != OBJECT) return 0;
    EACH(one, n) {
        if (IS(one->key, "score")) {
            if (!score(one)) return 0;
        } else if (IS(one->key, "success") || IS(one->key, "completion")) {
            if (one->kind != TRUE_ && one->kind != FALSE_) return 0;
        } else if (IS(one->key, "response")) {
            if (!only(one, STRING)) return 0;
        } else if (IS(one->key, "duration")) {
            if (one->kind != STRING || !is_duration(&one->text)) return 0;
        } else if (!IS(one->key, "extensions") || !extensions(one)) {
            return 0;
        }
    }
    return 1;
}

static int context_activities(const node *n) {
    if (n->kind != OBJECT) return 0;
    EACH(one, n) {
        if (!IS(one->key, "parent") && !IS(one->key, "grouping") && !IS(one->key, "category") && !IS(one->key, "other"))
            return 0;
        if (one->kind == ARRAY) {
            EACH(inner, one) if (!activity(inner)) return 0;
        } else if (!activity(one)) {
            return 0;
        }
    }
    return 1;
}

static int context(node *n, statement *of) {
    if (n->kind != OBJECT) return 0;
    EACH(one, n) {
        if (IS(one->key, "contextActivities")) {
            if (!context_activities(one)) return 0;
            of->activities = one;
        } else if (IS(one->key, "registration")) {
            if (!uuid(one)) return 0;
        } else if (IS(one->key, "platform") || IS(one->key, "revision")) {
            if (one->kind != STRING || !of->activity_id) return 0;
        } else if (IS(one->key, "language")) {
            if (one->kind != STRING || !is_language(&one->text)) return 0;
        } else if (IS(one->key, "extensions")) {
            if (!extensions(one)) return 0;
        } else if (IS(one->key, "instructor")) {
            if (!actor(one)) return 0;
            of->instructor = one;
        } else if (IS(one->key, "team")) {
            if (!is_group(one) || !party(one, 1)) return 0;
            of->team = one;
        } else if (!IS(one->key, "statement") || !reference(one)) {
            return 0;
        }
    }
    of->context = n;
    return 1;
}

static int object(node *n, statement *of) {
    const node *type = n->kind == OBJECT ? find(n, "objectType", 10) : NULL;
    if (type && type->kind == STRING && (IS(type->text, "Agent") || IS(type->text, "Group"))) {
        of->object = n;
        return actor(n);
    }
    if (type && type->kind == STRING && IS(type->text, "StatementRef")) return reference(n);
    of->activity_id = activity(n);
    return of->activity_id != NULL;
}

static int version(const node *n) {
    if (n->kind != STRING || n->text.size < 3 || memcmp(n->text.at, "1.0", 3)) return 0;
    if (n->text.size == 3) return 1;
    if (n->text.at[3] != '.' || n->text.size == 4) return 0;
    for (uint32_t i = 4; i < n->text.size; i++)
        if (!is_digit(n->text.at[i])) return 0;
    return 1;
}

/* A statement (Data 2.2); fills in ``of``. Of timestamps in 2.0.0 only those in UTC are known here. */
static int valid(node *n, int version_2, statement *of) {
    node *context_node = NULL;
    int verbs = 0, objects = 0, refers = 0;
    int64_t ignored;
    memset(of, 0, sizeof *of);
    if (n->kind != OBJECT) return 0;
    of->root = n;
    EACH(one, n) {
        if (IS(one->key, "actor")) {
            if (!actor(one)) return 0;
            of->actor = one;
        } else if (IS(one->key, "verb")) {
            if (!verb(one, of)) return 0;
            verbs = 1;
        } else if (IS(one->key, "object")) {
            if (!object(one, of)) return 0;
            objects = 1;
            refers = !of->object && !of->activity_id;
        } else if (IS(one->key, "context")) {
            context_node = one;
        } else if (IS(one->key, "result")) {
            if (!result(one)) return 0;
        } else if (IS(one->key, "id")) {
            if (!uuid(one)) return 0;
            of->id = one;
        } else if (IS(one->key, "timestamp")) {
            if (one->kind != STRING || !timestamp(&one->text, &of->time)) return 0;
            if (version_2 && one->text.at[one->text.size - 1] != 'Z') return 0;
            of->timestamp = one;
        } else if (IS(one->key, "stored")) {
            if (one->kind != STRING || !timestamp(&one->text, &ignored)) return 0;
        } else if (IS(one->key, "version")) {
            if (!version(one)) return 0;
            if (!version_2) of->version = one;
        } else {
            return 0;
        }
    }
    if (!of->actor || !verbs || !objects) return 0;
    if (IS(of->verb_id->text, "http://adlnet.gov/expapi/verbs/voided") && !refers) return 0;
    return !context_node || context(context_node, of);
}

#endif
