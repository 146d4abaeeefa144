"""How metadata columns are coded: fitted on the training part, refused in words, and learnt with a frozen backbone."""

from __future__ import annotations

import unicodedata
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
import torch

from flawscope.errors import DataError, RecipeError
from flawscope.metadata import MetaColumn
from flawscope.models.build import Network, NetworkPlan, build
from flawscope.records import Sample, Samples, Split, Task
from flawscope.training import loop
from flawscope.training.features import on_features
from flawscope.training.input import PartDataset, loader
from flawscope.training.loop import fit
from flawscope.training.losses import Loss
from flawscope.training.metadata import fit_columns, hash_of, table_of
from flawscope.training.objective import Answers
from flawscope.training.recipe import Recipe, parse_recipe
from flawscope.training.spec import Augment, TrainSpec, Unfreeze

TASK = Task("binary", ("bad",))
NOTHING = Augment(flip_horizontal=False, flip_vertical=False, brightness=0)


def samples(*metas: dict[str, Any]) -> Samples:
    rows = tuple(Sample(f"{i}.png", f"{i}.png", (float(i % 2),), str(i), str(i), meta) for i, meta in enumerate(metas))
    return Samples("made", TASK, rows)


def values(name: str, *given: Any) -> Samples:
    return samples(*({name: value} for value in given))


@pytest.mark.parametrize(
    ("kind", "given", "expected"),
    [
        ("auto", ("poly", "mono", "poly"), MetaColumn("x", ("mono", "poly"))),
        ("auto", ("1", 2.0, "6,0"), MetaColumn("x", mean=3.0, std=float(np.std([1, 2, 6])))),
        ("number", (1.0, 3.0), MetaColumn("x", mean=2.0, std=1.0)),
        ("category", (2.0, "1", "2,0"), MetaColumn("x", ("1", "2"))),
        ("auto", ("1", "two"), MetaColumn("x", ("1", "two"))),
    ],
)
def test_what_a_column_holds(kind: Any, given: tuple[Any, ...], expected: MetaColumn) -> None:
    assert fit_columns({"x": kind}, values("x", *given)) == (expected,)


@pytest.mark.parametrize(
    ("kind", "given", "problem"),
    [
        ("auto", values("tpye", "a", "b"), "no column 'type' beside(?s:.)*did you mean 'tpye'(?s:.)*data.meta_columns"),
        ("auto", samples({}, {}), "bring no metadata"),
        ("auto", values("type", "a", "", "b"), r"1 of 3 training images have no 'type':\n  1.png(?s:.)*complete the"),
        ("auto", values("type", "a", "a"), "'a' for every training image: nothing can be learnt"),
        ("auto", values("type", 3.0, 3.0), "type is 3 for every training image"),
        ("auto", values("type", *([0.1] * 7)), "type is 0.1 for every training image"),
        ("auto", values("type", 1.7e9, 1.7e9 + 5), "differs too little(?s:.)*subtract a constant"),
        ("number", values("type", 1.0, "a"), r"is none:\n  1.png: 'a'(?s:.)*{type: category}"),
        ("category", values("type", *(f"p{i}" for i in range(101))), "101 different values"),
        ("number", values("type", 1.0, 1e39), "too large"),
    ],
)
def test_columns_of_which_nothing_can_be_learnt(kind: Any, given: Samples, problem: str) -> None:
    with pytest.raises(RecipeError, match=problem):
        fit_columns({"type": kind}, given)


def test_other_parts_must_be_codable_too_and_what_is_left_out_need_not() -> None:
    found = values("type", "a", "b", "c", "")
    columns = (MetaColumn("type", ("a", "b")),)

    def split(**part: Any) -> Split:
        names = {row.id: row.id for row in found.rows}
        left = {name: "would leak" for name in names if name not in part}
        return Split(part, names, {}, 0, "by hand", left_out=left)

    table_nm = table_of(found, split(**{"0.png": "train", "1.png": "test"}), columns)
    assert table_nm is not None
    assert table_nm[:2].tolist() == [[0.0], [1.0]]
    assert np.isnan(table_nm[2:]).all()
    with pytest.raises(DataError, match=r"2 images(?s:.)*2.png \(test part\): type: 'c' is none(?s:.)*no value for"):
        table_of(found, split(**{"0.png": "train", "2.png": "test", "3.png": "validation"}), columns)
    assert table_of(found, split(**{"0.png": "train"}), ()) is None


def test_the_hash_sees_the_columns_that_are_learnt_and_no_others() -> None:
    one = samples({"type": "a", "more": 1.0}, {"type": "b", "more": 2.0})
    two = samples({"type": "a", "more": 7.0}, {"type": "b", "more": 2.0})
    three = samples({"type": "b", "more": 1.0}, {"type": "b", "more": 2.0})
    assert hash_of({"type": "auto"}, one) == hash_of({"type": "auto"}, two) != hash_of({"type": "auto"}, three)
    assert one.hash == three.hash, "which is why it is needed"


def test_names_of_columns_in_the_recipe_are_one_however_an_umlaut_is_written() -> None:
    names = {way: unicodedata.normalize(way, "Größe") for way in ("NFC", "NFD")}

    def made(way: Literal["NFC", "NFD"]) -> Recipe:
        name = names[way]
        table = {
            "kind": "csv",
            "table": "t",
            "label_columns": ["bad"],
            "meta_columns": [name],
            "groups": {"column": name},
        }
        asked = {"model": {"metadata": {name: "auto"}}}
        return parse_recipe({"name": "a", "data": table, **asked})

    assert made("NFC") == made("NFD")
    with pytest.raises(RecipeError, match="it would give the answer away"):
        parse_recipe(
            {
                "name": "a",
                "data": {"kind": "csv", "table": "t", "label_columns": [names["NFD"]]},
                "model": {"metadata": {names["NFC"]: "auto"}},
            }
        )


