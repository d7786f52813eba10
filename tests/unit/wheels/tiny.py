"""A wheel to build in tests, and an interpreter that is built with ThreadSanitizer."""

from snakedev.store.specs import WheelSpec

SPEC = WheelSpec(
    repo="tiny",
    variant="any",
    version="1.0",
    recipe="setuptools",
    recipe_number=1,
    source_key="0" * 16,
    subdirectory=".",
    interpreter={},
    environment_key="1" * 16,
    environment_name="build-any",
    compilers={},
    settings={"PLACE": "${environment}/share", "TREE": "${tree}"},
)
SANITIZED = {"version": "3.14", "abiflags": "t", "sanitizer": "thread"}
