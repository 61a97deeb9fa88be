"""What helps to choose an optimizer: its kind, what it needs, keeps and costs, its authors' schedule, and what
published comparisons found. Apart from the catalogue, so that a statement of many rules stands once.
"""

import json
import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from operator import attrgetter
from pathlib import Path

import torch
from torch import Tensor
from torch._ops import OpOverload
from torch.utils._python_dispatch import TorchDispatchMode

from steepest.errors import UnknownName
from steepest.messages import Message, enumerated, mark, say, term
from steepest.optim.drivers import fresh, moved_together, state_shapes
from steepest.optim.entry import Entry
from steepest.optim.matrix import LARGEST
from steepest.optim.roles import form_of, has_roles
from steepest.optim.rule import averages, coefficient_record, hyperparameters, with_settings
from steepest.optim.wrappers import unwrap

KINDS = {
    "descent": "descent",
    "signs": "signs",
    "adaptive": "adaptive",
    "adam": "adam",
    "moments": "adam",
    "successors": "adam",
    "layerwise": "layers",
    "matrix": "matrices",
    "muon_kin": "matrices",
    "grafting": "matrices",
    "schedule_free": "schedule-free",
    "modelwide": "own-rate",
    "second_order": "second-gradient",
}
"""File of a rule → the kind of its optimizers."""
NEEDS = {
    "second-gradient": mark("a second gradient in a step, so pass a closure; a study trains its models one at a time"),
    "evaluation": mark("a switch to its evaluation weights: `with optimizer.evaluating():`"),
    "roles": mark("the roles of the parameters: `by_role(model, inputs)`"),
    "rate-1": mark("a rate left at 1, which it multiplies by its own estimate"),
}
"""What training needs beyond a gradient and a rate."""
SIZES = {
    "small": ((32, 64), (32,), (10, 32), (10,)),
    "medium": ((256, 784), (256,), (10, 256), (10,)),
    "large": ((512, 256), (1024, 256), (256, 1024), (256, 256), (768, 256), (256,), (1024,)) * 2,
}
"""Models on which a step is timed, by the shapes of their parameters: 2,410, 203,530 and 1,838,592 numbers."""
PARAMETERS = {size: sum(map(math.prod, shapes)) for size, shapes in SIZES.items()}
COSTS = Path(__file__).with_name("costs.json")
"""Duration of a step of the drop-in optimizer relative to Adam's, by optimizer and size; `python -m benchmarks.rules`
writes it."""

# ---- the page of one optimizer ---------------------------------------------------------------------------------------


def kind_of(item: Entry) -> str:
    """One of the values of KINDS."""
    return KINDS.get(unwrap(item.rule)[0].__module__.rpartition(".")[2], "")


def needs_of(item: Entry) -> list[str]:
    """Names of NEEDS."""
    rule, settings = item.rule, {**hyperparameters(item.rule), **item.settings}
    applies_to = str(settings.get("applies_to", ""))
    by_role = has_roles(rule) and form_of(rule, "output", applies_to) is not form_of(rule, "hidden", applies_to)
    found = {
        "second-gradient": bool(rule.second),
        "evaluation": averages(rule),
        "roles": by_role,
        "rate-1": kind_of(item) == "own-rate" and item.rate == 1.0,
    }
    return [name for name, is_needed in found.items() if is_needed]


def numbers_kept(item: Entry) -> float:
    """Numbers of state per parameter, over the network of the size "medium"."""
    network = SIZES["medium"]
    kept = sum(math.prod(shape) for each in network for shape in state_shapes(item.rule, each))
    return kept / sum(math.prod(shape) for shape in network)


def state_formula(item: Entry) -> str:
    """The numbers of state of a matrix [m, n], such as "2mn + 2m² + 2n²"; "0" without a state."""
    m, n = 5, 7
    terms = {(m, n): "mn", (m, m): "m²", (n, n): "n²", (m,): "m", (m, 1): "m", (n,): "n", (1, n): "n", (1,): "1"}
    counts = Counter(terms[tuple(shape)] for shape in state_shapes(item.rule, (m, n)) if math.prod(shape))
    ones = counts.pop("1", 0)
    parts = [f"{count if count > 1 else ''}{name}" for name, count in counts.items()] + [str(ones)] * (ones > 0)
    return " + ".join(parts) or "0"


