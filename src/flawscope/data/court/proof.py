"""The proof that nothing crosses a split, recomputed from the image files.

It does not ask which pairs were found when the split was made. Every picture is read anew, and each image of a part is
looked for among the images of the other parts only, so that no sister of its own part can stand in the way. What
reaches the threshold crosses the split.

Letters: n images.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from flawscope.data.court.align import Alignment
from flawscope.data.court.measure import Suspect, measured, pair_of, suspects_of
from flawscope.data.court.pictures import small_pictures
from flawscope.data.court.search import Searcher
from flawscope.data.court.verdict import METHOD, Judge, Judged
from flawscope.records import PARTS, Pair, Samples, Split

Ints = npt.NDArray[np.int64]
MOST = 5
"""The likeliest others of each image are measured."""

SHOWN = 6


@dataclass(frozen=True)
class Crossing:
    """What was found across a split: pairs that reach their threshold, and the most alike of those that do not."""

    pairs: tuple[Pair, ...]
    nearest: tuple[Pair, ...]
    compared: int
    measured: int


@dataclass
class Prover:
    """The pictures of a set, read for the proof, and what is needed to judge them; serves all folds."""

    samples: Samples
    searcher: Searcher
    judge: Judge
    known: dict[Suspect, Alignment] = field(default_factory=dict)

    @classmethod
    def of(cls, samples: Samples) -> Prover:
        """Read the image files.

        Raises:
            ImageError: a file cannot be read any more.
        """
        searcher = Searcher.of(small_pictures(samples))
        return cls(samples, searcher, Judge.of(searcher, samples))

    def crossing(self, split: Split) -> Crossing:
        """All pairs of images of the same thing that stand in different parts of the split."""
        side = {name: PARTS.index(part) for name, part in split.part.items()}
        return self.across(np.array([side.get(row.id, -1) for row in self.samples.rows], np.int64))

    def across(self, side_n: Ints) -> Crossing:
        """All pairs of images of the same thing of which each stands on another side; -1 is on none."""
        suspects = suspects_of(self.searcher.find(side_n=side_n), MOST)
        over: list[Judged] = []
        under: list[Judged] = []
        for each in self.judge.settled(list(zip(suspects, self._measured(suspects), strict=True))):
            (over if each[1].measure >= each[2] else under).append(each)
        under.sort(key=lambda each: (each[2] - each[1].measure, each[0].a, each[0].b))
        count = np.bincount(side_n[side_n >= 0])
        return Crossing(
            tuple(pair_of(self.samples, self.searcher.grey_nhw, *each) for each in over),
            tuple(pair_of(self.samples, self.searcher.grey_nhw, *each) for each in under[:SHOWN]),
            int((count.sum() ** 2 - (count**2).sum()) // 2),
            len(suspects),
        )

    def _measured(self, suspects: Sequence[Suspect]) -> list[Alignment]:
        """Each pair is measured once for all folds."""
        new = [each for each in suspects if each not in self.known]
        self.known.update(zip(new, measured(self.searcher.grey_nhw, new, self.judge.common, "proving"), strict=True))
        return [self.known[each] for each in suspects]


def proof_document(
    split: Split, crossing: Crossing, facts: Mapping[str, Any], pairs: Sequence[Pair] | None = None
) -> dict[str, Any]:
    """The proof as plain data, to be kept with the run: `pairs` are those found when the split was made, if known."""
    reasons = list(split.left_out.values())
    return {
        "court": METHOD,
        "threshold": facts.get("threshold"),
        "threshold_low": facts.get("threshold_low"),
        "threshold_high": facts.get("threshold_high"),
        "false_pair_rate": facts.get("false_pair_rate"),
        "note": facts.get("note", ""),
        **({} if pairs is None else {"pairs_found": len(pairs), "kinds": dict(Counter(pair.kind for pair in pairs))}),
        "compared": crossing.compared,
        "measured": crossing.measured,
        "crossing": len(crossing.pairs),
        "left_out": {"all": len(reasons)},
        "split": split.hash,
        "nearest": [
            {
                "a": pair.a,
                "b": pair.b,
                "part_a": split.part[pair.a],
                "part_b": split.part[pair.b],
                "measure": pair.measure,
                "needed": pair.needed,
                "turn": pair.turn,
            }
            for pair in crossing.nearest
        ],
        "notes": list(split.notes),
    }
