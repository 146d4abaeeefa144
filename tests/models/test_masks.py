"""Networks that make masks: the ResUNet against numbers worked out by hand, and decoders on backbones of timm.

Tensors are b x c x h x w. Nothing here touches the hub.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import segmentation_models_pytorch as smp
import timm
import torch
from torch import nn

from flawscope.errors import RecipeError, WeightsError
from flawscope.metadata import MetaColumn
from flawscope.models.blocks import PointBlock
from flawscope.models.build import NetworkPlan, build, check_forward
from flawscope.models.masks import MaskNet, decoded

WEIGHTS = Path(__file__).parents[2].parent / "shared" / "weights" / "mobilenetv2_100_imagenet.safetensors"
TINY = "smp:unet/test_resnet"


# --- ResUNet ----------------------------------------------------------------------------------------------------


def conv(size: int, inputs: int, outputs: int) -> int:
    """Weights and biases of a convolution."""
    return size * size * inputs * outputs + outputs


def point(inputs: int, f: int) -> int:
    """A residual block: 1x1 and 3x3, the shortcut's 1x1, and three batch norms of 2 f parameters."""
    return conv(1, inputs, f) + conv(3, f, f) + conv(1, inputs, f) + 3 * 2 * f


def test_the_resunet_has_the_parameters_of_reference_system_d() -> None:
    first = conv(3, 1, 16) + 2 * 16 + conv(3, 16, 16) + 2 * 16
    down = point(16, 32) + point(32, 64) + point(64, 128) + point(128, 256)
    # the channels from below, and those of the encoder's map: 256 + 128, 128 + 64, 64 + 32, 32 + 16
    up = point(384, 128) + point(192, 64) + point(96, 32) + point(48, 16)
    expected = first + down + up + conv(1, 16, 4)
    assert expected == 1_205_892
    network = MaskNet("resunet", channels=1, outputs=4)
    assert sum(p.numel() for p in network.parameters()) == expected
    # Keras counts running means and variances too: two of each channel that is normalised
    statistics = [b.numel() for name, b in network.named_buffers() if "running" in name]
    assert sum(statistics) == 2 * (2 * 16 + 3 * (32 + 64 + 128 + 256 + 128 + 64 + 32 + 16))


@pytest.mark.parametrize(("size", "channels", "outputs"), [((256, 256), 1, 4), ((32, 80), 3, 2)])
def test_the_resunet_row_by_row(size: tuple[int, int], channels: int, outputs: int) -> None:
    network = MaskNet("resunet", channels, outputs).eval()
    seen: list[tuple[int, ...]] = []
    hooks = [
        step.register_forward_hook(lambda _module, _given, out: seen.append(tuple(out.shape[1:])))
        for step in network.steps
        if isinstance(step, PointBlock | nn.MaxPool2d | nn.Upsample | nn.Conv2d)
    ]
    with torch.no_grad():
        assert network(torch.zeros(1, channels, *size)).shape == (1, outputs, *size)
    assert len(hooks) == len(seen)
    at = [(size[0] >> n, size[1] >> n) for n in range(5)]
    assert seen == [
        (16, *at[0]), (16, *at[0]), (16, *at[1]),
        (32, *at[1]), (32, *at[2]), (64, *at[2]), (64, *at[3]), (128, *at[3]), (128, *at[4]), (256, *at[4]),
        (256, *at[3]), (128, *at[3]), (128, *at[2]), (64, *at[2]), (64, *at[1]), (32, *at[1]), (32, *at[0]),
        (16, *at[0]), (outputs, *at[0]),
    ]  # fmt: skip


def test_a_residual_block_by_hand() -> None:
    block = PointBlock(2, 3).eval()
    kinds = [type(layer).__name__ for layer in block.body]
    assert kinds == ["Conv2d", "BatchNorm2d", "ReLU", "Conv2d", "BatchNorm2d"]
    assert [tuple(layer.kernel_size) for layer in block.body if isinstance(layer, nn.Conv2d)] == [(1, 1), (3, 3)]
    with torch.no_grad():
        for parameter in block.parameters():
            parameter.fill_(0.5)
        for module in block.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eps, module.weight[:], module.bias[:] = 0.0, 1.0, 0.0
        # inputs 1 and -4: the 1x1 gives -1.5 + 0.5 = -1, ReLU 0, the 3x3 its bias 0.5; the shortcut gives -1
        x = torch.tensor([1.0, -4.0]).view(1, 2, 1, 1)
        assert torch.equal(block(x), torch.zeros(1, 3, 1, 1)), "0.5 - 1 is below 0, and ReLU comes after the addition"
        # inputs 1 and 2: 1.5 + 0.5 = 2, then 3 channels of 2 x 0.5 + 0.5 = 3.5; with the shortcut's 2
        assert torch.equal(block(x.new_tensor([1.0, 2.0]).view(1, 2, 1, 1)), torch.full((1, 3, 1, 1), 5.5))