PRODUCTS = {
    **{name: {"m²n": 20, "m³": 10} for name in ("Muon", "MuonBfloat16", "NorMuon", "Scion")},
    **{name: {"m²n": 4, "mn²": 4} for name in ("Shampoo", "GraftedShampoo")},
    "SOAP": {"m²n": 6, "mn²": 6},
}
"""FLOPs of a step in products of matrices, for a matrix [m, n] with m ≤ n, without the periodic work."""
PERIODIC = {
    **dict.fromkeys(("Shampoo", "GraftedShampoo"), mark("every k steps an eigendecomposition of each side")),
    "SOAP": mark("every k steps a product and a QR decomposition of each side"),
}


class _Counting(TorchDispatchMode):
    """Counts the numbers that element-wise operations and sums take in."""

    def __init__(self) -> None:
        super().__init__()
        self.numbers = 0

    def __torch_dispatch__(
        self, func: OpOverload, types: object, args: tuple[object, ...] = (), kwargs: dict[str, object] | None = None
    ) -> object:
        name, out = func.overloadpacket.__name__, func(*args, **(kwargs or {}))
        if not func.is_view and name not in _FREE:
            taken = (x.numel() for x in (*args, out) if isinstance(x, Tensor))
            self.numbers += _FLOPS.get(name, 1) * max(taken, default=0)
        return out


_FREE = {"mm", "addmm", "bmm", "clone", "copy_", "detach", "_to_copy", "_unsafe_view", "cat", "zeros", "zeros_like"}
"""Products of matrices, which are counted apart, and what computes nothing."""
_FLOPS = {"lerp": 3, "addcmul": 3, "addcdiv": 3}


def operations(item: Entry) -> int:
    """Element-wise operations of a step per number of a matrix, without periodic work and products of matrices."""
    rule, shape = item.rule, (48, 64)
    h = with_settings(rule, {**hyperparameters(rule), **item.settings})
    scalars = rule.advance(h, 12, dict(rule.carry))
    c = coefficient_record({**scalars, **({"renew": 0.0} if "renew" in scalars else {})})
    draw = torch.Generator().manual_seed(0)
    w, g = (torch.randn(shape, generator=draw) for _ in range(2))
    with _Counting() as counting:
        moved_together(rule, [w], [g], [fresh(rule, h, w)], [c])
    return round(counting.numbers / w.numel())


def work(item: Entry) -> Message:
    """What a step computes beside its gradients."""
    name = unwrap(item.rule)[0].__name__
    said = say("{n} operations per parameter", n=operations(item))
    if name in PRODUCTS:
        formula = " + ".join(f"{count}{product}" for product, count in PRODUCTS[name].items())
        said = say("{work}, and {flops} FLOPs in products of a matrix [m, n], m ≤ n", work=said, flops=formula)
    if name in PERIODIC:
        said = say("{work}; {periodic}", work=said, periodic=term(PERIODIC[name]))
    return said


def relative_costs(item: Entry) -> dict[str, float]:
    """Duration of a step relative to Adam's, by size; nothing where it was not measured, as with wrappers."""
    return _costs().get(item.name, {})


@cache
def _costs() -> dict[str, dict[str, float]]:
    return json.loads(COSTS.read_text(encoding="utf-8")) if COSTS.exists() else {}


