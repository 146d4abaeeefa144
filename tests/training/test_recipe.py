"""What a recipe may say, and what a user is told who says something else."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from flawscope.data.group_file import save_groups
from flawscope.errors import RecipeError, SplitError
from flawscope.evaluation.calibration import Method
from flawscope.records import Sample, Samples, Task
from flawscope.storage import write_text
from flawscope.training.recipe import Recipe, load_recipe, parse_recipe, save_recipe
from flawscope.training.recipe_words import PATTERNS

RECIPES = Path(__file__).parents[2] / "recipes"
ELPV = {"name": "a", "data": {"kind": "elpv"}}
FOLDERS = {"kind": "folders", "root": "pictures"}
MASKS = {"kind": "masks", "images": "/one", "table": "/one/t.csv", "facts": "/one/f.csv", "group_column": "coil"}
CSV = {"kind": "csv", "table": "t.csv", "label_columns": ["bad"]}


def refused(**sections: Any) -> str:
    with pytest.raises(RecipeError) as caught:
        parse_recipe(ELPV | sections, "my.yaml")
    return str(caught.value)


@pytest.mark.parametrize("name", ["Prüfstand", "two words", "-first", "a/b"])
def test_a_name_that_cannot_be_is_told_in_words(name: str) -> None:
    words = refused(name=name)
    assert "name: expected a name of letters from a to z, large or small (no umlauts or accents), digits, and" in words
    assert "a letter or a digit stands first" in words and repr(name) in words
    assert "^" not in words and "[A-Z" not in words


def test_whatever_pattern_a_recipe_asks_for_has_words() -> None:
    asked = re.findall(r'"pattern": ("(?:[^"\\]|\\.)*")', json.dumps(Recipe.model_json_schema()))
    assert asked and {json.loads(pattern) for pattern in asked} <= set(PATTERNS)


# --- keys and values --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sections", "words"),
    [
        ({"modle": {}}, "modle: unknown key, did you mean 'model'?"),
        ({"train": {"epohcs": 3}}, "train.epohcs: unknown key, did you mean 'epochs'?"),
        (
            {"train": {"augment": {"flip_horizontl": True}}},
            "train.augment.flip_horizontl: unknown key, did you mean 'fl",
        ),
        ({"model": {"normalise": {"maen": 0.5}}}, "model.normalise.maen: unknown key, did you mean 'mean'?"),
        ({"data": {"kind": "elpv", "blokc": 3}}, "data.blokc: unknown key, did you mean 'block'?"),
        ({"data": FOLDERS | {"levle": 1}}, "data.levle: unknown key, did you mean 'level'?"),
        ({"data": MASKS | {"sufix": "_mask"}}, "data.sufix: unknown key, did you mean 'suffix'?"),
        ({"data": MASKS, "image": {"crop": [0, 0, 9, 9]}}, "image.crop: a picture that is cropped"),
        ({"data": CSV | {"group_colum": "g"}}, "data.group_colum: unknown key, did you mean 'group_column'?"),
        (
            {"data": FOLDERS | {"groups": {"patern": "(x)"}}},
            "data.groups.patern: unknown key, did you mean 'pattern'?",
        ),
        ({"data": CSV | {"root": "x"}}, "data.root: unknown key"),
        ({"image": {"sise": 32}}, "image.sise: unknown key, did you mean 'size'?"),
        ({"split": {"tset": 0.1}}, "split.tset: unknown key, did you mean 'test'?"),
        ({"calibrate": {"methd": "auto"}}, "calibrate.methd: unknown key, did you mean 'method'?"),
        ({"decide": {"rul": "fixed"}}, "decide.rul: unknown key, did you mean 'rule'?"),
        ({"export": {"engin": "x"}}, "export.engin: unknown key, did you mean 'engine'?"),
    ],
    ids=lambda value: value.split(":")[0] if isinstance(value, str) else "",
)
def test_unknown_keys_name_the_nearest(sections: dict[str, Any], words: str) -> None:
    assert words in refused(**sections)


@pytest.mark.parametrize(
    ("sections", "words"),
    [
        ({"data": {"kind": "folders"}}, "data.root: this key is missing"),
        ({"data": {"kind": "csv", "table": "t"}}, "data.label_columns: this key is missing"),
        ({"data": {"kind": "folder", "root": "x"}}, "data.kind: 'folder' is no kind of data, did you mean 'folders'?"),
        ({"data": {"root": "x"}}, "data.kind: '' is no kind of data, Valid: elpv, csv, folders"),
        ({"data": None}, "data: "),
        ({"data": "pictures"}, "data: "),
        ({"train": {"epochs": "many"}}, "train.epochs: "),
        ({"train": {"epochs": 0}}, "train.epochs: "),
        ({"train": {"watch": "roc"}}, "train.watch: 'roc' is none of its values, did you mean 'auroc'? Valid: loss, "),
        ({"train": {"optimiser": "nadm"}}, "train.optimiser: 'nadm' is none of its values, did you mean 'nadam'?"),
        ({"train": {"schedule": "cosin"}}, "train.schedule.kind: 'cosin' is none of its values, did you mean 'cosine'"),
        ({"image": {"channels": 2}}, "image.channels: 2 is none of its values, Valid: 1, 3"),
        ({"calibrate": {"method": "plat"}}, "calibrate.method: 'plat' is none of its values, did you mean 'platt'?"),
        ({"train": 3}, "train: expected a section, got 3"),
        ({"train": {"schedule": 3}}, "train.schedule: expected a section, got 3"),
        (
            {"train": {"class_weights": "some"}},
            "train.class_weights: expected `none`, `balanced` or list of numbers, got 'some'",
        ),
        (
            {"train": {"class_weights": ["a"]}},
            "train.class_weights: expected `none`, `balanced` or list of numbers, go",
        ),
        (
            {"train": {"schedule": {"kind": "multi_step", "after": {"a": 0.1}}}},
            "train.schedule.after: expected whole numbers with a number each or list of whole numbers, got 'a'",
        ),
        ({"train": {"augment": {"zoom": 3}}}, "train.augment.zoom: expected a list of 2 numbers, got 3"),
        ({"train": {"augment": {"zoom": [1]}}}, "train.augment.zoom: expected a list of 2 numbers, got [1]"),
        ({"image": {"crop": [1, 2, 3, 4, 5]}}, "image.crop: expected a list of 4 whole numbers or null, got [1, 2, 3"),
        ({"train": {"unfreeze": {"layer": True}}}, "train.unfreeze.layer: expected the name or the number of a layer"),
        ({"train": {"unfreeze": {"layer": ""}}}, "train.unfreeze.layer: expected the name or the number of a layer"),
        ({"image": {"size": 4}}, "image.size: height and width must lie between 8 and 8192 pixels, got (4, 4)"),
        ({"image": {"crop": [5, 5, 5, 9]}}, "image.crop: crop is (left, top, right, bottom) with left < right"),
        ({"model": {"normalise": {"std": 0}}}, "model.normalise.std: standard deviations are positive"),
        ({"split": {"test": 0.9}}, "split: validation + calibration + test must be below 1"),
        pytest.param(
            {"data": CSV | {"meta_columns": ["bad"]}},
            "data: label_columns and meta_columns name a column twice",
            id="data",
        ),
        pytest.param(
            {"data": FOLDERS | {"groups": {"pattern": "part"}}},
            "data.groups.pattern: 'part' has no parentheses",
            id="pattern",
        ),
        ({"split": {"largest_group": 0}}, "split.largest_group: "),
        (
            {"split": {"fold": 2}},
            "split: fold chooses a fold of a group file: it needs split.file; without one, set split.fold=0",
        ),
        (
            {"export": {"average_over": "turns"}, "image": {"size": [8, 9]}},
            "export.average_over: turns need square images",
        ),
        (
            {"model": {"normalise": {"source": "training", "mean": 0.4}}},
            "model.normalise: numbers are given, and asked",
        ),
        ({"train": {"unfreeze": {"after": 2}}}, "train.unfreeze: nothing is frozen, set model.freeze"),
        ({"name": "a b"}, "name: "),
        ({"name": "../up"}, "name: "),
        ({"name": ""}, "name: "),
    ],
    ids=lambda value: value.split(":")[0] if isinstance(value, str) else "",
)
def test_missing_keys_wrong_kinds_and_values_out_of_range(sections: dict[str, Any], words: str) -> None:
    message = refused(**sections)
    assert f"\n  {words}" in message, message
    assert "pydantic" not in message


def test_numbers_of_the_channels() -> None:
    for channels, each in ((1, ""), (3, ", or one for each of 3 channels")):
        words = refused(model={"normalise": {"mean": [0.1, 0.2]}}, image={"channels": channels})
        assert f"\n  model.normalise.mean: expected one number{each}, got 2" in words


def test_all_problems_at_once() -> None:
    message = refused(train={"epohcs": 1, "rate": -1}, modell={})
    assert message.startswith("my.yaml has 3 problems:\n")
    assert all(word in message for word in ("train.epohcs", "train.rate", "modell"))
    with pytest.raises(RecipeError, match="2 problems:\n  name: this key is missing\n  data: this key is missing"):
        parse_recipe({})


# --- files ------------------------------------------------------------------------------------------------------


@pytest.fixture
def write(tmp_path: Path) -> Any:
    def file(text: str | bytes) -> Path:
        path = tmp_path / "my.yaml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return file


BASE = "name: a\ndata: {kind: folders, root: pictures}\n"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (b"name: [1", "my.yaml is not valid YAML"),
        (b"name: a\n\tdata: x", "my.yaml is not valid YAML"),
        (b"name: !!python/object/apply:os.getcwd []", "my.yaml is not valid YAML"),
        (b"\xff\xfe\x00", "cannot be read"),
        (b"a: \x00", "not valid YAML|cannot be read"),
        (b"", "expected keys such as name, data, model"),
        (b"- a\n- b", "expected keys such as name, data, model"),
        (b"just words", "expected keys such as name, data, model"),
        (b"1: 2", "problem"),
        pytest.param(b"name: 2020-13-45", "not valid YAML"),
    ],
)  # fmt: skip
def test_files_that_are_no_recipe(write: Any, text: bytes, problem: str) -> None:
    with pytest.raises(RecipeError, match=problem):
        load_recipe(write(text))


def test_no_file_and_a_folder(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"there is no recipe (?s:.)*flawscope new"):
        load_recipe(tmp_path / "none.yaml")
    with pytest.raises(RecipeError, match="cannot be read"):
        load_recipe(tmp_path)


def test_a_byte_order_mark_and_umlauts(write: Any) -> None:
    made = load_recipe(write(b"\xef\xbb\xbf" + "name: a\ndata: {kind: folders, root: Prüf teile}".encode()))
    assert made.data.root.name == "Prüf teile"  # type: ignore[union-attr]


# --- overrides and paths ----------------------------------------------------------------------------------------


def test_overrides(write: Any) -> None:
    made = load_recipe(
        write(BASE + "train:\n"),
        ["train.epochs=3", " train.augment.rotate = 5", "image.size=[32, 64]", "model.freeze=true"],
    )
    assert (made.train.epochs, made.train.augment.rotate, made.image.size) == (3, 5.0, (32, 64))
    assert made.model.freeze
    path = write(BASE)
    assert load_recipe(path, ["train.epochs=3", "train.epochs=4"]).train.epochs == 4
    assert load_recipe(path, ["train.class_weights=[2.5]"]).train.class_weights == [2.5]
    assert load_recipe(path, ["data.pattern='a=b*.png'"]).data.pattern == "a=b*.png"  # type: ignore[union-attr]


def test_overrides_of_keys_with_points(write: Any) -> None:
    space = ["tune.space.train.rate={low: 0.1, high: 0.2}", "tune.space.train.schedule.kind.choices=[cosine, step]"]
    tune = load_recipe(write(BASE), [*space, "tune.space.train.rate.high=0.5", "tune.trials=3"]).tune
    assert tune
    assert list(tune.space) == ["train.rate", "train.schedule.kind"]
    assert (tune.space["train.rate"].high, tune.trials) == (0.5, 3)
    assert tune.space["train.schedule.kind"].choices == ["cosine", "step"]


def test_an_empty_section_means_the_defaults(write: Any) -> None:
    assert load_recipe(write(BASE + "train:\n")) == load_recipe(write(BASE))


@pytest.mark.parametrize(
    ("override", "problem"),
    [
        ("train.epochs", "expected key=value(?s:.)*--set train.epochs=3"),
        ("=3", "expected key=value"),
        ("train.epohcs=3", "train.epohcs: unknown key, did you mean 'epochs'"),
        ("train.epochs.x=3", "epochs: |train.epochs"),
        ("name.x=3", "name is a value, not a section"),
        ("train.epochs=[1", "not valid YAML"),
        ("data.pattern=*.png", "not valid YAML"),  # an alias, in YAML's eyes
        ("train.epochs=many", "train.epochs: "),
        (".=3", "unknown key"),
        ("train..epochs=3", "unknown key"),
    ],
)
def test_overrides_that_make_no_sense(write: Any, override: str, problem: str) -> None:
    with pytest.raises(RecipeError, match=problem):
        load_recipe(write(BASE), [override])


def test_paths_count_from_the_recipe_and_those_of_overrides_from_here(
    write: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    path = write(BASE + "model: {weights: w/a.safetensors}\n")
    made = load_recipe(path)
    assert made.data.root == tmp_path / "pictures"  # type: ignore[union-attr]
    assert made.model.weights == str(tmp_path / "w" / "a.safetensors")
    changed = load_recipe("../my.yaml", ["data.root=mine", "model.weights=b.safetensors"])
    assert changed.data.root == here / "mine"  # type: ignore[union-attr]
    assert changed.model.weights == str(here / "b.safetensors")
    table = load_recipe(write("name: a\ndata: {kind: csv, table: t/l.csv, images: ../i, label_columns: [x]}"))
    assert (table.data.table, table.data.images) == (tmp_path / "t/l.csv", tmp_path.parent / "i")  # type: ignore[union-attr]
    masks = load_recipe(write("name: a\ndata: {kind: masks, images: i, masks: m, facts: f.csv, group_column: coil}"))
    assert (masks.data.masks, masks.data.facts) == (tmp_path / "m", tmp_path / "f.csv")  # type: ignore[union-attr]
    home = load_recipe(write(BASE), ["data.root=~/x", "model.weights=null"])
    assert (home.data.root, home.model.weights) == (Path.home() / "x", "none")  # type: ignore[union-attr]
    assert load_recipe(write(BASE), ["model.weights=imagenet"]).model.weights == "imagenet"


# --- round trip and hash ----------------------------------------------------------------------------------------

dicts, unit = st.fixed_dictionaries, st.floats(0.01, 0.3)
# PyYAML does not bring these line breaks back from text that it writes with allow_unicode; pydantic's JSON mode makes
# infinity null.
text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x85\u2028\u2029"))
plain = st.none() | text | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
groups = dicts({"pattern": st.sampled_from(["(a)", r"([^/]+)_\\d"]), "block": st.integers(1, 9)})
elpv = dicts({"kind": st.just("elpv")}, optional={"threshold": st.floats(0.1, 1), "block": st.integers(1, 99)})
folders = dicts(
    {"kind": st.just("folders"), "root": st.just("/data/Prüf teile")},
    optional={
        "groups": groups,
        "part_level": st.integers(1, 3),
        "positive": text,
        "classes": st.lists(text, max_size=3),
        "pattern": text,
    },
)
columns = st.lists(text, min_size=1, unique=True)
table = dicts(
    {"kind": st.just("csv"), "table": st.just("/data/t.csv"), "label_columns": columns},
    optional={"delimiter": st.sampled_from([";", "\t", "auto"]), "negative": text.filter(bool)},
)
side = st.integers(8, 99)
weights = st.sampled_from(["none", "balanced", [1.5, 2.0]])
recipes = dicts(
    {"name": st.from_regex(r"\A[A-Za-z0-9][A-Za-z0-9._-]*\Z"), "data": elpv | folders | table},
    optional={
        "image": dicts({"size": st.tuples(side, side), "depth": st.sampled_from([8, 16])}),
        "split": dicts({"test": unit, "largest_group": st.floats(0.01, 1), "seed": st.integers()}),
        "model": dicts({"name": text, "arguments": st.dictionaries(text, plain)}),
        "train": dicts({"rate": st.floats(1e-9, 10), "class_weights": weights}),
        "calibrate": dicts({"method": st.sampled_from(get_args(Method))}),
        "decide": dicts({"rule": st.sampled_from(["best_f1", "best_accuracy", "fixed"])}),
    },
)


@given(recipes)
def test_what_is_stored_with_the_run_reads_back_the_same(
    tmp_path_factory: pytest.TempPathFactory, content: dict[str, Any]
) -> None:
    path = tmp_path_factory.getbasetemp() / "resolved.yaml"
    recipe = parse_recipe(content)
    save_recipe(recipe, path)
    again = load_recipe(path)
    assert again == recipe
    assert again.hash == recipe.hash


def test_the_stored_recipe_says_every_key(tmp_path: Path) -> None:
    save_recipe(parse_recipe(ELPV), tmp_path / "r.yaml")

    stored = yaml.safe_load((tmp_path / "r.yaml").read_text())
    assert set(stored) == set(Recipe.model_fields) - {"tune"}  # which is there where something is searched
    assert set(stored["train"]) == set(Recipe.model_fields["train"].annotation.model_fields)  # type: ignore[union-attr]
    assert stored["train"]["augment"]["brightness"] == 0.2


def test_the_hash_depends_on_what_is_asked_not_on_where_it_lies(tmp_path: Path) -> None:
    def made(**changes: Any) -> str:
        return parse_recipe(
            {"name": "a", "data": CSV | {"images": "/one"}, "model": {"weights": "/one/w.safetensors"}} | changes
        ).hash

    moved = made(data=CSV | {"table": "/two/t.csv", "images": "/two"}, model={"weights": "/two/w.safetensors"})
    assert made() == moved
    assert made(data=FOLDERS) == made(data=FOLDERS | {"root": "/two/pictures"})
    assert made(data=MASKS) == made(data=MASKS | {"images": "/two", "table": "/two/t.csv", "facts": "/two/f.csv"})
    assert made(data=MASKS) != made(data=MASKS | {"group_column": "batch"})
    assert made() != made(model={"weights": "/one/v.safetensors"})
    assert made() != made(train={"seed": 1})
    assert made() != made(train={"every_epoch": True})
    assert made() != made(data=CSV | {"label_columns": ["other"]})
    write_text(tmp_path / "r.yaml", parse_recipe(ELPV).dump())
    assert load_recipe(tmp_path / "r.yaml").hash == parse_recipe(ELPV).hash


def test_of_a_group_file_the_content_counts_not_the_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = tuple(Sample(name, name, (0.0,), name, f"content {name}") for name in "ab")
    samples = Samples("made", Task("binary", ("bad",)), rows)

    def made(file: str, fold_of_b: int) -> str:
        (tmp_path / file).parent.mkdir(exist_ok=True)
        save_groups(tmp_path / file, "x", samples, {"a": "a", "b": "b"}, {"a": 0, "b": fold_of_b})
        (tmp_path / "r.yaml").write_text(f"{BASE}split: {{file: {file}}}\n")
        recipe = load_recipe(tmp_path / "r.yaml")
        assert recipe.split.file == tmp_path / file
        assert str(tmp_path) not in recipe.dump(folders=False).partition("split:")[2]
        return recipe.hash

    assert made("one/g.json", 1) == made("two/other.json", 1)
    assert made("one/g.json", 1) != made("one/g.json", 2)
    monkeypatch.chdir(tmp_path / "two")
    assert load_recipe(tmp_path / "r.yaml", ["split.file=g.json"]).split.file == tmp_path / "two" / "g.json"
    (tmp_path / "one" / "g.json").unlink()
    with pytest.raises(SplitError, match="the group file does not exist"):
        _ = load_recipe(tmp_path / "r.yaml").hash


@pytest.mark.parametrize(
    "path", sorted((Path(__file__).parents[2] / "recipes").glob("*.yaml")), ids=lambda path: path.stem
)
def test_every_recipe_that_is_handed_out_is_one(path: Path) -> None:
    recipe = load_recipe(path)
    assert recipe.name == path.stem, "its run folder is named like the file"
    assert recipe.split.file is None or Path(recipe.split.file).is_file()
