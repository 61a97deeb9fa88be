"""One buffer [R, P], and what stands beside it."""

import torch
from engine.small import Frozen, Tied, normalised
from torch import nn

from steepest.engine.layout import Layout, changing_buffers, replicas


def test_views_look_into_the_buffer_and_flatten_is_their_inverse():
    model = nn.Sequential(nn.Linear(3, 2), nn.Linear(2, 1, bias=False))
    layout = Layout.of(model)
    flat = torch.arange(20.0).view(2, 10)
    views = layout.views(flat)
    assert {name: tuple(view.shape) for name, view in views.items()} == {
        "0.weight": (2, 2, 3),
        "0.bias": (2, 2),
        "1.weight": (2, 1, 2),
    }
    assert torch.equal(layout.flatten(views), flat)
    flat[1, 6] = -1.0
    assert views["0.bias"][1, 0] == -1.0
    assert all(view.untyped_storage().data_ptr() == flat.untyped_storage().data_ptr() for view in views.values())


def test_rows_of_a_slice_are_viewed_too():
    layout = Layout.of(nn.Linear(3, 2))
    flat = torch.arange(32.0).view(4, 8)
    assert torch.equal(layout.views(flat[2:])["bias"], flat[2:, 6:])


def test_a_row_is_the_model():
    model = nn.Linear(3, 2)
    layout = Layout.of(model)
    assert torch.equal(layout.views(layout.row(model)[None])["weight"][0], model.weight)


def test_tied_weights_have_one_place():
    assert "also.weight" not in Layout.of(Tied()).shapes
    assert Layout.of(Tied()).parameters == 64 * 8 + 64 * 10 + 10


def test_what_training_changes_is_stacked_and_what_all_have_in_common_is_kept_once():
    changing = changing_buffers(normalised(), (torch.rand(4, 1, 8, 8),))
    assert changing == {"1.running_mean", "1.running_var", "1.num_batches_tracked"}
    start = replicas([normalised(), normalised()], torch.tensor([0, 0, 1]), changing)
    assert start.stacked["1.running_mean"].shape == (3, 4)
    assert start.flat.shape == (3, Layout.of(normalised()).parameters)
    assert torch.equal(start.flat[0], start.flat[1])
    assert not torch.equal(start.flat[0], start.flat[2])

    frozen = replicas([Frozen(), Frozen()], torch.tensor([0, 1, 1]), frozenset())
    assert set(frozen.shared) == {"scale"}
    assert frozen.stacked["features.weight"].shape == (3, 32, 64)
    assert frozen.flat.shape == (3, 330)


def test_a_parameter_without_axes_has_one_place():
    layout = Layout({"scale": torch.Size([]), "weight": torch.Size([2])})
    named = {"scale": torch.tensor([1.0, 2.0]), "weight": torch.tensor([[3.0, 4.0], [5.0, 6.0]])}
    flat = layout.flatten(named)
    assert flat.tolist() == [[1.0, 3.0, 4.0], [2.0, 5.0, 6.0]]
    assert all(torch.equal(view, named[name]) for name, view in layout.views(flat).items())
