/* Days of students counted up: streams/rows/engagement.py and the days of streams/counting.py, compiled.

   Both functions take what is exactly as a worker's own arrivals and counts are, and do to it what the Python does.
   For anything else (a number of another type, one beyond 64 bits, a moment before 1970) they say so, with everything
   as it was, and the Python does it from the start. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <structmember.h>

#define QUARTER_US 900000000LL
#define LARGEST (1LL << 62)
#define SLOT(object, offset) (*(PyObject **)((char *)(object) + (offset)))

enum { ITEM, OFFSET, OUTCOME, DURATION_MS, ARRIVAL_FIELDS };
enum { TIMESTAMP, VERB, PROVIDER_ID, ITEM_FIELDS };
enum { STATEMENTS, ACTIVITY, ATTEMPTS, SUCCESSES, DURATION, ATTENDED, ABSENT, INCIDENTS, FIRST_AT, LAST_AT, WATERMARK,
       BASE, NUMBERS, PROVIDERS = NUMBERS, COUNT_FIELDS };
static const char *const arrival_fields[] = {"item", "offset", "outcome", "duration_ms"};
static const char *const item_fields[] = {"timestamp", "verb", "provider_id"};
static const char *const count_fields[] = {"statements", "activity", "attempts", "successes", "duration_ms", "attended",
                                           "absent", "incidents", "first_at", "last_at", "watermark", "base",
                                           "providers"};
static Py_ssize_t of_arrival[ARRIVAL_FIELDS], of_item[ITEM_FIELDS], of_count[COUNT_FIELDS];
static PyTypeObject *arrival_type, *item_type, *count_type;
static PyObject *administrative, *attended, *absent, *reported;

static int whole(PyObject *value, long long *found) {
    if (value == NULL || !PyLong_CheckExact(value))
        return 0;
    int overflow;
    *found = PyLong_AsLongLongAndOverflow(value, &overflow);
    return !overflow && *found < LARGEST && *found > -LARGEST;
}

/* The item of an arrival and its moment; NULL for anything unusual. */
static PyObject *item_of(PyObject *arrival, long long *moment) {
    if (Py_TYPE(arrival) != arrival_type)
        return NULL;
    PyObject *item = SLOT(arrival, of_arrival[ITEM]);
    return item != NULL && Py_TYPE(item) == item_type && whole(SLOT(item, of_item[TIMESTAMP]), moment) ? item : NULL;
}

PyDoc_STRVAR(days_doc, "days(arrivals, known)\n--\n\n"
"The day of each arrival, by the quarters of an hour whose days are known; None where one is not among them.");

static PyObject *days(PyObject *module, PyObject *const *args, Py_ssize_t given) {
    (void)module;
    if (given != 2 || count_type == NULL || !PyDict_CheckExact(args[1])) {
        PyErr_SetString(PyExc_TypeError, "days(list, dict), after configure()");
        return NULL;
    }
    if (!PyList_CheckExact(args[0]))
        Py_RETURN_NONE;
    Py_ssize_t many = PyList_GET_SIZE(args[0]);
    PyObject *found = PyList_New(many), *day = NULL;
    long long last = -1, moment;
    for (Py_ssize_t i = 0; found != NULL && i < many; i++) {
        if (item_of(PyList_GET_ITEM(args[0], i), &moment) == NULL || moment < 0) {
            Py_CLEAR(found);
            break;
        }
        if (moment / QUARTER_US != last) {
            last = moment / QUARTER_US;
            PyObject *quarter = PyLong_FromLongLong(last);
            day = quarter == NULL ? NULL : PyDict_GetItemWithError(args[1], quarter);
            Py_XDECREF(quarter);
            if (day == NULL) {
                Py_CLEAR(found);
                break;
            }
        }
        PyList_SET_ITEM(found, i, Py_NewRef(day));
    }
    if (found == NULL && !PyErr_Occurred())
        Py_RETURN_NONE;
    return found;
}

