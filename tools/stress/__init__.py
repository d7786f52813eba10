"""Many threads on shared objects without the GIL: scenarios, and what runs and judges them.

`python -m tools.stress` is the parent, in the workflow's own Python. Each scenario runs in a child
process of a run environment, where this package is `stress` and uses the standard library only;
what a scenario tries it imports itself.
"""
