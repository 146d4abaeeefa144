"""Whether the time that a log-in takes tells if there is such a name.

    python benchmarks/login_timing.py

Names that are known, with a wrong password, and names that nobody has, in turn and each once, through the site's own
page with the passwords' real cost. What is written: the medians, their ratio with a 95 % interval (bootstrap), and how
well the time alone tells the two apart (area under the ROC curve; 0.5 is not at all).
"""

from __future__ import annotations

import argparse
import json
import re
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from fastapi.testclient import TestClient
from sklearn.metrics import roc_auc_score

from entries import ROOT, append, provenance
from flawscope.site.app import create_app
from flawscope.site.hosted import Site
from flawscope.site.settings import Settings
from judge_kills import make_challenge

TARGET = ROOT / "benchmarks" / "results" / "login-timing.json"


def measured(folder: Path, names: int) -> dict[str, object]:
    """The seconds of each log-in, known and unknown names in turn."""
    make_challenge(folder, "timing")
    app = create_app(Settings(challenges=(folder,)))
    site: Site = app.state.site
    for each in range(names):
        site.people.sign_up(f"known {each:03d}", "correct horse battery", datetime.now(UTC))
    seconds: dict[str, list[float]] = {"known": [], "other": []}
    for each in range(names):
        for kind, times in seconds.items():
            client = TestClient(app, client=(f"192.0.2.{each}", 1))  # nobody is locked out
            found = re.search(r'name="token" value="(\w+)"', client.get("/login").text)
            assert found
            fields = {"token": found[1], "name": f"{kind} {each:03d}", "password": "wrong horse battery"}
            begun = time.perf_counter()
            assert client.post("/login", data=fields).status_code == 400
            times.append(time.perf_counter() - begun)
    known_n, other_n = np.array(seconds["known"]), np.array(seconds["other"])
    rng = np.random.default_rng(0)
    draws = [np.median(rng.choice(known_n, names)) / np.median(rng.choice(other_n, names)) for _ in range(2000)]
    told_n = np.repeat([1, 0], names)
    return {
        "names of each kind": names,
        "median ms, known name and wrong password": round(1000 * float(np.median(known_n)), 1),
        "median ms, name that nobody has": round(1000 * float(np.median(other_n)), 1),
        "ratio of the medians": round(float(np.median(known_n) / np.median(other_n)), 3),
        "its 95 % interval": [round(float(each), 3) for each in np.quantile(draws, [0.025, 0.975])],
        "AUROC of the time": round(float(roc_auc_score(told_n, np.concatenate([known_n, other_n]))), 3),
    }


def main() -> None:
    """Run it and append the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--names", type=int, default=150)
    parser.add_argument("--trial", action="store_true", help="print only, write nothing")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = measured(Path(folder) / "timing", given.names)
    print(json.dumps(found, indent=2))
    if not given.trial:
        append(TARGET, {**provenance(), "result": found})


if __name__ == "__main__":
    main()
