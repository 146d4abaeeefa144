"""How time and memory of the leak court grow with the number of pictures, and what the approximate search loses.

    python benchmarks/court/scale.py [--sizes 2000 20000 200000] [--alike 1000 5000] [--compare 20000]

Pictures are made in memory: smooth random textures and one pattern that all share. 5 % are copies of others: turned or
mirrored, at another exposure, or shifted. Each measurement runs in a process of its own, so that the peak of memory is
its own. Growth, stages and ratios are those of CPU time, over all cores: other work on the machine matters little.
Decoding is measured apart, on small PNG files.

Where all parts look alike the court reads doubtful pairs again, from their files (`--alike`): one mould at every angle,
with fine detail of each part's own, in files of 192 x 192, 5 % of them copies as above.

Everything is appended to benchmarks/results/court-scale.json as one entry; finished measurements, and of an unfinished
one the stages (`stages.py`), are kept below runs/court-scale, by the hash of the court's source.
"""

from __future__ import annotations

import argparse
import hashlib
import inspect
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

from flawscope.data.court import verdict
from flawscope.data.court.closer import Closer
from flawscope.data.court.pictures import SIDE, small_pictures, turned
from flawscope.data.court.search import EXACT_UP_TO, Searcher
from flawscope.data.unlabelled import read_unlabelled
from flawscope.records import Sample, Samples, Task, fingerprint
from flawscope.steps.workspace import read_json
from flawscope.storage import sha256_file, write_json
from record import RESULTS, RUNS, append, court_hash, in_words, provenance, rate
from stages import Stages, peak_mb

Grey = npt.NDArray[np.uint8]
Rng = np.random.Generator
COPIES = 0.05
ALIKE_SIDE = 192
SEARCH = ("of", "find")
"""What the court's searcher does: learn the descriptors, and find the candidates."""
SEARCHES: dict[str, bool | None] = {"default": None, "exact": True, "approximate": False}


def main() -> None:
    """Measure every size, compare the two searches, time the decoding, and append it all."""
    asked = arguments()
    if asked.one:
        print(json.dumps(measured(asked.one, SEARCHES[asked.search], asked.seed, asked.stages)))
        return
    if asked.one_alike:
        print(json.dumps(measured_alike(asked.one_alike, asked.seed, asked.stages)))
        return
    if asked.decode:
        print(json.dumps(decoding(asked.decode)))
        return
    decoded = in_a_process("--decode", str(asked.decoded))
    sizes = [in_a_process("--one", str(n)) for n in asked.sizes]
    alike = [in_a_process("--one-alike", str(n)) for n in asked.alike]
    for each in (*sizes, *alike):
        say(each)
    words = ("--one", str(asked.compare), "--search")
    searches = ("exact", "approximate") if asked.compare else ()
    compared_with = {search: in_a_process(*words, search) for search in searches}
    entry = {
        **provenance("court-scale"),
        "what": f"{SIDE} x {SIDE} pictures made in memory, {COPIES:.0%} of them copies; one process a measurement",
        "decoding": decoded,
        "sizes": [without_ids(each) for each in sizes],
        "growth": growth(sizes, decoded["ms_an_image"] / 1000),
        "what_alike": f"one mould at every angle, {ALIKE_SIDE} x {ALIKE_SIDE} PNG files; decoded outside of the clock",
        "alike": [without_ids(each) for each in alike],
        "growth_alike": growth(alike, decoded["ms_an_image"] / 1000),
        "exact_against_approximate": compared(**compared_with) if compared_with else None,
    }
    shown = ("decoding", "growth", "growth_alike", "exact_against_approximate")
    print(json.dumps({key: entry[key] for key in shown}, indent=1))
    if not asked.trial:
        append(RESULTS / "court-scale.json", entry)


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", nargs="+", type=int, default=[2000, 20_000, 200_000])
    parser.add_argument("--alike", nargs="*", type=int, default=[1000, 5000])
    parser.add_argument("--compare", type=int, default=20_000, help="the size for exact against approximate; 0: none")
    parser.add_argument("--decoded", type=int, default=2000, help="so many PNG files")
    parser.add_argument("--trial", action="store_true", help="nothing is appended")
    inner = parser.add_argument_group("one measurement, for the processes that this script starts")
    inner.add_argument("--one", type=int)
    inner.add_argument("--one-alike", type=int)
    inner.add_argument("--search", choices=list(SEARCHES), default="default")
    inner.add_argument("--seed", type=int, default=0)
    inner.add_argument("--stages", type=Path)
    inner.add_argument("--decode", type=int)
    return parser.parse_args()


