"""Builds vLLM for free-threaded Python and proves it: a room for each thing that this takes.

A room imports from those before it alone, which tests/unit/test_rooms.py holds.
"""

ROOMS = (
    *("base", "inside", "machine", "config", "store", "recipes", "fetch", "sources"),
    *("environments", "interpreter", "wheels", "inference", "images", "workbench", "reports"),
    *("plan", "bump", "upstream"),
)
"""The rooms, ground floor first; schemas.py, beside them, may import from all."""
