"""What every page needs that is one file: data that cannot leave their script tag, a content policy, templates."""

import base64
import hashlib
import json
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined


def json_in_script(value: object) -> str:
    """JSON that cannot end the script tag it stands in, nor open a comment there. Refuses NaN."""
    text = json.dumps(value, allow_nan=False, ensure_ascii=False, separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def policy(sheet: str, code: str, *more: str) -> str:
    """A content policy that allows this very stylesheet and this very script, and what `more` directives allow."""
    named = (f"script-src {_hash(code)}", f"style-src {_hash(sheet)}")
    return "; ".join(("default-src 'none'", *named, *more, "base-uri 'none'", "form-action 'none'"))


def environment(folder: Path) -> Environment:
    """Templates of a folder: names are escaped, a name that is missing is an error."""
    return Environment(
        loader=FileSystemLoader(folder),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _hash(content: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}'"
