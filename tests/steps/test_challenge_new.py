"""From a labelled set to a challenge: three parts that share nothing, names that tell nothing, a kit that works."""

from __future__ import annotations

import csv
import json
import re
import shlex
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer.main
from PIL import Image

import flawscope
from flawscope.challenge import evaluate
from flawscope.challenge.bounds import bounds_of
from flawscope.challenge.labels import Labels, read_labels, read_part, read_part_labels, write_labels
from flawscope.challenge.pictures import write_neutral
from flawscope.challenge.ranking import scored
from flawscope.challenge.spec import PARTS, Challenge, Limits, load_challenge
from flawscope.cli.app import app
from flawscope.data.court.proof import Crossing
from flawscope.data.read import read
from flawscope.errors import OutputError, SplitError, UserError
from flawscope.preprocess import Preprocess, load
from flawscope.records import Pair, Samples, Split, Twins
from flawscope.training.recipe import load_recipe

Draw = Callable[..., Path]
WHEN = {"deadline": "2099-03-01", "seed": 1}


@pytest.fixture
def court(monkeypatch: pytest.MonkeyPatch) -> None:
    """A court that finds the pictures 2i and 2i + 1 to be twins, and a proof of nothing: fast, and known."""

    def find_twins(samples: Samples, *, cache: Path | None = None) -> Twins:
        rows = {int(Path(row.path).stem): row.id for row in samples.rows}
        pairs = tuple(Pair(rows[i], rows[i + 1], "sister", 0.95) for i in range(0, len(rows), 2))
        return Twins(pairs, len(samples), "a court of pairs")

    class NoProver:
        of = classmethod(lambda cls, samples: cls())

        def crossing(self, split: Split) -> Crossing:
            return Crossing((), (Pair(*(split.ids(part)[0] for part in ("train", "test")), "sister", 0.1),), 7, 1)

    monkeypatch.setattr("flawscope.data.court.verdict.find_twins", find_twins)
    monkeypatch.setattr("flawscope.data.court.proof.Prover", NoProver)


@pytest.fixture
def data(tmp_path: Path, draw: Draw) -> Path:
    """80 pictures of two classes."""
    for i in range(80):
        draw(
            tmp_path / "data" / ("nok" if i // 2 % 3 == 0 else "ok") / f"{i}.png", i, [i % 4] if i // 2 % 3 == 0 else ()
        )
    return tmp_path / "data"


def table(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream, delimiter=";"))


@pytest.mark.usefixtures("court")
def test_three_parts_share_nothing_and_tell_nothing(data: Path, tmp_path: Path) -> None:
    made = flawscope.challenge_new(data, tmp_path / "c" / "parts", **WHEN)
    challenge = load_challenge(made.folder)
    assert challenge == made.challenge
    sources = table(made.folder / "hidden" / "sources.csv")
    assert len({row["source"] for row in sources}) == len(sources) == 80
    part_of = {int(Path(row["source"]).stem): row["part"] for row in sources}
    assert all(part_of[i] == part_of[i + 1] for i in range(0, 80, 2))  # twins on one side
    counts = {name: list(part_of.values()).count(name) for name in PARTS}
    assert counts == {name: challenge.parts[name].images for name in PARTS}
    assert [abs(counts[name] - wanted) <= 2 for name, wanted in zip(PARTS, (40, 16, 24), strict=True)] == [True] * 3
    for name in ("public", "private"):
        part = read_part(made.folder, challenge, name)
        assert challenge.parts[name].labels_hash
        assert read_part_labels(made.folder, challenge, name).files == part.labels.files
        assert [path.name for path in part.images] == [f"{i:05d}.png" for i in range(1, counts[name] + 1)]
        of = {row["file"]: row["source"] for row in sources if row["part"] == name}
        truth = ["nok" in of[path.name] for path in part.images]
        assert part.labels.truth_nk[:, 0].tolist() == truth
        assert truth != sorted(truth, reverse=True)  # the order does not tell the class
        for path in part.images:
            assert (load(path, Preprocess(channels=1)) == load(data / of[path.name], Preprocess(channels=1))).all()
    proof = json.loads((made.folder / "proof.json").read_text(encoding="utf-8"))
    assert (proof["crossing"], proof["stamp"]) == (0, "leak checked: a court of pairs")
    assert [(pair["part_a"], pair["part_b"]) for pair in proof["nearest"]] == [("training", "private")]
    assert all(place.stat().st_mode & 0o077 == 0 for place in (made.folder, made.folder / "hidden"))


