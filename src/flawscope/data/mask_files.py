"""Which picture of a mask belongs to which image: beside it, or at the same place in a folder of their own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from flawscope.data.table import walk_images
from flawscope.errors import DataError
from flawscope.metadata import composed

SUFFIXES = (
    "",
    *(
        f"{mark}{word}"
        for word in ("mask", "masks", "label", "labels", "gt", "seg", "segmentation", "maske", "annotation")
        for mark in "_-. "
    ),
)
"""What the name of a mask may have beyond that of its image, if nothing else is said."""


@dataclass(frozen=True)
class MaskPairs:
    """Which mask belongs to which image; `without` are images that have none, `strays` masks that fit no image."""

    masks: dict[Path, Path]
    without: tuple[Path, ...]
    strays: tuple[Path, ...]


def pair_masks(images: Sequence[Path], root: Path, mask_root: Path | None = None, suffix: str = "") -> MaskPairs:
    """Find the mask of each image by its stem: beside it, or at the same place below `mask_root`.

    Beside the image a mask is a PNG, and no PNG is an image then. In a folder of their own masks may be any pictures,
    and so they may where a `suffix` tells them apart: the mask of a/1.png is a/1_mask.png. Case does not count.

    Raises:
        DataError: no such folder, two masks of one image, two images with one mask, or no mask at all.
    """
    pairs = _paired(images, root, mask_root, suffix)
    if not pairs.masks:
        where = "beside the images" if mask_root is None else f"in {mask_root}"
        raise DataError(f"no image of {len(images)} has a mask {where}", _remedy(images, root, mask_root, suffix))
    return pairs


def _paired(images: Sequence[Path], root: Path, mask_root: Path | None, suffix: str) -> MaskPairs:
    """As `pair_masks`; there may be no pair."""
    if mask_root is not None and not mask_root.is_dir():
        raise DataError(f"{mask_root}: the folder of masks does not exist", "name the folder of the masks")
    base = root if mask_root is None else mask_root
    pictures = set(images)
    found: dict[str, Path] = {}
    others = []  # beside the masks, and of another name: a second mask of an image must not be lost without a word
    for path in walk_images(base):
        if path in pictures:
            continue
        if not path.stem.casefold().endswith(suffix.casefold()):
            if mask_root is not None:
                others.append(path)
            continue
        if mask_root is None and not suffix and path.suffix.lower() != ".png":
            continue
        other = found.setdefault(_key(path, base).removesuffix(suffix.casefold()), path)
        if other != path:
            raise DataError(f"two masks of one name: {other} and {path}", "remove the one that does not count")
    masks: dict[Path, Path] = {}
    taken: dict[Path, Path] = {}
    without = []
    for image in images:
        mask = found.get(_key(image, root))
        if mask is None:
            without.append(image)
            continue
        if mask in taken:
            raise DataError(f"{mask} is the mask of two images: {taken[mask]} and {image}", "give them other names")
        masks[image], taken[mask] = mask, image
    strays = (*others, *(path for path in found.values() if path not in taken))
    return MaskPairs(masks, tuple(without), strays)


def _remedy(images: Sequence[Path], root: Path, mask_root: Path | None, suffix: str) -> str:
    """What to do where no image has a mask: the folder may hold nothing, or the names of masks another ending."""
    if mask_root is not None and next(walk_images(mask_root), None) is None:
        return f"{mask_root} holds no picture: name the folder of the masks (data.masks)"
    deeper = [] if mask_root is None else sorted(path for path in mask_root.iterdir() if path.is_dir())
    by_class = next((path for path in deeper if _pairs_with(images, root, path, suffix)), None)
    if by_class:
        return (
            f"masks of these images lie in folders of it, such as {by_class.name}: name that one (data.masks), or, if "
            "each folder is of one class, a table of codes (data.table), as the masks.csv that an inspection writes"
        )
    n, other = _most_pairs(images, root, mask_root)
    if n:
        why = "what the names of masks end in" if other else "as masks have the names of their images"
        return f"set data.suffix to {other!r}, {why}: then {n} would have one"
    return (
        f"a mask has the name of its image{f' and {suffix}' if suffix else ''}, and lies beside it (as PNG) or at "
        "the same place in the folder of masks (data.masks); data.suffix says what else its name has"
    )


def _most_pairs(images: Sequence[Path], root: Path, mask_root: Path | None) -> tuple[int, str]:
    """So many images have a mask with the ending with which most of them have one; and that ending."""
    stems = [path.stem.casefold() for path in walk_images(mask_root or root)]
    some = [suffix for suffix in SUFFIXES if any(stem.endswith(suffix) for stem in stems)]
    pairs = ((_pairs_with(images, root, mask_root, suffix), suffix) for suffix in some)
    return max(pairs, key=lambda each: each[0], default=(0, ""))


def _pairs_with(images: Sequence[Path], root: Path, mask_root: Path | None, suffix: str) -> int:
    """How many of the images have a mask with this ending; beside the masks, those with it are no images."""
    apart = mask_root is not None or not suffix
    try:
        some = [path for path in images if apart or not path.stem.casefold().endswith(suffix)]
        return len(_paired(some, root, mask_root, suffix).masks)
    except DataError:
        return 0


def best_suffix(images: Sequence[Path], root: Path, mask_root: Path | None = None) -> str:
    """What the names of the masks, beside the images or in a folder of their own, end in: what makes the most pairs.

    Raises:
        DataError: no mask there has the name of an image.
    """
    n, suffix = _most_pairs(images, root, mask_root)
    if not n:
        pair_masks(images, root, mask_root)  # says why
    return suffix


def named_like_masks(images: Sequence[Path]) -> dict[Path, Path]:
    """Those images whose name is that of another one in the same folder, and an ending that speaks of masks.

    >>> named_like_masks([Path("a/1.png"), Path("a/1-mask.png"), Path("b/2_mask.png")])
    {PosixPath('a/1-mask.png'): PosixPath('a/1.png')}
    """
    by_name = {(path.parent, composed(path.stem).casefold()): path for path in images}
    found = {}
    for (folder, name), path in by_name.items():
        of = next((name.removesuffix(end) for end in SUFFIXES if end and name.endswith(end)), None)
        if of is not None and (folder, of) in by_name:
            found[path] = by_name[folder, of]
    return found


def masks_among(pictures: Sequence[Path], root: Path, mask_root: Path) -> set[Path]:
    """Those of the pictures below `root` that are masks, as their folder is `root` itself or lies in it.

    Below a folder of their own all are. Beside the images a mask is a PNG with the name of another picture, or has a
    name that says so.
    """
    apart = mask_root.resolve()
    if apart != root.resolve():
        return {path for path in pictures if path.resolve().is_relative_to(apart)}
    images = {_key(path, root) for path in pictures if path.suffix.lower() != ".png"}
    twins = {path for path in pictures if path.suffix.lower() == ".png" and _key(path, root) in images}
    return twins | set(named_like_masks(pictures))


def _key(path: Path, root: Path) -> str:
    return composed(path.relative_to(root).with_suffix("").as_posix()).casefold()
