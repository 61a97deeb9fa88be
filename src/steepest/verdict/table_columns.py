"""Which column of a table is which: as the user names them, or guessed from the names that trackers write.

An export of W&B, MLflow, Optuna or TensorBoard has a row per run: what the run was given, what it measured, and facts
about it. Apart from `external`, which reads the cells.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from steepest.errors import BadTable, UnknownName
from steepest.messages import Message, enumerated, say, verbatim

RUN = ("task", "optimizer", "seed", "rate", "value", "valid")
CELL = ("task", "optimizer", "mean", "sd", "n")
OTHER_NAMES = {
    "lr": "rate", "learning_rate": "rate", "learning rate": "rate", "std": "sd", "deviation": "sd", "count": "n",
    "seeds": "n", "contender": "optimizer", "method": "optimizer", "problem": "task", "dataset": "task",
    "test": "value", "score": "value", "validation": "valid", "run": "seed", "repeat": "seed",
}  # fmt: skip
"""Other names of columns, in tables that people write themselves."""
GUESSED = {
    "optimizer": ("optim", "opt", "optimizer_name", "optimizer_type", "optimiser", "optimizer.name", "optimizer/name",
                  "algorithm"),
    "rate": ("learningrate", "base_lr", "init_lr", "initial_lr", "max_lr", "peak_lr", "optimizer.lr", "optimizer/lr",
             "lr0"),
    "seed": ("random_seed", "rng_seed", "manual_seed", "random_state", "random seed"),
    "task": ("data", "dataset_name", "data_set", "task_name"),
}  # fmt: skip
"""Further names, in the exports of trackers."""
PREFIXES = {
    "params.": "setting", "params_": "setting", "param ": "setting", "config.": "setting", "config/": "setting",
    "hparams/": "setting", "hparams.": "setting", "metrics.": "metric", "user_attrs_": "", "userattribute ": "",
    "tags.": "fact", "system_attrs_": "fact",
}  # fmt: skip
"""What trackers put in front of a name, and what such a column holds."""
FACTS = frozenset((
    "", "name", "id", "run id", "run_id", "run_name", "experiment_id", "experiment_name", "artifact_uri", "number",
    "state", "status", "notes", "user", "tags", "created", "updated", "end time", "hostname", "host", "commit", "agent",
    "sweep", "group", "job type", "runtime", "duration", "start time", "start_time", "end_time", "datetime_start",
    "datetime_complete", "source", "source type", "source name", "models", "gpu type", "gpu count", "github", "_step",
    "_runtime", "_timestamp", "step", "global_step", "trainer/global_step", "epoch", "trial_id", "url",
))  # fmt: skip
"""Columns about a run that are neither settings nor results."""
SETTINGS = frozenset((
    "weight_decay", "wd", "momentum", "beta1", "beta2", "betas", "b1", "b2", "eps", "batch_size", "batch size",
    "schedule", "scheduler", "lr_scheduler", "lr_schedule", "warmup", "warmup_steps", "warmup_ratio", "dropout",
    "label_smoothing", "clip", "max_norm", "grad_clip", "nesterov", "amsgrad", "gamma", "alpha", "rho", "epochs",
    "model", "arch", "architecture", "hidden", "width", "depth", "layers", "l2", "l1",
))  # fmt: skip
"""Names of hyperparameters."""
HIGHER = ("accuracy", "acc", "top1", "top5", "r2", "r²", "auc", "auroc", "roc-auc", "ap", "f1", "precision", "recall",
          "bleu", "rouge", "meteor", "map", "iou", "miou", "dice", "score", "reward", "return", "psnr", "ssim", "mcc",
          "kappa", "ndcg", "em", "likelihood")  # fmt: skip
LOWER = ("loss", "error", "err", "mse", "rmse", "mae", "mape", "perplexity", "ppl", "nll", "bce", "logloss", "brier",
         "wer", "cer", "fid", "bpc", "bpb", "regret", "time", "steps", "seconds", "cross-entropy", "entropy", "kl",
         "ece")  # fmt: skip
ACCURACY = ("accuracy", "acc")
"""Metrics that are shares of right answers."""
PARTS = {"test": 0, "valid": 1, "val": 1, "validation": 1, "dev": 1, "eval": 1, "evaluation": 1, "": 2}
"""Part of the data that a column's name shows → how willingly its column is taken as the value."""
ENDED = {"running": "running", "pending": "running", "scheduled": "running", "waiting": "running", "queued": "running",
         "preempting": "running", "pruned": "failed", "crashed": "failed", "failed": "failed", "fail": "failed",
         "killed": "failed", "preempted": "failed"}  # fmt: skip
