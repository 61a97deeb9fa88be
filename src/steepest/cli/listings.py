"""Plain text for whatever is not about a study: catalogues, single entries, plans and the doctor's findings."""

from __future__ import annotations

import re
import textwrap
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

from steepest.language import Language
from steepest.report.rounding import one_line
from steepest.verdict.words.terms import term

Page = Mapping[str, Any]
Words = TypeVar("Words", str, tuple[str, ...])
WIDTH, LONG = 100, 28
"""Columns of a page, and characters of the longest name that is shown in full in a table."""


def optimizer(page: Page, language: Language = "en") -> str:
    """All about one optimizer: formula, hyperparameters, source, and how frameworks differ."""
    paper, batch = page["paper"], page["batch_size"]
    of, say = partial(_of, language), partial(_say, language)
    rows = [
        (row["symbol"], row["name"], _number(row["value"]), of(row, "allowed"), of(row, "meaning"))
        for row in page["hyperparameters"]
    ]
    head = ("", *say(("name", "value", "allowed", "meaning"), ("名称", "值", "允许", "含义")))
    centre, default = _number(page["rate"]["centre"]), _number(page["rate"]["default"])
    examples = say("all examples", "全部样本") if batch == "full" else say(f"{batch} example(s)", f"{batch} 个样本")
    parts = [
        f"{of(page, 'title')}  ({page['name']})",
        _wrap(of(page, "summary")),
        _indent(of(page, "formula").replace(" ;  ", "\n")),
        say("Hyperparameters", "超参数") + "\n" + _table(head, rows),
        _wrap(
            say(
                f"Search: rates over four decades around {centre}; the library's own rate is {default}.",
                f"搜索：以 {centre} 为中心、跨四个数量级的学习率；库自己的默认学习率是 {default}。",
            )
        ),
        _wrap(_memory(page["state"], page["scope"], language)),
        _wrap(say(f"Batch: {examples} a step.", f"批：每步 {examples}。")) if batch else "",
        say("Elsewhere", "在其他框架中") + "\n" + _departures(page["departures"], language)
        if page["departures"]
        else "",
        say("Code to paste", "可直接粘贴的代码") + "\n" + _indent(page["code"]),
        _wrap(
            say(
                f"Source: {paper['authors']}, “{paper['title']}”, {paper['year']}.",
                f"出处：{paper['authors']}，“{paper['title']}”，{paper['year']}。",
            )
        ),
    ]
    return "\n\n".join(part for part in parts if part)


def _memory(state: Sequence[str], scope: str, language: Language) -> str:
    """What an optimizer keeps between steps. A rule that looks further than an element may keep sums, too."""
    names, names_zh = ", ".join(state), "、".join(state)
    if not state:
        return _say(language, "Memory: nothing besides weight and gradient.", "内存：除权重和梯度外，什么也不存。")
    if scope != "element":
        return _say(
            language,
            f"Memory: {names}, besides weight and gradient; how much follows from the shapes of the parameters.",
            f"内存：除权重和梯度外，还有 {names_zh}；多少取决于参数的形状。",
        )
    return _say(
        language,
        f"Memory: {len(state)} number{'s' if len(state) > 1 else ''} a parameter besides weight and gradient "
        f"({names}).",
        f"内存：除权重和梯度外，每个参数 {len(state)} 个数（{names_zh}）。",
    )


def _departures(departures: Iterable[Page], language: Language) -> str:
    lines = []
    for item in departures:
        settings = item["settings"]
        remedy = " ".join(f"{key}={_number(value)}" for key, value in settings.items()) if settings else ""
        if language == "zh":
            framework = "文章" if item["framework"] == "the article" else item["framework"]
            lines.append(f"  {framework}：{item['how_zh']}。" + (f"在这里：{remedy}" if remedy else ""))
        else:
            lines.append(f"  {item['framework']}: {item['how']}." + (f" Here: {remedy}" if remedy else ""))
    return "\n".join(wrapped(line, WIDTH, "    ") for line in lines)


def optimizers(rows: Sequence[Page], language: Language = "en") -> str:
    say = partial(_say, language)
    table = _table(
        say(("name", "what it is", "what it does"), ("名称", "是什么", "做什么")),
        [(row["name"], _of(language, row, "title"), _of(language, row, "summary")) for row in rows],
        wrap_last=True,
    )
    more = say("Formula, defaults, source and more about one:", "某一个的公式、默认值、出处等：")
    return f"{table}\n\n{more} steepest show {rows[0]['name']}" + say("", " --lang zh")


