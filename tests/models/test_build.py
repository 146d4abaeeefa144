"""From the recipe's words to a network. Nothing here touches the hub."""

from __future__ import annotations

import copy
import logging
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import timm
import torch
from torch import Tensor, nn

from flawscope.errors import RecipeError, WeightsError
from flawscope.models.build import Network, NetworkPlan, build

TINY = "timm:test_resnet"
WEIGHTS = Path(__file__).parents[2].parent / "shared" / "weights" / "mobilenetv2_100_imagenet.safetensors"
OTHER_WAYS = ("`weights: imagenet`", "`weights: path/to/file.safetensors`", "`weights: none`")


class Through(nn.Module):
    """A body that gives back what it is given."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(1, 1)

    def get_classifier(self) -> nn.Module:
        return self.head

    def forward(self, x_bchw: Tensor) -> Tensor:
        return x_bchw


@pytest.mark.parametrize(("depth", "dtype", "top"), [(8, torch.uint8, 255), (16, torch.uint16, 65535)])
def test_normalisation_is_inside(depth: int, dtype: torch.dtype, top: int) -> None:
    network = Network(Through(), NetworkPlan("x", 1, 2, depth), mean=(0.25, 0.5), std=(0.5, 0.1))
    pixels = torch.tensor([0, top], dtype=dtype).expand(1, 2, 1, 2)
    # (0 - 0.25) / 0.5, (1 - 0.25) / 0.5 and (0 - 0.5) / 0.1, (1 - 0.5) / 0.1
    torch.testing.assert_close(network(pixels), torch.tensor([[[[-0.5, 1.5]], [[-5.0, 5.0]]]]))


@pytest.mark.parametrize(
    ("plan", "mean", "std"),
    [
        (NetworkPlan(TINY, 1), [0.5] * 3, [0.5] * 3),
        (NetworkPlan(TINY, 1, mean=(0.1,), std=(0.2, 0.3, 0.4)), [0.1] * 3, [0.2, 0.3, 0.4]),
        (NetworkPlan("table:resnet18", 1, channels=1, mean=(0.1,)), [0.1], [0.5]),
    ],
)
def test_mean_and_standard_deviation(plan: NetworkPlan, mean: list[float], std: list[float]) -> None:
    network = build(plan)
    assert network.mean_1c11.flatten().tolist() == pytest.approx(mean)
    assert network.std_1c11.flatten().tolist() == pytest.approx(std)


@pytest.mark.parametrize(
    ("plan", "problem"),
    [
        ({"name": "tmim:resnet18"}, "names no family(?s:.)*did you mean 'timm:"),
        ({"name": "resnet18"}, "names no family(?s:.)*table:resnet18"),
        ({"name": "timm:mobilnetv2_100"}, "knows no model(?s:.)*did you mean.*mobilenetv2_100"),
        ({"name": "table:resnet19"}, "no network table:resnet19(?s:.)*'resnet18'"),
        ({"name": "table:resnet18", "arguments": {"width": 2}}, "take none, got {'width': 2}"),
        ({"name": TINY, "arguments": {"widht": 2}}, "test_resnet does not take them .*widht"),
        ({"name": TINY, "arguments": {"num_classes": 2}}, "does not take them"),
        ({"mean": (0.1, 0.2)}, "model.mean: expected 1 or 3 numbers, got 2"),
        ({"std": ()}, "model.std: expected 1 or 3 numbers, got 0"),
    ],
    ids=lambda value: str(value)[:40] if isinstance(value, dict) else "",
)
def test_plans_that_cannot_be_built(plan: dict[str, Any], problem: str) -> None:
    with pytest.raises(RecipeError, match=problem):
        build(NetworkPlan(**{"name": TINY, "outputs": 1} | plan))


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        pytest.param("timm:resnet10t", {"block_reduce_first": 0}, id="ZeroDivisionError"),
        pytest.param("timm:resnet10t", {"features_only": True}, id="AttributeError: no head"),
        pytest.param("timm:deit_tiny_distilled_patch16_224", {}, id="AssertionError: two heads"),
    ],
)
def test_plans_that_timm_itself_stumbles_over(name: str, arguments: dict[str, Any]) -> None:
    with pytest.raises(RecipeError):
        build(NetworkPlan(name, 1, arguments=arguments))


def test_the_head_starts_undecided() -> None:
    network = build(NetworkPlan(TINY, 2)).eval()
    assert isinstance(network.head, nn.Linear)
    assert network.head.bias.tolist() == [0.0, 0.0]
    assert 0 < float(network.head.weight.detach().std()) < 0.002


@pytest.mark.parametrize(("name", "head"), [("table:coil", "linear"), (TINY, "norm")])
def test_a_head_that_is_prescribed_row_by_row_keeps_the_first_weights_of_its_rows(name: str, head: str) -> None:
    network = build(NetworkPlan(name, 1, head=head, size=(64, 64)))
    last = [layer for layer in network.head.modules() if isinstance(layer, nn.Linear)][-1]
    assert float(last.weight.detach().abs().max()) > 0.5 / last.in_features**0.5, "uniform up to 1 / sqrt(inputs)"


@pytest.mark.parametrize("freeze", [True, False])
def test_freezing_trains_the_head_alone_and_keeps_the_batch_norm_statistics(freeze: bool) -> None:
    torch.manual_seed(0)
    network = build(NetworkPlan(TINY, 1, 1, freeze=freeze)).train()
    before = copy.deepcopy(network.state_dict())
    trained = [parameter for parameter in network.parameters() if parameter.requires_grad]
    optimiser = torch.optim.SGD(trained, lr=1.0)
    network(torch.randint(0, 255, (8, 1, 32, 32), dtype=torch.uint8)).sum().backward()
    optimiser.step()
    changed = {name for name, tensor in network.state_dict().items() if not torch.equal(tensor, before[name])}
    head = {name for name in before if name.startswith("body.fc.")}
    assert head
    assert (changed == head) if freeze else (changed > head and any("running_mean" in name for name in changed))


@pytest.mark.parametrize("layer", ["layer3", "layer3.0", "layer3.0.conv1", 16, -15])
def test_all_from_a_layer_on_learns(layer: str | int) -> None:
    network = build(NetworkPlan(TINY, 1, 1, freeze=True))
    number = network.layers.index("layer3.0.conv1")
    assert (number, len(network.layers)) == (16, 31), "the cases below are written for these"
    network.learn_from(layer)
    learning = [name for name, parameter in network.body.named_parameters() if parameter.requires_grad]
    assert {name.split(".")[0] for name in learning} == {"layer3", "layer4", "fc"}
    assert learning[0] == "layer3.0.conv1.weight"
    network.train()
    body: Any = network.body
    assert [m.training for m in (body.conv1, body.bn1, body.layer1[0].bn1, body.layer2[0])] == [False] * 4
    assert [m.training for m in (body.layer3[0].bn1, body.layer4[0].bn1, body.fc)] == [True] * 3
    network.eval()
    assert not any(module.training for module in network.modules())
    network.learn_from(None)
    assert {name for name, p in network.body.named_parameters() if p.requires_grad} == {"fc.weight", "fc.bias"}


@pytest.mark.parametrize("layer", ["layer3", "backbone.layer3"])
def test_stages_have_one_name_with_every_head(layer: str) -> None:
    network = build(NetworkPlan(TINY, 1, 1, head="norm", freeze=True))
    network.learn_from(layer)
    learning = {name for name, parameter in network.body.named_parameters() if parameter.requires_grad}
    assert {".".join(name.split(".")[:2]) for name in learning if name.startswith("backbone.")} == {
        "backbone.layer3", "backbone.layer4"
    }  # fmt: skip
    with pytest.raises(RecipeError, match=r"no layer or stage 'layer5'(?s:.)*did you mean 'layer"):
        network.learn_from("layer5")


@pytest.mark.parametrize(
    ("layer", "problem"),
    [
        ("layer5", "no layer or stage 'layer5'(?s:.)*layer4"),
        ("layer", "no layer or stage"),
        (31, r"there is no layer 31(?s:.)*0 \(conv1.0\) to 30 \(fc\)"),
        (-32, "there is no layer -32"),
    ],
)
def test_a_layer_that_is_not_there(layer: str | int, problem: str) -> None:
    with pytest.raises(RecipeError, match=problem):
        build(NetworkPlan(TINY, 1, 1)).learn_from(layer)


# --- weights ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def weight_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "ä tiny.safetensors"
    torch.manual_seed(1)
    safetensors.torch.save_file(timm.create_model("test_resnet", num_classes=1000).state_dict(), path)
    return path


@pytest.mark.parametrize("channels", [3, 1])
def test_weights_from_a_file(weight_file: Path, channels: int) -> None:
    given = safetensors.torch.load_file(weight_file)
    network = build(NetworkPlan(TINY, 2, channels, weights=str(weight_file)))
    mine = network.body.state_dict()
    first = "conv1.0.weight" if "conv1.0.weight" in given else "conv1.weight"
    expected = given[first] if channels == 3 else given[first].sum(dim=1, keepdim=True)
    torch.testing.assert_close(mine[first], expected)
    same = [name for name in given if name != first and not name.startswith("fc.")]
    assert same
    assert all(torch.equal(mine[name], given[name]) for name in same)
    assert mine["fc.weight"].shape[0] == 2
    bare = build(NetworkPlan(TINY, 2, channels, weights=str(weight_file)), pretrained=False)
    assert not torch.equal(bare.body.state_dict()[first], mine[first])
    assert torch.equal(bare.mean_1c11, network.mean_1c11)


def failing(name: str, weights: str) -> WeightsError:
    with pytest.raises(WeightsError) as caught:
        build(NetworkPlan(name, 1, weights=weights))
    assert all(way in str(caught.value) for way in OTHER_WAYS)
    return caught.value


def test_weights_that_cannot_be_used_name_the_other_ways(weight_file: Path, tmp_path: Path) -> None:
    (tmp_path / "a.pth").write_bytes(b"pickle")
    (tmp_path / "b.safetensors").write_bytes(b"not safetensors at all")
    (tmp_path / "c.safetensors").write_bytes(weight_file.read_bytes()[:5000])
    assert "there is no file" in failing(TINY, str(tmp_path / "none.safetensors")).problem
    assert "there is no file" in failing(TINY, str(tmp_path)).problem
    assert "is not a .safetensors file" in failing(TINY, str(tmp_path / "a.pth")).problem
    for name in "bc":
        assert (
            f"could not be loaded from {tmp_path / name}"
            in failing(TINY, str(tmp_path / f"{name}.safetensors")).problem
        )
    wrong = failing("timm:test_efficientnet", str(weight_file)).problem
    assert wrong == (
        f"weights for test_efficientnet could not be loaded from {weight_file}: they are those of another network, or "
        "`model.arguments` make this one another"
    )


def test_a_download_that_fails(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    def offline(*given: Any, **named: Any) -> Any:
        logging.getLogger("huggingface_hub.utils._http").warning("Retrying in 1s [Retry 1/5].")
        raise OSError("could not resolve the host\nmany more lines")

    monkeypatch.setattr("timm.models._builder.load_state_dict_from_hf", offline)
    assert failing(TINY, "imagenet").problem == (
        "weights for test_resnet could not be downloaded: could not resolve the host"
    )
    assert not caplog.records, "what came of ten tries is said once"


def test_the_table_has_no_weights() -> None:
    with pytest.raises(WeightsError, match=r"there are no weights for table:resnet18\n.*`weights: none`"):
        build(NetworkPlan("table:resnet18", 1, weights="imagenet"))


@pytest.mark.skipif(not WEIGHTS.is_file(), reason="the shared weights are not on this machine")
def test_real_imagenet_weights_on_grey_pictures() -> None:
    network = build(NetworkPlan("timm:mobilenetv2_100", 1, 1, weights=str(WEIGHTS)))
    given = safetensors.torch.load_file(WEIGHTS)["conv_stem.weight"]
    torch.testing.assert_close(network.body.state_dict()["conv_stem.weight"], given.sum(dim=1, keepdim=True))
    assert network.mean_1c11.item() == pytest.approx((0.485 + 0.456 + 0.406) / 3)
