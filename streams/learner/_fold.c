/* The fold over attempts: streams.learner.fold.extend, compiled.

   extend(state, attempts, calibration) does to a state what the Python does, operation by operation, and returns the
   skills that changed; or None, with the state as it was, for anything that is not exactly what a worker hands over (a
   number of another type, an outcome beyond 0 … 1, a skill named twice). The Python then does it from the start. Names
   of places and features are those of state.py and model.py, which say what they mean. Built without fused
   multiply-add: results are the same to the last bit. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <structmember.h>

enum { STUDENT_PART, STUDENT_WINS, STUDENT_LOSSES, STUDENT_2, STUDENT_5, STUDENT_20, STUDENT_ERROR, STUDENT_OWN,
       LATEST, LAST_ITEM, LAST_SKILLS, LAST_RIGHT, PACE, PACED, RAPID, ITEMS = 16, ITEM_PLACES = 16,
       STUDENT_MEMORY = ITEMS + 3 * ITEM_PLACES };
enum { INFORMATION, SKILL_PART, SKILL_WINS, SKILL_LOSSES, SKILL_2, SKILL_5, SKILL_20, SKILL_ERROR, SKILL_OWN, PLACE,
       PATTERN, BALANCE, HELD, SKILL_MEMORY };
enum { FEATURES = 9, SITUATIONS = 10, MOST_SKILLS = 8, MOST_TIME = 53 };

#define BASE 0.65
#define HASTE 0.3
#define FAR_QUICKER 1.6094379124341003
#define PACES_NEEDED 5.0
#define BAND 1.645
#define HOUR_US 3600000000LL
#define WEEK_US (168 * HOUR_US)
#define LARGEST (1LL << MOST_TIME) /* whole numbers that a double holds exactly */

static double share_2, share_5, share_20;

/* Offsets of the slots of the two types; -1: not configured. */
static PyTypeObject *learner_type, *skill_type;
static struct { Py_ssize_t rating, attempts, last, memory, skills; } of_learner;
static struct {
    Py_ssize_t attempts, successes, rating, mastery, recent, first_at, last_at, low, high, memory;
} of_skill;

#define SLOT(object, offset) (*(PyObject **)((char *)(object) + (offset)))

/* What is known of the calibration in use, read once. */
static struct {
    PyObject *calibration, *known_items, *known_skills;
    Py_buffer crosses;
    double intercept, student[FEATURES], skill[FEATURES], situation[SITUATIONS];
    double first, slowing, skill_first, skill_slowing, own_first, own_slowing, own_skill_first, own_skill_slowing;
    unsigned shift;
} in_use;

typedef struct { double difficulty, logit, last; uint32_t hash; } Known; /* last: pace of an item, level of a skill */

typedef struct {
    PyObject *name, *state; /* owned; state is NULL for a skill that was never tried */
    PyObject *first_at;     /* borrowed from an attempt; NULL: as it was */
    PyObject *last_at;      /* likewise */
    Py_hash_t hash;
    long long attempts, last_moment;
    double rating, successes, recent, mastery, low, high, memory[SKILL_MEMORY];
} Skill;

typedef struct {
    Skill *skills;
    Py_ssize_t many, room;
    long long attempts, last_moment;
    double rating, memory[STUDENT_MEMORY];
} Learner;

enum { DONE = 0, UNUSUAL = 1, FAILED = -1 };

static inline double sigmoid(double logit) {
    if (logit >= 0.0)
        return 1.0 / (1.0 + exp(-logit));
    double grown = exp(logit);
    return grown / (1.0 + grown);
}

static inline int real(PyObject *value, double *found) {
    if (value == NULL || !PyFloat_CheckExact(value))
        return UNUSUAL;
    *found = PyFloat_AS_DOUBLE(value);
    return DONE;
}

static inline int whole(PyObject *value, long long *found) {
    if (value == NULL || !PyLong_CheckExact(value))
        return UNUSUAL;
    int overflow;
    *found = PyLong_AsLongLongAndOverflow(value, &overflow);
    return overflow ? UNUSUAL : DONE;
}

