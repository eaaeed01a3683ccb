/* Blocks of ClickHouse's Native format: streams/native.py, compiled.

   block(head, columns, rows) returns the bytes that native.py makes of the same rows, or None for anything that is not
   exactly what a worker's own rows hold (an odd length of a row, a value of another type, a number out of range, a UUID
   in another form). The Python then does it again, and says what is wrong. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdint.h>
#include <string.h>

#if PY_BIG_ENDIAN
#error "numbers are written as they lie in memory, which must be little-endian"
#endif

typedef struct {
    PyObject *bytes;
    char *start;
    Py_ssize_t used, room;
} Out;

/* 0: written; UNUSUAL: leave it to Python; FAILED: a Python error is set (no memory). */
enum { WRITTEN = 0, UNUSUAL = 1, FAILED = -1 };

static int grow(Out *out, Py_ssize_t more) {
    Py_ssize_t room = out->room;
    while (room - out->used < more) {
        if (room > PY_SSIZE_T_MAX / 2) {
            PyErr_NoMemory();
            return FAILED;
        }
        room *= 2;
    }
    if (_PyBytes_Resize(&out->bytes, room) < 0)
        return FAILED;
    out->start = PyBytes_AS_STRING(out->bytes);
    out->room = room;
    return WRITTEN;
}

static inline char *reserve(Out *out, Py_ssize_t size) {
    if (out->room - out->used < size && grow(out, size) != WRITTEN)
        return NULL;
    char *place = out->start + out->used;
    out->used += size;
    return place;
}

static inline int write_bytes(Out *out, const char *data, Py_ssize_t size) {
    char *place = reserve(out, size);
    if (place == NULL)
        return FAILED;
    memcpy(place, data, (size_t)size);
    return WRITTEN;
}

static inline int write_text(Out *out, const char *data, Py_ssize_t size) {
    char length[10];
    int many = 0;
    uint64_t left = (uint64_t)size;
    while (left >= 0x80) {
        length[many++] = (char)(left | 0x80);
        left >>= 7;
    }
    length[many++] = (char)left;
    char *place = reserve(out, many + size);
    if (place == NULL)
        return FAILED;
    memcpy(place, length, (size_t)many);
    memcpy(place + many, data, (size_t)size);
    return WRITTEN;
}

static int write_string(Out *out, PyObject *value) {
    if (PyBytes_CheckExact(value))
        return write_text(out, PyBytes_AS_STRING(value), PyBytes_GET_SIZE(value));
    if (!PyUnicode_CheckExact(value))
        return UNUSUAL;
    Py_ssize_t size;
    const char *text = PyUnicode_AsUTF8AndSize(value, &size);
    if (text == NULL) {
        PyErr_Clear(); /* a lone surrogate */
        return UNUSUAL;
    }
    return write_text(out, text, size);
}

/* Of each character its value as a hexadecimal digit; 0x80 for no digit. */
static unsigned char hex_values[256];

static void fill_hex_values(void) {
    memset(hex_values, 0x80, sizeof hex_values);
    for (int i = 0; i < 16; i++) {
        hex_values[(unsigned char)"0123456789abcdef"[i]] = (unsigned char)i;
        hex_values[(unsigned char)"0123456789ABCDEF"[i]] = (unsigned char)i;
    }
}

/* Two little-endian halves. */
static int write_uuid(Out *out, PyObject *value) {
    static const unsigned char places[32] = {0,  1,  2,  3,  4,  5,  6,  7,  9,  10, 11, 12, 14, 15, 16, 17,
                                             19, 20, 21, 22, 24, 25, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35};
    if (!PyUnicode_CheckExact(value) || !PyUnicode_IS_COMPACT_ASCII(value) || PyUnicode_GET_LENGTH(value) != 36)
        return UNUSUAL;
    const unsigned char *text = PyUnicode_1BYTE_DATA(value);
    uint64_t halves[2] = {0, 0};
    unsigned char odd = 0;
    for (int i = 0; i < 32; i++) {
        unsigned char found = hex_values[text[places[i]]];
        odd |= found;
        halves[i >> 4] = halves[i >> 4] << 4 | found;
    }
    if (odd & 0x80 || text[8] != '-' || text[13] != '-' || text[18] != '-' || text[23] != '-')
        return UNUSUAL;
    return write_bytes(out, (const char *)halves, 16);
}

