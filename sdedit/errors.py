"""Exceptions whose text is shown to the user: one sentence that says what to do."""


class SdeditError(Exception):
    """A problem the user can act on; its text is one sentence that names the file and the remedy.

    Attributes:
        code: exit code of the command.
    """

    code = 1


class SomeFailedError(SdeditError):
    """Some images of many could not be painted, and the others are there."""

    code = 3


class InterruptedWorkError(SdeditError):
    """Interrupted by a signal after a clean shutdown; `code` is the exit code that says so."""

    def __init__(self, sentence: str, code: int) -> None:
        super().__init__(sentence)
        self.code = code


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error of Python, of torch on a CPU or of a GPU says that memory has run out."""
    text = str(error).lower()
    return isinstance(error, MemoryError) or any(
        words in text for words in ("out of memory", "can't allocate memory", "alloc_failed")
    )


def meant_time(number: float) -> str:
    """The end of a sentence that refuses a time t0: what somebody who counts in per cent, or in the 1000 steps of other
    programs, may have meant; empty if that cannot be told.
    """
    if not 1 < number <= 1000:
        return ""
    return f"; did you mean {number / (100 if number <= 100 else 1000):g}?"