def in_a_process(*words: str) -> dict[str, Any]:
    """Run this script for one measurement; one that is finished is not run again, one that was stopped goes on."""
    if words[0] == "--one" and words[-1] == default_search(int(words[1])):
        words = words[:2]
    about = fingerprint([court_hash(), sha256_file(__file__), [*words]])[:12]
    kept = RUNS / "court-scale" / f"{'-'.join(word.strip('-') for word in words)}-{about}.json"
    if not kept.is_file():
        print("measuring", *words, file=sys.stderr)
        command = [sys.executable, __file__, *words, "--stages", str(kept.with_suffix(""))]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        write_json(kept, json.loads(done.stdout))
        shutil.rmtree(kept.with_suffix(""), ignore_errors=True)
    content: dict[str, Any] = read_json(kept)
    return content


def default_search(n: int) -> str:
    """The search that the court takes of itself for so many images."""
    return "exact" if n <= EXACT_UP_TO else "approximate"


def measured(n: int, exact: bool | None, seed: int, stages: Path) -> dict[str, Any]:
    """Make n pictures and let the court look at them."""
    rng = np.random.default_rng(seed)
    hosts = n - round(COPIES * n)
    place_n = rng.permutation(n)
    grey_nhw = np.empty((n, SIDE, SIDE), np.uint8)
    for index, picture in enumerate(textures(hosts, rng)):
        grey_nhw[place_n[index]] = picture
    planted = {}
    for index, (host, kind) in enumerate(hosts_and_kinds(n - hosts)):
        place, source = int(place_n[hosts + index]), int(place_n[host])
        grey_nhw[place] = copied(grey_nhw[source], kind, rng)
        planted[place] = source, kind
    return looked_at(grey_nhw, as_samples(grey_nhw), exact, planted, stages)


def measured_alike(n: int, seed: int, stages: Path) -> dict[str, Any]:
    """Make n files of parts that look alike and let the court look at them."""
    rng = np.random.default_rng(seed)
    hosts = n - round(COPIES * n)
    place_n = rng.permutation(n)
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / f"{place:07d}.png" for place in place_n]
        for path, picture in zip(paths, castings(hosts, rng), strict=False):
            Image.fromarray(picture).save(path, compress_level=1)
        planted = {}
        for index, (host, kind) in enumerate(hosts_and_kinds(n - hosts)):
            picture = np.asarray(Image.open(paths[host]))
            Image.fromarray(copied(picture, kind, rng)).save(paths[hosts + index], compress_level=1)
            place = int(place_n[hosts + index])
            planted[place] = int(place_n[host]), kind
        samples = read_unlabelled(folder)
        return looked_at(small_pictures(samples), samples, None, planted, stages)


def looked_at(
    grey_nhw: Grey,
    samples: Samples,
    exact: bool | None,
    planted: dict[int, tuple[int, str]],
    stages: Path,
) -> dict[str, Any]:
    """What the court says of pictures of which it is known which are copies, and what that costs."""
    n, load = len(samples), os.getloadavg()[0]
    clock = clocked_stages()
    earlier = Stages(stages, clock)
    earlier.put_under_the_court()
    before = peak_mb()
    start, cpu_start = time.perf_counter(), time.process_time()
    twins = verdict.twins_among(grey_nhw, samples, exact=exact)
    seconds = time.perf_counter() - start + earlier.seconds
    cpu_seconds = time.process_time() - cpu_start + earlier.cpu_seconds
    pairs = {(int(Path(pair.a).stem), int(Path(pair.b).stem)) for pair in twins.pairs}
    found = [copy for copy, (host, _) in planted.items() if (min(copy, host), max(copy, host)) in pairs]
    copies, met = Counter(kind for _, kind in planted.values()), Counter(planted[copy][1] for copy in found)
    return {
        "images": n,
        "search": twins.facts.get("search"),
        "seconds": round(seconds, 2),
        "cpu_seconds": round(cpu_seconds, 2),
        "stages": {
            **{name: round(time_, 2) for name, time_ in clock.items()},
            "rest": round(cpu_seconds - sum(clock.values()), 2),
        },
        "peak_mb": {
            "before": before,
            "after": max(peak_mb(), earlier.peak_mb),
            "pictures": round(grey_nhw.nbytes / 2**20),
        },
        "threshold": twins.facts.get("threshold"),
        "looked_at": twins.facts.get("looked_at"),
        "looked_at_closely": twins.facts.get("looked_at_closely", 0),
        "recall": {
            "all": rate(len(found), len(planted)),
            **{kind: rate(met[kind], copies[kind]) for kind in sorted(copies)},
        },
        "false_pairs": len(pairs) - len(found),
        "load_before": round(load, 2),
        "found": found,
    }


