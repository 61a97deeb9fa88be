"""Commands that look deeper than a verdict: the reasons for a result, and tests of the articles' claims."""

import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from rich.cells import cell_len

import steepest
from steepest.articles.hypotheses import HYPOTHESES
from steepest.cli.shared import Json, is_trusted, print_json
from steepest.design.options import Quiet, Trust, Workers
from steepest.errors import BadInput
from steepest.messages import shown, term, tr
from steepest.records.limits import MAX_SEEDS
from steepest.report.rounding import one_line


def why(
    folder: Annotated[Path, Parameter(help="Study folder.")],
    *,
    trials: Annotated[
        int, Parameter(help="Trials of each optimizer to look into. Reasons are given from three on.")
    ] = 3,
    out: Annotated[Path | None, Parameter(help="Page with the curves. Default: why.html in the study folder.")] = None,
    trust: Trust = False,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    if trials < 1:
        raise BadInput(f"--trials is {trials}; it must be at least 1, and at least 3 for reasons to be given.")
    if trials > MAX_SEEDS:
        raise BadInput(f"--trials is {trials}; at most {MAX_SEEDS:,} are possible.")
    study = steepest.why.look_into(
        folder,
        seeds=trials,
        tell=lambda words: None if quiet else print(shown(words), file=sys.stderr),
        trust=is_trusted(folder, trust),
    )
    path = steepest.why.write(study, out)
    found = steepest.why.reasons(study)
    if json:
        rows = [
            {"task": task.task.name, "sentence": shown(c.says), "numbers": dict(c.numbers)}
            for task, claims in found
            for c in claims
        ]
        print_json({"reasons": rows, "page": str(path)})
        return
    for task, claims in found:
        print(tr("{title}:", title=one_line(shown(term(task.task.title)), 60)))
        sentences = [one_line(shown(c.says), 600) for c in claims]
        print("\n".join(f"  - {sentence}" for sentence in sentences) or f"  {shown(steepest.why.NOTHING_SURE)}")
    print("\n" + tr("The curves: {path}", path=str(path)))


def claims(
    *,
    out: Annotated[Path, Parameter(help="Folder of the studies. Existing ones are continued.")] = Path("runs/claims"),
    budget: Annotated[str | None, Parameter(help="Time budget, such as 10m. Default: 30 minutes.")] = None,
    list_only: Annotated[bool, Parameter(name="--list", negative="", help="Only list the claims.")] = False,
    report: Annotated[
        Path | None, Parameter(help="File to write. Default: claims.md in the folder of the studies.")
    ] = None,
    workers: Workers = None,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    if list_only:
        rows = [{"key": h.key, "claim": h.claim, "stated": h.stated, "unit": h.unit} for h in HYPOTHESES]
        if json:
            print_json(rows)
        else:
            for i, h in enumerate(HYPOTHESES):
                print(("\n" if i else "") + tr("{key}: {claim}", key=h.key, claim=term(h.claim)))
                print(f"  {shown(term(h.stated))}")
        return
    from steepest.articles import run_claims  # loads torch

    page = out / "claims.md" if report is None else report
    found, figures = run_claims.run_and_judge(
        out, page, budget, workers, quiet, warn=lambda words: print(words, file=sys.stderr)
    )
    if json:
        print_json(figures)
        return
    for trial in found:
        outcome = shown(term(trial.word))
        print(f"{outcome}{' ' * (14 - cell_len(outcome))}{shown(term(trial.hypothesis.claim))}")
    print("\n" + tr("With figures and pictures: {page}", page=str(page)))
