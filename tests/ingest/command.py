"""The command line, in this process."""

from steepest.cli.main import main


def steepest(*words: str) -> int:
    """The command line as people use it: its exit code."""
    try:
        main(words)
    except SystemExit as ended:
        return int(ended.code or 0)
    return 0