def hosts_and_kinds(copies: int) -> Iterator[tuple[int, str]]:
    """The number of the host of each copy, and what is done to it."""
    kinds = list(WAYS)
    return ((index, kinds[index % len(kinds)]) for index in range(copies))


def copied(grey_hw: Grey, kind: str, rng: Rng) -> Grey:
    """A copy of a picture, with noise of its own."""
    seen = WAYS[kind](grey_hw, rng).astype(np.float32)
    return np.clip(np.rint(seen + rng.normal(0, 2, seen.shape)), 0, 255).astype(np.uint8)


def textures(n: int, rng: Rng) -> Iterator[Grey]:
    """Pictures that have one pattern in common and differ otherwise."""
    rows = np.arange(SIDE, dtype=np.float32)
    bars = np.where(rows % 16 < 2, -60, 0)[:, None] + 15 * np.cos(rows / SIDE * np.pi)[None]
    shared_hw = (130 + bars).astype(np.float32)
    return (np.clip(shared_hw + texture(rng), 0, 255).astype(np.uint8) for _ in range(n))


def castings(n: int, rng: Rng) -> Iterator[Grey]:
    """One mould, laid down at any angle, with a surface of its own that small pictures hardly show."""
    mould_hw = 130 + texture(rng, ALIKE_SIDE, ((9.0, 30), (4.0, 25)))
    middle, size = ((ALIKE_SIDE - 1) / 2,) * 2, (ALIKE_SIDE, ALIKE_SIDE)
    for _ in range(n):
        turn = cv2.getRotationMatrix2D(middle, rng.uniform(0, 360), 1)
        laid_hw = cv2.warpAffine(mould_hw, turn, size, borderMode=cv2.BORDER_REFLECT)
        yield np.clip(laid_hw + texture(rng, ALIKE_SIDE, ((1.0, 8), (3.0, 10))), 0, 249).astype(np.uint8)


def texture(
    rng: Rng, side: int = SIDE, grains: tuple[tuple[float, float], ...] = ((6.0, 18), (1.5, 14), (0.7, 10))
) -> npt.NDArray[np.float32]:
    """Noise of some grains (pixels, grey values)."""
    total = np.zeros((side, side), np.float32)
    for grain, strength in grains:
        noise = cv2.GaussianBlur(rng.standard_normal((side, side), np.float32), (0, 0), grain)
        total += strength * noise / noise.std()
    return total


def turned_copy(grey_hw: Grey, rng: Rng) -> npt.NDArray[Any]:
    """One of the seven other turns."""
    return turned(grey_hw, int(rng.integers(1, 8)))


def exposed_copy(grey_hw: Grey, rng: Rng) -> npt.NDArray[Any]:
    """Brighter or darker by up to a third."""
    return np.asarray(grey_hw * rng.uniform(0.7, 1.3))


def shifted_copy(grey_hw: Grey, rng: Rng) -> npt.NDArray[Any]:
    """By up to 3 pixels (5 % of the small pictures) each way; what comes in repeats the border."""
    down, right = rng.integers(0, 7, 2)
    return np.pad(grey_hw, 3, mode="edge")[down : down + len(grey_hw), right : right + len(grey_hw)]


WAYS: dict[str, Callable[[Grey, Rng], npt.NDArray[Any]]] = {
    "turned": turned_copy,
    "exposure": exposed_copy,
    "shifted": shifted_copy,
}


def as_samples(grey_nhw: Grey) -> Samples:
    """Samples that have no files: their pictures are in memory."""
    rows = tuple(
        Sample(f"{index:07d}", "", (0.0,), f"{index:07d}", hashlib.sha256(grey_hw.tobytes()).hexdigest())
        for index, grey_hw in enumerate(grey_nhw)
    )
    return Samples("made", Task("binary", ("nothing",)), rows)


