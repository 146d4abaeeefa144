"""The leak court on the twins that real data sets are known to hold.

    python benchmarks/court/real_twins.py [--parts augmented casting magnetic-tile neu-seg] [--show DIR]

- augmented: reference system B's protocol. 2,000 solar cells, each turned three ways and mirrored two ways, 12,000
  pictures: does every copy come back to its cell?
- casting: the test images of the published split that stand in its training part, too.
- magnetic-tile: the pieces that were taken under several exposures. 50 pairs are judged by eye (judged-tiles.json).
- neu-seg: what there is.

Each part appends an entry to benchmarks/results/court-real-twins.json. Verdicts are kept below runs/court-real by the
hash of the court's source. With --show DIR the pairs of magnetic-tile that are to be judged are drawn, and lines to be
filled in are printed; pictures are never committed.
"""

from __future__ import annotations

import argparse
import json
import re
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

import exam
from flawscope.data.court.verdict import find_twins
from flawscope.data.elpv import elpv_folder
from flawscope.data.unlabelled import NONE
from flawscope.evaluation.intervals import proportion
from flawscope.records import PAIR_KINDS, Sample, Samples, Task, Twins, fingerprint
from flawscope.storage import sha256_file
from groups import by_kind, components, grouping, in_short
from record import HERE, RESULTS, RUNS, SHARED, append, court_hash, provenance, rate
from score import read_judged
from sheets import write_sheets

CELLS = 2000
TO_JUDGE = 50
Turn = Image.Transpose
WAYS = {
    "rot90": Turn.ROTATE_90,
    "rot180": Turn.ROTATE_180,
    "rot270": Turn.ROTATE_270,
    "mirror-h": Turn.FLIP_LEFT_RIGHT,
    "mirror-v": Turn.FLIP_TOP_BOTTOM,
}


