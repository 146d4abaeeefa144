"""What is learnt: labels, or soft ones from a metadata column."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import flawscope
from flawscope.errors import DataError, RecipeError, WeightsError
from flawscope.records import Sample, Samples, Task
from flawscope.steps.material import learnt_targets
from flawscope.steps.train import first_weights, live_line, parameters
from flawscope.training.loop import Live
from flawscope.training.recipe import parse_recipe


def samples(values: list[Any], kind: Any = "binary", column: str = "chance") -> Samples:
    classes = ("bad",) if kind == "binary" else ("a", "b")
    target = (1.0,) if kind == "binary" else (1.0, 0.0)
    rows = [Sample(f"{i}", f"{i}.png", target, f"{i}", f"{i}", {column: value}) for i, value in enumerate(values)]
    return Samples("soft", Task(kind, classes, "good"), tuple(rows))


def test_soft_labels_are_learnt_as_they_are_and_the_truth_stays() -> None:
    some = samples([0.0, "0.25", 1 / 3, 1])
    assert learnt_targets(some, "chance").tolist() == [[0.0], [0.25], [1 / 3], [1.0]]
    assert learnt_targets(some, None).tolist() == [[1.0]] * 4 == some.target_nk.tolist()


@pytest.mark.parametrize(
    ("some", "problem"),
    [
        (samples([0.5], column="chanse"), "0 has no 'chance'(?s:.)*did you mean 'chanse'"),
        (samples([0.5], column="chanse"), r"data\.meta_columns: \[chance\]"),
        (
            Samples("none", Task("binary", ("bad",)), (Sample("0", "0.png", (1.0,), "0", "0"),)),
            "0 has no 'chance'(?s:.)*these data bring no metadata. Of a table the recipe must name the column",
        ),
        (samples([0.5, 1.5]), r"chance of 1 is 1\.5, expected 0 to 1"),
        (samples([float("nan")]), "chance of 0 is nan"),
        (samples(["often"]), "chance of 0 is 'often'"),
        (samples([0.5], "multilabel"), "stands for one class, this task is multilabel"),
    ],
)
def test_soft_labels_that_cannot_be_learnt(some: Samples, problem: str) -> None:
    with pytest.raises(RecipeError, match=f"train.soft_labels: (?s:.)*{problem}") as caught:
        learnt_targets(some, "chance")
    assert "Valid: \n" not in f"{caught.value}\n"


@pytest.mark.parametrize("step", [flawscope.run, flawscope.train])
def test_keys_without_effect_are_said_aloud(step: Any, tmp_path: Path) -> None:
    recipe = tmp_path / "r.yaml"
    recipe.write_text("name: a\ndata: {kind: folders, root: none}\ntrain: {momentum: 0.5}\n", encoding="utf-8")
    said: list[str] = []
    with pytest.raises(DataError):  # there are no pictures
        step(recipe, tmp_path / "run", say=said.append)
    assert said[0] == "note: of no effect: train.momentum: only sgd has it, not adamw"


@pytest.mark.parametrize("step", [flawscope.run, flawscope.train])
def test_weights_that_lack_are_said_before_the_data_are_read(
    step: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def offline(*given: Any, **named: Any) -> Any:
        raise OSError("could not resolve the host")

    monkeypatch.setattr("timm.models._builder.load_state_dict_from_hf", offline)
    recipe = tmp_path / "r.yaml"
    recipe.write_text(
        "name: a\ndata: {kind: masks, images: none}\nimage: {size: 32, channels: 1, resize: none}\n"
        "model: {name: 'table:resunet'}\ntrain: {watch: dice}\n"
        "gate: {model: {name: 'timm:test_resnet', weights: imagenet}, train: {watch: loss}}\n",
        encoding="utf-8",
    )
    with pytest.raises(WeightsError) as caught:
        step(recipe, tmp_path / "run")
    assert caught.value.problem == "gate: weights for test_resnet could not be downloaded: could not resolve the host"
    assert caught.value.remedy.endswith("in the command: --set gate.model.weights=FILE.safetensors")
    with pytest.raises(RecipeError, match=r"gate: model\.name: timm knows no model 'test_resnat'(?s:.)*test_resnet"):
        step(recipe, tmp_path / "run", overrides=["gate.model.name=timm:test_resnat"])
    with pytest.raises(WeightsError) as caught:
        step(recipe, tmp_path / "run", overrides=["model={name: smp:unet/test_resnet, weights: none.safetensors}"])
    assert caught.value.problem == f"model.weights: there is no file {Path.cwd() / 'none.safetensors'}"
    assert "--set model.weights=FILE.safetensors" in caught.value.remedy
    with pytest.raises(DataError):  # what needs no weights goes on to the data, of which there are none
        step(recipe, tmp_path / "run", overrides=["gate.model.weights=none"])


def test_a_layer_that_is_not_there_is_said_before_anything_is_trained() -> None:
    content = {
        "name": "a",
        "data": {"kind": "elpv"},
        "image": {"size": 32, "channels": 1},
        "model": {"name": "timm:test_resnet", "freeze": True},
        "train": {"unfreeze": {"after": 2, "layer": "layer5"}},
    }
    with pytest.raises(RecipeError, match=r"train\.unfreeze\.layer(?s:.)*did you mean 'layer"):
        first_weights(parse_recipe(content), samples([0.5]))


def test_parameters_are_counted_and_those_that_learn() -> None:
    content: dict[str, Any] = {
        "name": "a", "data": {"kind": "elpv"}, "image": {"size": 32, "channels": 1}, "model": {"name": "table:resnet18"}
    }  # fmt: skip
    asked = parse_recipe(content)
    assert parameters(first_weights(asked, samples([0.5])), asked.train) == "4,900,033, all of them learnt"
    frozen = asked.changed({"model.name": "timm:test_resnet", "model.freeze": True})
    network = first_weights(frozen, samples([0.5]))
    head = sum(parameter.numel() for parameter in network.head.parameters())
    assert parameters(network, frozen.train).endswith(f", {head:,} of them learnt")
    thawed = frozen.changed({"train.unfreeze": {"after": 1, "layer": 0}})
    assert parameters(network, thawed.train).endswith("all of them learnt")


@pytest.mark.parametrize(
    ("watched", "line"),
    [
        (
            "val_f1 0.5000, best 0.5000 (1)",
            "gate: epoch 1/3, loss 0.7000, val_loss 0.6000, val_f1 0.5000, best 0.5000 (1)",
        ),
        ("val_loss 0.6000, best 0.6000 (1)", "gate: epoch 1/3, loss 0.7000, val_loss 0.6000, best 0.6000 (1)"),
    ],
)
def test_a_line_an_epoch_where_there_is_no_terminal(
    watched: str, line: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    with live_line("gate: ") as show:
        show(Live(1, 3, 2, 2, 0.8))
        show(Live(1, 3, 2, 2, 0.7, watched, {"val_loss": 0.6}))
    assert capsys.readouterr().out.splitlines() == [line]
