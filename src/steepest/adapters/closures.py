"""What the drop-in optimizer needs of a closure where its rule takes a second gradient in a step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor

from steepest.errors import BadInput
from steepest.optim.drivers import with_second
from steepest.optim.rule import Rule, Second, Tensors
from steepest.optim.second_order import sampled

SECOND_LINES: dict[Second, list[str]] = {
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
"""What code to paste says of it."""


class SecondGradients:
    """The part of a `RuleOptimizer` that calls a closure once more, for rules with a `second`."""

    rule: ClassVar[type[Rule]]
    _drawn: int | None = None
    """Targets drawn so far, while they are to be drawn; else None."""

    def targets(self, logits: Tensor, targets: Tensor) -> Tensor:
        """The targets that a closure's loss is to take: `targets`, class numbers [B, …], as they are; or, while the
        optimizer looks at the curvature, as many drawn from the softmax of `logits` [B, K, …].

        For sophia-g; for all others they stay as they are. Raises BadInput for targets that are no class numbers.
        """
        if self._drawn is None:
            return targets
        drawn = sampled(logits, targets)
        self._drawn += int((targets >= 0).sum())
        return drawn

    def _closure(self, closure: Callable[[], Any] | None) -> Callable[[], Any] | None:
        """`closure`, which every later call gives the luck of the first: the same dropout. Raises BadInput for none."""
        if not self.rule.second:
            return closure
        if closure is None:
            asked = "optimizer.targets(logits, targets)" if self.rule.second == "sampled" else "the batch's targets"
            raise BadInput(
                f"{self.rule.__name__} takes a second gradient in a step. Call optimizer.step(closure), where "
                f"closure() clears the gradients, computes the loss with {asked}, calls backward, and returns the loss."
            )
        luck = torch.get_rng_state()
        calls = 0

        def again() -> Any:
            nonlocal calls
            calls += 1
            if calls == 1:
                return closure()
            with torch.random.fork_rng(devices=[]):
                torch.set_rng_state(luck)
                return closure()

        return again

    def _with_second(
        self,
        ws: Sequence[Tensor],
        gs: Sequence[Tensor],
        states: Sequence[Tensors],
        cs: Sequence[Any],
        closure: Callable[[], Any],
    ) -> tuple[list[Tensor], list[Tensors]]:
        """Gradients and states after the second gradient, if it is due; every `p.grad` is the first again."""

        def again() -> list[Tensor]:
            for w in ws:
                w.grad = None
            self._drawn = 0 if self.rule.second == "sampled" else None
            try:
                with torch.enable_grad():
                    closure()
                if self._drawn == 0:
                    raise BadInput(
                        f"{self.rule.__name__} needs targets drawn from what the model predicts: in the closure, "
                        "compute the loss with optimizer.targets(logits, targets) in the place of the targets."
                    )
                share = 1.0 if self._drawn is None else self._drawn**0.5
                return [torch.zeros_like(w) if w.grad is None else share * w.grad for w in ws]
            finally:
                self._drawn = None
                for w, g in zip(ws, gs, strict=True):
                    w.grad = g

        return with_second(self.rule, ws, gs, states, cs, again)
