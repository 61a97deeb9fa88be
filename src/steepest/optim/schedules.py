"""Learning-rate schedules: pure functions from (step, horizon) to the factor that multiplies the rate.

Steps are t = 1 … horizon; x = (t−1)/horizon is the completed fraction. Unless a docstring states otherwise, the first
step has the full rate, and a decay reaches its end one step after the horizon, so that no step has a rate of zero.
After that, the factor is constant. A schedule is given by name, with optional numbers: "step:factor=0.5:every=0.25".
"""

import inspect
import math
from collections.abc import Callable
from functools import partial
from typing import Any

from steepest.errors import BadSetting, UnknownName
from steepest.optim.plateau import Plateau

Schedule = Callable[[int, int], float]

WARMUP_SHARE = 0.05
"""Share of the horizon for a warm-up, which has at least one step."""


def constant(t: int, horizon: int) -> float:
    """1"""
    return 1.0


def linear(t: int, horizon: int, end: float = 0.0) -> float:
    """1 − (1−end)x"""
    return 1 - (1 - end) * _passed(t, horizon)


def cosine(t: int, horizon: int, end: float = 0.0) -> float:
    """end + (1−end)(1 + cos πx)/2 (Loshchilov and Hutter, SGDR, 2017, one cycle)"""
    return end + (1 - end) * (1 + math.cos(math.pi * _passed(t, horizon))) / 2


def polynomial(t: int, horizon: int, power: float = 2.0, end: float = 0.0) -> float:
    """end + (1−end)(1−x)^power"""
    return end + (1 - end) * (1 - _passed(t, horizon)) ** power


def exponential(t: int, horizon: int, end: float = 0.01) -> float:
    """end^x: the same ratio at every step"""
    return end ** _passed(t, horizon)


def step(t: int, horizon: int, factor: float = 0.1, every: float = 1 / 3) -> float:
    """factor^k after k times the share `every` of the horizon"""
    return factor ** math.floor((t - 1) / max(1, round(every * horizon)))


def inverse_sqrt(t: int, horizon: int, share: float = WARMUP_SHARE) -> float:
    """t/k over the first k steps, a share of the horizon, then √(k/t) (Vaswani et al., 2017)"""
    k = max(1, round(share * horizon))
    return t / k if t <= k else math.sqrt(k / t)


def warm_restarts(t: int, horizon: int, cycles: float = 3.0, growth: float = 1.0, end: float = 0.0) -> float:
    """`cycles` cosines in a row, each `growth` times as long as the one before (SGDR, 2017)"""
    lengths = [growth**i for i in range(math.ceil(cycles))]
    x, total = _passed(t, horizon) * sum(lengths), 0.0
    for length in lengths[:-1]:
        if x < total + length - 1e-12:
            break
        total += length
    else:
        length = lengths[-1]
    return end + (1 - end) * (1 + math.cos(math.pi * min((x - total) / length, 1.0))) / 2


def one_cycle(t: int, horizon: int, rise: float = 0.3, start: float = 0.04, end: float = 4e-6) -> float:
    """cosine from `start` to 1 over the share `rise`, then cosine to `end` at the last step (Smith and Topin, 2018)"""
    top = rise * horizon - 1
    if t - 1 <= top:
        return _between(start, 1.0, (t - 1) / top if top > 0 else 1.0)
    return _between(1.0, end, min((t - 1 - top) / max(horizon - 1 - top, 1e-12), 1.0))


def warmup_stable_decay(
    t: int, horizon: int, rise: float = WARMUP_SHARE, fall: float = 0.2, end: float = 0.0, power: float = 1.0
) -> float:
    """t/k over the share `rise`, then 1, then 1 − (1−end)y^power over the share `fall` (Hu et al., MiniCPM, 2024)"""
    k = max(1, round(rise * horizon))
    if t <= k:
        return t / k
    left = max(1, round(fall * horizon))
    return 1 - (1 - end) * min(max(t - 1 - (horizon - left), 0) / left, 1.0) ** power


def _passed(t: int, horizon: int) -> float:
    return min((t - 1) / horizon, 1.0) if horizon > 0 else 1.0


def _between(a: float, b: float, x: float) -> float:
    """From a to b along half a cosine."""
    return b + (a - b) * (1 + math.cos(math.pi * x)) / 2


def _warm(
    decay: Schedule, t: int, horizon: int, share: float = WARMUP_SHARE, steps: float = 0, **numbers: float
) -> float:
    """t/k over the first k steps, a share of the horizon or a number of steps, then `decay` over the remaining ones."""
    k = max(1, round(steps or share * horizon))
    return t / k if t <= k else decay(t - k, horizon - k, **numbers)


