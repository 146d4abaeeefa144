"""The exam on coils: its features, its folds and its rule do what they say, on hand-made cases."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

sys.path.append(str(Path(__file__).parents[1] / "benchmarks"))

import coil_exam
import coil_hog
import coil_rule
from flawscope.data.coil_levels import HARD
from flawscope.data.synthetic_coil import draw_coil


def test_hog_of_a_ramp_has_one_direction() -> None:
    """Grey rises by 3 a pixel to the right: all strength in the first direction, each block of 4 cells has norm 1."""
    ramp = np.tile(3.0 * np.arange(32), (16, 1))
    each = coil_hog.hog(ramp, cell=8).reshape(1, 3, 4, coil_hog.DIRECTIONS)
    assert np.all(each[..., 1:] == 0)
    # Inner cells are equally strong; the picture's rim has no slope. After the clip at 0.2 all count alike.
    assert each[..., 0] == pytest.approx(0.5, abs=1e-6)
    downwards = coil_hog.hog(ramp.T, cell=8).reshape(3, 1, 4, coil_hog.DIRECTIONS)
    assert np.flatnonzero(downwards.sum(axis=(0, 1, 2))).tolist() == [4]  # 90 degrees: 80 to 100


def test_hog_does_not_see_the_light_but_the_place() -> None:
    picture = np.random.default_rng(0).normal(100, 20, (40, 50))
    assert coil_hog.hog(1.5 * picture + 20, cell=8) == pytest.approx(coil_hog.hog(picture, cell=8), abs=1e-6)
    assert not np.allclose(coil_hog.hog(np.roll(picture, 4, axis=1), cell=8), coil_hog.hog(picture, cell=8), atol=0.05)


@pytest.mark.parametrize("balanced", [False, True])
def test_machines_learn_what_can_be_learnt_and_are_not_told_the_answer(
    balanced: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(coil_hog, "COSTS", (0.1, 10.0))
    rng = np.random.default_rng(0)
    scrap_n = np.arange(60) % 4 == 0
    noise_nf = rng.normal(size=(60, 5))
    for place, least in ((6.0 * scrap_n, 0.95), (0.0 * scrap_n, None)):
        likeness = coil_hog.linear("cell 8", noise_nf + place[:, None])
        kernels = [likeness, coil_hog.rbf(likeness, 0.3)]
        called_n, chosen = coil_hog.out_of_fold(kernels, scrap_n, seed=0, balanced=balanced)
        right = float(np.mean(called_n == scrap_n))
        assert right > least if least else right < 0.85
        assert len(chosen) == 5
    assert np.diag(kernels[0].gram_nn).mean() == pytest.approx(1)
    assert np.diag(kernels[1].gram_nn) == pytest.approx(np.ones(60))


@pytest.mark.parametrize(("angles", "seed"), [((0.5, -0.8), 1), ((HARD.bent[0], 0.0), 2), ((-0.5, -HARD.bent[1]), 3)])
def test_the_rule_reads_the_pins(angles: tuple[float, float], seed: int) -> None:
    picture = np.asarray(draw_coil(angles, np.random.default_rng(seed), HARD), dtype=np.float32)
    assert coil_rule.leans(picture) == pytest.approx(angles, abs=1.5)


def test_rates_by_hand() -> None:
    scrap_n = np.array([True] * 4 + [False] * 16)
    called_n = np.array([True, True, True, False] + [True] * 2 + [False] * 14)
    found = coil_exam.rates(scrap_n, called_n)
    assert {name: value for name, (value, _, _) in found.items()} == {
        "accuracy": 0.85,
        "balanced accuracy": 0.8125,
        "escape": 0.25,
        "overkill": 0.125,
    }
    assert all(low < value < high for value, low, high in found.values())


def test_a_small_exam(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Noise instead of coils, the scrap ones with stripes: features, machines and entry fit together."""
    stripes = 60 * (np.arange(800) // 8 % 2)
    paths = []
    for number in range(25):
        paths.append(tmp_path / ("0_nio" if number % 5 == 0 else "1_io") / f"coil_{number:05d}.bmp")
        paths[-1].parent.mkdir(exist_ok=True)
        pixels = np.random.default_rng(number).normal(90, 20, (520, 800)) + (stripes if number % 5 == 0 else 0)
        Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(paths[-1])
    for module, name, value in (
        (coil_exam, "pictures", lambda *_: paths),
        (coil_exam, "CELLS", (32,)),
        (coil_exam, "called_by_rule", lambda paths, _: np.ones(len(paths), dtype=bool)),
        (coil_hog, "COSTS", (10.0,)),
        (coil_hog, "WIDTHS", (1.0,)),
    ):
        monkeypatch.setattr(module, name, value)
    entry = coil_exam.examined("tuning", "hard", 25)
    assert (entry["n"], entry["scrap"], entry["level"]["bent"]) == (25, 5, HARD.bent)
    methods = entry["methods"]
    assert [methods["always good"][name][0] for name in coil_exam.MEASURES] == [0.8, 0.5, 1, 0]
    assert methods["rule"]["overkill"][0] == 1
    assert len(methods) == 6
    for name in ("HOG + linear SVM", "HOG + linear SVM, balanced", "HOG + rbf SVM", "HOG + rbf SVM, balanced"):
        assert methods[name]["accuracy"][0] == 1
        assert len(methods[name]["chosen"]) == 5
