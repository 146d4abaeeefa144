"""Images a second in training on the CPU: with and without channels-last weights and kept memory, side by side.

MobileNetV2 at 160, first weights at random, random pictures, changed at random as by default; the loop is the product's
own. Each of the four ways runs in a process of its own, since what glibc is told holds for a process, in turns, round
after round. The ratios within a round count.

    python benchmarks/cpu_training.py [--rounds 5] [--steps 10] [--batch 32]

Appends to benchmarks/results/cpu-training.json. Stopped and started again with the same words it goes on with what it
has measured.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import torch

from entries import append, spread
from flawscope.models.build import NetworkPlan, build
from flawscope.records import Task
from flawscope.steps.provenance import code_version, command, machine, today, versions
from flawscope.steps.workspace import read_json
from flawscope.storage import write_json
from flawscope.training.input import PartDataset, loader
from flawscope.training.loop import Learner, keep_memory, train_epoch
from flawscope.training.losses import Loss
from flawscope.training.objective import Answers
from flawscope.training.spec import Augment, Schedule, TrainSpec

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results" / "cpu-training.json"
BEGUN = ROOT / "runs" / "cpu-training.json"
WAYS = ("both", "channels last", "kept memory", "neither")
SIZE, WARM_UP = 160, 2


def main() -> None:
    """Measure all ways in turns and append the result, or measure one way and print it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=10, help="batches that are timed, after two that are not")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--one", choices=WAYS, help="measure this way here, and print images a second")
    asked = parser.parse_args()
    if asked.one:
        sys.stdout.write(f"{images_per_second(asked.one, asked.steps, asked.batch)}\n")
        return
    speeds = measured(asked.rounds, asked.steps, asked.batch)
    ratios = {way: [a / b for a, b in zip(speeds[way], speeds["neither"], strict=True)] for way in WAYS[:-1]}
    ratios["channels last, where memory is kept"] = [
        a / b for a, b in zip(speeds["both"], speeds["kept memory"], strict=True)
    ]
    ratios["kept memory, where channels are last"] = [
        a / b for a, b in zip(speeds["both"], speeds["channels last"], strict=True)
    ]
    result = {
        "benchmark": "cpu-training",
        "command": f"python benchmarks/{command()}",
        "code": code_version(),
        "date": today(),
        "machine": machine(),
        "threads": torch.get_num_threads(),
        "versions": versions(),
        "what": f"training of MobileNetV2 at {SIZE}, float32, batches of {asked.batch}; ratios to neither, or as named",
        "rounds": asked.rounds,
        "steps": asked.steps,
        "images_per_second": {way: [round(speed, 2) for speed in each] for way, each in speeds.items()},
        "median_images_per_second": {way: round(statistics.median(each), 2) for way, each in speeds.items()},
        "ratio": {name: spread(each) for name, each in ratios.items()},
    }
    append(RESULTS, result)
    BEGUN.unlink(missing_ok=True)
    sys.stdout.write(json.dumps(result, indent=1) + "\n")


def measured(rounds: int, steps: int, batch: int) -> dict[str, list[float]]:
    """Images a second of each way, one number a round; what an interrupted measurement has left is not done again."""
    about = {"rounds": rounds, "steps": steps, "batch": batch, "code": code_version(), "machine": machine()}
    begun = read_json(BEGUN) if BEGUN.is_file() else {}
    speeds: dict[str, list[float]] = {way: [] for way in WAYS}
    if begun.get("about") == about:
        speeds = begun["speeds"]
    for number in range(rounds):
        # Each round begins with another way, so that none is always the first after a pause.
        for way in (*WAYS[number % 4 :], *WAYS[: number % 4]):
            if len(speeds[way]) > number:
                continue
            words = [sys.executable, __file__, "--one", way, "--steps", str(steps), "--batch", str(batch)]
            done = subprocess.run(words, stdout=subprocess.PIPE, text=True, check=True)
            speeds[way].append(float(done.stdout.splitlines()[-1]))
            sys.stderr.write(f"round {number + 1} of {rounds}, {way}: {speeds[way][-1]:.1f} images/s\n")
            write_json(BEGUN, {"about": about, "speeds": speeds})
    return speeds


def images_per_second(way: str, steps: int, batch: int) -> float:
    """Of one way, in this process."""
    if way in ("both", "kept memory"):
        keep_memory()
    spec = TrainSpec(batch_size=batch, device="cpu", precision="float32", schedule=Schedule(kind="constant"))
    torch.manual_seed(0)
    network = build(NetworkPlan("timm:mobilenetv2_100", outputs=1, size=(SIZE, SIZE)))
    n = steps * batch
    pixels = np.random.default_rng(0).integers(0, 256, (n, 3, SIZE, SIZE), dtype=np.uint8)
    target_nk = (np.arange(n) % 2).astype(np.float64)[:, None]
    learner = Learner.of(network, spec, steps)
    if way in ("kept memory", "neither"):
        network.to(memory_format=torch.contiguous_format)
    task = Task("binary", ("bad",))
    objective = Answers(task, Loss(task, np.ones(1)))
    seconds = 0.0
    for rows in (range(WARM_UP * batch), range(n)):
        (batches,) = learner.on_device(loader(PartDataset(pixels, target_nk, rows, Augment(), 0), batch, 0))
        start = time.perf_counter()
        train_epoch(learner, objective, batches, 1, lambda step, mean: None)
        seconds = time.perf_counter() - start
    return n / seconds


if __name__ == "__main__":
    main()
