"""`flawscope challenge new`: a labelled set becomes a challenge: what is handed out, a public and a private test."""

from __future__ import annotations

import hashlib
import re
import secrets
import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args

import numpy as np
from pydantic import ValidationError

from flawscope.challenge.kit import Handed, write_kit, zip_kit
from flawscope.challenge.labels import IMAGES, Labels, labels_hash, part_hash, write_labels
from flawscope.challenge.pictures import write_neutral
from flawscope.challenge.spec import (
    FILE,
    PARTS,
    PROOF,
    STORE,
    Challenge,
    Metric,
    PartFacts,
    PartName,
    hidden,
    moment,
    save_challenge,
)
from flawscope.data.groups import contradictions
from flawscope.data.look import look, size_hint
from flawscope.data.progress import on_all_cores
from flawscope.data.read import read
from flawscope.data.split import SplitSpec, check_split, make_parts
from flawscope.errors import NAME_WORDS, DataError, OutputError, SplitError, UserError, choices, listing
from flawscope.records import Part, Sample, Samples, Split, Twins
from flawscope.steps.audit import is_recipe
from flawscope.steps.new_groups import SaidGroups
from flawscope.steps.split import Proven, proven
from flawscope.steps.workspace import Say, notices
from flawscope.storage import check_replaceable, check_writable, new_folder, write_json, write_text
from flawscope.wording import counted

PART_OF: dict[PartName, Part] = {"training": "train", "public": "validation", "private": "test"}
"""What the three parts are called in a split. An image that would leak is left out of the one that stands earlier."""
UNKNOWN = PartFacts(images=1, groups=1, hash="0" * 64)
LONGER_SIDE = 128
FEWEST = 10
"""Fewer groups of a class in a hidden part than this are told: its numbers would hang on few things."""


@dataclass(frozen=True)
class MadeChallenge:
    """The folder that was written, what the challenge is, the proof of its split, and what is to be known of it."""

    folder: Path
    challenge: Challenge
    proof: Mapping[str, Any]
    notes: tuple[str, ...]

    @property
    def kit(self) -> Path:
        """The starter kit, to be handed out."""
        return self.folder / f"{self.challenge.name}-starter-kit.zip"


def challenge_new(
    data: str | Path,
    output: str | Path | None = None,
    *,
    deadline: str,
    opens: str | None = None,
    title: str = "",
    licence: str = "",
    metric: str = "mean_f1",
    pass_mark: float = 0.6,
    daily: int = 5,
    ladder_step: float = 0.01,
    public: float = 0.2,
    private: float = 0.3,
    limits: Mapping[str, float] | None = None,
    seed: int | None = None,
    images: str | Path | None = None,
    group_pattern: str | None = None,
    group_column: str | None = None,
    group_block: int | None = None,
    group_block_by: str = "order",
    overrides: Sequence[str] = (),
    overwrite: bool = False,
    say: Say = lambda words: None,
) -> MadeChallenge:
    """Split a labelled set into data to hand out, a public and a private test; prove it, and write the starter kit.

    Args:
        data: a recipe (its data, groups and group file), class folders, a table of labels, or "elpv".
        output: the folder to write; by default challenges/NAME.
        deadline: the last moment, as 2027-03-01 (its end, UTC) or 2027-03-01T18:00Z.
        opens: the first moment; by default now.
        title: what participants read; by default the name of the folder.
        licence: of the images and labels that are handed out, for participants.
        metric: what ranks, see `challenge.spec.METRICS`.
        pass_mark: the least value of the metric that passes.
        daily: submissions a day and team.
        ladder_step: the board moves only by so much, see `challenge.ranking.ladder`; 0: it shows every best score.
        public: share of the images for the board.
        private: share of the images for the final ranking.
        limits: what a submission may take: bundle_mb, input_side, seconds_per_image, memory_mb; see `spec.Limits`.
        seed: fixes the split and the order of the images; by default nobody knows it beforehand.
        images: the folder of the images of a table that does not lie beside them.
        group_pattern: regular expression on the images' names: what its parentheses hold names the group.
        group_column: of a table: rows of equal value are one group.
        group_block: so many images in order are one group.
        group_block_by: order, of the table or of the files; or number, the last one in the file name, from 1.
        overrides: `key=value` on top of a recipe, such as `split.largest_group=0.05`.
        overwrite: replace a challenge that has no submissions yet.
        say: is told in words what goes on.

    Raises:
        UserError: an option means nothing, or the recipe forbids the search for leaks.
        DataError: data with masks, or with labels that make no challenge.
        SplitError: too few groups; or a class is missing in a part.
        OutputError: the folder exists and is no challenge without submissions or `overwrite` is off.
    """
    wanted = _shares(public, private)
    folder = Path(output) if output else Path("challenges") / _name(data)
    check_replaceable(folder, overwrite, kind="a challenge without submissions", ours=_unused)
    check_writable(folder)
    seed = secrets.randbelow(2**31) if seed is None else seed
    asked = {
        "name": folder.name, "title": title or folder.name, "metric": metric, "pass_mark": pass_mark, "daily": daily,
        "ladder_step": ladder_step, "licence": " ".join(licence.split()), "seed": seed,
        "deadline": moment(deadline, "--deadline", last=True),
        "opens": datetime.now(UTC) if opens is None else moment(opens, "--opens"),
        "limits": dict(limits or {}),
    }  # fmt: skip
    said = SaidGroups(group_pattern, group_column, group_block, group_block_by)
    samples, spec = _read(data, images, said, overrides)
    _challenge(samples, asked, dict.fromkeys(PARTS, UNKNOWN))  # what is wrong is said before the search for twins
    for words in notices(samples):
        say(words)

    def parts(twins: Twins) -> list[Split]:
        made = make_parts(samples, spec.model_copy(update={"seed": seed}), wanted, twins)
        check_split(made, samples, twins, groups=spec.respected)
        return [made]

    (split,) = proven(samples, parts, folder.parent / ".cache", say)
    notes = (*_check_classes(samples, split.split), *map(_renamed, split.split.notes), *contradictions(samples))
    with new_folder(folder, overwrite=overwrite) as beside:
        challenge = _write(beside, samples, split, asked, licence)
    folder.chmod(0o700)  # its proof, store, answers and strangers' bundles are nobody else's, either
    return MadeChallenge(folder, challenge, split.proof or {}, notes)


