"""Container images: a base, the interpreter and a run environment as an OCI archive, no daemon."""
