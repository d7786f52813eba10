"""Building a wheel from a source, checking it, what it may borrow, and the wheelhouse."""
