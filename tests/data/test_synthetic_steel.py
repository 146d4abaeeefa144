import csv
import hashlib
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from flawscope.data.mask_table import read_mask_table, table_masks
from flawscope.data.steel_flaws import flaw_mask
from flawscope.data.steel_levels import EASY, HARD, STEEL_LEVELS, SteelLevel
from flawscope.data.steel_shapes import FACTS, TOGETHER, Pose
from flawscope.data.synthetic import synth_steel
from flawscope.data.synthetic_steel import CLASSES, Strip, draw_classes, draw_coil_look, draw_strip
from flawscope.errors import DataError, OutputError
from flawscope.masks import components, decode_rle, encode_rle
from flawscope.records import BoolArray

SMALL = (256, 64)


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def strip_of(index: int, classes: tuple[str, ...], level: SteelLevel, width: int = 800, height: int = 128) -> Strip:
    coil = draw_coil_look(np.random.default_rng([7, index]), level)
    return draw_strip(coil, classes, (8, index), level, (width, height))


@pytest.mark.parametrize("difficulty", STEEL_LEVELS)
def test_pictures_codes_and_coils(tmp_path: Path, difficulty: str) -> None:
    folder = synth_steel(tmp_path / "steel", 20, seed=1, difficulty=difficulty, size=SMALL)
    truth = rows(folder / "truth.csv")
    assert [row["name"] for row in truth] == sorted(path.name for path in (folder / "images").iterdir())
    assert sum(bool(row["classes"]) for row in truth) == 10
    assert all(row["name"].startswith(row["coil"] + "_") for row in truth)
    of_coil = defaultdict(list)
    for row in truth:
        of_coil[row["coil"]].append(row)
        with Image.open(folder / "images" / row["name"]) as image:
            assert (image.size, image.mode, image.format) == (SMALL, "L", "PNG")
    assert all(4 <= len(strips) <= 9 for strips in list(of_coil.values())[:-1])

    assert (folder / "train.csv").read_text().splitlines()[0] == "ImageId,ClassId,EncodedPixels"
    table = read_mask_table(folder / "train.csv", CLASSES)
    assert table.notes == ()
    for row in truth:
        shown = table_masks(table, row["name"], 64, 256).any(axis=(1, 2))
        assert " ".join(np.array(CLASSES)[shown]) == row["classes"]


def test_codes_hold_the_masks_that_were_drawn(tmp_path: Path) -> None:
    folder = synth_steel(tmp_path / "steel", 2, seed=3, size=SMALL)
    (code,) = rows(folder / "train.csv")
    index = [row["name"] for row in rows(folder / "truth.csv")].index(code["ImageId"])
    coil = draw_coil_look(np.random.default_rng([3, 2, 0]), EASY)
    strip = draw_strip(coil, (code["ClassId"],), (3, 4, index), EASY, SMALL)
    mask_hw = strip.mask_khw[CLASSES.index(code["ClassId"])]
    assert np.array_equal(decode_rle(code["EncodedPixels"], 64, 256), mask_hw)
    with Image.open(folder / "images" / code["ImageId"]) as image:
        assert np.array_equal(np.asarray(image), strip.grey_hw)


@pytest.mark.parametrize("classes", TOGETHER, ids="".join)
@pytest.mark.parametrize("level", STEEL_LEVELS.values(), ids=STEEL_LEVELS)
def test_a_flaw_changes_its_mask_and_nothing_else(level: SteelLevel, classes: tuple[str, ...]) -> None:
    for index in range(2):
        flawed, sound = strip_of(index, classes, level), strip_of(index, (), level)
        assert not sound.mask_khw.any()
        assert [name for name, mask in zip(CLASSES, flawed.mask_khw, strict=True) if mask.any()] == list(classes)
        changed, mask_hw = flawed.grey_hw != sound.grey_hw, flawed.mask_khw.any(axis=0)
        assert not changed[~mask_hw].any()
        assert changed[mask_hw].mean() > 0.4


