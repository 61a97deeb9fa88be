"""The classes of errors."""

import pickle

from steepest.errors import BadTask, StudyFolderError, TrialFailed


def test_what_an_error_quotes_stays_in_its_line() -> None:
    for kind in (BadTask, StudyFolderError):
        error = kind("There is no column 'a\nb\x1b[31m'.")
        assert str(error) == r"There is no column 'a\nb\x1b[31m'."
        assert str(pickle.loads(pickle.dumps(error))) == str(error)
    assert str(TrialFailed("It failed:\nZeroDivisionError")) == "It failed:\nZeroDivisionError"