"""State of a run in a tracker → whether it is still running or has no result; other states have one."""

Row = tuple[int, dict[str, str]]
"""The number of a line, and its cells by column."""


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns of a table."""

    names: tuple[str, ...]
    """The role of each, or its own name."""
    form: tuple[str, ...]
    metric: str
    """What the values are, if the name of their column shows it; else ""."""
    remarks: tuple[Message, ...]


def columns_of(head: Sequence[str], given: Mapping[str, str]) -> Columns:
    """given: role → the name of its column, as the user wrote it. Raises BadTable or UnknownName."""
    head = [name.strip() for name in head]
    _check_form(head)
    chosen = {role: _named(role, name, head) for role, name in given.items()}
    bare = [_bare(name)[0] for name in head]
    written = [name.casefold() for name in head]
    taken = set(chosen.values())
    for i, name in enumerate(written):
        role = OTHER_NAMES.get(name, name)
        if role in RUN + CELL and role not in given and i not in taken:
            if role in chosen:
                raise BadTable(f"Two columns of the table are named {role}. Keep one.")
            chosen[role] = i
    taken = set(chosen.values())
    guessed: dict[str, int] = {}
    for role in ("optimizer", "rate", "seed", "task"):
        usual = (role, *(name for name, other in OTHER_NAMES.items() if other == role), *GUESSED[role])
        found = next((bare.index(name) for name in usual if name in bare and bare.index(name) not in taken), None)
        if role not in chosen and found is not None:
            guessed[role] = found
            taken.add(found)
    form = CELL if "value" not in chosen and {"mean", "sd", "n"} <= {*chosen} else RUN
    if form == RUN:
        guessed |= _results(head, chosen, taken)
    chosen |= guessed
    roles = {i: role for role, i in chosen.items()}
    names = tuple(roles.get(i, name) for i, name in enumerate(head))
    _check(names, head)
    metric = _metric(head[chosen["value"]]) if "value" in chosen and head[chosen["value"]].casefold() != "value" else ""
    remarks: list[Message] = []
    if guessed:
        pairs = [verbatim(f"{role} = {head[i]}") for role, i in sorted(guessed.items())]
        remarks.append(
            say(
                "Columns are guessed from their names: {columns}. To name others, use --optimizer, --value, --rate, "
                "--valid, --seed or --task.",
                columns=enumerated(pairs),
            )
        )
    return Columns(names, form, metric, tuple(remarks))


def direction(metric: str) -> bool | None:
    """Whether more of a metric is better, by its name; None where that does not show it.

    >>> direction("val/acc"), direction("eval_loss"), direction("zeal")
    (True, False, None)
    """
    for word in (metric.casefold(), *reversed(_words(metric))):
        if word in HIGHER or word in LOWER:
            return word in HIGHER
    return None


def settle(
    rows: list[tuple[int, dict[str, str]]], columns: Columns
) -> tuple[list[tuple[int, dict[str, str]]], list[Message]]:
    """Rows of a tracker as rows of a table: runs that have not ended left out, failed ones without a result, and one
    optimizer with several settings as several; and what there is to say about that."""
    remarks: list[Message] = []
    if columns.form == CELL:
        unused = [name for name in columns.names if name not in CELL]
        return rows, [say("Unused columns: {columns}.", columns=enumerated(unused))] if unused else []
    state = next((name for name in columns.names if _bare(name)[0] in ("state", "status")), None)
    if state is not None:
        how = [ENDED.get(row[state].casefold(), "") for _, row in rows]
        if left := how.count("running"):
            remarks.append(say("Runs that are not finished are left out: {n}.", n=left))
        if lost := how.count("failed"):
            remarks.append(
                say("Runs that the tracker lists as crashed, failed, killed or pruned count as failed: {n}.", n=lost)
            )
        rows = [
            (line, row | {each: "" for each in ("value", "valid") if each in row} if end == "failed" else row)
            for (line, row), end in zip(rows, how, strict=True)
            if end != "running"
        ]
    if not rows:
        raise BadTable("No run of the table is finished.")
    rows, variants = _variants(rows, columns)
    return rows, [*remarks, *variants]


# ---- names -----------------------------------------------------------------------------------------------------------


def _check_form(head: Sequence[str]) -> None:
    """Refuse what is not one row per run."""
    words = [name.casefold() for name in head]
    if words == ["wall time", "step", "value"]:
        raise BadTable(
            "The table is the curve of one run, as TensorBoard exports a scalar. Export a table with one row per run, "
            "such as that of the HPARAMS tab."
        )
    if any(name.endswith(("__min", "__max")) for name in words):
        raise BadTable(
            "The table holds curves, as W&B exports a chart. Export the table of runs instead, which has one row per "
            "run."
        )


def _named(role: str, name: str, head: Sequence[str]) -> int:
    alike: tuple[Callable[[str], str], ...] = (str, str.casefold, lambda each: _bare(each)[0])
    for same in alike:
        found = [i for i, each in enumerate(head) if same(each) == same(name)]
        if len(found) > 1:
            raise BadTable(f"Two columns of the table are named {name}. Keep one.")
        if found:
            return found[0]
    raise UnknownName.among(f"column for --{role}", name, [each for each in head if each])


def _check(names: Sequence[str], head: Sequence[str]) -> None:
    if "optimizer" not in names:
        shown = ", ".join(head[:20]) or "none"
        raise BadTable(
            f"The table has no column optimizer; its columns are {shown}. Name the column that holds it with "
            "--optimizer."
        )
    if "value" not in names and (missing := [name for name in ("mean", "sd", "n") if name not in names]):
        raise BadTable(
            "The table has neither a column value (one row per run; name it with --value) nor columns mean, sd and n "
            f"(one row for all runs; {', '.join(missing)} missing)."
        )


def _bare(name: str) -> tuple[str, str]:
    """A column's name without what its tracker puts in front, and what such a column holds: "setting", "metric", "fact"
    or ""."""
    name = name.strip().casefold()
    for prefix, kind in PREFIXES.items():
        if name.startswith(prefix) and name != prefix:
            return name.removeprefix(prefix), kind
    return name, ""


def _words(name: str) -> list[str]:
    return [word for word in re.split(r"[\W_]+", _bare(name)[0]) if word]


def _metric(name: str) -> str:
    """The metric in a column's name; the whole name where none is known."""
    word = next((word for word in reversed(_words(name)) if word in HIGHER + LOWER), "")
    return "accuracy" if word in ("acc", "accuracy") else word or _bare(name)[0]


