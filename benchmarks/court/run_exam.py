"""The exam of the leak court, and of perceptual hashing as it is used today, on the same pools (see exam.py).

    python benchmarks/court/run_exam.py [--half measuring|tuning] [--sets ...] [--kinds ...] [--show DIR]

Appends to benchmarks/results/court-exam.json. Pools that are finished are kept below runs/court-exam, by the hash
of the court's source: an interrupted run goes on, a changed court begins anew.

A found pair of two hosts is a mistake, unless a person judged the two to be the same (judged.json). With --show DIR
those that nobody has judged yet are drawn, and lines to be filled in are printed. Neither pictures nor caches are
committed.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import exam
from flawscope.data.court.verdict import find_twins
from flawscope.data.elpv import elpv_folder
from flawscope.data.unlabelled import read_unlabelled
from flawscope.records import fingerprint
from flawscope.steps.workspace import read_json
from flawscope.storage import sha256_file, write_json
from hashing import RULES, Hashes, close_pairs, hashes_of
from record import HERE, RESULTS, RUNS, SHARED, append, court_hash, in_words, provenance, rate
from score import Judged, Score, is_copy, read_judged, score
from sheets import write_sheets

KEPT = RUNS / "court-exam"
COURT = "court"


@dataclass(frozen=True)
class Pool:
    """What the court and the hashes said of one pool; plain data.

    `hosts` gives name and SHA-256 of the file of each host, `origin` the host of each file of the pool, `pairs` what
    the court found (a, b, kind, measure), `seconds` how long the court and the hashing took.
    """

    set: str
    kind: str
    hosts: dict[str, list[str]]
    origin: dict[str, str]
    pairs: list[list[Any]]
    hashes: dict[str, Hashes]
    threshold: float | None
    method: str
    seconds: list[float]

    def found_by(self, finder: str) -> list[tuple[str, str]]:
        """The pairs of files that one way to look for copies has found."""
        return [(a, b) for a, b, *_ in self.pairs] if finder == COURT else close_pairs(self.hashes, finder)

    def score(self, finder: str, judged: Judged) -> Score:
        """Precision and recall of one way to look for copies."""
        name_of = {sha256: host for host, (_, sha256) in self.hosts.items()}
        same = set()
        for hashes, verdict in judged.items():
            names = sorted(name_of[each] for each in hashes if each in name_of)
            if verdict == "same" and len(names) == 2:
                same.add((names[0], names[1]))
        return score(self.found_by(finder), self.origin, same)


def main() -> None:
    """Run what was asked for, print it, and append it to the results."""
    asked = arguments()
    print(f"court {court_hash()}, {asked.half} half")
    paths = exam.sets(asked.shared, elpv_folder())
    pools, sources = [], {}
    for name in asked.sets:
        chosen = hosts_of(name, paths[name])[asked.half][: asked.trial]
        sources.update({sha256_file(path): path for path in chosen})
        for kind in asked.kinds:
            pool = finished(name, kind, chosen)
            found = pool.score(COURT, {})
            print(
                f"{name:14} {kind:11} {len(found.found):4} of {len(found.copies)}, {found.wrong.total()} between hosts"
            )
            pools.append(pool)
    judged = read_judged(HERE / "judged.json")
    entry = {**provenance("court-exam"), "half": asked.half, **summary(pools, judged)}
    say(entry)
    if asked.show:
        show(asked.show, pools, judged, sources, asked.finder)
    if asked.trial is None:
        append(RESULTS / "court-exam.json", entry)


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--half", choices=exam.HALVES, default="measuring")
    sets = ("elpv", "casting", "magnetic-tile", "neu-seg")
    parser.add_argument("--sets", nargs="+", choices=sets, default=sets)
    parser.add_argument("--kinds", nargs="+", choices=exam.KINDS, default=exam.KINDS)
    parser.add_argument("--shared", type=Path, default=SHARED, help="the folder with data/casting and so on")
    parser.add_argument("--show", type=Path, help="draw the pairs of hosts that nobody has judged yet into this folder")
    parser.add_argument("--finder", choices=[COURT, *RULES], default=COURT, help="whose pairs to show")
    parser.add_argument("--trial", type=int, help="so many hosts of a set only; nothing is appended")
    return parser.parse_args()


def hosts_of(name: str, paths: list[Path]) -> dict[str, list[Path]]:
    """The hosts of both halves; they are the same each time, so the choice is kept."""
    if not paths:
        raise SystemExit(f"{name}: no pictures; name the folder of the data sets (--shared)")
    state = [[path.name, path.stat().st_size] for path in paths]
    kept = KEPT / f"hosts-{name}-{fingerprint([sha256_file(HERE / 'exam.py'), state])[:12]}.json"
    if not kept.is_file():
        place = {path: number for number, path in enumerate(paths)}
        halves = exam.hosts(paths)
        write_json(kept, {half: [place[path] for path in chosen] for half, chosen in halves.items()})
    return {half: [paths[number] for number in numbers] for half, numbers in read_json(kept).items()}


def finished(name: str, kind: str, hosts: Sequence[Path]) -> Pool:
    """The pool of one set and kind, from an earlier run or from this one."""
    about = [court_hash(), sha256_file(HERE / "exam.py"), [sha256_file(path) for path in hosts]]
    kept = KEPT / f"{name}-{kind}-{fingerprint(about)[:12]}.json"
    if not kept.is_file():
        write_json(kept, asdict(looked_at(name, kind, hosts)))
    return Pool(**read_json(kept))


def looked_at(name: str, kind: str, hosts: Sequence[Path]) -> Pool:
    """Plant a pool in a temporary folder, and let the court and the hashes look at it."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "pool"
        origin = exam.plant_pool(folder, list(hosts), kind)
        samples = read_unlabelled(folder)
        if [row.id for row in samples.rows] != sorted(origin):
            raise RuntimeError(f"{name}, {kind}: {len(samples)} of {len(origin)} pictures were read")
        start = time.perf_counter()
        twins = find_twins(samples)
        middle = time.perf_counter()
        hashes = {row.id: hashes_of(Path(row.path), row.sha256) for row in samples.rows}
        seconds = [round(middle - start, 1), round(time.perf_counter() - middle, 1)]
    return Pool(
        set=name,
        kind=kind,
        hosts={origin[row.id]: [_file(hosts, row.id), row.sha256] for row in samples.rows if not is_copy(row.id)},
        origin=origin,
        pairs=[[pair.a, pair.b, pair.kind, pair.measure] for pair in twins.pairs],
        hashes=hashes,
        threshold=twins.facts.get("threshold"),
        method=twins.method,
        seconds=seconds,
    )


