"""What the page of results says of the reference systems, and at its head; `make_results.py` fills in the numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Original:
    """A published system: its recipes here, what it reports, and what that can be compared with.

    `line` stands above ours in the table: how and on how many images it was measured, and its numbers. `measures` are
    the columns, where not all that were measured are shown.
    """

    title: str
    recipes: tuple[str, ...]
    reported: str
    compare: str
    line: tuple[str, str, Mapping[str, str]] | None = None
    measures: tuple[str, ...] = ()


ORIGINALS = (
    Original(
        "A: defective or not (ELPV)",
        ("solar-binary", "solar-binary-faithful"),
        "83.6 % accuracy",
        "It is the best of 18 epochs, chosen on the same 525 cells that were then reported, and sister cells of one "
        "module stand on both sides of its random split. Compare it with the lines `random`, whose epoch and "
        "thresholds were chosen on other cells, and which learnt from 1,837 cells (before, 1,444), not 2,099. The "
        "lines `folds` are what new modules would see: nothing that was published on ELPV (88.4 %, 90.1 %) was "
        "measured like that.",
        ("random, its own split", "525", {"accuracy": "0.836 (0.802 to 0.865)"}),  # Wilson, each cell alone
    ),
    Original(
        "B: crack and inactive region (1,594 cells of ELPV)",
        ("solar-multilabel", "solar-multilabel-faithful"),
        "mean F1 0.789, 0.862, 0.889 after epochs 1, 2, 3",
        "Not comparable with any line: every one of its 1,200 test images is a turned or mirrored copy of a cell that "
        "it learnt from. In the line `random` sister cells stand on both sides, but no turned or mirrored copies do. "
        "On hidden tests of the same task others reach 0.866 and 0.909; those are cells of the same kind, not these.",
        ("copies in training", "1,200", {"mean F1": "0.889"}),
    ),
    Original(
        "C: two networks from scratch (the same cells)",
        (
            *("solar-challenge-alexnet", "solar-challenge-alexnet-faithful"),
            *("solar-challenge-resnet18", "solar-challenge-resnet18-faithful"),
        ),
        "a pass mark: mean F1 0.6",
        "The pass mark counts on a hidden test of other cells.",
    ),
    Original(
        "D: where the flaws of steel are (synthetic strips, and two real sets in their place)",
        ("steel", "steel-faithful", "neu-seg", "magnetic-tile"),
        "no number of its segmentation; its gate 86.9 % accuracy",
        "Its strips are not at hand. Elsewhere mean IoU 0.80 to 0.85 is published on NEU-Seg with large pretrained "
        "networks, and 0.669 a class on the magnetic tiles, both on splits that nobody searched. Its gate is compared "
        "by specificity and recall: is an image flawed at all? The time that it saves is that of both networks here, "
        "below 0 where it costs more. F1 of a class: does an image show it? Older lines have not all columns.",
        measures=(
            *("mean IoU", "IoU of any flaw", "mean Dice on flawed", "flaw recall", "IoU of each class"),
            *("gate: AUROC", "gate: recall", "gate: specificity", "gate: time saved", "F1 of each class"),
        ),
    ),
    Original(
        "E: coils, and castings in their place",
        ("coil", "coil-faithful", "casting", "casting-faithful"),
        "99.2 % of 125 coils (95.6 to 99.98 %)",
        "Its pictures are not public. Synthetic coils and real castings stand in for them, so only the order of "
        "magnitude can be compared. The coils are hard ones, but for the line `easy`: HOG and an SVM do no better on "
        "them than calling every coil good (`benchmarks/results/coil-exam.json`).",
        ("random, its own split", "125", {"accuracy": "0.992 (0.956 to 1.000)"}),  # exact
    ),
)
INTRODUCTION = """\
<!-- Made by `python docs/make_results.py` from benchmarks/results. Do not edit. -->
# Results on the reference systems

Every number but those of the last sections, which say what they are, comes from sealed bundles, run by the runtime that
runs at the line, on images that the bundle, its thresholds and its choice of an epoch have not seen. In parentheses
stand 95 % intervals, over groups. Settings of our own recipes were compared on the development images of some folds
(`benchmarks/results/recipe-variants.json`, `mask-variants.json`, `tune-solar-multilabel.json`), and earlier forms of
A, B and castings had been measured before their recipes were changed. A pooled line of five folds tests all those
images, by networks that have not learnt from them, but of recipes that may owe something to them: it may be a little
too good.

- `folds`: the five folds of the benchmark groups (`benchmarks/groups`), proven free of leaks. Pooled numbers describe
  the recipe, never a delivered bundle.
- `seeds`: one fold alone, with other first weights and draws. The images outside it may be dealt otherwise into the
  parts for training, validation and calibration than for the same fold in `folds`: then the hash of the split differs.
- `random`: one random split, which nobody searched: how the originals measured. It leaks.
- `easy`: easy synthetic coils: whether a recipe learns at all.

Where a recipe begins from ImageNet, MobileNetV2 and the weights file that the line names were used: other backbones'
weights were not at hand where this was measured. (The file is Google Coral's `tf2_mobilenet_v2_1.0_224_ptq.tflite`,
Apache-2.0, dequantised under timm's names, SHA-256 f51adfd05c8c...: not the weights that timm downloads.) Of the
castings and of B's cells not all that are published were at hand ([which](reference-systems.md)). To measure again:
`python benchmarks/reference_systems.py RECIPE --protocol folds`. Where a line was measured several times, the last one
is shown; `benchmarks/results/reference-systems.json` keeps all. What the command changed in a recipe stands beside its
name, but for the numbers it was trained in (`train.precision`). A star marks a recipe that has been changed since: the
numbers are those of the recipe at the commit of the line. Minutes of training are those of a machine on which other
work may have run.

What the columns say: `images, groups`: what was tested, and how many groups stay together on one side of a split (cells
of a module and their sisters, pictures of one casting); intervals are over groups. `F1` weighs how many of the pictures
of a class are found against how many of those that are called so are right; `mean F1` is over the classes. `AUROC`: how
often a flawed picture has a higher score than a good one; it needs no threshold. `exact match`: all labels of a picture
are right. `escape rate`: flawed ones that are called good, of all flawed; `overkill rate`: good ones that are called
flawed, of all good. `IoU`: of the pixels that are marked or should be, the share that is both; `mean Dice on flawed`:
2 IoU / (1 + IoU) of each flawed picture, averaged picture by picture. `leak checked: leak court N`: the N-th edition of
the search for copies and sisters found none that crosses the split. `split`, `seal`: the first digits of hashes, which
stand in the bundle as well.
"""
FIRST_WEIGHTS_MENDED = "2026-11-27T12:39"
FIRST_WEIGHTS = (
    "The prescribed networks of these entries began with a last layer near zero, which holds back all layers before "
    "it, and were shown combinations of the labels alike, not classes. Both is mended since, and not measured again "
    "here."
)
