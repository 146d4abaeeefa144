"""`flawscope compare`: runs side by side on the same test images, each difference with its interval.

The numbers are those of the sealed bundles: the scores that `evaluate` wrote for the test split of each run. Compared
are the images that are in the test split of every run (or of one fold of it), the same by name and by content, and that
no bundle which decided them has learnt from. Letters: n samples, k classes.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from flawscope.evaluation.paired import OVERALL, Answers, answers, differences, mcnemar
from flawscope.pages.words import verdict
from flawscope.records import HUMAN, NOT_CHECKED, PARTS, Samples
from flawscope.spreadsheet import safe_cell
from flawscope.steps.compare_masks import compared_masks, compared_pictures, shown_by
from flawscope.steps.mask_pictures import Shown, outline_colours
from flawscope.steps.metrics_document import decided, source
from flawscope.steps.new_images import SEEN
from flawscope.steps.tested import Key, Side, check_tasks, common, finished_places, joint_groups, short_names, side_of
from flawscope.steps.workspace import Say, read_json
from flawscope.storage import check_replaceable, check_writable, new_folder, write_json, write_text
from flawscope.training.history import FILE, read_history
from flawscope.training.recipe_changes import changes
from flawscope.wording import counted

ENDS = ("value", "low", "high")
MANY = "no interval and no p is corrected for how many there are: of 20 comparisons of equal runs, one looks different"
POOLED = "{}: pooled over {} folds; the numbers describe its recipe, not one bundle"
EXPOSED = (
    "{run}: its training, validation or calibration part holds images of the same group as {n} of the compared images "
    "(groups as {base} has them, joined with those of the others): it may have seen the same parts, and look better "
    "than it is"
)


@dataclass(frozen=True)
class Comparison:
    """The folder that was written, and all numbers of compare.json."""

    folder: Path
    document: dict[str, Any]

    @property
    def page(self) -> Path:
        """The page to open."""
        return self.folder / "index.html"


def compare(
    runs: Sequence[str | Path],
    output: str | Path | None = None,
    *,
    overwrite: bool = False,
    say: Say = lambda words: None,
) -> Comparison:
    """Compare finished runs with the first of them, the baseline; writes compare.json, differences.csv, index.html.

    Args:
        runs: run folders, of one split or of several folds; the first is the baseline.
        output: the folder to write; by default comparisons/NAME-NAME2.
        overwrite: replace a comparison that is there.
        say: is told in words what goes on.

    Raises:
        UserError: fewer than two runs, one that is not finished, another task, no image in common, or other labels.
        DataError: the data of a run have changed or are gone.
        BundleError: a bundle is damaged.
        OutputError: the folder exists and is no comparison or `overwrite` is off, or it cannot be written.
    """
    places = finished_places(runs)
    names = short_names(places)
    folder = Path(output) if output else Path("comparisons") / "-".join(name.replace("/", "-") for name in names)
    check_replaceable(folder, overwrite, kind="a comparison", ours=lambda place: (place / "compare.json").is_file())
    check_writable(folder)
    known: dict[str, Samples] = {}
    sides = []
    for name, place in zip(names, places, strict=True):
        say(f"reading {name}")
        sides.append(side_of(name, place, known))
    check_tasks(sides)
    keys, left_out = common(sides)
    say(f"measuring {counted(len(keys), 'images')} that all have tested")
    group = joint_groups(sides)
    shown = shown_by(sides, keys)
    document = _document(sides, keys, left_out, group, shown)
    from flawscope.pages.comparison import CompareContent, write_comparison

    with new_folder(folder, overwrite=overwrite) as beside:
        write_json(beside / "compare.json", document)
        write_text(
            beside / "differences.csv", as_csv([*document["masks"].get("differences", ()), *document["differences"]])
        )
        images = {key[0]: sides[0].answers[key].sample.path for key in keys}
        outlines = tuple(compared_pictures(sides, shown, document)) if shown else ()
        colours = outline_colours(sides[0].task) if outlines else {}
        write_comparison(beside, CompareContent(document, images, outlines, colours))
    return Comparison(folder, document)


def as_csv(rows: Sequence[Mapping[str, Any]]) -> str:
    """The differences as a table for a spreadsheet: one row a run, class and measure."""
    stream = io.StringIO()
    sides = ("baseline", "other", "difference")
    writer = csv.writer(stream, lineterminator="\n")
    head = [f"{side}_{end}" for side in sides for end in ENDS]
    writer.writerow(["run", "against", "class", "measure", *head, "images", "groups", "method", "note"])
    for row in rows:
        cells = [row[side][end] for side in sides for end in ENDS]
        found = row["difference"]
        tail = (found[key] for key in ("n", "groups", "method", "note"))
        names = (row["run"], row["against"], row["class_name"], row["measure"])
        writer.writerow([safe_cell(cell) for cell in (*names, *cells, *tail)])
    return stream.getvalue()


def _document(
    sides: Sequence[Side],
    keys: Sequence[Key],
    left_out: dict[str, Any],
    group: Mapping[str, str],
    shown: Sequence[Shown],
) -> dict[str, Any]:
    """Everything that is said, as plain data; `shown` is what each side has marked, empty unless all make masks."""
    base = sides[0]
    groups = [group[name] for name, _ in keys]
    measured = [_answers(side, base, keys, groups) for side in sides]
    where = f"these {counted(len(keys), 'test images')} in {counted(len(set(groups)), 'groups')}"
    compared: dict[str, list[Any]] = {"differences": [], "mcnemar": [], "sentences": [], "disagreements": []}
    for side, made in zip(sides[1:], measured[1:], strict=True):
        names = {"run": side.name, "against": base.name}
        found = [each.as_dict() for each in differences(measured[0], made)]
        tests = _tests(measured[0], made, groups)
        compared["differences"] += [{**names, **row} for row in found]
        compared["mcnemar"] += [{**names, **row} for row in tests]
        compared["sentences"] += _sentences((base.name, side.name), found, tests[0]["p_groups"], where)
        compared["disagreements"] += [{**names, **row} for row in _disagreements(base, side, keys, measured[0], made)]
    masks = compared_masks(sides, shown, groups, where)
    compared["sentences"] = [*masks.pop("sentences", ()), *compared["sentences"]]
    return {
        "schema": 1,
        "names": [side.name for side in sides],
        "task": {"kind": base.task.kind, "classes": list(base.task.classes), "negative": base.task.negative},
        "n": len(keys),
        "groups": len(set(groups)),
        "combinations": measured[0].document["combinations"],
        "left_out": left_out,
        "warnings": _warnings(sides, keys, group),
        "notes": [*_notes(sides, keys, group, left_out), *_person_notes(sides, measured)],
        **compared,
        "masks": masks,
        "runs": [_facts(side, made) for side, made in zip(sides, measured, strict=True)],
        "recipe_changes": changes([side.parts[0].recipe for side in sides]),
        **source(base.parts[0].samples),
    }


def _answers(side: Side, base: Side, keys: Sequence[Key], groups: Sequence[str]) -> Answers:
    """The answers of one run on these images, its classes in the order of the baseline."""
    order = [side.task.classes.index(name) for name in base.task.classes]
    chosen = [side.answers[key].prediction for key in keys]
    target_nk = np.array([base.answers[key].sample.target for key in keys], dtype=np.float64)
    probability_nk = np.array([each.probability for each in chosen], dtype=np.float64)[:, order]
    flag_nk, unsure_nk = (nk[:, order] for nk in decided(chosen, len(order)))
    three = unsure_nk if side.three_answers else None
    return answers(base.task, target_nk, probability_nk, flag_nk, groups, unsure_nk=three)


def _tests(baseline: Answers, other: Answers, groups: Sequence[str]) -> list[dict[str, Any]]:
    """McNemar's test of all answers to an image, then of each class of several."""
    rows = [{"class_name": OVERALL, **asdict(mcnemar(baseline.right_n, other.right_n, groups))}]
    if len(baseline.task.classes) > 1:
        for c, name in enumerate(baseline.task.classes):
            rows.append({"class_name": name, **asdict(mcnemar(baseline.right_of(c), other.right_of(c), groups))})
    return rows


