"""Faults on purpose: what a run survives, on a small workflow of real repositories and builds.

`python -m tools.chaos` is the runner. A module holds the scenarios of one kind: functions that get
a `Setting`, do harm, and end when the same command has finished and the store is whole. What they
find stands in docs/explanation/robustness.md.
"""
