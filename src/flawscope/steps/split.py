"""`flawscope split`: which sample is for training, validation, calibration and test."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from flawscope.data.group_file import load_groups
from flawscope.data.split import check_split, make_folds, make_split
from flawscope.data.split_file import save_split
from flawscope.errors import OutputError, SplitError, UserError, listing
from flawscope.records import Pair, Samples, Split, Twins
from flawscope.steps.workspace import Say, samples_of
from flawscope.storage import check_writable, write_json
from flawscope.training.recipe import Recipe, load_recipe
from flawscope.wording import counted

ROUNDS = 50
"""How often splits are made again with what the proof found.

Where hundreds of images are much alike, as castings are, those that leave have hidden others from the proof: each
time a few pairs more come up. The first round is the dear one: what it has looked up is kept.
"""


@dataclass(frozen=True)
class Proven:
    """A split, and the proof that nothing crosses it as plain data; none where twins were not searched for."""

    split: Split
    proof: Mapping[str, Any] | None = None

    def save(self, folder: Path) -> None:
        """Write proof.json, where there is a proof, and split.json, which says that both are there."""
        if self.proof is not None:
            write_json(folder / "proof.json", self.proof)
        save_split(self.split, folder / "split.json")


def split(
    recipe: str | Path | Recipe,
    output: str | Path | None = None,
    *,
    folds: int | None = None,
    overrides: Sequence[str] = (),
    overwrite: bool = False,
    say: Say = lambda words: None,
) -> list[Split]:
    """Split the samples of a recipe by groups and prove that no group and no image of the same thing crosses.

    Args:
        recipe: a recipe or its file.
        output: a JSON file for one split, a folder for folds; none writes nothing. What the search finds is kept in
            .cache beside it, so that another split of the same images is made in half the time.
        folds: as many splits as this, each sample in the test part of exactly one.
        overrides: `key=value` on top of the recipe.
        overwrite: replace split files that exist.
        say: is told in words what is to be known about the data.

    Returns: one split, or one for each fold.

    Raises:
        RecipeError, DataError, SplitError, OutputError: see there.
    """
    if isinstance(recipe, Recipe) and overrides:
        raise UserError("overrides need the recipe as a file", "pass a path, or change the recipe itself")
    if output is not None and not folds and Path(output).suffix != ".json":
        raise OutputError(f"{output} is no name for a split", "name a .json file")
    files: list[Path] = []
    if output is not None:
        files = [Path(output) / f"fold-{k}.json" for k in range(folds)] if folds else [Path(output)]
    for file in files:
        if file.exists() and not overwrite:  # runs may have been made with it
            raise OutputError(f"{file} exists already", "choose another name (-o), or replace it with --overwrite")
        check_writable(file)  # noticed now and not after the search
    asked = recipe if isinstance(recipe, Recipe) else load_recipe(recipe, overrides)
    samples = samples_of(asked, say)
    cache = Path(output).parent / ".cache" if output is not None else None
    splits = [each.split for each in split_samples(asked, samples, folds, cache, say)]
    if files:
        for file, made in zip(files, splits, strict=True):
            save_split(made, file)
    return splits


def split_samples(
    recipe: Recipe,
    samples: Samples,
    folds: int | None = None,
    cache: Path | None = None,
    say: Say = lambda words: None,
) -> list[Proven]:
    """Split samples that have been read already, and prove each split; see `split`.

    `cache` keeps what the search for twins has found. The proof reads the image files anew. What it finds across a
    split that the search did not is added to the pairs, and the splits are made again. `say` is told what goes on, for
    where no progress bar is shown.

    Raises:
        SplitError: see `flawscope.data.split`; or pairs still cross after that.
    """
    spec = recipe.split
    if spec.file is not None:
        load_groups(spec.file).of(samples)  # images that it does not name are told before the search
    if spec.twins != "find":
        return [Proven(made) for made in _made(samples, recipe, folds, None)]
    return proven(samples, lambda twins: _made(samples, recipe, folds, twins), cache, say)


def proven(
    samples: Samples,
    made: Callable[[Twins], Sequence[Split]],
    cache: Path | None = None,
    say: Say = lambda words: None,
) -> list[Proven]:
    """The splits that `made` makes of the pairs of images of the same thing, each with its proof; see `split_samples`.

    Raises:
        SplitError: those of `made`; or pairs still cross after many rounds.
    """
    from flawscope.data.court.proof import Prover, proof_document

    twins = search(samples, cache, say)
    say(f"{counted(len(twins.pairs), 'pairs')} of the same thing found; reading the images anew to prove the split")
    prover = Prover.of(samples)
    for _ in range(ROUNDS):
        splits = made(twins)
        found = [prover.crossing(each) for each in splits]
        more = {(pair.a, pair.b): pair for each in found for pair in each.pairs}
        if not more:
            remark = (f"leak check: {twins.facts['note']}",) if twins.facts.get("note") else ()
            splits = [replace(each, notes=(*each.notes, *remark)) for each in splits]
            return [
                Proven(each, proof_document(each, crossing, twins.facts, twins.pairs))
                for each, crossing in zip(splits, found, strict=True)
            ]
        twins = replace(twins, pairs=(*twins.pairs, *more.values()))
    raise SplitError(
        f"{counted(len(more), 'pairs')} of images of the same thing still across the split:\n{_lines(more.values())}",
        "this should not happen: please report it; another split.seed may help",
    )


def proven_again(split: Split, recipe: Recipe, samples: Samples) -> Proven:
    """A split from a file, proven on the images; where the recipe does not search for twins, as one not checked.

    What the file says of checks does not count: the stamp says what was done in this run.

    Raises:
        SplitError: pairs of images of the same thing cross it.
    """
    if recipe.split.twins != "find":
        return Proven(replace(split, checks=()))
    check_split(split, samples, groups=recipe.split.respected)
    from flawscope.data.court.proof import Prover, proof_document
    from flawscope.data.court.verdict import METHOD

    prover = Prover.of(samples)
    crossing = prover.crossing(split)
    if crossing.pairs:
        raise SplitError(
            f"{counted(len(crossing.pairs), 'pairs')} of images of the same thing across the split:\n"
            + _lines(crossing.pairs),
            "make a new split, or set split.twins: identical and be stamped LEAK NOT CHECKED",
        )
    split = replace(split, checks=(METHOD,))
    return Proven(split, proof_document(split, crossing, prover.judge.facts()))


def _lines(pairs: Iterable[Pair]) -> str:
    return listing(
        [f"{pair.a} and {pair.b} ({pair.kind}, {pair.measure:.3f}, needed {pair.needed:.3f})" for pair in pairs]
    )


def _made(samples: Samples, recipe: Recipe, folds: int | None, twins: Twins | None) -> list[Split]:
    spec = recipe.split
    splits = make_folds(samples, spec, folds, twins) if folds is not None else [make_split(samples, spec, twins)]
    for made in splits:
        check_split(made, samples, twins, groups=spec.respected)
    return splits


def search(samples: Samples, cache: Path | None, say: Say = lambda words: None) -> Twins:
    """The pairs of images of the same thing; a cache that cannot be written to is done without, and `say` told so.

    The court's packages are imported only here.
    """
    from flawscope.data.court.verdict import find_twins

    if cache is not None:
        try:
            check_writable(cache / "twins.json")
        except OutputError:
            say(f"warning: {cache} cannot be written to: what the search finds is not kept for the next time")
            cache = None
    return find_twins(samples, cache=cache)
