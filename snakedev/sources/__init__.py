"""Pinned and patched sources: the checkout, reading patch mails, and the crates it names."""
