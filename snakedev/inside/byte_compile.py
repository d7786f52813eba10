"""Compile Python files to bytecode: `byte_compile.py REQUEST TARGET`.

REQUEST has pairs of a file and the path that it will have, as JSON; below TARGET its bytecode gets
the place that it has beside that path. It holds for any time of the file. What is no Python is
left alone.

Bytecode marks what is referred to more than once, and takes that from the counts of references, so
its bytes depend on all that the process did: on the files before, on PYTHONHASHSEED, on modules
that a site imports (so run it with -S), and on when garbage was collected, which follows memory.
"""

import gc
import importlib.util
import json
import py_compile
import sys


def main() -> None:
    """Do it."""
    with open(sys.argv[1], encoding="utf-8") as file:
        wanted = json.load(file)
    for source, shown in wanted:
        try:
            py_compile.compile(
                source,
                cfile=sys.argv[2] + importlib.util.cache_from_source(shown),
                dfile=shown,
                doraise=True,
                invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
            )
        except (py_compile.PyCompileError, ValueError):
            print(f"left as it is: {shown}")


if __name__ == "__main__":
    gc.disable()
    sys.dont_write_bytecode = True
    main()
