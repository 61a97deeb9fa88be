"""Whether evaluation is a function of one example: two passes agree, and neither neighbours nor the batch size matter.

The passes run in float64 where the model allows it, so that rounding, which does depend on the batch size, is far below
the tolerance. What breaks the rule is looked for module by module: the first to finish whose inputs agree and whose
outputs don't.
"""

import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from steepest.checks.specimen import Specimen
from steepest.errors import kind_and_line
from steepest.messages import Message, say, verbatim
from steepest.records.task_warnings import TaskWarning, warning
from steepest.tasks.keras_models import calls_observed, is_keras, keras_layers, layer_name, training_ignored
from steepest.tasks.tensor_trees import tensors_of

COMPARED_EXAMPLES = 6
TOLERANCE = {torch.float64: 1e-5, torch.float32: 1e-3}
"""Share of the largest output by which outputs may differ. Models may compute in float32 inside."""
RANDOM_FUNCTIONS = (
    *("dropout", "dropout1d", "dropout2d", "dropout3d", "alpha_dropout", "feature_alpha_dropout", "rrelu"),
    *("rand", "randn", "rand_like", "randn_like", "randint", "randint_like", "randperm", "normal", "normal_"),
    *("uniform_", "bernoulli", "bernoulli_", "multinomial", "gumbel_softmax", "exponential_"),
)
BATCH_FIRST = (nn.RNNBase, nn.MultiheadAttention, nn.TransformerEncoderLayer, nn.TransformerDecoderLayer)
"""Modules that take their batch second unless batch_first is set."""


@dataclass(frozen=True)
class Call:
    """One call of a module: its path, itself, and copies of its tensors."""

    path: str
    module: nn.Module
    inputs: list[Tensor]
    outputs: list[Tensor]


class Subject:
    """A new model in evaluation, with a few examples."""

    def __init__(self, specimen: Specimen, dtype: torch.dtype) -> None:
        self.specimen, self.task, self.dtype = specimen, specimen.task, dtype
        self.model = self.task.build_model(0, dtype).eval()
        positions = specimen.splits.valid[:COMPARED_EXAMPLES]
        inputs, _ = self.task.batch(specimen.splits, positions)
        self.inputs = tuple(x.to(dtype) if x.is_floating_point() else x for x in inputs)
        self.count = len(positions)
        self.untouched = torch.empty(0)
        """The outputs of the first call."""

    @torch.no_grad()
    def outputs(self, places: Sequence[int], seed: int = 0) -> Tensor:
        """The outputs [n, …] of the examples at these places, passed as one batch."""
        torch.default_generator.manual_seed(seed)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # such as torch's, of a deviation of one number
            found = self.model(*(x[list(places)] for x in self.inputs))
        if (tree := self.task.heads) is not None:  # a scalar beside the outputs may well depend on the batch
            found = torch.cat([found[:, c.start : c.start + c.width] for c in tree.columns if c.axis is not None], 1)
        return found.reshape(len(places), -1)

    def differ(self, a: Tensor, b: Tensor) -> bool:
        """Whether two tensors differ by more than rounding; NaN equals NaN."""
        if a.shape != b.shape:
            return True
        if not a.is_floating_point():
            return not torch.equal(a, b)
        a, b = a.nan_to_num(), b.nan_to_num()
        size = float(torch.maximum(a.abs().max(), b.abs().max())) if a.numel() else 0.0
        return bool(a.numel()) and float((a - b).abs().max()) > TOLERANCE[self.dtype] * size

    def calls(self, places: Sequence[int], seed: int = 0) -> list[Call]:
        """The calls of all modules in one pass, in the order in which they finish."""
        found: list[Call] = []
        paths = {module: path.removeprefix("model.") for path, module in self.model.named_modules()}
        layers = [*filter(is_keras, keras_layers(self.model))]
        paths |= {layer: layer_name(layer) for layer in layers}

        def hook(module: nn.Module, args: tuple[object, ...], kwargs: Mapping[str, object], result: object) -> None:
            inputs = [x.clone() for x in tensors_of([*args, *kwargs.values()])]
            found.append(Call(paths[module], module, inputs, [x.clone() for x in tensors_of(result)]))

        with ExitStack() as stack:
            for module in self.model.modules():
                stack.callback(module.register_forward_hook(hook, with_kwargs=True).remove)
            stack.enter_context(calls_observed(layers, hook))
            self.outputs(places, seed)
        return found