/* The verb of an item as one of the kinds that are counted; -1 for anything unusual. */
static int kind_of(PyObject *verb) {
    if (verb == NULL || !PyUnicode_CheckExact(verb))
        return -1;
    int among = PySet_Contains(administrative, verb);
    if (among <= 0)
        return among < 0 ? -1 : ACTIVITY;
    return PyUnicode_Compare(verb, attended) == 0   ? ATTENDED
           : PyUnicode_Compare(verb, absent) == 0   ? ABSENT
           : PyUnicode_Compare(verb, reported) == 0 ? INCIDENTS
                                                    : NUMBERS;
}

/* A list with one more provider in its place: rows keep the list as it was. */
static int add_provider(PyObject **providers, PyObject *provider) {
    int known = PySequence_Contains(*providers, provider);
    if (known)
        return known > 0;
    PyObject *more = PyList_GetSlice(*providers, 0, PyList_GET_SIZE(*providers));
    if (more == NULL || PyList_Append(more, provider) < 0 || PyList_Sort(more) < 0) {
        Py_XDECREF(more);
        return 0;
    }
    Py_SETREF(*providers, more);
    return 1;
}

static int add_one(PyObject *arrival, long long *numbers, PyObject **providers) {
    static PyObject *last_verb; /* one that lives as long as the module: verbs that come again are one object */
    static int last_kind;
    long long moment, offset, lasted;
    PyObject *item = item_of(arrival, &moment), *outcome;
    if (item == NULL || !whole(SLOT(arrival, of_arrival[OFFSET]), &offset) ||
        !whole(SLOT(arrival, of_arrival[DURATION_MS]), &lasted) || (outcome = SLOT(arrival, of_arrival[OUTCOME])) == NULL)
        return 0;
    if (offset <= numbers[BASE])
        return 1;
    PyObject *verb = SLOT(item, of_item[VERB]), *provider = SLOT(item, of_item[PROVIDER_ID]);
    if (verb != last_verb) {
        int kind = kind_of(verb);
        if (kind < 0)
            return 0;
        Py_XSETREF(last_verb, Py_NewRef(verb));
        last_kind = kind;
    }
    if (!numbers[STATEMENTS])
        numbers[FIRST_AT] = numbers[LAST_AT] = moment;
    else if (moment < numbers[FIRST_AT])
        numbers[FIRST_AT] = moment;
    else if (moment > numbers[LAST_AT])
        numbers[LAST_AT] = moment;
    numbers[STATEMENTS]++;
    numbers[WATERMARK] = offset;
    if (last_kind != NUMBERS)
        numbers[last_kind]++;
    if (last_kind == ACTIVITY &&
        (provider == NULL || !PyUnicode_CheckExact(provider) || !add_provider(providers, provider)))
        return 0;
    if (outcome != Py_None) {
        if (!PyFloat_CheckExact(outcome))
            return 0;
        numbers[ATTEMPTS]++;
        numbers[SUCCESSES] += PyFloat_AS_DOUBLE(outcome) >= 0.5;
    }
    if (lasted > 0)
        numbers[DURATION] += lasted;
    return numbers[DURATION] < LARGEST;
}

PyDoc_STRVAR(add_doc, "add(count, arrivals)\n--\n\n"
"Count arrivals in; False, with the count as it was, where Python has to do it.");