@pytest.mark.usefixtures("court")
def test_the_kit_holds_what_may_be_known_and_its_recipe_reads_its_data(data: Path, tmp_path: Path) -> None:
    made = flawscope.challenge_new(data, tmp_path / "parts", title="Teile für alle", **WHEN)
    with zipfile.ZipFile(made.kit) as archive:
        names = archive.namelist()
        archive.extractall(tmp_path / "kit")
    kit = tmp_path / "kit" / "handout"
    assert len(names) == made.challenge.parts["training"].images + 5
    texts = [
        path.read_text(encoding="utf-8") for path in kit.rglob("*") if path.suffix in (".md", ".json", ".yaml", ".csv")
    ]
    assert f'pip install "flawscope[train]=={flawscope.__version__}"' in (kit / "README.md").read_text(encoding="utf-8")
    assert "Teile für alle" in texts[0] + texts[1]
    secret = [str(made.challenge.seed) * 3, *(part.hash for part in made.challenge.parts.values()), str(data), "nok/"]
    assert [word for word in secret for text in texts if word in text] == []
    recipe = load_recipe(kit / "recipe.yaml")
    samples = read(recipe.data, Path.cwd())
    assert (samples.task, len(samples)) == (made.challenge.task, made.challenge.parts["training"].images)
    assert len({row.group for row in samples.rows}) == made.challenge.parts["training"].groups
    assert made.challenge.parts["training"].hash  # and the same labels
    labels = read_labels(kit / "data" / "labels.csv", samples.task)
    assert labels.truth_nk[:, 0].tolist() == [row.target[0] == 1 for row in samples.rows]


