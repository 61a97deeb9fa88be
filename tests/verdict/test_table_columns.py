"""Exports of trackers: their columns are found, their states understood, and a leader is never passed over."""

from pathlib import Path

import pytest

from steepest.cli.main import main
from steepest.errors import BadSetting, BadTable, UnknownName
from steepest.reader import judge_table
from steepest.verdict.decide import decide
from steepest.verdict.external import study_of_table
from steepest.verdict.table_columns import columns_of, direction

EXPORTS = Path(__file__).parent / "exports"
EXAMPLE = Path(__file__).parents[2] / "examples" / "tracker-export.csv"


def roles(head, **given):
    """Role → the name of its column."""
    head = head.split(",")
    found = columns_of(head, given)
    return {role: name for role, name in zip(found.names, head, strict=True) if role != name or role in found.form}


@pytest.mark.parametrize(
    "export",
    [EXAMPLE, EXPORTS / "mlflow_page.csv", EXPORTS / "tensorboard_hparams.csv"],
    ids=["wandb", "mlflow", "tensorboard"],
)
def test_an_export_of_a_tracker_is_judged_without_naming_a_column(export):
    verdict, words = judge_table(export)
    (task,) = verdict.tasks
    assert (task.best, task.ties, task.task.metric, task.task.unit) == ("sgd", (), "accuracy", "%")
    assert [item.trials for item in task.standings] == [18, 18, 18]
    assert task.standings[0].rate == 0.03
    assert words.count("Columns are guessed from their names") == 1
    assert "Unused columns" not in words


def test_runs_of_a_tracker_that_are_still_going_are_left_out_and_crashed_ones_count_as_failed():
    verdict, words = judge_table(EXAMPLE)
    sgd = verdict.tasks[0].standings[0]
    assert sgd.failed_trials == 1  # its values at the crash are not its result
    assert 6 not in sgd.values  # the seed that is still running
    assert "not finished are left out: 1." in words
    assert "count as failed: 1." in words


def test_settings_that_differ_between_runs_of_one_optimizer_are_compared():
    verdict, words = judge_table(EXPORTS / "mlflow_runs.csv")
    names = {item.contender for item in verdict.tasks[0].standings}
    assert names == {f"{name}:weight_decay={decay}" for name in ("sgd", "adamw", "lion") for decay in ("0.0", "0.1")}
    assert "differ in weight_decay are compared as different optimizers" in words


def test_a_search_with_one_seed_has_too_few_seeds_and_is_not_split_by_what_differs_in_every_run():
    with pytest.raises(BadSetting, match="--higher-is-better"):
        judge_table(EXPORTS / "optuna.csv")
    verdict, words = judge_table(EXPORTS / "optuna.csv", higher_is_better=True)
    assert [(item.contender, item.replicates, item.trials) for item in verdict.tasks[0].standings] == [
        ("sgd", 1, 12),
        ("adamw", 1, 12),
    ]
    assert "too few seeds for a verdict" in words
    assert "Unused columns: params_weight_decay." in words
    assert "pruned count as failed: 4." in words


@pytest.mark.parametrize(
    ("export", "words"), [("tensorboard_scalar", "the curve of one run"), ("wandb_chart", "exports a chart")]
)
def test_curves_are_no_table_of_runs(export, words):
    with pytest.raises(BadTable, match=words):
        judge_table(EXPORTS / f"{export}.csv")


@pytest.mark.parametrize(
    ("head", "found"),
    [
        ("optimizer,lr,val/acc,test/acc", {"rate": "lr", "value": "test/acc", "valid": "val/acc"}),
        ("optimizer,accuracy,loss,val_accuracy,val_loss", {"value": "val_accuracy"}),  # Keras: training has no prefix
        ("optimizer,eval/loss,train/loss", {"value": "eval/loss"}),
        ("optim,test_loss,test_acc,seed", {"optimizer": "optim", "value": "test_acc", "seed": "seed"}),
        ("params.opt,metrics.test_f1", {"optimizer": "params.opt", "value": "metrics.test_f1"}),
        ("optimizer,value,test/acc", {"value": "value"}),
        ("Param optimizer,Param lr,Value", {"optimizer": "Param optimizer", "rate": "Param lr", "value": "Value"}),
        ("optimizer,mean,sd,n", {"mean": "mean", "sd": "sd", "n": "n"}),
    ],
)  # fmt: skip
def test_columns_are_guessed_from_names(head, found):
    assert {role: name for role, name in roles(head).items() if role != "optimizer" or role in found} == found