/* A state's memory: an array of doubles that can be written to. */
static int memory_of(PyObject *array, Py_buffer *memory, Py_ssize_t many) {
    if (array == NULL || PyObject_GetBuffer(array, memory, PyBUF_WRITABLE | PyBUF_FORMAT) < 0) {
        PyErr_Clear();
        return UNUSUAL;
    }
    if (memory->format != NULL && strcmp(memory->format, "d") == 0 && memory->len == many * (Py_ssize_t)sizeof(double))
        return DONE;
    PyBuffer_Release(memory);
    return UNUSUAL;
}

static int remembered(PyObject *array, double *found, Py_ssize_t many) {
    Py_buffer memory;
    if (memory_of(array, &memory, many) != DONE)
        return UNUSUAL;
    memcpy(found, memory.buf, (size_t)memory.len);
    PyBuffer_Release(&memory);
    return DONE;
}

static uint32_t crc_table[256];

static uint32_t hashed(const char *text, Py_ssize_t size) {
    uint32_t crc = 0xFFFFFFFFu;
    for (Py_ssize_t i = 0; i < size; i++)
        crc = crc_table[(crc ^ (unsigned char)text[i]) & 0xFF] ^ crc >> 8;
    return ~crc;
}

/* An item or a skill by its name; ``found`` is 0 for one that the calibration does not know. */
static int look_up(PyObject *table, PyObject *name, Known *known, int *found) {
    PyObject *stored = PyDict_GetItemWithError(table, name);
    *found = stored != NULL;
    if (stored == NULL) {
        Py_ssize_t size;
        const char *text = PyErr_Occurred() ? NULL : PyUnicode_AsUTF8AndSize(name, &size);
        if (text == NULL) {
            PyErr_Clear();
            return UNUSUAL;
        }
        *known = (Known){0.0, 0.0, 0.0, hashed(text, size)};
        return DONE;
    }
    long long hash;
    if (!PyTuple_Check(stored) || PyTuple_GET_SIZE(stored) != 4 ||
        real(PyTuple_GET_ITEM(stored, 0), &known->difficulty) != DONE ||
        real(PyTuple_GET_ITEM(stored, 1), &known->logit) != DONE || whole(PyTuple_GET_ITEM(stored, 2), &hash) != DONE ||
        real(PyTuple_GET_ITEM(stored, 3), &known->last) != DONE)
        return UNUSUAL;
    known->hash = (uint32_t)hash;
    return DONE;
}

static uint32_t place(uint64_t cross, uint64_t one, uint64_t other) {
    uint32_t mixed = (uint32_t)(one * 0x9E3779B1u + other * 0x85EBCA77u + cross * 0xC2B2AE3Du);
    mixed ^= mixed >> 15;
    mixed *= 0x2C1B3C6Du;
    mixed ^= mixed >> 13;
    return (uint32_t)((uint64_t)(uint32_t)(mixed * 0x297A2D39u) >> in_use.shift);
}

static double student_part(const Learner *learner) {
    const double *memory = learner->memory, *w = in_use.student;
    double seen = (double)learner->attempts;
    return memory[STUDENT_OWN] + learner->rating * w[0] + log1p(memory[STUDENT_WINS]) * w[1] +
           log1p(memory[STUDENT_LOSSES]) * w[2] + memory[STUDENT_2] * w[3] + memory[STUDENT_5] * w[4] +
           memory[STUDENT_20] * w[5] + memory[STUDENT_ERROR] * w[6] + seen / (1.0 + seen) * w[7] +
           memory[LATEST] * w[8];
}

static double skill_part(const Skill *skill) {
    const double *memory = skill->memory, *w = in_use.skill;
    double seen = (double)skill->attempts;
    return memory[SKILL_OWN] + skill->rating * w[0] + log1p(memory[SKILL_WINS]) * w[1] +
           log1p(memory[SKILL_LOSSES]) * w[2] + memory[SKILL_2] * w[3] + memory[SKILL_5] * w[4] +
           memory[SKILL_20] * w[5] + memory[SKILL_ERROR] * w[6] + (skill->attempts ? 1.0 : 0.0) * w[7] +
           seen / (1.0 + seen) * w[8];
}

/* What an answer meets. */
typedef struct {
    Py_ssize_t n;
    Py_ssize_t own[MOST_SKILLS]; /* places in the learner's skills */
    double levels[MOST_SKILLS];
    Known item;
    uint64_t skills;
    double expected, logit;
} Met;