def _sentences(names: tuple[str, str], rows: Sequence[Mapping[str, Any]], p: float, where: str) -> list[str]:
    """The verdict on the right answers, which has a test, and on the ranks."""
    by = {row["measure"]: row["difference"] for row in reversed(rows)}  # over all classes stands first, and wins
    right = next(key for key in ("exact match", "accuracy") if key in by)
    said = [verdict(names, right, by[right], p, where)]
    ranks = next((key for key in ("mean AUROC", "AUROC") if key in by), None)
    return said if ranks is None else [*said, verdict(names, ranks, by[ranks], None, where)]


def _disagreements(
    base: Side, side: Side, keys: Sequence[Key], baseline: Answers, other: Answers
) -> list[dict[str, Any]]:
    """The images that only one of the two decides right, those first that they see most differently."""
    rows = []
    for i in np.flatnonzero(baseline.right_n != other.right_n).tolist():
        values = [
            dict(zip(each.task.classes, each.answers[keys[i]].prediction.probability, strict=True))
            for each in (base, side)
        ]
        worst = max(base.task.classes, key=lambda name: abs(values[0][name] - values[1][name]))
        rows.append(
            {
                "image": keys[i][0],
                "true": base.task.describe(baseline.truth_nk[i]),
                "decided": [
                    HUMAN if made.human_n[i] else base.task.describe(made.flag_nk[i]) for made in (baseline, other)
                ],
                "right": base.name if baseline.right_n[i] else side.name,
                "probability_of": worst,
                "probability": [value[worst] for value in values],
            }
        )
    return sorted(rows, key=lambda row: -abs(row["probability"][0] - row["probability"][1]))


