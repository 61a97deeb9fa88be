"""The house stands on one-way imports: who may import whom, kept by reading every import statement."""

import ast
from collections.abc import Iterator
from pathlib import Path

PACKAGE = Path(__file__).parents[1] / "src" / "steepest"

BASE = {"language", "types", "errors", "rng"}
MAY = {
    "language": set(),
    "types": {"language"},
    "errors": set(),
    "rng": {"types"},
    "memory": set(),
    "files": {"types", "errors"},
    "selection": {"types"},
    "optim": BASE | {"files"},
    "tasks": BASE | {"files"},
    "engine": BASE | {"files", "memory", "optim", "selection", "tasks"},
    "study": BASE | {"files", "memory", "selection"},
    "verdict": BASE | {"selection"},
    "report": BASE | {"verdict"},
    "adapters": BASE | {"optim", "tasks"},
    "choices": set(),
    "options": BASE | {"choices"},
    "contenders": BASE | {"optim"},
    "axes": BASE | {"optim"},
    "reading": BASE | {"files", "study", "verdict", "report"},
    "serving": BASE | {"files", "study", "verdict", "report"},
    "api": BASE
    | {
        "axes",
        "choices",
        "contenders",
        "optim",
        "tasks",
        "engine",
        "study",
        "reading",
        "report",
        "verdict",
        "adapters",
    },
    "playground": BASE | {"files", "optim", "report"},
    "why": BASE | {"files", "tasks", "engine", "study", "verdict", "report", "reading"},
    "articles": BASE | {"files", "optim", "tasks", "engine", "study", "verdict", "report", "reading", "api", "why"},
    "commands": BASE | {"articles", "report", "verdict", "why"},
    "doctor": BASE | {"engine", "optim", "study", "tasks"},
    "pages": BASE | {"report", "verdict"},
    "showing": BASE | {"playground", "reading", "report", "serving"},
    "cli": BASE
    | {
        "choices",
        "options",
        "commands",
        "files",
        "showing",
        "api",
        "reading",
        "pages",
        "doctor",
        "study",
        "tasks",
        "report",
        "serving",
    },
    "__init__": {"api", "errors", "tasks"},
    "__main__": {"cli"},
}
WITHOUT_TORCH = (
    "language",
    "types",
    "errors",
    "rng",
    "files",
    "selection",
    "memory",
    "study",
    "verdict",
    "report",
    "reading",
    "serving",
    "pages",
    "choices",
    "options",
    "cli",
    "showing",
)


def house_of(module: str) -> str:
    """The room a dotted module lies in: steepest.optim.rule → optim, steepest.types → types, steepest → __init__."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else "__init__"


def imports(path: Path) -> Iterator[tuple[str, bool]]:
    """Every module that a file imports, and whether it does so inside a function."""
    tree = ast.parse(path.read_text())
    late = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, id(node) in late
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            for alias in node.names if node.module == "steepest" else ():
                yield f"steepest.{alias.name}", id(node) in late
            yield node.module or "", id(node) in late


def modules() -> list[tuple[str, Path]]:
    found = []
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        found.append((parts[0], path))
    return found


def test_imports_run_one_way():
    wrong = []
    for house, path in modules():
        for target, late in imports(path):
            if not target.startswith("steepest."):
                continue
            to = house_of(target)
            if to == house or to in MAY[house] or to == "__version__":
                continue
            wrong.append(f"{path.relative_to(PACKAGE)} imports {target}{' late' if late else ''}")
    assert not wrong, "\n".join(wrong)


def test_late_imports_stay_where_they_buy_start_up_time():
    """Inside functions, only the command line imports the house: everything else is loaded where one can see it."""
    wrong = [
        f"{path.relative_to(PACKAGE)} imports {target} inside a function"
        for house, path in modules()
        for target, late in imports(path)
        if late and target.startswith("steepest.") and house not in ("cli", "commands", "showing", "__init__")
    ]
    assert not wrong, "\n".join(wrong)


def test_torch_stays_out_of_study_verdict_and_report():
    wrong = [
        f"{path.relative_to(PACKAGE)} imports {target}"
        for house, path in modules()
        if house in WITHOUT_TORCH
        for target, _ in imports(path)
        if target.split(".")[0] == "torch"
    ]
    assert not wrong, "\n".join(wrong)


def test_package_files_are_empty_or_lazy():
    for path in PACKAGE.rglob("__init__.py"):
        if path.parent != PACKAGE and (text := path.read_text().strip()):
            assert "def __getattr__" in text, f"{path} should be empty, or load what it names when it is asked for"
            assert {module.split(".")[0] for module, _ in imports(path)} <= {"importlib", "typing"}, path


def test_no_file_outgrows_a_reader():
    long = {
        str(path.relative_to(PACKAGE)): count
        for _, path in modules()
        if (count := len(path.read_text().splitlines())) > 600
    }
    assert not long
