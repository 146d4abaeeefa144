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
from flawscope.bundle.contract import EscapeContract
from flawscope.steps.decide_options import promise_in_words
from flawscope.steps.known_decisions import NOT_WRITTEN, Family, Known, _before, all_asked, decision_family, listed
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
MADE = "tiny-max-escape-0.5-confidence-0.8 (at most 50 % escape, 80 % confidence; promised)"
LIST = (
    "One of 4 decisions sealed from the same network and the same calibration images: tiny (rule best_f1); "
    "tiny-max-escape-0.5-confidence-0.8 (at most 50 % escape, 80 % confidence; promised); tiny-max-escape-0.3 (asked: "
    "at most 30 % escape, 95 % confidence; NOT PROVEN, at most 52.8 % is); "
    "tiny-costs-100-10-2 (costs of escape 100, overkill 10, review 2)."
)
TWO = (
    "Together they were asked for 2 promises: 1 is made, 1 NOT PROVEN. Each that is made holds at its own confidence. "
    "That all that are made hold at once is known with 75 % confidence (Bonferroni: 1 - 20 % - 5 %). That counts all "
    "that were asked. Nor is a promise surer that somebody picks after having seen all of them."
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
        assert LIST in shown and TWO in shown and TWO in page
        assert f'<tr><th scope="row">{NAMES[2]}</th><td data-name="asked for">at most 30 % escape, 95 %' in page
        assert f"<h1>{name}</h1>" in page, "not the name of the network, which all of them bear"
    assert len(seals) == 4 and before.seal not in seals, "the bundle of before named no others: it was sealed anew"
    assert NAMES[2] in (several.folder / "report" / "index.html").read_text(encoding="utf-8")
    alone = several.folder.parent / "elsewhere" / "theirs.flawscope"
    alone.parent.mkdir()
    shutil.copy(several.folder / f"{NAMES[1]}.flawscope", alone)
    first, together, _ = decision_family(alone)  # an auditor who gets one file sees the others
    assert MADE in first and "tiny-max-escape-0.3 (asked: at most 30 % escape, 95 % confidence; not known here" in first
    assert together.startswith("Together they were asked for 2 promises: 1 is made, of 1 it is not known")


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
        "tiny-max-escape-0.3 (at most 30 % escape, 95 % confidence; promised)."
    )
    assert (
        "Together they make 2 promises" in together
        and "known with 90 % confidence (Bonferroni: 1 - 2 x 5 %)" in together
    )
    assert unseen == "What lies in other folders is not seen."
    page = flawscope.report(child).read_text(encoding="utf-8")
    assert "Of the same network 2 other decisions are known" in page and "tiny-max-escape-0.3</th>" in page
    alone, unseen = decision_family(far)
    assert alone.endswith("1 other decision is known, made before it or lying beside it: tiny (rule best_f1).")
    assert "2 other decisions are known" in decision_family(parent)[0]
    grandchild = far.with_name("grandchild.flawscope")
    flawscope.decide(far, delivery(draw, tmp_path / "more"), grandchild, max_escape=0.4, twins="identical")
    shutil.move(grandchild, tmp_path / "alone.flawscope")
    first, together, _ = decision_family(tmp_path / "alone.flawscope")
    asked = "child (asked: at most 10 % escape, 90 % confidence; not known here whether it is proven)"
    assert f"tiny (rule best_f1); {asked}" in first, "from its history"
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


def asked_for(name: str, kept: bool | None, bound: float = 0.259) -> Known:
    """A decision that was asked for 2 %: kept, not kept, or nobody knows."""
    words = promise_in_words(0.02, 0.95, "groups")
    contract = EscapeContract(
        name="nok", max_escape=0.02, confidence=0.95, units="groups", kept=bool(kept), threshold=0.5, positives=10,
        effective=10, groups=10, escapes=0, bound=bound, reached=0.2,
    )  # fmt: skip
    asked = AskedDecision(name=name, words=words, confidences=(0.95,))
    return Known(asked, () if kept is None else (contract,))


def test_what_is_not_proven_is_no_promise() -> None:
    missed, none = asked_for("b", False), asked_for("c", False, 1)
    first, together, _ = Family((asked_for("a", True),), (missed, none, asked_for("d", None))).sentences(3)
    asked = "asked: at most 2 % escape, 95 % confidence"
    assert f"b ({asked}; NOT PROVEN, at most 25.9 % is); c ({asked}; NOT PROVEN); d ({asked}; not known here" in first
    assert together.startswith(
        "Together they were asked for 4 promises: 1 is made, 2 NOT PROVEN, of 1 it is not known here. Each that is "
        "made holds at its own confidence. That all that are made hold at once is known with 80 % confidence ("
    )
    assert Family((missed,), (none,)).sentences(3)[1] == (
        "Together they were asked for 2 promises: 0 are made, 2 NOT PROVEN."
    )


def test_of_many_decisions_the_terminal_names_three_and_the_page_all() -> None:
    family = Family((asked_for("own", True),), tuple(asked_for(f"other-{n}", True) for n in range(12)))
    first = family.sentences(3)[0]
    assert "other-2 (at most 2 % escape, 95 % confidence; promised); 9 more." in first and "other-3" not in first
    assert "other" not in family.sentences()[0].split("lying beside it")[1]
    assert [name for name, _, _ in family.rows] == ["own", *(f"other-{n}" for n in range(12))]
    assert Family((asked_for("own", True),)).rows == ()