static inline int integer(PyObject *value, long long lowest, long long highest, long long *found) {
    if (!PyLong_CheckExact(value))
        return UNUSUAL;
    int overflow;
    *found = PyLong_AsLongLongAndOverflow(value, &overflow);
    return overflow || *found < lowest || *found > highest ? UNUSUAL : WRITTEN;
}

static int write_number(Out *out, char kind, PyObject *value) {
    long long whole = 0;
    if (kind == 'd') {
        double number;
        if (PyFloat_CheckExact(value))
            number = PyFloat_AS_DOUBLE(value);
        else if (integer(value, -(1LL << 53), 1LL << 53, &whole) == WRITTEN)
            number = (double)whole;
        else
            return UNUSUAL;
        return write_bytes(out, (const char *)&number, 8);
    }
    int size, status;
    switch (kind) {
    case 'B': size = 1; status = integer(value, 0, UINT8_MAX, &whole); break;
    case 'H': size = 2; status = integer(value, 0, UINT16_MAX, &whole); break;
    case 'I': size = 4; status = integer(value, 0, UINT32_MAX, &whole); break;
    case 'i': size = 4; status = integer(value, INT32_MIN, INT32_MAX, &whole); break;
    case 'q': size = 8; status = integer(value, INT64_MIN, INT64_MAX, &whole); break;
    case 'Q': size = 8; status = integer(value, 0, INT64_MAX, &whole); break; /* the upper half is Python's */
    default: return UNUSUAL;
    }
    return status == WRITTEN ? write_bytes(out, (const char *)&whole, size) : status;
}

/* A column's repeated words: the place of each in a dictionary, in the order of their first coming. Values that come
   again are mostly the same object, which a small table knows without a look at its text. */

#define KNOWN 1024

typedef struct {
    PyObject *places; /* dict: word to place */
    uint32_t *keys;
    Py_ssize_t many, room;
    PyObject *known[KNOWN]; /* borrowed from places */
    uint32_t known_place[KNOWN];
} Words;

static int words_begin(Words *words, Py_ssize_t room) {
    memset(words->known, 0, sizeof words->known);
    words->many = 0;
    words->room = room > 0 ? room : 1;
    words->places = PyDict_New();
    words->keys = PyMem_Malloc((size_t)words->room * sizeof *words->keys);
    if (words->keys == NULL)
        PyErr_NoMemory();
    return words->places == NULL || words->keys == NULL ? FAILED : WRITTEN;
}

static void words_end(Words *words) {
    Py_XDECREF(words->places);
    PyMem_Free(words->keys);
}

static int words_add(Words *words, PyObject *word) {
    if (!PyUnicode_CheckExact(word))
        return UNUSUAL;
    if (words->many == words->room) {
        uint32_t *keys = PyMem_Realloc(words->keys, (size_t)words->room * 2 * sizeof *keys);
        if (keys == NULL) {
            PyErr_NoMemory();
            return FAILED;
        }
        words->keys = keys;
        words->room *= 2;
    }
    size_t slot = ((uintptr_t)word >> 4) % KNOWN;
    if (words->known[slot] == word) {
        words->keys[words->many++] = words->known_place[slot];
        return WRITTEN;
    }
    uint32_t place;
    PyObject *found = PyDict_GetItemWithError(words->places, word);
    if (found != NULL) {
        place = (uint32_t)PyLong_AsUnsignedLong(found);
    } else {
        if (PyErr_Occurred())
            return FAILED;
        place = (uint32_t)PyDict_GET_SIZE(words->places);
        PyObject *number = PyLong_FromUnsignedLong(place);
        if (number == NULL || PyDict_SetItem(words->places, word, number) < 0) {
            Py_XDECREF(number);
            return FAILED;
        }
        Py_DECREF(number);
    }
    /* The rows keep their words alive for as long as the column is written. */
    words->known[slot] = word;
    words->known_place[slot] = place;
    words->keys[words->many++] = place;
    return WRITTEN;
}

