"""ES modules as one inline script, so that a page opens from a file, where browsers load no module.

`bundle(entry)` reads a module and all that it imports, and writes each in a function scope of its own, after those it
imports. Two forms are all that our modules need, each at the beginning of a line; everything else is refused:

    import { name, name as other } from "./module.js";
    export const name = …      export function name(…)      export class name

An export is handed over once, when its module has run. State that changes later is shared as an object or by a
function.
"""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_IMPORT = re.compile(r'^import \{([^{}]*)\} from "(\.{1,2}/[^"\n]+)";\n', re.MULTILINE)
_EXPORT = re.compile(r"^export (?=(?:const|class|(?:async )?function\*?) ([A-Za-z_]\w*))", re.MULTILINE)
_BINDING = re.compile(r"([A-Za-z_]\w*)(?: as ([A-Za-z_]\w*))?")
_OTHER_FORM = re.compile(r"^(?:import|export)\b.*", re.MULTILINE)
_AT_RUN_TIME = re.compile(r"import *[(.].*")


@dataclass(frozen=True)
class Module:
    """A script as its file says it."""

    path: Path
    imports: tuple[tuple[Path, tuple[tuple[str, str], ...]], ...]
    """File of each imported module, and from there each name with the name that it has here."""
    exports: tuple[str, ...]
    body: str
    """The code without imports and without the word `export`."""


def bundle(entry: Path) -> str:
    """One script that runs `entry` and everything that it imports, in one scope that no other script can reach."""
    modules = ordered(entry)
    scopes = {module.path: f"$m{i}" for i, module in enumerate(modules)}
    parts = "\n".join(_scope(module, scopes) for module in modules)
    return f'(() => {{\n"use strict";\n{parts}}})();\n'


def ordered(entry: Path) -> list[Module]:
    """The modules that `entry` needs, each after those it imports, `entry` last. Refuses what would not run."""
    done: dict[Path, Module] = {}
    _visit(_plain(entry), (), done)
    for module in done.values():
        for path, names in module.imports:
            for name, _ in names:
                if name not in done[path].exports:
                    raise ValueError(f"{module.path.name} imports {name!r} from {path.name}, which does not export it.")
    return list(done.values())


def read(path: Path) -> Module:
    """Parse one module. Refuses forms of import and export that the bundler does not know."""
    text = path.read_text(encoding="utf-8")
    imports = tuple(
        (_plain(path.parent / source), tuple(_bindings(names, path))) for names, source in _IMPORT.findall(text)
    )
    body = _EXPORT.sub("", _IMPORT.sub("", text))
    if other := _OTHER_FORM.search(body) or _AT_RUN_TIME.search(body):
        raise ValueError(
            f"{path.name} has `{other[0].strip()}`, a form of import or export that the bundler does not support. "
            'Use `import { … } from "./….js";`, and `export` before const, function or class.'
        )
    return Module(path, imports, tuple(_EXPORT.findall(text)), body.strip())


def _visit(path: Path, above: tuple[Path, ...], done: dict[Path, Module]) -> None:
    """Depth first, in the order of the import lines. above: the modules whose imports led here."""
    if path in above:
        cycle = " → ".join(each.name for each in (*above[above.index(path) :], path))
        raise ValueError(f"Modules import each other: {cycle}. Move what they share into a module of its own.")
    if path in done:
        return
    if not path.is_file():
        by = f"{above[-1].name} imports {path.name}" if above else f"{path.name} is to be bundled"
        raise ValueError(f"{by}, but there is no file {path}.")
    module = read(path)
    for imported, _ in module.imports:
        _visit(imported, (*above, path), done)
    done[path] = module


def _plain(path: Path) -> Path:
    """The path without `..`, by which a module is known however it was imported."""
    return Path(os.path.normpath(path))


def _bindings(names: str, path: Path) -> Iterator[tuple[str, str]]:
    """`a, b as c` → (a, a), (b, c)."""
    for part in filter(None, map(str.strip, names.split(","))):
        if not (found := _BINDING.fullmatch(part)):
            raise ValueError(f"{path.name} imports {part!r}, which is not a name, nor `name as other`.")
        yield found[1], found[2] or found[1]


def _scope(module: Module, scopes: dict[Path, str]) -> str:
    """The module as a function that is called once; what it exports becomes the fields of a constant."""
    taken = [
        f"const {{ {', '.join(a if a == b else f'{a}: {b}' for a, b in names)} }} = {scopes[path]};"
        for path, names in module.imports
    ]
    given = [f"return {{ {', '.join(module.exports)} }};"] if module.exports else []
    lines = "\n".join((*taken, module.body, *given))
    return f"const {scopes[module.path]} = (() => {{ // {module.path.name}\n{lines}\n}})();\n"
