"""What the tests let several processes do: `torchrun several.py FOLDER TASK`; loaded as a module it trains alone."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader

from flawscope.errors import UserError
from flawscope.masks import masks_of
from flawscope.models.build import Network, NetworkPlan, build
from flawscope.records import Sample, Samples, Task
from flawscope.training import processes
from flawscope.training.input import PartDataset, loader
from flawscope.training.loop import Fit, Live, fit
from flawscope.training.losses import Loss
from flawscope.training.mask_input import MaskDataset, TileDataset
from flawscope.training.mask_losses import MaskLoss
from flawscope.training.mask_spec import MaskLossSpec, Pieces
from flawscope.training.objective import Answers, Maps
from flawscope.training.sampling import EpochSampler, likelihoods
from flawscope.training.spec import Augment, TrainSpec, Unfreeze

TASK = Task("multiclass", ("a", "b", "c"))
WHICH = np.arange(40) % 3
TARGETS = np.eye(3)[WHICH]
PIXELS = (
    np.random.default_rng(0).integers(0, 150, (40, 1, 32, 32)) + 40 * WHICH[:, None, None, None]
).astype(np.uint8)  # fmt: skip
PLAIN = Augment(flip_horizontal=False, flip_vertical=False, brightness=0)

# 21 images are batches of 8, 8 and 5; the validation's 9 are 8 and 1, fewer than there are processes.
CASES: dict[str, dict[str, Any]] = {
    "weights and gathered gradients": {"accumulate": 2, "clip": 0.5},
    "batch norm": {"model": "timm:test_resnet", "optimiser": "sgd", "watch": "accuracy"},
    "a last batch for one process": {"rows": 17, "keep_last": True, "loss": "focal", "optimiser": "sgd"},
    "features, then a stage more": {
        "model": "timm:test_resnet", "optimiser": "sgd", "rows": 30, "augment": PLAIN,
        "unfreeze": Unfreeze(after=1, layer="layer4"),
    },
    "balanced and a running mean": {"sampling": "balanced", "ema": 0.5, "optimiser": "sgd"},
    "masks": {
        "model": "smp:unet/test_resnet", "arguments": {"encoder_depth": 3, "decoder_channels": [8, 8, 8]},
        "optimiser": "sgd", "watch": "dice",
    },
    "half precision": {"precision": "bfloat16", "optimiser": "sgd", "epochs": 1},
}  # fmt: skip
KILLED: dict[str, Any] = {"model": "timm:test_resnet", "arguments": {"drop_rate": 0.3}, "epochs": 6, "ema": 0.8}


def trained(
    folder: Path,
    *,
    rows: int = 21,
    keep_last: bool = False,
    model: str = "timm:test_convnext",
    arguments: Any = None,
    wait: float = 0,
    **asked: Any,
) -> tuple[Fit, Network]:
    """Train a tiny network in a folder; `keep_last` also takes a last batch of one image."""
    spec = TrainSpec(**{"epochs": 3, "batch_size": 8, "rate": 0.01, "device": "cpu"} | asked)
    torch.manual_seed(processes.rank())  # the first weights are the first process's
    plan = NetworkPlan(model, 3, 1, size=(32, 32), arguments=arguments or {}, freeze="unfreeze" in asked)
    network = build(plan)
    if spec.watch == "dice":
        objective = Maps(MaskLoss(MaskLossSpec(), 3, exclusive=False))
        return fit(network, objective, spec, folder=folder, **maps(rows)), network
    likely_n = likelihoods(spec.sampling, TARGETS[:rows] >= 0.5, "g" * rows)
    learn = PartDataset(PIXELS, TARGETS, range(rows), spec.augment, spec.seed, likelihood_n=likely_n)
    train = loader(learn, spec.batch_size, 0)
    if keep_last:
        train = DataLoader(learn, batch_sampler=processes.Share(EpochSampler(learn), spec.batch_size, drop_last=False))

    def show(live: Live) -> None:
        time.sleep(wait)

    found = fit(
        network, Answers(TASK, Loss(TASK, np.array([1.0, 4.0, 0.5]), spec.loss)), spec, folder=folder, show=show,
        train=train,
        validation=loader(PartDataset(PIXELS, TARGETS, range(31, 40), None, spec.seed), 8, 0),
    )  # fmt: skip
    return found, network


def maps(rows: int) -> dict[str, Any]:
    """Batches of pieces with masks, of the same pictures: where they are bright."""
    samples = tuple(
        Sample(f"{i}", f"{i}", masks.shown, f"{i}", f"{i}", masks=masks)
        for i, masks in enumerate(
            masks_of((pixels > 150) & TARGETS[i, :, None, None].astype(bool)) for i, pixels in enumerate(PIXELS)
        )
    )
    table = Samples("bright", Task("multilabel", TASK.classes, pixels="multilabel"), samples)
    learn = MaskDataset(PIXELS, table, range(rows), augment=Augment(), pieces=Pieces(size=24), seed=0)
    watch = TileDataset(PIXELS, table, range(31, 40), (32, 32), most=99)
    return {"train": loader(learn, 8, 0), "validation": loader(watch, 9, 0)}


def all_cases(root: Path) -> None:
    """Train every case; then let the second process fail, and see that the first one says so."""
    for name, asked in CASES.items():
        trained(root / name, **asked)
    drops: dict[str, Any] = {"arguments": {"drop_rate": 0.9}, "epochs": 1}
    found = [trained(root / f"dropout {n}", **drops)[0].history[0]["train_loss"] for n in range(2)]
    told = ""
    try:
        with processes.first_before_others():
            if processes.rank():
                raise UserError("no such data", "mount them")
    except UserError as error:
        told = str(error)
    said = processes.gathered({"told": told, "dropout": found})
    if processes.rank() == 0:
        (root / "said.json").write_text(json.dumps(said))


def main() -> None:
    root, task = Path(sys.argv[1]), sys.argv[2]
    processes.join()
    (root / f"pid-{processes.rank()}").write_text(str(os.getpid()))
    if task == "begin":
        trained(root / "killed", wait=0.1, **KILLED)
    else:
        trained(root / "killed", **KILLED)
        trained(root / "whole", **KILLED)
        all_cases(root)


if __name__ == "__main__":
    main()
