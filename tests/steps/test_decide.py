"""Escape contracts in a run and in a bundle that is decided again. n images, k classes."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from typer.testing import CliRunner

import flawscope
from flawscope.bundle.archive import read_bundle
from flawscope.bundle.verify import verify
from flawscope.cli.app import app
from flawscope.errors import BundleError, DataError, OutputError, UserError
from flawscope.evaluation.plan import best_promise
from flawscope.inspection.tables import read_results
from flawscope.steps.run import one
from flawscope.steps.workspace import Run

Copy = Callable[[], tuple[Path, Path]]
Draw = Callable[..., Path]


def asked(run: Path, **decide: Any) -> Path:
    """A run whose recipe asks for another decision."""
    recipe = run / "recipe.yaml"
    content = yaml.safe_load(recipe.read_text(encoding="utf-8"))
    recipe.write_text(yaml.safe_dump({**content, "decide": decide}, allow_unicode=True), encoding="utf-8")
    return run


def delivery(draw: Draw, root: Path, n: int = 30, first: int = 500) -> Path:
    for seed in range(first, first + n):
        draw(root / ("nok" if seed % 2 else "ok") / f"{seed}.png", seed, [seed % 4] if seed % 2 else ())
    return root


def test_a_recipe_with_a_contract_seals_it_and_says_it_alike_everywhere(copied: Copy) -> None:
    run, _ = copied()
    manifest = flawscope.decide(asked(run, max_escape=0.5, confidence=0.8))
    decision = manifest.sealed.decision
    assert decision is not None
    (contract,) = decision.contracts
    rows = Run.at(run).part("calibration")
    score = np.array([row.probability[0] for row in read_results(Run.at(run).scores("calibration")).rows])
    bad = rows.target_nk[:, 0] == 1
    assert (contract.positives, contract.groups, contract.units) == (bad.sum(), bad.sum(), "groups")
    assert contract.escapes == (score[bad] < decision.thresholds[0]).sum()
    assert contract.kept
    assert contract.bound <= 0.5
    assert contract.bound in [best_promise(contract.positives, 0.8, k) for k in range(contract.positives)]
    flawscope.evaluate(run)
    page = flawscope.report(run).read_text(encoding="utf-8")
    shown = "\n".join(flawscope.show(run / "tiny.flawscope"))
    assert contract.words[0].startswith(f"Of 100 nok images at most 50 pass, 80 % confidence; measured on {bad.sum()} ")
    for words in contract.words:
        assert words in shown
        assert words in page
    assert 'id="promise"' in page
    assert 'id="contract0-bound"' in page


def test_an_impossible_promise_is_answered_in_words(copied: Copy) -> None:
    run, _ = copied()
    decision = flawscope.decide(asked(run, max_escape=0)).sealed.decision
    assert decision is not None
    (contract,) = decision.contracts
    assert (contract.kept, contract.reached, contract.needed) == (False, 0.0, None)
    assert contract.words[0].startswith("NOT PROVEN: that of 100 nok images none passes")
    flawscope.evaluate(run)
    page = flawscope.report(run).read_text(encoding="utf-8")
    assert "not proven as asked" in page
    # So few good parts do not show that the network is better than a lot with this best promise.
    (saving,) = [words for words in contract.words if "THE NETWORK SAVES" in words]
    assert f"<p><b>{saving}</b></p></div>" in page and f"<li>{saving}</li>" not in page
    assert saving in flawscope.show(run / "tiny.flawscope")


def test_a_promise_that_takes_no_network_is_called_so(finished: Any, draw: Draw, tmp_path: Path) -> None:
    """Good and bad pictures that look alike: whatever is promised of them, a lot keeps it as well."""
    for seed in range(2000, 2120):
        folder = tmp_path / ("calibration" if seed < 2060 else "other") / ("nok" if seed % 2 else "ok")
        draw(folder / f"{seed}.png", seed)
    new = tmp_path / "new.flawscope"
    decision = flawscope.decide(finished.bundle, tmp_path / "calibration", new, max_escape=0.15).sealed.decision
    assert decision is not None
    assert decision.contracts[0].kept
    (saving,) = [words for words in decision.contracts[0].words if "THE NETWORK SAVES" in words]
    assert saving.startswith("The promise holds, but ")
    assert saving in flawscope.show(new)
    (said,) = flawscope.evaluate(new, tmp_path / "other").metrics["savings"]
    assert said.startswith("nok, on these images: ") and "THE NETWORK SAVES" in said
    assert said in CliRunner().invoke(app, ["evaluate", str(new), str(tmp_path / "other")]).output


def test_a_bundle_is_decided_again_without_training(finished: Any, draw: Draw, tmp_path: Path) -> None:
    data, new = delivery(draw, tmp_path / "delivery"), tmp_path / "new.flawscope"
    manifest = flawscope.decide(finished.bundle, data, new, max_escape=0.2)
    old, contents = read_bundle(finished.bundle), read_bundle(new)
    assert manifest == contents.manifest
    assert (manifest.parent, manifest.seal != old.manifest.seal) == (old.manifest.seal, True)
    assert contents.graphs == old.graphs
    assert contents.manifest.sealed.calibrator == old.manifest.sealed.calibrator
    assert set(contents.evidence) == {"provenance", "contract"}  # the test was that of another decision
    decision = manifest.sealed.decision
    assert decision is not None
    assert decision.contracts[0].positives == 15
    assert decision.fitted_on == ""
    assert any(note.startswith("leak checked among these images") for note in decision.notes)
    assert all(check.ok for check in verify(new))
    assert f"Parent bundle: {old.manifest.seal}." in flawscope.show(new)
    with pytest.raises(DataError, match="all 30 images were used to make the bundle"):
        flawscope.evaluate(new, data)


def test_by_default_it_lies_beside_its_parent_and_nothing_is_replaced(copied: Copy, draw: Draw, tmp_path: Path) -> None:
    run, _ = copied()
    bundle, data = run / "tiny.flawscope", delivery(draw, tmp_path / "delivery")
    before = bundle.read_bytes()
    first = flawscope.decide(bundle, data, max_escape=0.3)
    made = run / "tiny-max-escape-0.3.flawscope"
    assert read_bundle(made).manifest.seal == first.seal
    with pytest.raises(OutputError, match=r"exists already(?s:.)*--overwrite"):
        flawscope.decide(bundle, data, max_escape=0.3)
    assert flawscope.decide(bundle, data, max_escape=0.3, confidence=0.9).seal != first.seal
    assert (run / "tiny-max-escape-0.3-confidence-0.9.flawscope").is_file()
    (contract,) = flawscope.decide(bundle, data, max_escape=0.3, units="parts").sealed.decision.contracts
    assert contract.units == "parts" and contract.words[-1].startswith("Each of them stands by itself")
    assert (run / "tiny-max-escape-0.3-parts.flawscope").is_file()
    assert flawscope.decide(bundle, data, max_escape=0.3, units="effective", output=made, overwrite=True)
    assert read_bundle(made).manifest.seal != first.seal
    with pytest.raises(OutputError, match="is the bundle that is decided again"):
        flawscope.decide(bundle, data, bundle, max_escape=0.3, overwrite=True)
    assert bundle.read_bytes() == before


def test_images_that_the_bundle_knows_are_left_out(finished: Any, draw: Draw, tmp_path: Path) -> None:
    """Of its own data the calibration part is left: train, validation and test must not decide."""
    manifest = flawscope.decide(finished.bundle, finished.data, tmp_path / "new.flawscope", max_escape=0.2)
    decision = manifest.sealed.decision
    assert decision is not None
    run = Run.at(finished.folder)
    assert decision.contracts[0].positives == (run.part("calibration").target_nk[:, 0] == 1).sum()
    for part in ("train", "validation", "test"):
        note = f"{len(run.split.ids(part))} images left out: the bundle's {part} part holds the same files"
        assert note in decision.notes
    own = flawscope.decide(finished.bundle, finished.folder, tmp_path / "own.flawscope", max_escape=0.2).sealed.decision
    assert own is not None
    assert (own.thresholds, own.contracts) == (decision.thresholds, decision.contracts)
    assert own.fitted_on == "calibration"


def test_data_without_defective_parts(finished: Any, draw: Draw, tmp_path: Path) -> None:
    for seed in range(700, 705):
        draw(tmp_path / "good" / "ok" / f"{seed}.png", seed)
    decision = flawscope.decide(
        finished.bundle, tmp_path / "good", tmp_path / "new.flawscope", max_escape=0.2
    ).sealed.decision
    assert decision is not None
    assert decision.thresholds == (0.5,)
    assert "the data set 'good' holds no nok images" in decision.contracts[0].words[0]


@pytest.mark.parametrize(
    ("given", "options", "words"),
    [
        (("bundle",), {}, "again, DATA and what is asked for are missing"),
        (
            ("bundle",),
            {"max_escape": 0.1},
            "again, DATA is missing\n  -> flawscope decide NAME.flawscope DATA --max-esc",
        ),
        (("bundle", "data"), {}, "again, what is asked for is missing"),
        (("folder",), {"max_escape": 0.1}, "a run is decided as its recipe says"),
        (("bundle", "data"), {"max_escape": 2.0}, "--max-escape 2: expected a share"),
        (("bundle",), {"max_escape": 0.1, "costs": {"escape": 1, "overkill": 1}}, "are two rules for one threshold"),
        (("folder",), {"confidence": 0.9}, "--confidence belongs to the escape contract"),
    ],
)
def test_what_is_asked_wrongly(finished: Any, given: tuple[str, ...], options: dict[str, Any], words: str) -> None:
    with pytest.raises(UserError, match=re.escape(words)):
        flawscope.decide(*(getattr(finished, name) for name in given), **options)


def test_a_run_of_other_data_is_refused(finished: Any, finish_run: Any, parts: Path, tmp_path: Path) -> None:
    other = finish_run(tmp_path / "runs" / "other", parts)
    with pytest.raises(UserError, match="is not the run that the bundle comes from"):
        flawscope.decide(finished.bundle, other, tmp_path / "new.flawscope", max_escape=0.2)


def test_a_bundle_has_a_page_of_its_own_for_an_auditor(finished: Any, draw: Draw, tmp_path: Path) -> None:
    new, data = tmp_path / "new.flawscope", delivery(draw, tmp_path / "delivery")
    decision = flawscope.decide(finished.bundle, data, new, max_escape=0.2).sealed.decision
    assert decision is not None
    page = flawscope.report(new)
    assert page == tmp_path / "new-report" / "index.html"
    text = page.read_text(encoding="utf-8")
    for words in (*decision.contracts[0].words, *decision.notes, read_bundle(finished.bundle).manifest.seal):
        assert words in text
    assert "has not been measured" in text
    later = flawscope.evaluate(new, delivery(draw, tmp_path / "later", first=900), tmp_path / "metrics")
    text = flawscope.report(new, tmp_path / "page", metrics=tmp_path / "metrics" / "metrics.json").read_text("utf-8")
    assert "30 images of later" in text
    rate = later.metrics["classes"]["nok"]["measures"]["escape rate"]
    assert f"seen afterwards on the test part: let through</th><td>{100 * rate['value']:.1f}" in text
    with pytest.raises(UserError, match=r"was not measured with .*tiny\.flawscope"):
        flawscope.report(finished.bundle, tmp_path / "page", metrics=tmp_path / "metrics" / "metrics.json")
    with pytest.raises(UserError, match="--metrics is for a bundle"):
        flawscope.report(finished.folder, metrics=tmp_path / "metrics" / "metrics.json")
    with pytest.raises(BundleError, match="is a draft"):
        flawscope.report(finished.folder / "draft.flawscope")


def test_a_recipe_decides_several_ways_from_one_network(copied: Copy) -> None:
    run, _ = copied()
    recipe = run / "recipe.yaml"
    content = yaml.safe_load(recipe.read_text(encoding="utf-8"))
    ways = [{"max_escape": 0.5, "confidence": 0.8}, {"costs": {"escape": 100, "overkill": 10, "review": 2}}]
    recipe.write_text(yaml.safe_dump({**content, "decide_also": ways}, allow_unicode=True), encoding="utf-8")
    work, said = Run.at(run), list[str]()
    one(work, said.append)
    parent = read_bundle(work.bundle).manifest
    names = ("tiny-max-escape-0.5-confidence-0.8", "tiny-costs-100-10-2")
    page = (run / "report" / "index.html").read_text(encoding="utf-8")
    for name in names:
        made = read_bundle(run / f"{name}.flawscope")
        decision = made.manifest.sealed.decision
        assert decision is not None
        assert (made.manifest.parent, decision.fitted_on) == (parent.seal, "calibration")
        assert made.evidence["test"]["n"] == len(work.part("test"))
        own = run / f"{name}-report" / "index.html"
        (first, *_) = (decision.contracts or decision.costs)[0].words
        assert f'href="../{name}-report/index.html"' in page
        assert first in page
        assert first in own.read_text(encoding="utf-8")
        assert any(first in words for words in said)
    before = [(run / f"{name}.flawscope").read_bytes() for name in names]
    one(work, said.append)  # a run that goes on leaves what is there
    assert [(run / f"{name}.flawscope").read_bytes() for name in names] == before
