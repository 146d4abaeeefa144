"""Features of a frozen backbone, computed once: the same training, without the backbone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from flawscope.models.build import Network, NetworkPlan, build
from flawscope.records import Task
from flawscope.training import features, loop
from flawscope.training.features import FeatureDataset, on_features, steady
from flawscope.training.input import PartDataset, loader
from flawscope.training.loop import Fit, fit
from flawscope.training.losses import Loss
from flawscope.training.objective import Answers
from flawscope.training.sampling import likelihoods
from flawscope.training.spec import Augment, Sampling, TrainSpec, Unfreeze

NOTHING = Augment(flip_horizontal=False, flip_vertical=False, brightness=0)
TASK = Task("binary", ("bright",))
RNG = np.random.default_rng(0)
BRIGHT = (np.arange(24) % 2).astype(np.float64)[:, None]
PIXELS = (RNG.integers(0, 100, (24, 1, 16, 16)) + 120 * BRIGHT[:, :, None, None]).astype(np.uint8)


def part(rows: range, augment: Augment | None, sampling: Sampling = "all") -> PartDataset:
    likely_n = likelihoods(sampling, BRIGHT[rows] >= 0.5, [str(row % 3) for row in rows])
    return PartDataset(PIXELS, BRIGHT, rows, augment, 0, likelihood_n=likely_n)


def trained(folder: Path, head: str = "linear", augment: Augment = NOTHING, **asked: Any) -> tuple[Fit, Network]:
    spec = TrainSpec(**{"epochs": 3, "batch_size": 8, "rate": 0.01, "device": "cpu", "augment": augment} | asked)
    torch.manual_seed(0)
    network = build(NetworkPlan("timm:test_resnet", 1, 1, size=(16, 16), head=head, freeze=True))
    found = fit(
        network, Answers(TASK, Loss(TASK, np.ones(1))), spec, folder=folder,
        train=loader(part(range(16), augment, spec.sampling), 8, 0),
        validation=loader(part(range(16, 24), None), 8, 0),
    )  # fmt: skip
    return found, network


# In `norm` a shift stands before a norm that takes it out: its gradient is rounding, which Adam would make a step of.
@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"head": "norm", "optimiser": "sgd"},
        {"ema": 0.5},
        {"sampling": "balanced"},
        {"sampling": "groups"},
        {"unfreeze": Unfreeze(after=2, layer="layer4")},
    ],
    ids=str,
)
def test_training_on_features_is_training_on_images(
    asked: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[int] = []
    ran = Network.forward
    monkeypatch.setattr(Network, "forward", lambda self, x: (calls.append(len(x)), ran(self, x))[1])
    quick, one = trained(tmp_path / "quick", **asked)
    seen = sum(calls)
    monkeypatch.setattr(loop, "on_features", lambda *given, **named: None)
    calls.clear()
    slow, other = trained(tmp_path / "slow", **asked)
    assert sum(calls) == 3 * 24
    assert seen == (24 if "unfreeze" not in asked else 24 + 24)
    for row, expected in zip(quick.history, slow.history, strict=True):
        assert row["train_loss"] == pytest.approx(expected["train_loss"], rel=1e-4)
        assert row["val_loss"] == pytest.approx(expected["val_loss"], rel=1e-4)
    for name, tensor in one.state_dict().items():
        torch.testing.assert_close(tensor, other.state_dict()[name], rtol=1e-3, atol=1e-5)


def test_what_changes_from_epoch_to_epoch_is_not_kept() -> None:
    def made(**asked: Any) -> Network:
        return build(NetworkPlan("timm:test_resnet", 1, 1, size=(16, 16), **{"freeze": True} | asked))

    assert steady(made())
    assert steady(made(head="norm")), "the dropout of the head is not below it"
    assert not steady(made(freeze=False))
    assert not steady(made(arguments={"drop_rate": 0.2}))
    assert on_features(made(), loader(part(range(8), NOTHING), 4, 0)) is not None
    assert on_features(made(), loader(part(range(8), Augment()), 4, 0)) is None


def test_features_that_take_too_much_memory_are_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(features, "MOST", 100)
    network = build(NetworkPlan("timm:test_resnet", 1, 1, size=(16, 16), freeze=True))
    assert on_features(network, loader(part(range(8), NOTHING), 4, 0)) is None


def test_features_stand_beside_the_targets_of_their_rows() -> None:
    network = build(NetworkPlan("timm:test_resnet", 1, 1, size=(16, 16), freeze=True)).eval()
    dataset = part(range(3, 9), NOTHING)
    found = on_features(network, loader(dataset, 4, 0))
    assert found is not None
    kept = found.dataset
    assert isinstance(kept, FeatureDataset) and len(kept) == 6 and kept.shuffled
    network.eval()
    with torch.no_grad():
        expected = network(torch.from_numpy(PIXELS[5:6]))
        torch.testing.assert_close(network.head(kept[2][0][None]), expected)
    assert kept[2][1].tolist() == [1.0]
