"""The free-threaded Python: found, assembled from a package or built from source, and checked."""