def test_named_columns_win_over_guesses_and_unknown_ones_are_refused():
    found = roles("solver,lr,score,val/acc,test/acc", optimizer="solver", value="val/acc")
    assert (found["optimizer"], found["value"]) == ("solver", "val/acc")
    assert "valid" not in found
    with pytest.raises(UnknownName, match=r"column for --value 'test_acc'\. Did you mean test/acc"):
        roles("optimizer,test/acc", value="test_acc")


@pytest.mark.parametrize(
    ("metric", "higher"),
    [("test/acc", True), ("val_loss", False), ("rmse", False), ("eval/f1", True), ("wer", False), ("colour", None)],
)
def test_directions_of_common_metrics_are_known(metric, higher):
    assert direction(metric) is higher


def test_a_leader_with_too_few_runs_is_named_and_nothing_else_is_advised():
    rows = "".join(f"adamw,{seed},{0.906 + seed / 1000}\n" for seed in range(5))
    leader = "".join(f"sgd,{seed},{0.915 + seed / 1000}\n" for seed in range(4)) + "sgd,4,\n"
    task = decide(study_of_table("optimizer,seed,value\n" + rows + leader, metric="accuracy")).tasks[0]
    assert task.headline.startswith(
        "the table: no verdict yet. sgd has the best mean, 91.7 % accuracy, but only 4 seeds."
    )
    assert "Run it on 1 more." in task.headline
    assert "use adamw" not in task.headline
    lost = "".join(f"sgd,{seed},{0.95 if seed < 2 else 'nan'}\n" for seed in range(10))
    more = "".join(f"adamw,{seed},{0.906 + seed / 1000}\n" for seed in range(10))
    failing = decide(study_of_table("optimizer,seed,value\n" + more + lost, metric="accuracy")).tasks[0]
    assert failing.headline.startswith("the table: use adamw.")  # two lucky seeds of ten are no lead


def test_no_row_is_marked_where_nothing_is_advised(tmp_path, capsys):
    rows = [f"adamw,{seed},{0.906 + seed / 1000}" for seed in range(5)]
    rows += [f"sgd,{seed},{0.915 + seed / 1000}" for seed in range(4)]
    file = tmp_path / "runs.csv"
    for given, marked in ((rows, False), (rows[:5], True)):
        file.write_text("\n".join(["optimizer,seed,value", *given]))
        main(["verdict", "--csv", str(file), "--metric", "accuracy"])
        shown = capsys.readouterr().out
        assert ("→" in shown) is marked
        assert "−" not in shown, "one that is ahead is behind nobody"


def test_named_columns_reach_the_table_from_the_command_line(capsys):
    named = "--value val/acc --rate lr --seed seed --optimizer optimizer"
    main(["verdict", "--csv", str(EXAMPLE), *named.split()])
    said = capsys.readouterr().out
    assert said.startswith("the table: use sgd with learning rate 0.03.")
    assert "no column valid" in said
    assert "guessed" not in said
    with pytest.raises(SystemExit) as left:
        main(["verdict", "--value", "test/acc"])
    assert left.value.code == 2
    assert "--csv" in capsys.readouterr().err


def test_ten_million_rows_are_refused_before_they_are_read(tmp_path):
    path = tmp_path / "huge.csv"
    with path.open("wb") as file:
        file.write(b"optimizer,seed,value\n")
        file.truncate(120_000_000)  # as large as ten million rows
    with pytest.raises(BadTable, match="it has more than 64 MB"):
        judge_table(path, "accuracy")


def test_two_hundred_optimizers_are_compared():
    rows = "".join(f"o{i},{seed},{0.9 + ((i * 37 + seed * 61) % 97) / 1e4}\n" for i in range(200) for seed in range(5))
    verdict = decide(study_of_table("optimizer,seed,value\n" + rows, metric="accuracy"))
    assert len(verdict.tasks[0].standings) == 200
