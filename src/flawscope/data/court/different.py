"""Pairs of pictures that are known to be different, looked at as the candidates are: what the thresholds rest on.

Letters: n images, q pairs, s images asked about, g images of the gallery, d descriptor values.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from flawscope.data.court.align import Common
from flawscope.data.court.measure import Suspect, measured
from flawscope.data.court.pictures import Float, Grey
from flawscope.data.court.search import Descriptor, Ints, all_views
from flawscope.data.court.threshold import NEAREST, similar

ASKED = 1000
EACH = 5
GALLERY = 5000
ALIKE = 80
"""A picture's threshold comes from the different pairs of so many asked-about images that resemble it most."""


@dataclass(frozen=True)
class Different:
    """Measures of different pictures: `measure_q` of each pair, `asked_q` which of the images asked about it has.

    `alike_na` gives for every image of the set the images asked about that resemble it most.
    """

    measure_q: Float
    asked_q: Ints
    alike_na: Ints

    def of(self, image: int) -> Float:
        """The measures that say how alike different pictures of this sort are."""
        return self.measure_q[np.isin(self.asked_q, self.alike_na[image])]


def known_different(grey_nhw: Grey, groups: Sequence[str], common: Common, seed: int = 0) -> Different:
    """For some images others that are similar, but not among the most similar, and of another group: measured.

    Each pair is looked at in the view in which the two are most alike. Without pairs where there are too few images.
    """
    n = len(grey_nhw)
    rng = np.random.default_rng(seed)
    asked_s, gallery_g = rng.permutation(n)[:ASKED], np.sort(rng.permutation(n)[:GALLERY])
    share = len(gallery_g) / n
    nearest, near = math.ceil(NEAREST * share), round(similar(n) * share)
    describe = Descriptor.fit(grey_nhw)
    suspects: list[Suspect] = []
    asked: list[int] = []
    if near >= EACH:
        views = all_views()
        score_sg, view_sg = _best_views(describe, grey_nhw, asked_s, gallery_g)
        for row, b in enumerate(asked_s.tolist()):
            order = [place for place in np.argsort(-score_sg[row], kind="stable") if gallery_g[place] != b]
            for place in rng.permutation(order[nearest : nearest + near])[:EACH].tolist():
                a = int(gallery_g[place])
                if groups[a] != groups[b]:
                    suspects.append(Suspect(a, b, views[int(view_sg[row, place])]))
                    asked.append(row)
    measures = [found.measure for found in measured(grey_nhw, suspects, common, "what is different")]
    alike_na = _alike(describe, grey_nhw, asked_s)
    return Different(np.array(measures, np.float32), np.array(asked, np.int64), alike_na)


def _best_views(
    describe: Descriptor, grey_nhw: Grey, asked_s: Ints, gallery_g: Ints
) -> tuple[Float, npt.NDArray[np.int16]]:
    gallery_gd = describe.of(grey_nhw[gallery_g])
    score_sg = np.full((len(asked_s), len(gallery_g)), -2.0, np.float32)
    view_sg = np.zeros(score_sg.shape, np.int16)
    for number, view in enumerate(all_views()):
        seen_sg = describe.of(grey_nhw[asked_s], view) @ gallery_gd.T
        better = seen_sg > score_sg
        score_sg[better], view_sg[better] = seen_sg[better], number
    return score_sg, view_sg


def _alike(describe: Descriptor, grey_nhw: Grey, asked_s: Ints) -> Ints:
    asked_sd = describe.of(grey_nhw[asked_s])
    k = min(ALIKE, len(asked_s))
    blocks = []
    for start in range(0, len(grey_nhw), 8192):
        score = describe.of(grey_nhw[start : start + 8192]) @ asked_sd.T
        blocks.append(np.argpartition(-score, k - 1, axis=1)[:, :k])
    return np.concatenate(blocks)
