"""The leak court: all pairs of images of the same thing in a set of samples.

Every image is brought to a small grey picture; the search (`search.py`) names the pairs that are worth a closer look,
the alignment (`align.py`) measures each of them, and what exceeds the threshold (`threshold.py`, from pictures that are
known to be different) is a pair. Those known to be different are learnt from a fair sample (`fair.py`); where small
pictures do not tell, larger ones are compared (`closer.py`).

Letters: n images, h and w rows and columns, q pairs.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from flawscope.data.court.align import Alignment, Common, common_pattern
from flawscope.data.court.closer import Closer
from flawscope.data.court.different import ASKED, Different, known_different
from flawscope.data.court.measure import Suspect, measured, pair_of, suspects_of
from flawscope.data.court.pictures import Grey, small_pictures
from flawscope.data.court.search import Searcher
from flawscope.data.court.threshold import FALSE_PAIRS_PER_IMAGE, UNREAD, histogram, reaching, tail_threshold
from flawscope.data.linkage import identical_pairs
from flawscope.errors import OutputError
from flawscope.records import Pair, Samples, Twins, fingerprint
from flawscope.storage import write_json

Judged = tuple[Suspect, Alignment, float]
METHOD = "leak court 8"
"""A new number whenever the court would judge otherwise: it names what is kept in the cache, and stands in the seal."""


def find_twins(samples: Samples, *, cache: Path | None = None, exact: bool | None = None) -> Twins:
    """Find all pairs of images of the same thing.

    Args:
        samples: all of them are compared with each other.
        cache: a folder where the verdict about the same images is looked for, and left.
        exact: compare all descriptors, or go through a graph of neighbours; by default by the number of images.

    Raises:
        ImageError: a file cannot be read any more.
    """
    case = fingerprint([METHOD, exact, [[row.id, row.sha256, row.group] for row in samples.rows]])
    kept = cache / f"twins-{case[:16]}.json" if cache else None
    if kept is not None and (known := _kept(kept)) is not None:
        return known
    begin = time.perf_counter()
    twins = twins_among(small_pictures(samples), samples, exact=exact)
    twins = Twins(twins.pairs, twins.n, METHOD, {**twins.facts, "seconds": round(time.perf_counter() - begin, 1)})
    if kept is not None:
        content = {"n": twins.n, "facts": twins.facts, "pairs": [asdict(pair) for pair in twins.pairs]}
        with suppress(OutputError):  # a full disk: the verdict is there, it only has to be found again next time
            write_json(kept, {"hash": fingerprint(content), **content})
    return twins


def _kept(path: Path) -> Twins | None:
    """The verdict of an earlier run; none if there is none, or if the file is not whole."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content.pop("hash") != fingerprint(content):
            return None
        pairs = tuple(Pair(**{**pair, "shift": tuple(pair["shift"])}) for pair in content["pairs"])
        return Twins(pairs, content["n"], METHOD, content["facts"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def twins_among(grey_nhw: Grey, samples: Samples, *, exact: bool | None = None) -> Twins:
    """`find_twins` for pictures that are in memory already, n x SIDE x SIDE in the order of the samples."""
    n, pairs = len(samples), identical_pairs(samples)
    # Of identical files one is enough: many would be each other's nearest, and hide the other twins.
    places = {row.sha256: place for place, row in reversed(list(enumerate(samples.rows)))}
    first = sorted(places.values())
    if len(first) < 2:
        return Twins(tuple(pairs), n, METHOD, {"search": "exact", "kinds": {"identical": len(pairs)} if pairs else {}})
    grey_nhw, samples = grey_nhw[first], samples.select(samples.rows[place].id for place in first)
    searcher = Searcher.of(grey_nhw)
    judge = Judge.of(searcher, samples)
    candidates = searcher.find(exact=exact)
    suspects = suspects_of(candidates)
    alignments = list(measured(grey_nhw, suspects, judge.common))
    for suspect, found, needed in judge.settled(list(zip(suspects, alignments, strict=True))):
        if found.measure >= needed:
            pairs.append(pair_of(samples, grey_nhw, suspect, found, needed))
    pairs.sort(key=lambda pair: (-pair.measure, pair.a, pair.b))
    facts: dict[str, Any] = {
        **judge.facts(),
        "expected_false_pairs": round(FALSE_PAIRS_PER_IMAGE * n + judge.closer.expected_false_pairs, 1),
        "found": histogram(np.array([found.measure for found in alignments])),
        "looked_at": len(suspects),
        "like_the_mean": like_the_mean(grey_nhw[searcher.fair.places_s[:ASKED]]),
        "search": candidates.method,
        "kinds": dict(Counter(pair.kind for pair in pairs)),
    }
    return Twins(tuple(pairs), n, METHOD, facts)


def like_the_mean(grey_nhw: Grey) -> float:
    """How alike each picture and the mean of all are before what all share is taken out: the median correlation.

    >>> one = np.arange(16, dtype=np.uint8).reshape(4, 4)
    >>> like_the_mean(np.stack([one, 2 * one, 3 * one])), like_the_mean(np.stack([one, one[::-1], one.T, one.T[::-1]]))
    (1.0, 0.606)
    """
    grey_nd = grey_nhw.reshape(len(grey_nhw), -1).astype(np.float32)
    grey_nd -= grey_nd.mean(axis=1, keepdims=True)
    mean_d = grey_nd.mean(axis=0)
    size_n = np.linalg.norm(grey_nd, axis=1) * np.linalg.norm(mean_d)
    return round(float(np.median(grey_nd @ mean_d / np.maximum(size_n, 1e-9))), 3)


@dataclass
class Judge:
    """What the pictures of a set have in common, and the threshold of each of them."""

    common: Common
    different: Different
    closer: Closer
    threshold: dict[int, float] = field(default_factory=dict)

    @classmethod
    def of(cls, searcher: Searcher, samples: Samples) -> Judge:
        """Learn it from the pictures."""
        common = common_pattern(searcher.grey_nhw[searcher.fair.places_s])
        different = known_different(searcher, samples.groups, common)
        return cls(common, different, Closer(samples, different))

    def needed(self, suspect: Suspect) -> float:
        """The measure that this pair must reach, for certain or to be looked at more closely."""
        return reaching(self.certain(suspect))

    def certain(self, suspect: Suspect) -> float:
        """The measure from which on small pictures tell for certain."""
        return max(self.of_image(suspect.a), self.of_image(suspect.b))

    def of_image(self, image: int) -> float:
        """What the tail asks of one image, worked out when it is wanted."""
        if image not in self.threshold:
            of = self.different
            self.threshold[image] = UNREAD if of.unread else tail_threshold(of.of(image), of.things)
        return self.threshold[image]

    def settled(self, measured: Sequence[tuple[Suspect, Alignment]]) -> list[Judged]:
        """Each pair with its measure and what it must reach; the doubtful ones with those of a closer look.

        Raises:
            ImageError: a file cannot be read any more.
        """
        doubtful = [
            (pair, found) for pair, found in measured if self.needed(pair) <= found.measure < self.certain(pair)
        ]
        pairs = [pair for pair, _ in doubtful]
        closely = dict(zip(pairs, self.closer.look(pairs, [found for _, found in doubtful]), strict=True))
        settled = []
        for pair, found in measured:
            certain = self.certain(pair)
            small = (found, certain if found.measure >= certain else reaching(certain))
            settled.append((pair, *closely.get(pair, small)))
        return settled

    def facts(self) -> dict[str, Any]:
        """What the thresholds rest on, as plain data."""
        n = len(self.different.alike_na)
        some = np.linspace(0, n - 1, min(n, 2000)).astype(int)
        needed = [reaching(self.of_image(int(image))) for image in some]
        low, middle, high = np.quantile(needed, (0.05, 0.5, 0.95))
        return {
            "threshold": round(float(middle), 4),
            "threshold_low": round(float(low), 4),
            "threshold_high": round(float(high), 4),
            "false_pair_rate": FALSE_PAIRS_PER_IMAGE,
            "known_different": len(self.different.measure_q),
            "null": histogram(self.different.measure_q),
            "common_components": len(self.common.components_kp),
            **self.closer.facts(),
            "note": self.different.note,
        }
