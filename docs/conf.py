"""The documentation site: Sphinx with MyST reads the Markdown of this folder, Furo gives it its face. `make site`.

Strict: a link, an anchor or a picture that leads nowhere is an error, and so is a page that the navigation in index.md
does not name. Nothing is fetched, neither by the build nor by the pages: no fonts, no scripts from elsewhere, and
formulas are text, in the letters that `steepest show` prints.

Why Sphinx: it is kept up, and a page without a place in the navigation is its own error. MkDocs 1 has had no release
since 2024 and MkDocs 2 drops the themes and plugins of 1; Material for MkDocs is in maintenance; Zensical, its
successor, is an alpha. What the extra `site` brings takes 77 MB, Material for MkDocs 125 MB, Zensical 103 MB.
"""

import re
import tomllib
from pathlib import Path

from sphinx.application import Sphinx

PROJECT = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8"))["project"]

project = PROJECT["name"]
release = PROJECT["version"]
extensions = ["myst_parser"]
source_suffix = {".md": "markdown"}

myst_heading_anchors = 4
myst_enable_extensions = ["colon_fence"]

html_theme = "furo"
html_title = project
html_static_path = ["static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_copyright = False
pygments_style = "friendly"
pygments_dark_style = "github-dark"

PLACE = re.compile(r'^<a id="([^"]+)"></a>$', re.MULTILINE)


def places(app: Sphinx, name: str, text: list[str]) -> None:
    """`<a id="adam"></a>` is a place to link to on every reader of Markdown; here it becomes MyST's."""
    text[0] = PLACE.sub(r"(\1)=", text[0])


def setup(app: Sphinx) -> None:
    app.connect("source-read", places)