static void situation(const Learner *learner, Met *met, long long at, int item_known, int skills_known) {
    const double *memory = learner->memory;
    double values[SITUATIONS] = {0.0};
    double lag = 0.0, lag_balance = 0.0, hours = 0.0, hours_balance = 0.0, old = 0.0, ability = 0.0;
    long long fewest = 1LL << 62;
    uint64_t pattern = 1;
    for (Py_ssize_t i = 0; i < met->n; i++) {
        const Skill *skill = &learner->skills[met->own[i]];
        ability += skill->rating;
        if (skill->attempts < fewest) {
            fewest = skill->attempts;
            pattern = (uint64_t)skill->memory[PATTERN];
            if (!pattern)
                pattern = 1;
        }
        if (!skill->attempts)
            continue;
        double balance = skill->memory[BALANCE];
        double answers = log1p((double)learner->attempts - skill->memory[PLACE]);
        lag += answers;
        lag_balance += answers * balance;
        if (at > skill->last_moment && skill->last_moment > 0) {
            long long gap = at - skill->last_moment;
            double since = log1p((double)gap / (double)HOUR_US);
            hours += since;
            hours_balance += since * balance;
            if (gap > WEEK_US)
                old += 1.0;
        }
    }
    if (met->n > 1) {
        double n = (double)met->n;
        ability /= n, lag /= n, lag_balance /= n, hours /= n, hours_balance /= n, old /= n;
    }
    uint64_t item = met->item.hash;
    const double *before = &memory[ITEMS + 3 * (item % ITEM_PLACES)];
    if (before[0] == (double)(item + 1)) {
        values[2] = log1p(before[1]);
        values[3] = log1p(before[2]);
    }
    uint64_t last_skills = (uint64_t)memory[LAST_SKILLS], right_before = (uint64_t)memory[LAST_RIGHT];
    double same = met->n && learner->attempts && last_skills == met->skills ? 1.0 : 0.0;
    values[0] = lag, values[1] = lag_balance, values[4] = same, values[5] = same * memory[LATEST];
    values[6] = hours, values[7] = hours_balance, values[8] = old;
    if (at > learner->last_moment && learner->last_moment > 0)
        values[9] = log1p((double)(at - learner->last_moment) / (double)HOUR_US);
    const double *w = in_use.situation;
    double sum = values[0] * w[0];
    for (int i = 1; i < SITUATIONS; i++)
        sum += values[i] * w[i];
    met->logit += sum;
    const double *crosses = in_use.crosses.buf;
    if (skills_known) {
        met->logit += crosses[place(1, met->skills, 0)];
        met->logit += crosses[place(2, met->skills, pattern)];
    }
    if (item_known)
        met->logit += crosses[place(3, item, (uint64_t)memory[LAST_ITEM] * 2 + right_before)];
    if (skills_known)
        met->logit += crosses[place(4, met->skills, last_skills * 2 + right_before)];
    if (item_known) {
        double height = learner->rating + ability;
        double level = height > -2.25 ? (height + 2.25) * 2.0 : 0.0;
        met->logit += crosses[place(5, item, level < 8.0 ? (uint64_t)level : 8)];
    }
}

