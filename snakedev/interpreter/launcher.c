/* Turns an executable that has the CPython core linked in and a main() of its own into an
   ordinary python: libc is asked to start Py_BytesMain, the core's own command line, instead.

   Loaded as a needed library of that executable, so this definition of __libc_start_main is
   found before libc's. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>

typedef int (*main_function)(int, char **, char **);
typedef int (*start_function)(main_function, int, char **, void (*)(void), void (*)(void),
                              void (*)(void), void *);

extern int Py_BytesMain(int argc, char **argv);

static int python_main(int argc, char **argv, char **envp)
{
    (void)envp;
    return Py_BytesMain(argc, argv);
}

int __libc_start_main(main_function frozen_main, int argc, char **argv, void (*init)(void),
                      void (*fini)(void), void (*rtld_fini)(void), void *stack_end)
{
    (void)frozen_main;
    start_function start = (start_function)dlsym(RTLD_NEXT, "__libc_start_main");
    if (start == NULL)
        abort();
    return start(python_main, argc, argv, init, fini, rtld_fini, stack_end);
}
