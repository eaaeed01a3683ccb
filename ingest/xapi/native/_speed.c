/* The fast way of a body that surely keeps all rules: read, checked and written without Python's objects in between.
 *
 * ``read`` answers None for anything else; xapi/parse.py, validation and stamp.py then decide, and stay the reference:
 * what comes out here is theirs, byte for byte (tests/property/test_xapi_speed.py). */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "write.h"

typedef struct {
    PyObject_HEAD
    PyObject *body;
    chunk *arena;
    statement *all;
    Py_ssize_t count;
    int single;
    buffer scratch, head;
    PyObject *provider, *authority, *stored_text, *version;
    int64_t stored;
} reading;

static PyTypeObject Reading;

static void reading_dealloc(reading *self) {
    drop_arena(self->arena);
    free(self->scratch.data);
    free(self->head.data);
    Py_XDECREF(self->body);
    Py_XDECREF(self->provider);
    Py_XDECREF(self->authority);
    Py_XDECREF(self->stored_text);
    Py_XDECREF(self->version);
    PyObject_Free(self);
}

static void lower_id(const node *id, char lower[36]) {
    for (int i = 0; i < 36; i++) {
        char c = id->text.at[i];
        lower[i] = c >= 'A' && c <= 'F' ? (char)(c | 0x20) : c;
    }
}

/* Whether each statement of a batch has an id of its own (Communication 2.1.2). */
static int own_ids(const statement *all, Py_ssize_t count) {
    PyObject *seen = count > 1 ? PySet_New(NULL) : NULL;
    int own = count < 2 || seen;
    for (Py_ssize_t i = 0, before = 0; seen && own && i < count; i++) {
        char lower[36];
        if (!all[i].id) continue;
        lower_id(all[i].id, lower);
        PyObject *id = PyBytes_FromStringAndSize(lower, 36);
        own = id && !PySet_Add(seen, id) && PySet_GET_SIZE(seen) == ++before;
        Py_XDECREF(id);
    }
    Py_XDECREF(seen);
    return own;
}

static PyObject *read_body(PyObject *Py_UNUSED(module), PyObject *arguments) {
    PyObject *body, *decode;
    int version_2;
    if (!PyArg_ParseTuple(arguments, "SpO:read", &body, &version_2, &decode)) return NULL;
    if (PyBytes_GET_SIZE(body) > (1 << 30)) Py_RETURN_NONE;
    parser p = {PyBytes_AS_STRING(body), PyBytes_AS_STRING(body) + PyBytes_GET_SIZE(body), decode, NULL, NULL, 0, 0};
    node root;
    memset(&root, 0, sizeof root);
    blanks(&p);
    int known = value(&p, &root, 0);
    free(p.stack);
    blanks(&p);
    known = known && p.at == p.end && (root.kind == OBJECT || (root.kind == ARRAY && root.count));
    Py_ssize_t count = known && root.kind == ARRAY ? (Py_ssize_t)root.count : 1;
    statement *all = known ? take(&p, (size_t)count * sizeof(statement)) : NULL;
    known = known && all;
    if (known && root.kind == OBJECT) {
        node *kept = take(&p, sizeof(node));
        known = kept != NULL;
        if (known) {
            *kept = root;
            known = valid(kept, version_2, all);
        }
    } else if (known) {
        for (Py_ssize_t i = 0; known && i < count; i++) known = valid(&root.inner[i], version_2, &all[i]);
        known = known && own_ids(all, count);
    }
    if (!known) {
        drop_arena(p.arena);
        PyErr_Clear();
        Py_RETURN_NONE;
    }
    reading *made = PyObject_New(reading, &Reading);
    if (!made) {
        drop_arena(p.arena);
        return NULL;
    }
    memset((char *)made + sizeof(PyObject), 0, sizeof(reading) - sizeof(PyObject));
    Py_INCREF(body);
    made->body = body;
    made->arena = p.arena;
    made->all = all;
    made->count = count;
    made->single = root.kind == OBJECT;
    return (PyObject *)made;
}

static PyObject *bytes_of(buffer *b) {
    return b->failed ? PyErr_NoMemory() : PyBytes_FromStringAndSize(b->data, (Py_ssize_t)b->size);
}

static PyObject *reading_ids(reading *self, PyObject *Py_UNUSED(none)) {
    PyObject *found = PyList_New(self->count);
    for (Py_ssize_t i = 0; found && i < self->count; i++) {
        const node *id = self->all[i].id;
        PyObject *one = Py_None;
        if (id) {
            char lower[36];
            lower_id(id, lower);
            one = PyUnicode_FromStringAndSize(lower, 36);
            if (!one) Py_CLEAR(found);
        } else {
            Py_INCREF(one);
        }
        if (found) PyList_SET_ITEM(found, i, one);
    }
    return found;
}

