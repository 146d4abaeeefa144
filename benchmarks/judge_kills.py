"""Kill the workers of the judge at random moments, 100 times, and count what became of the submissions.

    python benchmarks/judge_kills.py

Workers are real ones: they take submissions from the store, run them in the sandbox, score, hand in. They are killed
outright (SIGKILL) after a random time, up to `--longest` times what one submission takes undisturbed, and started anew,
while submissions come in. What was interrupted ten times is given up by the judge; it is counted, and taken up again in
the end as the organiser would (`judge --again stuck`). Then every submission must be judged, with one result for each
part, equal to what the bundle gives outside of all this, and its answers must lie where the store says. On SQLite, and
with `--store URL` on PostgreSQL.
"""

from __future__ import annotations

import argparse
import multiprocessing
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from entries import ROOT, append, provenance
from flawscope.bundle.archive import write_bundle
from flawscope.bundle.manifest import Graph, Hashes, ImageInput, Manifest, Sealed
from flawscope.bundle.rules import Calibrator, DecisionRule, TaskModel
from flawscope.bundle.runtime import Runtime
from flawscope.challenge.desk import HIDDEN, Desk
from flawscope.challenge.labels import IMAGES, Labels, labels_hash, part_hash, write_labels
from flawscope.challenge.spec import Challenge, PartName, hidden, save_challenge
from flawscope.challenge.worker import answers_path
from flawscope.preprocess import Preprocess
from flawscope.records import Task
from flawscope.steps.challenge_judge import challenge_judge
from flawscope.steps.challenge_submit import challenge_submit
from flawscope.storage import sha256_file

TARGET = ROOT / "benchmarks" / "results" / "judge-kills.json"
TASK = Task("binary", ("defective",), "ok")
SPEC = Preprocess(size=(8, 8), channels=1)
IMAGES_EACH = 60
LEASE = 10.0
OPEN = 6
"""So many submissions are waiting or in work while workers are killed."""