/* The skill of a name among those met, met now if it was not; -1 and UNUSUAL or FAILED in ``status``. */
static Py_ssize_t find(Learner *learner, PyObject *skills, PyObject *name, int *status) {
    Py_hash_t hash = PyObject_Hash(name);
    for (Py_ssize_t i = 0; i < learner->many; i++)
        if (learner->skills[i].name == name ||
            (learner->skills[i].hash == hash && PyUnicode_Compare(learner->skills[i].name, name) == 0))
            return i;
    if (learner->many == learner->room) {
        Py_ssize_t room = learner->room ? 2 * learner->room : 8;
        Skill *grown = PyMem_Realloc(learner->skills, (size_t)room * sizeof *grown);
        if (grown == NULL) {
            PyErr_NoMemory();
            *status = FAILED;
            return -1;
        }
        learner->skills = grown;
        learner->room = room;
    }
    Skill *skill = &learner->skills[learner->many];
    memset(skill, 0, sizeof *skill);
    PyObject *state = PyDict_GetItemWithError(skills, name);
    if (state == NULL && PyErr_Occurred()) {
        *status = FAILED;
        return -1;
    }
    if (state != NULL) {
        double *memory = skill->memory;
        if (Py_TYPE(state) != skill_type || whole(SLOT(state, of_skill.attempts), &skill->attempts) != DONE ||
            whole(SLOT(state, of_skill.last_at), &skill->last_moment) != DONE ||
            real(SLOT(state, of_skill.successes), &skill->successes) != DONE ||
            real(SLOT(state, of_skill.rating), &skill->rating) != DONE ||
            real(SLOT(state, of_skill.recent), &skill->recent) != DONE ||
            remembered(SLOT(state, of_skill.memory), memory, SKILL_MEMORY) != DONE || skill->attempts < 0 ||
            skill->last_moment > LARGEST || !(memory[SKILL_WINS] >= 0.0) || !(memory[SKILL_LOSSES] >= 0.0) ||
            !(memory[PATTERN] >= 0.0 && memory[PATTERN] < 16.0) ||
            !((double)learner->attempts - memory[PLACE] >= 0.0)) {
            *status = UNUSUAL;
            return -1;
        }
        Py_INCREF(state);
    }
    skill->state = state;
    skill->hash = hash;
    Py_INCREF(name);
    skill->name = name;
    return learner->many++;
}

static int meet(Learner *learner, PyObject *stored, PyObject *item, PyObject *names, long long at, Met *met) {
    int item_known, skills_known, status = DONE;
    if (look_up(in_use.known_items, item, &met->item, &item_known) != DONE)
        return UNUSUAL;
    met->n = PyList_GET_SIZE(names);
    met->skills = 0;
    skills_known = met->n > 0;
    double rating = 0.0, difficulty = 0.0, told = 0.0, part = 0.0;
    for (Py_ssize_t i = 0; i < met->n; i++) {
        PyObject *name = PyList_GET_ITEM(names, i);
        Known fitted;
        int known;
        if (!PyUnicode_CheckExact(name) || look_up(in_use.known_skills, name, &fitted, &known) != DONE)
            return UNUSUAL;
        Py_ssize_t own = find(learner, stored, name, &status);
        if (own < 0)
            return status;
        for (Py_ssize_t other = 0; other < i; other++)
            if (met->own[other] == own)
                return UNUSUAL; /* named twice */
        met->own[i] = own;
        met->levels[i] = known ? fitted.last : 0.0;
        met->skills += fitted.hash;
        rating += learner->skills[own].rating;
        part += learner->skills[own].memory[SKILL_PART];
        if (known) {
            difficulty += fitted.difficulty;
            told += fitted.logit;
        } else {
            skills_known = 0;
        }
    }
    if (met->n > 1) {
        double n = (double)met->n;
        rating /= n, difficulty /= n, told /= n, part /= n;
        met->skills &= 0xFFFFFFFFu;
    }
    met->expected = learner->rating + rating - met->item.difficulty - difficulty;
    met->logit = in_use.intercept + learner->memory[STUDENT_PART] + part + met->item.logit + told;
    situation(learner, met, at, item_known, skills_known);
    return DONE;
}

