"""Every sentence in both languages: the same numbers, no English left in the Chinese, and Chinese typography."""

import re
from collections import Counter
from typing import NamedTuple

import pytest
from report.studies import hostile_study
from verdict.factory import DIGITS, HOUSING, LINE, SEVEN, Shape, study_of, synthetic_study
from verdict.test_claims import BAD, GOLDEN, GOOD, NEAR, TIMES

from steepest.locale.translations import catalogue
from steepest.messages import speaking
from steepest.records.contender import Contender
from steepest.records.outcomes import Outcome
from steepest.records.study_record import StudyDesign
from steepest.records.task_facts import TaskRef
from steepest.report.text import text
from steepest.report.view import view
from steepest.study.budget import smaller_designs
from steepest.study.spec import StudySpec, TaskSpec
from steepest.verdict.decide import decide
from steepest.verdict.external import study_of_table

CHINESE = {template for _, template in catalogue("zh").entries}
WORDS = {"R", "seed", "valid", "note", "steepest", "resume", "retry", "killed"}
"""Latin that may stand in Chinese: R², the columns of a table, and a command."""
IDEOGRAPH = "[\u4e00-\u9fff]"
TABLE = """task,optimizer,seed,rate,value
one,adam,0,0.1,0.9\none,adam,1,0.1,0.9\none,adam,2,0.1,0.9\none,sgd,0,0.1,0.8\none,sgd,0,0.2,0.7\none,sgd,1,0.1,0.6
two,adam,0,0.1,0.5\ntwo,adam,1,0.1,0.4\n"""


def typed(table, **changes):
    margin = changes.pop("margin", None)
    return decide(study_of({name: {0.01: values} for name, values in table.items()}, **changes), margin=margin)


def six_tasks():
    """A table of six tasks on which nobody leads everywhere."""
    lines = ["task,optimizer,seed,value"]
    for task in range(6):
        for seed in range(5):
            lines += [f"t{task},first,{seed},{0.9 + 0.01 * seed}", f"t{task},second,{seed},{0.86 + 0.02 * task}{seed}"]
    return decide(study_of_table("\n".join(lines), metric="accuracy"))


def made(shapes=SEVEN, tasks=(DIGITS,), **options):
    study, traces = synthetic_study(shapes, tasks, **options)
    return decide(study, traces=traces)


VERDICTS = {
    "golden": lambda: decide(study_of(GOLDEN, times=TIMES)),
    "three tasks": lambda: made(tasks=(DIGITS, HOUSING, LINE)),
    "six tasks": six_tasks,
    "few seeds": lambda: made(SEVEN[:3], (HOUSING,), seeds=3),
    "alone, one seed": lambda: made(SEVEN[:1], (LINE,), seeds=1),
    "until sure": lambda: made(SEVEN[:3], protocol=StudyDesign(seeds=7, until_sure=True)),
    "all tie": lambda: typed({"sgd": NEAR, "adam": GOOD}),
    "a tie by the margin": lambda: typed({"sgd": [x - 0.02 for x in GOOD], "adam": GOOD}, margin=0.03),
    "many ties": lambda: typed(dict.fromkeys("abcdefg", NEAR)),
    "far behind": lambda: typed({"sgd": [x - 0.4 for x in GOOD], "adam": GOOD, "lion": BAD}, reference="sgd"),
    "nothing works": lambda: typed({"sgd": [None] * 5, "adam": [None] * 5}),
    "some failed": lambda: typed({"adam": [*GOOD, None, None], "sgd": [0.9, *[None] * 6]}),
    "out of memory": lambda: decide(study_of({"adam": {0.01: GOOD, 0.1: [None] * 5}}, outcome=Outcome.OOM)),
    "not begun": lambda: decide(study_of({"adam": {}}, results=(), finished=False, trials_planned=10)),
    "untimed": lambda: made([Shape("slow", 0.97, 1e-2, speed=4), Shape("quick", 0.97, 1e-2, speed=12)]),
    "a table": lambda: decide(study_of_table(TABLE, metric="accuracy")),
    "a table of means": lambda: decide(
        study_of_table("optimizer,mean,sd,n,note\nsgd,1,2,5,x\nlion,3,1,4,y\n", metric="loss")
    ),
}


class Both(NamedTuple):
    """A sentence in both languages."""

    en: str
    zh: str


def both(message):
    return Both(str(message), message.render("zh"))


