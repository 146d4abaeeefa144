from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from flawscope.explanation.capture import captured, evaluating, gradient, hooked
from flawscope.explanation.explain import METHODS, explain
from flawscope.records import Task

TASK = Task("multiclass", ("a", "b"))


def test_nothing_is_left_after_an_exception(tiny: Any, image_bchw: Any, traces: Callable[..., Any]) -> None:
    tiny.train()
    before = traces(tiny)
    with pytest.raises(ZeroDivisionError), evaluating(tiny), captured({"conv": tiny.conv, "relu": tiny.relu}):
        during = traces(tiny)
        tiny(image_bchw)
        raise ZeroDivisionError
    assert (during["hooks"], during["modes"] == before["modes"]) == (2, False)
    assert traces(tiny) == before


@pytest.mark.parametrize("method", METHODS)
def test_nothing_is_left_where_the_network_itself_fails(
    method: str, tiny: Any, image_bchw: Any, traces: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny.train()
    before, calls, forward = traces(tiny), [0], tiny.fc.forward

    def fail_later(given: Any) -> Any:
        calls[0] += 1
        if calls[0] > 3:
            raise MemoryError
        return forward(given)

    monkeypatch.setattr(tiny.fc, "forward", fail_later)
    with pytest.raises(MemoryError):
        for _ in range(4):
            explain(tiny, image_bchw, TASK, "a", method)
    assert traces(tiny) == before


def test_hooks_set_up_in_part_are_taken_away(tiny: Any, traces: Callable[..., Any]) -> None:
    before = traces(tiny)
    with pytest.raises(AttributeError), hooked({tiny.conv: lambda *given: None, "no module": print}):  # type: ignore[dict-item]
        pass
    assert traces(tiny) == before


def test_a_relu_in_place_behind_a_layer_does_not_change_what_is_kept(tiny: Any, image_bchw: Any) -> None:
    with captured({"conv": tiny.conv}) as found:
        score_b = tiny(image_bchw + 2)[:, 1]  # 3 - x is -3 at one place
    assert float(found["conv"].detach().min()) == -3
    slope_bchw = gradient(score_b, found["conv"])
    assert slope_bchw[0, 1].tolist() == [[0.25, 0.0], [0.0, 0.25]]  # the ReLU lets nothing through at 0 and below
    assert [each.grad for each in tiny.parameters()] == [None] * 3


def test_a_frozen_network_has_gradients_all_the_same(tiny: Any, image_bchw: Any) -> None:
    tiny.requires_grad_(False)
    with captured({"relu": tiny.relu}) as found:
        slope_bchw = gradient(tiny(image_bchw)[:, 0], found["relu"])
    assert slope_bchw.flatten(2).tolist() == [[[0.5] * 4, [-0.25] * 4]]


def test_outputs_that_are_no_tensors_are_passed_over() -> None:
    class Pair(nn.Module):
        def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            return x, x

    pair = Pair()
    with captured({"pair": pair}) as found:
        pair(torch.ones(1))
    assert found == {}


def test_what_a_score_does_not_depend_on_has_gradient_zero() -> None:
    x, y = torch.ones(1, requires_grad=True), torch.ones(1, requires_grad=True)
    assert gradient(x * 2, y).tolist() == [0.0]
    assert gradient(torch.ones(1), y).tolist() == [0.0]