static void learn(Learner *learner, const Met *met, PyObject *timestamp, long long at, double outcome,
                  long long duration_ms) {
    double *memory = learner->memory, chance = sigmoid(met->logit), seen = (double)learner->attempts, weight = 1.0;
    if (duration_ms >= 0) {
        double pace = log1p((double)duration_ms), paced = memory[PACED], usual = met->item.last;
        if (usual > 0.0 && paced >= PACES_NEEDED && pace < memory[PACE] - FAR_QUICKER && pace < usual - FAR_QUICKER) {
            weight = HASTE;
            memory[RAPID] += 1.0;
        } else {
            memory[PACE] += (pace - memory[PACE]) / (1.0 + (paced < 100.0 ? paced : 100.0));
            memory[PACED] = paced + 1.0;
        }
    }
    double surprise = weight * (outcome - sigmoid(met->expected)), error = (outcome - chance) * weight;
    double of_2 = weight * share_2, of_5 = weight * share_5, of_20 = weight * share_20;
    double about = outcome - BASE, right = weight * outcome, wrong = weight * (1.0 - outcome);
    int bit = outcome > 0.5;
    for (Py_ssize_t i = 0; i < met->n; i++) {
        Skill *skill = &learner->skills[met->own[i]];
        double *own = skill->memory, tried = (double)skill->attempts;
        skill->rating += in_use.skill_first / (1.0 + in_use.skill_slowing * tried) * surprise;
        if (skill->attempts) {
            skill->recent += share_5 * (outcome - skill->recent);
        } else {
            skill->recent = outcome;
            skill->first_at = timestamp;
        }
        skill->attempts++;
        skill->successes += outcome;
        skill->last_at = timestamp;
        skill->last_moment = at;
        own[SKILL_WINS] += right;
        own[SKILL_LOSSES] += wrong;
        own[BALANCE] = log1p(own[SKILL_WINS]) - log1p(own[SKILL_LOSSES]);
        own[SKILL_2] += of_2 * (about - own[SKILL_2]);
        own[SKILL_5] += of_5 * (about - own[SKILL_5]);
        own[SKILL_20] += of_20 * (about - own[SKILL_20]);
        own[SKILL_ERROR] += of_5 * (surprise - own[SKILL_ERROR]);
        own[SKILL_OWN] += in_use.own_skill_first / (1.0 + in_use.own_skill_slowing * tried) * error;
        own[PLACE] = seen + 1.0;
        int pattern = (int)own[PATTERN];
        pattern = (pattern ? pattern : 1) * 2 + bit;
        own[PATTERN] = (double)(pattern < 16 ? pattern : (pattern & 7) | 8);
    }
    learner->rating += in_use.first / (1.0 + in_use.slowing * seen) * surprise;
    learner->attempts++;
    learner->last_moment = at;
    memory[STUDENT_WINS] += right;
    memory[STUDENT_LOSSES] += wrong;
    memory[STUDENT_2] += of_2 * (about - memory[STUDENT_2]);
    memory[STUDENT_5] += of_5 * (about - memory[STUDENT_5]);
    memory[STUDENT_20] += of_20 * (about - memory[STUDENT_20]);
    memory[STUDENT_ERROR] += of_5 * (surprise - memory[STUDENT_ERROR]);
    memory[STUDENT_OWN] += in_use.own_first / (1.0 + in_use.own_slowing * seen) * error;
    memory[LATEST] = about;
    memory[LAST_ITEM] = (double)met->item.hash;
    memory[LAST_SKILLS] = (double)met->skills;
    memory[LAST_RIGHT] = (double)bit;
    double *before = &memory[ITEMS + 3 * (met->item.hash % ITEM_PLACES)], number = (double)met->item.hash + 1.0;
    if (before[0] != number)
        before[0] = number, before[1] = 0.0, before[2] = 0.0;
    before[1] += right;
    before[2] += wrong;
    double standing = memory[STUDENT_PART] = student_part(learner), information = chance * (1.0 - chance);
    standing += in_use.intercept;
    for (Py_ssize_t i = 0; i < met->n; i++) {
        Skill *skill = &learner->skills[met->own[i]];
        double *own = skill->memory;
        own[INFORMATION] += information;
        double part = own[SKILL_PART] = skill_part(skill), logit = standing + part + met->levels[i];
        double wide = BAND / sqrt(1.0 + own[INFORMATION]);
        skill->mastery = sigmoid(logit);
        skill->low = sigmoid(logit - wide);
        skill->high = sigmoid(logit + wide);
        if (skill->attempts == 1) {
            own[HELD] = skill->low;
        } else {
            double held = skill->low > own[HELD] ? skill->low : own[HELD];
            own[HELD] = skill->high < held ? skill->high : held;
        }
    }
}

/* Writing back: nothing here fails but for want of memory. */

static int put(PyObject *object, Py_ssize_t offset, PyObject *value) {
    if (value == NULL)
        return FAILED;
    PyObject *old = SLOT(object, offset);
    SLOT(object, offset) = value;
    Py_XDECREF(old);
    return DONE;
}

static void remember(PyObject *array, const double *values, Py_ssize_t many) {
    Py_buffer memory;
    if (memory_of(array, &memory, many) != DONE)
        return; /* it was one of that length when it was read, or made */
    memcpy(memory.buf, values, (size_t)memory.len);
    PyBuffer_Release(&memory);
}

