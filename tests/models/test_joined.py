"""Metadata beside the picture, in one network of each family: by hand, frozen, averaged, stored and exported."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from flawscope.bundle.export import check_parity, export_graph
from flawscope.bundle.manifest import Column, Graph, ImageInput, Sealed, TableInput
from flawscope.bundle.rules import TaskModel
from flawscope.bundle.runtime import Runtime
from flawscope.errors import RecipeError
from flawscope.metadata import MetaColumn, encode_all
from flawscope.models.build import Network, NetworkPlan, build, check_forward
from flawscope.models.joined import JoinedHead, join
from flawscope.models.views import averaged
from flawscope.preprocess import Preprocess
from flawscope.records import Task
from flawscope.training.checkpoint import load_checkpoint, same_weights, save_checkpoint
from flawscope.training.optimisation import parameter_groups
from flawscope.training.spec import TrainSpec, Unfreeze

COLUMNS = (MetaColumn("type", ("mono", "poly", "thin")), MetaColumn("age", mean=10.0, std=4.0))
ROWS: list[dict[str, Any]] = [{"type": "poly", "age": 12.0}, {"type": "thin", "age": 6.0}, {"type": "mono", "age": 10}]
TABLE = torch.from_numpy(encode_all(ROWS, COLUMNS))
FAMILIES = ["timm:test_resnet", "timm:mobilenetv2_050", "table:resnet18", "timm:test_resnet+norm"]
IMAGES = torch.randint(0, 256, (3, 1, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def made(name: str = "timm:test_resnet", **asked: Any) -> Network:
    """A network whose logits are far from zero, so that a difference is seen."""
    torch.manual_seed(0)
    name, _, head = name.partition("+")
    plan = NetworkPlan(name, 2, 1, size=(32, 32), head=head or "linear", columns=COLUMNS, **asked)
    network = build(plan).eval()
    assert network.joined is not None
    nn.init.normal_(network.joined.last.weight, std=0.5)
    return network


class Flat(nn.Module):
    """A body whose features are the pixels themselves."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(2, 1)

    def forward(self, x_bchw: torch.Tensor) -> torch.Tensor:
        return self.fc(x_bchw.flatten(1))


def test_the_head_by_hand() -> None:
    body = Flat()
    head = join(body, body.fc, COLUMNS, 1, "flat")
    assert isinstance(body.fc, nn.Identity)
    with torch.no_grad():
        head.last.weight.copy_(torch.tensor([[1.0, 10.0, 100.0, 200.0, 300.0, 1000.0]]))
        head.last.bias.fill_(0.25)
        given = head(body(torch.tensor([[[[2.0, 3.0]]]]).expand(3, 1, 1, 2)), TABLE)
    # 2 * 1 + 3 * 10 + the weight of the category + 1000 * (age - 10) / 4 + 0.25
    assert given.flatten().tolist() == [32.25 + 200 + 500, 32.25 + 300 - 1000, 32.25 + 100 + 0]


def test_a_body_that_ends_without_a_linear_layer_is_refused() -> None:
    body = nn.Sequential(nn.Conv2d(1, 2, 1))
    with pytest.raises(RecipeError, match="no fully connected layer"):
        join(body, body[0], COLUMNS, 2, "conv")


@pytest.mark.parametrize("name", FAMILIES)
def test_each_family_takes_both_learns_from_both_and_is_stored(name: str, tmp_path: Path) -> None:
    network = made(name)
    check_forward(network, (1, 32, 32))
    logit_bk = network(IMAGES, TABLE)
    assert logit_bk.shape == (3, 2)
    other = TABLE.flip(0)
    assert not torch.allclose(network(IMAGES, other), logit_bk), "the metadata count"
    assert not torch.allclose(network(IMAGES.flip(0), TABLE), logit_bk), "the pixels count"
    network.train()(IMAGES, TABLE).square().sum().backward()
    assert [name for name, p in network.named_parameters() if p.grad is None] == []
    with pytest.raises(ValueError, match="also takes a table of 2 columns"):
        network(IMAGES)
    save_checkpoint(tmp_path / "best", network, epoch=1)
    again, _ = load_checkpoint(tmp_path / "best")
    assert (again.plan, same_weights(network, again)) == (network.plan, True)
    with torch.no_grad():
        assert torch.equal(again(IMAGES, TABLE), network.eval()(IMAGES, TABLE))