_RISING = {"one-cycle": one_cycle, "warmup-stable-decay": warmup_stable_decay, "inverse-sqrt": inverse_sqrt}
_FALLING = {
    "constant": constant,
    "linear": linear,
    "cosine": cosine,
    "polynomial": polynomial,
    "exponential": exponential,
    "step": step,
    "warm-restarts": warm_restarts,
}
SCHEDULES: dict[str, Schedule] = {**_FALLING, **_RISING}
SCHEDULES |= {f"warmup-{name}": partial(_warm, decay) for name, decay in _FALLING.items()}

LISTENING = "plateau"
"""The name of the schedule that depends on the validation loss."""

_LIMITS = {
    "end": (0.0, 1.0),
    "factor": (0.0, 1.0),
    "start": (0.0, 1.0),
    "share": (0.0, 1.0),
    "steps": (0.0, 1e9),
    "rise": (0.0, 1.0),
    "fall": (0.0, 1.0),
    "every": (0.0, 1.0),
    "patience": (0.0, 1.0),
    "threshold": (0.0, 1.0),
    "power": (0.0, 100.0),
    "cycles": (1.0, 1000.0),
    "growth": (1.0, 100.0),
}
"""Smallest and largest value of each number that a schedule can have."""


def numbers_of(name: str) -> dict[str, float]:
    """The numbers of the schedule of this name, with their defaults."""
    function: Any = Plateau if name == LISTENING else SCHEDULES[name]
    own = inspect.signature(function.args[0] if isinstance(function, partial) else function).parameters
    found = {key: value.default for key, value in own.items() if value.default is not inspect.Parameter.empty}
    return {"share": WARMUP_SHARE, "steps": 0.0, **found} if isinstance(function, partial) else found


def schedule(words: str) -> Schedule:
    """The schedule of this name, with optional numbers: "cosine", "step:factor=0.5:every=0.25".

    "plateau" returns a new `Plateau` at every call; pass each loss to its `hear`.
    Raises UnknownName with the nearest names, or BadSetting for a number out of its range.
    """
    name, *pairs = words.split(":")
    if name not in (*SCHEDULES, LISTENING):
        raise UnknownName.among("schedule", name, [*SCHEDULES, LISTENING])
    if not pairs:
        return Plateau() if name == LISTENING else SCHEDULES[name]
    known, chosen = numbers_of(name), {}
    for pair in pairs:
        key, _, text = pair.partition("=")
        if key not in known:
            raise UnknownName.among(f"setting of the schedule {name}", key, known)
        low, high = _LIMITS[key]
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not low <= value <= high:
            raise BadSetting(f"{words!r}: {key} is {text or 'empty'}; it must be a number from {low:g} to {high:g}.")
        chosen[key] = value
    return Plateau(**chosen) if name == LISTENING else partial(SCHEDULES[name], **chosen)


def warmed_up(words: str, share: float) -> str:
    """The same schedule, with a linear warm-up over this share of the horizon in place of its own; 0 for none.

    >>> warmed_up("cosine:end=0.1", 0.05), warmed_up("warmup-cosine", 0.0), warmed_up("warmup-stable-decay", 0.1)
    ('warmup-cosine:end=0.1:share=0.05', 'cosine', 'warmup-stable-decay:rise=0.1')
    """
    name, *pairs = words.split(":")
    own = "share" if name.startswith("warmup-") and name != "warmup-stable-decay" else _WARMTH.get(name, "share")
    kept = [pair for pair in pairs if pair.partition("=")[0] not in (own, "steps")]
    if name in _RISING:
        return ":".join([name, *kept, f"{own}={share!r}"])
    name = name.removeprefix("warmup-")
    return ":".join([f"warmup-{name}", *kept, f"share={share!r}"] if share else [name, *kept])


_WARMTH = {"one-cycle": "rise", "warmup-stable-decay": "rise", "inverse-sqrt": "share"}
"""Schedules that rise by themselves, and the number that says over which share of the horizon."""


def listens(words: str) -> bool:
    """Whether a schedule depends on the validation loss and not only on the step."""
    return words.split(":")[0] == LISTENING


def as_torch(words: str, optimizer: Any, horizon: int) -> Any:
    """The schedule as a scheduler of torch: call its `step()` after every step of `optimizer`.

    "plateau" becomes torch's ReduceLROnPlateau: call its `step(loss)` after every evaluation; `horizon` is then the
    number of evaluations.
    """
    from torch.optim.lr_scheduler import LambdaLR, ReduceLROnPlateau

    factor = schedule(words)
    if isinstance(factor, Plateau):
        least = [factor.end * group["lr"] for group in optimizer.param_groups]
        patience = math.floor(factor.patience * horizon + 1e-9)
        return ReduceLROnPlateau(
            optimizer, factor=factor.factor, patience=patience, threshold=factor.threshold, min_lr=least, eps=0.0
        )
    return LambdaLR(optimizer, lambda done: factor(done + 1, horizon))