def _part(name: str) -> str | None:
    """The part of the data that a column is about; None for the training part."""
    words = _words(name)
    if any(word.startswith("train") for word in words):
        return None
    return next((word for word in words if word in PARTS), "")


def _results(head: Sequence[str], chosen: Mapping[str, int], taken: Iterable[int]) -> dict[str, int]:
    """The columns of the value and of the validation value, where they are not chosen."""
    taken = {*taken}
    order = (*ACCURACY, *HIGHER, *(word for word in LOWER if word != "loss"), "loss")
    known: list[tuple[int, int, int]] = []  # part, metric, column
    for i, name in enumerate(head):
        part, kind, metric = _part(name), _bare(name)[1], _metric(name)
        timed = metric in ("time", "steps", "seconds")
        if i in taken or part is None or kind in ("setting", "fact") or metric not in HIGHER + LOWER or timed:
            continue
        if _bare(name)[0] not in FACTS:
            known.append((PARTS[part], order.index(metric), i))
    found: dict[str, int] = {}
    if "value" not in chosen and known:
        found["value"] = min(known)[2]
    value = chosen.get("value", found.get("value"))
    if value is not None and "valid" not in chosen and _part(head[value]) == "test":
        metric = _metric(head[value])
        same = [i for part, _, i in known if part == 1 and _metric(head[i]) == metric and i != value]
        if same:
            found["valid"] = same[0]
    return found


