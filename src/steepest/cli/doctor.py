"""What this machine offers and what is missing, each finding with its remedy. Loads torch, since it asks torch."""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch

from steepest.codegen.toolchain import compiler, why_not
from steepest.datasets import sources
from steepest.language import Text, counted, say
from steepest.study.environment import cores, hardware, versions


def examine() -> dict[str, Any]:
    """Versions, hardware, and a list of checks: {"what", "ok", "finding"}, the finding with its remedy if not ok.

    What a check says is there in Chinese too, as "what_zh" and "finding_zh".
    """
    return {
        "versions": versions() | {"cuda": torch.version.cuda or "none"},
        "hardware": hardware(),
        "checks": [_workers(), _folder(), _compiler(), _parquet(), *_data_sets()],
    }


def _workers() -> dict[str, Any]:
    count = cores()
    forks = sys.platform.startswith("linux")
    finding = say(
        "{workers} of one thread each",
        "{workers}，各用一个线程",
        workers=counted(count, "worker", "个工作进程"),
    )
    here = say(
        "{finding}; tasks passed as Python objects train in the calling process",
        "{finding}；以 Python 对象传入的任务在调用它的进程里训练",
        finding=finding,
    )
    return _check(Text("workers", "工作进程"), True, finding if forks else here)


def _folder() -> dict[str, Any]:
    writable = os.access(Path.cwd(), os.W_OK)
    here = Text("runs/ here", "当前目录下的 runs/")
    remedy = say(
        "{place} is not writable: name a folder with --out",
        "{place} 不可写：请用 --out 指定文件夹",
        place=str(Path.cwd()),
    )
    return _check(Text("study folders", "研究文件夹"), writable, here if writable else remedy)


def _compiler() -> dict[str, Any]:
    reason, found = why_not(), str(compiler())
    without = say(
        "{reason}; trials are trained without compiled programs", "{reason}；训练时不用编译的程序", reason=reason
    )
    return _check(Text("C++ compiler", "C++ 编译器"), not reason, without if reason else Text(found, found))


def _parquet() -> dict[str, Any]:
    found = find_spec("pyarrow") is not None
    remedy = Text("pyarrow is missing: pip install 'steepest[data]'", "缺少 pyarrow：pip install 'steepest[data]'")
    return _check(Text("Parquet", "Parquet"), found, Text("pyarrow", "pyarrow") if found else remedy)


def _data_sets() -> list[dict[str, Any]]:
    rows = []
    for name in sources.datasets():
        remedy = say("not here yet: steepest data fetch {name}", "尚未获取：steepest data fetch {name}", name=name)
        here = Text("here", "已有") if sources.show(name)["here"] else remedy
        rows.append(_check(say("data: {name}", "数据：{name}", name=name), True, here))
    return rows


def _check(what: Text, ok: bool, finding: Text) -> dict[str, Any]:
    return {"what": what.en, "what_zh": what.zh, "ok": ok, "finding": finding.en, "finding_zh": finding.zh}