def test_maps_are_joined_with_the_one_of_their_size() -> None:
    network = MaskNet("resunet", 1, 1).eval()
    given: list[torch.Tensor] = []
    blocks = [step for step in network.steps if isinstance(step, PointBlock)]
    kept = [network.steps[5], *blocks[:3]]
    made: list[torch.Tensor] = []
    for step in kept:
        step.register_forward_hook(lambda _module, _given, out: made.append(out))
    for step in blocks[4:]:
        step.register_forward_hook(lambda _module, inputs, _out: given.append(inputs[0]))
    with torch.no_grad():
        network(torch.rand(1, 1, 32, 32))
    for encoder, joined in zip(reversed(made), given, strict=True):
        assert torch.equal(joined[:, -encoder.shape[1] :], encoder)
        below = joined[:, : -encoder.shape[1]]
        assert torch.equal(below[..., ::2, ::2], below[..., 1::2, 1::2]), "each value is repeated, 2x2"


def test_the_resunet_begins_as_in_he_et_al() -> None:
    torch.manual_seed(0)
    network = MaskNet("resunet", 1, 4)
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d):
            assert layer.bias is not None and not layer.bias.any()
            inputs = layer.weight[0].numel()
            if layer.weight.numel() > 2000:
                assert float(layer.weight.detach().std()) == pytest.approx((2 / inputs) ** 0.5, rel=0.08)


