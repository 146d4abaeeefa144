"""Let 50 teams hand in a MobileNetV2 each at the same moment, and see how long the pages of the site take meanwhile.

    python benchmarks/site_load.py

The site is the real one (`flawscope challenge serve`: one uvicorn process, one worker in its sandbox, SQLite). Each
team sends a bundle of its own through the API: the graph of MobileNetV2 with random weights, since what it answers
does not matter here. While the queue is worked on, and for a while when it is empty, a visitor asks for the front
page and the board, and somebody of a team for the page of its submissions, one after the other. In the end every
submission must be judged. All of it runs on one machine: what is measured includes what the worker takes from the
pages.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from entries import ROOT, append, provenance
from flawscope.site.hosted import Site, opened
from flawscope.site.settings import Argon2, Settings
from flawscope.steps.pack import pack
from judge_kills import make_challenge

TARGET = ROOT / "benchmarks" / "results" / "site-load.json"
NAME = "load"
IMAGES_EACH = 24
PAUSE = 0.2
IDLE_ROUNDS = 60
PAGES = {"front page": f"/c/{NAME}", "board": f"/c/{NAME}/board", "submissions": f"/c/{NAME}/submissions"}


def make_bundles(folder: Path, number: int) -> list[Path]:
    """So many bundles of MobileNetV2; each has another threshold, and so is another file."""
    import timm
    import torch

    torch.manual_seed(0)
    network = timm.create_model("mobilenetv2_100", pretrained=False, num_classes=1).eval()
    torch.onnx.export(network, (torch.zeros(1, 3, 224, 224),), folder / "mobilenet.onnx", dynamo=False)
    return [
        pack(
            folder / "mobilenet.onnx",
            folder / f"team-{each}.flawscope",
            preprocess="imagenet",
            classes=["defective"],
            thresholds=[round(0.3 + 0.4 * (each + 1) / number, 4)],
        ).bundle
        for each in range(number)
    ]


@contextmanager
def served(challenge: Path) -> Iterator[int]:
    """The port of the site while it runs, with its worker."""
    line = [sys.executable, "-m", "flawscope", "challenge", "serve", str(challenge), "--port", "0"]
    environment = {**os.environ, "COLUMNS": "1000"}
    with subprocess.Popen(line, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout
        found = re.search(r"http://127\.0\.0\.1:(\d+)/", process.stdout.readline())
        assert found
        threading.Thread(target=process.stdout.read, daemon=True).start()  # what it says fills no pipe
        yield int(found[1])
        process.send_signal(signal.SIGINT)
        process.wait(60)


def asked(port: int, method: str, path: str, head: dict[str, str], body: Any = None) -> tuple[int, bytes, float]:
    """Status, content and seconds of one request on a connection of its own."""
    begun = time.perf_counter()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=600)
    try:
        connection.request(method, path, body=body, headers=head)
        answer = connection.getresponse()
        content = answer.read()
        return answer.status, content, time.perf_counter() - begun
    finally:
        connection.close()


def sign_up(site: Site, number: int) -> tuple[list[str], str]:
    """So many teams of one person: their tokens, and the cookie of the first one's session."""
    now, tokens = datetime.now(UTC), []
    for each in range(number):
        person = site.people.sign_up(f"person {each}", "correct horse battery", now)
        site.hosted[NAME].members.create(person, f"Team {each}", now)
        tokens.append(site.tokens.make(person, "load", now))
        if each == 0:
            cookie = f"flawscope-session={site.signing.signed(site.sessions.begin(person, now), 'session')}"
    return tokens, cookie


def visits(port: int, cookie: str, goes_on: Callable[[int], bool]) -> dict[str, list[float]]:
    """Ask for each page in turn while it goes on: the seconds of each."""
    found: dict[str, list[float]] = {name: [] for name in PAGES}
    while goes_on(len(found["board"])):
        for name, path in PAGES.items():
            status, content, seconds = asked(port, "GET", path, {"Cookie": cookie} if name == "submissions" else {})
            assert status == 200, (path, status, content[:200])
            found[name].append(seconds)
        time.sleep(PAUSE)
    return found


def told(found: dict[str, list[float]]) -> dict[str, Any]:
    """Median and 95th percentile of each page, in milliseconds."""
    return {
        name: {
            "visits": len(times),
            "median ms": round(1000 * statistics.median(times), 1),
            "95th percentile ms": round(1000 * float(np.quantile(times, 0.95)), 1),
            "longest ms": round(1000 * max(times), 1),
        }
        for name, times in found.items()
    }


def measured(folder: Path, teams: int) -> dict[str, Any]:
    """All of it."""
    challenge = folder / NAME
    make_challenge(challenge, NAME, IMAGES_EACH)
    bundles = make_bundles(folder, teams)
    print(f"{teams} bundles made", flush=True)
    site = opened(Settings(challenges=(challenge,), argon2=Argon2(time_cost=1, memory_cost=8, parallelism=1)))
    tokens, cookie = sign_up(site, teams)
    ready = threading.Barrier(teams)

    def upload(each: int) -> tuple[int, bytes, float]:
        head = {"Authorization": f"Bearer {tokens[each]}", "Content-Type": "application/octet-stream"}
        with bundles[each].open("rb") as stream:
            head["Content-Length"] = str(bundles[each].stat().st_size)
            ready.wait()
            return asked(port, "POST", f"/api/v1/challenges/{NAME}/submissions", head, stream)

    def states() -> Counter[str]:
        return Counter(each.state for each in site.hosted[NAME].reads.submissions())

    with served(challenge) as port, ThreadPoolExecutor(teams + 1) as pool:
        begun = time.monotonic()
        coming = [pool.submit(upload, each) for each in range(teams)]

        def works(_: int) -> bool:
            there = states()
            print(f"\r{time.monotonic() - begun:.0f} s: {dict(there)}   ", end="", flush=True)
            return not all(each.done() for each in coming) or bool(there.keys() & {"waiting", "judging"})

        busy = visits(port, cookie, works)
        lasted = time.monotonic() - begun
        idle = visits(port, cookie, lambda made: made < IDLE_ROUNDS)
        numbers = {name: len(asked(port, "GET", path, {"Cookie": cookie})[1]) for name, path in PAGES.items()}
    answers = [each.result() for each in coming]
    print()
    return {
        "teams": teams,
        "bundle MB": round(statistics.median(each.stat().st_size for each in bundles) / 1e6, 1),
        "hidden images": 2 * IMAGES_EACH,
        "answers to the uploads": dict(Counter(str(status) for status, _, _ in answers)),
        "seconds of an upload, median": round(statistics.median(seconds for _, _, seconds in answers), 2),
        "seconds of an upload, longest": round(max(seconds for _, _, seconds in answers), 2),
        "states in the end": dict(states()),
        "seconds until all were judged": round(lasted, 1),
        "pages while the queue works": told(busy),
        "pages when it is empty": told(idle),
        "bytes of the pages": numbers,
    }


def main() -> None:
    """Run it and append the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--teams", type=int, default=50)
    parser.add_argument("--trial", action="store_true", help="print only, write nothing")
    given = parser.parse_args()
    before = os.getloadavg()
    with tempfile.TemporaryDirectory() as folder:
        found = measured(Path(folder), given.teams)
    found["load of the machine by others before"] = round(before[0], 1)
    print(json.dumps(found, indent=2))
    if not given.trial:
        append(TARGET, {**provenance(), "result": found})


if __name__ == "__main__":
    main()