# ---- settings --------------------------------------------------------------------------------------------------------


def _variants(rows: list[Row], columns: Columns) -> tuple[list[Row], list[Message]]:
    """Rows whose optimizer has the hyperparameters in its name that differ between its runs; and remarks.

    A column is a hyperparameter if its name or its prefix says so, or if runs that are otherwise the same differ in it.
    One that differs in every run cannot be judged: such runs are one search.
    """
    others = [name for name in dict.fromkeys(columns.names) if name not in RUN and not _is_known(name)]
    remarks: list[Message] = []
    split: list[str] = []
    unused: list[str] = []
    for name in others:
        if all(row[name] == rows[0][1][name] for _, row in rows[1:]):
            if _bare(name)[0] not in SETTINGS and _bare(name)[1] != "setting":
                unused.append(name)
            continue
        by_optimizer: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
        twice: defaultdict[tuple[str, ...], set[str]] = defaultdict(set)
        for _, row in rows:
            by_optimizer[row.get("task", ""), row["optimizer"]].append(row[name])
            if "seed" in row:
                twice[tuple(row.get(each, "") for each in ("task", "optimizer", "rate", "seed"))].add(row[name])
        varies = any(len(set(found)) > 1 for found in by_optimizer.values())
        every = all(len(set(found)) == len(found) for found in by_optimizer.values())
        says_so = _bare(name)[0] in SETTINGS or _bare(name)[1] == "setting"
        if varies and not every and (says_so or any(len(found) > 1 for found in twice.values())):
            split.append(name)
        elif varies or not says_so:
            unused.append(name)
    if unused:
        remarks.append(say("Unused columns: {columns}.", columns=enumerated(unused)))
    if not split:
        return rows, remarks
    remarks.append(
        say(
            "Runs of one optimizer that differ in {columns} are compared as different optimizers.",
            columns=enumerated([_bare(name)[0] for name in split]),
        )
    )
    several = _several(rows, split)
    named: list[Row] = []
    for line, row in rows:
        mine = [f"{_bare(name)[0]}={row[name]}" for name in split if (row["optimizer"], name) in several and row[name]]
        named.append((line, row | {"optimizer": ":".join([row["optimizer"], *mine])} if row["optimizer"] else row))
    return named, remarks


def _several(rows: Iterable[tuple[int, Mapping[str, str]]], split: Sequence[str]) -> set[tuple[str, str]]:
    """Optimizers and the columns in which their own runs differ."""
    values: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
    for _, row in rows:
        for name in split:
            values[row["optimizer"], name].add(row[name])
    return {key for key, found in values.items() if len(found) > 1}


def _is_known(name: str) -> bool:
    """Whether a column holds a fact about the run, or a result that is not judged."""
    bare, kind = _bare(name)
    if kind in ("fact", "metric") or bare in FACTS or bare.startswith("_"):
        return True
    return kind != "setting" and bare not in SETTINGS and _metric(name) in HIGHER + LOWER
