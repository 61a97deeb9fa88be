"""Commands that look deeper than a verdict: why a study came out as it did, and the articles' claims on trial. Beside
`cli`, which registers them, so that neither outgrows a reader.
"""

from __future__ import annotations

import json as jsonlib
import sys
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from steepest.errors import BadInput
from steepest.messages import shown, term, tr
from steepest.report.rounding import one_line


def register(app: App) -> None:
    """Make these commands of the command line."""
    app.command(why)
    app.command(claims)


def why(
    folder: Path,
    *,
    trials: Annotated[int, Parameter(help="Trials of each optimizer to look into; rules ask for three.")] = 3,
    out: Annotated[Path | None, Parameter(help="The page with the curves (why.html in the study folder).")] = None,
    quiet: Annotated[bool, Parameter(name=["--quiet", "-q"], negative="", help="No progress.")] = False,
    json: Annotated[bool, Parameter(name="--json", negative="", help="Print JSON instead of words.")] = False,
) -> None:
    """Look into the training of a finished study's optimizers, at the rates recommended, and say why it came out so.

    Parameters
    ----------
    folder
        A study folder.
    """
    from steepest import why as looking

    if trials < 1:
        raise BadInput(f"{trials} trials cannot be looked into: take at least 1, and 3 for a reason to be given.")
    study = looking.look_into(
        folder, seeds=trials, tell=lambda words: None if quiet else print(shown(words), file=sys.stderr)
    )
    path = looking.write(study, out)
    found = looking.reasons(study)
    if json:
        rows = [
            {"task": task.task.name, "sentence": shown(c.says), "numbers": dict(c.numbers)}
            for task, claims in found
            for c in claims
        ]
        print(jsonlib.dumps({"reasons": rows, "page": str(path)}, indent=2, ensure_ascii=False, allow_nan=False))
        return
    for task, claims in found:
        print(tr("{title}:", title=one_line(shown(term(task.task.title)), 60)))
        sentences = [one_line(shown(c.says), 600) for c in claims]
        print("\n".join(f"  - {sentence}" for sentence in sentences) or f"  {shown(looking.NOTHING_SURE)}")
    print("\n" + tr("The curves: {path}", path=str(path)))


def claims(
    *,
    out: Annotated[Path, Parameter(help="Where the studies are kept, and gone on with.")] = Path("runs/claims"),
    budget: Annotated[str | None, Parameter(help="Time to spend, such as 10m; half an hour without.")] = None,
    list_only: Annotated[bool, Parameter(name="--list", negative="", help="Only say what is claimed.")] = False,
    report: Annotated[Path | None, Parameter(help="The chapter (claims.md beside the studies).")] = None,
    workers: Annotated[int | None, Parameter(help="Worker processes of one thread each (one a core).")] = None,
    quiet: Annotated[bool, Parameter(name=["--quiet", "-q"], negative="", help="No progress.")] = False,
    json: Annotated[bool, Parameter(name="--json", negative="", help="Print JSON instead of words.")] = False,
) -> None:
    """Put the articles' claims on trial: run the studies they need, judge each by what was stated beforehand."""
    from steepest.articles.hypotheses import HYPOTHESES

    if list_only:
        rows = [{"key": h.key, "claim": h.claim, "stated": h.stated, "unit": h.unit} for h in HYPOTHESES]
        if json:
            print(jsonlib.dumps(rows, indent=2, ensure_ascii=False))
        else:
            for i, h in enumerate(HYPOTHESES):
                print(("\n" if i else "") + tr("{key}: {claim}", key=h.key, claim=term(h.claim)))
                print(f"  {shown(term(h.stated))}")
        return
    from rich.cells import cell_len

    from steepest.articles import chapter, run_claims, second_fit

    for sentence in run_claims.run(out, budget, workers, quiet):
        print(sentence, file=sys.stderr)
    page = out / "claims.md" if report is None else report
    chapter.write(out, page, page.with_suffix(""))
    found = chapter.trials(out)
    if json:
        print(
            jsonlib.dumps(chapter.to_json(found, second_fit.stored(out)), indent=2, ensure_ascii=False, allow_nan=False)
        )
    else:
        outcomes = [(shown(term(trial.word)), shown(term(trial.hypothesis.claim))) for trial in found]
        print("\n".join(f"{word}{' ' * (14 - cell_len(word))}{claim}" for word, claim in outcomes))
        print("\n" + tr("With figures and pictures: {page}", page=str(page)))
