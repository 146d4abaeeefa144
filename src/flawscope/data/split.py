"""Grouped, stratified splits: train, validation, calibration and test, or k folds.

Groups are dealt out whole, the largest first, each to the part where the deviation from the wanted counts of every
label combination, sum (count - wanted)^2 / wanted, grows least (a chi-square statistic). Within one size the order is
that of a hash of seed and group name, so that a split is the same on every machine and with every numpy.

Letters: g groups, p parts, c label combinations.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, Field, model_validator

from flawscope.data.groups import Grouping, identical_groups
from flawscope.errors import SplitError, listing
from flawscope.records import PARTS, Part, Samples, Split

Name = TypeVar("Name", bound=str)


class SplitSpec(BaseModel):
    """Which share of the samples goes where; what is left is for training.

    >>> round(SplitSpec().train, 6)
    0.5
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    seed: int = Field(default=0, description="the same seed gives the same split on every machine")
    validation: float = Field(default=0.1, gt=0, lt=1, description="early stopping and the calibrator")
    calibration: float = Field(default=0.2, gt=0, lt=1, description="thresholds")
    test: float = Field(default=0.2, gt=0, lt=1, description="the reported numbers, and nothing else")
    groups: Grouping = Field(default="data", description='"none" forgets the groups of the data, not identical files')

    @model_validator(mode="after")
    def _something_to_train_on(self) -> SplitSpec:
        if self.train < 1e-6:
            total = self.validation + self.calibration + self.test
            raise ValueError(f"validation + calibration + test must be below 1 to leave some training, got {total:g}")
        return self

    @property
    def train(self) -> float:
        """The share that is left for training."""
        return 1.0 - self.validation - self.calibration - self.test

    @property
    def wanted(self) -> dict[Part, float]:
        """The share of each part."""
        return {
            "train": self.train,
            "validation": self.validation,
            "calibration": self.calibration,
            "test": self.test,
        }


def make_split(samples: Samples, spec: SplitSpec) -> Split:
    """Split samples by groups, stratified on their label combinations.

    Raises:
        SplitError: there are fewer groups than parts.
    """
    group = identical_groups(samples, spec.groups)
    _enough(len(set(group.values())), len(PARTS), samples)
    part = _deal(_by_group(samples, group), spec.wanted, spec.seed)
    return _split(samples, spec, group=group, part={name: part[group[name]] for name in group}, wanted=spec.wanted)


def make_folds(samples: Samples, spec: SplitSpec, k: int) -> list[Split]:
    """The k splits of a grouped cross-validation: each group is in the test part of exactly one.

    The test part of each is about 1/k of the samples; validation and calibration keep their share of the whole.

    Raises:
        SplitError: k is below 2, too few groups, or nothing left to train on.
    """
    if k < 2:
        raise SplitError(f"cross-validation needs at least 2 folds, got {k}", "ask for 5 or 10")
    wanted: dict[Part, float] = {**spec.wanted, "test": 1 / k, "train": 1 - 1 / k - spec.validation - spec.calibration}
    if wanted["train"] < 1e-6:
        raise SplitError(
            f"{k} folds, {spec.validation:.0%} for validation and {spec.calibration:.0%} for calibration leave nothing "
            "to train on",
            "ask for more folds, or lower split.validation or split.calibration",
        )
    group = identical_groups(samples, spec.groups)
    _enough(len(set(group.values())), k, samples)
    counts = _by_group(samples, group)
    fold_of = _deal(counts, {str(number): 1 / k for number in range(k)}, spec.seed)
    rest_wanted: dict[Part, float] = {name: share for name, share in wanted.items() if name != "test"}
    folds = []
    for number in range(k):
        rest = {name: count for name, count in counts.items() if fold_of[name] != str(number)}
        _enough(len(rest), len(rest_wanted), samples)
        dealt = _deal(rest, rest_wanted, spec.seed)
        part: dict[str, Part] = {name: dealt.get(group[name], "test") for name in group}
        folds.append(_split(samples, spec, group=group, part=part, wanted=wanted, fold=number, folds=k))
    return folds