def _facts(side: Side, made: Answers) -> dict[str, Any]:
    """What a run is, and its numbers on the compared images."""
    first = side.parts[0]
    recipe, stated = first.recipe, read_json(side.folder / "metrics.json")
    checked = all(part.split.checks for part in side.parts)
    return {
        "name": side.name,
        "recipe": {"name": recipe.name, "hash": recipe.hash},
        "folds": len(side.parts) if first.split.fold is not None and len(side.parts) > 1 else 0,
        "network": recipe.model.name,
        "seed": recipe.train.seed,
        "data": read_json(first.folder / "data.json"),
        "split": {
            "hashes": [part.split.hash for part in side.parts],
            "stamp": first.split.stamp if checked else NOT_CHECKED,
            "method": first.split.method,
            "sizes": {name: len(first.split.ids(name)) for name in PARTS},
        },
        "seals": list(side.seals),
        "code": stated["provenance"]["code"],
        "date": stated["provenance"]["date"],
        "tested": len(side.answers),
        "watched": f"val_{recipe.train.watch}",
        "histories": [read_history(path) for part in side.parts if (path := part.training / FILE).is_file()],
        "measured": made.document,
    }


def _notes(
    sides: Sequence[Side], keys: Sequence[Key], group: Mapping[str, str], left_out: Mapping[str, Any]
) -> list[str]:
    """What to mind."""
    base = sides[0]
    notes = [
        f"{name}: {count:,} of its {len(side.answers):,} test images are left out: not tested by all, or seen by one"
        for side, (name, count) in zip(sides, left_out["runs"].items(), strict=True)
        if count
    ]
    if left_out["seen"]:
        notes.append(f"{left_out['seen']:,} of these because another run has learnt from the same file")
    if left_out["other_content"]:
        notes.append(f"{left_out['other_content']:,} images have the same name in all runs, but not the same content")
    joint, own = len({group[name] for name, _ in keys}), len({base.group[name] for name, _ in keys})
    if joint < own:
        notes.append(
            f"the groups of the runs differ: joined, the images are in {counted(joint, 'groups')}; {base.name} had "
            f"{own:,}"
        )
    if any(side.task.pixels for side in sides) and not all(side.task.pixels for side in sides):
        notes.append("not all of the runs make masks: only what images as a whole are called is compared")
    notes += [POOLED.format(side.name, len(side.parts)) for side in sides if len(side.parts) > 1]
    return [*notes, MANY]


def _person_notes(sides: Sequence[Side], measured: Sequence[Answers]) -> list[str]:
    """Which runs may hand an image to a person, and what that means for the measures."""
    return [
        f"{side.name} has three answers: {int(made.human_n.sum()):,} of the {len(made.human_n):,} images are for a "
        "person, and count as not decided: neither right nor wrong, neither found nor let pass"
        for side, made in zip(sides, measured, strict=True)
        if side.three_answers
    ]


def _warnings(sides: Sequence[Side], keys: Sequence[Key], group: Mapping[str, str]) -> list[str]:
    """Where a run may look better than it is: it knows the group of a test image, or nobody has searched its split."""
    found = []
    for side in sides:
        learnt = [{group[name] for name in part.split.part if part.split.part[name] in SEEN} for part in side.parts]
        exposed = sum(group[key[0]] in learnt[side.answers[key].part] for key in keys)
        if exposed:
            found.append(EXPOSED.format(run=side.name, n=f"{exposed:,}", base=sides[0].name))
    unchecked = [side.name for side in sides if not all(part.split.checks for part in side.parts)]
    return [*found, *([f"{NOT_CHECKED}: {', '.join(unchecked)}"] if unchecked else [])]