static int words_write(Words *words, Out *out) {
    if (words->many == 0)
        return WRITTEN;
    uint64_t size = (uint64_t)PyDict_GET_SIZE(words->places);
    uint64_t width = size <= 1 << 8 ? 0 : size <= 1 << 16 ? 1 : 2;
    uint64_t head[2] = {width | 1 << 9 | 1 << 10, size};
    if (write_bytes(out, (const char *)head, 16) != WRITTEN)
        return FAILED;
    PyObject *word, *place;
    Py_ssize_t at = 0;
    while (PyDict_Next(words->places, &at, &word, &place)) {
        int status = write_string(out, word);
        if (status != WRITTEN)
            return status;
    }
    uint64_t many = (uint64_t)words->many;
    if (write_bytes(out, (const char *)&many, 8) != WRITTEN)
        return FAILED;
    char *keys = reserve(out, words->many << width);
    if (keys == NULL)
        return FAILED;
    for (Py_ssize_t i = 0; i < words->many; i++) {
        if (width == 0)
            keys[i] = (char)words->keys[i];
        else if (width == 1)
            memcpy(keys + 2 * i, &(uint16_t){(uint16_t)words->keys[i]}, 2);
        else
            memcpy(keys + 4 * i, &words->keys[i], 4);
    }
    return WRITTEN;
}

static int write_words(Out *out, PyObject *rows, Py_ssize_t column, int lists) {
    Py_ssize_t many = PyList_GET_SIZE(rows);
    Words words;
    int status = words_begin(&words, many);
    uint64_t ended = 0;
    for (Py_ssize_t i = 0; status == WRITTEN && i < many; i++) {
        PyObject *value = PyTuple_GET_ITEM(PyList_GET_ITEM(rows, i), column);
        if (!lists) {
            status = words_add(&words, value);
            continue;
        }
        if (!PyList_CheckExact(value)) {
            status = UNUSUAL;
            break;
        }
        for (Py_ssize_t n = 0; status == WRITTEN && n < PyList_GET_SIZE(value); n++)
            status = words_add(&words, PyList_GET_ITEM(value, n));
        if (status == WRITTEN) {
            ended += (uint64_t)PyList_GET_SIZE(value);
            status = write_bytes(out, (const char *)&ended, 8);
        }
    }
    if (status == WRITTEN)
        status = words_write(&words, out);
    words_end(&words);
    return status;
}

/* The numbers of an array of doubles as they lie there. */
static int write_doubles(Out *out, PyObject *value) {
    Py_buffer numbers;
    if (!PyObject_CheckBuffer(value) || PyObject_GetBuffer(value, &numbers, PyBUF_ND | PyBUF_FORMAT) < 0) {
        PyErr_Clear();
        return UNUSUAL;
    }
    int status = UNUSUAL;
    if (numbers.ndim == 1 && numbers.format != NULL && strcmp(numbers.format, "d") == 0)
        status = write_bytes(out, numbers.buf, numbers.len);
    PyBuffer_Release(&numbers);
    return status;
}