def clocked_stages() -> dict[str, float]:
    """Put a clock on whatever the verdict calls from the other modules of the court, by name."""
    clock: dict[str, float] = defaultdict(float)
    for name, stage in list(vars(verdict).items()):
        home = getattr(stage, "__module__", "") or ""
        if inspect.isfunction(stage) and home.startswith("flawscope.data.court.") and home != verdict.__name__:
            setattr(verdict, name, timed(stage, name, clock))
    for name in SEARCH:
        setattr(Searcher, name, timed(getattr(Searcher, name), f"search: {name}", clock))
    Closer.look = timed(Closer.look, "closer look", clock)  # type: ignore[method-assign]
    return clock


def timed(stage: Callable[..., Any], name: str, clock: dict[str, float]) -> Callable[..., Any]:
    """The same function, its time added to the clock; of a generator the time that its items take."""

    def call(*values: Any, **options: Any) -> Any:
        start = time.process_time()
        result = stage(*values, **options)
        clock[name] += time.process_time() - start
        return ticking(result) if isinstance(result, Iterator) else result

    def ticking(items: Iterator[Any]) -> Iterator[Any]:
        while True:
            start = time.process_time()
            try:
                item = next(items)
            except StopIteration:
                return
            finally:
                clock[name] += time.process_time() - start
            yield item

    return call


def decoding(files: int) -> dict[str, Any]:
    """The CPU time of reading: proving that files are readable, hashing them, and bringing them to the court's size."""
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as place:
        for index in range(files):
            large = cv2.resize(np.clip(130 + texture(rng), 0, 255), (300, 300), interpolation=cv2.INTER_CUBIC)
            noisy = np.clip(large + rng.normal(0, 2, large.shape), 0, 255).astype(np.uint8)
            Image.fromarray(noisy).save(Path(place) / f"{index:05d}.png")
        start = time.process_time()
        samples = read_unlabelled(place)
        middle = time.process_time()
        small_pictures(samples)
        end = time.process_time()
    return {
        "files": f"{files} PNG of 300 x 300, 8-bit grey",
        "reading_ms_an_image": round(1000 * (middle - start) / files, 3),
        "ms_an_image": round(1000 * (end - middle) / files, 3),
    }


def growth(sizes: list[dict[str, Any]], decode: float) -> dict[str, Any] | None:
    """The exponent e of CPU time ~ n^e: least squares over all sizes in logarithms, and from each size to the next."""
    if len(sizes) < 2:
        return None
    n_s = np.log([each["images"] for each in sizes])
    second_s = np.array([each["cpu_seconds"] for each in sizes])

    def exponent(time_s: npt.NDArray[np.floating]) -> float:
        return round(float(np.polyfit(n_s, np.log(time_s), 1)[0]), 3)

    stages = [name for name in sizes[0]["stages"] if all(each["stages"].get(name, 0) > 0.05 for each in sizes)]
    return {
        "exponent": exponent(second_s),
        "exponent_with_decoding": exponent(second_s + decode * np.exp(n_s)),
        "from_size_to_size": [round(float(e), 3) for e in np.diff(np.log(second_s)) / np.diff(n_s)],
        "exponent_of_stages": {name: exponent(np.array([each["stages"][name] for each in sizes])) for name in stages},
    }


def compared(exact: dict[str, Any], approximate: dict[str, Any]) -> dict[str, Any]:
    """Copies that the exact search finds and the approximate one does not, and how much faster it is."""
    met, met_roughly = set(exact["found"]), set(approximate["found"])

    def ratio(seconds: Callable[[dict[str, Any]], float]) -> float:
        return round(seconds(exact) / max(seconds(approximate), 0.01), 2)

    return {
        "images": exact["images"],
        "copies_lost": rate(len(met - met_roughly), len(met)),
        "times_as_fast": ratio(lambda each: each["cpu_seconds"]),
        "times_as_fast_search_alone": ratio(lambda each: each["stages"]["search: find"]),
        "exact": without_ids(exact),
        "approximate": without_ids(approximate),
    }


def without_ids(measurement: dict[str, Any]) -> dict[str, Any]:
    """A measurement without the list of the copies found."""
    return {key: value for key, value in measurement.items() if key != "found"}


def say(each: dict[str, Any]) -> None:
    """One line for the console."""
    recall, peak = in_words(each["recall"]["all"]), each["peak_mb"]["after"]
    time_ = f"{each['seconds']:9.1f} s ({each['cpu_seconds']:.1f} s CPU)"
    print(f"{each['images']:8} images {time_} {peak:7} MiB {each['search']}; recall {recall}")


if __name__ == "__main__":
    main()
