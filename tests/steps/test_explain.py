from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import flawscope
from flawscope.errors import DataError, OutputError, UserError
from flawscope.explanation.default import METHOD
from looking_networks import LooksAt, at_border

KINDS = {"rgb.png", "grey.bmp", "deep.png", "tall.jpg", "palette.gif"}


@pytest.fixture
def mixed(tmp_path: Path) -> Path:
    """RGB, grey, 16 bits, not square, a palette; and files that cannot be read."""
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (40, 40, 3), dtype=np.uint8)
    folder = tmp_path / "Bilder ä"
    (folder / "sub").mkdir(parents=True)
    Image.fromarray(noise).save(folder / "rgb.png")
    Image.fromarray(noise[..., 0]).save(folder / "grey.bmp")
    Image.fromarray(rng.integers(0, 65536, (30, 70), dtype=np.uint16)).save(folder / "deep.png")
    Image.fromarray(noise[:, :10]).save(folder / "tall.jpg")
    Image.fromarray(noise).convert("P").save(folder / "sub" / "palette.gif")
    (folder / "empty.png").touch()
    Image.fromarray(np.ones((9, 9), dtype=np.float32)).save(folder / "real.tif")
    return folder


def test_every_kind_of_picture_is_explained(finished: Any, mixed: Path, tmp_path: Path) -> None:
    said: list[str] = []
    made = flawscope.explain(
        finished.folder,
        mixed,
        tmp_path / "out",
        method=["grad-cam", "occlusion"],
        of="nok",
        arrays=True,
        say=said.append,
    )
    assert (made.images, len(made.problems)) == (5, 2) and made.layer.startswith("layer")
    assert len(said) == 2 and "empty.png" in said[0] and "real.tif: pixels of mode 'F'" in said[1]
    pngs = {path.relative_to(made.folder).as_posix() for path in made.folder.rglob("*.png")}
    assert pngs == {"rgb.png", "grey.png", "deep.png", "tall.png", "sub/palette.png", "sheet.png"}
    page = (made.folder / "index.html").read_text(encoding="utf-8")
    assert all(f'src="{name}"' in page for name in pngs - {"sheet.png"})
    assert "what speaks for nok" in page
    arrays = sorted(made.folder.glob("arrays/*/*.npy"))
    assert len(arrays) == 8 and all(np.load(path).shape == (32, 32) for path in arrays)
    assert np.load(made.folder / "arrays" / "occlusion" / "rgb.png.npy").min() < 0


def test_the_bar_moves_while_a_picture_is_explained(
    finished: Any, mixed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[float] = []

    @contextmanager
    def bar(total: int) -> Any:
        assert total == 2
        yield steps.append

    monkeypatch.setattr(import_module("flawscope.steps.explain"), "_bar", bar)
    method = ["occlusion", "grad-cam"]
    flawscope.explain(finished.folder, mixed / "rgb.png", tmp_path / "out", method=method)
    assert sum(steps) == pytest.approx(2) and min(steps) >= 0 and len([each for each in steps if 0 < each < 1]) > 4


def test_the_score_is_the_logit_of_the_bundle(finished: Any, mixed: Path, tmp_path: Path) -> None:
    flawscope.explain(finished.folder, mixed, tmp_path / "out", of="nok")
    page = (tmp_path / "out" / "index.html").read_text(encoding="utf-8")
    from flawscope.bundle.runtime import Runtime

    logit = float(Runtime.open(finished.bundle).scores([mixed / "rgb.png"])[0, 0])
    assert f"nok, score {logit:+.2f}" in page


def test_without_a_class_each_picture_is_asked_for_its_answer(finished: Any, mixed: Path, tmp_path: Path) -> None:
    made = flawscope.explain(finished.folder, mixed / "rgb.png", tmp_path / "out", style="contours")
    page = (made.folder / "index.html").read_text(encoding="utf-8")
    assert ("what speaks for ok" in page) != ("what speaks for nok" in page)
    assert flawscope.explain(finished.folder, [mixed / "rgb.png"], tmp_path / "list").images == 1


def test_bad_words_are_told_with_the_list(finished: Any, mixed: Path, tmp_path: Path) -> None:
    cases: list[tuple[dict[str, Any], str]] = [
        ({"method": ["gradcam"]}, "no method 'gradcam'\n  -> did you mean 'grad-cam'"),
        ({"method": []}, "no method is named"),
        ({"of": "nock"}, "no class 'nock'\n  -> did you mean 'nok'[?] Valid: ok, nok"),
        ({"layer": "layer9"}, r"no layer 'layer9'\n  -> did you mean 'layer\d'"),
        ({"style": "yet"}, "no style 'yet'\n  -> did you mean 'jet'"),
        ({"table": "x.csv"}, "takes pictures alone"),
    ]
    for given, words in cases:
        with pytest.raises(UserError, match=words):
            flawscope.explain(finished.folder, mixed, tmp_path / "out", **given)
        assert not (tmp_path / "out").exists()
    assert [path.name for path in tmp_path.iterdir()] == [mixed.name], "nothing half-written"


def test_what_is_no_trained_run_is_told(finished: Any, mixed: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"needs torch and the run folder.*\n  -> name the folder"):
        flawscope.look(finished.bundle, None, tmp_path / "out")
    with pytest.raises(UserError, match=r"none.flawscope does not exist\n  -> name a run folder, or a bundle"):
        flawscope.explain(tmp_path / "none.flawscope", mixed, tmp_path / "out")
    with pytest.raises(UserError, match="not a run folder"):
        flawscope.explain(tmp_path, mixed, tmp_path / "out")
    with pytest.raises(DataError, match="holds no pictures"):
        (tmp_path / "none").mkdir()
        flawscope.explain(finished.folder, tmp_path / "none", tmp_path / "out")
    with pytest.raises(DataError, match="none of 1 pictures"):
        flawscope.explain(finished.folder, mixed / "empty.png", tmp_path / "out")
    folds = tmp_path / "folds" / "fold-0"
    folds.mkdir(parents=True)
    (folds / "recipe.yaml").touch()
    with pytest.raises(UserError, match=r"several folds\n  -> name one of them: .*fold-0"):
        flawscope.look(folds.parent, None, tmp_path / "out")


def test_only_its_own_folder_is_replaced(finished: Any, mixed: Path, tmp_path: Path) -> None:
    target = tmp_path / "out"
    for overwrite in (False, True):
        flawscope.explain(finished.folder, mixed / "rgb.png", target, overwrite=overwrite)
    with pytest.raises(OutputError, match="exists already"):
        flawscope.explain(finished.folder, mixed, target)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "a.txt").touch()
    with pytest.raises(OutputError, match="is not a folder of heat maps"):
        flawscope.explain(finished.folder, mixed, tmp_path / "mine", overwrite=True)
    with pytest.raises(OutputError, match="is not a folder of `look`"):
        flawscope.look(finished.folder, None, target, overwrite=True)


