"""At the line there is no torch: what is meant to run without it does, and decides the same."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import flawscope
from flawscope.preprocess import Preprocess

TRAINING = {
    "torch", "torchvision", "timm", "segmentation_models_pytorch", "lightning_fabric", "onnx", "safetensors", "optuna"
}  # fmt: skip
COURT = {"cv2", "faiss", "sklearn"}
REPORT = {"yaml", "jinja2", "matplotlib"} | COURT
NEED_TORCH = {
    "flawscope.bundle.export",
    "flawscope.explanation.align",
    "flawscope.bundle.foreign",
    "flawscope.explanation.cam",
    "flawscope.explanation.capture",
    "flawscope.explanation.explain",
    "flawscope.explanation.graph_maps",
    "flawscope.explanation.inputs",
    "flawscope.explanation.inside",
    "flawscope.explanation.layers",
    "flawscope.explanation.neutral",
    "flawscope.explanation.pixels",
    "flawscope.explanation.question",
    "flawscope.explanation.removal",
    "flawscope.explanation.sanity",
    "flawscope.explanation.theory",
    "flawscope.explanation.wrong",
    "flawscope.models.blocks",
    "flawscope.models.build",
    "flawscope.models.joined",
    "flawscope.models.masks",
    "flawscope.models.pretrained",
    "flawscope.models.rows",
    "flawscope.models.table",
    "flawscope.models.views",
    "flawscope.steps.export",
    "flawscope.steps.learning_curve",
    "flawscope.steps.material",
    "flawscope.steps.loaded",
    "flawscope.steps.look",
    "flawscope.steps.map_making",
    "flawscope.steps.report_maps",
    "flawscope.steps.run",
    "flawscope.steps.train",
    "flawscope.steps.tune",
    "flawscope.training.augment",
    "flawscope.training.checkpoint",
    "flawscope.training.features",
    "flawscope.training.input",
    "flawscope.training.joint_norm",
    "flawscope.training.loop",
    "flawscope.training.losses",
    "flawscope.training.mask_augment",
    "flawscope.training.mask_input",
    "flawscope.training.mask_losses",
    "flawscope.training.objective",
    "flawscope.training.optimisation",
    "flawscope.training.processes",
    "flawscope.training.sampling",
    "flawscope.training.state",
    "flawscope.training.study",
    "flawscope.training.trial_table",
}
BLOCK = """
import json, sys

class Block:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in blocked:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

blocked, *given = json.loads(sys.argv[1])
sys.meta_path.insert(0, Block())
"""
IMPORT_ALL = """
import importlib, pkgutil, flawscope
failed = []
for module in pkgutil.walk_packages(flawscope.__path__, "flawscope."):
    if module.name != "flawscope.__main__":
        try:
            importlib.import_module(module.name)
        except ModuleNotFoundError as error:
            failed.append(module.name)
print(json.dumps(failed))
"""
RUN_ALL = """
from flawscope.cli.app import main
codes = []
for words in given:
    sys.argv = ["flawscope", *words]
    try:
        main()
        codes.append(0)
    except SystemExit as leaving:
        codes.append(leaving.code or 0)