def _shares(public: float, private: float) -> dict[Part, float]:
    for option, share in (("--public", public), ("--private", private)):
        if not 0 < share < 1:
            raise UserError(f"{option} {share:g}: expected a share between 0 and 1", "20 % is 0.2")
    if public + private > 0.95:
        raise UserError(
            f"--public {public:g} and --private {private:g} leave {max(0.0, 1 - public - private):.0%} to hand out",
            "lower one of them: participants need images to learn from",
        )
    return {"train": 1 - public - private, "validation": public, "test": private}


def _name(data: str | Path) -> str:
    path = Path(data)
    stem = path.stem if path.suffix else (path.name or path.resolve().name)
    return re.sub(r"[^A-Za-z0-9._-]+", "-", stem).strip("-._") or "challenge"


def _unused(folder: Path) -> bool:
    return (folder / FILE).is_file() and not (folder / STORE).exists()


def _read(
    data: str | Path, images: str | Path | None, groups: SaidGroups, overrides: Sequence[str]
) -> tuple[Samples, SplitSpec]:
    """The samples, and how they are grouped."""
    if is_recipe(data):
        from flawscope.training.recipe import load_recipe

        recipe = load_recipe(data, overrides)
        if recipe.split.twins != "find":
            raise UserError(
                f"{data} says split.twins: {recipe.split.twins}, and a challenge that was not searched for leaks is "
                "decided by who finds them",
                "set split.twins: find",
            )
        found, spec = recipe.data, recipe.split
    elif overrides:
        raise UserError(
            f"{data} is no recipe: there is nothing to set",
            f"leave --set out, or make a recipe of it (flawscope new {shlex.quote(str(data))}) and take that",
        )
    else:
        found, spec = look(data, images, masks=False).spec, SplitSpec()
    samples = read(groups.blocks_in(groups.column_in(found)), Path.cwd())
    if samples.task.pixels:
        raise DataError(
            "the data have masks; expected labels of whole images: masks are not judged yet",
            "read the same images as class folders or as a table (data.kind: folders or csv)",
        )
    if groups.pattern is not None:
        samples, _ = groups.by_name(samples)
    return samples, spec


def _check_classes(samples: Samples, split: Split) -> list[str]:
    """Each class must be there and absent in each part, or a score could be 0/0; where it is rare, that is said.

    Raises:
        SplitError: names the parts and classes.
    """
    missing, notes = [], []
    for name, part in PART_OF.items():
        rows = samples.select(split.ids(part))
        for c, kind in enumerate(samples.task.classes):
            shown_n = rows.target_nk[:, c] >= 0.5
            for there_n, words in ((shown_n, f"shows {kind}"), (~shown_n, f"does not show {kind}")):
                if not there_n.any():
                    missing.append(f"{name}: no image {words}")
            groups = len({split.group[row.id] for row, there in zip(rows.rows, shown_n, strict=True) if there})
            if name != "training" and 0 < groups < FEWEST:
                where = counted(groups, "groups")
                notes.append(f"{name} holds {kind} in {where} only: its measures will have wide intervals")
    if missing:
        raise SplitError(
            f"not every class is in every part:\n{listing(missing)}",
            "add images of the rare classes, in groups of their own; or try another --seed or larger shares",
        )
    return notes