static PyObject *add(PyObject *module, PyObject *const *args, Py_ssize_t given) {
    (void)module;
    if (given != 2 || count_type == NULL || Py_TYPE(args[0]) != count_type) {
        PyErr_SetString(PyExc_TypeError, "add(count, list), after configure()");
        return NULL;
    }
    PyObject *count = args[0], *providers = SLOT(count, of_count[PROVIDERS]), *made[NUMBERS] = {NULL};
    long long numbers[NUMBERS], before[NUMBERS];
    int usual = PyList_CheckExact(args[1]) && providers != NULL && PyList_CheckExact(providers);
    for (int i = 0; usual && i < NUMBERS; i++) {
        usual = whole(SLOT(count, of_count[i]), &numbers[i]);
        before[i] = numbers[i];
    }
    if (!usual)
        Py_RETURN_FALSE;
    Py_INCREF(providers);
    for (Py_ssize_t i = 0; usual && i < PyList_GET_SIZE(args[1]); i++)
        usual = add_one(PyList_GET_ITEM(args[1], i), numbers, &providers);
    for (int i = 0; usual && i < NUMBERS; i++)
        usual = numbers[i] == before[i] || (made[i] = PyLong_FromLongLong(numbers[i])) != NULL;
    for (int i = 0; i < NUMBERS; i++) {
        if (usual && made[i] != NULL)
            Py_SETREF(SLOT(count, of_count[i]), made[i]);
        else
            Py_XDECREF(made[i]);
    }
    if (usual)
        Py_SETREF(SLOT(count, of_count[PROVIDERS]), providers);
    else
        Py_DECREF(providers);
    if (PyErr_Occurred())
        return NULL;
    return PyBool_FromLong(usual);
}

/* Where a type keeps the values of its fields. */
static int learn_places(PyTypeObject *type, const char *const *names, int many, Py_ssize_t *places) {
    for (int i = 0; i < many; i++) {
        PyObject *descriptor = PyObject_GetAttrString((PyObject *)type, names[i]);
        int fits = descriptor != NULL && Py_IS_TYPE(descriptor, &PyMemberDescr_Type);
        if (fits)
            places[i] = ((PyMemberDescrObject *)descriptor)->d_member->offset;
        Py_XDECREF(descriptor);
        if (!fits) {
            PyErr_SetString(PyExc_TypeError, "items, arrivals and counts keep their fields in slots");
            return 0;
        }
    }
    return 1;
}

PyDoc_STRVAR(configure_doc, "configure(count, arrival, item, administrative, attended, absent, reported)\n--\n\n"
"The types, the set of verbs that are no activity, and those of them that are counted by themselves.");

static PyObject *configure(PyObject *module, PyObject *args) {
    (void)module;
    PyTypeObject *count, *arrival, *item;
    PyObject *verbs, *named[3];
    if (!PyArg_ParseTuple(args, "O!O!O!O!UUU", &PyType_Type, &count, &PyType_Type, &arrival, &PyType_Type, &item,
                          &PyFrozenSet_Type, &verbs, &named[0], &named[1], &named[2]))
        return NULL;
    if (!learn_places(count, count_fields, COUNT_FIELDS, of_count) ||
        !learn_places(arrival, arrival_fields, ARRIVAL_FIELDS, of_arrival) ||
        !learn_places(item, item_fields, ITEM_FIELDS, of_item))
        return NULL;
    Py_XSETREF(administrative, Py_NewRef(verbs));
    Py_XSETREF(attended, Py_NewRef(named[0]));
    Py_XSETREF(absent, Py_NewRef(named[1]));
    Py_XSETREF(reported, Py_NewRef(named[2]));
    Py_XSETREF(arrival_type, (PyTypeObject *)Py_NewRef(arrival));
    Py_XSETREF(item_type, (PyTypeObject *)Py_NewRef(item));
    Py_XSETREF(count_type, (PyTypeObject *)Py_NewRef(count));
    Py_RETURN_NONE;
}

static PyMethodDef methods[] = {
    {"days", (PyCFunction)(void (*)(void))days, METH_FASTCALL, days_doc},
    {"add", (PyCFunction)(void (*)(void))add, METH_FASTCALL, add_doc},
    {"configure", configure, METH_VARARGS, configure_doc},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "_counts", "Compiled part of streams.rows.engagement and streams.counting.", -1, methods,
};

PyMODINIT_FUNC PyInit__counts(void) {
    return PyModule_Create(&definition);
}