# --- any size ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["table:resunet", TINY, "smp:deeplabv3plus/test_efficientnet"])
def test_any_size_is_taken_and_only_what_is_missing_is_padded(name: str) -> None:
    torch.manual_seed(0)
    network = build(NetworkPlan(name, 2, 1)).eval()
    body: Any = network.body
    image = torch.randint(0, 256, (2, 1, 64, 96), dtype=torch.uint8)
    with torch.no_grad():
        for cut in (image, image[..., :37, :65], image[..., :1, :1]):
            height, width = cut.shape[-2:]
            found = network(cut)
            assert found.shape == (2, 2, height, width)
            rows, columns = (
                torch.arange(-(-side // body.multiple) * body.multiple).clamp(max=side - 1) for side in (height, width)
            )
            by_hand = cut[:, :, rows][..., columns]
            assert torch.equal(found, network(by_hand)[..., :height, :width])


@pytest.mark.parametrize(("decoder", "backbone"), [("unet", "test_resnet"), ("fpn", "test_efficientnet")])
def test_where_it_fits_the_result_is_that_of_the_library(decoder: str, backbone: str) -> None:
    torch.manual_seed(0)
    library = smp.create_model(decoder, f"tu-{backbone}", encoder_weights=None, in_channels=1, classes=3).eval()
    torch.manual_seed(0)
    ours, _, _ = decoded(f"{decoder}/{backbone}", 1, 3, {}, "none")
    x = torch.rand(2, 1, 32, 64)
    with torch.no_grad():
        assert torch.equal(ours.eval()(x), library(x))


# --- plans ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("plan", "problem"),
    [
        ({"name": "smp:unnet/test_resnet"}, "no decoder on a backbone(?s:.)*did you mean 'smp:unet/test_resnet'"),
        ({"name": "smp:unet"}, "smp:unet is no decoder on a backbone of timm(?s:.)*did you mean 'smp:unet/resnet34'"),
        ({"name": "smp:fpn/mobilnetv2_100"}, "timm knows no model(?s:.)*did you mean.*mobilenetv2_100"),
        ({"name": "spm:unet/resnet34"}, "names no family(?s:.)*did you mean 'smp:unet/resnet34'"),
        ({"name": "table:resunett"}, "no network table:resunett(?s:.)*did you mean 'resunet'"),
        ({"arguments": {"widht": 2}}, "smp:unet/test_resnet does not take them .*widht"),
        ({"arguments": {"classes": 2}}, "classes is set by flawscope itself"),
        ({"arguments": {"decoder_channels": [8, 4]}}, "smp:unet/test_resnet cannot be built with model.arguments"),
        ({"name": "smp:unet/test_vit"}, "cannot be built with model.arguments"),
        ({"name": "table:resunet", "arguments": {"width": 2}}, "take none, got {'width': 2}"),
        ({"head": "norm"}, "model.head: smp:unet/test_resnet has its own head"),
        ({"columns": (MetaColumn("age"),)}, "makes masks and takes no metadata"),
    ],
    ids=lambda value: str(value)[:40] if isinstance(value, dict) else "",
)
def test_plans_that_cannot_be_built(plan: dict[str, Any], problem: str) -> None:
    with pytest.raises(RecipeError, match=problem):
        build(NetworkPlan(**{"name": TINY, "outputs": 1} | plan))


def test_arguments_are_those_of_the_decoder_and_of_timm() -> None:
    network = build(NetworkPlan(TINY, 1, 1, arguments={"decoder_channels": [16, 8, 8, 8, 4], "drop_path_rate": 0.1}))
    body: Any = network.body
    assert body.above.last[0].in_channels == 4


def test_masks_and_scores_are_not_mistaken_for_each_other() -> None:
    maps, scores = build(NetworkPlan("table:resunet", 2, 1)), build(NetworkPlan("timm:test_resnet", 2, 1))
    check_forward(maps, (1, 20, 30), masks=True)
    with pytest.raises(RecipeError, match="table:resunet makes masks, this task wants one score a class"):
        check_forward(maps, (1, 32, 32))
    with pytest.raises(RecipeError, match="timm:test_resnet makes no masks, this task wants masks"):
        check_forward(scores, (1, 32, 32), masks=True)
    with pytest.raises(RecipeError, match="smp:pan/test_resnet cannot take images of 1 x 32 x 32"):
        check_forward(build(NetworkPlan("smp:pan/test_resnet", 2, 1)), (1, 32, 32), masks=True)


def test_with_a_frozen_backbone_the_whole_decoder_learns() -> None:
    network = build(NetworkPlan(TINY, 1, 1, freeze=True)).train()
    learning = {name.split(".")[1] for name, p in network.named_parameters() if p.requires_grad}
    assert learning == {"above"}
    body: Any = network.body
    assert not body.backbone.model.bn1.training and all(module.training for module in body.above.modules())
    network.learn_from("layer3")
    stages = {name.split(".")[3] for name, p in network.named_parameters() if p.requires_grad and "backbone" in name}
    assert stages == {"layer3", "layer4"}
    with pytest.raises(RecipeError, match=r"no layer or stage 'layer5'(?s:.)*did you mean 'layer"):
        network.learn_from("layer5")


# --- weights ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module", params=["test_resnet", "test_efficientnet", "test_nfnet"])
def file(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """A backbone and its weights in timm's key names."""
    path = tmp_path_factory.mktemp("weights") / "a.safetensors"
    torch.manual_seed(1)
    safetensors.torch.save_file(timm.create_model(request.param, num_classes=1000).state_dict(), path)
    return request.param, path


def test_weights_of_the_backbone_from_a_file(file: tuple[str, Path], caplog: pytest.LogCaptureFixture) -> None:
    name, path = file
    given = safetensors.torch.load_file(path)
    network = build(NetworkPlan(f"smp:fpn/{name}", 2, 1, weights=str(path)))
    assert "Unexpected keys" not in caplog.text, "the head is left behind: nothing to tell"
    body: Any = network.body
    mine = body.backbone.model.state_dict()
    # timm writes `stages_0` for `stages.0` where it takes stages apart
    plain = {key.replace(".", "_"): tensor for key, tensor in given.items()}
    same = [torch.equal(tensor, plain[key.replace(".", "_")]) for key, tensor in mine.items() if tensor.dim() != 4]
    assert len(same) > 20 and all(same)
    bare = build(NetworkPlan(f"smp:fpn/{name}", 2, 1, weights=str(path)), pretrained=False)
    assert torch.equal(bare.mean_1c11, network.mean_1c11)


def failing(name: str, weights: str) -> str:
    with pytest.raises(WeightsError) as caught:
        build(NetworkPlan(name, 1, weights=weights))
    ways = ("`weights: imagenet`", "`weights: path/to/file.safetensors`", "`weights: none`")
    assert all(way in str(caught.value) for way in ways)
    return caught.value.problem


def test_weights_that_cannot_be_used(file: tuple[str, Path], tmp_path: Path) -> None:
    name, path = file
    assert "there is no file" in failing(TINY, str(tmp_path / "none.safetensors"))
    other = "test_byobnet" if name == "test_resnet" else "test_resnet"
    assert f"could not be loaded from {path}: " in failing(f"smp:unet/{other}", str(path))
    (tmp_path / "b.safetensors").write_bytes(b"not safetensors at all")
    assert "could not be loaded from" in failing(TINY, str(tmp_path / "b.safetensors"))


def test_the_file_of_another_model_is_refused_where_timm_is_silent(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    safetensors.torch.save_file({"something.weight": torch.zeros(3)}, path)
    for name in (TINY, "smp:unet/test_efficientnet", "timm:test_resnet"):
        assert "it holds 0 of its" in failing(name, str(path))


def test_a_download_that_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    def offline(*given: Any, **named: Any) -> Any:
        raise OSError("could not resolve the host\nmany more lines")

    monkeypatch.setattr("timm.models._builder.load_state_dict_from_hf", offline)
    assert failing(TINY, "imagenet") == f"weights for {TINY} could not be downloaded: could not resolve the host"


def test_the_resunet_has_no_weights() -> None:
    with pytest.raises(WeightsError, match="there are no weights for table:resunet"):
        build(NetworkPlan("table:resunet", 1, weights="imagenet"))


@pytest.mark.skipif(not WEIGHTS.is_file(), reason="the shared weights are not on this machine")
def test_real_imagenet_weights_on_grey_pictures() -> None:
    network = build(NetworkPlan("smp:unet/mobilenetv2_100", 1, 1, weights=str(WEIGHTS)))
    body: Any = network.body
    given = safetensors.torch.load_file(WEIGHTS)
    mine = body.backbone.model.state_dict()
    torch.testing.assert_close(mine["conv_stem.weight"], given["conv_stem.weight"].sum(dim=1, keepdim=True))
    assert torch.equal(mine["blocks.6.0.conv_pwl.weight"], given["blocks.6.0.conv_pwl.weight"])
    assert network.mean_1c11.item() == pytest.approx((0.485 + 0.456 + 0.406) / 3)
