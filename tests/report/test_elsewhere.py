"""A study in a notebook, in a paper, in a data frame, in TensorBoard and in a terminal beside it."""

import io
import struct
import sys
from collections import defaultdict
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from report.studies import HOSTILE, default_study, default_view, hostile_study, judged, three_tasks, three_tasks_study
from rich.console import Console
from verdict.factory import SEVEN, synthetic_study

import steepest
from steepest.cli.main import main
from steepest.errors import BadSetting, UnknownName
from steepest.messages import speaking
from steepest.records.outcomes import Result
from steepest.records.record import field_names
from steepest.report import optional
from steepest.report.export import latex, ranking_csv, trials_csv
from steepest.report.frames import parquet, to_pandas
from steepest.report.notebook import notebook
from steepest.report.plot import CHINESE_FONTS, Plots
from steepest.report.style import COLOURS
from steepest.report.tensorboard import write_events
from steepest.report.view import view
from steepest.report.watch_view import screen, sparkline, watch

# ---- a notebook ----


class Tags(HTMLParser):
    def __init__(self):
        super().__init__()
        self.found, self.text = set(), ""

    def handle_starttag(self, tag, attrs):
        self.found.add((tag, *(name for name, _ in attrs)))

    def handle_data(self, data):
        self.text += data


def read(page):
    tags = Tags()
    tags.feed(page)
    return tags


def test_a_notebook_shows_the_verdict_and_the_ranking():
    shown = read(notebook(default_view()))
    task = default_view()["tasks"][0]
    assert str(task["headline"]) in shown.text
    assert all(s["quality"]["interval"] in shown.text for s in task["standings"])
    assert len(notebook(three_tasks())) < 12_000


def test_hostile_names_are_text_in_a_notebook():
    shown = read(notebook(view(*hostile_study())))
    assert {tag for tag, *_ in shown.found} == {"div", "p", "strong", "table", "tr", "th", "td"}
    assert {name for _, *names in shown.found for name in names} <= {"style", "class", "lang"}
    assert HOSTILE[0] in shown.text


# ---- tables ----


def test_a_data_frame_has_a_row_a_trial():
    pytest.importorskip("pandas")
    study, _, _ = default_study()
    frame = to_pandas(study)
    assert list(frame.columns) == list(field_names(Result))[:-1]  # no trial has dials
    assert len(frame) == len(study.results)
    assert frame["outcome"].value_counts()["diverged"] == sum(r.outcome == "diverged" for r in study.results)
    assert frame["test_metric"].dropna().tolist() == [r.test_metric for r in study.results if r.test_metric is not None]


def test_parquet_reads_back_as_it_was():
    reader = pytest.importorskip("pyarrow.parquet")
    for study, *_ in (default_study(), hostile_study()):
        table = reader.read_table(io.BytesIO(parquet(study)))
        assert tuple(table.column_names) == field_names(Result)[:-1]
        assert table["rate"].to_pylist() == [result.rate for result in study.results]
        assert table["test_metric"].to_pylist() == [result.test_metric for result in study.results]
        assert table["outcome"].to_pylist() == [str(result.outcome) for result in study.results]


def test_numbers_are_numbers_also_where_no_trial_has_any():
    pytest.importorskip("pandas")
    reader = pytest.importorskip("pyarrow.parquet")
    study, _, _ = three_tasks_study()
    lost = replace(study, results=tuple(replace(r, **LOST) for r in study.results[:4]))
    for shown in (lost, replace(study, results=())):
        frame, table = to_pandas(shown), reader.read_table(io.BytesIO(parquet(shown)))
        assert frame["test_metric"].dtype == frame["rate"].dtype == "float64"
        assert frame["seed"].dtype == "int64"
        assert frame["test_metric"].isna().all()
        assert table.schema == reader.read_table(io.BytesIO(parquet(study))).schema


