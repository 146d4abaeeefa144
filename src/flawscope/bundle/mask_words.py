"""The rule of masks in plain sentences."""

from __future__ import annotations

from flawscope.bundle.regions import STEPS
from flawscope.bundle.rules import MaskRule
from flawscope.records import Task
from flawscope.wording import class_called, counted, sentence


def mask_sentences(task: Task, rule: MaskRule | None) -> list[str]:
    """From which probability a pixel is marked and which flaws are dropped, a sentence a class; how that was found.

    >>> rule = MaskRule(levels=(128,), min_areas=(30,), mm_per_pixel=0.1, fitted_on="calibration")
    >>> for sentence in mask_sentences(Task("multilabel", ("scratch",), pixels="multilabel"), rule):
    ...     print(sentence)
    Masks: a pixel is scratch from probability 0.5000 on; flaws of fewer than 30 pixels (0.300 mm2) are dropped.
    Flaws are marked pixels that touch, at corners too. Thresholds and least areas: fitted on the calibration split.
    Scale: 0.1 mm a pixel.
    """
    if rule is None:
        return ["No rule of masks yet: this is a draft."]
    said = []
    for name, level, least in zip(task.classes, rule.levels, rule.min_areas, strict=True):
        dropped = f"flaws of fewer than {counted(least, 'pixels')}{mm2_words(least, rule.mm_per_pixel)} are dropped"
        small = dropped if least > 1 else "no flaw is too small"
        said.append(f"Masks: a pixel is {class_called(name)} from probability {level / STEPS:.4f} on; {small}.")
    if task.pixels == "multiclass":
        said.append("Of the classes and the background only the most probable one of a pixel can be marked.")
    fitted = f"fitted on the {rule.fitted_on} split" if rule.fitted_on else "as the recipe says"
    said.append(f"Flaws are marked pixels that touch, at corners too. Thresholds and least areas: {fitted}.")
    if rule.mm_per_pixel:
        said.append(f"Scale: {rule.mm_per_pixel:g} mm a pixel.")
    return [*said, *map(sentence, rule.notes)]


def tile_words(size: tuple[int, int], overlap: tuple[int, int] | None) -> str:
    """How a picture of any size is looked at.

    >>> tile_words((64, 64), (16, 16))
    'in tiles of 64 x 64 pixels that overlap by 16 x 16 at least and are blended; smaller pictures repeat their border'
    """
    shared = f" that overlap by {overlap[1]} x {overlap[0]} at least and are blended" if overlap else ""
    return f"in tiles of {size[1]} x {size[0]} pixels{shared}; smaller pictures repeat their border"


def mm2(area: int, mm_per_pixel: float) -> float:
    """The area of so many pixels, to six digits.

    >>> mm2(200, 0.5), mm2(3, 0.1)
    (50.0, 0.03)
    """
    return float(f"{area * mm_per_pixel**2:.6g}")


def mm2_words(area: int, mm_per_pixel: float | None) -> str:
    """The area of so many pixels in brackets, where the scale is known.

    >>> mm2_words(200, 0.5), mm2_words(3, 0.111), mm2_words(123456, 0.5), mm2_words(3, None)
    (' (50.0 mm2)', ' (0.0370 mm2)', ' (30,864 mm2)', '')
    """
    if not mm_per_pixel:
        return ""
    value = area * mm_per_pixel**2
    return f" ({value:,.0f} mm2)" if value >= 100 else f" ({value:#.3g} mm2)"