def main() -> None:
    """Run the parts that were asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--parts", nargs="+", choices=list(PARTS), default=list(PARTS))
    parser.add_argument("--shared", type=Path, default=SHARED, help="the folder with data/casting and so on")
    parser.add_argument("--show", type=Path, help="draw the pairs that are to be judged into this folder")
    parser.add_argument("--trial", type=int, help="so many pictures of a set only; nothing is appended")
    asked = parser.parse_args()
    paths = exam.sets(asked.shared, elpv_folder())
    for part in asked.parts:
        own = paths["elpv" if part == "augmented" else part]
        if not own:
            raise SystemExit(f"{part}: no pictures; name the folder of the data sets (--shared)")
        step = -(-len(own) // asked.trial) if asked.trial else 1
        entry = {**provenance("court-real-twins"), "part": part, **PARTS[part](own[::step], asked.show)}
        print(json.dumps(entry, indent=1))
        if asked.trial is None:
            append(RESULTS / "court-real-twins.json", entry)


def table(name: str, paths: Sequence[Path], levels: int = 1) -> Samples:
    """Files as samples about which nothing is known; the last `levels` names of a path are its id."""
    rows = [Sample("/".join(path.parts[-levels:]), str(path), (0.0,), "", sha256_file(path)) for path in paths]
    rows = [Sample(row.id, row.path, row.target, row.id, row.sha256) for row in rows]
    return Samples(name, Task("binary", (NONE,), negative="not labelled"), tuple(rows))


def court(samples: Samples) -> Twins:
    """The verdict, kept for the next time."""
    return find_twins(samples, cache=RUNS / "court-real" / court_hash())


def augmented(paths: Sequence[Path], show: Path | None) -> dict[str, Any]:
    """Every copy must be joined to its own cell; pairs of different cells must be sisters."""
    plain = court(table("elpv", paths))
    cells = paths[:CELLS]
    with tempfile.TemporaryDirectory() as folder:
        samples = table("elpv, turned and mirrored", list(written(cells, Path(folder))))
        twins = court(samples)
    origin = {row.id: row.id.partition("+")[0] for row in samples.rows}
    own = [(pair.a, pair.b) for pair in twins.pairs if origin[pair.a] == origin[pair.b]]
    across = [pair for pair in twins.pairs if origin[pair.a] != origin[pair.b]]
    sisters = {frozenset((Path(pair.a).stem, Path(pair.b).stem)) for pair in plain.pairs}
    cells_across = Counter(frozenset((origin[pair.a], origin[pair.b])) for pair in across)
    joined = joined_to_own(origin, own)
    paired = {name for pair in own if any(map(is_original, pair)) for name in pair}
    return {
        "cells": len(cells),
        "pictures": len(samples),
        "data": samples.hash,
        "copies_joined": clustered(joined, origin),
        "copies_joined_by_way": {
            way: rate(sum(hit for name, hit in joined.items() if name.endswith(f"+{way}.png")), len(cells))
            for way in WAYS
        },
        "copies_in_a_pair_with_their_cell": clustered({name: name in paired for name in joined}, origin),
        "pairs_of_one_cell": len(own),
        "pairs_of_different_cells": {
            "pairs": len(across),
            "pairs_of_sisters": sum(n for cells, n in cells_across.items() if cells in sisters),
            "cell_pairs": len(cells_across),
            "cell_pairs_sisters": sum(cells in sisters for cells in cells_across),
            "kinds": by_kind(across),
            "kinds_of_others": by_kind(p for p in across if frozenset((origin[p.a], origin[p.b])) not in sisters),
        },
        "linked": grouping(samples, twins.pairs),
        "verdict": in_short(twins),
        "verdict_on_plain_elpv": in_short(plain),
    }


def written(cells: Sequence[Path], folder: Path) -> list[Path]:
    """Each cell as it is and in five ways, as PNG."""
    paths = []
    for cell in cells:
        with Image.open(cell) as image:
            grey = image.convert("L")
        views = {f"{cell.stem}+.png": grey, **{f"{cell.stem}+{way}.png": grey.transpose(t) for way, t in WAYS.items()}}
        for name, view in views.items():
            view.save(folder / name)
            paths.append(folder / name)
    return paths


def is_original(name: str) -> bool:
    """Is this the cell itself?"""
    return name.endswith("+.png")


def joined_to_own(origin: dict[str, str], own: Sequence[tuple[str, str]]) -> dict[str, bool]:
    """Does a way of pairs lead from each copy to its cell, over pictures of this cell alone?"""
    joined = {}
    for group in components(origin, own):
        home = any(is_original(name) for name in group)
        joined.update({name: home for name in group if not is_original(name)})
    return joined


def clustered(joined: dict[str, bool], origin: dict[str, str]) -> dict[str, Any]:
    """The share of copies joined; the five copies of one cell are not independent."""
    found = proportion(np.array(list(joined.values())), [origin[name] for name in joined])
    ends = [round(value, 5) for value in (found.value, found.low, found.high)]
    return {
        "rate": [*ends, sum(joined.values()), len(joined)],
        "interval": f"{found.method}, by cell",
        "note": found.note,
    }


def casting(paths: Sequence[Path], show: Path | None) -> dict[str, Any]:
    """Test images of the published split, by the plainest kind of their twins in its training part."""
    samples = table("casting", paths, levels=3)
    twins = court(samples)
    sha = {row.id: row.sha256 for row in samples.rows}
    in_train = {row.sha256 for row in samples.rows if row.id.startswith("train/")}
    kinds: dict[str, set[str]] = {}
    for pair in twins.pairs:
        for one, other in ((pair.a, pair.b), (pair.b, pair.a)):
            if sha[other] in in_train:
                kinds.setdefault(sha[one], set()).add(pair.kind)
    test = [row for row in samples.rows if row.id.startswith("test/")]
    plainest = Counter(
        "identical" if row.sha256 in in_train else min(kinds.get(row.sha256, {"none"}), key=[*PAIR_KINDS, "none"].index)
        for row in test
    )
    across = [pair for pair in twins.pairs if pair.a.split("/")[0] != pair.b.split("/")[0]]
    measures = np.array([pair.measure for pair in across])
    return {
        "data": samples.hash,
        "test_images": len(test),
        "train_images": len(samples) - len(test),
        "test_images_byte_identical_in_train": plainest["identical"],
        "test_images_by_plainest_twin_in_train": {kind: plainest[kind] for kind in (*PAIR_KINDS, "none")},
        "test_images_with_a_twin_in_train": rate(len(test) - plainest["none"], len(test)),
        "pairs_across": by_kind(across),
        "pairs_across_by_least_measure": {
            str(least): int((measures >= least).sum()) for least in (0.99, 0.95, 0.9, 0.8)
        },
        "linked": grouping(samples, twins.pairs),
        "linked_without_sisters": grouping(samples, [pair for pair in twins.pairs if pair.kind != "sister"]),
        "verdict": in_short(twins),
    }


def magnetic_tile(paths: Sequence[Path], show: Path | None) -> dict[str, Any]:
    """Exposure sets: groups whose file names carry at least two exposures."""
    samples = table("magnetic-tile", paths, levels=3)
    twins = court(samples)
    ids = [row.id for row in samples.rows]
    without = [pair for pair in twins.pairs if pair.kind != "sister"]
    sets = {}
    for name, pairs in (("all", twins.pairs), ("without_sisters", without)):
        exposures = [{exposure_of(id) for id in group} for group in components(ids, ((p.a, p.b) for p in pairs))]
        many = [len(each) for each in exposures if len(each) > 1]
        sizes = Counter(many)
        sets[name] = {
            "exposure_sets": len(many),
            "by_number_of_exposures": {str(n): sizes[n] for n in sorted(sizes)},
            **grouping(samples, pairs),
        }
    exposures_differ = sum(exposure_of(pair.a) != exposure_of(pair.b) for pair in twins.pairs)
    return {
        "data": samples.hash,
        "linked": sets,
        "pairs_of_two_exposures": exposures_differ,
        "judged_by_eye": judged_tiles(samples, twins, show),
        "verdict": in_short(twins),
    }


def exposure_of(name: str) -> str:
    """The exposure that a file's name carries."""
    found = re.search(r"exp(\d+)", Path(name).name)
    return found[1] if found else "?"


