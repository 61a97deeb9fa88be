"""Wraps models that take inputs by keyword, or return their own loss or several tensors: positional in, one out."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from steepest.errors import BadTask
from steepest.tasks.tensor_trees import Tree


def own_loss(outputs: Any, targets: Any) -> Tensor:
    """The loss of a task whose model returns it; the outputs repeat the batch mean for each example."""
    return loss_in(outputs).mean()


class WrappedModel(nn.Module):
    """A model with positional arguments and one tensor of outputs: several are packed as a `Tree`; if it returns its
    own loss alone, that loss is the output for each example."""

    def __init__(
        self, model: nn.Module, names: tuple[str, ...], returns_loss: bool = False, tree: Tree | None = None
    ) -> None:
        super().__init__()
        self.model, self.names, self.returns_loss, self.tree = model, names, returns_loss, tree
        self.users_model = [model]  # groups go by its names; torch does not register a list

    def forward(self, *inputs: Tensor) -> Any:
        result = self.model(**dict(zip(self.names, inputs, strict=True))) if self.names else self.model(*inputs)
        if self.tree is not None:
            return self.tree.pack(result)
        if not self.returns_loss:
            return result
        loss = loss_in(result)
        examples = inputs[0].shape[0]
        return loss if loss.shape == (examples,) else loss.reshape(()).expand(examples)


def loss_in(result: Any) -> Tensor:
    """The loss in a model's result: the result itself, its `loss`, or the only scalar in a tuple."""
    found = result.get("loss") if isinstance(result, Mapping) else getattr(result, "loss", None)
    if found is None and isinstance(result, tuple | list):
        scalars = [x for x in result if isinstance(x, Tensor) and x.ndim == 0]
        found = scalars[0] if len(scalars) == 1 else None
    found = result if found is None else found
    if not isinstance(found, Tensor) or found.ndim > 1:
        what = f"a tensor {list(found.shape)}" if isinstance(found, Tensor) else f"a {type(found).__name__}"
        raise BadTask(
            f"The model returned {what}, but without a loss argument it must return its own loss: a scalar, or .loss "
            "or 'loss' in its result. Or pass loss=…."
        )
    return found
