"""The house stands on one-way imports: who may import whom, kept by reading every import statement."""

import ast
from collections.abc import Iterator
from pathlib import Path

PACKAGE = Path(__file__).parents[1] / "src" / "steepest"

BASE = {"messages", "locale", "errors"}
READS = BASE | {"records", "study", "verdict", "report"}
MAY = {
    "locale": set(),
    "messages": {"locale"},
    "errors": set(),
    "records": BASE,
    "search": BASE | {"records"},
    "optim": BASE | {"records"},
    "tasks": BASE | {"records"},
    "datasets": BASE | {"records"},
    "checks": BASE | {"records", "tasks"},
    "builtin": BASE | {"records", "tasks", "datasets"},
    "ingest": BASE | {"records", "tasks", "builtin", "checks"},
    "coming_from": BASE | {"records", "optim", "tasks"},
    "codegen": BASE | {"records", "optim"},
    "engine": BASE | {"records", "optim", "tasks", "checks", "ingest", "codegen", "adapters"},
    "adapters": BASE | {"records", "optim", "codegen"},
    "design": BASE | {"records", "search", "optim", "study", "tasks", "builtin", "ingest"},
    "study": BASE | {"records", "search"},
    "clusters": BASE | {"records", "study"},
    "verdict": BASE | {"records", "search"},
    "report": BASE | {"records", "verdict"},
    "serving": READS,
    "reader": READS,
    "playground": BASE | {"records", "optim", "report"},
    "api": READS | {"optim", "tasks", "builtin", "ingest", "engine", "adapters", "design", "reader", "clusters"},
    "why": READS | {"tasks", "engine", "reader"},
    "articles": READS | {"optim", "tasks", "builtin", "engine", "reader", "api", "why"},
    "cli": READS
    | {"optim", "tasks", "datasets", "builtin", "ingest", "codegen", "engine", "design", "reader", "api", "why"}
    | {"articles", "playground", "serving", "clusters"},
    "__init__": {"api", "reader", "why", "errors", "tasks", "ingest", "design", "coming_from"},
    "__main__": {"cli"},
}
WITHIN = {
    "verdict.stats": set(),
    "verdict.results": {"verdict.stats"},
    "verdict.judge": {"verdict.stats", "verdict.results"},
    "verdict.words": {"verdict.results", "verdict.judge"},
    "verdict.external": {"verdict.results", "verdict.judge", "verdict.table_columns"},
    "verdict.decide": {"verdict.stats", "verdict.results", "verdict.judge", "verdict.words"},
}
"""Rooms within a room: numbers do not know policy, and policy does not know words."""
WITHOUT_TORCH = (*sorted(BASE), "records", "search", "study", "clusters", "verdict", "report", "reader", "serving")


def house_of(module: str) -> str:
    """The room a dotted module lies in: steepest.optim.rule → optim, steepest.errors → errors, steepest → __init__."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else "__init__"


def inner_room_of(module: str) -> str:
    """steepest.verdict.judge.pairs → verdict.judge"""
    return ".".join(module.split(".")[1:3])


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


def test_rooms_within_a_room_import_one_way_too():
    wrong = []
    for _, path in modules():
        own = inner_room_of(".".join(("steepest", *path.relative_to(PACKAGE).with_suffix("").parts)))
        for target, _ in imports(path) if own in WITHIN else ():
            to = inner_room_of(target)
            if to in WITHIN and to != own and to not in WITHIN[own]:
                wrong.append(f"{path.relative_to(PACKAGE)} imports {target}")
    assert not wrong, "\n".join(wrong)


def test_no_two_modules_share_a_name():
    names = [path.stem for _, path in modules() if path.stem not in ("__init__", "__main__")]
    assert not {name for name in names if names.count(name) > 1}


def test_late_imports_stay_where_they_buy_start_up_time():
    """Inside functions, only the command line imports the house: everything else is loaded where one can see it."""
    wrong = [
        f"{path.relative_to(PACKAGE)} imports {target} inside a function"
        for house, path in modules()
        for target, late in imports(path)
        if late and target.startswith("steepest.") and house not in ("cli", "__init__")
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
