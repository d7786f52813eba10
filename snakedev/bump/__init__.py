"""Moving pins: newer releases, the series on them, what they ask for, and the files to commit."""