def test_flaws_lie_on_the_steel() -> None:
    level = replace(EASY, border=1.0)
    for index in range(6):
        strip = strip_of(index, ("3", "4"), level)
        assert (strip.grey_hw < 25).mean() > 0.01  # what lies beyond the end of the strip
        assert strip.grey_hw[strip.mask_khw.any(axis=0)].mean() > 25


def test_the_seed_gives_the_same_strips(tmp_path: Path) -> None:
    first, second, other = (
        synth_steel(tmp_path / name, 4, seed=seed, size=SMALL) for name, seed in zip("abc", (5, 5, 6), strict=True)
    )
    for path in [first / "train.csv", first / "truth.csv", *(first / "images").iterdir()]:
        assert path.read_bytes() == (second / path.relative_to(first)).read_bytes()
    assert (first / "train.csv").read_bytes() != (other / "train.csv").read_bytes()


def test_flaws_that_no_strip_shows_are_told(tmp_path: Path) -> None:
    told: list[str] = []
    shown = {row["ClassId"] for row in rows(synth_steel(tmp_path / "a", 4, size=SMALL, say=told.append) / "train.csv")}
    absent = [name for name in CLASSES if name not in shown]
    assert absent and told[0].startswith(f"note: no strip shows class {' or class '.join(absent)}, which cannot")


def test_strips_stay_what_they_are() -> None:
    """As drawn at first: masks to the pixel, greys as means of 2 x 4 fields."""
    strip = strip_of(0, ("1", "3"), HARD)
    codes = "\n".join(encode_rle(mask) for mask in strip.mask_khw)
    assert hashlib.sha256(codes.encode()).hexdigest()[:16] == "942f2f959af33eb1"
    means = strip.grey_hw.reshape(2, 64, 4, 200).mean(axis=(1, 3))
    assert means == pytest.approx(np.array([[72.33, 104.18, 116.6, 114.45], [77.75, 109.99, 122.43, 119.45]]), abs=0.05)


@pytest.mark.parametrize("name", CLASSES)
def test_shapes_follow_the_facts(name: str) -> None:
    """At half the size, which is faster."""
    facts, rng, steel = FACTS[name], np.random.default_rng(2), np.ones((128, 800), dtype=np.bool_)
    masks = [flaw_mask(name, steel, rng) for _ in range(60)]
    area = 4 * np.quantile([mask.sum() for mask in masks], (0.25, 0.5, 0.75))
    assert np.all(area / facts.area[1:4] > 0.6)
    assert np.all(area / facts.area[1:4] < 1.7)
    labels = [components(mask) for mask in masks]
    number = np.quantile([label.max() for label in labels], (0.25, 0.5, 0.75))
    assert np.abs(number - facts.number[1:4]).max() <= max(1, 0.4 * facts.number[3])
    boxes = [box for label in labels for box in ndimage.find_objects(label)]
    at_edge = np.mean([box[0].start == 0 or box[0].stop == 128 for box in boxes])
    assert at_edge == pytest.approx(facts.at_edge, abs=0.16)
    upright = np.mean([box[0].stop - box[0].start > box[1].stop - box[1].start for box in boxes])
    assert upright > 0.6 if name != "4" else upright < 0.5


def test_classes_meet_as_often_as_on_real_strips() -> None:
    rng, n = np.random.default_rng(0), 4000
    drawn = [draw_classes(rng) for _ in range(n)]
    for classes, count in TOGETHER.items():
        assert drawn.count(classes) / n == pytest.approx(count / sum(TOGETHER.values()), abs=0.03)


def test_strips_of_a_coil_look_alike_and_others_do_not() -> None:
    def look(coil_index: int, index: int) -> np.ndarray:
        coil = draw_coil_look(np.random.default_rng([1, coil_index]), EASY)
        grey_hw = draw_strip(coil, (), (2, index), replace(EASY, border=0.0), (400, 64)).grey_hw.astype(float)
        return np.array([grey_hw.mean() / 20, np.abs(np.diff(grey_hw, axis=0)).mean(), np.diff(grey_hw, axis=1).std()])

    looks = np.array([[look(coil, 10 * coil + index) for index in range(4)] for coil in range(5)])
    within, between = looks.std(axis=1).mean(axis=0), looks.mean(axis=1).std(axis=0)
    assert np.all(between > 3 * within)


