"""The error that is meant for the person at the keyboard."""


class UserError(Exception):
    """Something the user can mend: its text is the whole message, shown without a traceback.

    The text names the file, key or value at fault and says what would be right.
    """
