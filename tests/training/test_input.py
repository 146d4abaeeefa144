"""What the network is fed with. Shapes: c channels, h x w pixels, n rows, k score columns."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

import flawscope.training.input as module
from flawscope.errors import ImageError, RecipeError
from flawscope.preprocess import Preprocess, load
from flawscope.records import Samples
from flawscope.training.augment import augmentation
from flawscope.training.input import PartDataset, cached_pixels, loader, rows_of, statistics
from flawscope.training.sampling import draw_seed, likelihoods
from flawscope.training.spec import Augment

MakeSamples = Callable[..., Samples]
SPEC = Preprocess(size=(8, 12), channels=1)
NOTHING = Augment(flip_horizontal=False, flip_vertical=False, brightness=0)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def changes(image: Tensor, draws: int = 60, **asked: Any) -> set[tuple[int, ...]]:
    """What a change makes of an image, as flat pixels, over many draws."""
    change = augmentation(NOTHING.model_copy(update=asked))
    torch.manual_seed(0)
    made = [change(image) for _ in range(draws)]
    assert all(each.shape == image.shape and each.dtype == image.dtype for each in made)
    return {tuple(each.flatten().tolist()) for each in made}


def flat(*images: Tensor) -> set[tuple[int, ...]]:
    return {tuple(image.flatten().tolist()) for image in images}


@pytest.mark.parametrize("dtype", [torch.uint8, torch.uint16])
def test_flips_and_quarter_turns_move_pixels_and_change_none(dtype: torch.dtype) -> None:
    square = torch.arange(9).reshape(1, 3, 3).to(dtype)
    wide = torch.arange(6).reshape(1, 2, 3).to(dtype)
    assert changes(wide) == flat(wide)
    assert changes(wide, flip_horizontal=True) == flat(wide, wide.flip(-1))
    assert changes(wide, flip_vertical=True) == flat(wide, wide.flip(-2))
    assert changes(square, quarter_turns=True) == flat(*(torch.rot90(square, n, (-2, -1)) for n in range(4)))
    assert changes(wide, quarter_turns=True) == flat(wide, torch.rot90(wide, 2, (-2, -1)))


@pytest.mark.parametrize(("dtype", "top"), [(torch.uint8, 255), (torch.uint16, 65535)])
def test_brightness_is_one_factor_for_the_whole_image(dtype: torch.dtype, top: int) -> None:
    image = torch.tensor([0, top // 4, top // 2, top], dtype=dtype).reshape(1, 2, 2)
    made = torch.tensor(sorted(changes(image, brightness=0.2)), dtype=torch.float64)
    factor = made[:, 2:3] / (top // 2)
    assert 0.79 < factor.min() < 0.9
    assert 1.1 < factor.max() < 1.21
    assert torch.all((made - (image.flatten() * 1.0 * factor).clamp(max=top)).abs() <= 2)


def test_rotation_stays_within_its_degrees() -> None:
    image = torch.zeros(1, 41, 41, dtype=torch.uint8)
    image[0, 20, 33] = image[0, 20, 20] = 255
    for made in changes(image, rotate=10):
        pixels = torch.tensor(made).reshape(41, 41).double()
        assert pixels[20, 20] > 128  # the centre stays
        pixels[15:26, 15:26] = 0
        y, x = (pixels.sum(1 - axis) @ torch.arange(41.0).double() / pixels.sum() - 20 for axis in (0, 1))
        assert abs(torch.atan2(y, x).rad2deg()) < 11
    assert len(changes(image, rotate=10)) > 20


def warped(image: Tensor, **asked: Any) -> Tensor:
    """One draw of a warp that has no choice: what it makes of an image."""
    torch.manual_seed(0)
    made: Tensor = augmentation(NOTHING.model_copy(update=asked))(image)
    return made


@pytest.mark.parametrize("dtype", [torch.uint8, torch.uint16])
def test_zooms_of_height_and_width_are_drawn_apart(dtype: torch.dtype) -> None:
    image = torch.arange(32).repeat(24, 1)[None].to(dtype)  # column numbers, 24 high and 32 wide
    twice = warped(image, zoom=(2.0, 2.0))
    # width 32, twice as large: columns 7.75 to 23.25 are left
    assert twice.dtype == dtype and twice.shape == image.shape
    assert (int(twice[0, 5, 0]), int(twice[0, 5, 16]), int(twice[0, 5, 31])) == (8, 16, 23)
    torch.manual_seed(1)
    change = augmentation(NOTHING.model_copy(update={"zoom": (0.5, 2.0)}))
    tall = torch.zeros(1, 65, 65, dtype=torch.uint8)
    tall[:, 22:43, 22:43] = 255
    sides = {((made := change(tall) > 127).any(2).sum().item(), made.any(1).sum().item()) for _ in range(30)}
    assert any(abs(height - width) > 10 for height, width in sides)
    assert all(10 <= side <= 43 for pair in sides for side in pair)


def test_what_comes_in_at_a_border_repeats_it() -> None:
    image = torch.full((1, 20, 20), 200, dtype=torch.uint8)
    assert torch.equal(warped(image, rotate=45.0, shear=20.0, shift=0.3, zoom=(0.3, 0.5)), image)


def test_a_shear_moves_rows_against_each_other_and_a_turn_keeps_lengths() -> None:
    line = torch.zeros(1, 81, 81, dtype=torch.uint8)
    line[0, :, 39:42] = 255
    seen = set()
    for made in changes(line, draws=40, shear=30.0):
        rows = torch.tensor(made).reshape(81, 81).double()
        at = (rows[[20, 60]] @ torch.arange(81.0).double()) / rows[[20, 60]].sum(1)
        seen.add(round(float(torch.atan((at[1] - at[0]) / 40).rad2deg())))
    assert -31 <= min(seen) < -15 and 15 < max(seen) <= 31
    dot = torch.zeros(1, 41, 81, dtype=torch.uint8)  # not square: a turn must not stretch
    dot[0, 20, 58:61] = dot[0, 19:22, 59] = 255
    for made in changes(dot, draws=20, rotate=90.0):
        weight = torch.tensor(made).reshape(41, 81).double()
        if weight.sum() > 1000:
            y, x = torch.meshgrid(torch.arange(41.0).double() - 20, torch.arange(81.0).double() - 40, indexing="ij")
            reach = torch.hypot((weight * y).sum(), (weight * x).sum()) / weight.sum()
            assert reach == pytest.approx(19, abs=0.7)


def test_crops_and_shifts_stay_within_their_shares() -> None:
    ramp = (torch.arange(100).repeat(4, 1) * 2)[None].to(torch.uint8)
    for made in changes(ramp, draws=40, crop=0.8):
        row = torch.tensor(made).reshape(4, 100)[1]
        assert 0.78 < (row[99] - row[0]) / 198 <= 1.0, "at least four fifths, and nothing from beyond the border"
    for made in changes(ramp, draws=40, shift=0.1):
        assert abs(int(torch.tensor(made).reshape(4, 100)[1, 50]) - 100) <= 20


@pytest.mark.parametrize("policy", ["trivial", "rand"])
def test_policies_change_grey_and_colour(policy: str) -> None:
    for channels in (1, 3):
        image = torch.randint(0, 256, (channels, 32, 32), dtype=torch.uint8)
        assert len(changes(image, draws=20, policy=policy)) > 5
    with pytest.raises(RecipeError, match="8 bits only, got 16"):
        augmentation(NOTHING.model_copy(update={"policy": policy}), 16)


def images(n: int) -> np.ndarray[Any, Any]:
    return np.random.default_rng(0).integers(0, 256, (n, 1, 8, 8), dtype=np.uint8)


def test_draws_depend_on_seed_epoch_and_row_alone() -> None:
    pixels, target_nk = images(6), np.zeros((6, 1))

    def drawn(
        order: list[int], seed: int = 0, epoch: int = 1, rows: tuple[int, ...] = (0, 1, 2, 3, 4, 5)
    ) -> dict[int, Tensor]:
        dataset = PartDataset(pixels, target_nk, rows, Augment(quarter_turns=True), seed)
        dataset.epoch = epoch
        torch.manual_seed(99)
        return {rows[index]: dataset[index][0] for index in order}

    def same(one: dict[int, Tensor], other: dict[int, Tensor]) -> bool:
        return all(torch.equal(one[row], other[row]) for row in one.keys() & other.keys())

    usual = drawn([0, 1, 2, 3, 4, 5])
    assert same(usual, drawn([5, 3, 3, 0, 1, 2, 4]))
    assert same(usual, drawn([0, 1], rows=(4, 2)))
    assert not same(usual, drawn([0, 1, 2, 3, 4, 5], seed=1))
    assert not same(usual, drawn([0, 1, 2, 3, 4, 5], epoch=2))


def test_drawing_leaves_the_callers_random_numbers_alone() -> None:
    dataset = PartDataset(images(1), np.zeros((1, 1)), [0], Augment(), 0)
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    dataset[0]
    assert torch.equal(torch.rand(1), expected)


def test_seeds_of_draws_are_different() -> None:
    seeds = {draw_seed(seed, epoch, row) for seed in range(5) for epoch in range(5) for row in range(-2, 20)}
    seeds |= {draw_seed(0, 1, row, again) for row in range(20) for again in range(1, 4)}
    assert len(seeds) == 5 * 5 * 22 + 60
    assert all(0 <= seed < 2**63 for seed in seeds)


def test_batches_of_training_and_validation() -> None:
    pixels, target_nk = images(9), np.arange(9.0)[:, None] / 9

    def order(augment: Augment | None, epoch: int = 1, rows: int = 9) -> list[list[int]]:
        dataset = PartDataset(pixels, target_nk, range(rows), augment, 0)
        dataset.epoch = epoch
        return [(9 * target_bk).flatten().round().int().tolist() for _, target_bk in loader(dataset, 4, 0)]

    assert order(None) == [[0, 1, 2, 3], [4, 5, 6, 7], [8]]
    first, second = order(NOTHING), order(NOTHING, epoch=2)
    assert [len(batch) for batch in first] == [4, 4]  # a single image is left out: batch norm cannot learn from it
    assert first == order(NOTHING) != second
    assert sorted(chain(*order(NOTHING, rows=8))) == list(range(8))
    assert [len(batch) for batch in order(NOTHING, rows=7)] == [4, 3]


def test_balanced_draws_show_every_combination_alike() -> None:
    target_nk = np.array([[1.0, 0.0]] * 2 + [[1.0, 0.7]] * 8 + [[0.0, 0.2]] * 90)
    likely_n = likelihoods("balanced", target_nk >= 0.5, "g" * 100)
    assert likely_n is not None and likely_n[[0, 2, 10]].tolist() == pytest.approx([1 / 6, 1 / 24, 1 / 270])
    dataset = PartDataset(images(100), target_nk, range(100), NOTHING, 0, likelihood_n=likely_n)
    drawn: list[tuple[float, ...]] = []
    for dataset.epoch in range(1, 31):
        drawn += [tuple(row.tolist()) for _, target_bk in loader(dataset, 10, 0) for row in target_bk]
    assert len(drawn) == 3000
    share = [sum(row[0] == 1 and row[1] == second for row in drawn) / 3000 for second in (0.0, np.float32(0.7))]
    assert share == pytest.approx([1 / 3, 1 / 3], abs=0.03)
    dataset.epoch = 1
    assert drawn[:100] == [tuple(r.tolist()) for _, b in loader(dataset, 10, 0) for r in b]


def test_draws_of_classes_show_each_class_alike_however_rare_a_combination() -> None:
    # 20 cracked, 10 inactive of which two are not cracked, 72 that show nothing.
    truth_nk = np.array([[True, False]] * 12 + [[True, True]] * 8 + [[False, True]] * 2 + [[False, False]] * 72)
    likely_n = likelihoods("classes", truth_nk, "g" * 94)
    assert likely_n is not None and float(likely_n.sum()) == pytest.approx(1)
    expected = [1 / 20 / 3, (1 / 20 + 1 / 10) / 3, 1 / 10 / 3, 1 / 72 / 3]
    assert likely_n[[0, 12, 20, 22]].tolist() == pytest.approx(expected)
    each = likelihoods("balanced", truth_nk, "g" * 94)
    assert each is not None and float(each[20:22].sum()) == pytest.approx(1 / 4)
    assert float(likely_n[20:22].sum()) == pytest.approx(2 / 10 / 3)


@pytest.mark.parametrize(
    "truth_nk", [np.array([[True]] * 3 + [[False]] * 7), np.eye(3, dtype=bool)[[0, 0, 1, 2, 2, 2]]]
)
def test_where_classes_exclude_each_other_draws_of_classes_are_balanced_ones(truth_nk: Any) -> None:
    first, second = (likelihoods(sampling, truth_nk, "g" * len(truth_nk)) for sampling in ("balanced", "classes"))
    assert first is not None and second is not None
    assert first.tolist() == pytest.approx(second.tolist())


def test_draws_of_groups_show_each_group_of_a_combination_alike() -> None:
    target_nk = np.array([[1.0]] * 20 + [[0.0]] * 80)
    group_n = ["a"] * 19 + ["b"] + ["a"] * 40 + ["c"] * 38 + ["d"] * 2
    likely_n = likelihoods("groups", target_nk >= 0.5, group_n)
    assert likely_n is not None and float(likely_n.sum()) == pytest.approx(1)
    dataset = PartDataset(images(100), target_nk, range(100), NOTHING, 0, likelihood_n=likely_n)
    drawn: Counter[str] = Counter()
    for dataset.epoch in range(1, 31):
        places = [place % 100 for batch in loader(dataset, 10, 0).batch_sampler for place in batch]  # type: ignore[union-attr]
        drawn.update(f"{group_n[place]}{int(target_nk[place, 0])}" for place in places)
    # A fifth of the draws are of the label, as of the images; each group in it as likely, however large it is.
    share = {"a1": 0.1, "b1": 0.1, "a0": 0.8 / 3, "c0": 0.8 / 3, "d0": 0.8 / 3}
    assert {name: count / 3000 for name, count in drawn.items()} == pytest.approx(share, abs=0.03)


def test_an_image_that_is_drawn_again_is_changed_anew() -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (30, 1, 12, 12)).astype(np.uint8)
    target_nk = np.eye(30)[:, :1]
    likely_n = likelihoods("balanced", target_nk >= 0.5, "g" * 30)
    dataset = PartDataset(pixels, target_nk, range(30), Augment(brightness=0.5, rotate=30), 0, likelihood_n=likely_n)
    dataset.epoch = 1

    def rare() -> list[bytes]:
        batches = loader(dataset, 9, 0)
        return [image.numpy().tobytes() for x, t in batches for image, target in zip(x, t, strict=True) if target == 1]

    seen = rare()  # of the one image with the label, drawn as often as all the others together
    assert len(set(seen)) == len(seen) > 2
    assert seen == rare()
    assert seen[0] in {dataset[0][0].numpy().tobytes()}  # the first draw is that of an epoch without balancing


@pytest.mark.parametrize(("dtype", "most"), [(np.uint8, 255), (np.uint16, 65535)])
def test_statistics_of_each_channel(dtype: Any, most: int) -> None:
    pixels = np.random.default_rng(0).integers(0, most, (200, 2, 5, 4)).astype(dtype)
    pixels[:, 1] = 7
    rows = list(range(10, 150))  # more than one block
    mean, std = statistics(pixels, rows)
    wanted = pixels[rows, 0] / most
    assert mean == pytest.approx([wanted.mean(), 7 / most])
    assert std == pytest.approx([wanted.std(), 1 / most]), "what never changes is not divided by 0"


def test_rows_of_a_part_in_table_order(make_samples: MakeSamples) -> None:
    assert rows_of(make_samples(5), ["4.png", "1.png"]) == [1, 4]


# --- the cache --------------------------------------------------------------------------------------------------


def counted(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    calls: list[Any] = []

    def count(source: Any, spec: Preprocess) -> Any:
        calls.append(source)
        return load(source, spec)

    monkeypatch.setattr(module, "load", count)
    return calls


def test_images_are_decoded_once_and_again_when_anything_changes(
    make_samples: MakeSamples, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls, samples = counted(monkeypatch), make_samples(5)
    pixels = cached_pixels(samples, SPEC, tmp_path / "cache")
    assert (pixels.shape, pixels.dtype, len(calls)) == ((5, 1, 8, 12), np.uint8, 5)
    assert all(np.array_equal(pixels[i], load(row.path, SPEC)) for i, row in enumerate(samples.rows))
    assert not isinstance(pixels, np.memmap)
    monkeypatch.setattr(module, "IN_MEMORY", 0)
    mapped = cached_pixels(samples, SPEC, tmp_path / "cache")
    assert isinstance(mapped, np.memmap)
    assert np.array_equal(mapped, pixels)
    cached_pixels(samples, SPEC, tmp_path / "cache")
    assert len(calls) == 5
    cached_pixels(samples, SPEC.model_copy(update={"depth": 16}), tmp_path / "cache")
    assert len(calls) == 10
    cached_pixels(make_samples(5, seed=1), SPEC, tmp_path / "cache")
    assert len(calls) == 15
    cached_pixels(samples.select(["0.png", "1.png"]), SPEC, tmp_path / "cache")
    assert len(calls) == 17
    assert len(names(tmp_path / "cache")) == 4


def test_grey_images_are_kept_as_one_channel_and_seen_as_three(
    make_samples: MakeSamples, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    samples, spec, cache = make_samples(5), SPEC.model_copy(update={"channels": 3}), tmp_path / "cache"
    pixels = cached_pixels(samples, spec, cache)
    assert pixels.shape == (5, 3, 8, 12)
    assert all(np.array_equal(pixels[i], load(row.path, spec)) for i, row in enumerate(samples.rows))
    (kept,) = cache.iterdir()
    assert kept.name.endswith("-grey.npy") and np.load(kept).shape == (5, 1, 8, 12)
    image, _ = PartDataset(pixels, samples.target_nk, [0, 1], None, 0)[1]
    assert image.is_contiguous() and image.numpy().tolist() == load(samples.rows[1].path, spec).tolist()
    calls = counted(monkeypatch)
    Image.new("RGB", (12, 8), (10, 20, 30)).save(samples.rows[3].path)
    changed = replace(samples, rows=(*samples.rows[:4], replace(samples.rows[4], sha256="other")))
    coloured = cached_pixels(changed, spec, cache)
    assert coloured[3, :, 0, 0].tolist() == [10, 20, 30] and coloured.flags.writeable
    assert np.array_equal(coloured[:3], pixels[:3]) and coloured.shape == pixels.shape
    assert len(list(cache.iterdir())) == 2
    n = len(calls)
    cached_pixels(changed, spec, cache)
    assert len(calls) == n > 5  # some to find the colour, then all


def test_an_image_that_has_vanished_leaves_no_cache(make_samples: MakeSamples, tmp_path: Path) -> None:
    samples = make_samples(5)
    Path(samples.rows[3].path).unlink()
    with pytest.raises(ImageError, match=r"3.png: the file does not exist"):
        cached_pixels(samples, SPEC, tmp_path / "cache")
    assert names(tmp_path / "cache") == []


def test_a_disk_that_fills_up_while_decoding(make_samples: MakeSamples, tmp_path: Path) -> None:
    """In a file system of 256 KB, in a mount namespace of its own."""
    make_samples(1)
    (tmp_path / "small").mkdir()
    mount = [
        "unshare",
        "-rm",
        "sh",
        "-c",
        'mount -t tmpfs -o size=256k none "$0" && exec "$@"',
        str(tmp_path / "small"),
    ]
    if not shutil.which("unshare") or subprocess.run([*mount, "true"], capture_output=True, check=False).returncode:
        pytest.skip("this machine lets nobody mount a small file system")
    code = (
        "import sys; from pathlib import Path\n"
        "from flawscope.errors import OutputError; from flawscope.preprocess import Preprocess\n"
        "from flawscope.records import Sample, Samples, Task; from flawscope.training.input import cached_pixels\n"
        "rows = tuple(Sample(str(i), sys.argv[1], (0.0,), str(i), str(i)) for i in range(200))\n"
        "samples = Samples('s', Task('binary', ('b',)), rows)\n"
        "try: cached_pixels(samples, Preprocess(size=(64, 64), channels=1), Path(sys.argv[2]))\n"
        "except OutputError as error: print(error, list(Path(sys.argv[2]).iterdir()))"
    )
    program = [sys.executable, "-c", code, str(tmp_path / "0.png"), str(tmp_path / "small")]
    done = subprocess.run([*mount, *program], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.returncode
    assert "free some space" in done.stdout
    assert "[]" in done.stdout
