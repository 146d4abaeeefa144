"""What every family of networks that make masks must satisfy: shapes, gradients, checkpoint, export, parity."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

from flawscope.bundle.export import INPUT, export_graph
from flawscope.models.build import Network, NetworkPlan, build
from flawscope.models.views import averaged
from flawscope.preprocess import Preprocess
from flawscope.training.checkpoint import load_checkpoint, same_weights, save_checkpoint

FAMILIES = ["table:resunet", "smp:unet/test_resnet", "smp:fpn/test_efficientnet", "smp:deeplabv3plus/test_resnet"]
MORE = [
    *(f"smp:{decoder}/test_resnet" for decoder in ("unetplusplus", "manet", "linknet", "pspnet", "deeplabv3")),
    *("smp:pan/test_efficientnet", "smp:upernet/test_byobnet", "smp:segformer/test_mambaout", "smp:dpt/test_vit"),
]
EVERY = [*FAMILIES, *(pytest.param(name, marks=pytest.mark.slow) for name in MORE)]
# Exports take seconds.
EXPORTS = [*FAMILIES[:2], *(pytest.param(name, marks=pytest.mark.slow) for name in (*FAMILIES[2:], *MORE))]
# One kind of picture each; sizes that no family divides, but for the last one.
KINDS = {
    "table:resunet": Preprocess(size=(40, 70), channels=1, depth=16),
    "smp:unet/test_resnet": Preprocess(size=(70, 40), channels=3),
    "smp:fpn/test_efficientnet": Preprocess(size=(33, 64), channels=1),
    "smp:deeplabv3plus/test_resnet": Preprocess(size=(64, 96), channels=3, depth=16),
}
OTHERS = Preprocess(size=(150, 170), channels=1)


def made(name: str, spec: Preprocess) -> Network:
    """A network that has seen some pictures, so that its batch norms are not those of an empty one."""
    torch.manual_seed(0)
    arguments = {"dynamic_img_size": True} if name.endswith("vit") else {}
    network = build(NetworkPlan(name, 3, spec.channels, spec.depth, size=spec.size, arguments=arguments)).train()
    with torch.no_grad():
        for _ in range(3):
            network(torch.from_numpy(noise(2, spec)))
    return network.eval()


def noise(n: int, spec: Preprocess) -> np.ndarray:
    """Pictures with large and small patterns."""
    rng = np.random.default_rng(n)
    coarse = rng.integers(0, 2**spec.depth, (n, spec.channels, -(-spec.size[0] // 8), -(-spec.size[1] // 8)))
    fine = rng.integers(0, 2**spec.depth, (n, *spec.shape))
    return ((coarse.repeat(8, 2).repeat(8, 3)[:, :, : spec.size[0], : spec.size[1]] + fine) // 2).astype(spec.dtype)


@pytest.mark.parametrize("name", EVERY)
def test_shapes_gradients_and_checkpoint(name: str, tmp_path: Path) -> None:
    spec = KINDS.get(name, OTHERS)
    network = made(name, spec).train()
    inputs_bchw = torch.from_numpy(noise(4, spec))
    logit_bkhw = network(inputs_bchw)
    assert (logit_bkhw.shape, logit_bkhw.dtype) == ((4, 3, *spec.size), torch.float32)
    logit_bkhw.square().mean().backward()
    without = [n for n, p in network.named_parameters() if p.grad is None or not torch.isfinite(p.grad).all()]
    # Of a vision transformer DPT takes the blocks: its last norm and its head are there, and used by nothing.
    unused = ("body.backbone.model.norm.", "body.backbone.model.head.") if ":dpt/" in name else ("-",)
    assert [n for n in without if not n.startswith(unused)] == []

    save_checkpoint(tmp_path / "best", network, epoch=3)
    again, facts = load_checkpoint(tmp_path / "best")
    assert same_weights(network, again)
    assert (again.plan, facts, again.training) == (network.plan, {"epoch": 3}, False)
    with torch.no_grad():
        assert torch.equal(again(inputs_bchw), network.eval()(inputs_bchw))


@pytest.mark.parametrize("name", EXPORTS)
def test_the_exported_graph_answers_as_torch_does_for_any_number_of_pictures(name: str) -> None:
    spec = KINDS.get(name, OTHERS)
    network = made(name, spec)
    content = export_graph(network, spec)
    for place in (Path.home(), Path(torch.__file__).parent, Path(__file__).parent, Path(tempfile.gettempdir())):
        assert str(place).encode() + b"/" not in content, "a path of this machine in a file that is handed on"
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    for n in (1, 5):
        pictures = noise(n, spec)
        (graph_nkhw,) = session.run(["logits"], {INPUT: pictures})
        with torch.no_grad():
            torch_nkhw = network(torch.from_numpy(pictures)).numpy()
        assert graph_nkhw.shape == (n, 3, *spec.size)
        assert np.abs(graph_nkhw - torch_nkhw).max() < 1e-4 * max(1.0, float(np.abs(torch_nkhw).max()))
        assert np.ptp(graph_nkhw, axis=(2, 3)).min() > 1e-2, "pixels must get different answers to mean anything"


def test_maps_are_averaged_over_mirrors_where_they_lie() -> None:
    spec = KINDS["smp:unet/test_resnet"]
    network = made("smp:unet/test_resnet", spec)
    pictures = torch.from_numpy(noise(2, spec))
    together = averaged(network, "mirrors").eval()
    with torch.no_grad():
        torch.testing.assert_close(together(pictures.flip(3)).flip(3), together(pictures), rtol=1e-4, atol=1e-4)