ALIKE = mark("treats all parameters alike, number by number")
WHOLE = mark("treats all parameters together, with one estimate for the whole model")
BY_TENSOR = mark("looks at each parameter as a whole; shapes do not matter otherwise")
AS_MATRIX = mark("reshapes a convolution to a matrix, its outputs by all else")
OTHERS_TO = mark("leaves {roles} to {fallback}")
SHORT_SIDES = mark("leaves out sides longer than {largest}")
TREATMENT = {
    "Adafactor": mark("keeps row and column means of parameters with two or more axes, and v itself of vectors"),
    "Scion": mark("has a step of its own for each role"),
    **dict.fromkeys(("LARS", "LAMB"), mark("leaves vectors without ratio and decay")),
    **dict.fromkeys(("MARS", "MARSApprox"), mark("leaves parameters without exactly two axes to AdamW")),
}


def treatment(item: Entry) -> Message:
    """What happens to vectors, convolutions, embeddings and large sides."""
    base = unwrap(item.rule)[0]
    if base.__name__ in TREATMENT:
        return term(TREATMENT[base.__name__])
    if base.fallback is None:
        return term({"element": ALIKE, "model": WHOLE}.get(base.scope, BY_TENSOR))
    roles = ["vectors", *(["embeddings", "outputs"] if "roles" in needs_of(item) else [])]
    said = [
        term(AS_MATRIX),
        Message(OTHERS_TO, {"roles": enumerated([*map(term, roles)]), "fallback": base.fallback.__name__}),
    ]
    if base.__name__ in PERIODIC:
        said.append(Message(SHORT_SIDES, {"largest": str(LARGEST)}))
    return enumerated(said, "{item}; {items}")


PARTS = (mark("vectors"), mark("embeddings"), mark("outputs"))

OWN = "own"
"""The name, among schedules, for the schedule of an optimizer's authors."""
OWN_SCHEDULES = {
    "adamw": "cosine",
    **dict.fromkeys(("ademamix", "adan", "lion", "mars", "mars-approx", "muon", "soap", "sophia-g"), "warmup-cosine"),
    "muon-bfloat16": "warmup-stable-decay",
    "lars": "warmup-polynomial",
    "lamb": "warmup-linear",
    "prodigy": "cosine",
    "schedule-free-adamw": "warmup-constant",
    **dict.fromkeys(("schedule-free-sgd", "schedule-free-radam", "dog", "dowg"), "constant"),
}
"""Optimizer → the schedule that its authors train with or ask for. Others take a constant rate."""


def own_schedule(name: str) -> str:
    """The schedule of the authors of an optimizer, by its name with or without wrappers; "" if they ask for none."""
    return OWN_SCHEDULES.get(name.split("+")[0], "")


TUNE = {
    **dict.fromkeys(("adam", "adamw", "nadam", "nadamw", "adopt", "stable-adamw"), ("b1", "b2", "weight_decay")),
    **dict.fromkeys(("rmsprop", "rmsprop-printed"), ("b2",)),
    **dict.fromkeys(("momentum", "nesterov", "lars"), ("momentum", "weight_decay")),
    **dict.fromkeys(("muon", "muon-bfloat16", "normuon"), ("share", "momentum", "weight_decay")),
    **dict.fromkeys(("shampoo", "shampoo-grafted", "soap"), ("every", "share")),
    **dict.fromkeys(("lion", "lamb", "radamw", "adan"), ("b1", "b2", "weight_decay")),
    **dict.fromkeys(("mars", "mars-approx"), ("gamma", "b1", "b2")),
    "ademamix": ("alpha", "b3", "weight_decay"),
    "scion": ("radius", "output_scale"),
    "schedule-free-adamw": ("b1", "weight_decay"),
    "schedule-free-sgd": ("b1",),
    "prodigy": ("growth", "weight_decay"),
    "sophia-g": ("gamma", "every"),
}
"""Optimizer → hyperparameters worth a search beside the rate, in this order."""

