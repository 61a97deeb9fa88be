"""Schedules in code to paste: torch's own scheduler where one has the same rates at every step, and otherwise the
formula in plain Python, which needs nothing of this package.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from steepest.errors import BadSetting
from steepest.optim.schedules import SCHEDULES, numbers_of
from steepest.optim.schedules import schedule as schedule_of

WARM = "warmup-"


@dataclass(frozen=True)
class ScheduleWords:
    """A schedule's name in parts: "warmup-cosine:steps=5:end=0.1"."""

    decay: str
    """Its name without a warm-up in front: "cosine"."""
    is_warm: bool
    numbers: Mapping[str, float]
    """All of its numbers, also those at their defaults."""

    @property
    def warm_steps(self) -> str:
        """The expression for the number of steps of the warm-up."""
        count = self.numbers["steps"] or self.numbers["share"]
        return str(max(1, round(count))) if self.numbers["steps"] else f"max(1, round({count!r} * horizon))"

    def warm_steps_of(self, horizon: int) -> int:
        return max(1, round(self.numbers["steps"] or self.numbers["share"] * horizon)) if self.is_warm else 0


def schedule_words(words: str) -> ScheduleWords:
    """The parts of a schedule's name with numbers. Raises UnknownName or BadSetting."""
    schedule_of(words)
    name, *pairs = words.split(":")
    given = {key: float(value) for key, _, value in (pair.partition("=") for pair in pairs)}
    is_warm = name.startswith(WARM) and name.removeprefix(WARM) in SCHEDULES
    return ScheduleWords(name.removeprefix(WARM) if is_warm else name, is_warm, {**numbers_of(name), **given})


def check_horizon(name: str, horizon: int | None) -> None:
    """Raise UnknownName or BadSetting for a schedule that does not exist or has a horizon of no steps."""
    schedule_of(name)
    if name != "constant" and horizon is not None and horizon < 1:
        raise BadSetting(f"The schedule {name} needs a horizon of at least one step; it is {horizon}.")


def short(value: float) -> float:
    """A number without the last digits that arithmetic leaves: 0.9 for 1 − 0.1."""
    return float(f"{value:.12g}")


# ---- torch -----------------------------------------------------------------------------------------------------------


def scheduler_lines(words: str, rate: float, horizon: int | None, has_scales: bool) -> list[str]:
    """Lines that define `scheduler` for an `optimizer` of torch and a `horizon`.

    has_scales: whether some parameters have a multiple of the rate, which rules out schedulers with one lowest rate.
    """
    parts = schedule_words(words)
    last = parts.warm_steps if parts.is_warm else ""
    decay = _of_torch(parts, rate, horizon, has_scales, "horizon - warm" if parts.is_warm else "horizon")
    if decay is None or (parts.is_warm and horizon is not None and parts.warm_steps_of(horizon) >= horizon):
        made = "LambdaLR(optimizer, factor)"
        return [*factor_lines(words), f"scheduler = torch.optim.lr_scheduler.{made}"]
    if not parts.is_warm:
        return f"scheduler = torch.optim.lr_scheduler.{decay}".splitlines()
    return [
        f"warm = {last}  # steps of the warm-up",
        "scheduler = torch.optim.lr_scheduler.SequentialLR(",
        "    optimizer,",
        "    [",
        "        torch.optim.lr_scheduler.LinearLR(optimizer, start_factor=1 / warm, total_iters=warm - 1),",
        f"        torch.optim.lr_scheduler.{decay},",
        "    ],",
        "    milestones=[warm],",
        ")",
    ]


def _of_torch(parts: ScheduleWords, rate: float, horizon: int | None, has_scales: bool, span: str) -> str | None:
    """The call of torch's scheduler for a decay over the steps of the expression `span`; None if there is none."""
    own, end = parts.numbers, parts.numbers.get("end", 0.0)
    lowest = f", eta_min={short(end * rate)!r}" if end else ""
    match parts.decay:
        case "constant":
            return "ConstantLR(optimizer, factor=1.0)"
        case "linear":
            return f"LinearLR(optimizer, start_factor=1.0, end_factor={end!r}, total_iters={span})"
        case "cosine" if not (end and has_scales):
            return f"CosineAnnealingLR(optimizer, T_max={span}{lowest})"
        case "polynomial" if not end:
            return f"PolynomialLR(optimizer, total_iters={span}, power={own['power']!r})"
        case "exponential" if end:
            return f"ExponentialLR(optimizer, gamma={end!r} ** (1 / ({span})))"
        case "step":
            size = f"max(1, round({own['every']!r} * ({span})))"
            return f"StepLR(optimizer, step_size={size}, gamma={own['factor']!r})"
        case "warm-restarts" if horizon and not (end and has_scales):
            return _restarts(own, horizon - parts.warm_steps_of(horizon), lowest)
        case "one-cycle" if horizon and end and own["start"] and own["rise"] * horizon > 1 and horizon > 2:
            if own["rise"] == 1:
                return None
            highest = '[group["lr"] for group in optimizer.param_groups]' if has_scales else repr(rate)
            first, last = short(1 / own["start"]), short(own["start"] / end)
            return (
                f"OneCycleLR(\n    optimizer, {highest}, total_steps=horizon, pct_start={own['rise']!r}, "
                f"div_factor={first!r}, final_div_factor={last!r},\n    cycle_momentum=False,\n)"
            )
    return None


