/* A small extension for snakedev/interpreter/checks.py: that it compiles, loads and leaves the GIL
   off shows the headers right; that two threads can take turns inside it, neither letting go of
   the interpreter, shows that they run at once. */
#include <Python.h>
#include <stdatomic.h>
#include <time.h>

static atomic_int turn;

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

/* take_turns(me, seconds): pass the turn to and fro with the other of threads 0 and 1; returns the
   shortest time from one own turn to the next, in seconds, or infinity when the other never came. */
static PyObject *take_turns(PyObject *module, PyObject *args) {
    int me;
    double seconds, shortest = INFINITY;
    if (!PyArg_ParseTuple(args, "id", &me, &seconds)) return NULL;
    double deadline = now() + seconds, last = 0;
    while (now() < deadline) {
        if (atomic_load(&turn) != me) continue;
        double time = now();
        if (last > 0 && time - last < shortest) shortest = time - last;
        last = time;
        atomic_store(&turn, 1 - me);
    }
    return PyFloat_FromDouble(shortest);
}

static PyMethodDef methods[] = {{"take_turns", take_turns, METH_VARARGS, NULL}, {0}};
static PyModuleDef_Slot slots[] = {{Py_mod_gil, Py_MOD_GIL_NOT_USED}, {0, NULL}};
static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, .m_name = "probe",
                                        .m_methods = methods, .m_slots = slots};
PyMODINIT_FUNC PyInit_probe(void) { return PyModuleDef_Init(&definition); }
