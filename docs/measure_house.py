"""Measures the package of a checkout and prints a Markdown table: how large it is, how it hangs together, how it reads.

    python docs/measure_house.py [CHECKOUT] [--compare BEFORE]

- An import edge joins two modules of the package by an import that runs when the module loads: outside functions, and
  not under `TYPE_CHECKING` or `__main__`. A late import stands inside a function; it counts once per module and target.
- A function's length runs from `def` on, without docstrings. A docstring is any string that stands as a statement.
- `Any` counts as a name in the source, outside import statements and strings.
- A function takes a language if a parameter is named `lang` or `language`, or annotated `Language` or `Lang`.
- Chinese includes its punctuation. `_zh` may end an identifier, a keyword or a whole string.
- Libraries among the scripts do not count.
"""

import argparse
import ast
import io
import re
import tokenize
from collections import Counter
from collections.abc import Iterator, Set
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median, quantiles

Edges = dict[str, set[str]]
Function = ast.FunctionDef | ast.AsyncFunctionDef

CHINESE = re.compile(r"[\u3000-\u303f\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff00-\uffef]")
NEVER_RUN = re.compile(r"(\w+\.)?TYPE_CHECKING|__name__ == '__main__'")
SCRIPT_IMPORT = re.compile(r"""^\s*(?:import|export)\b(?:[^'"();]*?\bfrom)?\s*['"](\.[^'"]+)['"]""", re.MULTILINE)


@dataclass
class House:
    """The figures of one package."""

    root_files: list[str]
    edges: Edges  # module → modules that it imports
    scripts: dict[str, Edges]  # by folder: script → scripts that it imports
    files: dict[str, int] = field(default_factory=dict)  # lines by path
    lengths: list[int] = field(default_factory=list)  # of functions
    returns: int = 0  # functions with an annotated return type
    late: set[tuple[str, str]] = field(default_factory=set)
    docstring_lines: int = 0
    comment_lines: int = 0
    anys: int = 0
    languages: list[str] = field(default_factory=list)  # functions that take one
    chinese_lines: int = 0
    zh_names: Counter[str] = field(default_factory=Counter)

    @property
    def twins(self) -> list[str]:
        """Names of modules in more than one folder."""
        seen = Counter(Path(path).stem for path in self.files if not path.endswith("__.py"))
        return sorted(name for name, count in seen.items() if count > 1)


def measure(checkout: Path) -> House:
    """The figures of the only package in `checkout`/src."""
    (package,) = [path.parent for path in (checkout / "src").glob("*/__init__.py")]
    paths = {
        ".".join(path.relative_to(package.parent).with_suffix("").parts).removesuffix(".__init__"): path
        for path in sorted(package.rglob("*.py"))
    }
    root_files = sorted(path.name for path in package.iterdir() if path.is_file())
    house = House(root_files, edges={module: set() for module in paths}, scripts=scripts(package))
    for module, path in paths.items():
        text = path.read_text(encoding="utf-8")
        house.files[str(path.relative_to(package))] = len(text.splitlines())
        house.chinese_lines += sum(bool(CHINESE.search(line)) for line in text.splitlines())
        import_lines: set[int] = set()
        for node, late in walk(ast.parse(text)):
            read_node(house, module, node)
            if isinstance(node, ast.Import | ast.ImportFrom):
                import_lines.update(range(node.lineno, (node.end_lineno or 0) + 1))
                for target in imported(node, paths.keys()) if late is not None else ():
                    house.late.add((module, target)) if late else house.edges[module].add(target)
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            house.comment_lines += token.type == tokenize.COMMENT
            house.anys += token.string == "Any" and token.start[0] not in import_lines
    return house


def walk(node: ast.AST, late: bool | None = False) -> Iterator[tuple[ast.AST, bool | None]]:
    """Every node below, and whether it stands in a function; None: where it never runs in an import."""
    for child in ast.iter_child_nodes(node):
        yield child, late
        if isinstance(child, ast.If) and NEVER_RUN.fullmatch(ast.unparse(child.test)):
            yield from walk(child, None)
        else:
            yield from walk(child, late if late is None else late or isinstance(child, Function | ast.Lambda))


def imported(node: ast.Import | ast.ImportFrom, known: Set[str]) -> set[str]:
    """The modules that an absolute import names: `from a import b` names a.b if that is a module, else a."""
    if isinstance(node, ast.Import):
        return {alias.name for alias in node.names} & known
    inner = (f"{node.module}.{alias.name}" for alias in node.names)
    return {name if name in known else node.module or "" for name in inner} & known