static int put_skill(Skill *skill, PyObject *skills, PyObject *touched) {
    if (skill->state == NULL) {
        skill->state = PyObject_CallNoArgs((PyObject *)skill_type);
        if (skill->state == NULL || PyDict_SetItem(skills, skill->name, skill->state) < 0)
            return FAILED;
    }
    PyObject *state = skill->state;
    if (skill->first_at != NULL && put(state, of_skill.first_at, Py_NewRef(skill->first_at)) != DONE)
        return FAILED;
    if (put(state, of_skill.last_at, Py_NewRef(skill->last_at)) != DONE ||
        put(state, of_skill.attempts, PyLong_FromLongLong(skill->attempts)) != DONE ||
        put(state, of_skill.successes, PyFloat_FromDouble(skill->successes)) != DONE ||
        put(state, of_skill.rating, PyFloat_FromDouble(skill->rating)) != DONE ||
        put(state, of_skill.recent, PyFloat_FromDouble(skill->recent)) != DONE ||
        put(state, of_skill.mastery, PyFloat_FromDouble(skill->mastery)) != DONE ||
        put(state, of_skill.low, PyFloat_FromDouble(skill->low)) != DONE ||
        put(state, of_skill.high, PyFloat_FromDouble(skill->high)) != DONE)
        return FAILED;
    remember(SLOT(state, of_skill.memory), skill->memory, SKILL_MEMORY);
    return PySet_Add(touched, skill->name) < 0 ? FAILED : DONE;
}

static PyObject *write_back(PyObject *state, Learner *learner, PyObject *attempt) {
    PyObject *touched = PySet_New(NULL), *skills = SLOT(state, of_learner.skills);
    if (touched == NULL)
        return NULL;
    int status = DONE;
    for (Py_ssize_t i = 0; status == DONE && i < learner->many; i++)
        status = put_skill(&learner->skills[i], skills, touched);
    if (status == DONE && attempt != NULL &&
        (put(state, of_learner.rating, PyFloat_FromDouble(learner->rating)) != DONE ||
         put(state, of_learner.attempts, PyLong_FromLongLong(learner->attempts)) != DONE ||
         put(state, of_learner.last, PyTuple_GetSlice(attempt, 0, 2)) != DONE))
        status = FAILED;
    if (status == DONE) {
        remember(SLOT(state, of_learner.memory), learner->memory, STUDENT_MEMORY);
        return touched;
    }
    Py_DECREF(touched);
    return NULL;
}

/* Reading the calibration. */

static int numbers_of(PyObject *object, const char *name, double *found, Py_ssize_t many) {
    PyObject *tuple = PyObject_GetAttrString(object, name);
    int right = tuple != NULL && PyTuple_Check(tuple) && PyTuple_GET_SIZE(tuple) == many;
    for (Py_ssize_t i = 0; right && i < many; i++)
        right = real(PyTuple_GET_ITEM(tuple, i), &found[i]) == DONE;
    Py_XDECREF(tuple);
    PyErr_Clear();
    return right;
}

static int pair_of(PyObject *object, const char *name, double *first, double *slowing) {
    double found[2];
    if (!numbers_of(object, name, found, 2))
        return 0;
    *first = found[0], *slowing = found[1];
    return 1;
}

static void forget(void) {
    PyBuffer_Release(&in_use.crosses);
    Py_CLEAR(in_use.known_items);
    Py_CLEAR(in_use.known_skills);
    Py_CLEAR(in_use.calibration);
}