def test_what_pandas_reads_from_the_files_is_the_frame():
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    study, _, _ = default_study()
    frame = to_pandas(study)
    for read in (
        pandas.read_csv(io.StringIO(trials_csv(study)), keep_default_na=False, na_values=""),
        pandas.read_parquet(io.BytesIO(parquet(study))),
    ):
        assert list(read.columns) == list(frame.columns)
        for name in frame.columns:
            known = frame[name].notna()
            assert (read[name].notna() == known).all() or set(frame[name][known & read[name].isna()]) == {""}
            both = known & read[name].notna()
            told, true = read[name][both].tolist(), frame[name][both].tolist()
            assert told == (pytest.approx(true, rel=1e-14) if isinstance(true[0], float) else true), name


def test_the_verdict_can_be_worked_out_again_from_the_frame_and_from_the_ranking():
    """Each replicate's test value at the rate it picked: their mean is what the verdict tells."""
    pandas = pytest.importorskip("pandas")
    study, verdict, _ = default_study()
    frame, ranking = to_pandas(study), pandas.read_csv(io.StringIO(ranking_csv(default_view())))
    scale = 100  # accuracy is told in %
    for standing in verdict.tasks[0].standings:
        trials = frame[frame["contender"] == standing.contender]
        picked = [trials[(trials["seed"] == seed) & (trials["rate"] == rate)] for seed, rate in standing.picks.items()]
        values = pandas.concat(picked)["test_metric"]
        assert values.mean() == pytest.approx(standing.quality.value, rel=1e-12)
        row = ranking[ranking["contender"] == standing.contender].iloc[0]
        assert row["mean"] == pytest.approx(scale * values.mean(), rel=1e-5)
        assert row["replicates"] == len(values) == standing.replicates


# ---- TensorBoard ----