def _file(hosts: Sequence[Path], name: str) -> str:
    return hosts[int(name[:4])].name


def summary(pools: list[Pool], judged: Judged) -> dict[str, Any]:
    """All numbers: by kind over all sets, by set and kind, by strength, for the court and for the hashes."""
    by_kind: dict[str, dict[str, list[Score]]] = defaultdict(lambda: defaultdict(list))
    by_set: dict[str, dict[str, Any]] = defaultdict(dict)
    for pool in pools:
        scores = {finder: pool.score(finder, judged) for finder in (COURT, *RULES)}
        for finder, each in scores.items():
            by_kind[pool.kind][finder].append(each)
        counts = {finder: [len(s.found), len(s.copies), s.right, s.pairs] for finder, s in scores.items()}
        own = {"threshold": pool.threshold, "seconds": pool.seconds, **rates([scores[COURT]])}
        by_set[pool.set][pool.kind] = {**own, "found_copies_right_pairs": counts}
    hosts = {pool.set: pool.hosts for pool in pools}
    return {
        "method": sorted({pool.method for pool in pools}),
        "hosts": {name: len(each) for name, each in hosts.items()},
        "hosts_hash": {name: fingerprint(sorted(sha for _, sha in each.values()))[:16] for name, each in hosts.items()},
        "judged": len(judged),
        "numbers": "rates are [value, low, high, hits, n] with 95 % Wilson intervals",
        "kinds": {kind: {finder: rates(each) for finder, each in scores.items()} for kind, scores in by_kind.items()},
        "strengths": strengths(pools, judged),
        "named": named(pools),
        "precision_by_name": precision_by_name(pools, judged),
        "sets": by_set,
        "unjudged": [line[:-1] for line in unjudged(pools, judged, COURT)],
    }