def read_node(house: House, module: str, node: ast.AST) -> None:
    for attribute in ("id", "attr", "name", "arg", "asname", "value"):
        if isinstance(name := getattr(node, attribute, None), str) and re.fullmatch(r"\w*_zh", name):
            house.zh_names[name] += 1
    house.docstring_lines += docstring_lines(node)
    if isinstance(node, Function):
        house.lengths.append((node.end_lineno or 0) - node.lineno + 1 - sum(map(docstring_lines, ast.walk(node))))
        house.returns += node.returns is not None
    if isinstance(node, Function | ast.Lambda) and any(map(is_language, ast.walk(node.args))):
        house.languages.append(f"{module}.{getattr(node, 'name', 'lambda')}")


def docstring_lines(node: ast.AST) -> int:
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
        return (node.end_lineno or 0) - node.lineno + 1
    return 0


def is_language(node: ast.AST) -> bool:
    return isinstance(node, ast.arg) and bool(re.match(r"lang(uage)?\b|.*:.*\bLang(uage)?\b", ast.unparse(node)))


def scripts(package: Path) -> dict[str, Edges]:
    """The scripts of each folder's `static`, with those that they import."""
    found: dict[str, Edges] = {}
    for path in sorted(package.resolve().rglob("*.js")):
        if "static" in path.parts and not path.with_suffix(".LICENSE").exists():  # a licence marks a library
            targets = {str((path.parent / each).resolve()) for each in SCRIPT_IMPORT.findall(path.read_text("utf-8"))}
            found.setdefault(path.parts[path.parts.index("static") - 1], {})[str(path)] = targets
    return found


def cycles(edges: Edges) -> list[list[str]]:
    """Groups whose members all reach one another: by what each reaches in any number of steps."""
    reach = {one: set(targets) for one, targets in edges.items()}
    for middle in reach:
        for targets in reach.values():
            if middle in targets:
                targets |= reach[middle]
    groups = {frozenset(other for other in reach[one] if one in reach.get(other, ())) for one in reach}
    return sorted(sorted(group) for group in groups if group)


def rows(house: House) -> dict[str, str]:
    """The table: what was measured, and its figure."""
    sizes, total = [*house.files.values()], sum(house.files.values())
    largest = max(house.files, key=house.files.__getitem__)
    ninth = round(quantiles(house.lengths, n=10, method="inclusive")[-1])
    return {
        "modules / lines": f"{len(sizes)} / {total:,}",
        "median / largest file": f"{median(sizes):.0f} / {max(sizes)} ({largest})",
        "files at the package root": str(len(house.root_files)),
        "module names in more than one folder": listed(house.twins),
        "function p50 / p90 / max": f"{median(house.lengths):.0f} / {ninth} / {max(house.lengths)}",
        "import edges": str(sum(map(len, house.edges.values()))),
        "import cycles": listed([" ↔ ".join(cycle) for cycle in cycles(house.edges)]),
        "late imports": str(len(house.late)),
        "return types annotated": f"{house.returns / len(house.lengths):.1%}",
        "docstring lines": f"{house.docstring_lines / total:.1%}",
        "lines with a comment": f"{house.comment_lines / total:.1%}",
        "`Any`": f"{house.anys:,}",
        "functions that take a language": str(len(house.languages)),
        "Python lines with Chinese": f"{house.chinese_lines:,}",
        "names that end in `_zh` / occurrences": f"{len(house.zh_names)} / {house.zh_names.total()}",
        **{f"scripts of {folder}": described(edges) for folder, edges in house.scripts.items()},
    }


def described(edges: Edges) -> str:
    if not any(edges.values()):
        return f"one global scope, scripts: {len(edges)}"
    looped = listed([" ↔ ".join(Path(script).name for script in cycle) for cycle in cycles(edges)])
    return f"{len(edges)} modules, {sum(map(len, edges.values()))} imports, cycles: {looped}"


def listed(found: list[str]) -> str:
    return f"{len(found)} ({', '.join(found)})" if found else "0"


def table(columns: dict[str, dict[str, str]]) -> str:
    """Rows in the order of the last column; a figure that a column lacks is a dash."""
    names = dict.fromkeys(name for figures in reversed(columns.values()) for name in figures)
    lines = [["", *columns], ["---"] * (len(columns) + 1)]
    lines += [[name, *(figures.get(name, "–") for figures in columns.values())] for name in names]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure the package of a checkout; print a Markdown table.")
    parser.add_argument("checkout", type=Path, nargs="?", default=Path(__file__).parents[1], help="default: this one")
    parser.add_argument("--compare", type=Path, metavar="BEFORE", help="an earlier checkout, shown beside")
    given = parser.parse_args()
    before = {"before": rows(measure(given.compare))} if given.compare else {}
    print(table(before | {"after" if before else "figure": rows(measure(given.checkout))}))


if __name__ == "__main__":
    main()