def test_a_run_without_bundle_asks_its_data(
    copied: Callable[[], tuple[Path, Path]], mixed: Path, tmp_path: Path
) -> None:
    run, data = copied()
    for path in run.glob("*.flawscope"):
        path.unlink()
    made = flawscope.explain(run, mixed / "rgb.png", tmp_path / "out", of="nok")
    assert made.images == 1
    shutil.rmtree(data)
    with pytest.raises(DataError):
        flawscope.explain(run, mixed / "rgb.png", tmp_path / "other")


def test_looking_inside(finished: Any, mixed: Path, tmp_path: Path) -> None:
    made = flawscope.look(finished.folder, mixed / "rgb.png", tmp_path / "in", layer="layer1.0.conv1")
    with (made.folder / "layers.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == len(made.layers)
    assert sum(int(row["parameters"]) for row in rows) == made.parameters
    facts = json.loads((finished.folder / "training" / "best.json").read_text(encoding="utf-8"))
    assert facts["plan"]["name"] == "timm:test_resnet"
    assert (made.folder / "filters-layer1.0.conv1.png").is_file() and (made.folder / "means.png").is_file()
    assert len(list(made.folder.glob("maps-*.png"))) == made.figures - 2 > 10
    page = (made.folder / "index.html").read_text(encoding="utf-8")
    assert "Inside timm:test_resnet" in page and f"{made.parameters:,}" in page
    table = page.partition("<tbody>")[2].partition("</tbody>")[0]
    assert table.count("<tr>") == len(made.layers) and "<td>weight 16 x 1 x 3 x 3</td>" in table
    alone = flawscope.look(finished.folder, None, tmp_path / "alone")
    assert alone.figures == 1 and alone.layers == made.layers
    with pytest.raises(UserError, match="no convolution 'nothing'"):
        flawscope.look(finished.folder, None, tmp_path / "out", layer="nothing")


def test_a_layer_without_a_method_asks_for_one_that_has_layers(finished: Any, mixed: Path, tmp_path: Path) -> None:
    assert flawscope.explain(finished.folder, mixed / "rgb.png", tmp_path / "a").layer == ""
    assert flawscope.explain(finished.folder, mixed / "rgb.png", tmp_path / "b", layer="layer2").layer == "layer2"


def test_the_mean_of_each_answer(finished: Any, mixed: Path, tmp_path: Path) -> None:
    made = flawscope.explain(
        finished.folder, mixed, tmp_path / "out", method=["grad-cam", "occlusion"], of="nok", average=True
    )
    page = (made.folder / "index.html").read_text(encoding="utf-8")
    assert "on average" in page and 'src="average-1.png"' in page and "of the energy on the frame" in page
    assert not (made.folder / "average-2.png").exists(), "one answer was asked for"


@pytest.mark.parametrize(("place_hw", "at_frame"), [(at_border(), True), (1 - at_border(12), False)])
def test_a_network_that_goes_by_the_border_is_told(
    finished: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place_hw: np.ndarray, at_frame: bool
) -> None:
    """Two pictures twice as wide as high: the mean is drawn as they are, not as the square that the network sees."""
    for number in range(2):
        Image.fromarray(np.full((60, 120), 200 + number, np.uint8)).save(tmp_path / f"{number}.png")
    module = import_module("flawscope.steps.loaded")
    monkeypatch.setattr(module, "load_checkpoint", lambda path: (LooksAt(place_hw), {}))
    drawn: list[Any] = []
    means = import_module("flawscope.steps.map_means").heat_maps
    original = means.explained
    monkeypatch.setattr(means, "explained", lambda *given: drawn.append(given) or original(*given))
    pictures = [tmp_path / "0.png", tmp_path / "1.png"]
    made = flawscope.explain(finished.folder, pictures, tmp_path / "out", of="nok", average=True)
    picture_hw, _, (panel,), _ = drawn[-1]
    assert picture_hw.shape == panel.map_hw.shape == (60, 120) and abs(int(picture_hw[30, 60]) - 200) <= 1
    assert (panel.map_hw[:, 0].min() > 0.9) == at_frame and (panel.map_hw[28:32, 56:64].min() > 0.9) == (not at_frame)
    page = (made.folder / "index.html").read_text(encoding="utf-8")
    said = "% of what speaks for nok lies on the frame of the picture"
    assert [each.startswith(f"{METHOD}: On average 9") and said in each for each in made.warnings] == [True] * at_frame
    assert (said in page) == at_frame