static PyObject *reading_agents(reading *self, PyObject *Py_UNUSED(none)) {
    PyObject *found = PyList_New(self->count);
    for (Py_ssize_t i = 0; found && i < self->count; i++) {
        const node *agents[4];
        int count = agents_of(&self->all[i], agents);
        PyObject *own = PyTuple_New(count);
        for (int j = 0; own && j < count; j++) {
            self->scratch.size = 0;
            put_node(&self->scratch, agents[j]);
            PyObject *one = bytes_of(&self->scratch);
            if (!one) Py_CLEAR(own);
            else PyTuple_SET_ITEM(own, j, one);
        }
        if (!own) Py_CLEAR(found);
        else PyList_SET_ITEM(found, i, own);
    }
    return found;
}

static void put_named(buffer *b, const node *list) {
    const node *id;
    if (list->kind == ARRAY) {
        EACH(one, list) if ((id = find(one, "id", 2))) {
            PUT(b, "\n");
            put(b, id->text.at, id->text.size);
        }
    } else if ((id = find(list, "id", 2))) {
        PUT(b, "\n");
        put(b, id->text.at, id->text.size);
    }
}

static PyObject *reading_meanings(reading *self, PyObject *Py_UNUSED(none)) {
    PyObject *found = PyList_New(self->count);
    for (Py_ssize_t i = 0; found && i < self->count; i++) {
        const statement *s = &self->all[i];
        buffer *b = &self->scratch;
        b->size = 0;
        put(b, s->verb_id->text.at, s->verb_id->text.size);
        PUT(b, "\n");
        if (s->activity_id) {
            put(b, s->activity_id->text.at, s->activity_id->text.size);
            if (s->activities)
                EACH(list, s->activities) if (IS(list->key, "grouping") || IS(list->key, "category")) put_named(b, list);
        }
        PyObject *one = bytes_of(b);
        if (!one) Py_CLEAR(found);
        else PyList_SET_ITEM(found, i, one);
    }
    return found;
}

static void keep(PyObject **place, PyObject *one) {
    Py_INCREF(one);
    Py_XSETREF(*place, one);
}

static PyObject *reading_stamp(reading *self, PyObject *arguments) {
    PyObject *provider, *authority, *stored_text, *version;
    long long stored;
    if (!PyArg_ParseTuple(arguments, "SSLSS:stamp", &provider, &authority, &stored, &stored_text, &version)) return NULL;
    keep(&self->provider, provider);
    keep(&self->authority, authority);
    keep(&self->stored_text, stored_text);
    keep(&self->version, version);
    self->stored = stored;
    Py_RETURN_NONE;
}

static void put_bytes(buffer *b, PyObject *bytes) { put(b, PyBytes_AS_STRING(bytes), (size_t)PyBytes_GET_SIZE(bytes)); }

static PyObject *reading_item(reading *self, PyObject *arguments) {
    PyObject *keys, *meaning;
    Py_ssize_t index, id_size, student_size;
    const char *id, *student;
    int flags;
    if (!PyArg_ParseTuple(arguments, "ns#O!s#Si:item", &index, &id, &id_size, &PyTuple_Type, &keys, &student,
                          &student_size, &meaning, &flags))
        return NULL;
    if (!self->version || index < 0 || index >= self->count) {
        PyErr_SetString(PyExc_IndexError, "no such statement, or not stamped");
        return NULL;
    }
    statement *s = &self->all[index];
    const node *agents[4];
    int count = agents_of(s, agents);
    if (PyTuple_GET_SIZE(keys) != count) {
        PyErr_SetString(PyExc_ValueError, "a key for each agent");
        return NULL;
    }
    text swapped[4];
    for (int i = 0; i < count; i++) {
        Py_ssize_t size;
        swapped[i].at = PyUnicode_AsUTF8AndSize(PyTuple_GET_ITEM(keys, i), &size);
        if (!swapped[i].at) return NULL;
        swapped[i].size = (uint32_t)size;
        swapped[i].escaped = 1;
    }
    /* Scratch: an open brace and the content, as the digest takes it. */
    buffer *content = &self->scratch, *head = &self->head;
    content->size = head->size = 0;
    PUT(content, "{");
    put_content(content, s, swapped);
    if (content->failed) return PyErr_NoMemory();
    /* The statement's JSON begins with what the LRS sets itself (stamp.py). */
    PUT(head, "{\"authority\":\"");
    put_bytes(head, self->authority);
    PUT(head, "\",\"id\":\"");
    put(head, id, (size_t)id_size);
    PUT(head, "\",\"stored\":\"");
    put_bytes(head, self->stored_text);
    PUT(head, "\",\"timestamp\":\"");
    if (s->timestamp) put(head, s->timestamp->text.at, s->timestamp->text.size);
    else put_bytes(head, self->stored_text);
    PUT(head, "\",\"version\":\"");
    if (s->version) put(head, s->version->text.at, s->version->text.size);
    else put_bytes(head, self->version);
    PUT(head, "\",");
    size_t begin = head->size;
    put_sized(head, id, (size_t)id_size);
    put_sized(head, student, (size_t)student_size);
    put_sized(head, PyBytes_AS_STRING(self->provider), (size_t)PyBytes_GET_SIZE(self->provider));
    put_bytes(head, meaning);
    put_long(head, s->timestamp ? s->time : self->stored);
    put_long(head, self->stored);
    s->digest = digest((const unsigned char *)content->data, content->size);
    put_long(head, s->digest);
    put_long(head, flags | (s->timestamp ? 0 : 2));
    put_long(head, (int64_t)(begin + content->size - 1));
    if (head->failed) return PyErr_NoMemory();
    size_t front = head->size - begin;
    PyObject *made = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)(front + begin + content->size - 1));
    if (!made) return NULL;
    char *to = PyBytes_AS_STRING(made);
    memcpy(to, head->data + begin, front);
    memcpy(to + front, head->data, begin);
    memcpy(to + front + begin, content->data + 1, content->size - 1);
    return made;
}