def events_of(path):
    """The events of a file, as TensorFlow's record format lays them out: length, checksum, data, checksum. TensorBoard
    leaves out whatever fails a checksum."""
    from tensorboardX.crc32c import crc32c
    from tensorboardX.proto.event_pb2 import Event

    def holds(data, told):
        crc = crc32c(data)
        return (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF == told

    content, at = path.read_bytes(), 0
    while at < len(content):
        length, of_length = struct.unpack_from("<QI", content, at)
        data = content[at + 12 : at + 12 + length]
        assert holds(content[at : at + 8], of_length)
        assert holds(data, struct.unpack_from("<I", content, at + 12 + length)[0])
        yield Event.FromString(data)
        at += length + 16


def test_tensorboard_finds_every_trial_with_its_curves_and_settings(tmp_path):
    pytest.importorskip("tensorboardX")
    study, _, traces = judged(*synthetic_study(SEVEN[:2], seeds=1))
    assert write_events(study, traces, tmp_path) == len(study.results)
    runs = sorted(tmp_path.iterdir(), key=lambda run: int(run.name.rpartition("-")[2]))
    assert len(runs) == len(study.results)
    for run, result in list(zip(runs, study.results, strict=True))[::7]:
        (file,) = run.iterdir()
        scalars, plugins = defaultdict(list), set()
        for event in events_of(file):
            for value in event.summary.value:
                plugins.add(value.metadata.plugin_data.plugin_name)
                if value.HasField("simple_value"):
                    scalars[value.tag].append((event.step, value.simple_value))
        trace = traces[result.shard]
        known = [(int(s), v) for s, v in zip(trace.evaluate_at, trace.valid_metric[result.lane], strict=True) if v == v]
        assert [step for step, _ in scalars["valid_metric"]] == [step for step, _ in known]
        assert [v for _, v in scalars["valid_metric"]] == pytest.approx([v for _, v in known], rel=1e-6)
        assert "hparams" in plugins
        assert bool(scalars["final/test_metric"]) == (result.test_metric is not None)


def test_no_name_leaves_the_folder_of_the_events(tmp_path):
    pytest.importorskip("tensorboardX")
    study, _, traces = hostile_study()
    few = replace(study, results=study.results[::40])
    write_events(few, traces, tmp_path / "events")
    assert [path.name for path in tmp_path.iterdir()] == ["events"]
    assert len(list((tmp_path / "events").iterdir())) == len(few.results)
    assert all(run.is_dir() and len(list(run.iterdir())) == 1 for run in (tmp_path / "events").iterdir())


# ---- figures ----


@pytest.mark.filterwarnings("ignore:Glyph")  # no font has them all
@pytest.mark.parametrize("kind", ["rates", "curves", "forest", "ranking", "best_of_k"])
@pytest.mark.parametrize(
    "shown", [default_view, three_tasks, lambda: view(*hostile_study())], ids=["12", "3", "hostile"]
)
def test_a_figure_is_drawn_for_every_study(kind, shown, tmp_path):
    pytest.importorskip("matplotlib")
    figure = getattr(Plots(shown()), kind)()
    figure.savefig(tmp_path / "figure.svg")
    assert (tmp_path / "figure.svg").stat().st_size > 5000


def test_a_figure_shows_what_the_view_holds_in_the_colours_of_the_page():
    pytest.importorskip("matplotlib")
    shown = three_tasks()
    axes = Plots(shown).rates("housing").axes[0]
    task = shown["tasks"][1]
    for line, s in zip(axes.lines, task["standings"], strict=True):
        points = [point for point in s["points"] if point["valid"]]
        assert line.get_xdata().tolist() == [point["rate"] for point in points]
        assert line.get_ydata().tolist() == [point["valid"]["value"] for point in points]
        assert line.get_color() == COLOURS[shown["contenders"][s["contender"]]["colour"]][0]
    assert axes.get_xscale() == "log"
    assert axes.get_ylabel() == "validation R²"


def test_the_forest_shows_each_difference_with_its_interval_and_says_both():
    pytest.importorskip("matplotlib")
    shown = default_view()
    axes, beside = Plots(shown).forest().axes
    task = shown["tasks"][0]
    rows = [s for s in task["standings"] if s["quality"]]
    assert [label.get_text() for label in axes.get_yticklabels()] == [
        shown["contenders"][s["contender"]]["label"] for s in rows
    ]
    bars = {round(bar.lines[0].get_ydata()[0]): bar for bar in axes.containers}
    low, high = axes.get_xlim()
    for y, s in enumerate(rows):
        b = s["behind_best"]
        if b is None or b["value"] > high:
            assert y not in bars
            continue
        (ends,) = bars[y].lines[2][0].get_segments()
        assert bars[y].lines[0].get_xdata()[0] == b["value"]
        assert [x for x, _ in ends] == pytest.approx([b["low"], b["high"]])
        assert low < b["low"] or y == len(rows) - 1
    told = {text.get_text() for text in beside.texts}
    assert {f"{s['behind_best']['text']} {s['behind_best']['interval']}" for s in rows if s["behind_best"]} <= told


def test_a_caption_can_be_left_out_and_says_what_a_band_is():
    pytest.importorskip("matplotlib")
    plots = Plots(three_tasks())
    assert "Band: 10th to 90th percentile of the seeds" in plots.curves().get_supxlabel().replace("\n", " ")
    assert plots.curves(caption=False).get_supxlabel() == ""


def test_figures_speak_chinese_where_a_font_does():
    manager = pytest.importorskip("matplotlib.font_manager")
    if not {font.name for font in manager.fontManager.ttflist} & set(CHINESE_FONTS):
        with pytest.raises(BadSetting, match="install fonts-noto-cjk"):
            Plots(three_tasks(), "zh").rates()
        return
    figure = Plots(three_tasks(), "zh").rates()
    assert figure.axes[0].get_xlabel() == "学习率"
    figure.savefig(io.BytesIO())  # a missing glyph would be a warning, and that an error


def only(task, trials=slice(None), **changes):
    """The view of one task and one contender, with some of its trials, each changed as told."""
    study, _, traces = three_tasks_study()
    kept = [r for r in study.results if r.task == study.tasks[task].name and r.contender == study.contenders[0].name]
    kept = [replace(r, **changes) for r in kept[trials]]
    few = replace(study, tasks=study.tasks[task : task + 1], contenders=study.contenders[:1], results=tuple(kept))
    return view(*judged(few, {} if changes else traces))


LOST = {
    "outcome": "diverged", "outcome_step": 2, "test_loss": None, "test_metric": None, "valid_loss": None,
    "valid_metric": None, "train_loss": None,
}  # fmt: skip


@pytest.mark.parametrize("kind", ["rates", "curves", "forest", "ranking", "best_of_k"])
def test_where_every_trial_failed_a_figure_says_so_and_shows_the_rates(kind, tmp_path):
    pytest.importorskip("matplotlib")
    figure = getattr(Plots(only(0, **LOST)), kind)()
    figure.savefig(tmp_path / "figure.svg")
    axes = figure.axes[0]
    assert "no trial finished its training" in [text.get_text() for text in axes.texts]
    assert axes.get_yticks().tolist() == []
    assert "Arrow" not in figure.get_supxlabel()
    if kind == "rates":
        low, high = axes.get_xlim()
        (crosses,) = axes.collections
        assert all(low < rate < high for rate in crosses.get_offsets()[:, 0])
        assert len(crosses.get_offsets()) == 13


def test_a_table_of_failures_names_nobody_as_the_best():
    assert "differences from none" in latex(only(0, **LOST))


def test_a_rate_at_which_all_failed_is_within_the_axis():
    pytest.importorskip("matplotlib")
    shown = default_view()
    axes = Plots(shown).rates().axes[0]
    failed = [p["rate"] for s in shown["tasks"][0]["standings"] for p in s["points"] if p["failed"]]
    low, high = axes.get_xlim()
    assert failed
    assert low < min(failed)
    assert max(failed) < high


def test_a_single_trial_is_drawn_from_its_beginning_and_counted_as_one():
    pytest.importorskip("matplotlib")
    shown = only(2, slice(3, 4))
    figure = Plots(shown).curves()
    (axes,) = figure.axes
    (line,) = axes.lines
    drawn = line.get_ydata()
    low, high = axes.get_ylim()
    assert high > 0.8 * max(drawn)
    assert low <= min(drawn)
    assert Plots(shown).best_of_k().axes[0].get_xticks().tolist() == [1]
    assert "[" not in notebook(shown).split("<table>")[1]


def test_a_missing_task_or_curve_is_reported():
    pytest.importorskip("matplotlib")
    with pytest.raises(UnknownName, match="Unknown task 'housin'"):
        Plots(three_tasks()).rates("housin")
    with pytest.raises(UnknownName, match="Unknown curve 'speed'"):
        Plots(three_tasks()).curves(quantity="speed")


def test_a_missing_library_is_one_sentence(monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(BadSetting, match=r"needs pandas, which is not installed; pip install 'steepest\[pandas\]'"):
        optional.extra("pandas", "A table of trials", "pandas")


# ---- watching ----


def printed(shown, language="en"):
    console = Console(file=io.StringIO(), width=110, highlight=False, markup=False)
    with speaking(language):
        console.print(screen(shown))
    return console.file.getvalue()


def test_the_watcher_shows_progress_and_a_curve_for_each():
    page = printed(three_tasks())
    study = three_tasks()["study"]
    assert f"{study['trials']:,} of {study['planned']:,} trials" in page
    assert page.count("█") >= 3
    assert "验证准确率" in printed(three_tasks(), "zh")
    assert "\x1b" not in printed(view(*hostile_study()))


@pytest.mark.parametrize("wide", [44, 60, 110])
def test_on_every_terminal_the_title_has_a_line_and_no_rate_is_cut(wide):
    shown = three_tasks()
    console = Console(file=io.StringIO(), width=wide, highlight=False, markup=False)
    console.print(screen(shown))
    page = console.file.getvalue()
    lines = [line.strip() for line in page.splitlines()]
    for task in shown["tasks"]:
        assert str(task["title"]) in lines
        assert all(s["rate_text"] in page.split() for s in task["standings"])
    assert sum(line.startswith("▁ ") for line in lines) == len(shown["tasks"])  # what the lowest block stands for


def test_a_curve_in_blocks_rises_with_its_values():
    assert sparkline([0, 1, 2, 3, 4, 5, 6, 7], 0, 7, 8) == "▁▂▃▄▅▆▇█"
    assert sparkline([1.0, None], 0, 1) == "█·"
    assert sparkline([], 0, 1) == ""


def test_it_watches_until_the_study_is_finished():
    done = default_view()
    begun = {**done, "study": {**done["study"], "finished": False, "trials": 7}}
    looks = iter([begun, begun, done])
    console = Console(file=io.StringIO(), force_terminal=True, width=110, height=40)
    watch(lambda: next(looks), console, every=0.01)
    assert "7 of 1,560 trials" in console.file.getvalue()
    assert "1,560 of 1,560 trials" in console.file.getvalue()


# ---- on a real study ----


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "line"
    return steepest.compare("line", "sgd,adam", seeds=2, rates="0.01,0.1", out=folder, quiet=True, workers=1)


def test_findings_about_training_are_drawn_and_shown_in_both_languages(study, tmp_path, capsys):
    pytest.importorskip("matplotlib")
    with pytest.raises(BadSetting, match="Nobody has looked into the trials"):
        study.plot.probes()
    page = tmp_path / "why.html"
    main(["why", str(study.folder), "--trials", "2", "--lang", "zh", "--out", str(page), "-q"])
    assert "曲线：" in capsys.readouterr().out
    assert '<html lang="zh">' in page.read_text()
    assert "有效步长的中位数" in page.read_text()
    looked = steepest.open_study(study.folder)
    seen = looked.view["tasks"][0]["probes"]
    figure = looked.plot.probes()
    drawn = [axes for axes in figure.axes if axes.get_title()]
    assert [axes.get_title() for axes in drawn] == [str(each["title"]) for each in seen]
    for axes, each in zip(drawn, seen, strict=True):
        assert axes.get_yscale() == ("log" if each["log"] else "linear")
        for line, series in zip(axes.lines, each["series"], strict=True):
            assert line.get_xdata().tolist() == series["steps"]
            known = [value for value in series["mid"] if value is not None]
            assert [y for y in line.get_ydata() if y == y] == known
    figure.savefig(tmp_path / "probes.svg")


def test_a_study_shows_itself_in_all_these_ways(study, tmp_path, capsys):
    pytest.importorskip("pandas")
    assert len(study.to_pandas()) == 8
    assert study._repr_html_().startswith('<div class="steepest" lang="en"><p')
    main(["watch", str(study.folder), "--once"])
    assert "8 of 8 trials" in capsys.readouterr().out
    main(["export", str(study.folder), "--to", "parquet", "--out", str(tmp_path / "trials.parquet")])
    main(["export", str(study.folder), "--to", "tensorboard", "--out", str(tmp_path / "events")])
    assert (tmp_path / "trials.parquet").read_bytes()[:4] == b"PAR1"
    assert len(list((tmp_path / "events").iterdir())) == 8
    main(["verdict", str(study.folder), "--full", "--lang", "zh"])
    assert "复现：" in capsys.readouterr().out


def test_binary_output_needs_a_file(study, capsys):
    with pytest.raises(SystemExit) as left:
        main(["export", str(study.folder), "--format", "parquet"])
    assert left.value.code == 2
    assert "give a file or folder with --out" in capsys.readouterr().err