def task(page: Page, language: Language = "en") -> str:
    """All about one built-in task."""
    title = term(page["title"]).of(language)
    lines = [f"{title}  ({page['name']})", _wrap(_of(language, page, "summary"))]
    shown = ("title", "name", "summary", "summary_zh")
    facts = {key: value for key, value in page.items() if key not in shown and not key.endswith("_zh")}
    if language == "zh":
        horizon = f"{_number(page['epochs'])} 轮，批大小 {page['batch_size']}"
        facts |= {"kind": _KINDS[page["kind"]], "source": page["source_zh"], "horizon": horizon}
    rows = [(_say(language, key, _FACTS.get(key, key)), _number(value)) for key, value in facts.items()]
    return "\n\n".join([*lines, _table(("", ""), [row for row in rows if row[1]], head=False)])


_KINDS = {"images": "图像", "tables": "表格", "texts": "文本", "series": "序列", "analytic": "解析函数"}
_FACTS = {
    "kind": "类别", "data": "数据", "source": "来源", "batch_size": "批大小", "epochs": "轮数", "horizon": "训练长度",
    "target": "应达水平", "suites": "所属任务组",
}  # fmt: skip
"""The Chinese of the catalogue's own words for tasks."""


def tasks(rows: Sequence[Page], language: Language = "en") -> str:
    """The built-in tasks, kind by kind, and the suites."""
    say = partial(_say, language)
    cells = [(row["name"], term(row["title"]).of(language), _number(row["target"])) for row in rows]
    head = say(("name", "what it is", "level to reach"), ("名称", "是什么", "应达水平"))
    lines = _table(head, cells).splitlines()
    by_kind = [lines[0]]
    for kind in dict.fromkeys(row["kind"] for row in rows):
        own = [line for line, row in zip(lines[1:], rows, strict=True) if row["kind"] == kind]
        by_kind += ["", say(kind, _KINDS[kind]), *own]
    names = {suite: [row["name"] for row in rows if suite in row["suites"]] for row in rows for suite in row["suites"]}
    suites = _table(
        say(("suite", "its tasks"), ("任务组", "所含任务")),
        [(suite, ", ".join(names[suite])) for suite in names],
        wrap_last=True,
    )
    first = rows[0]["name"]
    return (
        "\n".join(by_kind)
        + f"\n\n{suites}\n\n"
        + say(
            f"All about one: steepest show {first}. A suite: steepest run --suite smoke.\n"
            "Your own: a Python file that defines `task`; see docs/own-task.md.",
            f"某一个的详情：steepest show {first} --lang zh。运行一组：steepest run --suite smoke。\n"
            "您自己的任务：一个定义 `task` 的 Python 文件，见 docs/own-task.md。",
        )
    )


def datasets(rows: Sequence[Page], language: Language = "en") -> str:
    """Two lines for each: what it is, and on whose terms."""
    cells = [
        (row["name"], _yes(row["here"], language), _number(row["megabytes"]), _of(language, row, "title"))
        for row in rows
    ]
    titles = _say(language, ("name", "here", "MB", "what it is"), ("名称", "已有", "MB", "是什么"))
    head, *lines = _table(titles, cells).splitlines()
    indent = width_of(head[: head.index(titles[-1])])
    both = zip(lines, (textwrap.indent(row["licence"], " " * indent) for row in rows), strict=True)
    return "\n".join([head, *(line for pair in both for line in pair)])


def dataset(page: Page, language: Language = "en") -> str:
    facts = {key: _of(language, page, key) for key in page if not key.endswith("_zh")}
    rows = [
        (_say(language, key, _OF_DATA.get(key, key)), _number(value, language))
        for key, value in facts.items()
        if value not in ("", None)
    ]
    return _table(("", ""), rows, head=False)


_OF_DATA = {
    "name": "名称", "title": "标题", "examples": "样本数", "shape": "样本", "target": "目标", "licence": "许可证",
    "notice": "说明", "package": "软件包", "instead": "备选", "member": "文件", "megabytes": "MB", "needs": "需要",
    "here": "已有", "where": "位置",
}  # fmt: skip


