"""The pictures of a report of masks: the worst and the best images, with the outlines of truth and marks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image

from flawscope.bundle.archive import Contents
from flawscope.bundle.mask_words import mask_sentences
from flawscope.bundle.verify import decision_sentences
from flawscope.data.findings import examples
from flawscope.data.mask_census import mask_facts
from flawscope.errors import ImageError
from flawscope.evaluation.mask_facts import MaskFacts, appended
from flawscope.masks import mask_array
from flawscope.pages.masks import LONG_SIDE, SIDE, WIDE, MaskContent, MaskGallery, MaskPicture
from flawscope.pages.outlines import colour_of, outlined
from flawscope.preprocess import open_image, viewable
from flawscope.records import FloatArray, Masks, Sample, Samples, Task
from flawscope.steps.mask_store import MaskRow, read_masks
from flawscope.steps.workspace import Run

EXAMPLES = 4
"""Images of each label combination that the data are shown with."""
COMBINATIONS = 24
"""Label combinations with examples on the page, the largest first."""
SHOWN = 8
"""Pictures of each kind; each is there twice."""


def mask_content(samples: Samples, runs: Sequence[Run], contents: Contents | None = None) -> MaskContent:
    """What the page of a run shows of masks, or that of several folds; `contents` is the bundle of the one run.

    Raises:
        DataError: a run has not been evaluated, or its files are damaged.
    """
    told = [read_masks(run.masks("test")) for run in runs]
    rows = [row for each, _ in told for row in each]
    by_id = {row.id: row for row in samples.rows}
    shown = Shown([by_id[row.name] for row in rows], rows, appended([facts for _, facts in told]))
    some = examples(samples, EXAMPLES, COMBINATIONS)
    picked = {id for ids in some.values() for id in ids}
    found = MaskContent(
        galleries=tuple(galleries(samples.task, shown)),
        colours=outline_colours(samples.task),
        facts=mask_facts(samples) or {},
        examples=some,
        images={row.id: row.path for row in samples.rows if row.id in picked},
        truths={row.id: row.masks for row in samples.rows if row.id in picked and row.masks is not None},
    )
    if contents is None:
        return found
    sealed, gate = contents.manifest.sealed, contents.manifest.sealed.gate
    short = gate.decision.model_copy(update={"contracts": (), "costs": ()}) if gate else None
    return replace(
        found,
        rule=mask_sentences(samples.task, sealed.masks),
        gate=decision_sentences(gate.task.task(), short) if gate else (),
        fitted=contents.evidence.get("masks", {}),
    )


@dataclass(frozen=True)
class Shown:
    """All images that were measured: what they truly are, what was marked, and what was counted, in one order."""

    samples: Sequence[Sample]
    rows: Sequence[MaskRow]
    facts: MaskFacts

    @property
    def dice_n(self) -> FloatArray:
        """The Dice index of each image, all classes added up; 1 where nothing is and nothing is marked."""
        truth_n, marked_n, both_n = (
            count_nc[:, :-1].sum(axis=1) for count_nc in (self.facts.truth_nc, self.facts.marked_nc, self.facts.both_nc)
        )
        return np.where(truth_n + marked_n == 0, 1.0, 2 * both_n / np.maximum(truth_n + marked_n, 1))


def galleries(task: Task, shown: Shown) -> Iterator[MaskGallery]:
    """The worst flawed images, good ones with marks, and the best flawed ones; kinds without an image are left out."""
    truth_n, marked_n = (count_nc[:, -1] for count_nc in (shown.facts.truth_nc, shown.facts.marked_nc))
    dice_n, flawed_n = shown.dice_n, truth_n > 0
    # Among the equally bad the largest flaw stands first: that is what must not happen.
    worst = sorted(np.flatnonzero(flawed_n), key=lambda i: (dice_n[i], -truth_n[i]))
    best = sorted(np.flatnonzero(flawed_n), key=lambda i: (-dice_n[i], -truth_n[i]))
    false = sorted(np.flatnonzero(~flawed_n & (marked_n > 0)), key=lambda i: -marked_n[i])
    known = worst[:SHOWN]
    kinds = (
        ("The worst", "The least overlap of truth and marks first.", known, len(worst), "flawed ones"),
        (
            "Marks where nothing is",
            "The most pixels first.",
            false[:SHOWN],
            len(false),
            f"{task.negative} ones with marks",
        ),
        (
            "The best",
            "The largest overlap first.",
            [i for i in best[:SHOWN] if i not in known],
            len(best),
            "flawed ones",
        ),
    )
    for title, explained, chosen, total, of in kinds:
        if chosen:
            pictures = [_picture(task, shown, int(i), float(dice_n[i])) for i in chosen]
            yield MaskGallery(title, explained, total, of, pictures)


def _picture(task: Task, shown: Shown, i: int, dice: float) -> MaskPicture:
    sample, row = shown.samples[i], shown.rows[i]
    assert sample.masks is not None  # samples of a task with masks have some
    panels = outlined_panels(sample.path, {"true flaws": sample.masks, "marked flaws": row.masks})
    called = task.describe(row.masks.shown)
    said = f"marked {called}" if called != task.negative else "nothing is marked"
    if row.stopped:
        said = f"stopped by the gate, which gives {row.gate:.3g}"
    pixels = int(shown.facts.marked_nc[i, -1])
    worth = f"Dice {dice:.3f}" if any(sample.target) else f"{pixels:,} pixel{'s' if pixels > 1 else ''}"
    return MaskPicture(sample.id, panels, [f"is {task.describe(sample.target)}; {said}; {worth}"])


def outlined_panels(path: str, masks: Mapping[str, Masks]) -> dict[str, Image.Image | str]:
    """The picture once for each of its masks; the path where the file cannot be read any more, which the page says."""
    try:
        image = open_image(path)
    except ImageError:
        return dict.fromkeys(masks, path)
    side = LONG_SIDE if image.width >= WIDE * image.height else SIDE
    seen = viewable(image, side)
    times = max(1, side // max(seen.size))  # small ones are enlarged, so that their outlines are as fine
    seen = seen.resize((times * seen.width, times * seen.height), Image.Resampling.BILINEAR)
    return {name: outlined(seen, mask_array(each)) for name, each in masks.items()}


def outline_colours(task: Task) -> dict[str, str]:
    """The colour of the outlines of each class, as a page has it."""
    return {name: colour_of(k) for k, name in enumerate(task.classes)}
