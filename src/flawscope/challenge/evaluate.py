"""The number that the judge gives to answers, from labels and answers alone. Needs Python 3.11, and nothing else.

    python evaluate.py answers.csv [--labels data/labels.csv] [--task task.json]

`answers.csv` is what `flawscope inspect BUNDLE data/images -o answers.csv` has written; or a table of your own with the
column `file`, then one column of 0 and 1 for each class (where they exclude each other: one column `class`), and for
metrics of ranks one column NAME_score for each class. Files that it does not name are left out of the measure.
"""

from __future__ import annotations

import argparse
import csv
import json
import math
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

Rows = dict[str, list[bool]]
Answers = dict[str, tuple[list[bool], list[float]]]
TRUE = {"1", "yes", "true"}


def table(path: Path) -> list[dict[str, str]]:
    """The rows of a table, parted by semicolons, commas or tabs."""
    with path.open(encoding="utf-8-sig", newline="") as stream:
        first = stream.readline()
        stream.seek(0)
        return list(csv.DictReader(stream, delimiter=max(";,\t", key=first.count)))


def read_labels(path: Path, task: dict[str, Any]) -> Rows:
    """Which classes each file shows."""
    classes = task["classes"]
    one = task["kind"] == "multiclass"
    return {row["file"]: [row["class"] == name if one else row[name] == "1" for name in classes] for row in table(path)}


def read_answers(path: Path, task: dict[str, Any]) -> Answers:
    """What was decided of each file, and the scores, if there are any.

    Raises:
        ValueError: an image could not be decided, or a column is missing.
    """
    found: Answers = {}
    for row in table(path):
        name = Path(row.get("name") or row.get("file") or "").name
        if row.get("error"):
            raise ValueError(f"{name} was not decided: {row['error']}")
        try:
            found[name] = (_decided(row, task), _scores(row, task["classes"]))
        except KeyError as error:
            raise ValueError(f"{path} has no column {error}; it has {', '.join(row)}") from None
    return found


def _decided(row: dict[str, str], task: dict[str, Any]) -> list[bool]:
    if task["kind"] == "multilabel":
        return [row[name].lower() in TRUE for name in task["classes"]]
    if "decision" in row:
        return [row["decision"] == name for name in task["classes"]]
    if task["kind"] == "multiclass":
        return [row["class"] == name for name in task["classes"]]
    return [row[task["classes"][0]].lower() in TRUE]


def _scores(row: dict[str, str], classes: Sequence[str]) -> list[float]:
    for ending in ("_probability", "_score"):
        if all(f"{name}{ending}" in row for name in classes):
            return [float(row[f"{name}{ending}"]) for name in classes]
    return []


def ratio(part: float, whole: float) -> float:
    """A share; not a number where there is nothing to share."""
    return part / whole if whole else math.nan


def measures(truth: Sequence[bool], said: Sequence[bool]) -> dict[str, float]:
    """The measures of one class.

    >>> measures([True, True, False], [True, False, False])["recall"]
    0.5
    """
    pairs = list(zip(truth, said, strict=True))
    tp, fp = pairs.count((True, True)), pairs.count((False, True))
    fn, tn = pairs.count((True, False)), pairs.count((False, False))
    return {
        "accuracy": ratio(tp + tn, len(pairs)),
        "recall": ratio(tp, tp + fn),
        "precision": ratio(tp, tp + fp),
        "specificity": ratio(tn, tn + fp),
        "F1": ratio(2 * tp, 2 * tp + fp + fn) if tp + fn else math.nan,
    }


def steps(truth: Sequence[bool], score: Sequence[float]) -> Iterator[tuple[int, int]]:
    """Positives and negatives of each distinct score, the highest score first."""
    rows = sorted(zip(score, truth, strict=True), key=lambda row: -row[0])
    start = 0
    for place in range(1, len(rows) + 1):
        if place == len(rows) or rows[place][0] != rows[start][0]:
            positive = sum(shown for _, shown in rows[start:place])
            yield positive, place - start - positive
            start = place


def auroc(truth: Sequence[bool], score: Sequence[float]) -> float:
    """How often a positive scores above a negative, ties counted half.

    >>> auroc([False, True, False, True], [0.1, 0.4, 0.4, 0.8])
    0.875
    """
    tp = area = fp = 0.0
    for positive, negative in steps(truth, score):
        area += negative * (tp + positive / 2)
        tp, fp = tp + positive, fp + negative
    return ratio(area, tp * fp)


def average_precision(truth: Sequence[bool], score: Sequence[float]) -> float:
    """The sum over thresholds of (gain in recall) x precision.

    >>> round(average_precision([True, False, True], [0.9, 0.8, 0.7]), 4)
    0.8333
    """
    tp = fp = total = 0.0
    for positive, negative in steps(truth, score):
        tp, fp = tp + positive, fp + negative
        total += positive * tp / (tp + fp)
    return ratio(total, tp)


def evaluate(task: dict[str, Any], labels: Rows, answers: Answers) -> tuple[float, dict[str, dict[str, float]]]:
    """The metric of the challenge, and the measures of each class, on the files that both name.

    Raises:
        ValueError: no file in common, or a metric of ranks without scores.
    """
    files = [name for name in labels if name in answers]
    if not files:
        raise ValueError("the answers name no file of the labels")
    columns = range(len(task["classes"]))
    truth = [[labels[name][c] for name in files] for c in columns]
    said = [[answers[name][0][c] for name in files] for c in columns]
    found = {name: measures(truth[c], said[c]) for c, name in enumerate(task["classes"])}
    metric = task["metric"]
    if metric == "mean_f1":
        values = [row["F1"] for row in found.values()]
    elif metric == "accuracy":
        values = [sum(labels[name] == answers[name][0] for name in files) / len(files)]
    else:
        if not all(answers[name][1] for name in files):
            raise ValueError(f"{metric} needs a column NAME_score for each class")
        of = auroc if metric == "mean_auroc" else average_precision
        values = [of(truth[c], [answers[name][1][c] for name in files]) for c in columns]
    return sum(values) / len(values), found


def main(words: Sequence[str]) -> None:
    """Read, measure, print."""
    here = Path(__file__).resolve().parent
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("answers", type=Path)
    parser.add_argument("--labels", type=Path, default=here / "data" / "labels.csv")
    parser.add_argument("--task", type=Path, default=here / "task.json")
    asked = parser.parse_args(words)
    try:
        task = json.loads(asked.task.read_text(encoding="utf-8"))
        labels, answers = read_labels(asked.labels, task), read_answers(asked.answers, task)
        value, found = evaluate(task, labels, answers)
    except (OSError, ValueError, KeyError) as error:
        sys.exit(f"error: {error}")
    used = sum(name in answers for name in labels)
    lines = [f"{task['metric']} {value:.6f} on {used} of {len(labels)} images (pass mark {task['pass_mark']})"]
    for name, row in found.items():
        lines.append(f"  {name}: " + ", ".join(f"{key} {number:.4f}" for key, number in row.items()))
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