def check(page: Page, language: Language = "en") -> str:
    """Whether a task trains, and how."""
    before, after = page["valid_loss_before"], page["valid_loss_after"]
    sound = after is not None and before is not None and after < before
    say = partial(_say, language)
    metric = term(page["metric"]).of(language)
    drawn = [term(each).of(language) for each in page["drawn_by_the_seed"]]
    parts = " / ".join(map(str, page["parts"].values()))
    rows = [
        say(
            ("examples", f"{parts} to train, to choose and to judge by"),
            ("样本数", f"{parts}，分别用于训练、选择和评判"),
        ),
        (say("a seed draws", "种子决定"), say(", ", "、").join(drawn)),
        say(
            ("model", f"{page['parameters']:,} trainable parameters"),
            ("模型", f"{page['parameters']:,} 个可训练参数"),
        ),
        say(
            ("a trial", f"{page['steps']:,} steps of {page['batch_size']}"),
            ("一次训练", f"{page['steps']:,} 步，批大小 {page['batch_size']}"),
        ),
        say(
            ("tie", f"differences of {metric} below {page['margin']:.2g}"),
            ("不相上下", f"{metric}相差不到 {page['margin']:.2g}"),
        ),
        (say("tried", "试过"), _tried(page, metric, language)),
        (say("engine", "引擎"), _engine(page, language)),
        *(
            (say("mind", "注意") if i == 0 else "", caution)
            for i, caution in enumerate(page["cautions_zh" if language == "zh" else "cautions"])
        ),
    ]
    end = (
        say("It trains.", "它能训练。")
        if sound
        else say(
            "It runs, but the loss did not fall: look at the data, the loss, or the scale of the inputs.",
            "它能运行，但损失没有下降：请检查数据、损失或输入的尺度。",
        )
    )
    title = one_line(term(page["title"]).of(language), WIDTH)
    return f"{title}\n\n{_table(('', ''), rows, head=False, wrap_last=True)}\n\n{end}"


def _tried(page: Page, metric: str, language: Language) -> str:
    """What came of the steps that were tried."""
    before, after, quality = (
        _short(page[f"valid_{key}"], language) for key in ("loss_before", "loss_after", "metric_after")
    )
    steps, rate = page["steps_tried"], _number(page["rate_tried"])
    time = f"{float(format(page['milliseconds_a_step'], '.2g')):,g}"
    return _say(
        language,
        f"{steps} steps of Adam at {rate}: validation loss {before} → {after}, {page['metric']} {quality}; "
        f"{time} ms a step.",
        f"用 Adam 以学习率 {rate} 训练 {steps} 步：验证损失 {before} → {after}，{metric} {quality}；每步 {time} 毫秒。",
    )


def _engine(page: Page, language: Language) -> str:
    """How trials are trained, and why."""
    if page["obstacle"]:
        return _say(
            language,
            f"One trial at a time (engine solo), since {page['obstacle'].rstrip('.')}.",
            f"逐次训练（solo 引擎），因为{page['obstacle_zh'].rstrip('.。')}。",
        )
    others = f" but {', '.join(page['alone'])}" if page["alone"] else ""
    others_zh = f"（{'、'.join(page['alone'])} 除外）" if page["alone"] else ""
    return _say(
        language,
        f"Many trials at once (engine fleet), for every optimizer of `steepest optimizers`{others}.",
        f"多次训练一起进行（fleet 引擎），适用于 `steepest optimizers` 中的所有优化器{others_zh}。",
    )


def _short(value: float | None, language: Language) -> str:
    return _say(language, "not finite", "非有限") if value is None else f"{value:.4g}"


def plan(forecast: Page, language: Language = "en") -> str:
    """What a run would do, and for how long."""
    protocol, bounded = forecast["protocol"], forecast["protocol"]["until_sure"]
    contenders, on = len({run["contender"] for run in forecast["runs"]}), len(forecast["facts"])
    rows = [
        (
            *(one_line(run[key], LONG) for key in ("task", "contender")),
            *(str(run[key]) for key in ("engine", "batch_size", "steps")),
        )
        for run in forecast["runs"]
    ]
    if language == "zh":
        more = f"，最佳附近再加 {protocol['extra_rates']} 个" if protocol["extra_rates"] else ""
        words = [
            f"共 {forecast['trials']:,} 次训练：网格中 {protocol['rates']} 个学习率{more}，每个"
            f"{'至多 ' if bounded else ' '}{protocol['seeds']} 个种子，{contenders} 个参赛者，{on} 个任务。",
            f"{'至多' if bounded else ''}约需 {_duration(forecast['seconds'], language)}。",
            *forecast["given_up_zh"],
        ]
    else:
        more = f" and {protocol['extra_rates']} more around the best" if protocol["extra_rates"] else ""
        words = [
            f"{forecast['trials']:,} trials: {protocol['rates']} rates in the grid{more}, "
            f"each on {'at most ' if bounded else ''}{protocol['seeds']} seeds, "
            f"for {contenders} contenders on {on} task{'s' if on > 1 else ''}.",
            f"It would take {'at most ' if bounded else ''}about {_duration(forecast['seconds'], language)}.",
            *forecast["given_up"],
        ]
    for fact in forecast["facts"]:
        if why := one_line(fact["fleet_obstacle"]).rstrip("."):
            name = one_line(fact["name"], LONG)
            words.append(
                _say(
                    language,
                    f"{name} is trained one trial at a time, since {why}.",
                    f"{name} 逐次训练，因为{one_line(fact.get('fleet_obstacle_zh') or why).rstrip('.。')}。",
                )
            )
    if forecast["resolution"] is not None:
        words.append(
            _say(
                language,
                "The smallest difference that it can tell from luck is "
                f"{forecast['resolution']:.2g} times the scatter (standard deviation) of an optimizer's replicates.",
                "它能与运气区分开的最小差异，是一个优化器各次重复的离散程度（标准差）的 "
                f"{forecast['resolution']:.2g} 倍。",
            )
        )
    head = _say(
        language, ("task", "contender", "engine", "batch", "steps"), ("任务", "参赛者", "引擎", "批大小", "步数")
    )
    return _table(head, rows) + "\n\n" + _wrap(("" if language == "zh" else " ").join(words))


