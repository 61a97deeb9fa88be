"""What the commands of docs/start.md and docs/learn print, quoted below them: `python docs/quotes.py [PAGE …]`.

A quote is a `text` block right behind a `console` block of one command. The command is run, and the block gets as many
paragraphs of what it prints as it had before, the verdict first. Times are not quoted: they are those of a machine.
"""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

DOCS = Path(__file__).parent
PAGES = [DOCS / "start.md", *sorted((DOCS / "learn").glob("*.md"))]
QUOTE = re.compile(
    r"(?<=```console\n)\$ steepest (?P<command>[^\n]*)\n```\n\n(?:[^\n`]+\n)*\n?```text\n(?P<text>.*?)```", re.DOTALL
)


def quoted(page: str, said: dict[str, str] | None = None) -> str:
    """The page with its quotes as the commands print them today; `said` holds what is known already, by command."""

    def anew(found: re.Match[str]) -> str:
        command, text = found["command"], found["text"]
        printed = (said or {}).get(command) or _printed(command)
        paragraphs = printed.strip("\n").split("\n\n")[: text.strip("\n").count("\n\n") + 1]
        return found[0][: found.start("text") - found.start()] + "\n\n".join(paragraphs) + "\n```"

    return QUOTE.sub(anew, page)


def _printed(command: str) -> str:
    with tempfile.TemporaryDirectory() as place:
        words = [sys.executable, "-m", "steepest", *shlex.split(command), "--quiet"]
        return subprocess.run(words, cwd=place, check=True, capture_output=True, text=True).stdout


if __name__ == "__main__":
    for page in [Path(name) for name in sys.argv[1:]] or PAGES:
        page.write_text(quoted(page.read_text(encoding="utf-8")), encoding="utf-8")