def evaluation_is_a_function(specimen: Specimen) -> Iterator[TaskWarning]:
    """Outputs in evaluation that differ between passes, or with the other examples of a batch."""
    task = specimen.task
    if (subject := _subject(specimen)) is None:
        return
    everyone = [*range(subject.count)]
    first = subject.outputs(everyone)
    with _Draws() as draws:
        second = subject.outputs(everyone, seed=1)
    if subject.differ(first, second):
        yield _random(subject, draws)
        return
    yield from _training_ignored(subject)
    returns_means = getattr(getattr(subject.model, "model", None), "returns_means", False)
    if subject.count < 2 or (task.has_own_loss and task.heads is None) or returns_means:
        return  # one example has no neighbours; a mean loss depends on all
    for others in (everyone[::-1], everyone[: subject.count - 1]):
        if len(others) > 1 and subject.differ(first[others], subject.outputs(others, seed=2)):
            yield _neighbours(subject, first, others)
            return
    try:
        alone = torch.cat([subject.outputs([i], seed=3) for i in everyone])
    except Exception as error:
        yield warning(
            "single-example",
            say(
                "The model accepts several examples, but not one alone, as the last batch may be: {error}. Perhaps "
                "squeeze() without an axis removes the axis of the examples.",
                error=kind_and_line(error),
            ),
        )
        return
    if subject.differ(first, alone):
        yield _neighbours(subject, first, [0])


def _subject(specimen: Specimen) -> Subject | None:
    """The model and distinct examples, in float64 if the model can be run so; None if it cannot be compared."""
    for dtype in (torch.float64, torch.float32):
        subject = Subject(specimen, dtype)
        try:
            subject.untouched = subject.outputs(range(subject.count))
        except Exception:
            continue
        if torch.isfinite(subject.untouched).all():
            return subject
    return None


