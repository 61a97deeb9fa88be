"""`steepest serve` on the command line, the list of studies, and what a server costs to load."""

import json
import subprocess
import sys
from dataclasses import replace

import pytest
from report.studies import HOSTILE, hostile_study
from serving.folders import Folder, finished
from serving.servers import running
from verdict.factory import SEVEN, synthetic_study

from steepest.cli.main import main
from steepest.serving.library import Library, identity
from steepest.serving.serve import bind


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("studies")
    finished(folder / "done", *synthetic_study(SEVEN[:2], seeds=2))
    Folder(folder / "going", *synthetic_study(SEVEN[:2], seeds=2)).grow(1)
    (folder / "broken").mkdir()
    (folder / "broken" / "study.json").write_text("{")
    (folder / "empty").mkdir()
    return folder


def refused(arguments, capsys):
    with pytest.raises(SystemExit) as leaving:
        main(arguments)
    assert leaving.value.code == 2
    said = capsys.readouterr().err
    assert said.startswith("steepest: ")
    assert said.count("\n") == 1
    return said


def test_no_study_is_one_sentence(tmp_path, capsys):
    assert "no study in" in refused(["serve", str(tmp_path)], capsys)
    assert "no study in" in refused(["serve", str(tmp_path / "nowhere")], capsys)


def test_a_port_that_is_taken_is_one_sentence(place, capsys):
    with bind(0) as taken:
        port = taken.getsockname()[1]
        said = refused(["serve", str(place), "--port", str(port), "--no-open"], capsys)
        assert str(port) in said
        assert "--port" in said
    assert "does not exist" in refused(["serve", str(place), "--port", "70000"], capsys)


def test_the_list_shows_the_state_of_every_study(place):
    entries = {entry.folder: entry for entry in Library(place).entries()}
    assert {name: entry.state for name, entry in entries.items()} == {
        "done": "finished",
        "going": "running",
        "broken": "damaged",
    }
    assert entries["going"].trials < entries["going"].planned
    with running(place) as site:
        page = site.get("/", Cookie=site.cookie()).body.decode()
        chinese = site.get("/", Cookie=site.cookie(), Accept_Language="zh-CN,zh;q=0.9").body.decode()
    assert f"/study/{entries['done'].id}" in page
    assert f"/study/{entries['broken'].id}" not in page
    assert "damaged" in page
    assert '<html lang="en">' in page
    assert '<html lang="zh">' in chinese
    assert page.count("<script") == 1, "the one that its content policy names"


def test_a_single_study_is_shown_at_once(place):
    with running(place / "done") as site:
        answer = site.get("/", Cookie=site.cookie())
    assert answer.status == 303
    assert answer.headers["location"] == f"/study/{identity(place / 'done')}"


def test_a_page_brings_its_words_and_asks_for_the_trials_afterwards(place):
    with running(place) as site:
        cookie, path = site.cookie(), f"/study/{identity(place / 'done')}"
        page = site.get(path, Cookie=cookie).body.decode()
        lines = [json.loads(line) for line in site.get(f"{path}/trials", Cookie=cookie).body.splitlines()]
        assert site.get(f"{path}/trials").status == 403
        assert site.get("/study/0123456789abcdef/trials", Cookie=cookie).status == 404
    assert '"codes"' not in page
    blocks = [block for task, found in lines for block in found.values() if task == 0]
    study = json.loads(page.split('id="view">')[1].split("</script>")[0])["view"]["study"]
    assert sum(len(block["rate"]) for block in blocks) == study["trials"]


def test_what_is_taken_away_is_what_the_command_line_exports(place, capsys):
    with running(place) as site:
        cookie = site.cookie()
        taken = {
            name: site.get(f"/study/{identity(place / 'done')}/files/{name}", Cookie=cookie).body.decode()
            for name in ("trials.csv", "ranking.csv", "ranking.tex", "view.json")
        }
    for name, form in (("trials.csv", "csv"), ("ranking.csv", "ranking-csv"), ("ranking.tex", "latex")):
        main(["export", str(place / "done"), "--format", form])
        assert capsys.readouterr().out.replace("\r\n", "\n") == taken[name].replace("\r\n", "\n")
    assert json.loads(taken["view.json"])["study"]["name"] == "synthetic"


def test_hostile_names_are_text_in_the_list_and_in_a_served_study(tmp_path):
    study, _, traces = hostile_study()
    names = [name for name in HOSTILE if "\ud800" not in name and "\x00" not in name]
    kept = {c.name for c in study.contenders if c.name in names}
    study = replace(
        study,
        contenders=tuple(c for c in study.contenders if c.name in kept),
        results=tuple(r for r in study.results if r.contender in kept),
        times=tuple(t for t in study.times if t.contender in kept),
    )
    folder = tmp_path / "<img src=x onerror=alert(1)>"
    finished(folder, study, {row.shard: traces[row.shard] for row in study.results})
    with running(tmp_path) as site:
        cookie = site.cookie()
        for path in ("/", f"/study/{identity(folder)}"):
            page = site.get(path, Cookie=cookie).body.decode()
            assert "<script>alert" not in page
            assert "<img" not in page
            assert "&lt;script&gt;" in page or "&lt;img" in page


def test_the_server_loads_no_torch():
    program = "import sys, steepest.serving.serve; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
