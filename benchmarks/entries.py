"""What several benchmarks share: overrides for pretrained weights, entries of a file of results, and what is kept."""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from flawscope.data.elpv import elpv_folder
from flawscope.data.progress import watched
from flawscope.evaluation.intervals import wilson
from flawscope.steps.provenance import code_version, command, machine, today, versions
from flawscope.steps.workspace import read_json
from flawscope.storage import write_json

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared"
WEIGHTS = SHARED / "weights" / "mobilenetv2_100_imagenet.safetensors"
DEFAULT_WEIGHTS = str(WEIGHTS) if WEIGHTS.is_file() else "imagenet"
# The file's own preprocessing and padding, as its notes say; timm's weights from the hub need none of this.
TENSORFLOW = ("model.arguments.pad_type=same", "model.normalise={mean: 0.5, std: 0.5}")

TO_FIT_BY = ("split.validation=0.1", "split.calibration=0.15")
"""Parts that are large enough to fit or to watch by, where a recipe of two labels keeps less."""


def of_weights(weights: str) -> list[str]:
    """The overrides that pretrained weights of MobileNetV2 ask for: a file, or the word imagenet."""
    return [f"model.weights={weights}", *(TENSORFLOW if Path(weights).is_file() else ())]


def two_labels() -> list[str]:
    """The overrides that name crack and inactive region: the table, and the cells of ELPV."""
    return [f"data.table={SHARED / 'data' / 'solar-multilabel' / 'labels.csv'}", f"data.images={elpv_folder()}"]


def append(path: Path, entry: Mapping[str, Any], by: Sequence[str] = ()) -> None:
    """Add an entry to a file of results, unless an equal one (in these keys, or in all) stands there already."""
    entries = read_json(path) if path.is_file() else []
    if not any(all(old[key] == entry[key] for key in by) if by else old == entry for old in entries):
        write_json(path, [*entries, entry])


def provenance() -> dict[str, str]:
    """Command, date, code, machine and versions: the head of an entry."""
    return {
        "command": f"python benchmarks/{command()}",
        "date": today(),
        "code": code_version(),
        "machine": machine(),
        "versions": versions(),
    }


def share(times: int, draws: int) -> list[float]:
    """How often something happened among so many draws: value, low and high (95 %, Wilson).

    >>> share(95, 100)
    [0.95, 0.8882, 0.9785]
    """
    return [round(number, 4) for number in (times / draws, *wilson(times / draws, draws))]


def one_by_one(
    name: str, asked: Mapping[str, Any], jobs: Iterable[str], make: Callable[[str], dict[str, Any]]
) -> list[dict[str, Any]]:
    """What `make` finds for each job. Stopped, it goes on where it was: below `runs/bench` each is kept.

    What was asked otherwise or found by other code is not used again; nor is anything of uncommitted code.
    """
    kept, code = ROOT / "runs" / "bench" / f"{name}.json", code_version()
    about = {"code": code, "asked": dict(asked)}
    old = read_json(kept) if kept.is_file() else {}
    found = old["found"] if "+" not in code and {key: old.get(key) for key in about} == about else {}
    names = list(jobs)
    for job in watched(names, len(names), name):
        if job not in found:
            found[job] = make(job)
            write_json(kept, {**about, "found": found})
    return [found[job] for job in names]


def draws_asked(words: str | None, of: str) -> argparse.ArgumentParser:
    """The options of a simulation: how many draws `of` each design or case, and whether to try only."""
    parser = argparse.ArgumentParser(description=words, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=1000, help=f"of each {of}")
    parser.add_argument("--trial", action="store_true", help="print only, write nothing")
    return parser


def runs_asked(words: str | None, of: str) -> argparse.Namespace:
    """What is asked of a benchmark of finished runs: their folders (`runs`), and whether to try only (`trial`)."""
    parser = argparse.ArgumentParser(description=words, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN", help=f"folder of {of}")
    parser.add_argument("--trial", action="store_true", help="print only, write nothing")
    return parser.parse_args()


def ends(interval: Mapping[str, float]) -> list[float]:
    """Value, low and high of a measure, rounded."""
    return [round(interval[key], 4) for key in ("value", "low", "high")]


def spread(ratios: Sequence[float]) -> dict[str, float]:
    """Median and range of the ratios of several rounds."""
    found = {"median": statistics.median(ratios), "lowest": min(ratios), "highest": max(ratios)}
    return {name: round(value, 2) for name, value in found.items()}