def _restarts(own: Mapping[str, float], steps: int, lowest: str) -> str | None:
    """torch restarts after whole numbers of steps, and lengthens cycles by whole factors."""
    cycles, growth = own["cycles"], own["growth"]
    if not (cycles.is_integer() and growth.is_integer()):
        return None
    share = sum(int(growth) ** i for i in range(int(cycles)))
    if steps < share or steps % share:
        return None
    return f"CosineAnnealingWarmRestarts(optimizer, T_0={steps // share}, T_mult={int(growth)}{lowest})"


# ---- plain Python ----------------------------------------------------------------------------------------------------


def factor_lines(words: str) -> list[str]:
    """Lines that define `factor(done)`, the share of the rate in the step after `done` ones, for a `horizon`."""
    parts = schedule_words(words)
    if not _is_known(parts):
        return [
            "from steepest.optim.schedules import schedule",
            "",
            "def factor(done):",
            f'    return schedule("{words}")(done + 1, horizon)',
            "",
        ]
    body = _body(parts)
    imports = ["import math", ""] if any("math." in line for line in body) else [""]
    if not parts.is_warm:
        return [*imports, "def factor(done):", *(f"    {line}" for line in body), ""]
    return [
        *imports,
        f"warm = {parts.warm_steps}  # steps of the warm-up",
        "",
        "def decay(done, horizon):",
        *(f"    {line}" for line in body),
        "",
        "def factor(done):",
        "    return (done + 1) / warm if done < warm else decay(done - warm, max(1, horizon - warm))",
        "",
    ]


def _is_known(parts: ScheduleWords) -> bool:
    return parts.decay in _SHAPES or parts.decay in _BODIES


def _towards(end: float, shape: str) -> str:
    """From 1 to `end` as the `shape` goes from 1 to 0."""
    return f"{end!r} + {short(1 - end)!r} * {shape}" if end else shape


_SHAPES = {"linear": "(1 - x)", "cosine": "(1 + math.cos(math.pi * x)) / 2", "polynomial": "(1 - x) ** {power!r}"}


def _body(parts: ScheduleWords) -> Sequence[str]:
    own = parts.numbers
    if parts.decay in _SHAPES:
        shape = _SHAPES[parts.decay].format(**own)
        return ["x = min(done / horizon, 1)", f"return {_towards(own['end'], shape)}"]
    return [line.format(**own, rest=short(1 - own.get("end", 0.0))) for line in _BODIES[parts.decay]]


_BODIES: dict[str, Sequence[str]] = {
    "constant": ["return 1.0"],
    "exponential": ["return {end!r} ** min(done / horizon, 1)"],
    "step": ["return {factor!r} ** (done // max(1, round({every!r} * horizon)))"],
    "inverse-sqrt": [
        "warm = max(1, round({share!r} * horizon))  # steps of the warm-up",
        "return (done + 1) / warm if done < warm else math.sqrt(warm / (done + 1))",
    ],
    "warm-restarts": [
        "lengths = [{growth!r} ** i for i in range(math.ceil({cycles!r}))]",
        "x = min(done / horizon, 1) * sum(lengths)",
        "while len(lengths) > 1 and x >= lengths[0] - 1e-12:",
        "    x -= lengths.pop(0)",
        "return {end!r} + {rest!r} * (1 + math.cos(math.pi * min(x / lengths[0], 1))) / 2",
    ],
    "one-cycle": [
        "top = {rise!r} * horizon - 1",
        "a, b, x = {start!r}, 1, done / top if top > 0 else 1",
        "if done > top:",
        "    a, b, x = 1, {end!r}, min((done - top) / max(horizon - 1 - top, 1e-12), 1)",
        "return b + (a - b) * (1 + math.cos(math.pi * x)) / 2",
    ],
    "warmup-stable-decay": [
        "warm, fall = max(1, round({rise!r} * horizon)), max(1, round({fall!r} * horizon))",
        "if done < warm:",
        "    return (done + 1) / warm",
        "return 1 - {rest!r} * min(max(done - (horizon - fall), 0) / fall, 1) ** {power!r}",
    ],
}
"""The lines of a function of `done` steps and the `horizon`."""
