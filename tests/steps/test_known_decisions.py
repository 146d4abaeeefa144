"""Which decisions of one network are known: sealed together, made before, or lying beside."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

import flawscope
from flawscope.bundle.archive import read_bundle
from flawscope.bundle.asked import AskedDecision
from flawscope.steps.known_decisions import NOT_WRITTEN, _before, all_asked, decision_family, listed
from flawscope.steps.run import one
from flawscope.steps.workspace import Run

Copy = Callable[[], tuple[Path, Path]]
Draw = Callable[..., Path]
WAYS = [
    {"max_escape": 0.5, "confidence": 0.8},
    {"max_escape": 0.3},
    {"costs": {"escape": 100, "overkill": 10, "review": 2}},
]
NAMES = ["tiny", "tiny-max-escape-0.5-confidence-0.8", "tiny-max-escape-0.3", "tiny-costs-100-10-2"]
LIST = (
    "One of 4 decisions sealed from the same network and the same calibration images: tiny (rule best_f1); "
    "tiny-max-escape-0.5-confidence-0.8 (at most 50 % escape, 80 % confidence); tiny-max-escape-0.3 (at most 30 % "
    "escape, 95 % confidence); tiny-costs-100-10-2 (costs of escape 100, overkill 10, review 2)."
)
TWO = (
    "Together they make 2 promises, and each holds at its own confidence. That both hold at once is known with 75 % "
    "confidence (Bonferroni: 1 - 20 % - 5 %). Nor is a promise surer that somebody picks after having seen all of them."
)


def delivery(draw: Draw, root: Path) -> Path:
    for seed in range(500, 530):
        draw(root / ("nok" if seed % 2 else "ok") / f"{seed}.png", seed, [seed % 4] if seed % 2 else ())
    return root


@pytest.fixture
def several(copied: Copy) -> Run:
    """A run whose recipe has been given further decisions."""
    run, _ = copied()
    recipe = run / "recipe.yaml"
    content = yaml.safe_load(recipe.read_text(encoding="utf-8"))
    recipe.write_text(yaml.safe_dump({**content, "decide_also": WAYS}, allow_unicode=True), encoding="utf-8")
    return Run.at(run)


def test_each_bundle_of_a_run_names_all_that_its_recipe_asked_for(several: Run) -> None:
    before, said = read_bundle(several.bundle).manifest, list[str]()
    one(several, said.append)
    assert LIST in said and TWO in said
    seals = set()
    for name in NAMES:
        bundle = several.folder / f"{name}.flawscope"
        contents = read_bundle(bundle)
        decision = contents.manifest.sealed.decision
        assert decision is not None and decision.asked == all_asked(several)
        assert [each.name for each in decision.asked] == NAMES
        seals.add(contents.manifest.seal)
        assert decision_family(bundle, contents) == (LIST, TWO, "What lies in other folders is not seen.")
        shown, page = "\n".join(flawscope.show(bundle)), flawscope.report(bundle).read_text(encoding="utf-8")
        for words in (LIST, TWO):
            assert words in shown and words in page
    assert len(seals) == 4 and before.seal not in seals, "the bundle of before named no others: it was sealed anew"
    assert LIST in (several.folder / "report" / "index.html").read_text(encoding="utf-8")
    alone = several.folder.parent / "elsewhere" / "theirs.flawscope"
    alone.parent.mkdir()
    shutil.copy(several.folder / f"{NAMES[1]}.flawscope", alone)
    assert decision_family(alone)[0] == LIST, "an auditor who gets one file sees the others"


def test_without_further_decisions_the_seal_is_what_it_was(finished: Any) -> None:
    decision = read_bundle(finished.bundle).manifest.sealed.decision
    assert decision is not None and decision.asked == ()
    assert "asked" not in decision.model_dump(mode="json")
    said = flawscope.show(finished.bundle)
    assert said[-1] == "No other decision of its network is known; what lies in other folders is not seen."


def test_children_that_lie_beside_are_found_and_others_are_not_claimed(
    copied: Copy, draw: Draw, tmp_path: Path, make_bundle: Callable[..., Path]
) -> None:
    run, _ = copied()
    parent, data = run / "tiny.flawscope", delivery(draw, tmp_path / "delivery")
    for rate in (0.3, 0.2):
        flawscope.decide(parent, data, max_escape=rate, twins="identical")
    far = tmp_path / "far" / "child.flawscope"
    flawscope.decide(parent, data, far, max_escape=0.1, confidence=0.9, twins="identical")
    shutil.copy(make_bundle(name="other.flawscope"), run / "other.flawscope")  # another network
    (run / "broken.flawscope").write_bytes(b"PK")
    child = run / "tiny-max-escape-0.2.flawscope"
    others, together, unseen = decision_family(child)
    assert others == (
        "Of the same network 2 other decisions are known, made before it or lying beside it: tiny (rule best_f1); "
        "tiny-max-escape-0.3 (at most 30 % escape, 95 % confidence)."
    )
    assert (
        "Together they make 2 promises" in together
        and "known with 90 % confidence (Bonferroni: 1 - 2 x 5 %)" in together
    )
    assert unseen == "What lies in other folders is not seen."
    assert others in flawscope.report(child).read_text(encoding="utf-8")
    alone, unseen = decision_family(far)
    assert alone.endswith("1 other decision is known, made before it or lying beside it: tiny (rule best_f1).")
    assert "2 other decisions are known" in decision_family(parent)[0]
    grandchild = far.with_name("grandchild.flawscope")
    flawscope.decide(far, delivery(draw, tmp_path / "more"), grandchild, max_escape=0.4, twins="identical")
    shutil.move(grandchild, tmp_path / "alone.flawscope")
    first, together, _ = decision_family(tmp_path / "alone.flawscope")
    assert "tiny (rule best_f1); child (at most 10 % escape, 90 % confidence)" in first, "from its history"
    assert "known with 85 % confidence (Bonferroni: 1 - 5 % - 10 %)" in together


def test_a_child_of_a_run_with_several_decisions_knows_them_wherever_it_lies(several: Run, tmp_path: Path) -> None:
    one(several, lambda words: None)
    child = tmp_path / "child.flawscope"
    flawscope.decide(several.bundle, several.folder, child, max_escape=0.25)
    others, together, _ = decision_family(child)
    assert others.startswith("Of the same network 4 other decisions are known") and all(
        name in others for name in NAMES
    )
    assert "3 promises" in together and "70 % confidence" in together


def test_a_history_of_before_is_told_as_far_as_it_goes(finished: Any) -> None:
    seal = "ab" * 32
    for entry in ({"seal": seal}, {"seal": seal, "asked": [{"name": 3}]}):
        assert _before(entry) == (AskedDecision(name="seal abababababab", words=NOT_WRITTEN),)
    (own,) = listed(finished.bundle, read_bundle(finished.bundle).manifest)
    assert _before({"seal": seal, "asked": [own.model_dump(mode="json")]}) == (own,)
