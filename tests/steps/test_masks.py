"""Networks that make masks, and the gate before them, from the samples to the draft bundle. Tiny networks."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import flawscope
from flawscope.bundle.archive import read_bundle
from flawscope.bundle.graph_runner import GraphRunner
from flawscope.errors import RecipeError, SplitError
from flawscope.preprocess import load
from flawscope.records import Samples
from flawscope.steps.decide import decide
from flawscope.steps.export import export
from flawscope.steps.learning_curve import grow
from flawscope.steps.run import one
from flawscope.steps.split import split_samples
from flawscope.steps.train import first_weights, prepared, train_in
from flawscope.steps.workspace import Run
from flawscope.training.checkpoint import load_checkpoint, same_weights
from flawscope.training.loop import Live
from flawscope.training.recipe import Recipe, parse_recipe

NET = {"name": "smp:unet/test_resnet", "arguments": {"encoder_depth": 3, "decoder_channels": [8, 8, 8]}}
Draw = Callable[..., Samples]


class Stopped(BaseException):
    """In place of Ctrl-C."""


def asked(**sections: Any) -> Recipe:
    content = {
        "name": "squares", "data": {"kind": "folders", "root": "x"},
        "image": {"size": [32, 40], "channels": 1, "resize": "none"},
        "split": {"validation": 0.2, "calibration": 0.2, "test": 0.2, "twins": "identical"},
        "model": NET, "train": {"epochs": 3, "batch_size": 8, "rate": 0.01, "watch": "dice", "device": "cpu"},
    }  # fmt: skip
    return parse_recipe({**content, **sections})


def begun(folder: Path, recipe: Recipe, samples: Samples) -> Run:
    cache = folder.parent / ".cache"
    return prepared(folder, recipe, split_samples(recipe, samples, None, cache)[0], samples, cache)


def test_masks_are_learnt_and_a_draft_has_both_graphs(draw_squares: Draw, tmp_path: Path) -> None:
    gate = {
        "image": {"size": 32, "channels": 1}, "model": {"name": "timm:test_resnet", "weights": "none"},
        "train": {"epochs": 1, "batch_size": 8, "device": "cpu"},
    }  # fmt: skip
    train = {"epochs": 9, "batch_size": 8, "rate": 0.03, "watch": "dice", "device": "cpu"}
    recipe = asked(gate=gate, train=train, export={"average_over": "mirrors"})
    samples = draw_squares(tmp_path / "pictures", 40, "multiclass")
    run = begun(tmp_path / "run", recipe, samples)
    assert [each.folder.name for each in run.untrained] == ["gate", "run"]
    for each in run.untrained:
        fitted = train_in(each)
    assert run.untrained == []
    first, best = fitted.history[0], fitted.history[fitted.best_epoch - 1]
    assert list(first) == ["epoch", "rate", "train_loss", "train_dice", "val_loss", "val_dice", "val_iou", "seconds"]
    assert best["val_dice"] == fitted.best_value > 0.6 and best["train_loss"] < first["train_loss"]

    parity = export(run)
    assert parity.images == len(run.split.ids("validation")) == 8
    contents = read_bundle(run.draft)
    sealed = contents.manifest.sealed
    assert sealed.is_draft and [step.kind for step in sealed.steps] == ["mask"]
    assert [(graph.name, graph.outputs[0].kind) for graph in sealed.graphs] == [("main", "masks"), ("gate", "logits")]
    main = GraphRunner(sealed.graph("main"), contents.graphs["graphs/main.onnx"], answers="masks")
    assert main.check_golden(contents) < 1e-5
    assert GraphRunner(sealed.graph("gate"), contents.graphs["graphs/gate.onnx"]).check_golden(contents) < 1e-5
    flawed = next(row for row in run.part("test").rows if row.target[0])
    map_3hw = main.answer(load(flawed.path, recipe.image), (3, 32, 40))
    mirrored = main.answer(np.ascontiguousarray(load(flawed.path, recipe.image)[..., ::-1]), (3, 32, 40))
    np.testing.assert_allclose(mirrored[..., ::-1], map_3hw, atol=1e-3)

    assert run.gate is not None
    assert Run.at(run.gate.folder).is_gate and Run.at(run.gate.folder).cache == run.cache
    manifest = decide(run.gate)
    assert (manifest.name, manifest.sealed.task.classes) == ("squares-gate", ("flawed",))
    assert manifest.sealed.decision is not None and manifest.sealed.split_stamp == run.split.stamp


@pytest.mark.parametrize(
    "train",
    [{"ema": 0.8, "accumulate": 2, "sampling": "balanced"}, {"optimiser": "sgd", "precision": "bfloat16"}],
    ids="-".join,
)
def test_going_on_ends_where_the_whole_training_ends(draw_squares: Draw, tmp_path: Path, train: Any) -> None:
    samples = draw_squares(tmp_path / "pictures", 24, sizes=((32, 40), (30, 50)))
    train |= {"epochs": 2, "batch_size": 8, "rate": 0.01, "device": "cpu"}
    recipe = asked(train=train, masks={"pieces": {"size": 24}, "loss": "focal_tversky"})
    calls = 0

    def show(live: Live) -> None:
        nonlocal calls
        calls += 1
        if live.epoch == 2 and live.step == 1:
            raise Stopped

    whole, again = (begun(tmp_path / name, recipe, samples) for name in ("whole", "again"))
    fitted = train_in(whole)
    with pytest.raises(Stopped):
        train_in(again, show=show)
    resumed = train_in(begun(tmp_path / "again", recipe, samples))
    for row, other in zip(fitted.history, resumed.history, strict=True):
        assert {**row, "seconds": 0} == {**other, "seconds": 0}
    assert same_weights(*(load_checkpoint(each.training / "last")[0] for each in (whole, again)))


def test_a_frozen_backbone_thaws(draw_squares: Draw, tmp_path: Path) -> None:
    samples = draw_squares(tmp_path / "pictures", 24)
    train = {"epochs": 2, "batch_size": 8, "device": "cpu", "unfreeze": {"after": 1, "layer": 0}}
    run = begun(tmp_path / "run", asked(model={**NET, "freeze": True}, train=train), samples)
    seen = []
    train_in(run, show=lambda live: seen.append(live.epoch))
    assert seen[-1] == 2
    names = [name for name, _ in load_checkpoint(run.training / "last")[0].named_parameters()]
    assert any("backbone" in name for name in names)


def test_first_maps_expect_the_share_of_flawed_pixels(draw_squares: Draw, tmp_path: Path) -> None:
    run = begun(tmp_path / "run", asked(), draw_squares(tmp_path / "pictures", 24))
    network = first_weights(run.recipe, run.samples)
    network.expect([0.01, 0.2], exclusive=False)
    bias = [module.bias for module in network.head.modules() if isinstance(module, torch.nn.Conv2d)][-1]
    assert bias is not None
    torch.testing.assert_close(bias.detach().sigmoid(), torch.tensor([0.01, 0.2]))


def test_what_cannot_be_trained(draw_squares: Draw, tmp_path: Path) -> None:
    samples = draw_squares(tmp_path / "pictures", 24)
    run = begun(tmp_path / "run", asked(model={"name": "timm:test_resnet"}), samples)
    with pytest.raises(RecipeError, match="timm:test_resnet makes no masks, this task wants masks"):
        train_in(run)
    flawed = samples.select([row.id for row in samples.rows if any(row.target)])
    with pytest.raises(SplitError, match="the training part holds no image of ok"):
        begun(tmp_path / "other", asked(gate={}), flawed)
    small = {"image": {"size": 8, "channels": 1}, "model": {"name": "table:coil", "weights": "none"}}
    with pytest.raises(RecipeError, match=r"gate: .*cannot take .*8 x 8"):
        begun(tmp_path / "small", asked(gate=small), samples)
    train_in(begun(tmp_path / "third", asked(train={"epochs": 1, "device": "cpu"}), flawed))  # no gate, no matter


FILE = """\
name: squares
data: {kind: masks, images: pictures, table: train.csv, classes: [bright, dark]}
image: {size: [32, 40], channels: 1, resize: none}
split: {validation: 0.2, calibration: 0.2, test: 0.2, twins: identical}
model: {name: "smp:unet/test_resnet", arguments: {encoder_depth: 3, decoder_channels: [8, 8, 8]}}
masks: {pieces: {size: 24}}
train: {epochs: 1, batch_size: 8, device: cpu, label_smoothing: 0.1}
gate:
  image: {size: 32, channels: 1}
  model: {name: "timm:test_resnet"}
  train: {epochs: 1, batch_size: 8, device: cpu}