def check_split(split: Split, samples: Samples, *, groups: Grouping = "data") -> None:
    """Prove that the split covers the samples and that no group crosses it.

    The groups are worked out anew from the samples (the data's own, joined by byte-identical files; with
    `groups="none"` by the files alone); those that the split itself names are checked as well.

    Raises:
        SplitError: names the groups that cross, or the samples that are missing or unknown.
    """
    ids = {row.id for row in samples.rows}
    missing, unknown = ids - set(split.part), set(split.part) - ids
    if missing or unknown:
        lines = [f"not in the split: {name}" for name in sorted(missing)]
        lines += [f"not in the data: {name}" for name in sorted(unknown)]
        raise SplitError(
            f"the split does not fit the data ({len(missing)} samples missing from it, {len(unknown)} unknown):\n"
            + listing(lines),
            "the data have changed since the split was made: make a new split",
        )
    crossing = []
    for group in (identical_groups(samples, groups), split.group):
        parts: dict[str, Counter[str]] = {}
        for name, key in group.items():
            parts.setdefault(key, Counter())[split.part[name]] += 1
        for key, count in parts.items():
            if len(count) > 1:
                where = ", ".join(f"{count[part]} in {part}" for part in PARTS if count[part])
                crossing.append(f"{key}: {where}")
    if crossing:
        crossing = list(dict.fromkeys(crossing))
        raise SplitError(
            f"{len(crossing)} groups cross the split:\n{listing(crossing)}",
            "images of the same thing on both sides make the numbers worthless: make a new split",
        )


def _by_group(samples: Samples, group: Mapping[str, str]) -> dict[str, Counter[str]]:
    """How many samples of each label combination every group holds."""
    counts: dict[str, Counter[str]] = {}
    for row, combination in zip(samples.rows, samples.combinations(), strict=True):
        counts.setdefault(group[row.id], Counter())[combination] += 1
    return counts


def _deal(counts: Mapping[str, Counter[str]], shares: Mapping[Name, float], seed: int) -> dict[str, Name]:
    """The part of each group: see the top of the file. Every part gets at least one group."""
    total: Counter[str] = Counter()
    for count in counts.values():
        total.update(count)
    scale = sum(shares.values())
    parts = list(shares)
    wanted_pc = [{c: n * shares[part] / scale for c, n in total.items()} for part in parts]
    count_pc: list[Counter[str]] = [Counter() for _ in parts]

    def growth(p: int, group: Counter[str]) -> float:
        have_c, want_c = count_pc[p], wanted_pc[p]
        return sum(n * (2 * (have_c[c] - want_c[c]) + n) / want_c[c] for c, n in group.items())

    def order(name: str) -> tuple[int, bytes]:
        return -counts[name].total(), hashlib.sha256(f"{seed}/{name}".encode()).digest()

    chosen: dict[str, Name] = {}
    empty = set(range(len(parts)))
    for left, name in zip(range(len(counts), 0, -1), sorted(counts, key=order), strict=True):
        open_to = sorted(empty) if left <= len(empty) else range(len(parts))
        best = min(open_to, key=lambda p: growth(p, counts[name]))
        count_pc[best].update(counts[name])
        empty.discard(best)
        chosen[name] = parts[best]
    return chosen


def _enough(found: int, needed: int, samples: Samples) -> None:
    if found < needed:
        raise SplitError(
            f"{samples.name}: {found} groups ({len(samples)} images, {samples.grouping}) cannot fill {needed} parts",
            "each part needs at least one group: add images of other parts, make the groups smaller, or ask for fewer "
            "folds",
        )


def _split(
    samples: Samples,
    spec: SplitSpec,
    *,
    group: Mapping[str, str],
    part: Mapping[str, Part],
    wanted: Mapping[Part, float],
    fold: int | None = None,
    folds: int | None = None,
) -> Split:
    by = samples.grouping if spec.groups == "data" else "each image by itself"
    start = by if by == "each image by itself" else f"grouped by {by}"
    return Split(
        part=part,
        group=group,
        wanted={str(name): share for name, share in wanted.items()},
        seed=spec.seed,
        method=f"{start}; byte-identical files joined; stratified on label combinations",
        fold=fold,
        folds=folds,
        notes=_notes(samples, part, wanted),
    )


def _notes(samples: Samples, part: Mapping[str, Part], wanted: Mapping[Part, float]) -> tuple[str, ...]:
    """Where the split is not what was wanted, in words."""
    n = len(samples)
    size = Counter(part.values())
    notes = [
        f"{name}: {size[name]} of {n} images ({size[name] / n:.1%}) instead of {share:.1%} (groups stay whole)"
        for name, share in wanted.items()
        if abs(size[name] - share * n) > max(1.0, 0.1 * share * n)
    ]
    combinations = {row.id: words for row, words in zip(samples.rows, samples.combinations(), strict=True)}
    total = Counter(combinations.values())
    for name in wanted:
        here = Counter(combinations[sample] for sample in part if part[sample] == name)
        missing = [repr(combination) for combination in total if not here[combination]]
        if missing:
            notes.append(f"{name} holds no image of {_and(missing)}: what depends on it cannot be measured there")
        notes += [
            f"{name}: {here[combination] / size[name]:.1%} are {combination!r}, {count / n:.1%} in all the data"
            for combination, count in total.items()
            if here[combination] and abs(here[combination] / size[name] - count / n) > 0.05
        ]
    return tuple(notes)


def _and(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
