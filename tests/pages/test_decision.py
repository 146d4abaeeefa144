"""The page of a bundle's decision."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest

from flawscope.evaluation.promises import fit_promises
from flawscope.pages.contracts import ContractContent
from flawscope.pages.decision import DecisionContent, render
from flawscope.records import NOT_CHECKED, Task


@pytest.fixture
def content() -> DecisionContent:
    import numpy as np

    rng = np.random.default_rng(0)
    truth_n = np.arange(300) % 2
    probability_n = np.clip(0.5 * truth_n + rng.uniform(0, 0.5, 300), 0.01, 0.99)
    task = Task("binary", ("nok",), "ok")
    found = fit_promises(
        task, probability_n[:, None], truth_n[:, None].astype(float), list(range(300)), max_escape=0.05
    )
    (promise,) = found.each
    contract: dict[str, Any] = {**promise.contract.as_dict(), "name": "nok", "words": promise.words}
    return DecisionContent(
        title="castings", date="2026-11-26", file="castings-max-escape-0.05.flawscope", seal="ab" * 32,
        parent="cd" * 32, engine="onnxruntime, float32", decided_on="the images of delivery",
        decision=("Decision: nok when its probability is at least 0.3.",), stamp="leak checked: leak court 6",
        notes=("Decided again on 300 images of delivery", "leak checked among these images"),
        contracts=(ContractContent(contract, promise.curve, "ok"),), provenance=(("command", "flawscope decide"),),
    )  # fmt: skip


def test_the_promise_the_images_and_the_parent_are_there(content: DecisionContent) -> None:
    page = render(content)
    contract = content.contracts[0].contract
    for words in (*contract["words"], *content.notes, content.seal, content.parent, "chosen on the images of delivery"):
        assert words in page
    assert 'id="contract0-bound"' in page
    assert not re.search(r'(src|href)="http', page)
    assert "has not been measured" in page
    assert "flawscope evaluate castings-max-escape-0.05.flawscope IMAGES" in page


@pytest.mark.parametrize("where", ["stamp", "notes"])
def test_what_was_not_searched_for_is_an_alarm(content: DecisionContent, where: str) -> None:
    said = f"{NOT_CHECKED}: nobody has looked"
    unchecked = replace(content, **{where: said if where == "stamp" else (said,)})
    assert 'class="stamp alarm"' in render(unchecked)
    assert 'class="stamp alarm"' not in render(content)