static PyObject *reading_digest(reading *self, PyObject *number) {
    Py_ssize_t index = PyLong_AsSsize_t(number);
    if (index == -1 && PyErr_Occurred()) return NULL;
    if (index < 0 || index >= self->count) {
        PyErr_SetString(PyExc_IndexError, "no such statement");
        return NULL;
    }
    return PyLong_FromLongLong(self->all[index].digest);
}

/* Statements with context agents or groups are left to the reference. */
static PyObject *reading_parties(reading *Py_UNUSED(self), PyObject *Py_UNUSED(none)) { return PyDict_New(); }

static PyObject *reading_get_count(reading *self, void *Py_UNUSED(closure)) { return PyLong_FromSsize_t(self->count); }
static PyObject *reading_get_single(reading *self, void *Py_UNUSED(closure)) { return PyBool_FromLong(self->single); }

static PyGetSetDef reading_values[] = {
    {"count", (getter)reading_get_count, NULL, "Number of statements.", NULL},
    {"single", (getter)reading_get_single, NULL, "Whether the body is one statement, not an array.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyMethodDef reading_methods[] = {
    {"ids", (PyCFunction)reading_ids, METH_NOARGS, "The id of each statement in lower case, None where it has none."},
    {"agents", (PyCFunction)reading_agents, METH_NOARGS, "JSON of each statement's agents, keys sorted, actor first."},
    {"meanings", (PyCFunction)reading_meanings, METH_NOARGS,
     "Of each statement, a line each: verb, activity (or nothing), activities of grouping and category."},
    {"stamp", (PyCFunction)reading_stamp, METH_VARARGS,
     "stamp(provider_id, authority_key, stored, stored_text, version): what is the same for all statements."},
    {"item", (PyCFunction)reading_item, METH_VARARGS,
     "item(index, statement_id, keys, student_id, meaning, flags): the Avro datum of an item; meaning: that of verb and "
     "skills."},
    {"digest", (PyCFunction)reading_digest, METH_O, "digest(index): that of the item that was made last."},
    {"parties", (PyCFunction)reading_parties, METH_NOARGS, "Context agents and groups: there are none."},
    {NULL, NULL, 0, NULL},
};

static PyTypeObject Reading = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "ingest.xapi.native._speed.Reading",
    .tp_basicsize = sizeof(reading),
    .tp_dealloc = (destructor)reading_dealloc,
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .tp_doc = "Statements of a body that surely keep all rules.",
    .tp_methods = reading_methods,
    .tp_getset = reading_values,
};

static PyMethodDef functions[] = {
    {"read", read_body, METH_VARARGS, "read(body, version_2, number): a Reading, or None where the reference decides."},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef module = {
    PyModuleDef_HEAD_INIT, "ingest.xapi.native._speed", "Reads, checks and writes surely valid statements.", -1, functions,
    NULL, NULL, NULL, NULL,
};

PyMODINIT_FUNC PyInit__speed(void) {
    if (PyType_Ready(&Reading) < 0) return NULL;
    return PyModule_Create(&module);
}
