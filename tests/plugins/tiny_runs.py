"""Recipes that train for a moment, and runs that are finished: one that trained, and others that did not need to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from drawn_pictures import draw
from flawscope.bundle.archive import write_bundle
from flawscope.bundle.runtime import Runtime
from tiny_bundles import tiny_graph, tiny_manifest, tiny_sealed

RECIPE = """\
name: tiny
data: {data}
image: {{size: 32, channels: 1}}
split: {{validation: 0.2, calibration: 0.2, test: 0.25, twins: identical}}
model: {{name: "timm:test_resnet"}}
train: {{epochs: 2, batch_size: 8, rate: 0.003, device: cpu}}
"""


@pytest.fixture(scope="session")
def write_recipe() -> Callable[[Path, str], Path]:
    """`write_recipe(path, data)`: a recipe that trains a tiny network for a moment; `data` is YAML in one line."""

    def write(path: Path, data: str) -> Path:
        path.write_text(RECIPE.format(data=data), encoding="utf-8")
        return path

    return write


@dataclass(frozen=True)
class Finished:
    """A run of a binary task that was stopped before its decision and went on with `resume`."""

    recipe: Path
    data: Path
    folder: Path
    left: tuple[str, ...]
    calls: tuple[str, ...]

    @property
    def bundle(self) -> Path:
        return self.folder / "tiny.flawscope"


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """Made once: spots (nok) and none (ok), 20 pictures each, in folders with blanks and umlauts."""
    root = tmp_path_factory.mktemp("Prüf stand")
    for seed in range(40):
        draw(
            root / "Teile ä" / ("nok" if seed % 2 else "ok") / f"Bild ü {seed}.png",
            seed,
            [seed % 4] if seed % 2 else (),
        )
    recipe = root / "recipe.yaml"
    recipe.write_text(RECIPE.format(data="{kind: folders, root: Teile ä, positive: nok}"), encoding="utf-8")
    module, folder = import_module("flawscope.steps.run"), root / "runs" / "tiny"
    calls: list[str] = []

    def noted(name: str) -> Callable[..., Any]:
        real = getattr(module, name)

        def call(*given: Any) -> Any:
            calls.append(name)
            return real(*given)

        return call

    def stop(*given: Any) -> None:
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        for name in ("train_in", "export"):
            patch.setattr(module, name, noted(name))
        with patch.context() as inner, pytest.raises(KeyboardInterrupt):
            inner.setattr(module, "decide", stop)
            module.run(recipe, folder)
        left = tuple(sorted(path.name for path in folder.parent.iterdir()))
        module.run(recipe, folder, resume=True)
    return Finished(recipe, root / "Teile ä", folder, left, tuple(calls))


PARTS_RECIPE = """\
name: {name}
data: {{kind: folders, root: {root}, positive: nok, groups: {{pattern: 'part(\\d+)_'}}}}
image: {{size: 24, channels: 1}}
split: {{validation: 0.1, calibration: 0.1, test: 0.5, twins: identical}}
model: {{name: "timm:test_resnet"}}
train: {{epochs: 5, device: cpu}}
"""


def finish_run(
    folder: Path,
    root: Path,
    *,
    weight: float = 40.0,
    cut: float = 0.42,
    overrides: Sequence[str] = (),
    folds: int | None = None,
) -> Path:
    """A finished run without any training: its graph calls a picture bad whose mean grey value is above `cut`.

    Split, bundle, scores and measures are made by the steps themselves; only history and checkpoint facts are invented.
    """
    from flawscope.data.read import read
    from flawscope.steps.deciding import provenance
    from flawscope.steps.evaluate import evaluate_run
    from flawscope.steps.run import pool
    from flawscope.steps.split import split_samples
    from flawscope.steps.train import prepare_run
    from flawscope.storage import write_json, write_text
    from flawscope.training.history import write_history
    from flawscope.training.recipe import load_recipe

    written = folder.with_name(f"{folder.name}.yaml")
    write_text(written, PARTS_RECIPE.format(name=folder.name, root=root))
    recipe = load_recipe(written, overrides)
    written.unlink()
    samples = read(recipe.data, Path.cwd(), crop=recipe.image.crop)
    for proven in split_samples(recipe, samples, folds, folder.parent / ".cache"):
        place = folder / f"fold-{proven.split.fold}" if folds else folder
        place.mkdir(parents=True)
        run = prepare_run(place, recipe, proven, folder.parent / ".cache", samples)
        sealed = tiny_sealed(samples.task, recipe.image)
        bias = (-weight * cut, 0.0, 0.0)
        graphs = {"graphs/main.onnx": tiny_graph(recipe.image, 1, (weight,), bias).SerializeToString()}
        golden, files = Runtime(sealed, graphs, threads=1).make_golden()
        write_bundle(run.bundle, tiny_manifest(sealed, golden), graphs, files, {"provenance": provenance(run)})
        watched = {} if recipe.train.watch == "loss" else {f"val_{recipe.train.watch}": 0.95}
        history = [
            {"epoch": e, "rate": 0.001, "train_loss": 0.9 * 0.8**e, "val_loss": 0.3 + cut * 0.85**e,
             **{name: top - 0.4 * 0.7**e for name, top in watched.items()}, "seconds": 1.0}
            for e in range(1, recipe.train.epochs + 1)
        ]  # fmt: skip
        write_history(run.training / "history.csv", history)
        write_json(run.training / "best.json", {"epoch": 4})
        write_json(run.trained, {"best_epoch": 4, "epochs": recipe.train.epochs})
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("flawscope.evaluation.measure.DRAWS", 50)  # the intervals of the run itself may be rough
            evaluate_run(run)
    if folds:
        pool(folder, recipe, samples)
    return folder


@pytest.fixture(name="finish_run", scope="session")
def finish_run_fixture() -> Callable[..., Path]:
    """`finish_run(folder, root, ...)`: see there."""
    return finish_run
