"""What the page of an inspection shows, gathered while the pictures come by."""

from __future__ import annotations

from collections import Counter
from datetime import date

from flawscope.bundle.mask_runtime import MaskRuntime
from flawscope.bundle.runtime import Runtime
from flawscope.bundle.verify import sealed_sentences
from flawscope.inspection.labelled import Labelled
from flawscope.inspection.tables import Summary
from flawscope.inspection.verdict import KINDS, Verdict
from flawscope.pages import sheet

SHEET = "index.html"


class Tiles:
    """What the contact sheet shows, gathered while the pictures come by; bounded by what it lists."""

    def __init__(self) -> None:
        self._tiles: dict[tuple[str, str], list[sheet.Tile]] = {}
        self._count: Counter[tuple[str, str]] = Counter()

    def note(self, each: Labelled) -> None:
        """Note one picture."""
        words: Verdict = each.verdict
        key = (words.kind, words.headline)
        self._count[key] += 1
        tiles = self._tiles.setdefault(key, [])
        if len(tiles) < sheet.LISTED:
            tiles.append(sheet.Tile(each.prediction.name, words.facts, each.place, each.heat_map))

    def content(
        self, runtime: Runtime | MaskRuntime, bundle: str, summary: Summary, mm_per_pixel: float | None = None
    ) -> sheet.SheetContent:
        """The page: what is not decided and not good first."""
        facts = {"Date": date.today().isoformat(), "Bundle": bundle, "Seal": runtime.manifest.seal[:12]}
        if mm_per_pixel:
            facts["Scale"] = f"{mm_per_pixel:g} mm a pixel"
        order = sorted(self._tiles, key=lambda key: (KINDS.index(key[0]), -self._count[key], key[1]))
        return sheet.SheetContent(
            title=f"{summary.images:,} inspected picture{'' if summary.images == 1 else 's'}",
            facts=facts,
            decision=sealed_sentences(runtime.sealed),
            sections=[sheet.Section(key[1], self._count[key], self._tiles[key]) for key in order],
            large=isinstance(runtime, MaskRuntime),
        )