def make_challenge(folder: Path, name: str = "kills", images: int = IMAGES_EACH) -> None:
    """Grey pictures, the bright ones mostly defective."""
    parts: dict[PartName, Any] = {"training": {"images": 1, "groups": 1, "hash": "0" * 64}}
    for seed, part in enumerate(HIDDEN):
        rng, place = np.random.default_rng(seed), hidden(folder, part)
        (place / IMAGES).mkdir(parents=True)
        value_n = rng.integers(0, 256, images)
        files = tuple(f"{i:05d}.png" for i in range(images))
        for file, value in zip(files, value_n, strict=True):
            Image.new("L", (10, 10), int(value)).save(place / IMAGES / file)
        truth_nk = (value_n + rng.normal(0, 50, images) > 128)[:, None]
        labels = Labels(files, tuple(str(i // 2) for i in range(images)), truth_nk)
        write_labels(place, labels, TASK)
        paths = [place / IMAGES / file for file in files]
        hashes = {"hash": part_hash(labels, paths), "labels_hash": labels_hash(labels)}
        parts[part] = {"images": images, "groups": images // 2, **hashes}
    content = {
        "name": name, "title": name.title(), "kind": TASK.kind, "classes": TASK.classes, "negative": TASK.negative,
        "metric": "mean_f1", "pass_mark": 0.6, "opens": "2020-01-01T00:00Z", "deadline": "2099-01-01T00:00Z",
        "daily": 1, "ladder_step": 0.01, "seed": 0, "parts": parts,
    }  # fmt: skip
    save_challenge(Challenge.model_validate(content), folder)


def make_bundle(path: Path, threshold: float) -> Path:
    """A bundle that calls a picture defective by its mean grey value; each threshold gives another one."""
    constants = {"axes": np.array([1, 2, 3]), "top": np.float32(255 / 8), "middle": np.float32(4)}
    nodes = [
        helper.make_node("Cast", ["inputs"], ["values"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["values", "axes"], ["mean"], keepdims=1),
        helper.make_node("Flatten", ["mean"], ["flat"]),
        helper.make_node("Div", ["flat", "top"], ["scaled"]),
        helper.make_node("Sub", ["scaled", "middle"], ["logits"]),
    ]
    graph = helper.make_graph(
        nodes,
        "mean",
        [helper.make_tensor_value_info("inputs", TensorProto.UINT8, ["batch", *SPEC.shape])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", 1])],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    model: onnx.ModelProto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    sealed = Sealed(
        task=TaskModel.of(TASK),
        graphs=(Graph(inputs=(ImageInput(preprocess=SPEC),)),),
        calibrator=Calibrator.identity(1),
        decision=DecisionRule(rule="given", thresholds=(threshold,)),
        split_stamp="LEAK NOT CHECKED",
    )
    graphs = {"graphs/main.onnx": model.SerializeToString()}
    golden, files = Runtime(sealed, graphs, threads=1).make_golden()
    hashes = Hashes(data="", split="", recipe="", code="")
    manifest = Manifest(name="mean", created="2027-01-31", sealed=sealed, hashes=hashes, golden=(golden,))
    write_bundle(path, manifest, graphs, files)
    return path


def expected(desk: Desk, bundle: Path) -> dict[str, float]:
    """What the bundle reaches, found without the judge."""
    runtime = Runtime.open(bundle, threads=1)
    found: dict[str, float] = {}
    for name in HIDDEN:
        part = desk.hidden[name]
        flag_n = np.array([each.decision.flags[0] for each in runtime.predict(part.images) if each.decision])
        truth_n = part.labels.truth_nk[:, 0]
        found[name] = 2 * (truth_n & flag_n).sum() / (truth_n.sum() + flag_n.sum())
    return found


def work(folder: Path, store: str | None) -> None:
    """A worker, until it is killed."""
    challenge_judge(folder, store=store, watch=True, lease=LEASE)


def killed_often(
    folder: Path, store: str | None, *, kills: int, workers: int, seed: int, longest: float
) -> dict[str, Any]:
    """Kill workers so many times while submissions come in, let the rest be judged, and count."""
    make_challenge(folder)
    desk, chance, context = Desk.at(folder, store), random.Random(seed), multiprocessing.get_context("fork")
    wanted: dict[int, dict[str, float]] = {}

    def start() -> Any:
        desk.store.engine.dispose(close=False)  # no connection is shared with a worker
        process = context.Process(target=work, args=(folder, store), daemon=True)
        process.start()
        return process

    def states() -> Counter[str]:
        return Counter(each.state for each in desk.store.submissions())

    def submit() -> None:
        number = len(wanted)
        bundle = make_bundle(folder / f"{number}.flawscope", 0.05 + 0.9 * ((number * 0.618) % 1))
        made = challenge_submit(folder, bundle, f"team {number}", store=store)
        wanted[made.submitted.number] = expected(desk, bundle)

    running = [start()]
    submit()
    begun = time.monotonic()
    while states()["judged"] < 1:
        time.sleep(0.05)
    alone = time.monotonic() - begun
    running += [start() for _ in range(workers - 1)]
    for kill in range(kills):
        while states()["waiting"] + states()["judging"] < OPEN:
            submit()
        time.sleep(chance.uniform(0.0, longest * alone / workers))
        place = chance.randrange(workers)
        running[place].kill()
        running[place].join()
        assert running[place].exitcode == -signal.SIGKILL, running[place].exitcode
        running[place] = start()
        print(f"\rkill {kill + 1} of {kills}: {dict(states())}", end="", flush=True)
    _wait(states)
    given_up = desk.store.again()
    _wait(states)
    for process in running:
        process.kill()
    print()
    more = {"given up until taken up again": given_up, "seconds of one undisturbed, with its start": round(alone, 1)}
    return {**counted(desk, wanted), **more, "kills": kills, "workers": workers}


def _wait(states: Callable[[], Counter[str]]) -> None:
    """Until nothing waits or is in work."""
    while states().keys() & {"waiting", "judging"}:
        time.sleep(0.5)


def counted(desk: Desk, wanted: dict[int, dict[str, float]]) -> dict[str, Any]:
    """What became of the submissions."""
    found = {each.number: each for each in desk.store.submissions()}
    wrong, files = 0, 0
    for number, each in found.items():
        for name in HIDDEN:
            result = each.results.get(name)
            wrong += result is None or bool(abs(result.metric - wanted[number][name]) > 1e-9)
            path = answers_path(desk.folder, number, name)
            files += result is not None and path.is_file() and sha256_file(path) == result.answers_sha256
    results = [len(each.results) for each in found.values()]
    return {
        "submitted": len(wanted),
        "lost": len(set(wanted) - set(found)) + sum(each.state != "judged" for each in found.values()),
        "counted twice": sum(number > len(HIDDEN) for number in results),
        "results": sum(results),
        "results that are missing or wrong": wrong,
        "files of answers as the store says": files,
        "kills that hit a worker with a submission": sum(each.attempt - 1 for each in found.values()),
        "most often taken up": max(each.attempt for each in found.values()),
    }


def main() -> None:
    """Run it on one store and append the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--store", help="URL of an empty database; default: SQLite in a folder of its own")
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--longest", type=float, default=3.0, help="of a worker's life, in times of one submission")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--trial", action="store_true", help="print only, write nothing")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        start = time.monotonic()
        options = {key: getattr(asked, key) for key in ("kills", "workers", "seed", "longest")}
        found = killed_often(Path(folder), asked.store, **options)
        minutes = round((time.monotonic() - start) / 60, 1)
    kind = "PostgreSQL" if (asked.store or "").startswith("postgres") else "SQLite"
    entry = {**provenance(), "store": kind, "lease_seconds": timedelta(seconds=LEASE).total_seconds(), **found}
    entry |= {
        "minutes": minutes,
        "command": "python benchmarks/judge_kills.py" + (" --store URL" if asked.store else ""),
    }
    for key, value in entry.items():
        print(f"{key}: {value}")
    if found["lost"] or found["counted twice"] or found["results that are missing or wrong"]:
        sys.exit("a submission was lost, counted twice, or judged wrongly")
    if not asked.trial:
        append(TARGET, entry)


if __name__ == "__main__":
    main()