TABULAR = mark("MLPs on 17 tabular data sets: mean rank {rank} of 15, AdamW {adamw} (arXiv 2604.15297)")
ALGOPERF = mark("AlgoPerf 0.6, {ruleset}: score {score} (MLCommons)")
SPEEDRUN = mark("GPT-2 of 124 M parameters to loss 3.28: {steps} steps, Adam {adam} (modded-nanogpt, track 3)")
SCALING = mark("language models: up to 1.4 × faster than AdamW at 0.1 B parameters, 1.1 × at 1.2 B (arXiv 2509.02046)")
AHEAD = mark("among the best of a comparison on language models (arXiv 2509.01440)")
_RANKS = {
    "muon": "1.7",
    "schedule-free-adamw": "1.8",
    **dict.fromkeys(("adabelief", "soap", "ademamix"), "2.6"),
    **dict.fromkeys(("adopt", "signum"), "3.1"),
    "lion": "3.4",
    "sgd": "3.9",
}
_STEPS = {"shampoo-grafted": "4100", "muon": "3250", "normuon": "3250"}
_SCORES = {
    "shampoo-grafted": (mark("external tuning"), ".624"),
    "nadamw": (mark("external tuning"), ".459"),
    "schedule-free-adamw": (mark("self-tuning"), ".854"),
}


def findings(item: Entry) -> Iterator[Message]:
    """What published comparisons found, with their scale; of the rule without its wrappers."""
    name = item.name.split("+")[0]
    if name in _RANKS:
        yield Message(TABULAR, {"rank": _RANKS[name], "adamw": "3.1"})
    if name in _SCORES:
        ruleset, score = _SCORES[name]
        yield Message(ALGOPERF, {"ruleset": term(ruleset), "score": score})
    if name in _STEPS:
        yield Message(SPEEDRUN, {"steps": _STEPS[name], "adam": "5625"})
    if kind_of(item) == "matrices":
        yield term(SCALING)
    if name in ("ademamix", "mars", "mars-approx", "muon"):
        yield term(AHEAD)


def choice_of(item: Entry) -> dict[str, object]:
    """What the page of an optimizer shows to a reader who chooses: plain values, and messages for people."""
    name = item.name.split("+")[0]
    tune = [each for each in TUNE.get(name, ()) if each in hyperparameters(item.rule)]
    return {
        "needs_in_words": [term(NEEDS[each]) for each in needs_of(item)],
        "cost_by_parameters": {PARAMETERS[size]: cost for size, cost in relative_costs(item).items()},
        "state_formula": state_formula(item),
        "work": work(item),
        "treatment": treatment(item),
        "own_schedule": own_schedule(item.name),
        "tune": tune,
        "findings": [*findings(item)],
    }


def facts_of(item: Entry) -> dict[str, object]:
    """What lists are filtered and sorted by."""
    return {
        "kind": kind_of(item),
        "needs": needs_of(item),
        "numbers_kept": round(numbers_kept(item), 3),
        "costs": relative_costs(item),
    }


# ---- lists -----------------------------------------------------------------------------------------------------------


def selected(
    items: Sequence[Entry],
    kind: str | None = None,
    needs: str | None = None,
    state: float | None = None,
    sort: str | None = None,
) -> list[Entry]:
    """The optimizers of this kind that need this of NEEDS, or nothing for "none", and keep at most `state` numbers per
    parameter, in an order of ORDERS. Raises UnknownName.
    """
    for what, value, known in (
        ("kind of optimizers", kind, sorted({*KINDS.values()})),
        ("need of an optimizer", needs, ["none", *NEEDS]),
        ("order", sort, ORDERS),
    ):
        if value is not None and value not in known:
            raise UnknownName.among(what, value, known)
    found = [
        item
        for item in items
        if (kind is None or kind_of(item) == kind)
        and (needs is None or needs in (needs_of(item) or ["none"]))
        and (state is None or round(numbers_kept(item), 2) <= state)
    ]
    return sorted(found, key=ORDERS[sort]) if sort else found


def _cost(item: Entry) -> float:
    return relative_costs(item).get("medium", math.inf)


ORDERS: dict[str, Callable[[Entry], float | str]] = {
    "cost": _cost,
    "kind": kind_of,
    "name": attrgetter("name"),
    "state": numbers_kept,
    "year": lambda item: item.paper.year,
}
