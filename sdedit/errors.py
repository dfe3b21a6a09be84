"""The one exception that means: tell the user, in this sentence, what to do."""


class SdeditError(Exception):
    """A problem the user can act on; its text is one sentence that names the file and the remedy."""


class InterruptedWorkError(SdeditError):
    """Work that a signal ended in good order; `code` is the exit code that says so."""

    def __init__(self, sentence: str, code: int) -> None:
        super().__init__(sentence)
        self.code = code