def rates(scores: list[Score]) -> dict[str, Any]:
    """Recall and precision of some pools together, and the pairs of hosts that were left out as judged the same."""
    recall = rate(sum(len(each.found) for each in scores), sum(len(each.copies) for each in scores))
    precision = rate(sum(each.right for each in scores), sum(each.pairs for each in scores))
    return {"recall": recall, "precision": precision, "twins_of_hosts": sum(each.twins for each in scores)}


def strengths(pools: list[Pool], judged: Judged) -> dict[str, dict[str, list[float] | None]]:
    """The court's recall by kind and strength."""
    tally: dict[str, dict[str, list[int]]] = defaultdict(lambda: defaultdict(lambda: [0, 0]))
    for pool in pools:
        result = pool.score(COURT, judged)
        for copy in sorted(result.copies):
            counts = tally[pool.kind][exam.strength_of(pool.kind, copy)]
            counts[0] += copy in result.found
            counts[1] += 1
    return {kind: {name: rate(*counts) for name, counts in each.items()} for kind, each in tally.items()}


def named(pools: list[Pool]) -> dict[str, dict[str, int]]:
    """What the court called the copies that it found, by what they are."""
    tally: dict[str, Counter[str]] = defaultdict(Counter)
    for pool in pools:
        tally[pool.kind].update(kind for a, b, kind, _ in pool.pairs if pool.origin[a] == pool.origin[b])
    return {kind: dict(counts.most_common()) for kind, counts in tally.items()}


def precision_by_name(pools: list[Pool], judged: Judged) -> dict[str, list[float] | None]:
    """Of the pairs that the court gives a name, over all pools: how many are right."""
    tally: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for pool in pools:
        wrong = pool.score(COURT, judged).wrong
        for a, b, kind, _ in pool.pairs:
            one, other = sorted((pool.origin[a], pool.origin[b]))
            if one == other or (one, other) in wrong:
                tally[kind][0] += one == other
                tally[kind][1] += 1
    return {kind: rate(*counts) for kind, counts in sorted(tally.items())}


def unjudged(pools: list[Pool], judged: Judged, finder: str) -> list[list[Any]]:
    """Pairs of hosts that nobody has judged: set, files, largest measure, kinds of pools, number of pairs, hashes."""
    seen: dict[frozenset[str], list[Any]] = {}
    for pool in pools:
        measure: dict[frozenset[str], float] = defaultdict(float)
        for a, b, _, value in pool.pairs:
            hosts = frozenset((pool.origin[a], pool.origin[b]))
            measure[hosts] = max(measure[hosts], value)
        for (a, b), pairs in pool.score(finder, judged).wrong.items():
            hashes = frozenset((pool.hosts[a][1], pool.hosts[b][1]))
            if hashes in judged:
                continue
            names = [pool.hosts[a][0], pool.hosts[b][0]]
            old = seen.get(hashes, [pool.set, *names, 0.0, "", 0, [pool.hosts[a][1], pool.hosts[b][1]]])
            largest = max(old[3], measure.get(frozenset((a, b)), 0.0))
            seen[hashes] = [*old[:3], largest, f"{old[4]} {pool.kind}".strip(), old[5] + pairs, old[6]]
    return sorted(seen.values(), key=lambda line: (line[0], -line[3], line[6]))


def show(folder: Path, pools: list[Pool], judged: Judged, sources: dict[str, Path], finder: str) -> None:
    """Draw the unjudged pairs of hosts, and print the lines that a person completes in judged.json."""
    lines = unjudged(pools, judged, finder)
    pictures = [(sources[line[6][0]], sources[line[6][1]], f"{line[0]} {line[3]:.3f} {line[4]}") for line in lines]
    for path in write_sheets(folder, f"exam-{finder.split(maxsplit=1)[0]}", pictures):
        print(f"wrote {path}")
    for number, line in enumerate(lines):
        print(json.dumps([*line[6], "same|different", f"{number}: {line[0]} {line[1]} {line[2]}"]) + ",")


def say(entry: dict[str, Any]) -> None:
    """The table of the console."""
    for kind, finders in entry["kinds"].items():
        for finder, each in finders.items():
            print(f"{kind:11} {finder:26} recall {in_words(each['recall']):38} precision {in_words(each['precision'])}")
    print(f"pairs of hosts that nobody has judged: {len(entry['unjudged'])}")


if __name__ == "__main__":
    main()
