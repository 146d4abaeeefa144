"""Grouped, stratified splits: train, validation, calibration and test, or k folds.

Groups come from the data, from the pairs of images of the same thing that the court has found (chains are cut, see
`linkage`), or from a file. They are dealt out whole (see `deal`); what would leak in spite of that is left out (see
`purge`). A published split can be kept instead, purged in the same way.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, model_validator

from flawscope import wording
from flawscope.data.deal import counted, deal_largest_first, deal_rarest_first, deviations
from flawscope.data.group_file import load_groups
from flawscope.data.groups import Grouping, identical_groups
from flawscope.data.linkage import copy_classes, limit_of, link, link_samples
from flawscope.data.purge import purge, told
from flawscope.data.table import ALONE
from flawscope.errors import SplitError, listing
from flawscope.records import PARTS, Pair, Part, Samples, Split, Twins

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
    twins: Literal["find", "identical"] = Field(
        default="find",
        description="find: images of the same thing are searched and kept together; identical: identical files only, "
        "and the split stays LEAK NOT CHECKED",
    )
    largest_group: float = Field(
        default=0.1, gt=0, le=1, description="chains of pairs are cut where a group would hold more of all images"
    )
    published: Literal["ignore", "keep"] = Field(
        default="ignore", description="keep: the split that the data came with, purged of what leaks"
    )
    file: Path | None = Field(default=None, description="a group file: groups and folds come from there")
    fold: int = Field(default=0, ge=0, description="with file, without --folds: the fold that is the test part")

    @model_validator(mode="after")
    def _something_to_train_on(self) -> SplitSpec:
        if self.train < 1e-6:
            total = self.validation + self.calibration + self.test
            raise ValueError(f"validation + calibration + test must be below 1 to leave some training, got {total:g}")
        if self.file is not None and self.published == "keep":
            raise ValueError("file and published: keep both say what the test part is: give one of them")
        if self.file is None and self.fold:
            raise ValueError("fold chooses a fold of a group file: it needs split.file; without one, set split.fold=0")
        return self

    @property
    def respected(self) -> Grouping:
        """Whether the groups of the data hold: not where they are forgotten or a file gives others."""
        return "none" if self.file is not None else self.groups

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


@dataclass(frozen=True)
class _Ground:
    """What is dealt: groups; what must not cross once they are dealt: pairs, and ids with the same key in `together`.

    `method` and `notes` say in words where the groups come from.
    """

    group: Mapping[str, str]
    pairs: tuple[Pair, ...]
    together: Mapping[str, str]
    method: str
    notes: tuple[str, ...] = ()
    checks: tuple[str, ...] = ()


def make_split(samples: Samples, spec: SplitSpec, twins: Twins | None = None) -> Split:
    """Split samples by groups, stratified on their label combinations; or as published; or as a group file says.

    Without `twins` only identical files are kept together, and the split is not checked.

    Raises:
        SplitError: fewer groups than parts, a part that nothing is left of, no published split, or a group file that
            does not fit.
    """
    if spec.published == "keep":
        return _published(samples, spec, twins)
    if spec.file is not None:
        folds = load_groups(spec.file).folds
        if spec.fold >= folds:
            raise SplitError(f"split.fold is {spec.fold}, {spec.file} has the folds 0 to {folds - 1}", "choose one")
        return _folds(samples, spec, folds, twins, only=spec.fold)[0]
    return make_parts(samples, spec, spec.wanted, twins)


def make_parts(samples: Samples, spec: SplitSpec, wanted: Mapping[Part, float], twins: Twins | None = None) -> Split:
    """Split samples by groups into these parts alone, by these shares; of `spec` only seed and groups count.

    Raises:
        SplitError: fewer groups than parts, a part that nothing is left of, or a group file that does not fit.
    """
    ground = _ground(samples, spec, twins)
    _enough(len(set(ground.group.values())), len(wanted), samples)
    dealt = _deal(samples, ground.group, wanted, spec, twins)
    part = {name: dealt[ground.group[name]] for name in ground.group}
    return _finished(samples, spec, ground, part, wanted)


def make_folds(samples: Samples, spec: SplitSpec, k: int, twins: Twins | None = None) -> list[Split]:
    """The k splits of a grouped cross-validation: each group is in the test part of exactly one.

    The test part of each is about 1/k of the samples; validation and calibration keep their share of the whole.

    Raises:
        SplitError: k is below 2 or not that of the group file, too few groups, or nothing left to train on.
    """
    if k < 2:
        raise SplitError(f"cross-validation needs at least 2 folds, got {k}", "ask for 5 or 10")
    if spec.published == "keep":
        raise SplitError(
            "a published split has one test part, so it cannot be kept in a cross-validation",
            "leave --folds out, or set split.published: ignore",
        )
    if spec.file is not None and load_groups(spec.file).folds != k:
        folds = load_groups(spec.file).folds
        raise SplitError(f"{spec.file} has {folds} folds, asked for were {k}", f"ask for {folds} folds")
    return _folds(samples, spec, k, twins)


def _folds(samples: Samples, spec: SplitSpec, k: int, twins: Twins | None, only: int | None = None) -> list[Split]:
    """All k folds, or one of them."""
    wanted: dict[Part, float] = {**spec.wanted, "test": 1 / k, "train": 1 - 1 / k - spec.validation - spec.calibration}
    if wanted["train"] < 1e-6:
        raise SplitError(
            f"{k} folds, {spec.validation:.0%} for validation and {spec.calibration:.0%} for calibration leave nothing "
            "to train on",
            "ask for more folds, or lower split.validation or split.calibration",
        )
    ground = _ground(samples, spec, twins)
    group = ground.group
    if spec.file is not None:
        fold_of = load_groups(spec.file).of(samples)[1]
    else:
        _enough(len(set(group.values())), k, samples)
        dealt_k = _deal(samples, group, {str(number): 1 / k for number in range(k)}, spec, twins)
        fold_of = {name: int(dealt_k[key]) for name, key in group.items()}
    rest_wanted: dict[Part, float] = {name: share for name, share in wanted.items() if name != "test"}
    folds = []
    for number in range(k) if only is None else [only]:
        rest = samples.select(name for name in group if fold_of[name] != number)
        _enough(len({group[row.id] for row in rest.rows}), len(rest_wanted), samples)
        dealt = _deal(rest, group, rest_wanted, spec, twins)
        part: dict[str, Part] = {name: dealt.get(group[name], "test") for name in group}
        folds.append(_finished(samples, spec, ground, part, wanted, fold=number, folds=k))
    return folds


def _published(samples: Samples, spec: SplitSpec, twins: Twins | None) -> Split:
    """The split that the data came with, purged; the parts that it lacks are dealt from its training part."""
    given = {row.id: row.published for row in samples.rows}
    whole: dict[str, Part] = {name: part for name, part in given.items() if part is not None}
    if len(whole) < len(given):
        raise SplitError(
            f"{samples.name}: {len(given) - len(whole)} of {len(given)} images have no part in a published split",
            "name it with data.part_column (a table) or data.part_level (folders), or set split.published: ignore",
        )
    if len(set(whole.values())) < 2 or "train" not in whole.values():
        raise SplitError(
            f"{samples.name}: the published split has only the parts {', '.join(sorted(set(whole.values())))}",
            "a training part and another one are needed: set split.published: ignore",
        )
    pairs = twins.pairs if twins else ()
    own = copy_classes(identical_groups(samples, spec.groups), pairs)
    out = purge(whole, pairs, own, "a copy, or the same group of the data")
    kept = samples.select(name for name in whole if name not in out)
    inside = [p for p in pairs if whole[p.a] == whole[p.b] and p.a not in out and p.b not in out]
    linked = link(identical_groups(kept, spec.groups), inside, limit_of(len(samples), spec.largest_group))
    lacking: list[Part] = ["train", *(name for name in PARTS if name not in whole.values())]
    shares = {name: spec.wanted[name] for name in lacking}
    rest = kept.select(row.id for row in kept.rows if row.published == "train")
    _enough(len({linked.group[row.id] for row in rest.rows}), len(shares), rest)
    dealt = _deal(rest, linked.group, shares, spec, twins)
    part = {**whole, **{row.id: dealt[linked.group[row.id]] for row in rest.rows}}
    size, scale = Counter(whole.values()), sum(shares.values())
    wanted: dict[Part, float] = {name: size[name] / len(samples) for name in PARTS}
    wanted |= {name: share / scale * size["train"] / len(samples) for name, share in shares.items()}
    dealt_words = f"; {', '.join(lacking[1:])} dealt from its training part" if lacking[1:] else ""
    ground = _Ground(
        group={**own, **linked.group},
        pairs=pairs,
        together=copy_classes(identical_groups(samples, "none"), pairs),
        method=f"the published split, purged of what leaks{dealt_words}; {_words(samples, spec)}",
        notes=(linked.words,) if twins else (),
        checks=(twins.method,) if twins else (),
    )
    return _finished(samples, spec, ground, part, wanted, out=out)


def _ground(samples: Samples, spec: SplitSpec, twins: Twins | None) -> _Ground:
    """The groups that are dealt, and what must not cross."""
    pairs = twins.pairs if twins else ()
    joined = f"images of the same thing joined ({twins.method})" if twins else "byte-identical files joined"
    notes: tuple[str, ...] = ()
    if spec.file is not None:
        content = load_groups(spec.file)
        group, words = content.of(samples)[0], f"groups and folds of {content.name} (hash {content.hash[:12]})"
    elif twins is None:
        group, words = identical_groups(samples, spec.groups), f"{_words(samples, spec)}; {joined}"
    else:
        linked = link_samples(samples, twins, spec.largest_group, spec.groups)
        group, words, notes = dict(linked.group), f"{_words(samples, spec)}; {joined}", (linked.words,)
    together = copy_classes(identical_groups(samples, "none"), pairs)
    checks = (twins.method,) if twins else ()
    return _Ground(group, pairs, together, f"{words}; stratified on label combinations", notes, checks)


def _words(samples: Samples, spec: SplitSpec) -> str:
    """Where the groups of the data come from."""
    by = samples.grouping if spec.groups == "data" else ALONE
    return by if by == ALONE else f"grouped by {by}"


def _deal(
    samples: Samples, group: Mapping[str, str], shares: Mapping[Name, float], spec: SplitSpec, twins: Twins | None
) -> dict[str, Name]:
    """The part of each group.

    Binary and multi-class data without a search for twins are dealt as ever: committed results name such splits.
    """
    if twins is None and samples.task.kind != "multilabel":
        return deal_largest_first(counted(samples, group), shares, spec.seed)
    return deal_rarest_first(counted(samples, group, single_labels=True), shares, spec.seed)


def _finished(
    samples: Samples,
    spec: SplitSpec,
    ground: _Ground,
    part: Mapping[str, Part],
    wanted: Mapping[Part, float],
    *,
    out: Mapping[str, str] | None = None,
    fold: int | None = None,
    folds: int | None = None,
) -> Split:
    """Leave out what would leak (`out` is out already), and say what came of it."""
    already = out or {}
    kept = {name: its for name, its in part.items() if name not in already}
    inside = [pair for pair in ground.pairs if pair.a in kept and pair.b in kept]
    out = {**already, **purge(kept, inside, ground.together)}
    kept = {name: its for name, its in part.items() if name not in out}
    lost = [name for name in wanted if name not in kept.values()]
    if lost:
        raise SplitError(
            f"{samples.name}: nothing is left of {', '.join(lost)} after {len(out)} images that would leak were left "
            "out",
            "look at the pairs with `flawscope audit`; if they are different things that only look alike, name the "
            "groups yourself (data.groups) and set split.twins: identical; if not, try another split.seed, raise "
            "split.largest_group, or add images of other things",
        )
    return Split(
        part=kept,
        group=ground.group,
        wanted={str(name): share for name, share in wanted.items()},
        seed=spec.seed,
        method=ground.method,
        checks=ground.checks,
        fold=fold,
        folds=folds,
        notes=(*ground.notes, *told(part, out), *deviations(samples, kept, wanted, ground.group)),
        left_out={name: out[name] for name in part if name in out},
    )


def _enough(found: int, needed: int, samples: Samples) -> None:
    if found < needed:
        raise SplitError(
            f"{samples.name}: {wording.counted(found, 'groups')} ({wording.counted(len(samples), 'images')}, "
            f"{samples.grouping}) cannot fill {needed} parts",
            "each part needs at least one group: add images of other parts, make the groups smaller, or ask for fewer "
            "folds",
        )


def check_split(split: Split, samples: Samples, twins: Twins | None = None, *, groups: Grouping = "data") -> None:
    """Prove that the split covers the samples, and that no group and no pair of twins crosses it.

    The groups are worked out anew from the samples that are in a part (the data's own, joined by byte-identical files;
    with `groups="none"` by the files alone); those that the split itself names are checked as well. Samples that are
    left out are in no part, so nothing can cross by them.

    Raises:
        SplitError: names the groups or pairs that cross, or the samples that are missing or unknown.
    """
    ids, known = {row.id for row in samples.rows}, set(split.group)
    missing, unknown = ids - known, known - ids
    if missing or unknown:
        lines = [f"not in the split: {name}" for name in sorted(missing)]
        lines += [f"not in the data: {name}" for name in sorted(unknown)]
        raise SplitError(
            f"the split does not fit the data ({len(missing)} samples missing from it, {len(unknown)} unknown):\n"
            + listing(lines),
            "the data have changed since the split was made: make a new split",
        )
    remedy = "images of the same thing on both sides make the numbers worthless: make a new split"
    crossing = _crossing(split, identical_groups(samples.select(split.part), groups)) | _crossing(split, split.group)
    if crossing:
        raise SplitError(
            f"{wording.counted(len(crossing), 'groups', 'cross')} the split:\n{listing(list(crossing))}", remedy
        )
    torn = [
        f"{pair.a} in {split.part[pair.a]}, {pair.b} in {split.part[pair.b]} ({pair.kind}, {pair.measure:.3f})"
        for pair in (twins.pairs if twins else ())
        if pair.a in split.part and pair.b in split.part and split.part[pair.a] != split.part[pair.b]
    ]
    if torn:
        raise SplitError(
            f"{wording.counted(len(torn), 'pairs')} of the same thing across the split:\n{listing(torn)}", remedy
        )


def _crossing(split: Split, group: Mapping[str, str]) -> dict[str, None]:
    """The groups that are in several parts, in words, each once."""
    parts: dict[str, Counter[str]] = {}
    for name, its in split.part.items():
        parts.setdefault(group[name], Counter())[its] += 1
    crossing: dict[str, None] = {}
    for key, count in parts.items():
        if len(count) > 1:
            where = ", ".join(f"{count[part]} in {part}" for part in PARTS if count[part])
            crossing[f"{key}: {where}"] = None
    return crossing
