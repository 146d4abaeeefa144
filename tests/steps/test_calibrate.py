"""The calibrator that a recipe asks for is the one that the sealed bundle applies."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from scipy.special import expit

import flawscope
from flawscope.bundle.archive import read_bundle, write_bundle
from flawscope.bundle.manifest import Manifest
from flawscope.bundle.runtime import Runtime
from flawscope.bundle.verify import describe
from flawscope.evaluation.calibrators import FITTERS, NAMES
from flawscope.inspection.tables import read_results
from flawscope.probability import calibrate
from flawscope.steps.workspace import Run

Decided = Callable[..., tuple[Run, Manifest]]


@pytest.fixture
def decided(finish_run: Callable[..., Path], parts: Path, tmp_path: Path) -> Decided:
    """`decided(method)`: a run whose draft was decided anew with this method of calibration."""

    def decide(method: str) -> tuple[Run, Manifest]:
        asked = [f"calibrate.method={method}", "split.validation=0.4", "split.calibration=0.2", "split.test=0.3"]
        run = Run.at(finish_run(tmp_path / "run", parts, overrides=asked))
        contents = read_bundle(run.bundle)
        draft = contents.manifest.sealed.model_copy(update={"calibrator": None, "decision": None})
        manifest = contents.manifest.model_copy(update={"sealed": draft, "seal": ""})
        write_bundle(run.draft, manifest, contents.graphs, contents.golden)
        return run, flawscope.decide(run.folder)

    return decide


def logits(run: Run) -> np.ndarray:
    """What the graph of the bundle says of the validation pictures, n x 1."""
    rows = run.part("validation").rows
    return Runtime.open(run.bundle).scores([row.path for row in rows], [row.meta for row in rows])


def told(run: Run) -> list[float]:
    """The probabilities that the sealed bundle has told of the validation pictures, in the order of the data."""
    known = {row.name: row.probability[0] for row in read_results(run.scores("validation")).rows}
    return [known[row.id] for row in run.part("validation").rows]


@pytest.mark.parametrize("method", list(FITTERS))
def test_what_is_fitted_on_validation_is_what_the_bundle_applies(decided: Decided, method: str) -> None:
    run, manifest = decided(method)
    calibrator = manifest.sealed.calibrator
    assert calibrator is not None
    assert (calibrator.method, calibrator.fitted_on) == (NAMES[method], "validation")
    logit_n1, truth_n = logits(run), run.part("validation").target_nk[:, 0] >= 0.5
    expected_n1 = calibrate("binary", [FITTERS[method](logit_n1[:, 0], truth_n)], logit_n1)
    np.testing.assert_allclose(told(run), expected_n1[:, 0], atol=1e-4)
    sentences = describe(manifest)
    assert f"Calibration: {NAMES[method]}, fitted on the validation split." in sentences


def test_the_choice_counts_groups_and_not_pictures(decided: Decided) -> None:
    run, manifest = decided("auto")
    validation = run.part("validation")
    rare = [run.split.group[row.id] for row in validation.rows if row.target[0] >= 0.5]
    assert len(set(rare)) < len(rare), "there are several pictures of a part"
    calibrator = manifest.sealed.calibrator
    assert calibrator is not None
    groups = len({run.split.group[row.id] for row in validation.rows})
    if len(set(rare)) < 10:
        assert f"without comparison: {len(set(rare))} groups of a kind" in calibrator.note
    else:
        assert f"chosen over {groups} groups" in calibrator.note


def test_none_gives_the_plain_sigmoid_and_says_so(decided: Decided) -> None:
    run, manifest = decided("none")
    calibrator = manifest.sealed.calibrator
    assert calibrator is not None
    assert (calibrator.method, calibrator.fitted_on, calibrator.note) == ("none", "", "scores are not calibrated")
    np.testing.assert_allclose(told(run), expit(logits(run)[:, 0]), atol=1e-4)
