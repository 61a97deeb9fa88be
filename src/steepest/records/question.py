"""To which question levels and differences are the answer: an option of the reader, a field of the verdict."""

from typing import Literal

Question = Literal["trained-again", "split-again", "new-rows"]
"""These rows in these parts, trained again with other seeds; these rows, split again; other rows of the same kind."""
QUESTIONS: tuple[Question, ...] = ("new-rows", "split-again", "trained-again")
"""The widest first."""