"""


def test_from_files_to_networks_and_on_where_it_was_stopped(
    draw_squares: Draw, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    samples = draw_squares(tmp_path / "pictures", 24)
    codes = [
        f"{row.id},{name},{code}"
        for row in samples.rows
        if row.masks
        for name, code in zip(samples.task.classes, row.masks.codes, strict=True)
    ]
    (tmp_path / "train.csv").write_text("\n".join(["ImageId,ClassId,EncodedPixels", *codes, ""]), encoding="utf-8")
    (tmp_path / "r.yaml").write_text(FILE, encoding="utf-8")
    with pytest.raises(RecipeError, match="learning curves are grown of answers about whole images"):
        grow(tmp_path / "r.yaml", tmp_path / "curve", [1.0], 1)

    said: list[str] = []
    module = import_module("flawscope.steps.train")
    with monkeypatch.context() as patch, pytest.raises(Stopped):
        patch.setattr(module, "train_in", stop_after_the_gate)
        flawscope.train(tmp_path / "r.yaml", tmp_path / "run", say=said.append)
    assert "note: of no effect: train.label_smoothing: the loss of masks takes none" in said
    gate = tmp_path / "run.partial" / "gate" / "training" / "done.json"
    written = gate.stat().st_mtime_ns
    run = flawscope.train(tmp_path / "r.yaml", tmp_path / "run", resume=True)
    assert (run.folder / "gate" / "training" / "done.json").stat().st_mtime_ns == written, "it was not trained again"
    again = Run.at(tmp_path / "run" / "gate")
    assert again.samples.task.classes == ("flawed",)
    assert again.samples.target_nk[:, 0].tolist() == run.samples.target_nk.max(axis=1).tolist()
    assert again.split.hash == run.split.hash

    one(run, said.append)
    assert sum(words.startswith("sealed ") for words in said) == 1
    one(run, said.append)
    assert sum(words.startswith("sealed ") for words in said) == 1, "what is decided is not decided again"


def stop_after_the_gate(run: Run) -> None:
    if not run.is_gate:
        raise Stopped
    train_in(run)


@pytest.mark.parametrize(
    ("sections", "said"),
    [
        ({"model": {**NET, "name": "smp:unett/test_resnet"}}, "smp:unett/test_resnet"),
        ({"masks": {"loss": {"kind": "dice", "background": True}}}, "masks.loss.background"),
    ],
)
def test_what_would_stop_the_masks_is_said_before_their_gate_learns(
    draw_squares: Draw, tmp_path: Path, sections: dict[str, Any], said: str
) -> None:
    gate = {"image": {"size": 32, "channels": 1}, "model": {"name": "timm:test_resnet", "weights": "none"}}
    recipe = asked(gate=gate, **sections)
    with pytest.raises(RecipeError, match=said):
        begun(tmp_path / "run", recipe, draw_squares(tmp_path / "pictures", 40, "multilabel"))
