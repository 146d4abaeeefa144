from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from flawscope.bundle.archive import from_npy, read_bundle, to_npy, write_bundle
from flawscope.bundle.rules import MaskRule
from flawscope.bundle.verify import describe, verify
from flawscope.records import Interval, Task

Make = Callable[..., Path]


def test_a_good_bundle_passes_every_check(make_bundle: Make) -> None:
    checks = verify(make_bundle())
    assert [check.ok for check in checks] == [True, True, True]
    assert "seal " in checks[0].detail


def test_checks_stop_at_the_first_that_fails(make_bundle: Make, tmp_path: Path) -> None:
    path = make_bundle()
    contents = read_bundle(path)
    name = "golden/main.logits.expected.npy"
    golden = {**contents.golden, name: to_npy(from_npy(contents.golden, name) + np.float32(1))}
    write_bundle(tmp_path / "other", contents.manifest, contents.graphs, golden)
    assert [check.ok for check in verify(tmp_path / "other")] == [True, True, False]
    path.write_bytes(path.read_bytes()[:-1])
    assert [check.ok for check in verify(path)] == [False]
    assert [check.ok for check in verify(tmp_path / "none")] == [False]


def test_describe_in_plain_sentences(make_bundle: Make) -> None:
    metrics = {"headline": [{"name": "AUROC", "interval": Interval(0.86, 0.82, 0.9).as_dict()}]}
    contents = read_bundle(make_bundle(thresholds=(0.413,), evidence={"test": metrics, "provenance": {"a": 1}}))
    text = "\n".join(describe(contents.manifest, contents.evidence))
    for line in (
        "tiny, made 2026-01-31.",
        "Decides whether an image is defective or functional.",
        "Input inputs: a picture, resized (bilinear) to 8 x 8 pixels, 8-bit grey.",
        "Calibration: none. scores are not calibrated.",
        "Decision: defective when its probability is at least 0.413.",
        "Rule: best F1, fitted on the calibration split.",
        "Split: LEAK NOT CHECKED. Its numbers may be too good.",
        "Engine: onnxruntime, float32.",
        f"Seal: {contents.manifest.seal}.",
        "Hash of the data: d.",
        "Evidence test: AUROC 0.860 (0.820 to 0.900).",
        "Evidence provenance: present.",
    ):
        assert line in text


def test_describe_other_tasks_and_drafts(make_bundle: Make) -> None:
    multi = Task("multiclass", ("ok", "crack", "hole"))
    assert "Decision: the most probable class." in describe(read_bundle(make_bundle(multi)).manifest)
    weighted = describe(read_bundle(make_bundle(multi, thresholds=(1.0, 0.5, 0.25))).manifest)
    assert any("ok / 1, crack / 0.5, hole / 0.25" in line for line in weighted)
    draft = describe(read_bundle(make_bundle(draft=True)).manifest)
    assert "No decision yet: this is a draft." in draft
    assert "Seal: none, this is a draft." in draft
    label = describe(read_bundle(make_bundle(Task("multilabel", ("crack", "dark")))).manifest)
    assert sum(line.startswith("Decision: ") for line in label) == 2


def test_describe_masks(make_mask_bundle: Make) -> None:
    path = make_mask_bundle(gate=True)
    assert [check.ok for check in verify(path)] == [True, True, True]
    text = "\n".join(describe(read_bundle(path).manifest))
    for line in (
        "Marks where an image shows these flaws: bright, dark (a pixel may show several of them); one without any is "
        "sound.",
        "Steps: gate (gate) -> mask (mask).",
        "Input of the gate: a picture, resized (bilinear) to 8 x 8 pixels, 8-bit grey.",
        "Input of the masks: a picture as large as it is, 8-bit grey, in tiles of 16 x 16 pixels that overlap by 6 x 6 "
        "at least and are blended; smaller pictures repeat their border.",
        "Gate: Decision: flawed when its probability is at least 0.5.",
        "Gate: where the answer is sound nobody looks for flaws.",
        "Masks: a pixel is dark from probability 0.5000 on; flaws of fewer than 3 pixels are dropped.",
        "Thresholds and least areas: fitted on the calibration split.",
    ):
        assert line in text
    draft = describe(read_bundle(make_mask_bundle(draft=True)).manifest)
    assert "No rule of masks yet: this is a draft." in draft
    assert "Seal: none, this is a draft." in draft
    assert not any("Calibration" in line or "Gate" in line for line in draft)
    exclusive = Task("multilabel", ("bright", "dark"), "sound", pixels="multiclass")
    rule = MaskRule(levels=(9, 9), min_areas=(1, 400), mm_per_pixel=0.05, notes=("as it was.",))
    text = "\n".join(describe(read_bundle(make_mask_bundle(exclusive, rule=rule)).manifest))
    for line in ("no pixel shows two", "only the most probable", "(1.00 mm2)", "no flaw is too small", "as it was."):
        assert line in text