def sentences(verdict):
    """Every claim's sentence, with the names that may stand in it."""
    names = [item.name for item in verdict.contenders]
    names += [word for task in verdict.tasks for word in (task.task.name, task.task.title) if word not in CHINESE]
    return names, [
        both(claim.says) for claim in (*(claim for task in verdict.tasks for claim in task.claims), *verdict.claims)
    ]


def figures(sentence):
    """The numbers of a sentence."""
    return Counter(found.rstrip(".,") for found in re.findall(r"\d[\d.,]*(?:e-?\d+)?", sentence))


def in_chinese(shown, *arguments):
    with speaking("zh"):
        return shown(*arguments)


def without(sentence, names):
    for name in sorted(names, key=len, reverse=True):
        sentence = sentence.replace(name, "")
    return sentence


@pytest.mark.parametrize("kind", VERDICTS)
def test_every_sentence_has_the_same_numbers_in_chinese(kind):
    _, said = sentences(VERDICTS[kind]())
    assert said
    for each in said:
        assert figures(each.en) == figures(each.zh), f"{each.en}\n{each.zh}"


@pytest.mark.parametrize("kind", VERDICTS)
def test_no_english_is_left_in_chinese_and_no_chinese_gets_into_english(kind):
    names, said = sentences(VERDICTS[kind]())
    for each in said:
        latin = set(re.findall("[A-Za-z]+", without(each.zh, names))) - WORDS
        assert not latin, each.zh
        assert not re.search(f"{IDEOGRAPH}|[，。：；]", without(each.en, names)), each.en


@pytest.mark.parametrize("kind", VERDICTS)
def test_chinese_is_set_as_chinese_is_set(kind):
    _, said = sentences(VERDICTS[kind]())
    for each in said:
        assert each.zh.endswith(("。", "？")), each.zh
        assert not re.search(f"{IDEOGRAPH}[,;:!?()]|[,;:!?()]{IDEOGRAPH}", each.zh), f"half-width: {each.zh}"
        assert not re.search(r"\s[，。：；（）“”、]|[，。：；（）“”、]\s|  ", each.zh), f"spaces: {each.zh}"
        assert not re.search(f"{IDEOGRAPH}[A-Za-z0-9]|[A-Za-z0-9%]{IDEOGRAPH}", each.zh), f"no space: {each.zh}"
        assert not re.search(f"{IDEOGRAPH} {IDEOGRAPH}", each.zh), f"a space between ideographs: {each.zh}"
        assert "。。" not in each.zh
        assert "{" not in each.zh


def test_text_and_json_are_in_the_language_in_force():
    verdict = VERDICTS["golden"]()
    assert verdict.to_json()["headline"] == verdict.headline == str(verdict.summary)
    with speaking("zh"):
        data = verdict.to_json()
        assert data["headline"] == verdict.summary.render("zh") == data["tasks"][0]["headline"]
        assert data["headline"].startswith("Handwritten digits, MLP (synthetic)：请用 adam，学习率取 0.001。")
        assert "个随机种子" in data["tasks"][0]["claims"][1]["sentence"]
        assert verdict.text().startswith(data["headline"])
    assert verdict.headline == str(verdict.summary)


def test_the_planner_reports_what_it_gives_up_in_both_languages():
    spec = StudySpec(
        name="x",
        command="",
        tasks=(TaskSpec(ref=TaskRef(name="x", source="catalogue", locator="digits")),),
        contenders=(Contender("adam", "adam", 1e-3),),
        reference="adam",
    )
    *_, (_, given_up) = smaller_designs(spec)
    assert len(given_up) == 3
    for each in map(both, given_up):
        assert figures(each.en) == figures(each.zh)
        assert not re.search("[A-Za-z]", each.zh)


# ---- on the terminal ----


def test_the_chinese_page_has_no_english_beyond_names_and_the_command():
    study, traces = synthetic_study(SEVEN, (DIGITS, HOUSING))
    page = in_chinese(text, view(study, decide(study, traces=traces), traces))
    names = [*sentences(decide(study))[0], study.command, *study.versions, *study.hardware, "synthetic"]
    assert set(re.findall("[A-Za-z]+", without(page, names))) <= {"R", "p"}


def test_nothing_is_lost_where_lines_of_chinese_are_broken():
    record, verdict, traces = hostile_study()
    shown = view(record, verdict, traces)
    page = re.sub(r"\s", "", in_chinese(text, shown))
    for claim in [c for task in shown["tasks"] for c in task["claims"]] + shown["claims"]:
        if not claim["pair"]:
            assert re.sub(r"\s", "", claim["sentence"].render("zh")) in page