print(json.dumps([codes, sorted(set(blocked) & set(sys.modules))]))
"""


def without(blocked: set[str], code: str, *given: Any) -> tuple[Any, str]:
    """The last line that the code prints, as JSON, in a Python that cannot import the blocked packages; and stderr."""
    program = [sys.executable, "-c", BLOCK + code, json.dumps([sorted(blocked), *given])]
    done = subprocess.run(program, capture_output=True, text=True, encoding="utf-8", check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1]), done.stderr


def test_only_the_training_rooms_need_torch() -> None:
    failed, _ = without(TRAINING, IMPORT_ALL)
    assert set(failed) == NEED_TORCH


def test_the_light_installation_needs_no_report_packages_for_the_line() -> None:
    failed, _ = without(TRAINING | REPORT, IMPORT_ALL)
    light = ("flawscope.bundle", "flawscope.inspection", "flawscope.data", "flawscope.evaluation", "flawscope.cli")
    heavy = {name for name in failed if name.startswith(light)}
    assert {name for name in heavy if not name.startswith("flawscope.data.court.")} == {
        "flawscope.bundle.export",
        "flawscope.bundle.foreign",
    }
    assert not {"flawscope.steps.inspect", "flawscope.steps.show", "flawscope.steps.evaluate"} & set(failed)


def test_of_the_rooms_without_torch_only_the_court_needs_its_packages() -> None:
    failed, _ = without(TRAINING | COURT, IMPORT_ALL)
    court = set(failed) - NEED_TORCH
    assert court  # so the block is felt
    assert [name for name in court if not name.startswith("flawscope.data.court.")] == []
    failed, _ = without(TRAINING | {"faiss", "sklearn"}, IMPORT_ALL)
    assert set(failed) == NEED_TORCH


def decisions(path: Path) -> list[list[str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        return [[row["name"], row["nok_probability"], row["decision"], row["error"]] for row in csv.DictReader(stream)]


def test_commands_of_the_line_run_and_decide_the_same_without_torch(
    finished: Any, make_bundle: Callable[..., Path], draw: Callable[..., Path], tmp_path: Path
) -> None:
    for seed in range(6):
        name = "defective" if seed % 2 else "functional"
        draw(tmp_path / "new" / name / f"{seed}.png", 7000 + seed, [0, 1] if seed % 2 else ())
    (tmp_path / "new" / "defective" / "empty.png").touch()
    hand_made = make_bundle(spec=Preprocess(size=(8, 8), channels=1))
    explaining = make_bundle(maps=True, name="explaining.flawscope")
    light, full, measured = tmp_path / "light.csv", tmp_path / "full.csv", tmp_path / "out"
    commands = [
        ["show", hand_made],
        ["show", finished.bundle],
        ["inspect", hand_made, tmp_path / "new", "-o", tmp_path / "hand.csv", "--pictures", tmp_path / "labelled"],
        ["inspect", finished.bundle, tmp_path / "new", "-o", light],
        ["evaluate", finished.bundle, finished.data, "-o", measured],
        ["train", finished.recipe],
        ["evaluate", finished.folder],
        ["new", finished.data],
        ["inspect", explaining, tmp_path / "new", "-o", tmp_path / "heat.csv", "--explain-good"],
        ["explain", explaining, tmp_path / "new", "-o", tmp_path / "maps"],
    ]
    (codes, imported), said = without(TRAINING | REPORT, RUN_ALL, *([str(word) for word in line] for line in commands))
    assert (codes, imported) == ([0, 0, 0, 0, 0, 2, 2, 2, 0, 2], [])
    assert "Traceback" not in said
    assert said.count('pip install "flawscope[train]"') == 1
    assert said.count('pip install "flawscope[report]"') == 3
    assert len(list((tmp_path / "heat-maps").rglob("*.jpg"))) == 6
    flawscope.inspect(finished.bundle, tmp_path / "new", full)
    assert len(decisions(full)) == 7
    assert decisions(light) == decisions(full)
    assert len((tmp_path / "hand.csv").read_text(encoding="utf-8").splitlines()) == 8
    assert len(list((tmp_path / "labelled").rglob("*.png"))) == 6 and (tmp_path / "labelled" / "index.html").is_file()
    here = flawscope.evaluate(finished.bundle, finished.data).metrics
    there = json.loads((measured / "metrics.json").read_text(encoding="utf-8"))
    assert there["classes"] == here["classes"]


def test_masks_are_made_without_torch_and_without_the_report_packages(
    make_mask_bundle: Callable[..., Path], draw: Callable[..., Path], tmp_path: Path
) -> None:
    for seed in range(3):
        draw(tmp_path / "new" / f"{seed}.png", 7000 + seed, range(seed))
    bundle, gated = make_mask_bundle(), make_mask_bundle(gate=True, name="gated.flawscope")
    commands = [
        ["show", gated],
        ["inspect", gated, tmp_path / "new", "-o", tmp_path / "gated"],
        ["inspect", bundle, tmp_path / "new", "-o", tmp_path / "out"],
    ]
    (codes, imported), said = without(TRAINING | REPORT, RUN_ALL, *([str(word) for word in line] for line in commands))
    assert (codes, imported) == ([0, 0, 0], []), said
    flawscope.inspect(bundle, tmp_path / "new", tmp_path / "full")
    for name in ("masks.csv", "flaws.csv", "coco.json", "masks/bright/2.png", "pictures/2.png"):
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "full" / name).read_bytes(), name


def test_bundles_explain_their_answers_without_torch(
    make_bundle: Callable[..., Path], finished: Any, draw: Callable[..., Path], tmp_path: Path
) -> None:
    picture = draw(tmp_path / "new" / "a.png", 7000, [1])
    bundle = make_bundle(maps=True)
    commands = [
        ["explain", bundle, picture, "-o", tmp_path / "all", "--method", "all", "--arrays"],
        ["explain", finished.bundle, picture, "-o", tmp_path / "run", "--class", "nok"],
        ["explain", bundle, picture, "-o", tmp_path / "no", "--method", "integrated-gradients"],
        ["explain", finished.folder, picture, "-o", tmp_path / "no"],
    ]
    (codes, imported), said = without(TRAINING | COURT, RUN_ALL, *([str(word) for word in line] for line in commands))
    assert (codes, imported) == ([0, 0, 2, 2], []), said
    assert "cannot give integrated-gradients" in said and said.count('pip install "flawscope[train]"') == 1
    assert {path.name for path in (tmp_path / "all" / "arrays").iterdir()} == {"cam", "occlusion", "score-cam"}
    flawscope.explain(bundle, picture, tmp_path / "here", method="all", arrays=True)
    for method in ("cam", "occlusion", "score-cam"):
        name = f"arrays/{method}/a.png.npy"
        assert (tmp_path / "all" / name).read_bytes() == (tmp_path / "here" / name).read_bytes()


def test_runs_are_listed_and_compared_without_torch(
    finish_run: Callable[..., Path], parts: Path, tmp_path: Path
) -> None:
    runs = [finish_run(tmp_path / "runs" / name, parts, cut=cut) for name, cut in (("a", 0.42), ("b", 0.45))]
    commands = [["compare", *map(str, runs), "-o", str(tmp_path / "c")], ["runs", str(tmp_path / "runs")]]
    (codes, imported), said = without(TRAINING | COURT, RUN_ALL, *commands)
    assert (codes, imported) == ([0, 0], []), said
    assert (tmp_path / "c" / "index.html").is_file()
    (codes, _), said = without(REPORT, RUN_ALL, *commands)
    assert codes == [2, 2]
    assert said.count('pip install "flawscope[report]"') == 2


def test_commands_without_the_packages_of_the_court(
    finished: Any, make_bundle: Callable[..., Path], tmp_path: Path
) -> None:
    bundle = make_bundle(spec=Preprocess(size=(8, 8), channels=1))
    commands = [
        ["inspect", bundle, finished.data, "-o", tmp_path / "results.csv"],
        ["evaluate", finished.bundle, finished.data, "-o", tmp_path / "measured"],
        ["split", finished.recipe, "-o", tmp_path / "split.json", "--set", "split.twins=identical"],
        ["split", finished.recipe, "-o", tmp_path / "other.json", "--set", "split.twins=find"],
        ["audit", finished.data, "-o", tmp_path / "audit"],
    ]
    words = [[str(word) for word in line] for line in commands]
    (codes, imported), said = without(COURT, RUN_ALL, *words)
    assert (codes, imported) == ([0, 0, 0, 2, 2], [])
    assert "Traceback" not in said
    assert said.count('pip install "flawscope[report]"') == 2
    for missing in ("faiss", "sklearn"):
        (codes, _), said = without({missing}, RUN_ALL, words[3])
        assert (codes, said.count(f"needs {missing}")) == ([2], 1)
        assert said.count('pip install "flawscope[report]"') == 1
    assert not (tmp_path / "audit").exists()


@pytest.mark.parametrize("package", ["jinja2", "yaml", "cv2"])
def test_the_block_works(package: str) -> None:
    code = f"try:\n    import {package}\n    print(1)\nexcept ModuleNotFoundError:\n    print(2)"
    assert without({package}, code)[0] == 2
    assert without(set(), code)[0] == 1


def test_what_runs_in_the_judges_sandbox_is_the_light_runtime_alone() -> None:
    code = "import flawscope.challenge.child\nprint(json.dumps(sorted(set(blocked) & set(sys.modules))))"
    assert without(TRAINING | REPORT | {"sqlalchemy", "alembic", "psycopg", "typer", "rich"}, code)[0] == []