def judged_tiles(samples: Samples, twins: Twins, show: Path | None) -> dict[str, Any]:
    """Precision on 50 pairs, drawn by a hash of the two files: which pairs are drawn does not hang on the others."""
    row_of = {row.id: row for row in samples.rows}
    hashes = {(p.a, p.b): (row_of[p.a].sha256, row_of[p.b].sha256) for p in twins.pairs if p.kind != "identical"}
    pairs = [pair for pair in twins.pairs if (pair.a, pair.b) in hashes]
    drawn = sorted(pairs, key=lambda pair: fingerprint(sorted(hashes[pair.a, pair.b])))[:TO_JUDGE]
    judged = read_judged(HERE / "judged-tiles.json")
    verdicts = [judged.get(frozenset(hashes[pair.a, pair.b])) for pair in drawn]
    if show:
        pictures = [
            (Path(row_of[p.a].path), Path(row_of[p.b].path), f"{p.measure:.3f} {p.kind} {p.turn}") for p in drawn
        ]
        for path in write_sheets(show, "tiles", pictures):
            print(f"wrote {path}")
        for number, (pair, verdict) in enumerate(zip(drawn, verdicts, strict=True)):
            note = f"{number}: {pair.a} {pair.b}"
            print(json.dumps([*hashes[pair.a, pair.b], verdict or "same|different", note]) + ",")
    said = [verdict for verdict in verdicts if verdict]
    return {
        "drawn": len(drawn),
        "judged": len(said),
        "precision": rate(said.count("same"), len(said)),
        "different": [
            [pair.a, pair.b, pair.kind, pair.measure]
            for pair, verdict in zip(drawn, verdicts, strict=True)
            if verdict == "different"
        ],
    }


def neu_seg(paths: Sequence[Path], show: Path | None) -> dict[str, Any]:
    """What the court finds."""
    samples = table("neu-seg", paths)
    twins = court(samples)
    return {"data": samples.hash, "linked": grouping(samples, twins.pairs), "verdict": in_short(twins)}


PARTS: dict[str, Callable[[Sequence[Path], Path | None], dict[str, Any]]] = {
    "augmented": augmented,
    "casting": casting,
    "magnetic-tile": magnetic_tile,
    "neu-seg": neu_seg,
}

if __name__ == "__main__":
    main()
