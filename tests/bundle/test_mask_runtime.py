"""Masks by hand: bright and dark pixels of small pictures, with and without a gate, in tiles and at once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from flawscope.bundle import mask_runtime as module
from flawscope.bundle.archive import read_bundle
from flawscope.bundle.mask_runtime import Look, MaskRuntime, open_bundle, started
from flawscope.bundle.rules import MaskRule
from flawscope.bundle.runtime import Runtime
from flawscope.errors import BundleError, ImageError
from flawscope.masks import mask_array
from flawscope.preprocess import Preprocess
from flawscope.records import Task

Make = Callable[..., Any]
EXCLUSIVE = Task("multilabel", ("bright", "dark"), "sound", pixels="multiclass")


def save(path: Path, height: int = 40, width: int = 50, *, bright: int = 0, dark: int = 0, ground: int = 120) -> Path:
    """Grey with a bright bar of so many columns and 5 rows, a dark one below it, and a bright pixel, too small."""
    pixels = np.full((height, width), ground, dtype=np.uint8)
    pixels[10:15, 3 : 3 + bright] = 255
    pixels[20:25, 3 : 3 + dark] = 0
    pixels[0, width - 1] = 255
    Image.fromarray(pixels).save(path)
    return path


def sigmoid(value: float) -> float:
    return float(1 / (1 + np.exp(-value)))


def test_flaws_by_hand(mask_runtime: Make, tmp_path: Path) -> None:
    path = save(tmp_path / "a.png", bright=20, dark=4)
    for runtime in (mask_runtime(), mask_runtime(EXCLUSIVE), mask_runtime(threads=2)):
        (found,) = runtime.predict([path])
        bright, dark = found.flaws
        assert (bright.name, bright.area, bright.box, bright.centroid) == ("bright", 100, (3, 10, 23, 15), (13, 12.5))
        assert (dark.name, dark.area, dark.box) == ("dark", 20, (3, 20, 7, 25))
        assert bright.score == found.answer.probability[0] == 255 / 256
        assert found.answer.decision.flags == (True, True) and found.answer.decision.label == "bright + dark"
        assert found.masks.codes[1] == " ".join(f"{40 * column + 21} 5" for column in range(3, 7))
        assert (found.gate, found.stopped, found.gate_seconds) == (None, False, 0.0)
        assert found.answer.seconds > 0 and found.answer.name == str(path)


def test_levels_are_the_probabilities_of_the_graph(mask_runtime: Make) -> None:
    image_chw = np.array([[[255, 191, 185, 120, 60, 0]]], dtype=np.uint8)
    both = [[sigmoid(40 * (v / 255 - 0.75)), sigmoid(40 * (0.25 - v / 255))] for v in image_chw[0, 0]]
    wanted = np.minimum(np.floor(256 * np.array(both).T), 255)
    np.testing.assert_array_equal(mask_runtime().levels(image_chw)[:, 0], wanted)
    level_khw = mask_runtime(EXCLUSIVE).levels(image_chw)
    assert level_khw.dtype == np.uint8 and level_khw.shape == (2, 1, 6)
    assert level_khw[0, 0].tolist() == [255, 0, 0, 0, 0, 0]  # of the background 0.5 at least remains for 191
    assert level_khw[1, 0].tolist() == [0, 0, 0, 0, *np.floor(wanted[1, 4:]).tolist()]


@pytest.mark.parametrize("sides", [(3, 2), (16, 16), (17, 40), (60, 9)])
def test_the_size_of_tiles_changes_nothing_here(mask_runtime: Make, sides: tuple[int, int]) -> None:
    image_chw = np.random.default_rng(0).integers(0, 256, (1, *sides), dtype=np.uint8)
    whole = mask_runtime(EXCLUSIVE, Preprocess(size=(64, 64), channels=1, resize="none")).levels(image_chw)
    tiles = mask_runtime(EXCLUSIVE).levels(image_chw)
    assert tiles.shape == (2, *sides)
    assert np.abs(whole.astype(int) - tiles).max() <= 1


def test_a_gate_stops_what_it_calls_good(mask_runtime: Make, tmp_path: Path) -> None:
    sound, flawed = save(tmp_path / "a.png", dark=40), save(tmp_path / "b.png", bright=40, ground=140)
    runtime = mask_runtime(gate=True)
    first, second = runtime.predict([sound, flawed])
    assert first.stopped and not first.flaws and first.masks.codes == ("", "")
    assert (first.masks.height, first.masks.width) == (40, 50)
    assert first.answer.decision.label == "sound" and first.answer.probability == (0.0, 0.0)
    assert first.gate < 0.5 < second.gate and 0 < first.gate_seconds <= first.answer.seconds
    assert not second.stopped and [flaw.area for flaw in second.flaws] == [200]
    look = runtime.look(sound)
    assert look.stopped and look.level_khw[1].max() == 255
    assert look.gate.decision.label == "sound" and len(look.gate.logits) == 1
    assert runtime.look(sound, always=False).level_khw is None
    assert runtime.decided(look).flaws == ()
    np.testing.assert_array_equal(runtime.levels(sound), look.level_khw)


def test_where_a_person_has_to_look_flaws_are_looked_for(mask_runtime: Make, tmp_path: Path) -> None:
    path = save(tmp_path / "a.png", bright=10)
    runtime = mask_runtime(gate=True)
    gate = runtime.sealed.gate
    rule = gate.decision.model_copy(update={"looked_at": (1e-9,)})
    runtime.sealed = runtime.sealed.model_copy(update={"gate": gate.model_copy(update={"decision": rule})})
    (found,) = runtime.predict([path])
    assert runtime.look(path).gate.decision.human and not found.stopped and len(found.flaws) == 1


def test_bad_pictures_are_answers_with_an_error(mask_runtime: Make, pictures: Path) -> None:
    names = ["text.png", "a.PNG", "empty.png", "cut.jpg"]
    for gate in (False, True):
        runtime = mask_runtime(gate=gate)
        found = list(runtime.predict(pictures / name for name in names))
        assert [bool(each.answer.error) for each in found] == [True, False, True, True]
        assert found[0].answer.error == "not a picture that can be read" and found[0].masks is None
        looks = list(runtime.looks((pictures / name for name in names), lambda look: (look.error, look.height)))
        assert looks[1] == ("", 10) and "empty (0 bytes)" in looks[2][0]
        with pytest.raises(ImageError, match=r"text\.png"):
            runtime.levels(pictures / "text.png")


def test_drafts_look_but_find_nothing(make_mask_bundle: Make, tmp_path: Path) -> None:
    path = save(tmp_path / "a.png", bright=10)
    runtime = MaskRuntime.open(make_mask_bundle(draft=True, gate=True), overlap=(5, 3))
    assert runtime.overlap == (5, 3)
    assert runtime.look(path).level_khw.max() == 255
    for answer in (lambda: list(runtime.predict([path])), lambda: runtime.decided(Look("a"))):
        with pytest.raises(BundleError, match="is a draft"):
            answer()
    assert MaskRuntime.open(make_mask_bundle(draft=True)).overlap == (4, 4)
    assert MaskRuntime.open(make_mask_bundle(), overlap=(5, 3)).overlap == (6, 6)


def test_a_bundle_opens_with_the_runtime_that_fits(make_bundle: Make, make_mask_bundle: Make) -> None:
    whole, masks = make_bundle(), make_mask_bundle(gate=True)
    assert isinstance(open_bundle(whole), Runtime) and isinstance(open_bundle(masks, 3), MaskRuntime)
    assert open_bundle(masks, 3).threads == 3 and open_bundle(masks).manifest.name == "tiny"
    assert isinstance(started(read_bundle(whole)), Runtime) and isinstance(started(read_bundle(masks)), MaskRuntime)
    with pytest.raises(BundleError, match=r"makes masks of flaws; expected one that decides about whole images"):
        Runtime.open(masks)
    with pytest.raises(BundleError, match="decides about whole images; expected one that makes masks"):
        MaskRuntime.open(whole)


@pytest.mark.parametrize("which", ["main", "gate"])
def test_both_graphs_answer_their_golden_patterns(make_mask_bundle: Make, which: str) -> None:
    contents = read_bundle(make_mask_bundle(gate=True))
    assert MaskRuntime.of(contents).check_golden(contents) == 0
    file = f"golden/{which}.logits.expected.npy"
    data = bytearray(contents.golden[file])
    data[-4:] = np.float32(77).tobytes()
    changed = read_bundle(make_mask_bundle(gate=True))
    object.__setattr__(changed, "golden", {**contents.golden, file: bytes(data)})
    with pytest.raises(BundleError, match="'logits' differs by"):
        MaskRuntime.of(changed)


def test_what_this_version_cannot_run_is_refused(mask_runtime: Make) -> None:
    resized = Preprocess(size=(16, 16), channels=1)
    with pytest.raises(BundleError, match="resizes the pictures"):
        mask_runtime(spec=resized)
    with pytest.raises(BundleError, match="cannot overlap by"):
        mask_runtime(rule=MaskRule(levels=(1, 1), min_areas=(1, 1), overlap=(16, 0)))
    with pytest.raises(ValueError, match="expected uint8 images of 1 channels"):
        mask_runtime().levels(np.zeros((3, 20, 20), dtype=np.uint8))


def test_of_large_pictures_one_at_a_time_is_worked_on(
    mask_runtime: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = [save(tmp_path / f"{i}.png", bright=5 + i) for i in range(6)]
    alone = list(mask_runtime(gate=True).looks(paths, lambda look: look.level_khw.sum()))
    monkeypatch.setattr(module, "LARGE", 100)
    at_work, most, lock = [0], [0], threading.Lock()

    def then(look: Look) -> int:
        with lock:
            at_work[0] += 1
            most[0] = max(most[0], at_work[0])
        total = int(look.level_khw.sum())
        with lock:
            at_work[0] -= 1
        return total

    assert list(mask_runtime(gate=True, threads=4).looks(paths, then)) == alone
    assert most == [1]


def test_masks_cover_what_the_flaws_say(mask_runtime: Make, tmp_path: Path) -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (45, 70), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "noise.png")
    (found,) = mask_runtime().predict([tmp_path / "noise.png"])
    mask_khw = mask_array(found.masks)
    for k, name in enumerate(("bright", "dark")):
        assert sum(flaw.area for flaw in found.flaws if flaw.name == name) == mask_khw[k].sum() > 0
        assert min(flaw.area for flaw in found.flaws if flaw.name == name) >= 3
