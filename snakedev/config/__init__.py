"""What config.yaml says: its typed model, reading it, and explaining what is wrong in it."""