static int take_up(PyObject *calibration) {
    forget();
    PyObject *logistic = PyObject_GetAttrString(calibration, "logistic"), *intercept = NULL, *shift = NULL,
             *crosses = NULL;
    int right = 0;
    if (logistic == NULL)
        goto end;
    intercept = PyObject_GetAttrString(logistic, "intercept");
    shift = PyObject_GetAttrString(calibration, "shift");
    crosses = PyObject_GetAttrString(calibration, "crosses");
    in_use.known_items = PyObject_GetAttrString(calibration, "known_items");
    in_use.known_skills = PyObject_GetAttrString(calibration, "known_skills");
    long long bits;
    right = intercept != NULL && real(intercept, &in_use.intercept) == DONE && whole(shift, &bits) == DONE &&
            bits >= 0 && bits <= 32 && in_use.known_items != NULL && PyDict_CheckExact(in_use.known_items) &&
            in_use.known_skills != NULL && PyDict_CheckExact(in_use.known_skills) &&
            numbers_of(logistic, "student", in_use.student, FEATURES) &&
            numbers_of(logistic, "skill", in_use.skill, FEATURES) &&
            numbers_of(logistic, "situation", in_use.situation, SITUATIONS) &&
            pair_of(calibration, "student", &in_use.first, &in_use.slowing) &&
            pair_of(calibration, "student_skill", &in_use.skill_first, &in_use.skill_slowing) &&
            pair_of(logistic, "own_student", &in_use.own_first, &in_use.own_slowing) &&
            pair_of(logistic, "own_skill", &in_use.own_skill_first, &in_use.own_skill_slowing) && crosses != NULL &&
            PyObject_GetBuffer(crosses, &in_use.crosses, PyBUF_SIMPLE) == 0 &&
            in_use.crosses.len == (Py_ssize_t)(8ULL << (32 - bits));
    if (right) {
        in_use.shift = (unsigned)bits;
        in_use.calibration = Py_NewRef(calibration);
    }
end:
    Py_XDECREF(logistic);
    Py_XDECREF(intercept);
    Py_XDECREF(shift);
    Py_XDECREF(crosses);
    PyErr_Clear();
    if (!right)
        forget();
    return right;
}

static int go_through(Learner *learner, PyObject *stored, PyObject *attempts) {
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(attempts); i++) {
        PyObject *attempt = PyList_GET_ITEM(attempts, i);
        long long at, duration_ms;
        double outcome;
        if (!PyTuple_Check(attempt) || PyTuple_GET_SIZE(attempt) != 6 ||
            whole(PyTuple_GET_ITEM(attempt, 0), &at) != DONE || at > LARGEST || at < -LARGEST ||
            !PyUnicode_CheckExact(PyTuple_GET_ITEM(attempt, 2)) || !PyList_CheckExact(PyTuple_GET_ITEM(attempt, 3)) ||
            PyList_GET_SIZE(PyTuple_GET_ITEM(attempt, 3)) > MOST_SKILLS ||
            real(PyTuple_GET_ITEM(attempt, 4), &outcome) != DONE || !(outcome >= 0.0 && outcome <= 1.0) ||
            whole(PyTuple_GET_ITEM(attempt, 5), &duration_ms) != DONE || duration_ms > LARGEST)
            return UNUSUAL;
        Met met;
        int status = meet(learner, stored, PyTuple_GET_ITEM(attempt, 2), PyTuple_GET_ITEM(attempt, 3), at, &met);
        if (status != DONE)
            return status;
        learn(learner, &met, PyTuple_GET_ITEM(attempt, 0), at, outcome, duration_ms);
    }
    return DONE;
}

PyDoc_STRVAR(extend_doc, "extend(state, attempts, calibration)\n--\n\n"
"Skills that changed, or None where Python has to do it: see streams/learner/fold.py.");

