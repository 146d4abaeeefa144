from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from flawscope.errors import DataError
from flawscope.models.build import NetworkPlan, build
from flawscope.training.checkpoint import load_checkpoint, same_weights, save_checkpoint

PLAN = NetworkPlan("timm:test_resnet", 2, 1, 16, {"drop_rate": 0.25}, freeze=True, mean=(0.25,), std=(0.5,))


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    save_checkpoint(tmp_path / "best", build(PLAN), epoch=4, measures={"val_loss": 0.5})
    return tmp_path / "best"


def test_network_plan_and_facts_come_back(saved: Path) -> None:
    network, facts = load_checkpoint(saved)
    assert facts == {"epoch": 4, "measures": {"val_loss": 0.5}}
    assert network.plan == PLAN
    torch.manual_seed(0)
    assert same_weights(network, build(PLAN))
    torch.manual_seed(1)
    assert not same_weights(network, build(PLAN))
    assert not network.training


def test_only_safetensors_and_json_are_written(saved: Path) -> None:
    assert names(saved.parent) == ["best.json", "best.safetensors"]
    content = saved.with_suffix(".safetensors").read_bytes()
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    assert "mean_1c11" in header


def damage(path: Path, how: str) -> None:
    weights, plan = path.with_suffix(".safetensors"), path.with_suffix(".json")
    text = json.loads(plan.read_text())
    match how:
        case "cut off":
            weights.write_bytes(weights.read_bytes()[:-10])
        case "a pickle":
            torch.save({}, weights)
        case "empty":
            weights.write_bytes(b"")
        case "not JSON":
            plan.write_text("{")
        case "no plan":
            plan.write_text("{}")
        case "not a dictionary":
            plan.write_text("[]")
        case "a plan without a key":
            del text["plan"]["outputs"]
            plan.write_text(json.dumps(text))
        case "another plan":
            text["plan"]["outputs"] = 3
            plan.write_text(json.dumps(text))


@pytest.mark.parametrize(
    "how",
    ["cut off", "a pickle", "empty", "not JSON", "no plan", "not a dictionary", "a plan without a key", "another plan"],
)
def test_damage_is_said_in_words(saved: Path, how: str) -> None:
    damage(saved, how)
    with pytest.raises(DataError, match=r"the checkpoint .*best is damaged(?s:.)*train again"):
        load_checkpoint(saved)


@pytest.mark.parametrize("suffix", [".json", ".safetensors"])
def test_missing(saved: Path, suffix: str) -> None:
    saved.with_suffix(suffix).unlink()
    with pytest.raises(DataError, match=r"there is no checkpoint(?s:.)*flawscope train RECIPE"):
        load_checkpoint(saved)