def doctor(findings: Page, language: Language = "en") -> str:
    say = partial(_say, language)

    def told(word: str) -> str:
        return say(word, _OF_MACHINE.get(word, word))

    versions, hardware = (
        [(told(key), told(value)) for key, value in findings[part].items()] for part in ("versions", "hardware")
    )
    checks = [
        ("ok" if row["ok"] else "--", _of(language, row, "what"), _of(language, row, "finding"))
        for row in findings["checks"]
    ]
    parts = [
        _table(("", say("versions", "版本")), versions),
        _table(("", say("machine", "机器")), hardware),
        _table(("", *say(("what", "finding"), ("项目", "结果"))), checks),
    ]
    return "\n\n".join(parts)


_OF_MACHINE = {
    "processor": "处理器", "cores": "核心数", "memory": "内存", "system": "系统",
    "none": "无", "unknown": "未知", "not installed": "未安装",
}  # fmt: skip


# ---- helpers ---------------------------------------------------------------------------------------------------------


def _table(head_row: Sequence[str], rows: Sequence[Sequence[str]], head: bool = True, wrap_last: bool = False) -> str:
    """Aligned columns, two spaces apart; the last column may wrap at the page's width."""
    cells = [list(map(str, row)) for row in rows]
    widths = [max(width_of(row[i]) for row in [list(head_row), *cells]) for i in range(len(head_row))]
    offset = sum(widths[:-1]) + 2 * (len(widths) - 1) + 2
    lines = []
    for row in [list(head_row), *cells] if head else cells:
        line = "  " + "  ".join(
            cell + " " * (width - width_of(cell)) for cell, width in zip(row[:-1], widths[:-1], strict=True)
        )
        last = wrapped(row[-1], max(20, WIDTH - offset)).split("\n") if wrap_last else [row[-1]]
        lines.append(f"{line}  {last[0] if last else ''}".rstrip())
        lines += [" " * offset + rest for rest in last[1:]]
    return "\n".join(lines)


def _of(language: Language, page: Page, key: str) -> str:
    """What stands under a key, or under the same in Chinese where there is one."""
    return page.get(f"{key}_zh", page[key]) if language == "zh" else page[key]


def _say(language: Language, english: Words, chinese: Words) -> Words:
    return chinese if language == "zh" else english


def width_of(text: str) -> int:
    """How wide a text is in a terminal: an ideograph takes two cells."""
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)


def wrapped(words: str, wide: int, indent: str = "") -> str:
    """Lines of at most so many cells. Chinese breaks after any character, but not before a closing mark."""
    if width_of(words) == len(words):
        return textwrap.fill(words, wide, subsequent_indent=indent)
    pieces: list[str] = re.findall(r"[^\S\n]*(?:[\u3000-\uffef]|[^\s\u3000-\uffef]+)[，。；：、！？）”]*", words)
    lines, line = [], ""
    for piece in pieces:
        if line and width_of(line + piece) > wide:
            lines.append(line)
            line = indent + piece.lstrip()
        else:
            line += piece
    return "\n".join([*lines, line])


def _wrap(words: str) -> str:
    return wrapped(words, WIDTH)


def _indent(words: str) -> str:
    return textwrap.indent(words.rstrip(), "    ")


def _number(value: Any, language: Language = "en") -> str:
    if isinstance(value, bool):
        return _yes(value, language)
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, list | tuple):
        return ", ".join(_number(item) for item in value)
    return "" if value is None else str(value)


def _yes(value: bool, language: Language) -> str:
    return _say(language, "yes" if value else "no", "是" if value else "否")


def _duration(seconds: float, language: Language) -> str:
    if seconds < 90:
        return f"{seconds:.0f} " + _say(language, "s", "秒")
    if seconds < 5400:
        return f"{seconds / 60:.0f} " + _say(language, "min", "分钟")
    return f"{seconds / 3600:.1f} " + _say(language, "h", "小时")
