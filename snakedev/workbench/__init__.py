"""Changing an upstream: a work folder to edit, and its commits exported as a patch series."""
