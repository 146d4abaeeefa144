"""The benchmark groups and folds of the reference sets, and their audits as numbers.

    python benchmarks/court/reference_sets.py groups [--sets ...]
    python benchmarks/court/reference_sets.py audits [--sets ...]

`groups` writes benchmarks/groups/NAME.json: for the hash of each image its group and fold. These files are made once;
one that exists is left as it is, because all later numbers rest on it. `audits` appends to
benchmarks/results/audits.json what `flawscope audit --court` found: numbers, neither pictures nor names of pairs.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

import flawscope
from flawscope.data.court.verdict import find_twins
from flawscope.data.group_file import save_groups
from flawscope.data.read import read
from flawscope.data.spec import CsvSpec, DataSpec, ElpvSpec, FoldersSpec, GroupSpec
from flawscope.data.split import SplitSpec, make_folds
from flawscope.storage import write_text
from flawscope.training.recipe import Recipe, save_recipe
from record import HERE, RESULTS, RUNS, SHARED, append, provenance

GROUPS = HERE.parent / "groups"
MASKS = ("inclusion", "patches", "scratches")
FOLDS = 5
SPLIT = SplitSpec(seed=1, validation=0.1, calibration=0.15)
SETS = ("elpv", "solar-multilabel", "casting", "magnetic-tile", "neu-seg")
LEFT_OUT = ("pairs", "review", "examples", "identical", "notices", "schema", "data")


def spec_of(name: str) -> DataSpec:
    """How each set is read."""
    data = SHARED / "data"
    if name == "elpv":
        return ElpvSpec()
    if name == "solar-multilabel":
        from flawscope.data.elpv import elpv_folder

        return CsvSpec(
            table=data / "solar-multilabel" / "labels.csv",
            images=elpv_folder(),
            label_columns=["crack", "inactive"],
            groups=GroupSpec(block=60, block_by="number"),
        )
    if name == "casting":
        return FoldersSpec(root=data / "casting", level=1, part_level=0, positive="def_front")
    if name == "magnetic-tile":
        return FoldersSpec(root=data / "magnetic-tile", pattern="*.jpg")
    return CsvSpec(table=labels_of_masks(data / "neu-seg"), images=data / "neu-seg" / "images", label_columns=[*MASKS])


def labels_of_masks(folder: Path) -> Path:
    """A table of which classes each mask of neu-seg shows, below runs/."""
    table = RUNS / "neu-seg-labels.csv"
    if not table.is_file():
        lines = [",".join(("image", *MASKS))]
        for path in sorted((folder / "masks").glob("*.png")):
            with Image.open(path) as mask:
                shown = set(np.unique(np.asarray(mask)).tolist())
            lines.append(",".join((f"{path.stem}.jpg", *(str(int(k + 1 in shown)) for k in range(len(MASKS))))))
        write_text(table, "\n".join(lines) + "\n")
    return table


def make_groups(name: str) -> None:
    """Groups and folds of one set, once."""
    path = GROUPS / f"{name}.json"
    if path.is_file():
        print(f"{path.name} exists and stays")
        return
    samples = read(spec_of(name), Path.cwd())
    twins = find_twins(samples, cache=RUNS / "audits" / ".cache")
    splits = make_folds(samples, SPLIT, FOLDS, twins)
    fold = {id: split.fold or 0 for split in splits for id in split.ids("test")}
    group = splits[0].group
    number = {key: f"g{place:04d}" for place, key in enumerate(dict.fromkeys(group[row.id] for row in samples.rows))}
    largest = max(Counter(group.values()).values())
    note = f"{splits[0].method}; {len(number)} groups, the largest of {largest} images; {splits[0].notes[0]}"
    save_groups(path, name, samples, {id: number[key] for id, key in group.items()}, fold, note=note)
    print(name, note, Counter(fold.values()))


def audit(name: str) -> None:
    """Audit one set and append the numbers."""
    recipe = RUNS / "audits" / f"{name}.yaml"
    save_recipe(Recipe(name=name, data=spec_of(name), split=SPLIT), recipe)
    found = flawscope.audit(recipe, RUNS / "audits" / name, court=True, overwrite=True, say=print).document
    plain = json.loads(json.dumps({**provenance("audits"), "set": name, **numbers(found)}))
    append(RESULTS / "audits.json", plain)


def numbers(found: dict[str, Any]) -> dict[str, Any]:
    """What may be committed of an audit: no names of files, no pictures."""
    kept = {key: value for key, value in found.items() if key not in LEFT_OUT}
    different = Counter(pair["kind"] for pair in found["review"])
    kept["identical_files"] = sum(len(each["ids"]) for each in found["identical"])
    kept["opposite_labels"] = dict(different)
    pictures = found["pictures"]
    kept["pictures"] = {key: value for key, value in pictures.items() if not isinstance(value, list)}
    kept["pictures"]["unreadable"] = len(pictures["unreadable"])
    widths, heights, _ = zip(*pictures["sizes"], strict=True)
    kept["pictures"]["sizes"] = {
        "different": len(widths),
        "commonest": pictures["sizes"][0],
        "width": [min(widths), max(widths)],
        "height": [min(heights), max(heights)],
    }
    return kept


def main() -> None:
    """What was asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("groups", "audits"))
    parser.add_argument("--sets", nargs="+", choices=SETS, default=SETS)
    asked = parser.parse_args()
    for name in asked.sets:
        make_groups(name) if asked.what == "groups" else audit(name)


if __name__ == "__main__":
    main()