def _renamed(note: str) -> str:
    """A note on a split, its parts called as in the challenge.

    >>> _renamed("train: 3 of 9 images instead of 50 %")
    'training: 3 of 9 images instead of 50 %'
    """
    name_of: dict[str, str] = {part: name for name, part in PART_OF.items()}
    return re.sub(r"\b(train|validation|test)\b", lambda found: name_of[found[0]], note)


def _write(folder: Path, samples: Samples, split: Proven, asked: Mapping[str, Any], licence: str) -> Challenge:
    """Fill the folder of a challenge."""
    facts: dict[PartName, PartFacts] = {}
    sizes: Counter[tuple[int, int]] = Counter()
    modes: Counter[str] = Counter()
    sources = ["part;file;source;sha256"]
    for name in PARTS:
        place = folder / "handout" / "data" if name == "training" else hidden(folder, name)
        (place / IMAGES).mkdir(parents=True)
        rows = _shuffled(samples.select(split.split.ids(PART_OF[name])), f"{asked['seed']}/{name}")
        labels = _labels(rows, samples, split.split)
        targets = [place / IMAGES / file for file in labels.files]
        pairs = [(row.path, target) for row, target in zip(rows, targets, strict=True)]
        for size, mode in on_all_cores(_copied, pairs, f"writing the {name} images"):
            if name == "training":
                sizes[size] += 1
                modes[mode] += 1
        write_labels(place, labels, samples.task)
        hashes = {"hash": part_hash(labels, targets), "labels_hash": labels_hash(labels)}
        facts[name] = PartFacts(images=len(labels), groups=len(set(labels.groups)), **hashes)
        sources += [f"{name};{file};{row.id};{row.sha256}" for row, file in zip(rows, labels.files, strict=True)]
    challenge = _challenge(samples, asked, facts)
    save_challenge(challenge, folder)
    (folder / "hidden").chmod(0o700)
    write_text(folder / "hidden" / "sources.csv", "\n".join(sources) + "\n")
    write_json(folder / PROOF, _proof(split, facts))
    about = facts["training"]
    handed = Handed(about.images, about.groups, sizes, modes, size_hint(sizes, LONGER_SIDE), licence)
    write_kit(folder / "handout", challenge, handed)
    zip_kit(folder / "handout", folder / f"{challenge.name}-starter-kit.zip")
    return challenge


def _copied(pair: tuple[str, Path]) -> tuple[tuple[int, int], str]:
    return write_neutral(*pair)


def _shuffled(samples: Samples, words: str) -> list[Sample]:
    """The samples in an order that tells nothing, the same on every machine."""
    return sorted(samples.rows, key=lambda row: hashlib.sha256(f"{words}/{row.id}".encode()).digest())


def _labels(rows: list[Sample], samples: Samples, split: Split) -> Labels:
    """Labels under names of images and groups that tell nothing."""
    number: dict[str, str] = {}
    for row in rows:
        number.setdefault(split.group[row.id], f"g{len(number) + 1:05d}")
    target_nk = np.array([row.target for row in rows], dtype=np.float64)
    truth_nk = target_nk >= 0.5
    if samples.task.kind == "multiclass":
        truth_nk = target_nk.argmax(axis=1)[:, None] == np.arange(target_nk.shape[1])
    files = tuple(f"{place:05d}.png" for place in range(1, len(rows) + 1))
    return Labels(files, tuple(number[split.group[row.id]] for row in rows), truth_nk)


def _challenge(samples: Samples, asked: Mapping[str, Any], facts: Mapping[PartName, PartFacts]) -> Challenge:
    """The challenge, checked.

    Raises:
        UserError: an option means nothing.
    """
    task = samples.task
    try:
        return Challenge(kind=task.kind, classes=task.classes, negative=task.negative, parts=dict(facts), **asked)
    except ValidationError as error:
        first = error.errors()[0]
        key, said = str(first["loc"][-1]) if first["loc"] else "", {**asked, **asked["limits"]}
        words = str(first["msg"]).removeprefix("Value error, ")
        if key == "name":
            raise OutputError(f"a challenge cannot be called {asked['name']!r}", f"use {NAME_WORDS} (-o)") from None
        remedy = choices(str(said[key]), get_args(Metric)) if key == "metric" else "see: flawscope challenge new --help"
        option = f"--{key.replace('_', '-')} {said[key]}: " if key in said else ""
        raise UserError(f"{option}{words}", remedy) from None


def _proof(split: Proven, facts: Mapping[PartName, PartFacts]) -> dict[str, Any]:
    """The proof of the split, its parts called as in the challenge."""
    name_of: dict[str, str] = {part: name for name, part in PART_OF.items()}
    content = dict(split.proof or {})
    nearest = [
        {**pair, "part_a": name_of[pair["part_a"]], "part_b": name_of[pair["part_b"]]} for pair in content["nearest"]
    ]
    return {
        "schema": 1,
        "stamp": split.split.stamp,
        "parts": {name: each.model_dump() for name, each in facts.items()},
        **content,
        "nearest": nearest,
    }
