"""The modules of our pages, and the bundler that makes one script of them."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from steepest.playground import page as playground
from steepest.report import html as report
from steepest.report.bundle import bundle, ordered, read

FOLDERS = (report.STATIC, playground.STATIC)
ENTRIES = (*(report.STATIC / f"{name}.js" for name in ("page", "live_page", "list")), playground.STATIC / "page.js")
VENDORED = {"uplot.js"}
SCRIPTS = sorted(path for folder in FOLDERS for path in folder.glob("*.js") if path.name not in VENDORED)
MODULES = {path: read(path) for path in SCRIPTS}
DECLARATION = re.compile(r"(import|export|const|let|function\*?|async function|class|//|/\*)\b|//|/\*| |[}\])]|$")
NAMED = re.compile(r"\b(?:const|let|function\*?|class) (\w+)|[({,] *(\w+)(?=[,)}=: ])")
NODE = shutil.which("node") or ""


def label(path):
    return f"{path.parent.parent.name}/{path.name}"


@pytest.fixture
def written(tmp_path):
    """A function that writes modules and returns the path of the first."""

    def write(**modules):
        for name, text in modules.items():
            (tmp_path / f"{name}.js").write_text(text, encoding="utf-8")
        return tmp_path / f"{next(iter(modules))}.js"

    return write


# ---- our modules ----


@pytest.mark.parametrize("entry", ENTRIES, ids=label)
def test_every_import_resolves_and_no_modules_import_each_other(entry):
    modules = [module.path for module in ordered(entry)]
    assert modules[-1] == entry
    for place, path in enumerate(modules):
        assert {imported for imported, _ in MODULES[path].imports} <= set(modules[:place])


def test_every_script_is_part_of_a_page():
    assert {module.path for entry in ENTRIES for module in ordered(entry)} == set(SCRIPTS)


def test_every_other_static_file_is_named_where_pages_are_made():
    templates = [path for folder in FOLDERS for path in folder.glob("*.html")]
    makers = [Path(report.__file__), Path(playground.__file__), *templates]
    text = "".join(path.read_text(encoding="utf-8") for path in makers)
    others = [path.name for folder in FOLDERS for path in folder.iterdir() if path not in SCRIPTS]
    assert [name for name in others if f'"{name}"' not in text and f"'{name}'" not in text] == []


def test_every_export_is_imported_by_another_module():
    exported = {(path, name) for path, module in MODULES.items() for name in module.exports}
    imported = {(path, a) for module in MODULES.values() for path, names in module.imports for a, _ in names}
    assert exported == imported


@pytest.mark.parametrize("path", SCRIPTS, ids=label)
def test_every_imported_name_is_used(path):
    module = MODULES[path]
    names = [here for _, names in module.imports for _, here in names]
    assert len(names) == len(set(names))
    assert [name for name in names if not re.search(rf"\b{name}\b", module.body)] == []


@pytest.mark.parametrize("path", SCRIPTS, ids=label)
def test_a_function_of_another_module_is_imported_before_it_is_called(path):
    module = MODULES[path]
    known = {here for _, names in module.imports for _, here in names}
    known |= {name for pair in NAMED.findall(module.body) for name in pair}
    code = re.sub(r"(?s:/\*.*?\*/)|//.*", "", module.body)
    foreign = {name for other in MODULES.values() for name in other.exports} - known
    assert [name for name in sorted(foreign) if re.search(rf"(?<![\w.]){name}\(", code)] == []


@pytest.mark.parametrize("path", [path for path in SCRIPTS if path not in ENTRIES], ids=label)
def test_only_entries_do_anything_when_they_are_loaded(path):
    assert [line for line in MODULES[path].body.split("\n") if not DECLARATION.match(line)] == []


def test_no_module_asks_which_language_it_is():
    asking = [label(path) for path in SCRIPTS if re.search(r'[!=]== "(zh|en)"', MODULES[path].body)]
    assert asking == []


# ---- the bundler ----


def test_each_module_gets_a_scope_of_its_own_after_those_it_imports(written):
    entry = written(
        page='// Start.\n\nimport { double as twice } from "./numbers.js";\n\nconst two = 1;\nshow(twice(two));\n',
        numbers="const two = 2;\nexport const one = 1;\nexport function double(x) {\n  return two * x;\n}\n",
    )
    assert bundle(entry) == (
        '(() => {\n"use strict";\n'
        "const $m0 = (() => { // numbers.js\n"
        "const two = 2;\nconst one = 1;\nfunction double(x) {\n  return two * x;\n}\n"
        "return { one, double };\n})();\n\n"
        "const $m1 = (() => { // page.js\n"
        "const { double: twice } = $m0;\n// Start.\n\n\nconst two = 1;\nshow(twice(two));\n})();\n"
        "})();\n"
    )


def test_a_module_that_two_others_import_stands_once_and_first(written):
    entry = written(
        page='import { a } from "./a.js";\nimport { b } from "./b.js";\n',
        a='import { state } from "./shared.js";\nexport const a = state;\n',
        b='import { state } from "./shared.js";\nexport const b = state;\n',
        shared="export const state = {};\n",
    )
    assert [module.path.name for module in ordered(entry)] == ["shared.js", "a.js", "b.js", "page.js"]


def test_a_module_is_one_however_it_is_imported(tmp_path):
    (tmp_path / "other").mkdir()
    (tmp_path / "a.js").write_text("export const a = 1;\n")
    (tmp_path / "b.js").write_text('import { a } from "./a.js";\nexport const b = a;\n')
    entry = tmp_path / "other" / "page.js"
    entry.write_text('import { a } from "../a.js";\nimport { b } from "../b.js";\na + b;\n')
    assert [module.path.name for module in ordered(entry)] == ["a.js", "b.js", "page.js"]
    assert str(tmp_path) not in bundle(entry)


def test_a_cycle_is_refused_with_its_members(written):
    entry = written(
        page='import { a } from "./a.js";\n',
        a='import { b } from "./b.js";\nexport const a = 1;\n',
        b='import { a } from "./a.js";\nexport const b = 2;\n',
    )
    with pytest.raises(ValueError, match=r"Modules import each other: a\.js → b\.js → a\.js\. Move what they share"):
        bundle(entry)


def test_a_missing_file_is_refused(written, tmp_path):
    with pytest.raises(ValueError, match=r"page\.js imports gone\.js, but there is no file"):
        bundle(written(page='import { a } from "./gone.js";\n'))
    with pytest.raises(ValueError, match=r"start\.js is to be bundled, but there is no file"):
        bundle(tmp_path / "start.js")


def test_a_missing_export_is_refused(written):
    entry = written(page='import { a, b } from "./a.js";\n', a="export const a = 1;\nconst b = 2;\n")
    with pytest.raises(ValueError, match=r"page\.js imports 'b' from a\.js, which does not export it"):
        bundle(entry)


@pytest.mark.parametrize(
    "line",
    [
        *('import "./a.js";', 'import a from "./a.js";', 'import * as a from "./a.js";'),
        *('import { a } from "library";', "export default a;", "export let a = 1;", "export const { a } = b;"),
        *("export { a };", 'export * from "./a.js";', 'const a = await import("./a.js");', "import.meta.url;"),
    ],
)
def test_another_form_of_import_or_export_is_refused(written, line):
    with pytest.raises(ValueError, match=r"page\.js has `.*`, a form of import or export that the bundler does not"):
        bundle(written(page=f"{line}\n", a="export const a = 1;\n"))


def test_what_is_imported_has_to_be_a_name(written):
    with pytest.raises(ValueError, match=r"page\.js imports 'a: b', which is not a name"):
        bundle(written(page='import { a: b } from "./a.js";\n', a="export const a = 1;\n"))


@pytest.mark.skipif(not NODE, reason="Node.js is not installed.")
def test_a_bundle_runs(written, tmp_path):
    entry = written(
        page='import { add, made } from "./count.js";\nconst n = 10;\nadd(n);\nconsole.log(made.n, n);\n',
        count="let n = 1;\nexport const made = { n };\nexport function add(more) {\n  made.n = n += more;\n}\n",
    )
    script = tmp_path / "bundled.cjs"
    script.write_text(bundle(entry), encoding="utf-8")
    assert subprocess.run([NODE, script], capture_output=True, text=True, check=True).stdout == "11 10\n"


@pytest.mark.skipif(not NODE, reason="Node.js is not installed.")
@pytest.mark.parametrize("entry", ENTRIES, ids=label)
def test_a_page_s_script_is_sound_to_a_browser(entry, tmp_path):
    script = tmp_path / "page.cjs"
    script.write_text(bundle(entry), encoding="utf-8")
    subprocess.run([NODE, "--check", script], check=True)
