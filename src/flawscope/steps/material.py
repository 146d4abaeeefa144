"""What a network of a run learns from and is watched on: pictures with answers about them, or with masks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from flawscope.data.labels import truth
from flawscope.errors import RecipeError, choices
from flawscope.metadata import TableRow
from flawscope.records import PARTS, FloatArray, Part, Samples
from flawscope.steps.workspace import Run
from flawscope.training.input import ByRow, PartDataset, cached_pixels, loader, rows_of, some_pixels
from flawscope.training.losses import Loss, class_weights
from flawscope.training.mask_input import MaskDataset, TileDataset, cached_pictures, common_size, some_pictures
from flawscope.training.mask_losses import MaskLoss
from flawscope.training.mask_spec import MaskSpec
from flawscope.training.objective import Answers, Maps, Objective
from flawscope.training.sampling import likelihoods

if TYPE_CHECKING:
    from torch.utils.data import DataLoader

VALIDATED = 0.5
"""Of masks: at most so many pixels are validated for each that an epoch learns from, some 15 % of its time."""
LEAST_TILES = 64

Rows = Mapping[Part, Sequence[int]]


@dataclass(frozen=True)
class Material:
    """What is to be learnt, the batches to learn from, and those to watch."""

    objective: Objective
    train: DataLoader[Any]
    validation: DataLoader[Any]


def pixels_of(run: Run, rows: Rows) -> ByRow:
    """The decoded pictures of a run; of some parts only, if `rows` has no others.

    Raises:
        ImageError: an image cannot be decoded, or is not as large as its mask.
    """
    samples, spec = run.samples, run.recipe.image
    wanted = sorted(row for part in rows for row in rows[part])
    if tuple(rows) == PARTS:
        return (cached_pictures if samples.task.pixels else cached_pixels)(samples, spec, run.cache)
    return (some_pictures if samples.task.pixels else some_pixels)(samples, wanted, spec, run.cache)


def answers(run: Run, pixels: ByRow, rows: Rows, table_nm: TableRow | None) -> Material:
    """Pictures with answers about them."""
    samples, spec = run.samples, run.recipe.train
    soft_nk = learnt_targets(samples, spec.soft_labels)
    likely_n = _likelihoods(run, rows["train"])
    learn = PartDataset(
        pixels, soft_nk, rows["train"], spec.augment, spec.seed, table_nm=table_nm, likelihood_n=likely_n
    )
    watch = PartDataset(pixels, samples.target_nk, rows["validation"], None, spec.seed, table_nm=table_nm)
    weights_k = class_weights(samples.task, samples.target_nk[rows["train"]], spec.class_weights)
    loss = Loss(samples.task, weights_k, spec.loss, gamma=spec.focal_gamma, smoothing=spec.label_smoothing)
    return Material(
        Answers(samples.task, loss),
        loader(learn, spec.batch_size, spec.workers),
        loader(watch, 2 * spec.batch_size, spec.workers),
    )


def maps(run: Run, pixels: ByRow, rows: Rows) -> Material:
    """Pictures with masks: pieces to learn from, and tiles as the exported graph will see them."""
    samples, spec, size = run.samples, run.recipe.train, run.recipe.image.size
    asked = run.recipe.masks or MaskSpec()
    learn = MaskDataset(
        pixels, samples, rows["train"], augment=spec.augment, pieces=asked.pieces, seed=spec.seed,
        likelihood_n=_likelihoods(run, rows["train"]),
    )  # fmt: skip
    learnt = np.prod(learn.size)
    most = max(LEAST_TILES, int(VALIDATED * len(learn) * learnt / np.prod(size)))
    watch = TileDataset(pixels, samples, rows["validation"], size, most=most)
    at_once = max(1, int(2 * spec.batch_size * learnt / np.prod(size)))
    return Material(
        Maps(loss_of(run)), loader(learn, spec.batch_size, spec.workers), loader(watch, at_once, spec.workers)
    )


def loss_of(run: Run) -> MaskLoss:
    """The loss of the masks, as the recipe asks for it."""
    task = run.samples.task
    return MaskLoss((run.recipe.masks or MaskSpec()).loss, len(task.classes), exclusive=task.pixels == "multiclass")


def check_masks(run: Run) -> None:
    """That masks can be learnt as the recipe asks, before anything is trained.

    Raises:
        RecipeError: the loss does not fit the task, or whole pictures of several sizes are to stand in one batch.
    """
    loss_of(run)
    if (run.recipe.masks or MaskSpec()).pieces is None:
        common_size(run.samples, rows_of(run.samples, run.split.ids("train")))


def _likelihoods(run: Run, rows: Sequence[int]) -> Any:
    """How likely each training image is to be drawn."""
    samples = run.samples
    groups = [run.split.group[samples.rows[row].id] for row in rows]
    return likelihoods(run.recipe.train.sampling, samples.target_nk[rows] >= 0.5, groups)


def learnt_targets(samples: Samples, column: str | None) -> FloatArray:
    """What is learnt, n x k: the labels, or the numbers of a metadata column as they are.

    Raises:
        RecipeError: there is no such column, or it holds something else than numbers from 0 to 1.
    """
    if column is None:
        return samples.target_nk
    if samples.task.kind != "binary":
        raise RecipeError(f"train.soft_labels: a column stands for one class, this task is {samples.task.kind}")
    values = []
    for row in samples.rows:
        if column not in row.meta:
            names = dict.fromkeys(name for each in samples.rows for name in each.meta)
            raise RecipeError(
                f"train.soft_labels: {row.id} has no {column!r}",
                f"{choices(column, names) if names else 'these data bring no metadata'}. Of a table the recipe must "
                f"name the column: data.meta_columns: [{column}]",
            )
        value = truth(str(row.meta[column]))
        if value is None:
            raise RecipeError(f"train.soft_labels: {column} of {row.id} is {row.meta[column]!r}, expected 0 to 1")
        values.append(value)
    return np.array(values)[:, None]
