"""The recipe that `new` writes: it runs as it stands, and its commented lines are what it offers."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import flawscope
from flawscope.data.spec import CsvSpec, ElpvSpec, FoldersSpec, MasksSpec
from flawscope.errors import DataError
from flawscope.training.recipe import load_recipe
from flawscope.training.spec import IMAGE_WATCHES

Draw = Callable[..., Path]
OFFERED = re.compile(r"^( *)# ((?:groups|  pattern|  block|group_column): ?\S*)$", re.MULTILINE)


def made(folder: Path) -> Path:
    return flawscope.new(folder, folder.parent / "recipe.yaml", overwrite=True).recipe


def accepted(recipe: Path) -> Path:
    """The recipe with every offer taken: the marks of the comments are removed."""
    text, offers = OFFERED.subn(r"\1\2", recipe.read_text(encoding="utf-8"))
    assert offers
    recipe.write_text(text, encoding="utf-8")
    return recipe


def test_every_measure_that_can_be_watched_is_named(tmp_path: Path, draw: Draw) -> None:
    for seed in range(12):
        draw(tmp_path / "data" / ("nok" if seed % 3 == 0 else "ok") / f"{seed}.png", seed)
    (line,) = [
        line for line in made(tmp_path / "data").read_text("utf-8").splitlines() if "chooses the best epoch:" in line
    ]
    assert sorted(line.partition(": ")[2].rstrip(".").split(", ")) == sorted(("loss", *IMAGE_WATCHES))


def test_folders_are_offered_groups_and_the_published_split(tmp_path: Path, draw: Draw) -> None:
    for seed in range(24):
        part = "test" if seed % 4 == 0 else "train"
        draw(tmp_path / "data" / part / ("nok" if seed % 3 == 0 else "ok") / f"part{seed // 2}_{seed}.png", seed)
    recipe = made(tmp_path / "data")
    plain = load_recipe(recipe)
    assert isinstance(plain.data, FoldersSpec)
    assert (plain.data.level, plain.data.part_level, plain.split.published) == (1, 0, "ignore")
    assert (plain.data.groups.pattern, plain.data.groups.block) == (None, None)
    changed = load_recipe(accepted(recipe), ["split.published=keep", "split.twins=identical"])
    assert (changed.data.groups.pattern, changed.data.groups.block) == ("(part[0-9]+)", 60)
    recipe.write_text(recipe.read_text(encoding="utf-8").replace("    block: 60\n", ""), encoding="utf-8")
    (split,) = flawscope.split(recipe, overrides=["split.published=keep", "split.twins=identical"])
    assert set(split.ids("test")) == {path for path in split.group if path.startswith("test/")}
    assert len(set(split.group.values())) == 12


def test_tables_are_offered_a_column(tmp_path: Path, draw: Draw) -> None:
    for seed in range(12):
        draw(tmp_path / "data" / f"{seed}.png", seed)
    rows = [f"{seed}.png,{'ok' if seed % 2 else 'nok'},{'train' if seed < 8 else 'test'}" for seed in range(12)]
    (tmp_path / "data" / "labels.csv").write_text("\n".join(["file,verdict,set", *rows]))
    recipe = made(tmp_path / "data")
    plain = load_recipe(recipe)
    assert isinstance(plain.data, CsvSpec)
    assert (plain.data.part_column, plain.data.grouped_by, plain.split.published) == ("set", None, "ignore")
    taken = load_recipe(accepted(recipe)).data
    assert isinstance(taken, CsvSpec)
    assert (taken.grouped_by, taken.groups.block) == ("serial", 60)


def test_nothing_is_offered_where_the_data_say_it(tmp_path: Path, draw: Draw) -> None:
    for seed in range(12):
        draw(tmp_path / "data" / f"{seed}.png", seed)
    rows = [f"{seed}.png,{'ok' if seed % 2 else 'nok'},part {seed // 2}" for seed in range(12)]
    (tmp_path / "data" / "labels.csv").write_text("\n".join(["file,verdict,part", *rows]))
    text = made(tmp_path / "data").read_text(encoding="utf-8")
    assert "group_column: part" in text
    assert "groups:" not in text
    assert "published" not in text


def test_elpv(tmp_path: Path) -> None:
    pytest.importorskip("elpv_dataset", exc_type=ImportError)
    recipe = flawscope.new("elpv", tmp_path / "recipe.yaml").recipe
    assert load_recipe(recipe).data == ElpvSpec()
    assert "groups:" not in recipe.read_text(encoding="utf-8")


def test_data_with_masks_get_tiles_and_a_network_that_draws(tmp_path: Path) -> None:
    flawscope.synth("steel", tmp_path / "strips", 40, size="640x64")
    recipe = load_recipe(made(tmp_path / "strips"))
    assert isinstance(recipe.data, MasksSpec)
    assert (recipe.data.table, recipe.data.group_column) == (tmp_path / "strips" / "train.csv", "coil")
    assert (recipe.image.size, recipe.image.resize, recipe.model.name) == ((64, 64), "none", "table:resunet")
    assert recipe.masks is not None and recipe.masks.pieces is not None
    assert recipe.masks.pieces.size == (64, 64)
    (split,) = flawscope.split(tmp_path / "recipe.yaml", overrides=["split.twins=identical"])
    assert {name.split("_")[0] for name in split.group} == set(split.group.values()), "strips of a coil stay together"
    assert recipe.gate is None
    text = (tmp_path / "recipe.yaml").read_text(encoding="utf-8")
    (tmp_path / "recipe.yaml").write_text(re.sub(r"^# (gate:|  \w+: \{)", r"\1", text, flags=re.MULTILINE))
    gate = load_recipe(tmp_path / "recipe.yaml").gate
    assert gate is not None and (gate.image.size, gate.model.name) == ((64, 640), "table:resnet18")
    assert gate.decide.max_escape == 0.05


def test_masks_of_pictures_of_one_moderate_size_are_learnt_whole(tmp_path: Path) -> None:
    for i in range(12):
        path = tmp_path / "data" / "images" / f"{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.random.default_rng(i).integers(0, 255, size=(40, 48)).astype(np.uint8)).save(path)
        mask = tmp_path / "data" / "masks" / f"{i}.png"
        mask.parent.mkdir(exist_ok=True)
        Image.fromarray((np.arange(48) < i).astype(np.uint8) * np.ones((40, 1), np.uint8)).save(mask)
    recipe = load_recipe(flawscope.new(tmp_path / "data", tmp_path / "r.yaml", weights="imagenet").recipe)
    assert (recipe.image.size, recipe.image.channels, recipe.model.name) == ((40, 48), 3, "smp:unet/mobilenetv2_100")
    assert recipe.masks is not None and recipe.masks.pieces is None
    assert "# gate:" in (tmp_path / "r.yaml").read_text(encoding="utf-8")
    (tmp_path / "data" / "images" / "0.png").unlink()  # the only good one
    (tmp_path / "data" / "masks" / "0.png").unlink()
    assert "# gate:" not in made(tmp_path / "data").read_text(encoding="utf-8"), "there is nothing to let pass"


def test_masks_that_mark_nothing_make_no_recipe(tmp_path: Path) -> None:
    blank = np.zeros((12, 16), dtype=np.uint8)
    flawed = blank.copy()
    flawed[2:5, 3:9] = 255
    for folder in ("images", "masks"):
        (tmp_path / "data" / folder).mkdir(parents=True)
    for i in range(6):
        noise = np.random.default_rng(i).integers(0, 255, blank.shape, dtype=np.uint8)
        Image.fromarray(noise).save(tmp_path / "data" / "images" / f"{i}.png")
        Image.fromarray(blank).save(tmp_path / "data" / "masks" / f"{i}.png")
    with pytest.raises(DataError, match="no mask marks anything in the 6 images that can be used") as told:
        made(tmp_path / "data")
    assert told.value.remedy.startswith("are these the masks") and not (tmp_path / "recipe.yaml").exists()
    Image.fromarray(flawed[:6]).save(tmp_path / "data" / "masks" / "1.png")
    with pytest.raises(DataError, match=r"in the 5 images that can be used\n  Cannot be used: 1.png .*16 x 6 pixels"):
        made(tmp_path / "data")
    Image.fromarray(flawed).save(tmp_path / "data" / "masks" / "1.png")
    recipe = load_recipe(made(tmp_path / "data"))
    assert isinstance(recipe.data, MasksSpec)


def test_colours_of_masks_stand_in_the_recipe(tmp_path: Path) -> None:
    for folder in ("images", "masks"):
        (tmp_path / "data" / folder).mkdir(parents=True)
    for i in range(6):
        colours = np.zeros((12, 16, 3), dtype=np.uint8)
        colours[2:5, 3:9, 2 * (i % 2)] = 255
        Image.fromarray(255 - colours).save(tmp_path / "data" / "images" / f"{i}.png")
        Image.fromarray(colours).save(tmp_path / "data" / "masks" / f"{i}.png")
    recipe = made(tmp_path / "data")
    plain = load_recipe(recipe)
    assert isinstance(plain.data, MasksSpec)
    assert plain.data.of_colours == {"blue": (0, 0, 255), "red": (255, 0, 0)}
    assert plain.hash != load_recipe(recipe, ["data.colours={a: [255, 0, 0], b: [0, 0, 255]}"]).hash