def test_layers_keep_their_names_and_numbers() -> None:
    plain = build(NetworkPlan("timm:test_resnet", 2, 1, size=(32, 32)))
    network = made()
    assert network.layers == [*plain.layers[:-1], "joined.last"]
    network.learn_from("layer4")
    learns = {name for name, p in network.named_parameters() if p.requires_grad}
    assert {name.split(".")[1] for name in learns if name.startswith("body.")} == {"layer4"}
    assert "joined.last.weight" in learns


@pytest.mark.parametrize("name", ["timm:test_resnet", "timm:test_resnet+norm"])
def test_frozen_the_whole_head_learns_and_nothing_below(name: str) -> None:
    network = made(name, freeze=True)
    assert isinstance(network.head, JoinedHead)
    learns = {name for name, p in network.named_parameters() if p.requires_grad}
    assert learns == {f"joined.{name}" for name, _ in network.head.named_parameters()}
    groups = parameter_groups(network, TrainSpec(unfreeze=Unfreeze(after=1)))
    assert sum(len(group["params"]) for group in groups) == len(list(network.parameters()))
    assert len(groups[0]["params"]) == len(learns)


def runtime_of(network: nn.Module, spec: Preprocess) -> Runtime:
    columns = tuple(Column(name=c.name, categories=c.categories, mean=c.mean, std=c.std) for c in COLUMNS)
    graph = Graph(inputs=(ImageInput(preprocess=spec), TableInput(columns=columns)))
    sealed = Sealed(task=TaskModel.of(Task("multilabel", ("a", "b"))), graphs=(graph,), split_stamp="")
    return Runtime(sealed, {graph.file: export_graph(network, spec, columns=len(COLUMNS))})


@pytest.mark.parametrize(
    "name",
    ["table:resnet18", "timm:test_resnet+norm", pytest.param("timm:mobilenetv2_050", marks=pytest.mark.slow)],
)
def test_the_exported_graph_answers_as_torch_does(name: str, draw: Any, tmp_path: Path) -> None:
    network, spec = made(name), Preprocess(size=(32, 32), channels=1)
    runtime = runtime_of(network, spec)
    paths = [draw(tmp_path / f"{i}.png", i, [i]) for i in range(3)]
    parity = check_parity(network, runtime, spec, paths, metadata=ROWS, columns=COLUMNS)
    assert parity.largest_difference < 1e-4 * max(1.0, parity.largest_logit)
    assert np.abs(runtime.scores(paths, ROWS) - runtime.scores(paths, ROWS[::-1])).max() > 1e-2
    golden, files = runtime.make_golden()
    assert set(golden.file_inputs) == {"inputs", "table"}
    assert set(files) == {*golden.file_inputs.values(), *golden.file_outputs.values()}


def test_each_view_is_given_the_metadata_of_its_image() -> None:
    network, spec = made(), Preprocess(size=(32, 32), channels=1)
    runtime = runtime_of(averaged(network, "turns"), spec)
    image_nchw = IMAGES.numpy()
    turned = np.ascontiguousarray(np.rot90(image_nchw, 1, (2, 3)))
    mean_nk = runtime.scores(image_nchw, ROWS)
    np.testing.assert_allclose(runtime.scores(turned, ROWS), mean_nk, atol=1e-4)
    assert np.abs(runtime.outputs(turned, TABLE.numpy())["logits"] - mean_nk).max() < 1e-4
    with torch.no_grad():
        together = averaged(network, "turns")(IMAGES, TABLE)
        alone = [averaged(network, "turns")(IMAGES[i : i + 1], TABLE[i : i + 1]) for i in range(3)]
        plain = network(IMAGES, TABLE)
    torch.testing.assert_close(together, torch.cat(alone))
    np.testing.assert_allclose(together.numpy(), mean_nk, atol=1e-4)
    assert float((together - plain).abs().max()) > 1e-3, "or the averaging would not be seen"
