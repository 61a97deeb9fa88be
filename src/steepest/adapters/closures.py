"""Second gradients in the drop-in optimizer: it calls the closure again. Separate, since few rules need it."""

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor

from steepest.adapters.sharded import local, shard_of
from steepest.errors import BadInput
from steepest.optim.drivers import with_second
from steepest.optim.rule import Rule, Second, Tensors
from steepest.optim.second_order import sampled

SECOND_GRADIENT_LINES: dict[Second, list[str]] = {
    "": [],
    "elsewhere": [
        "# Takes a second gradient in a step: call optimizer.step(closure), where closure() clears the gradients,",
        "# computes the loss, calls backward, and returns the loss.",
    ],
    "sampled": [
        "# Takes a second gradient in some steps: call optimizer.step(closure), where closure() clears the gradients,",
        "# computes loss = torch.nn.functional.cross_entropy(logits, optimizer.targets(logits, targets)),",
        "# calls backward, and returns the loss.",
    ],
}
"""Comments in the generated code, by kind of second gradient."""


class SecondGradients:
    """The part of a `RuleOptimizer` that calls a closure again, for rules with a `second`."""

    rule: ClassVar[type[Rule]]
    _drawn: int | None = None
    """Number of targets sampled so far, or None while targets are used as given."""

    def targets(self, logits: Tensor, targets: Tensor) -> Tensor:
        """The targets for the closure's loss: `targets`, class numbers [B, …], as given; or, while the optimizer
        estimates the curvature, as many sampled from the softmax of `logits` [B, K, …].

        For sophia-g; all other rules return them as given. Raises BadInput unless targets are class numbers.
        """
        if self._drawn is None:
            return targets
        drawn = sampled(logits, targets)
        self._drawn += int((targets >= 0).sum())
        return drawn

    def _closure(self, closure: Callable[[], Any] | None) -> Callable[[], Any] | None:
        """`closure` with the random state of its first call restored in later ones, so that dropout is the same. Raises
        BadInput if a rule needs a closure and has none.
        """
        if not self.rule.second:
            return closure
        if closure is None:
            asked = "optimizer.targets(logits, targets)" if self.rule.second == "sampled" else "the batch's targets"
            raise BadInput(
                f"{self.rule.__name__} takes a second gradient in a step. Call optimizer.step(closure), where "
                f"closure() clears the gradients, computes the loss with {asked}, calls backward, and returns the loss."
            )
        random_state = torch.get_rng_state()
        calls = 0

        def again() -> Any:
            nonlocal calls
            calls += 1
            if calls == 1:
                return closure()
            with torch.random.fork_rng(devices=[]):
                torch.set_rng_state(random_state)
                return closure()

        return again

    def _with_second(
        self,
        params: Sequence[Tensor],
        ws: Sequence[Tensor],
        gs: Sequence[Tensor],
        states: Sequence[Tensors],
        cs: Sequence[Any],
        closure: Callable[[], Any],
    ) -> tuple[list[Tensor], list[Tensors]]:
        """Gradients and states after the second gradient, if it is due; every `p.grad` is the first again.

        ws, gs and states are this process's parts of those of `params`.
        """
        firsts = [p.grad for p in params]

        def again() -> list[Tensor]:
            for p in params:
                p.grad = None
            self._drawn = 0 if self.rule.second == "sampled" else None
            try:
                with torch.enable_grad():
                    closure()
                if self._drawn == 0:
                    raise BadInput(
                        f"{self.rule.__name__} needs targets sampled from the model's predictions: in the closure, "
                        "compute the loss with optimizer.targets(logits, targets) instead of the targets."
                    )
                share = 1.0 if self._drawn is None else self._drawn**0.5
                seconds = [torch.zeros_like(p) if p.grad is None else share * p.grad for p in params]
                return [local(second, shard_of(p)) for p, second in zip(params, seconds, strict=True)]
            finally:
                self._drawn = None
                for p, first in zip(params, firsts, strict=True):
                    p.grad = first

        return with_second(self.rule, ws, gs, states, cs, again)