@pytest.mark.usefixtures("court")
@pytest.mark.parametrize("kind", ["multilabel", "multiclass"])
def test_other_tasks(data: Path, tmp_path: Path, kind: str) -> None:
    lines = ["file;crack;hole" if kind == "multilabel" else "file;label"]
    for path in sorted(data.rglob("*.png")):
        pair = int(path.stem) // 2
        lines.append(
            f"{path.relative_to(data)};" + (f"{pair % 2};{pair // 2 % 2}" if kind == "multilabel" else "abc"[pair % 3])
        )
    (tmp_path / "labels.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    made = flawscope.challenge_new(tmp_path / "labels.csv", tmp_path / "c", images=data, licence="CC0", **WHEN)
    readme = (made.folder / "handout" / "README.md").read_text(encoding="utf-8")
    assert "Licence of the images and labels: CC0." in readme
    for code in re.findall(r"```python\n(.*?)```", readme, re.DOTALL):
        compile(code, "README.md", "exec")
    commands = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    shown = re.findall(r"^flawscope (\w+) (.*)$", readme, re.MULTILINE)
    assert {name for name, _ in shown} == {"run", "pack", "show"}
    for name, words in shown:
        commands[name].make_context(name, shlex.split(words))
    assert made.challenge.kind == kind
    recipe = load_recipe(made.folder / "handout" / "recipe.yaml")
    samples = read(recipe.data, Path.cwd())
    labels = read_labels(made.folder / "handout" / "data" / "labels.csv", made.challenge.task)
    assert samples.task == made.challenge.task
    assert (samples.target_nk == labels.truth_nk).all()


@pytest.mark.usefixtures("court")
def test_what_cannot_be_a_challenge(data: Path, tmp_path: Path, draw: Draw) -> None:
    target = tmp_path / "c"
    for change, words in (
        ({"metric": "f1"}, "Valid: mean_f1"),
        ({"pass_mark": 60.0}, "--pass-mark 60"),
        ({"deadline": "2020-01-01"}, "its deadline is 2020-01-01T23:59:59Z"),
        ({"deadline": "soon"}, "--deadline soon"),
        ({"public": 0.5, "private": 0.5}, "leave 0% to hand out"),
        ({"private": 30.0}, "--private 30"),
        ({"group_column": "x"}, "the data are none"),
        ({"limits": {"bundle_mb": 0}}, "--bundle-mb 0: "),
        ({"limits": {"seconds_per_image": 0.0}}, "--seconds-per-image 0.0: "),
        ({"group_block": 0}, "--group-block 0"),
        ({"group_block": 2, "group_block_by": "name"}, "--group-block-by name(?s:.)*order"),
        ({"group_block_by": "number"}, "number needs --group-block"),
        ({"overrides": ["split.twins=find"]}, "is no recipe: there is nothing to set"),
    ):
        with pytest.raises(UserError, match=words):
            flawscope.challenge_new(data, target, **{**WHEN, **change})
    with pytest.raises(OutputError, match="cannot be called 'a b'"):
        flawscope.challenge_new(data, tmp_path / "a b", **WHEN)
    recipe = tmp_path / "r.yaml"
    recipe.write_text("{name: r, data: {kind: folders, root: data}, split: {twins: identical}}", encoding="utf-8")
    with pytest.raises(UserError, match=r"set split\.twins: find"):
        flawscope.challenge_new(recipe, target, **WHEN)
    assert not target.exists()


@pytest.mark.usefixtures("court")
def test_limits_are_kept_and_told(data: Path, tmp_path: Path) -> None:
    asked = {"bundle_mb": 20, "input_side": 320, "seconds_per_image": 0.25, "memory_mb": 1500}
    made = flawscope.challenge_new(data, tmp_path / "c", limits=asked, **WHEN)
    assert load_challenge(made.folder).limits.model_dump() == asked
    bounds = bounds_of(made.challenge.limits, 400)
    assert (bounds.bundle_bytes, bounds.side, bounds.cpu_seconds) == (20 * 2**20, 320, 160)
    readme = " ".join((made.folder / "handout" / "README.md").read_text(encoding="utf-8").split())
    assert "at most 20 MB, an input of at most 320 pixels a side, on average at most 0.25 seconds" in readme
    assert "1,500 MB of memory" in readme
    assert json.loads((made.folder / "handout" / "task.json").read_text(encoding="utf-8"))["limits"] == asked
    plain = flawscope.challenge_new(data, tmp_path / "d", limits={"memory_mb": 300}, **WHEN).challenge.limits
    assert plain == Limits(memory_mb=300)


@pytest.mark.usefixtures("court")
@pytest.mark.parametrize("by", ["order", "number"])
def test_blocks_of_a_table_stay_together(data: Path, tmp_path: Path, by: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "flawscope.data.court.verdict.find_twins", lambda samples, cache=None: Twins((), len(samples), "none")
    )
    # The rows stand in an order of their own: every fourth number, so a block in order is no block by number.
    paths = sorted(data.rglob("*.png"), key=lambda path: (int(path.stem) % 4, int(path.stem)))
    lines = ["file;class", *(f"{path.relative_to(data)};{path.parent.name}" for path in paths)]
    (tmp_path / "labels.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    made = flawscope.challenge_new(
        tmp_path / "labels.csv", tmp_path / "c", images=data, group_block=4, group_block_by=by, **WHEN
    )
    rows = table(made.folder / "hidden" / "sources.csv")
    part_of = {int(Path(row["source"]).stem): row["part"] for row in rows}
    place = {int(path.stem): number for number, path in enumerate(paths)}
    block_of = {i: (place[i] if by == "order" else max(i - 1, 0)) // 4 for i in part_of}
    assert len(block_of) == 80
    assert {block: {part_of[i] for i in part_of if block_of[i] == block} for block in block_of.values()} == {
        block_of[i]: {part_of[i]} for i in part_of
    }


@pytest.mark.usefixtures("court")
def test_a_key_of_a_recipe_is_set(data: Path, tmp_path: Path) -> None:
    recipe = tmp_path / "r.yaml"
    recipe.write_text("{name: r, data: {kind: folders, root: data}, split: {twins: identical}}", encoding="utf-8")
    sets = ("split.twins=find", "data.positive=ok")
    made = flawscope.challenge_new(recipe, tmp_path / "c", overrides=sets, **WHEN)
    assert made.challenge.classes == ("ok",)


@pytest.mark.usefixtures("court")
def test_a_class_that_is_missing_in_a_part(tmp_path: Path, draw: Draw) -> None:
    for i in range(40):
        draw(tmp_path / "data" / ("nok" if i < 2 else "ok") / f"{i}.png", i)
    with pytest.raises(SplitError, match=r"no image shows nok(?s:.)*groups of their own"):
        flawscope.challenge_new(tmp_path / "data", tmp_path / "c", **WHEN)


@pytest.mark.usefixtures("court")
def test_what_still_leaks_is_refused_and_nothing_is_left(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Finds:
        of = classmethod(lambda cls, samples: cls())

        def crossing(self, split: Split) -> Crossing:
            return Crossing((Pair(*(split.ids(part)[0] for part in ("train", "test")), "sister", 0.9),), (), 7, 1)

    monkeypatch.setattr("flawscope.data.court.proof.Prover", Finds)
    monkeypatch.setattr("flawscope.steps.split.ROUNDS", 2)
    with pytest.raises(SplitError, match="1 pair of images of the same thing still across"):
        flawscope.challenge_new(data, tmp_path / "c", **WHEN)
    assert not (tmp_path / "c").exists()


@pytest.mark.usefixtures("court")
def test_one_that_has_submissions_is_never_replaced(data: Path, tmp_path: Path) -> None:
    made = flawscope.challenge_new(data, tmp_path / "c", **WHEN)
    with pytest.raises(OutputError, match="exists already"):
        flawscope.challenge_new(data, made.folder, **WHEN)
    flawscope.challenge_new(data, made.folder, overwrite=True, **WHEN)
    (made.folder / "store.sqlite").touch()
    with pytest.raises(OutputError, match="will not be replaced"):
        flawscope.challenge_new(data, made.folder, overwrite=True, **WHEN)


def test_without_a_seed_nobody_knows_the_split_beforehand(
    data: Path, tmp_path: Path, court: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("secrets.randbelow", lambda most: most - 1)
    made = flawscope.challenge_new(data, tmp_path / "c", deadline="2099-01-01")
    assert made.challenge.seed == 2**31 - 1


def test_the_real_court_keeps_turned_copies_together(tmp_path: Path, draw: Draw) -> None:
    for i in range(18):
        path = draw(tmp_path / "data" / ("nok" if i % 2 else "ok") / f"{i}.png", i, [i % 4] if i % 2 else ())
        with Image.open(path) as image:
            image.rotate(90).save(path.with_name(f"{i + 100}.png"))
    made = flawscope.challenge_new(tmp_path / "data", tmp_path / "c", **WHEN)
    rows = table(made.folder / "hidden" / "sources.csv")
    part_of = {int(Path(row["source"]).stem): row["part"] for row in rows}
    assert [i for i in range(18) if i in part_of and part_of.get(i + 100, part_of[i]) != part_of[i]] == []
    assert made.proof["crossing"] == 0


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16"])
def test_neutral_pictures_are_the_same_picture(tmp_path: Path, mode: str) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (12, 10, 3), dtype=np.uint8)
    image = Image.fromarray(pixels)
    if mode == "I;16":
        image = Image.fromarray(pixels[..., 0].astype(np.uint16) * 200)
    elif mode in ("1", "L", "LA", "P", "RGBA", "CMYK"):
        image = image.convert(mode)
    source = tmp_path / f"secret defect.{'tif' if mode in ('CMYK', 'I;16') else 'png'}"
    image.save(source, **({} if source.suffix == ".tif" else {"exif": Image.Exif()}))
    write_neutral(source, tmp_path / "1.png")
    for channels in (1, 3):
        for depth in (8, 16):
            spec = Preprocess(size=(8, 8), channels=channels, depth=depth)  # type: ignore[arg-type]
            assert (load(source, spec) == load(tmp_path / "1.png", spec)).all()


def test_what_a_file_says_beside_its_pixels_is_gone(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x010E] = "defect 7"
    exif[0x0112] = 6  # to be turned
    Image.new("L", (20, 10), 50).save(tmp_path / "a.jpg", exif=exif, comment=b"defect 7")
    size, mode = write_neutral(tmp_path / "a.jpg", tmp_path / "b.png")
    assert (size, mode) == ((10, 20), "L")
    assert b"defect" not in (tmp_path / "b.png").read_bytes()
    with Image.open(tmp_path / "b.png") as image:
        assert (image.size, dict(image.getexif()), image.info) == ((10, 20), {}, {})


# --- the evaluation script --------------------------------------------------------------------------------------


class Said:
    def __init__(self, scores_nk: Any, decided_nk: Any) -> None:
        self.scores_nk, self.decided_nk = scores_nk, decided_nk


@pytest.mark.parametrize("kind", ["binary", "multilabel", "multiclass"])
@pytest.mark.parametrize("metric", ["mean_f1", "accuracy", "mean_auroc", "mean_average_precision"])
def test_the_script_gives_the_number_of_the_judge(tmp_path: Path, kind: str, metric: str) -> None:
    classes = {"binary": ["bad"], "multilabel": ["crack", "hole"], "multiclass": ["ok", "crack", "hole"]}[kind]
    part = {"images": 90, "groups": 30, "hash": "0" * 64}
    challenge = Challenge.model_validate(
        {
            "name": "c", "title": "C", "kind": kind, "classes": classes, "negative": "good", "metric": metric,
            "pass_mark": 0.5, "opens": "2027-01-01T00:00:00Z", "deadline": "2027-02-01T00:00:00Z", "daily": 1,
            "ladder_step": 0, "seed": 0, "parts": dict.fromkeys(PARTS, part),
        }
    )  # fmt: skip
    random = np.random.default_rng(1)
    truth_nk = random.random((90, len(classes))) < 0.4
    if kind == "multiclass":
        truth_nk = random.integers(3, size=90)[:, None] == np.arange(3)
    scores_nk = np.round(np.clip(0.3 * truth_nk + random.random(truth_nk.shape) * 0.7, 0, 1), 2)  # with ties
    decided_nk = scores_nk >= 0.5
    if kind == "multiclass":
        decided_nk = scores_nk.argmax(axis=1)[:, None] == np.arange(3)
    labels = Labels(tuple(f"{i}.png" for i in range(90)), tuple(f"g{i // 3}" for i in range(90)), truth_nk)
    judged = scored(challenge, labels, Said(scores_nk, decided_nk), draws=50)
    write_labels(tmp_path, labels, challenge.task)
    (tmp_path / "task.json").write_text(json.dumps(challenge.told()), encoding="utf-8")
    with (tmp_path / "own.csv").open("w", encoding="utf-8", newline="") as stream:
        head = ["class"] if kind == "multiclass" else classes
        writer = csv.writer(stream)
        writer.writerow(["file", *head, *(f"{name}_score" for name in classes)])
        for file, said, score in zip(labels.files, decided_nk, scores_nk, strict=True):
            cells = [classes[int(said.argmax())]] if kind == "multiclass" else list(map(int, said))
            writer.writerow([f"data/images/{file}", *cells, *score.tolist()])
    task = challenge.told()
    answers = evaluate.read_answers(tmp_path / "own.csv", task)
    value, rows = evaluate.evaluate(task, evaluate.read_labels(tmp_path / "labels.csv", task), answers)
    assert value == pytest.approx(judged.metric.value, abs=1e-12)
    for name in classes:
        for key, number in rows[name].items():
            assert number == pytest.approx(judged.classes[name][key].value, abs=1e-12)  # type: ignore[union-attr]
    script = [sys.executable, "-I", evaluate.__file__, str(tmp_path / "own.csv")]
    words = [*script, "--labels", str(tmp_path / "labels.csv"), "--task", str(tmp_path / "task.json")]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    assert done.stdout.startswith(f"{metric} {value:.6f} on 90 of 90 images (pass mark 0.5)")


def test_the_script_reads_what_inspect_writes(finished: Any, tmp_path: Path) -> None:
    flawscope.inspect(finished.bundle, finished.data, tmp_path / "answers.csv")
    task = {"kind": "binary", "classes": ["nok"], "metric": "accuracy", "pass_mark": 0}
    answers = evaluate.read_answers(tmp_path / "answers.csv", task)
    assert len(answers) == 40
    labels = {name: said for name, (said, _) in answers.items()}
    assert evaluate.evaluate(task, labels, answers)[0] == 1
    with pytest.raises(ValueError, match="no column 'crack'"):
        evaluate.read_answers(tmp_path / "answers.csv", {**task, "kind": "multilabel", "classes": ["crack"]})
    with pytest.raises(ValueError, match="no file of the labels"):
        evaluate.evaluate(task, {"x.png": [True]}, answers)
