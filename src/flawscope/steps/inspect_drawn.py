"""What `flawscope inspect` draws of a bundle that decides about whole images: labelled pictures, and heat maps."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from flawscope.bundle.mask_runtime import MaskRuntime
from flawscope.bundle.runtime import Runtime
from flawscope.errors import BundleError, DataError, UserError
from flawscope.inspection.folder import Pictures, Progress, inspect_folder
from flawscope.inspection.heat import explain_pictures
from flawscope.inspection.labelled import Labelled, label_pictures
from flawscope.inspection.tables import Explained, Summary, write_results
from flawscope.inspection.verdict import verdict
from flawscope.pages import sheet
from flawscope.steps.contact_sheet import SHEET, Tiles
from flawscope.wording import counted

HEAT = "heat-maps"
LEAD = (
    "A heat map shows which places speak for the class named below it, relative to the largest value there, in logits: "
    "what the network goes by, not what is true, and not where a flaw ends."
)


@dataclass(frozen=True)
class Drawn:
    """What is drawn into the folder `target`: pictures with their labels, heat maps, those of good pictures as well."""

    target: Path
    labels: bool
    maps: bool
    good: bool = False

    @classmethod
    def asked(cls, output: Path, pictures: Path | None, explain: bool, good: bool) -> Drawn | None:
        """None where nothing is drawn. Heat maps alone lie in a folder beside the table, named after it."""
        if pictures is None and not explain:
            return None
        return cls(pictures or output.with_name(f"{output.stem}-maps"), pictures is not None, explain, good)

    @property
    def heat(self) -> str:
        """The folder of the heat maps in the target: a part of it beside labelled pictures, else the target itself."""
        return HEAT if self.labels else "."

    def check_names(self, pictures: Pictures, folder: Path) -> None:
        """Refuse a folder of pictures that is called like something that lies in the target.

        Raises:
            DataError: there is one.
        """
        taken = [SHEET, *([HEAT] if self.labels and self.maps else [])]
        for name in taken:
            if any(each.casefold().startswith(f"{name}/") for each in pictures.names):
                what = "the page" if name == SHEET else "the folder of heat maps"
                raise DataError(f"a folder in {folder} is called {name}, as {what} shall be", "give it another name")


def check_maps(runtime: Runtime | MaskRuntime) -> None:
    """See that a bundle gives heat maps.

    Raises:
        UserError: it makes masks.
        BundleError: it is a draft, or its graph gives none; the message says why.
    """
    if isinstance(runtime, MaskRuntime):
        raise UserError("the bundle makes masks: it shows where the flaws are already", "leave out --explain")
    runtime.refuse_draft()
    if not runtime.maps:
        again = "a network whose head is linear behind a global average pooling gives them"
        if not runtime.runner.graph.no_maps:
            again = "export and decide its run again, with export.maps: true"
        raise BundleError(
            f"the bundle gives no class activation maps: {runtime.no_maps()}",
            f"`flawscope explain BUNDLE IMAGES --method occlusion` needs none; {again}",
        )


def draw_too(
    folder: Path, runtime: Runtime, pictures: Pictures, output: Path, *, asked: Drawn, bundle: str, show: Progress
) -> Summary:
    """Write the results, and what is drawn with its page into a folder that is not finished yet."""
    tiles, maps = Tiles(), ""
    if asked.maps:
        maps = Path(os.path.relpath(asked.target / asked.heat, output.parent)).as_posix()
        # With labels the bar moves on when both are drawn.
        moves_on = None if asked.labels else show
        explained = explain_pictures(folder / asked.heat, runtime, pictures, good=asked.good, on_progress=moves_on)
        drawn = (
            label_pictures(folder, runtime, pictures, explained, show) if asked.labels else _alone(runtime, explained)
        )
    else:
        drawn = label_pictures(folder, runtime, pictures, inspect_folder(runtime, pictures), show)
    summary = write_results(output, runtime.task, _noted(tiles, drawn, asked), maps=maps)
    content = tiles.content(runtime, bundle, summary)
    if asked.maps:
        content = replace(content, lead=LEAD, large=True)
    if not asked.labels:
        title = f"{counted(summary.heat_maps, 'heat maps')} of {counted(summary.images, 'inspected pictures')}"
        content = replace(content, title=title, brand="heat maps")
    sheet.write_sheet(folder / SHEET, content)
    return replace(summary, maps=asked.target / asked.heat if asked.maps else None)


def _alone(runtime: Runtime, explained: Iterator[Explained]) -> Iterator[Labelled]:
    """Heat maps without labelled pictures: the map stands in the picture's place."""
    rule = runtime.sealed.decision
    assert rule is not None  # a draft predicts nothing
    for each in explained:
        words = verdict(runtime.task, rule.thresholds, each.prediction, rule.looked_at)
        yield Labelled(each.prediction, words, each.place, each.place)


def _noted(tiles: Tiles, drawn: Iterator[Labelled], asked: Drawn) -> Iterator[Explained]:
    """Note each picture for the page, and hand on its row; without labels those that nothing was drawn of are none."""
    for each in drawn:
        if asked.labels and each.heat_map:
            tiles.note(replace(each, heat_map=f"{asked.heat}/{each.heat_map}"))
        elif asked.labels or each.place or each.prediction.error:
            tiles.note(replace(each, heat_map=""))
        yield Explained(each.prediction, each.heat_map)