/* Where each list or array ends, then all their values. */
static int write_lists(Out *out, PyObject *rows, Py_ssize_t column) {
    Py_ssize_t many = PyList_GET_SIZE(rows), ends = out->used, first = ends + 8 * many;
    int status = reserve(out, 8 * many) == NULL ? FAILED : WRITTEN;
    for (Py_ssize_t i = 0; status == WRITTEN && i < many; i++) {
        PyObject *value = PyTuple_GET_ITEM(PyList_GET_ITEM(rows, i), column);
        if (PyList_CheckExact(value))
            for (Py_ssize_t n = 0; status == WRITTEN && n < PyList_GET_SIZE(value); n++)
                status = write_number(out, 'd', PyList_GET_ITEM(value, n));
        else
            status = write_doubles(out, value);
        if (status == WRITTEN) {
            uint64_t ended = (uint64_t)(out->used - first) / 8;
            memcpy(out->start + ends + 8 * i, &ended, 8);
        }
    }
    return status;
}

static int write_column(Out *out, char kind, PyObject *rows, Py_ssize_t column) {
    if (kind == 'l' || kind == 'a')
        return write_words(out, rows, column, kind == 'a');
    if (kind == 'D')
        return write_lists(out, rows, column);
    int status = WRITTEN;
    for (Py_ssize_t i = 0; status == WRITTEN && i < PyList_GET_SIZE(rows); i++) {
        PyObject *value = PyTuple_GET_ITEM(PyList_GET_ITEM(rows, i), column);
        switch (kind) {
        case 's': status = write_string(out, value); break;
        case 'u': status = write_uuid(out, value); break;
        default: status = write_number(out, kind, value);
        }
    }
    return status;
}

PyDoc_STRVAR(block_doc, "block(head, columns, rows)\n--\n\n"
"Bytes of a block, or None where Python has to look at it: see streams/native.py.\n\n"
"head: what stands before the first column; columns: a tuple with (bytes before the values, kind) for each; rows: a\n"
"list of tuples. Kinds: s String, u UUID, l LowCardinality(String), a Array(LowCardinality(String)), D Array(Float64)\n"
"(lists, or arrays of doubles), else the code of an array of numbers.");

static PyObject *block(PyObject *module, PyObject *const *args, Py_ssize_t given) {
    (void)module;
    if (given != 3 || !PyBytes_CheckExact(args[0]) || !PyTuple_CheckExact(args[1]) || !PyList_CheckExact(args[2])) {
        PyErr_SetString(PyExc_TypeError, "block(bytes, tuple, list)");
        return NULL;
    }
    PyObject *head = args[0], *columns = args[1], *rows = args[2];
    Py_ssize_t width = PyTuple_GET_SIZE(columns), many = PyList_GET_SIZE(rows);
    for (Py_ssize_t i = 0; i < many; i++) {
        PyObject *row = PyList_GET_ITEM(rows, i);
        if (!PyTuple_CheckExact(row) || PyTuple_GET_SIZE(row) != width)
            Py_RETURN_NONE;
    }
    Out out = {PyBytes_FromStringAndSize(NULL, 1 << 16), NULL, 0, 1 << 16};
    if (out.bytes == NULL)
        return NULL;
    out.start = PyBytes_AS_STRING(out.bytes);
    int status = write_bytes(&out, PyBytes_AS_STRING(head), PyBytes_GET_SIZE(head));
    for (Py_ssize_t column = 0; status == WRITTEN && column < width; column++) {
        const char *prefix;
        Py_ssize_t size;
        int kind;
        if (!PyArg_ParseTuple(PyTuple_GET_ITEM(columns, column), "y#C", &prefix, &size, &kind)) {
            status = FAILED;
            break;
        }
        status = write_bytes(&out, prefix, size);
        if (status == WRITTEN)
            status = write_column(&out, (char)kind, rows, column);
    }
    if (status == WRITTEN) {
        _PyBytes_Resize(&out.bytes, out.used);
        return out.bytes;
    }
    Py_XDECREF(out.bytes);
    if (status == FAILED)
        return NULL;
    Py_RETURN_NONE;
}

static PyMethodDef methods[] = {
    {"block", (PyCFunction)(void (*)(void))block, METH_FASTCALL, block_doc},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, "_native", "Compiled part of streams.native.", -1, methods};

PyMODINIT_FUNC PyInit__native(void) {
    fill_hex_values();
    return PyModule_Create(&definition);
}
