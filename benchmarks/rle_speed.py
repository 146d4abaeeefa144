"""Run-length code to mask and back, beside Python loops that do the same: on real Severstal codes, 1600 x 256.

Three loops each way. Over pixels: the definition. Over runs: as such code is mostly written (numbers of a NumPy array
one after the other; `itertools.groupby`). Over runs, lean: the fastest loop that we could write (slices with plain
numbers; `bytes.find`). All give the same masks and codes, which is checked first. In turns; time of the processor is
measured, since other work may run beside it; the ratio counts.

    python benchmarks/rle_speed.py [--every 12] [--rounds 5]

Appends to benchmarks/results/rle-speed.json.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from itertools import groupby
from pathlib import Path
from typing import TypeVar

import numpy as np

from entries import SHARED, append, spread
from flawscope.data.table_file import read_table
from flawscope.masks import decode_rle, encode_rle
from flawscope.records import BoolArray
from flawscope.steps.provenance import code_version, command, machine, today, versions

RESULTS = Path(__file__).resolve().parent / "results" / "rle-speed.json"
HEIGHT, WIDTH = 256, 1600
_In = TypeVar("_In")
_Out = TypeVar("_Out")


def decode_by_pixels(code: str) -> BoolArray:
    """Each pixel of each run is set."""
    mask_hw = np.zeros((HEIGHT, WIDTH), dtype=np.bool_)
    words = code.split()
    for start, length in zip(words[::2], words[1::2], strict=True):
        for place in range(int(start) - 1, int(start) - 1 + int(length)):
            mask_hw[place % HEIGHT, place // HEIGHT] = True
    return mask_hw


def decode_by_runs(code: str) -> BoolArray:
    """Each run is set as a slice; pairs of an array, as it is mostly written."""
    pairs = np.array([int(word) for word in code.split()]).reshape(-1, 2)
    flat = np.zeros(HEIGHT * WIDTH, dtype=np.bool_)
    for start, length in pairs:
        flat[start - 1 : start - 1 + length] = True
    return flat.reshape(WIDTH, HEIGHT).T


def decode_by_runs_lean(code: str) -> BoolArray:
    """Each run is set as a slice; plain numbers, which are faster than those of an array."""
    words = list(map(int, code.split()))
    flat = np.zeros(HEIGHT * WIDTH, dtype=np.bool_)
    for start, length in zip(words[::2], words[1::2], strict=True):
        flat[start - 1 : start - 1 + length] = True
    return flat.reshape(WIDTH, HEIGHT).T


def encode_by_pixels(mask_hw: BoolArray) -> str:
    """Each pixel is looked at, down the columns."""
    words, length = [], 0
    for place, on in enumerate(mask_hw.T.ravel().tolist(), 1):
        if on:
            length += 1
        elif length:
            words += [str(place - length), str(length)]
            length = 0
    if length:
        words += [str(HEIGHT * WIDTH - length + 1), str(length)]
    return " ".join(words)


def encode_by_runs(mask_hw: BoolArray) -> str:
    """Equal pixels are grouped, as it is mostly written."""
    words, place = [], 1
    for on, run in groupby(mask_hw.T.ravel().tolist()):
        length = len(list(run))
        if on:
            words += [str(place), str(length)]
        place += length
    return " ".join(words)


def encode_by_runs_lean(mask_hw: BoolArray) -> str:
    """The next change is searched for as a byte."""
    flat, words = mask_hw.T.tobytes() + b"\0", []
    start = flat.find(b"\1")
    while start >= 0:
        stop = flat.find(b"\0", start)
        words += [str(start + 1), str(stop - start)]
        start = flat.find(b"\1", stop)
    return " ".join(words)


def decode(code: str) -> BoolArray:
    """Ours."""
    return decode_rle(code, HEIGHT, WIDTH)


DECODE: dict[str, Callable[[str], BoolArray]] = {
    "flawscope": decode,
    "per pixel": decode_by_pixels,
    "per run": decode_by_runs,
    "per run, lean": decode_by_runs_lean,
}
ENCODE: dict[str, Callable[[BoolArray], str]] = {
    "flawscope": encode_rle,
    "per pixel": encode_by_pixels,
    "per run": encode_by_runs,
    "per run, lean": encode_by_runs_lean,
}


def main() -> None:
    """Check that all ways agree, measure in turns and append the result."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--every", type=int, default=12, help="each n-th code of the table is used")
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args()
    codes = read_table(SHARED / "data" / "severstal-rle" / "masks.csv").column("EncodedPixels")[:: asked.every]
    masks = [np.ascontiguousarray(decode(code)) for code in codes]  # in rows, as thresholded scores lie
    for code, mask_hw in zip(codes, masks, strict=True):
        assert all(np.array_equal(way(code), mask_hw) for way in DECODE.values()), code[:80]
        assert all(way(mask_hw) == code for way in ENCODE.values()), code[:80]
    result = {
        "benchmark": "rle-speed",
        "command": f"python benchmarks/{command()}",
        "code": code_version(),
        "date": today(),
        "machine": machine(),
        "versions": versions(),
        "what": "real Severstal codes, 1600 x 256, text to mask and back, masks in rows; only ours checks the codes",
        "codes": len(codes),
        "runs_of_a_code": round(float(np.mean([len(code.split()) / 2 for code in codes])), 1),
        "rounds": asked.rounds,
        "decode": compared(DECODE, codes, asked.rounds),
        "encode": compared(ENCODE, masks, asked.rounds),
    }
    append(RESULTS, result)
    sys.stdout.write(json.dumps(result, indent=1) + "\n")


def compared(ways: dict[str, Callable[[_In], _Out]], items: Sequence[_In], rounds: int) -> dict[str, object]:
    """Processor time of an item for each way and round, and how many times as long as ours each takes."""
    took: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            start = time.process_time()
            for item in items:
                way(item)
            took[name].append((time.process_time() - start) / len(items) * 1e6)
    ours = took["flawscope"]
    return {
        "microseconds_of_processor": {name: [round(each, 1) for each in found] for name, found in took.items()},
        "times_as_long_as_ours": {
            name: spread([a / b for a, b in zip(found, ours, strict=True)])
            for name, found in took.items()
            if name != "flawscope"
        },
    }


if __name__ == "__main__":
    main()