class _Draws(TorchFunctionMode):
    """Names the functions that draw random numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []

    def __torch_function__(
        self,
        func: Callable[..., object],
        types: Iterable[type],
        args: Sequence[object] = (),
        kwargs: Mapping[str, object] | None = None,
    ) -> object:
        named = dict(kwargs or {})
        name = getattr(func, "__name__", "")
        is_off = named.get("training") is False or ("dropout" in name and len(args) > 2 and args[2] is False)
        if name in RANDOM_FUNCTIONS and not is_off and name not in self.names:
            self.names.append(name)
        return func(*args, **named)


def _random(subject: Subject, draws: _Draws) -> TaskWarning:
    passes = zip(subject.calls(range(subject.count)), subject.calls(range(subject.count), seed=1), strict=False)
    differing = (
        a for a, b in passes if _agree(subject, a.inputs, b.inputs) and not _agree(subject, a.outputs, b.outputs)
    )
    culprit = next(differing, None)
    names = ", ".join(draws.names)
    anew = Subject(subject.specimen, subject.dtype)
    if not names and not subject.differ(subject.untouched, anew.outputs(range(anew.count), seed=1)):
        return warning(
            "random-evaluation",
            say(
                "In evaluation, a second pass over the same examples gives other outputs, because of what {culprit} "
                "keeps between calls, such as a hidden state or a counter. Begin every call in the same state, or "
                "change the state only if self.training is true.",
                culprit=_named(culprit),
            ),
        )
    of_keras = culprit is not None and is_keras(culprit.module)
    return warning(
        "random-evaluation",
        say(
            "In evaluation, two passes over the same examples give different outputs, because of {culprit}. {remedy}",
            culprit=say("{names} in {module}", names=names, module=_named(culprit)) if names else _named(culprit),
            remedy=say("Let it depend on the argument training, and leave out training=True.")
            if of_keras
            else say("Make it depend on self.training, so that the metric measures the model."),
        ),
    )


def _training_ignored(subject: Subject) -> Iterator[TaskWarning]:
    """A note about layers of Keras that the user calls with training=True, where Keras does not keep that."""
    if names := training_ignored(subject.model):
        yield warning(
            "training-ignored",
            say(
                "{layers} is called with training=True. Keras ignores this in evaluation, as its predict() does, so "
                "the layer behaves there as with training=False.",
                layers=", ".join(names),
            ),
        )


def _agree(subject: Subject, a: list[Tensor], b: list[Tensor]) -> bool:
    return len(a) == len(b) and not any(subject.differ(x, y) for x, y in zip(a, b, strict=True))


def _neighbours(subject: Subject, first: Tensor, places: Sequence[int]) -> TaskWarning:
    whole, other = subject.calls(range(subject.count)), subject.calls(places)
    culprit = None
    if [call.path for call in whole] == [call.path for call in other]:
        culprit = next((a for a, b in zip(whole, other, strict=True) if _breaks(subject, a, b, places)), None)
    return warning(
        "neighbours",
        say(
            "In evaluation, the output of an example depends on the other examples of its batch, because of {culprit}. "
            "{hint}",
            culprit=_named(culprit),
            hint=_hint(culprit, _is_by_number(subject, first)),
        ),
    )


def _is_by_number(subject: Subject, first: Tensor) -> bool:
    """Whether it is not the other examples that matter, but how many there are: some surrounded by copies are as
    before."""
    ends = (0, subject.count - 1)
    return not any(subject.differ(first[i], subject.outputs([i] * subject.count)[i]) for i in ends)


def _breaks(subject: Subject, a: Call, b: Call, places: Sequence[int]) -> bool:
    """Whether a module keeps the examples apart in its inputs, and not in its outputs."""
    ours = [_follows(subject, x, y, places) for x, y in zip(a.inputs, b.inputs, strict=False)]
    theirs = [_follows(subject, x, y, places) for x, y in zip(a.outputs[:1], b.outputs[:1], strict=False)]
    return all(ours) and not all(theirs)


def _follows(subject: Subject, whole: Tensor, part: Tensor, places: Sequence[int]) -> bool:
    """Whether a tensor of some examples is that of all examples at these places, along some axis."""
    if whole.shape == part.shape and not subject.differ(whole, part):
        return True
    for axis, size in enumerate(whole.shape):
        each, rest = divmod(size, subject.count)
        if rest or part.ndim != whole.ndim or part.shape[axis] != each * len(places):
            continue
        chosen = whole.unflatten(axis, (subject.count, each)).index_select(axis, torch.tensor(places))
        if not subject.differ(chosen.flatten(axis, axis + 1), part):
            return True
    return False


def _named(call: Call | None) -> Message:
    if call is None:
        return say("its forward()")
    kind = type(call.module).__name__
    return verbatim(f"{call.path} ({kind})" if call.path else f"{kind}.forward()")


def _hint(call: Call | None, by_number: bool) -> Message:
    module = None if call is None else call.module
    if isinstance(module, BATCH_FIRST):
        inner = getattr(module, "self_attn", module)  # of a transformer's layer
        if not getattr(inner, "batch_first", True):
            return say("Its batch comes second by default: set batch_first=True.")
    if isinstance(module, nn.modules.batchnorm._BatchNorm):
        return say("It normalizes by the batch even in evaluation: keep track_running_stats=True and eval mode.")
    if isinstance(module, nn.Softmax | nn.LogSoftmax) and module.dim == 0:
        return say("Its axis is 0, that of the examples: use dim=1 or dim=-1.")
    if by_number:
        return say("Their number matters: keep nothing by batch size, and compute no output from it.")
    return say("Let no operation mix the examples, such as a mean or a softmax over axis 0.")
