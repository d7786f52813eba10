"""Sending patches upstream: branches on its newest state, its rules, and drafts for a person."""
