"""`flawscope report`: one page from what a run has left, or of a bundle's decision. Nothing is measured here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from flawscope.bundle.archive import read_bundle
from flawscope.bundle.rules import DecisionRule
from flawscope.bundle.verify import calibrator_sentence, decision_sentences, engine_words
from flawscope.data import findings
from flawscope.data.census import take_census
from flawscope.data.groups import contradictions
from flawscope.errors import UserError
from flawscope.evaluation.metrics import truth
from flawscope.inspection.tables import read_results
from flawscope.inspection.verdict import odds
from flawscope.pages.decision import write_decision
from flawscope.pages.pairs import ProofContent, summed
from flawscope.pages.report import (
    BundleContent,
    FoldContent,
    PartContent,
    Picture,
    ReportContent,
    SplitContent,
    mistake_kind,
    write_report,
)
from flawscope.records import NOT_CHECKED, PARTS, Prediction, Sample, Samples, Split, Task
from flawscope.steps.decide_options import named
from flawscope.steps.decision_content import bundle_content, contracts_of, costs_of
from flawscope.steps.known_decisions import known_family
from flawscope.steps.mask_pictures import COMBINATIONS, mask_content
from flawscope.steps.report_looks import Gallery, with_maps
from flawscope.steps.uncertain import SHOWN, uncertain
from flawscope.steps.workspace import Run, fold_runs, read_json
from flawscope.training.history import FILE, read_history

LOOKED_AT = 200
"""So many pictures are decoded to say what they are: `flawscope audit` looks at all of them."""
META = 4


def report(run: str | Path | Run, output: str | Path | None = None, *, metrics: str | Path | None = None) -> Path:
    """Write RUN/report/index.html for a run, or for folds; or the page of a bundle's decision.

    Args:
        run: a run folder, that of a cross-validation, or a sealed bundle.
        output: the folder of the page; by default RUN/report, or NAME-report beside a bundle.
        metrics: of a bundle: the metrics.json that `evaluate` wrote of it.

    Returns: the page.

    Raises:
        UserError: no such run, or not evaluated yet; metrics of another bundle.
        BundleError: the bundle is damaged.
    """
    if not isinstance(run, Run) and Path(run).is_file():
        place = Path(output) if output else Path(run).with_name(f"{Path(run).stem}-report")
        return write_decision(place, bundle_content(Path(run), metrics))
    if metrics is not None:
        raise UserError("--metrics is for a bundle: a run has its own", "name NAME.flawscope, or leave --metrics out")
    folds = [] if isinstance(run, Run) else fold_runs(Path(run))
    if folds:
        return write_report(output or Path(str(run)) / "report", folds_content(Path(str(run)), folds))
    run = Run.at(run)
    return write_report(output or run.folder / "report", run_content(run))


def run_content(run: Run) -> ReportContent:
    """The page of one run."""
    metrics = read_json(run.need(run.metrics, "run"))
    contents = read_bundle(run.need(run.bundle, "decide"))
    sealed, manifest = contents.manifest.sealed, contents.manifest
    task = sealed.task.task()
    history = read_history(run.training / FILE)
    gallery = Gallery() if task.pixels else _decided_pictures(task, [run])
    family = known_family(run.bundle, contents)
    return ReportContent(
        title=run.recipe.name,
        date=metrics["provenance"]["date"][:10],
        metrics=metrics,
        split=_split_content(run.split, run.samples),
        bundle=BundleContent(
            name=run.bundle.name,
            seal=manifest.seal,
            engine=engine_words(sealed),
            size_bytes=run.bundle.stat().st_size,
            decision=() if task.pixels else tuple(_rule(task, sealed.decision)),
            calibration="" if task.pixels else calibrator_sentence(sealed.calibrator),
            others=tuple(_others(run)),
            family=family.sentences() if family else (),
            family_rows=family.rows if family else (),
        ),
        subtitle=run.samples.source,
        history=history,
        watched=f"val_{run.recipe.train.watch}",
        best_epoch=read_json(run.training / "best.json")["epoch"],
        provenance=[
            *_provenance(metrics),
            *((f"hash of the {name}", value) for name, value in manifest.hashes.model_dump(exclude={"code"}).items()),
            *_network(run),
            ("licences", "; ".join(manifest.licences)),
        ],
        **with_maps(task, [run], gallery),
        contracts=contracts_of(contents, metrics),
        costs=costs_of(contents, metrics),
        **_pictures(run.part("train"), "training images"),
        **_proof([run]),
        recipe_text=run.recipe.dump(folders=False),
        skipped=run.samples.skipped,
        warnings=contradictions(run.samples),
        masks=mask_content(run.samples, [run], contents) if task.pixels else None,
    )


def _others(run: Run) -> Iterable[tuple[str, str, str]]:
    """The bundles that `decide_also` has made: name, page, and the first sentence of each promise or cost."""
    for spec in run.recipe.decide_also:
        bundle = named(run.bundle, spec)
        sealed = read_bundle(bundle).manifest.sealed if bundle.is_file() else None
        decision = sealed.gate.decision if sealed and sealed.gate else sealed.decision if sealed else None
        if decision is not None:
            told = [*(each.words for each in decision.contracts), *(each.words for each in decision.costs)]
            said = " ".join(words[0] for words in told if words)
            yield bundle.stem, f"../{bundle.stem}-report/index.html", said


def _rule(task: Task, decision: DecisionRule | None) -> list[str]:
    """The rule in words, without contracts and costs: they have sections of their own."""
    short = decision.model_copy(update={"contracts": (), "costs": ()}) if decision else None
    return decision_sentences(task, short)


def folds_content(folder: Path, folds: Sequence[Run]) -> ReportContent:
    """The page of a cross-validation: every sample was tested once, by a bundle that had not seen its group."""
    metrics = read_json(folder / "metrics.json")
    first = folds[0]
    samples, task = first.samples, first.samples.task
    gallery = Gallery() if task.pixels else _decided_pictures(task, folds)
    return ReportContent(
        title=first.recipe.name,
        date=metrics["provenance"]["date"][:10],
        metrics=metrics,
        split=_folds_split(folds),
        bundle=None,
        subtitle=samples.source,
        measured_on=f"the test parts of {len(folds)} folds",
        provenance=_provenance(metrics),
        **with_maps(task, folds, gallery),
        **_pictures(samples, "images"),
        folds=[_fold(run) for run in folds],
        **_proof(folds),
        recipe_text=first.recipe.dump(folders=False),
        skipped=samples.skipped,
        warnings=contradictions(samples),
        masks=mask_content(samples, folds) if task.pixels else None,
    )


def _fold(run: Run) -> FoldContent:
    metrics = read_json(run.metrics)
    values = {entry["name"]: entry["interval"]["value"] for entry in metrics["headline"]}
    return FoldContent(run.folder.name, metrics["n"], metrics["groups"], values, metrics["bundle"]["seal"])


def _split_content(split: Split, samples: Samples) -> SplitContent:
    words = samples.combination_of
    parts = tuple(_part(name, split.ids(name), words, split, split.wanted.get(name)) for name in PARTS)
    return SplitContent(split.method, split.stamp, split.hash, split.seed, parts, split.notes)


def _folds_split(folds: Sequence[Run]) -> SplitContent:
    samples = folds[0].samples
    words = samples.combination_of
    wanted = 1 / len(folds)
    parts = tuple(_part(run.folder.name, run.split.ids("test"), words, run.split, wanted) for run in folds)
    first = folds[0].split
    stamp = first.stamp if all(run.split.checks for run in folds) else NOT_CHECKED
    hashes = ", ".join(run.split.hash[:12] for run in folds)
    notes = tuple(f"{run.folder.name}: {note}" for run in folds for note in run.split.notes)
    return SplitContent(first.method, stamp, hashes, first.seed, parts, notes)


def _proof(runs: Sequence[Run]) -> dict[str, Any]:
    """What RUN/proof.json says, over folds as one; or why there is no proof."""
    files = [run.folder / "proof.json" for run in runs]
    lacking = [run for run, file in zip(runs, files, strict=True) if not file.is_file()]
    if not lacking:
        document = summed([read_json(file) for file in files])
        wanted = {pair[side] for pair in document["nearest"] for side in ("a", "b")}
        images = {row.id: row.path for row in runs[0].samples.rows if row.id in wanted}
        return {"proof": ProofContent(document, images, folds=len(runs) if len(runs) > 1 else 0)}
    why = "images of the same thing were not searched for in this run (split.twins: find does it)"
    if lacking[0].split.checks:
        why = "images of the same thing were searched for, but the run holds no proof.json: make the run anew"
    where = f" of {len(lacking)} of {len(runs)} folds" if len(runs) > 1 else ""
    return {"unproven": f"There is no proof{where}: {why}."}


def _part(name: str, ids: Sequence[str], words: Mapping[str, str], split: Split, wanted: float | None) -> PartContent:
    return PartContent(name, Counter(words[each] for each in ids), len({split.group[each] for each in ids}), wanted)


def _network(run: Run) -> list[tuple[str, str]]:
    """Name and size of the network; runs of before it was counted have no size."""
    counted = read_json(run.trained).get("parameters") if run.trained.is_file() else None
    named = [("network", run.recipe.model.name + (f"; parameters: {counted}" if counted else ""))]
    return [*named, *((f"{name} of the gate", value) for name, value in (_network(run.gate) if run.gate else ()))]


def _provenance(metrics: Mapping[str, Any]) -> list[tuple[str, str]]:
    facts = metrics["provenance"]
    named = [(name, str(facts[name])) for name in ("command", "date", "code", "machine", "versions")]
    return [*named, ("data", f"{facts['data']['name']}, {facts['data']['source']}")]


Ranked = list[tuple[float, Picture]]


def _decided_pictures(task: Task, runs: Iterable[Run]) -> Gallery:
    """Every wrong decision, the most confident first; all that is for a person, the nearest to a mistake first.

    Where nobody is asked to look, what is uncertain are the right decisions that were nearly another one.
    """
    mistakes: Ranked = []
    person: Ranked = []
    close: Ranked = []
    for run in runs:
        decision = read_bundle(run.bundle).manifest.sealed.decision
        assert decision is not None
        by_id = {row.id: row for row in run.samples.rows}
        for prediction in read_results(run.scores("test"), task).rows:
            sample = by_id[prediction.name]
            if prediction.decision and prediction.decision.human:
                person.append(_for_a_person(task, sample, prediction, decision))
                continue
            picture = _mistake(task, sample, prediction, decision.thresholds, decision.looked_at)
            near = None if picture or decision.looked_at else uncertain(task, sample, prediction, decision)
            if picture:
                mistakes.append(picture)
            elif near:
                close.append((near[0], replace(near[1], meta=_meta(sample))))
    return Gallery(_sorted(mistakes), _sorted(person), _sorted(close)[:SHOWN])


def _sorted(ranked: Ranked) -> list[Picture]:
    return [picture for _, picture in sorted(ranked, key=lambda pair: -pair[0])]


def _for_a_person(task: Task, sample: Sample, prediction: Prediction, rule: DecisionRule) -> tuple[float, Picture]:
    """How near it was to a mistake (0 to 1): a bad one to passing, a good one to being rejected; and the picture."""
    assert prediction.decision is not None
    open_k = [k for k, unsure in enumerate(prediction.decision.unsure) if unsure]
    bad = any(truth(task.kind, np.array([sample.target]))[0])
    up, asked = max(
        ((prediction.probability[k] - rule.looked_at[k]) / (rule.thresholds[k] - rule.looked_at[k]), task.classes[k])
        for k in open_k
    )
    return 1 - up if bad else up, Picture(
        image=sample.path,
        name=sample.id,
        true=task.describe(sample.target),
        decided=prediction.decision.label,
        kind="person-bad" if bad else "person-good",
        odds=odds(task, rule.thresholds, prediction.probability, open_k, rule.looked_at),
        meta=_meta(sample),
        asked=asked,
    )


def _mistake(
    task: Task,
    sample: Sample,
    prediction: Prediction,
    thresholds: Sequence[float],
    looked_at: Sequence[float] = (),
) -> tuple[float, Picture] | None:
    """How sure the bundle was of its wrong answer (0 to 1), and the picture; None if it was right.

    A class that was missed because it is in its band, where another is called, is missed without being sure: it comes
    last.
    """
    decision = prediction.decision
    assert decision is not None
    kind = mistake_kind(task, sample.target, decision.flags)
    if kind is None:
        return None
    present = truth(task.kind, np.array([sample.target]))[0].tolist()
    rows = list(enumerate(zip(present, decision.flags, prediction.probability, thresholds, strict=True)))
    wrong = [k for k, (true, flag, _, _) in rows if true != flag]
    if task.kind == "multiclass":
        wrong.sort(key=lambda k: not decision.flags[k])  # first what it was called, then what it is
        sure = prediction.probability[wrong[0]]
    else:
        least = looked_at or thresholds
        sure = max(
            (p - t) / max(1 - t, 1e-9) if flag else (least[k] - p) / least[k]
            for k, (_, flag, p, t) in rows
            if k in wrong
        )
    return sure, Picture(
        image=sample.path,
        name=sample.id,
        true=task.describe(present),
        decided=decision.label,
        kind=kind,
        odds=odds(task, thresholds, prediction.probability, wrong, looked_at),
        meta=_meta(sample),
        asked=next(task.classes[k] for k in wrong if bool(present[k]) == (kind == "escape")),
    )


def _meta(sample: Sample) -> str:
    """What is known of an image beside its pixels, the first `META` columns of it."""
    known = [f"{key} {value if isinstance(value, str) else _short(value)}" for key, value in sample.meta.items()]
    return ", ".join(known[:META]) + (", ..." if len(known) > META else "")


def _short(value: float) -> str:
    return format(value, ".3g" if abs(value) < 1000 else ".7g")


def _pictures(samples: Samples, called: str) -> dict[str, Any]:
    """Examples of each label combination, and what the pictures are, from so many of them that it takes a moment."""
    row = {row.id: row for row in samples.rows}
    # Images with masks are shown with them: see `mask_content`.
    chosen = {} if samples.task.pixels else findings.examples(samples, combinations=COMBINATIONS)
    examples = {
        words: [Picture(image=row[id].path, name=id, true=words, meta=_meta(row[id])) for id in ids]
        for words, ids in chosen.items()
    }
    looked = findings.spread_sample(samples, LOOKED_AT)
    some = len(looked) < len(samples)
    said = f"{len(looked):,} of the {len(samples):,} {called}" if some else f"All {len(samples):,} {called}"
    how = ", as many of each label where there are enough, spread over the table." if some else "."
    return {
        "examples": examples,
        "pictures": take_census(looked).as_dict(samples.combination_of),
        "looked_at": f"{said} were looked at{how}",
    }