def test_the_key_in_the_recipe() -> None:
    elpv: dict[str, Any] = {"name": "a", "data": {"kind": "elpv"}}
    plain = parse_recipe(elpv)
    assert parse_recipe(elpv | {"model": {"metadata": {}}}).hash == plain.hash
    asked = parse_recipe(elpv | {"model": {"metadata": {"type": "category"}}})
    assert asked.hash != plain.hash
    with pytest.raises(
        RecipeError, match=r"model.metadata.type: 'kategory' is none of its values, did you mean 'category'\?"
    ):
        parse_recipe(elpv | {"model": {"metadata": {"type": "kategory"}}})
    with pytest.raises(RecipeError, match="labelled is what is to be learnt: it would give the answer away"):
        parse_recipe(elpv | {"model": {"metadata": {"labelled": "number"}}})
    table = {"kind": "csv", "table": "t.csv", "label_columns": ["crack"], "meta_columns": ["share"]}
    for name, soft in (("crack", None), ("share", "share")):
        with pytest.raises(RecipeError, match=f"{name} is what is to be learnt"):
            parse_recipe(
                {"name": "a", "data": table, "model": {"metadata": {name: "auto"}}, "train": {"soft_labels": soft}}
            )


# --- training ---------------------------------------------------------------------------------------------------

COLUMNS = (MetaColumn("type", ("a", "b")), MetaColumn("age", mean=1.0, std=2.0))
RNG = np.random.default_rng(0)
PIXELS = RNG.integers(0, 256, (24, 1, 16, 16)).astype(np.uint8)
TABLE = np.stack([np.arange(24) % 2, RNG.normal(1, 2, 24)], axis=1).astype(np.float32)
TARGET = TABLE[:, :1].astype(np.float64)


def part(rows: range) -> PartDataset:
    augment = NOTHING if rows.start == 0 else None
    return PartDataset(PIXELS, TARGET, rows, augment, 0, table_nm=TABLE)


def trained(folder: Path, epochs: int = 3, head: str = "linear", **asked: Any) -> tuple[loop.Fit, Network]:
    spec = TrainSpec(**{"epochs": epochs, "batch_size": 8, "rate": 0.02, "device": "cpu", "augment": NOTHING} | asked)
    torch.manual_seed(0)
    plan = NetworkPlan("timm:test_resnet", 1, 1, size=(16, 16), head=head, freeze=True, columns=COLUMNS)
    network = build(plan)
    batches = loader(part(range(16)), 8, 0), loader(part(range(16, 24)), 8, 0)
    loss = Loss(TASK, np.ones(1))
    return fit(network, Answers(TASK, loss), spec, folder=folder, train=batches[0], validation=batches[1]), network


# In `norm` a shift stands before a norm that takes it out: its gradient is rounding, which Adam would make a step of.
@pytest.mark.parametrize(
    "asked",
    [{"ema": 0.5}, {"head": "norm", "optimiser": "sgd"}, {"unfreeze": Unfreeze(after=2, layer="layer4")}],
    ids=str,
)
def test_training_on_features_is_training_on_images(
    asked: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[int] = []
    ran = Network.forward
    monkeypatch.setattr(Network, "forward", lambda self, x, t: (calls.append(len(x)), ran(self, x, t))[1])
    quick, one = trained(tmp_path / "quick", **asked)
    assert sum(calls) == (24 if "unfreeze" not in asked else 24 + 24), "the backbone runs once"
    monkeypatch.setattr(loop, "on_features", lambda *given, **named: None)
    slow, other = trained(tmp_path / "slow", **asked)
    for row, expected in zip(quick.history, slow.history, strict=True):
        assert row["train_loss"] == pytest.approx(expected["train_loss"], rel=1e-4)
        assert row["val_loss"] == pytest.approx(expected["val_loss"], rel=1e-4)
    for name, tensor in one.state_dict().items():
        torch.testing.assert_close(tensor, other.state_dict()[name], rtol=1e-3, atol=1e-5)


def test_features_stand_beside_the_metadata_and_targets_of_their_rows() -> None:
    network = build(NetworkPlan("timm:test_resnet", 1, 1, size=(16, 16), freeze=True, columns=COLUMNS))
    found = on_features(network, loader(part(range(3, 9)), 4, 0))
    assert found is not None
    feature, row, target = found.dataset[2]
    assert (row.tolist(), target.tolist()) == (TABLE[5].tolist(), TARGET[5].tolist())
    network.eval()
    with torch.no_grad():
        expected = network(torch.from_numpy(PIXELS[5:6]), torch.from_numpy(TABLE[5:6]))
        torch.testing.assert_close(network.head(feature[None], row[None]), expected)


def test_an_interrupted_training_ends_bit_identical(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, whole = trained(tmp_path / "whole", epochs=4, ema=0.5)
    real = loop.train_epoch

    def stop(learner: Any, loss: Any, batches: Any, epoch: int, live: Any) -> float:
        if epoch == 3:
            raise KeyboardInterrupt
        return real(learner, loss, batches, epoch, live)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(loop, "train_epoch", stop)
        trained(tmp_path / "cut", epochs=4, ema=0.5)
    _, again = trained(tmp_path / "cut", epochs=4, ema=0.5)
    assert all(torch.equal(a, b) for a, b in zip(whole.state_dict().values(), again.state_dict().values(), strict=True))
