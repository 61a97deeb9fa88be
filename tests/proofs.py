"""What the tests of rules compare, with what, and how closely, becomes docs/proofs.md: `make test-oracles`.

A part of conftest.py. A test says by the fixture `proof` what it has compared, which travels with its report.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

PAGE = Path(__file__).parents[1] / "docs" / "proofs.md"
HEAD = """# What is proven against what

Written by `make test-oracles` from what its tests compared; a run that finds other rows than these fails. Every rule is
written once, and each row is another's version of it, driven over the same problem in float64 unless torch's own is
compared to the bit, in float32 too. "Cases" are settings: with all decays and momenta on and off, and every named form.
"Within" is the largest difference allowed, "seen" the largest found, both as shares of the largest distance moved.
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

_told: dict[str, list[list[Any]]] = {"proof": [], "flaw": []}


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.when == "call" and report.passed:
        for kind, value in report.user_properties:
            if kind in _told:
                _told[kind].append(value)  # type: ignore[arg-type]


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    if not session.config.getoption("--proofs") or hasattr(session.config, "workerinput") or exitstatus != 0:
        return
    page = _page()
    before = PAGE.read_text(encoding="utf-8") if PAGE.exists() else ""
    PAGE.write_text(page, encoding="utf-8")
    if _lasting(page) != _lasting(before):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
        print("\ndocs/proofs.md did not say what the tests show. It has been written anew: look at it, and commit it.")


def _page() -> str:
    rows: dict[tuple[str, str, float], list[float]] = {}
    packages = {"torch"}
    for rule, oracle, deviation, within, package in _told["proof"]:
        rows.setdefault((rule, oracle, within), []).append(deviation)
        packages |= {package} - {""}
    lines = [HEAD, "| rule | against | cases | within | seen |", "|---|---|---|---|---|"]
    for (rule, oracle, within), seen in sorted(rows.items()):
        lines.append(f"| {rule} | {oracle} | {len(seen)} | {_share(within)} | {_share(max(seen))} |")
    lines += ["", "## Errors found on the way", ""]
    lines += ["Each is a test, which fails once it has been mended.", ""]
    lines += [f"- **{package}**: {sentence}" for package, sentence in sorted(_told["flaw"])]
    packages |= {package for package, _ in _told["flaw"]}
    lines += ["", "## Versions", ""]
    lines += [f"- {package} {version(package).partition('+')[0]}" for package in sorted(packages)]
    return "\n".join([*lines, ""])


def _share(value: float) -> str:
    return f"{value:.0e}" if value else "every bit"


def _lasting(page: str) -> str:
    """The page without what another machine or version changes: what was seen, and the versions."""
    return re.sub(r"\| [^|\n]* \|$", "|", page.partition("## Versions")[0], flags=re.MULTILINE)