def best_dice(scores: list[np.ndarray], masks: list[BoolArray]) -> float:
    """Mean Dice over images, with the threshold that is best for them all: more than any detector may know."""
    every = np.concatenate([score.ravel()[::17] for score in scores])
    return max(
        float(
            np.mean([2 * ((s > t) & m).sum() / ((s > t).sum() + m.sum()) for s, m in zip(scores, masks, strict=True)])
        )
        for t in np.quantile(every, np.linspace(0.6, 0.995, 20))
    )


@pytest.mark.parametrize(("level", "grey", "gradient"), [(EASY, (0.25, 0.55), (0.55, 1)), (HARD, (0, 0.3), (0, 0.55))])
def test_no_threshold_finds_hard_flaws(
    level: SteelLevel, grey: tuple[float, float], gradient: tuple[float, float]
) -> None:
    """Neither of the grey, smoothed and without the light, nor of the strength of gradients, as HOG sees them."""
    strips = [strip_of(index, draw_classes(np.random.default_rng(index)), level) for index in range(16)]
    masks = [strip.mask_khw.any(axis=0) for strip in strips]
    by_grey, by_gradient = [], []
    for strip in strips:
        flat = strip.grey_hw - ndimage.gaussian_filter(strip.grey_hw.astype(float), 20)
        by_grey.append(np.abs(ndimage.gaussian_filter(flat, 3)))
        strength = np.sqrt(ndimage.gaussian_filter(ndimage.sobel(flat, axis=0) ** 2, 4))
        by_gradient.append(strength / np.median(strength))
    assert grey[0] <= best_dice(by_grey, masks) <= grey[1]
    assert gradient[0] <= best_dice(by_gradient, masks) <= gradient[1]


def test_facts_and_levels_are_checked() -> None:
    with pytest.raises(ValueError, match="quantiles in order"):
        Pose(90, 0.5, (1, 3, 2, 4, 5), (1, 2, 3, 4, 5), 0.5, 1)
    with pytest.raises(ValueError, match="a share and a correlation"):
        Pose(90, 0.0, (1, 2, 3, 4, 5), (1, 2, 3, 4, 5), 0.5, 1)
    with pytest.raises(ValueError, match="spans of contrast"):
        SteelLevel(shift=(2.0, 1.0))


def test_a_strip_may_be_kept_as_jpeg(tmp_path: Path) -> None:
    folder = synth_steel(tmp_path / "steel", 2, size=SMALL, image_format="jpg")
    for row in rows(folder / "truth.csv"):
        with Image.open(folder / "images" / row["name"]) as image:
            assert (image.format, image.size) == ("JPEG", SMALL)


def test_nothing_half_written_and_nothing_overwritten(tmp_path: Path) -> None:
    folder = tmp_path / "steel"
    for match, options in (
        ("cannot draw 1 strips", {"n": 1}),
        ("share of 1.5 flawed", {"share_flawed": 1.5}),
        ("no difficulty 'hart'", {"difficulty": "hart"}),
        ("not kept as 'jpeg'", {"image_format": "jpeg"}),
        ("strips of 32 x 16 pixels", {"size": (32, 16)}),
        ("strips of 64 x 128 pixels", {"size": (64, 128)}),
    ):
        with pytest.raises(DataError, match=match):
            synth_steel(folder, **{"n": 2, **options})  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []
    synth_steel(folder, 2, size=SMALL)
    with pytest.raises(OutputError, match="exists already"):
        synth_steel(folder, 2, size=SMALL)
    synth_steel(folder, 3, size=SMALL, overwrite=True)
    assert [path.name for path in tmp_path.iterdir()] == ["steel"]
    assert len(rows(folder / "truth.csv")) == 3
