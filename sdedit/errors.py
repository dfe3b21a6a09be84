"""The one exception that means: tell the user, in this sentence, what to do."""


class SdeditError(Exception):
    """A problem the user can act on; its text is one sentence that names the file and the remedy."""