static PyObject *extend(PyObject *module, PyObject *const *args, Py_ssize_t given) {
    (void)module;
    if (given != 3) {
        PyErr_SetString(PyExc_TypeError, "extend(state, attempts, calibration)");
        return NULL;
    }
    PyObject *state = args[0], *attempts = args[1], *last;
    if (learner_type == NULL || Py_TYPE(state) != learner_type || !PyList_CheckExact(attempts) ||
        (in_use.calibration != args[2] && !take_up(args[2])))
        Py_RETURN_NONE;
    Learner learner = {0};
    double *memory = learner.memory;
    last = SLOT(state, of_learner.last);
    PyObject *stored = SLOT(state, of_learner.skills);
    if (stored == NULL || !PyDict_CheckExact(stored) || last == NULL || !PyTuple_CheckExact(last) ||
        PyTuple_GET_SIZE(last) != 2 || whole(PyTuple_GET_ITEM(last, 0), &learner.last_moment) != DONE ||
        learner.last_moment > LARGEST || whole(SLOT(state, of_learner.attempts), &learner.attempts) != DONE ||
        real(SLOT(state, of_learner.rating), &learner.rating) != DONE ||
        remembered(SLOT(state, of_learner.memory), memory, STUDENT_MEMORY) != DONE || learner.attempts < 0 ||
        learner.attempts > LARGEST || !(memory[STUDENT_WINS] >= 0.0) || !(memory[STUDENT_LOSSES] >= 0.0) ||
        !(memory[LAST_ITEM] >= 0.0 && memory[LAST_ITEM] < 4294967296.0) ||
        !(memory[LAST_SKILLS] >= 0.0 && memory[LAST_SKILLS] < 4294967296.0) ||
        !(memory[LAST_RIGHT] >= 0.0 && memory[LAST_RIGHT] < 2.0))
        Py_RETURN_NONE;
    int status = go_through(&learner, stored, attempts);
    Py_ssize_t many = PyList_GET_SIZE(attempts);
    PyObject *touched = NULL;
    if (status == DONE)
        touched = write_back(state, &learner, many ? PyList_GET_ITEM(attempts, many - 1) : NULL);
    for (Py_ssize_t i = 0; i < learner.many; i++) {
        Py_XDECREF(learner.skills[i].name);
        Py_XDECREF(learner.skills[i].state);
    }
    PyMem_Free(learner.skills);
    if (status == UNUSUAL)
        Py_RETURN_NONE;
    return touched;
}

static int slot_of(PyTypeObject *type, const char *name, Py_ssize_t *offset) {
    PyObject *descriptor = PyObject_GetAttrString((PyObject *)type, name);
    int right = descriptor != NULL && Py_TYPE(descriptor) == &PyMemberDescr_Type;
    if (right)
        *offset = ((PyMemberDescrObject *)descriptor)->d_member->offset;
    Py_XDECREF(descriptor);
    return right;
}

PyDoc_STRVAR(configure_doc, "configure(learner_state, skill_state, share_2, share_5, share_20)\n--\n\n"
"The two types of states, whose fields are slots, and the weights of the newest outcome in recent averages.");

static PyObject *configure(PyObject *module, PyObject *args) {
    (void)module;
    PyTypeObject *learner, *skill;
    if (!PyArg_ParseTuple(args, "O!O!ddd", &PyType_Type, &learner, &PyType_Type, &skill, &share_2, &share_5, &share_20))
        return NULL;
    if (!(slot_of(learner, "rating", &of_learner.rating) && slot_of(learner, "attempts", &of_learner.attempts) &&
          slot_of(learner, "last", &of_learner.last) && slot_of(learner, "memory", &of_learner.memory) &&
          slot_of(learner, "skills", &of_learner.skills) && slot_of(skill, "attempts", &of_skill.attempts) &&
          slot_of(skill, "successes", &of_skill.successes) && slot_of(skill, "rating", &of_skill.rating) &&
          slot_of(skill, "mastery", &of_skill.mastery) && slot_of(skill, "recent", &of_skill.recent) &&
          slot_of(skill, "first_at", &of_skill.first_at) && slot_of(skill, "last_at", &of_skill.last_at) &&
          slot_of(skill, "low", &of_skill.low) && slot_of(skill, "high", &of_skill.high) &&
          slot_of(skill, "memory", &of_skill.memory))) {
        if (!PyErr_Occurred())
            PyErr_SetString(PyExc_TypeError, "the fields of a state are slots");
        return NULL;
    }
    Py_XSETREF(learner_type, (PyTypeObject *)Py_NewRef(learner));
    Py_XSETREF(skill_type, (PyTypeObject *)Py_NewRef(skill));
    Py_RETURN_NONE;
}

static PyMethodDef methods[] = {
    {"extend", (PyCFunction)(void (*)(void))extend, METH_FASTCALL, extend_doc},
    {"configure", configure, METH_VARARGS, configure_doc},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "_fold", "Compiled part of streams.learner.fold.", -1, methods,
};

PyMODINIT_FUNC PyInit__fold(void) {
    for (uint32_t byte = 0; byte < 256; byte++) {
        uint32_t crc = byte;
        for (int bit = 0; bit < 8; bit++)
            crc = crc & 1 ? 0xEDB88320u ^ crc >> 1 : crc >> 1;
        crc_table[byte] = crc;
    }
    return PyModule_Create(&definition);
}
