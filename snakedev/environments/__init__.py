"""Locks, the virtual environments that are made from them, and how programs run in these."""
