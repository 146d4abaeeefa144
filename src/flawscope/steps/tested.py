"""What finished runs have said of their test images, for steps that put runs side by side.

Only what the sealed bundles have said counts: the scores that `evaluate` wrote are checked against the measures that
the bundle carries. Letters: k classes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from flawscope.bundle.archive import read_bundle
from flawscope.data.groups import joined
from flawscope.errors import UserError, listing
from flawscope.evaluation import metrics
from flawscope.inspection.tables import read_results
from flawscope.records import Prediction, Sample, Samples, Task
from flawscope.steps.metrics_document import decided
from flawscope.steps.new_images import SEEN
from flawscope.steps.runs import FINISHED, state
from flawscope.steps.workspace import Run, fold_runs, read_json

Key = tuple[str, str]
"""Name and content (SHA-256) of an image."""


@dataclass(frozen=True)
class Answer:
    """What a run has said of one of its test images, and which of its parts (folds) said so."""

    sample: Sample
    prediction: Prediction
    part: int


@dataclass(frozen=True)
class Side:
    """One run: its parts are its folds, or itself; `seen` holds for each the contents that it was made with.

    `three_answers`: a person may be asked to look.
    """

    name: str
    folder: Path
    parts: tuple[Run, ...]
    task: Task
    answers: Mapping[Key, Answer]
    seen: tuple[frozenset[str], ...]
    seals: tuple[str, ...]
    three_answers: bool = False

    @property
    def group(self) -> dict[str, str]:
        """The group of each sample id."""
        return {name: group for part in self.parts for name, group in part.split.group.items()}

    def has_seen(self, key: Key) -> bool:
        """Whether the bundle that decided a test image was trained, validated or calibrated with it."""
        return key[1] in self.seen[self.answers[key].part]


def finished_places(runs: Sequence[str | Path]) -> list[Path]:
    """Distinct folders of finished runs, at least two.

    Raises:
        UserError: fewer, one named twice, no run, or one that is not finished.
    """
    places = [Path(runs)] if isinstance(runs, str | Path) else [Path(each) for each in runs]
    if len(places) < 2:
        raise UserError(f"a comparison needs at least two runs, got {len(places)}", "name two run folders or more")
    twice = [str(place) for i, place in enumerate(places) if place.resolve() in {p.resolve() for p in places[:i]}]
    if twice:
        raise UserError(f"{', '.join(twice)} is named twice", "name each run once")
    for place in places:
        if not fold_runs(place):
            Run.at(place)
        words = state(place)
        if words != FINISHED:
            raise UserError(
                f"{place} is not finished: {words}", "finish it first: flawscope run --resume, or the steps that lack"
            )
    return places


def short_names(places: Sequence[Path]) -> list[str]:
    """A short name for each run: its folder, with the folder above where that alone does not tell them apart."""
    short = [place.resolve().name for place in places]
    long = ["/".join(place.resolve().parts[-2:]) for place in places]
    alike = [short.count(name) > 1 or name.startswith("fold-") for name in short]
    names = [long[i] if alike[i] else short[i] for i in range(len(places))]
    return [f"{name} ({i + 1})" if names.count(name) > 1 else name for i, name in enumerate(names)]


def side_of(name: str, place: Path, known: dict[str, Samples]) -> Side:
    """What a run has to say; data that several runs share are read once, and kept in `known`.

    Raises:
        UserError: the scores are not those of the sealed bundle.
        DataError: the data have changed or are gone.
        BundleError: the bundle is damaged.
    """
    parts = tuple(fold_runs(place)) or (Run.at(place),)
    found: dict[Key, Answer] = {}
    seen, seals, three = [], [], False
    for number, part in enumerate(parts):
        recipe = part.recipe
        data = f"{recipe.data.model_dump_json()} {recipe.image.crop}"
        if data in known:
            part.check_data(known[data])
            part.samples = known[data]
        known[data] = part.samples
        rows, contents, seal, person = _decided(part)
        seen.append(contents)
        seals.append(seal)
        three |= person
        for sample in part.part("test").rows:
            found[sample.id, sample.sha256] = Answer(sample, rows[sample.id], number)
    return Side(name, place, parts, parts[0].samples.task, found, tuple(seen), tuple(seals), three)


def _decided(run: Run) -> tuple[dict[str, Prediction], frozenset[str], str, bool]:
    """What the sealed bundle said of each test image, the contents that it was made with, its seal, and whether it has
    three answers.

    Raises:
        UserError: the scores are not those that the bundle carries the measures of.
    """
    contents = read_bundle(run.need(run.bundle, "decide"))
    seal, evidence = contents.manifest.seal, contents.evidence.get("test")
    rows = {
        row.name: row
        for row in read_results(run.need(run.scores("test"), "evaluate"), contents.manifest.sealed.task.task()).rows
    }
    samples = run.part("test")
    decision = contents.manifest.sealed.decision
    three = bool(decision and decision.looked_at)
    fits = evidence is not None and set(rows) == {row.id for row in samples.rows}
    if (
        not fits
        or read_json(run.metrics)["bundle"]["seal"] != seal
        or not _same_numbers(evidence, samples, rows, three)
    ):
        raise UserError(
            f"{run.folder}: scores/test.csv or metrics.json are not those of its sealed bundle",
            f"measure it anew: flawscope evaluate {run.folder}",
        )
    stated = contents.evidence.get("provenance", {}).get("contents", {})
    made_with = {content for part in SEEN for content in stated.get(part, ())}
    made_with |= {sample.sha256 for part in SEEN for sample in run.part(part).rows}
    return rows, frozenset(made_with), seal, three


def _same_numbers(evidence: Any, samples: Samples, rows: Mapping[str, Prediction], three: bool) -> bool:
    """Whether decisions and ranks of the scores give the counts and the AUROC that the bundle carries."""
    truth_nk = metrics.truth(samples.task.kind, samples.target_nk)
    chosen = [rows[sample.id] for sample in samples.rows]
    flag_nk, unsure_nk = decided(chosen, len(samples.task.classes))
    if flag_nk.shape != truth_nk.shape or list(evidence["classes"]) != list(samples.task.classes):
        return False
    for c, stated in enumerate(evidence["classes"].values()):
        auroc = stated["measures"].get("AUROC")
        score_n = np.array([each.probability[c] for each in chosen])
        counts = metrics.confusion(truth_nk[:, c], flag_nk[:, c], unsure_nk[:, c])
        if counts.as_dict(human=three) != stated["confusion"]:
            return False
        if auroc and abs(metrics.auroc(truth_nk[:, c], score_n) - auroc["value"]) > 1e-9:
            return False
    return True


def check_tasks(sides: Sequence[Side]) -> None:
    """Refuse runs that decide different things.

    Raises:
        UserError: another kind of task, or other classes.
    """

    def decides(side: Side) -> tuple[str, set[str]]:
        task = side.task
        return task.kind, {*task.classes, *(() if task.kind == "multiclass" else (f"or {task.negative}",))}

    base = sides[0]
    for side in sides[1:]:
        if decides(base) != decides(side):
            words = [
                f"{s.name} is {s.task.kind}: {', '.join(s.task.classes)} or {s.task.negative}" for s in (base, side)
            ]
            raise UserError(f"the runs decide different things: {'; '.join(words)}", "compare runs of one task")


def common(sides: Sequence[Side]) -> tuple[list[Key], dict[str, Any]]:
    """The images that all runs have tested and none of the bundles has learnt from; and how many were left out.

    Raises:
        UserError: there is none, or runs disagree on what it shows.
    """
    base = sides[0]
    tested = [key for key in base.answers if all(key in side.answers for side in sides)]
    _check_labels(sides, tested)
    keys = [key for key in tested if not any(side.has_seen(key) for side in sides)]
    names = set.intersection(*({name for name, _ in side.answers} for side in sides))
    left_out = {
        "seen": len(tested) - len(keys),
        "other_content": len(names - {name for name, _ in tested}),
        "runs": {side.name: len(side.answers) - len(keys) for side in sides},
    }
    if not keys:
        contents = set.intersection(*({content for _, content in side.answers} for side in sides))
        contents -= {content for _, content in tested}
        moved = f"; {len(contents)} have the same content under other names" if contents else ""
        seen = f"; {left_out['seen']} were seen in training by another run" if left_out["seen"] else ""
        raise UserError(
            f"no test image is common to all of {', '.join(side.name for side in sides)}{moved}{seen}",
            "use one split for all: flawscope split RECIPE -o split.json, then flawscope train --split split.json",
        )
    # What must never happen, whatever else changes above: an image in the numbers that a bundle has learnt from.
    assert not any(side.has_seen(key) for side in sides for key in keys)
    return keys, left_out


def _check_labels(sides: Sequence[Side], keys: Sequence[Key]) -> None:
    base = sides[0]
    for side in sides[1:]:
        pairs = [(base.answers[key].sample, side.answers[key].sample) for key in keys]
        words = [
            f"{a.id}: {base.task.describe(a.target)} and {side.task.describe(b.target)}"
            for a, b in pairs
            if dict(zip(base.task.classes, a.target, strict=True))
            != dict(zip(side.task.classes, b.target, strict=True))
        ]
        if words:
            raise UserError(
                f"{base.name} and {side.name} have different labels for {len(words)} of the same images:\n"
                + listing(words),
                "correct the labels, and run anew what had the wrong ones",
            )


def joint_groups(sides: Sequence[Side]) -> dict[str, str]:
    """The group of each sample id: those of the baseline, joined where another run keeps images together."""
    own = [side.group for side in sides]
    names = list(dict.fromkeys(name for each in own for name in each))
    ways = [[f"group {each[name]}" if name in each else f"alone {name}" for name in names] for each in own]
    group = ways[0]
    for more in ways[1:]:
        group = joined(group, more)
    return dict(zip(names, group, strict=True))
