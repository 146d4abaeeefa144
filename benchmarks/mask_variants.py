"""Variants of a recipe with masks compared on development images alone: the test part of its split is never opened.

    python benchmarks/mask_variants.py RECIPE [--fold 0] [--tag NAME] [--set KEY=VALUE]...

As `recipe_variants.py`, for networks that make masks: all images but those of the test part are dealt into four folds
by their groups, one variant learns from three of them and is measured on the fourth, by the torch network on whole
images: as it is, and as the mean over four views of each image (mirrored, half turned). A gate is left out. The measure
is the IoU of each class over all pixels at its best threshold, of all images and of flawed ones alone (what a gate
without mistakes would leave). A variant is appended to benchmarks/results/mask-variants.json.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from entries import append, provenance
from flawscope.masks import mask_array
from flawscope.models import views
from flawscope.models.views import laid_back, seen
from flawscope.records import PARTS, Samples, Split
from flawscope.steps.material import pixels_of
from flawscope.steps.workspace import Run
from flawscope.training.checkpoint import load_checkpoint
from flawscope.training.input import rows_of
from flawscope.training.recipe import Recipe
from recipe_variants import development, material, options, trained

RESULTS = Path(__file__).resolve().parent / "results" / "mask-variants.json"
STEPS, STRIDE = 256, 32
VIEWS = ("plain", "turned")
MIRRORS = views.VIEWS["mirrors"]


def main() -> None:
    """Train one variant on development images, measure it, print and append."""
    asked = options(__doc__).parse_args()
    recipe, samples, made = material(asked, "gate=null")
    entry = {
        "benchmark": "mask-variants",
        "recipe": f"{asked.recipe}.yaml",
        "variant": asked.tag,
        "changes": asked.changes,
        "fold": asked.fold,
        **measured(recipe, samples, development(samples, made, asked.fold)),
        **provenance(),
    }
    print({key: entry[key] for key in ("variant", "fold", "n", *VIEWS)})
    append(RESULTS, entry)


def measured(recipe: Recipe, samples: Samples, split: Split) -> dict[str, Any]:
    """IoU of each class on the fold that was held out, whose groups are known to be apart."""

    def look(run: Run) -> dict[str, Any]:
        counts = counted(run, samples)
        return {"n": len(counts[VIEWS[0]]), **{view: ious(found) for view, found in counts.items()}}

    return trained(recipe.changed({"split.groups": "none"}), samples, split, look)


def counted(run: Run, samples: Samples) -> dict[str, np.ndarray[Any, Any]]:
    """How many true and other pixels have each of 256 probabilities: n x k x (rest, true) x 256, for each view."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    network = load_checkpoint(run.training / "best")[0].eval().to(device)
    rows = {part: rows_of(samples, run.split.ids(part)) for part in PARTS}
    pixels = pixels_of(run, rows)
    exclusive = samples.task.pixels == "multiclass"
    found: dict[str, list[Any]] = {view: [] for view in VIEWS}
    for row in sorted(row for part, some in rows.items() if part != "train" for row in some):
        masks = samples.rows[row].masks
        assert masks is not None
        for view, probability_khw in zip(VIEWS, maps_of(network, np.array(pixels[row]), exclusive), strict=True):
            level_khw = np.minimum((probability_khw * STEPS).astype(int), STEPS - 1)
            true_khw = mask_array(masks)
            found[view].append(
                [
                    [np.bincount(level_hw[of_hw], minlength=STEPS) for of_hw in (~true_hw, true_hw)]
                    for level_hw, true_hw in zip(level_khw, true_khw, strict=True)
                ]
            )
    return {view: np.array(some) for view, some in found.items()}


def maps_of(network: Any, image_chw: Any, exclusive: bool) -> tuple[Any, Any]:
    """Probabilities k x h x w of the picture, and their mean over its mirrors and half turns."""
    height, width = image_chw.shape[1:]
    grown = np.pad(image_chw, ((0, 0), (0, -height % STRIDE), (0, -width % STRIDE)), mode="edge")
    image_1chw = torch.from_numpy(grown)[None]
    views_vchw = torch.cat([seen(image_1chw, view) for view in MIRRORS])
    with torch.no_grad():
        logits = network(views_vchw.to(next(network.parameters()).device)).float().cpu()
    some = logits.softmax(dim=1)[:, 1:] if exclusive else logits.sigmoid()
    back = torch.cat([laid_back(each[None], view) for view, each in zip(MIRRORS, some, strict=True)])
    back = back[..., :height, :width]
    return back[0].numpy(), back.mean(dim=0).numpy()


def ious(count_nkcl: np.ndarray[Any, Any]) -> dict[str, Any]:
    """Of each class: the best IoU, of flawed images alone, at a half; and of all classes the mean of the first."""
    flawed_n = count_nkcl[:, :, 1].sum(axis=(1, 2)) > 0
    all_kl, flawed_kl = _curve(count_nkcl), _curve(count_nkcl[flawed_n])
    return {
        "IoU": np.round(all_kl.max(axis=1), 4).tolist(),
        "IoU of flawed images": np.round(flawed_kl.max(axis=1), 4).tolist(),
        "IoU at 0.5": np.round(all_kl[:, STEPS // 2], 4).tolist(),
        "mean": round(float(all_kl.max(axis=1).mean()), 4),
    }


def _curve(count_nkcl: np.ndarray[Any, Any]) -> Any:
    above_kcl = count_nkcl.sum(axis=0)[..., ::-1].cumsum(axis=-1)[..., ::-1]
    return above_kcl[:, 1] / np.maximum(above_kcl[:, 1, :1] + above_kcl[:, 0], 1)


if __name__ == "__main__":
    main()
