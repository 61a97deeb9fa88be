"""Writes docs/proofs.md from the comparisons that the tests of rules make: `make test-oracles`.

A part of conftest.py. A test records each comparison with the fixture `proof`; the record travels with its report.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

PAGE = Path(__file__).parents[1] / "docs" / "proofs.md"
HEAD = """# Proofs: every rule against other implementations

`make test-oracles` writes this page from the comparisons of its tests, and fails if a run finds other rows. Every
update rule is written once in this project. Each row compares it with an independent implementation on the same
problem, in float64. Where torch has the rule, the comparison is bit for bit and also covers float32. "Cases" counts
settings: all decays and momenta on and off, and every named form. "Within" is the largest allowed difference and
"seen" the largest found, both relative to the largest distance moved. Rows against "one process" compare several
processes with one, on parameters that are divided among them:
see [the drop-in optimizer](drop-in.md#on-several-processes).
"""
PAPER = "its paper, once more in NumPy (tests/reference)"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--proofs", action="store_true", help="write docs/proofs.md, and fail if its rows have changed")


@pytest.fixture
def proof(record_property: Callable[[str, object], None]) -> Callable[..., None]:
    """proof(rule, oracle, deviation, within, package): asserts it, and puts it on the page."""

    def note(rule: str, oracle: str, deviation: float, within: float, package: str = "") -> None:
        assert deviation <= within, f"{rule} is {deviation:.3g} from {oracle}"
        record_property("proof", [rule, oracle, float(deviation), float(within), package])

    return note


@pytest.fixture
def flaw(record_property: Callable[[str, object], None]) -> Callable[[str, str], None]:
    """flaw(package, sentence): the test that asks for it has shown that the package does this."""
    return lambda package, sentence: record_property("flaw", [package, sentence])


# ---- the page --------------------------------------------------------------------------------------------------------

_recorded: dict[str, list[list[Any]]] = {"proof": [], "flaw": []}


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.when == "call" and report.passed:
        for kind, value in report.user_properties:
            if kind in _recorded:
                _recorded[kind].append(value)  # type: ignore[arg-type]


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    if not session.config.getoption("--proofs") or hasattr(session.config, "workerinput") or exitstatus != 0:
        return
    page = _page()
    before = PAGE.read_text(encoding="utf-8") if PAGE.exists() else ""
    PAGE.write_text(page, encoding="utf-8")
    if _lasting(page) != _lasting(before):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
        print("\ndocs/proofs.md differed from what the tests found. It has been rewritten: check it, and commit it.")


def _page() -> str:
    rows: dict[tuple[str, str, float], list[float]] = {}
    packages = {"torch"}
    for rule, oracle, deviation, within, package in _recorded["proof"]:
        rows.setdefault((rule, oracle, within), []).append(deviation)
        packages |= {package} - {""}
    lines = [HEAD, "| rule | against | cases | within | seen |", "|---|---|---|---|---|"]
    for (rule, oracle, within), seen in sorted(rows.items()):
        lines.append(f"| {rule} | {oracle} | {len(seen)} | {_share(within)} | {_share(max(seen))} |")
    lines += ["", "## Errors found in other packages", ""]
    lines += ["A test shows each error, and fails once the package has fixed it.", ""]
    lines += [f"- **{package}**: {sentence}" for package, sentence in sorted(_recorded["flaw"])]
    packages |= {package for package, _ in _recorded["flaw"]}
    lines += ["", "## Versions", ""]
    lines += [f"- {package} {version(package).partition('+')[0]}" for package in sorted(packages)]
    return "\n".join([*lines, ""])


def _share(value: float) -> str:
    return f"{value:.0e}" if value else "every bit"


def _lasting(page: str) -> str:
    """The page without what another machine or version changes: what was seen, and the versions."""
    return re.sub(r"\| [^|\n]* \|$", "|", page.partition("## Versions")[0], flags=re.MULTILINE)
