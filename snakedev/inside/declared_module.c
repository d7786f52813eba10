/* A module that stands in front of another one's file, and declares that it does not need the GIL.
 *
 * It lies beside that file under the name that import tries first (NAME.cpython-314t-….so before
 * NAME.so), calls its init function, and adds the declaration to what that gives. The file itself
 * stays as it is. Functions that are not safe in threads run in a critical section, one for all of
 * them: as with the GIL, no two of them run at once, except where one waits or runs Python code.
 *
 * MODULE: its name, ORIGINAL: that file's name, LOCKED: the functions' names, each followed by a comma.
 */
#define PY_SSIZE_T_CLEAN
#define _GNU_SOURCE
#include <Python.h>
#include <dlfcn.h>
#include <string.h>

#define CONCATENATED(a, b) a##b
#define INIT_OF(module) CONCATENATED(PyInit_, module)
#define TEXT_OF(name) #name
#define TEXT(name) TEXT_OF(name)
#define MOST_SLOTS 32

static const char *const locked[] = {LOCKED NULL};
static PyMethodDef guards[sizeof locked / sizeof *locked];
static PyObject *lock;

static PyObject *guarded(PyObject *original, PyObject *const *args, Py_ssize_t count,
                         PyObject *names) {
  PyObject *result;
  Py_BEGIN_CRITICAL_SECTION(lock);
  result = PyObject_Vectorcall(original, args, (size_t)count, names);
  Py_END_CRITICAL_SECTION();
  return result;
}

static int guard(PyObject *module) {
  if (!lock && !(lock = PyObject_CallNoArgs((PyObject *)&PyBaseObject_Type)))
    return -1;
  for (int i = 0; locked[i]; i++) {
    PyObject *original = PyObject_GetAttrString(module, locked[i]);
    if (!original)
      return -1;
    guards[i] = (PyMethodDef){locked[i], (PyCFunction)(void (*)(void))guarded,
                              METH_FASTCALL | METH_KEYWORDS, NULL};
    PyObject *function = PyCFunction_New(&guards[i], original);
    Py_DECREF(original);
    if (PyModule_Add(module, locked[i], function) < 0)
      return -1;
  }
  return 0;
}

static PyObject *declared(PyModuleDef *definition) {
  static PyModuleDef_Slot slots[MOST_SLOTS];
  if (definition->m_slots == slots)
    return (PyObject *)definition;
  int count = 0;
  for (PyModuleDef_Slot *slot = definition->m_slots; slot && slot->slot; slot++) {
    if (slot->slot == Py_mod_gil)
      continue;
    if (count == MOST_SLOTS - 3)
      return PyErr_Format(PyExc_ImportError, "%s: too many slots", TEXT(MODULE));
    slots[count++] = *slot;
  }
  slots[count++] = (PyModuleDef_Slot){Py_mod_exec, guard};
  slots[count++] = (PyModuleDef_Slot){Py_mod_gil, Py_MOD_GIL_NOT_USED};
  slots[count] = (PyModuleDef_Slot){0, NULL};
  definition->m_slots = slots;
  return (PyObject *)definition;
}

PyMODINIT_FUNC INIT_OF(MODULE)(void) {
  Dl_info here;
  char path[4096];
  if (!dladdr((void *)INIT_OF(MODULE), &here) || strlen(here.dli_fname) + sizeof ORIGINAL > sizeof path)
    return PyErr_Format(PyExc_ImportError, "%s: its folder is not known", TEXT(MODULE));
  strcpy(path, here.dli_fname);
  char *slash = strrchr(path, '/');
  strcpy(slash ? slash + 1 : path, ORIGINAL);
  void *library = dlopen(path, RTLD_NOW);
  PyObject *(*init)(void) = library ? dlsym(library, TEXT(INIT_OF(MODULE))) : NULL;
  if (!init)
    return PyErr_Format(PyExc_ImportError, "%s", dlerror());
  PyObject *made = init();
  if (made && PyObject_TypeCheck(made, &PyModuleDef_Type))
    return declared((PyModuleDef *)made);
  if (made && (guard(made) < 0 || PyUnstable_Module_SetGIL(made, Py_MOD_GIL_NOT_USED) < 0))
    Py_CLEAR(made);
  return made;
}
