/* Where statements were seen first, by key (streams.dedupe.Remembered): an open table instead of a dict.

   In a dict an entry is a tuple, a text, three numbers and what holds them, 350 bytes; here it is a slot of 56 in a
   table that is at least seven sixteenths full. Ids are kept as the numbers that UUIDs are, and nothing is ever taken
   out: a table is thrown away as a whole. */

#include <Python.h>
#include <stdint.h>
#include <string.h>

typedef struct {
    uint64_t id[4]; /* statement, student */
    int64_t offset, digest;
    int32_t idx, used;
} Slot;

typedef struct {
    PyObject_HEAD
    PyObject *seen;
    Slot *slots;
    size_t room, many; /* room: a power of two, or 0 */
} Remembered;

static uint64_t remembered_seed; /* of this process: nobody outside can make ids that fall together */

static int half_of_uuid(const unsigned char *text, int from, int to, uint64_t *half) {
    uint64_t value = 0;
    for (int i = from; i < to; i++) {
        unsigned char digit = text[i];
        if (i == 8 || i == 13 || i == 18 || i == 23) {
            if (digit != '-')
                return 0;
            continue;
        }
        if (digit >= '0' && digit <= '9')
            digit -= '0';
        else if ((digit | 32) >= 'a' && (digit | 32) <= 'f')
            digit = (digit | 32) - 'a' + 10;
        else
            return 0;
        value = value << 4 | digit;
    }
    *half = value;
    return 1;
}

static int number_of_uuid(PyObject *text, uint64_t *number) {
    if (!PyUnicode_CheckExact(text) || !PyUnicode_IS_COMPACT_ASCII(text) || PyUnicode_GET_LENGTH(text) != 36)
        return 0;
    const unsigned char *at = PyUnicode_1BYTE_DATA(text);
    return half_of_uuid(at, 0, 18, number) && half_of_uuid(at, 18, 36, number + 1);
}

/* The slot of an id, or the free one where it belongs; there must be room. */
static Slot *slot_of(const Remembered *table, const uint64_t *id) {
    uint64_t hash = remembered_seed;
    for (int i = 0; i < 4; i++) {
        hash = (hash ^ id[i]) * 0xD6E8FEB86659FD93u;
        hash ^= hash >> 32;
    }
    for (size_t at = hash & (table->room - 1);; at = (at + 1) & (table->room - 1)) {
        Slot *slot = table->slots + at;
        if (!slot->used || memcmp(slot->id, id, sizeof slot->id) == 0)
            return slot;
    }
}

static const Slot *remembered_find(const Remembered *table, const uint64_t *id) {
    const Slot *slot = table->room ? slot_of(table, id) : NULL;
    return slot != NULL && slot->used ? slot : NULL;
}

static int remembered_grow(Remembered *table) {
    Remembered larger = *table;
    larger.room = table->room ? table->room * 2 : 64;
    larger.slots = PyMem_RawCalloc(larger.room, sizeof(Slot));
    if (larger.slots == NULL) {
        PyErr_NoMemory();
        return 0;
    }
    for (size_t i = 0; i < table->room; i++)
        if (table->slots[i].used)
            *slot_of(&larger, table->slots[i].id) = table->slots[i];
    PyMem_RawFree(table->slots);
    table->slots = larger.slots;
    table->room = larger.room;
    return 1;
}

static int remembered_put(Remembered *table, Slot slot) {
    if (table->many >= table->room - table->room / 8 && !remembered_grow(table))
        return 0;
    Slot *place = slot_of(table, slot.id);
    table->many += !place->used;
    slot.used = 1;
    *place = slot;
    return 1;
}

/* The Python type. */

static int id_of(PyObject *key, uint64_t *id) {
    return PyTuple_CheckExact(key) && PyTuple_GET_SIZE(key) == 2 && number_of_uuid(PyTuple_GET_ITEM(key, 0), id) &&
           number_of_uuid(PyTuple_GET_ITEM(key, 1), id + 2);
}

static PyObject *remembered_get(PyObject *self, PyObject *key) {
    Remembered *table = (Remembered *)self;
    uint64_t id[4];
    const Slot *slot = id_of(key, id) ? remembered_find(table, id) : NULL;
    if (slot == NULL)
        Py_RETURN_NONE;
    return PyObject_CallFunction(table->seen, "LiL", (long long)slot->offset, (int)slot->idx, (long long)slot->digest);
}

static int number_in(PyObject *seen, const char *name, long long *number) {
    PyObject *value = PyObject_GetAttrString(seen, name);
    *number = value != NULL ? PyLong_AsLongLong(value) : -1;
    Py_XDECREF(value);
    return !PyErr_Occurred();
}

static PyObject *remembered_put_seen(PyObject *self, PyObject *const *args, Py_ssize_t given) {
    Slot slot = {{0}};
    long long offset, idx, digest;
    if (given != 2 || !id_of(args[0], slot.id)) {
        PyErr_SetString(PyExc_ValueError, "put((statement_id, student_id), seen): both ids are UUIDs");
        return NULL;
    }
    if (!number_in(args[1], "offset", &offset) || !number_in(args[1], "idx", &idx) ||
        !number_in(args[1], "digest", &digest))
        return NULL;
    slot.offset = offset;
    slot.idx = (int32_t)idx;
    slot.digest = digest;
    if (!remembered_put((Remembered *)self, slot))
        return NULL;
    Py_RETURN_NONE;
}

static Py_ssize_t remembered_length(PyObject *self) { return (Py_ssize_t)((Remembered *)self)->many; }

static PyObject *remembered_new(PyTypeObject *type, PyObject *args, PyObject *names) {
    PyObject *seen;
    if (names != NULL && PyDict_GET_SIZE(names)) {
        PyErr_SetString(PyExc_TypeError, "Remembered(seen) takes no names");
        return NULL;
    }
    if (!PyArg_ParseTuple(args, "O", &seen))
        return NULL;
    Remembered *table = (Remembered *)type->tp_alloc(type, 0);
    if (table != NULL)
        table->seen = Py_NewRef(seen);
    return (PyObject *)table;
}

static void remembered_free(PyObject *self) {
    PyTypeObject *type = Py_TYPE(self);
    PyMem_RawFree(((Remembered *)self)->slots);
    Py_XDECREF(((Remembered *)self)->seen);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyMethodDef remembered_methods[] = {
    {"get", remembered_get, METH_O, "get(key)\n--\n\nWhere it was seen first, None when it is not remembered."},
    {"put", (PyCFunction)(void (*)(void))remembered_put_seen, METH_FASTCALL,
     "put(key, seen)\n--\n\nRemember it; what was remembered of this key is replaced. ValueError for no UUIDs."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot remembered_slots[] = {
    {Py_tp_doc, "Remembered(seen)\n--\n\nWhere statements were seen first; seen is the type of what get() returns."},
    {Py_tp_new, remembered_new},
    {Py_tp_dealloc, remembered_free},
    {Py_tp_methods, remembered_methods},
    {Py_sq_length, remembered_length},
    {0, NULL},
};

static PyType_Spec remembered_spec = {"streams._arrivals.Remembered", sizeof(Remembered), 0,
                                      Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE, remembered_slots};

static PyTypeObject *remembered_type;

static int remembered_begin(PyObject *module) {
    PyObject *text = PyUnicode_FromString("remembered");
    if (text == NULL)
        return 0;
    remembered_seed = (uint64_t)PyObject_Hash(text);
    Py_DECREF(text);
    remembered_type = (PyTypeObject *)PyType_FromSpec(&remembered_spec);
    return remembered_type != NULL && PyModule_AddType(module, remembered_type) == 0;
}
