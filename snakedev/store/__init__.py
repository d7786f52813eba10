"""Specs and their keys, where everything lies under results/, publishing it, and pruning."""
