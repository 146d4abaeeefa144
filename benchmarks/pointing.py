"""Whether heat maps point at the flaw: every method against true masks, beside chance and a map of the middle.

    python benchmarks/pointing.py [magnetic-tile] [neu-seg] [steel] [--run FOLDER] [--part validation] [--layer NAME]
        [--aligned] [--smooth PIXELS] [--every N] [--curves N] [--device cuda] [--set key=value] [--train-only]

A whole-image classifier is trained on each set (once, below runs/bench/pointing; `--run` takes another one, `--set`
changes its recipe). Its images of a part that are flawed are asked for the flaw that they show, and the maps are
measured against the masks, which the classifier has never seen:

- pointing game: whether the largest value lies in the mask (and whether it lies at most 15 pixels beside it);
- energy: the share of what is positive that lies in the mask;
- deletion and insertion: the area below the curves of the network's probability, of at most `--curves` images;
- margin: in what share of these images insertion minus deletion is larger than that of the same map moved aside.

Chance is the mean share of the masks. `filter-gradients` is what reference system E takes for Grad-CAM. `--every N`
takes every Nth image for the methods that need many passes. Layers are compared on the validation part. What has been
found is kept: stopped, it goes on where it was. Appends to benchmarks/results/pointing.json.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from entries import append, ends, one_by_one, provenance
from flawscope.evaluation.heat_maps import aside, centre_prior, pointed, removed
from flawscope.evaluation.metrics import auroc
from flawscope.explanation.default import ALIGNED
from flawscope.explanation.explain import FILTER_GRADIENTS, METHODS
from flawscope.explanation.removal import probability_of
from flawscope.masks import mask_array
from flawscope.pages.heat_maps import stretched
from flawscope.records import BoolArray, Masks, Samples
from flawscope.steps.loaded import Loaded
from flawscope.steps.map_making import Asked, Mapped, areas_of, mapped
from flawscope.steps.workspace import Run, read_json
from flawscope.training.checkpoint import load_checkpoint
from pointing_sets import FLAWED, SETS, PointingSet, handed_over, masked, trained

RESULTS = Path(__file__).resolve().parent / "results" / "pointing.json"
CENTRE = "centre"
SLOW = ("score-cam", "occlusion")
BESIDE = 15
"""Pixels beside the mask that still count, as Zhang et al. 2016 count them."""
STEPS = 20


@dataclass(frozen=True)
class Item:
    """One image, the answer that it is asked for, and where that is true."""

    asked: Asked
    masks: Masks
    columns: tuple[int, ...]

    @property
    def mask_hw(self) -> BoolArray:
        """The true mask of the answer."""
        return np.asarray(mask_array(self.masks)[list(self.columns)].any(axis=0))


def items_of(chosen: PointingSet, truth: Samples, run: Run, part: str) -> list[Item]:
    """The flawed images of a part, once for each class that they show. The masks are found by the hash of the image."""
    by_hash = {row.sha256: row for row in truth.rows if row.masks is not None}
    found = []
    for row in run.part(part).rows:
        true = by_hash.get(row.sha256)
        if true is None or true.masks is None or not any(true.target):
            continue
        shown = tuple(k for k, on in enumerate(true.target) if on)
        answers = [(FLAWED, shown)] if chosen.whole else [(truth.task.classes[k], (k,)) for k in shown]
        if chosen.whole and run.samples.task.kind == "binary":
            answers = [(run.samples.task.classes[0], shown)]
        found += [Item(Asked(row, of, run.split.group[row.id]), true.masks, columns) for of, columns in answers]
    return found


def maps_of(
    loaded: Loaded,
    items: Sequence[Item],
    method: str,
    layer: str | None,
    *,
    aligned: bool = ALIGNED,
    smooth: float | None = None,
) -> list[Mapped]:
    """One map for each item, in their order."""
    if method == CENTRE:
        seen = [loaded.see(Path(each.asked.sample.path), each.asked.sample.id) for each in items]
        return [
            Mapped(item.asked, one, centre_prior(*one.pixels.shape[1:]), "", False)
            for item, one in zip(items, seen, strict=True)
        ]
    made = mapped(loaded, [each.asked for each in items], method, layer, aligned=aligned, smooth=smooth)
    by_key = {(each.asked.sample.id, each.asked.of): each for each in made}
    return [by_key[each.asked.sample.id, each.asked.of] for each in items]


def measured(
    loaded: Loaded,
    items: Sequence[Item],
    method: str,
    layer: str | None,
    curves: int,
    *,
    aligned: bool = ALIGNED,
    smooth: float | None = None,
) -> dict[str, Any]:
    """One method on all items: the numbers with their intervals."""
    made = maps_of(loaded, items, method, layer, aligned=aligned, smooth=smooth)
    masks = [each.mask_hw for each in items]
    maps = [stretched(one.map_hw, mask.shape).astype(np.float64) for one, mask in zip(made, masks, strict=True)]
    groups = [each.asked.group for each in items]
    exact = pointed(maps, masks, groups)
    near = pointed(maps, masks, groups, tolerance=BESIDE)
    some = spread(len(made), curves)
    own = [areas_of(loaded, made[k], made[k].map_hw, STEPS) for k in some]
    moved = [areas_of(loaded, made[k], aside(made[k].map_hw), STEPS) for k in some]
    found = removed(own, moved, [groups[k] for k in some])
    return {
        "method": method,
        "layer": made[0].layer,
        "n": len(items),
        "groups": len(set(groups)),
        "empty": sum(each.empty for each in made),
        "chance": round(exact.chance, 4),
        "pointing": ends(exact.pointing.as_dict()),
        f"pointing_within_{BESIDE}": ends(near.pointing.as_dict()),
        f"chance_within_{BESIDE}": round(near.chance_pointing, 4),
        "energy": ends(exact.energy.as_dict()),
        "curves": {
            "n": len(some),
            "margin_better_than_aside": ends(found.better.as_dict()),
            **{name: {key: round(area, 4) for key, area in asdict(of).items()}
               for name, of in (("own", found.own), ("aside", found.moved))},
        },
    }  # fmt: skip


def spread(n: int, most: int) -> list[int]:
    """At most so many places of n, evenly.

    >>> spread(10, 4), spread(2, 4)
    ([0, 3, 6, 9], [0, 1])
    """
    return sorted({round(place) for place in np.linspace(0, n - 1, min(n, most))})


def quality(loaded: Loaded, run: Run, part: str) -> dict[str, float]:
    """The AUROC of each class over all images of the part: a network that knows nothing cannot be explained."""
    rows = run.part(part).rows
    pixels = [loaded.see(Path(row.path), row.id).pixels for row in rows]
    found = {}
    for k, name in enumerate(loaded.task.classes):
        score = probability_of(loaded.network, loaded.task, name)
        probability_n = np.concatenate([score(np.stack(pixels[i : i + 32])) for i in range(0, len(pixels), 32)])
        found[name] = round(float(auroc(np.array([row.target[k] >= 0.5 for row in rows]), probability_n)), 4)
    return found


def one_set(chosen: PointingSet, asked: argparse.Namespace) -> dict[str, Any] | None:
    """All methods on one set; nothing if it is only to be trained."""
    truth = masked(chosen)
    run = handed_over(chosen, truth, asked.run) if asked.run else trained(chosen, truth, asked.set)
    if asked.train_only:
        return None
    loaded = Loaded(run, load_checkpoint(run.training / "best")[0], run.samples.task, run.recipe.image)
    loaded.network.to(asked.device)
    items = items_of(chosen, truth, run, asked.part)
    facts = {
        "set": chosen.name,
        "what": chosen.what,
        "part": asked.part,
        "layer": (asked.layer or "last before the head") + (", aligned" if asked.aligned else ""),
        "smooth": asked.smooth,
        "every": asked.every,
        "curves": asked.curves,
        "network": run.recipe.model.name,
        "size": list(run.recipe.image.size),
        "epochs": read_json(run.training / "best.json")["epoch"],
        "recipe_hash": run.recipe.hash,
        "split": {"hash": run.split.hash, "stamp": run.split.stamp},
    }

    def make(method: str) -> dict[str, Any]:
        some = items[:: asked.every] if method in SLOW else items
        return measured(loaded, some, method, asked.layer, asked.curves, aligned=asked.aligned, smooth=asked.smooth)

    names = asked.method or [*METHODS, FILTER_GRADIENTS, CENTRE]
    kept = f"pointing-{chosen.name}-{asked.part}"
    weights = {"weights": read_json(run.training / "best.json"), "methods": names}
    found = one_by_one(kept, {**facts, **weights}, names, make)
    return {
        "benchmark": "pointing",
        **provenance(),
        **facts,
        "auroc": quality(loaded, run, asked.part),
        "methods": found,
    }


def main() -> None:
    """Measure the sets that are asked for, and append what was found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sets", nargs="*", metavar="SET", help=f"{', '.join(SETS)} [default: all]")
    parser.add_argument("--run", type=Path, help="a trained run of the one set that is named")
    parser.add_argument("--part", choices=("test", "validation"), default="test")
    parser.add_argument("--layer", help="whose maps are weighted; /16: places of 16 pixels; default: the last one")
    parser.add_argument("--aligned", action="store_true", help="draw each place of a layer where it truly looks")
    parser.add_argument("--smooth", type=float, help="deviation in pixels of the Gaussian over integrated gradients")
    parser.add_argument("--method", action="append", help="this one alone; may be given several times")
    parser.add_argument("--every", type=int, default=1, help="for the slow methods: every Nth image")
    parser.add_argument("--curves", type=int, default=100, help="images whose deletion and insertion are measured")
    parser.add_argument("--device", default="cpu", help="cpu or cuda, for the maps")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="of the recipe that is trained")
    parser.add_argument("--train-only", action="store_true")
    parser.add_argument("--trial", action="store_true", help="print only, write nothing")
    asked = parser.parse_args()
    if asked.curves < 1:
        parser.error("--curves takes 1 or more")
    if unknown := set(asked.sets) - set(SETS):
        parser.error(f"no set {', '.join(sorted(unknown))}; there are {', '.join(SETS)}")
    if asked.run and len(asked.sets) != 1:
        parser.error("--run belongs to one set: name it")
    for name in asked.sets or SETS:
        result = one_set(SETS[name], asked)
        if result is not None:
            print(json.dumps(result, indent=1))
            if not asked.trial:
                append(RESULTS, result)


if __name__ == "__main__":
    main()
