/* A small extension with a data race, for snakedev/interpreter/checks.py: ThreadSanitizer must report
   it when two threads are in it at once. */
#include <Python.h>

/* volatile: each addition is a read and a write of its own */
static volatile long counter;

/* count(times): count on in a variable that all threads share, without a lock. */
static PyObject *count(PyObject *module, PyObject *argument) {
    long times = PyLong_AsLong(argument);
    if (times == -1 && PyErr_Occurred()) return NULL;
    for (long done = 0; done < times; done++) counter++;
    return PyLong_FromLong(counter);
}

static PyMethodDef methods[] = {{"count", count, METH_O, NULL}, {0}};
static PyModuleDef_Slot slots[] = {{Py_mod_gil, Py_MOD_GIL_NOT_USED}, {0, NULL}};
static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, .m_name = "race",
                                        .m_methods = methods, .m_slots = slots};
PyMODINIT_FUNC PyInit_race(void) { return PyModuleDef_Init(&definition); }
