"""`flawscope explain BUNDLE`: what a graph tells without torch is what the network of the run tells."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import flawscope
from flawscope.errors import BundleError, MetadataError, UserError
from flawscope.preprocess import Preprocess
from flawscope.records import Task

Make = Callable[..., Path]


@pytest.fixture
def bright(tmp_path: Path) -> Path:
    """A picture, 16 x 16, whose right half is bright."""
    pixels = np.full((16, 16), 40, dtype=np.uint8)
    pixels[:, 8:] = 240
    Image.fromarray(pixels).save(tmp_path / "bright.png")
    return tmp_path / "bright.png"


def arrays(made: Any, method: str) -> Any:
    return np.load(next((made.folder / "arrays" / method).glob("*.npy")))


def test_maps_of_a_bundle_in_their_own_units(make_bundle: Make, bright: Path, tmp_path: Path) -> None:
    """The tiny graph: logit 8 mean - 4, so that each pixel has added 8 v / 255."""
    bundle = make_bundle(maps=True, spec=Preprocess(size=(16, 16), channels=1))
    methods = ["cam", "grad-cam", "occlusion", "score-cam"]
    made = flawscope.explain(bundle, bright, tmp_path / "out", method=methods, of="defective", arrays=True)
    assert (made.images, made.layer) == (1, "values")
    value_hw = np.where(np.arange(16) < 8, 40, 240)[None].repeat(16, 0) / 255
    np.testing.assert_allclose(arrays(made, "cam"), 8 * value_hw, rtol=1e-5)
    np.testing.assert_allclose(arrays(made, "grad-cam"), 8 * value_hw / 256, rtol=1e-5)
    np.testing.assert_allclose(arrays(made, "score-cam"), 255 * value_hw, rtol=1e-5)  # one channel, its weight 1
    # A window of 2 x 2 that becomes middle grey takes 4 pixels of 256 by what they are brighter.
    expected = 8 * 4 / 256 * (value_hw[0, [0, 15]] - 128 / 255)
    np.testing.assert_allclose(arrays(made, "occlusion")[4, [0, 15]], expected, atol=1e-5)
    page = (made.folder / "index.html").read_text(encoding="utf-8")
    assert "tiny.flawscope" in page and "what speaks for defective" in page


def test_the_other_answer_and_the_highest_score(make_bundle: Make, bright: Path, tmp_path: Path) -> None:
    bundle = make_bundle(maps=True, spec=Preprocess(size=(16, 16), channels=1))
    good = flawscope.explain(bundle, bright, tmp_path / "good", of="functional", arrays=True)
    assert arrays(good, "cam").max() == 0, "every pixel speaks against it"
    task = Task("multiclass", ("a", "b", "c"))
    several = make_bundle(task, Preprocess(size=(16, 16), channels=1), maps=True, name="several.flawscope")
    made = flawscope.explain(several, bright, tmp_path / "out", method="all")
    assert "what speaks for c" in (made.folder / "index.html").read_text(encoding="utf-8")
    with pytest.raises(UserError, match="no class 'd'"):
        flawscope.explain(several, bright, tmp_path / "no", of="d")


def test_a_method_or_layer_that_a_bundle_cannot_give(
    make_bundle: Make, make_mask_bundle: Make, bright: Path, tmp_path: Path
) -> None:
    with_maps, without = make_bundle(maps=True, name="with.flawscope"), make_bundle()
    cases = [
        (with_maps, {"method": "grad-cam++"}, r"cannot give grad-cam\+\+\n  -> it gives cam, grad-cam, occlusion, sco"),
        (without, {"method": "cam"}, r"cannot give cam: it was exported before.*\n  -> it gives occlusion"),
        (
            without,
            {"method": ["score-cam"]},
            r"cannot give score-cam\n  -> it gives occlusion; for others name",
        ),
        (with_maps, {"method": "gradcam"}, "no method 'gradcam'\n  -> did you mean 'grad-cam'"),
        (with_maps, {"method": []}, "no method is named"),
        (with_maps, {"layer": "conv1"}, "cannot show layer conv1: its maps are those of values"),
        (make_mask_bundle(), {}, "makes masks: its answer is a map already"),
    ]
    for bundle, given, words in cases:
        with pytest.raises(UserError, match=words):
            flawscope.explain(bundle, bright, tmp_path / "out", **given)
        assert not (tmp_path / "out").exists()
    made = flawscope.explain(without, bright, tmp_path / "out", arrays=True)
    assert (made.folder / "arrays" / "occlusion").is_dir(), "needs nothing but forward passes"
    bright.with_name("no.flawscope").write_bytes(b"PK no")
    with pytest.raises(BundleError):
        flawscope.explain(bright.with_name("no.flawscope"), bright, tmp_path / "no")


def test_run_and_bundle_tell_the_same(finished: Any, draw: Callable[..., Path], tmp_path: Path) -> None:
    picture = draw(tmp_path / "a.png", 11, [2])
    methods = ["occlusion", "score-cam"]
    run, bundle = (
        flawscope.explain(source, picture, tmp_path / name, method=methods, of="nok", arrays=True)
        for source, name in ((finished.folder, "run"), (finished.bundle, "bundle"))
    )
    assert run.layer == bundle.layer
    for method in methods:
        wanted, found = arrays(run, method), arrays(bundle, method)
        assert np.ptp(wanted) > 0
        np.testing.assert_allclose(found, wanted, atol=2e-2 * np.abs(wanted).max())


def test_metadata_are_asked_for(make_bundle: Make, bright: Path, tmp_path: Path, monkeypatch: Any) -> None:
    from flawscope.bundle.manifest import Column
    from flawscope.bundle.runtime import Runtime

    monkeypatch.setattr(Runtime, "columns", (Column(name="type", categories=("mono", "poly")),))
    with pytest.raises(MetadataError, match=r"also takes metadata \(type\)"):
        flawscope.explain(make_bundle(maps=True), bright, tmp_path / "out")
