"""Losses of masks, worked out by hand and against segmentation_models_pytorch.

Shapes: b images, k classes, h x w pixels; masks of classes that exclude each other are b x h x w, 0 the background.
"""

from __future__ import annotations

import math
from typing import Any, get_args

import pytest
import segmentation_models_pytorch as smp
import torch
from pydantic import ValidationError
from segmentation_models_pytorch.losses._functional import softmax_focal_loss_with_logits
from torch import Tensor

from flawscope.errors import RecipeError
from flawscope.training.mask_losses import MaskLoss
from flawscope.training.mask_spec import OVERLAP, MaskLossKind, MaskLossSpec, mask_loss_without_effect

KINDS = get_args(MaskLossKind)


def logit(*p: float) -> list[float]:
    """Logits of probabilities."""
    return [math.log(each / (1 - each)) for each in p]


def several(spec: dict[str, Any], logits_k: list[list[float]], masks_k: list[list[int]]) -> float:
    """The loss of one image of one row of pixels, a row of logits and of mask values a class."""
    loss = MaskLoss(MaskLossSpec(**spec), len(logits_k), exclusive=False)
    return float(loss(torch.tensor(logits_k)[None, :, None], torch.tensor(masks_k)[None, :, None]))


def exclusive(spec: dict[str, Any], p_pk: list[list[float]], mask_p: list[int]) -> float:
    """The loss of one image of one row of pixels, of which the probabilities of background and classes are given."""
    loss = MaskLoss(MaskLossSpec(**spec), len(p_pk[0]) - 1, exclusive=True)
    return float(loss(torch.tensor(p_pk).log().T[None, :, None], torch.tensor(mask_p)[None, None]))


# --- by hand ----------------------------------------------------------------------------------------------------

ROW, MASK = logit(0.8, 0.4, 0.1, 0.7), [1, 1, 0, 0]
# hits 0.8 + 0.4 = 1.2; missed 0.2 + 0.6 = 0.8; false 0.1 + 0.7 = 0.8
INDEX = (1.2 + 1) / (1.2 + 0.7 * 0.8 + 0.3 * 0.8 + 1)


def test_dice_and_tversky_by_hand() -> None:
    assert several({"kind": "dice"}, [ROW], [MASK]) == pytest.approx(1 - (1.2 + 1) / (1.2 + 0.8 + 1))
    assert several({"kind": "dice", "smooth": 1e-9}, [ROW], [MASK]) == pytest.approx(1 - 2 * 1.2 / (2 + 2))
    assert several({"kind": "tversky"}, [ROW], [MASK]) == pytest.approx(1 - INDEX)
    assert several({"kind": "focal_tversky"}, [ROW], [MASK]) == pytest.approx((1 - INDEX) ** 0.75)


def test_a_missed_pixel_costs_more_than_a_false_one_as_in_reference_system_d() -> None:
    missed = several({"kind": "focal_tversky"}, [[-30.0, -30, -30, -30]], [[1, 0, 0, 0]])
    false = several({"kind": "focal_tversky"}, [[30.0, -30, -30, -30]], [[0, 0, 0, 0]])
    assert missed == pytest.approx((0.7 / 1.7) ** 0.75)
    assert false == pytest.approx((0.3 / 1.3) ** 0.75)


def test_the_power_is_taken_of_each_class_before_the_mean() -> None:
    right = ([20.0, 20, -20, -20], MASK)
    found = several({"kind": "focal_tversky"}, [ROW, right[0]], [MASK, right[1]])
    assert found == pytest.approx((1 - INDEX) ** 0.75 / 2, abs=1e-4)
    assert found != pytest.approx(((1 - INDEX) / 2) ** 0.75, abs=0.02), "as segmentation_models_pytorch has it"
    heavy = several({"kind": "focal_tversky", "class_weights": [3, 1]}, [ROW, right[0]], [MASK, right[1]])
    assert heavy == pytest.approx(3 / 4 * (1 - INDEX) ** 0.75, abs=1e-4)


def test_cross_entropy_and_its_sum_with_dice_by_hand() -> None:
    bce = -(math.log(0.8) + math.log(0.4) + math.log(0.9) + math.log(0.3)) / 4
    assert several({"kind": "bce"}, [ROW], [MASK]) == pytest.approx(bce)
    both = several({"kind": "bce_dice", "dice_weight": 2}, [ROW], [MASK])
    assert both == pytest.approx(bce + 2 * several({"kind": "dice"}, [ROW], [MASK]))
    weighted = several({"kind": "bce", "class_weights": [3, 1]}, [ROW, logit(0.5)[:1] * 4], [MASK, MASK])
    assert weighted == pytest.approx((3 * bce + math.log(2)) / 4)


def test_focal_by_hand() -> None:
    expected = sum((1 - p) ** 2 * -math.log(p) for p in (0.8, 0.4, 0.9, 0.3)) / 4
    assert several({"kind": "focal"}, [ROW], [MASK]) == pytest.approx(expected)
    assert several({"kind": "focal", "gamma": 0}, [ROW], [MASK]) == several({"kind": "bce"}, [ROW], [MASK])


THREE = [[0.7, 0.2, 0.1], [0.1, 0.6, 0.3], [0.25, 0.25, 0.5]]
"""Probabilities of background and two classes, of three pixels."""


def test_classes_that_exclude_each_other_by_hand() -> None:
    mask = [0, 1, 2]
    cross = [-math.log(0.7), -math.log(0.6), -math.log(0.5)]
    assert exclusive({"kind": "bce"}, THREE, mask) == pytest.approx(sum(cross) / 3)
    weighted = exclusive({"kind": "bce", "class_weights": [2, 5]}, THREE, mask)
    assert weighted == pytest.approx((cross[0] + 2 * cross[1] + 5 * cross[2]) / 3)
    focal = (0.3**2 * cross[0] + 0.4**2 * cross[1] + 0.5**2 * cross[2]) / 3
    assert exclusive({"kind": "focal"}, THREE, mask) == pytest.approx(focal)
    # class 1: hits 0.6, missed 0.4, false 0.2 + 0.25; class 2: hits 0.5, missed 0.5, false 0.1 + 0.3
    one, two = (0.4 + 0.45) / 2 / (0.6 + (0.4 + 0.45) / 2 + 1), (0.5 + 0.4) / 2 / (0.5 + (0.5 + 0.4) / 2 + 1)
    assert exclusive({"kind": "dice"}, THREE, mask) == pytest.approx((one + two) / 2)
    # the background: hits 0.7, missed 0.3, false 0.1 + 0.25
    ground = (0.3 + 0.35) / 2 / (0.7 + (0.3 + 0.35) / 2 + 1)
    assert exclusive({"kind": "dice", "background": True}, THREE, mask) == pytest.approx((ground + one + two) / 3)
    heavy = exclusive({"kind": "dice", "background": True, "class_weights": [2, 3]}, THREE, mask)
    assert heavy == pytest.approx((ground + 2 * one + 3 * two) / 6)


def test_lovasz_by_hand() -> None:
    # Hinge: errors 1 - signed logit are 1.5 (false), 0.5 (a hit), sorted; of one flaw pixel the jaccard loss is 1/2
    # after the false pixel and 1 after both: 1.5 / 2 + 0.5 / 2
    assert several({"kind": "lovasz"}, [[0.5, 0.5]], [[1, 0]]) == pytest.approx(1.5 / 2 + 0.5 / 2)
    # Softmax: class 1 has errors 0.4, 0.25, 0.2, of which the first is its one pixel, so the loss is 1 from there on;
    # class 2: 0.5 (its pixel), 0.3, 0.1; background: 0.3 (its pixel), 0.25, 0.1
    assert exclusive({"kind": "lovasz"}, THREE, [0, 1, 2]) == pytest.approx((0.4 + 0.5 + 0.3) / 3)


def test_lovasz_of_several_labels_is_the_mean_over_the_classes() -> None:
    torch.manual_seed(0)
    logits, masks = torch.randn(2, 3, 5, 6), torch.rand(2, 3, 5, 6) > 0.6
    library = smp.losses.LovaszLoss("binary", per_image=True)
    each = [library(logits[:, k], masks[:, k].float()) for k in range(3)]
    found = MaskLoss(MaskLossSpec(kind="lovasz", over="image"), 3, exclusive=False)(logits, masks)
    torch.testing.assert_close(found, torch.stack(each).mean())


# --- against the library ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("is_exclusive", [True, False])
def test_where_all_classes_are_present_the_library_says_the_same(is_exclusive: bool) -> None:
    torch.manual_seed(0)
    mode, k = ("multiclass", 4) if is_exclusive else ("multilabel", 3)
    logits = torch.randn(2, k, 6, 7)
    masks = torch.randint(0, 4, (2, 6, 7)) if is_exclusive else torch.randint(0, 2, (2, 3, 6, 7))

    def ours(**asked: Any) -> Tensor:
        found: Tensor = MaskLoss(MaskLossSpec(**asked, background=is_exclusive), 3, exclusive=is_exclusive)(
            logits, masks
        )
        return found

    # there alpha is of false positives
    tversky = smp.losses.TverskyLoss(mode, smooth=1.0, alpha=0.3, beta=0.7)
    torch.testing.assert_close(ours(kind="tversky"), tversky(logits, masks))
    torch.testing.assert_close(ours(kind="dice", smooth=0.5), smp.losses.DiceLoss(mode, smooth=0.5)(logits, masks))
    focal = (
        softmax_focal_loss_with_logits(logits, masks, gamma=1.5)
        if is_exclusive
        else smp.losses.FocalLoss(mode, gamma=1.5)(logits, masks)
    )
    found = MaskLoss(MaskLossSpec(kind="focal", gamma=1.5), 3, exclusive=is_exclusive)(logits, masks)
    torch.testing.assert_close(found, focal)


# --- images without flaws, batches and images --------------------------------------------------------------------


@pytest.mark.parametrize("kind", OVERLAP)
def test_a_false_flaw_costs_where_the_class_is_nowhere(kind: str) -> None:
    nothing, clean = [0] * 6, [-30.0] * 6
    losses = [several({"kind": kind}, [[30.0] * n + clean[n:]], [nothing]) for n in range(6)]
    assert losses[0] == pytest.approx(0, abs=1e-4)
    assert losses == sorted(losses) and losses[1] > losses[0] + 0.2
    if kind == "dice":
        assert losses[2] == pytest.approx(0.5), "smooth 1, weight 1/2"


def test_over_a_batch_and_over_each_image() -> None:
    # One image with a flaw, found; one without, on which two pixels are drawn.
    logits = torch.tensor([[[[30.0, 30, 30, -30]]], [[[30.0, 30, -30, -30]]]])
    masks = torch.tensor([[[[1, 1, 1, 0]]], [[[0, 0, 0, 0]]]])
    batch, image = (
        MaskLoss(MaskLossSpec(kind="dice", over=over), 1, exclusive=False)(logits, masks) for over in ("batch", "image")
    )
    assert float(batch) == pytest.approx(1 - (3 + 1) / (3 + 1 + 1))
    assert float(image) == pytest.approx((0 + 1 / 2) / 2)
    for over in ("batch", "image"):
        lovasz = MaskLoss(MaskLossSpec(kind="lovasz", over=over), 1, exclusive=False)
        assert torch.isfinite(lovasz(logits, torch.zeros_like(masks)))


# --- what holds for all -----------------------------------------------------------------------------------------


def drawn(is_exclusive: bool, dtype: torch.dtype = torch.float32) -> tuple[Tensor, Tensor]:
    """Logits and masks of two classes, the second one on one image only."""
    torch.manual_seed(3)
    mask = torch.randint(0, 2, (2, 4, 5))
    mask[1, :2] = 2
    masks = mask if is_exclusive else torch.stack([mask == 1, mask == 2], dim=1)
    return torch.randn(2, 3 if is_exclusive else 2, 4, 5, dtype=dtype), masks


def right(masks: Tensor, is_exclusive: bool) -> Tensor:
    """-1 and 1 as the masks are."""
    if is_exclusive:
        return torch.nn.functional.one_hot(masks, 3).movedim(-1, 1).float() * 2 - 1
    return masks.float() * 2 - 1


@pytest.mark.parametrize("over", ["batch", "image"])
@pytest.mark.parametrize("is_exclusive", [True, False])
@pytest.mark.parametrize("kind", KINDS)
def test_perfect_is_nearly_0_and_worse_is_larger(kind: str, is_exclusive: bool, over: str) -> None:
    loss = MaskLoss(MaskLossSpec(kind=kind, over=over), 2, exclusive=is_exclusive)  # type: ignore[arg-type]
    _, masks = drawn(is_exclusive)
    sure = right(masks, is_exclusive)
    series = [float(loss(scale * sure, masks)) for scale in (20.0, 3, 1, 0, -1, -3)]
    assert series[0] == pytest.approx(0, abs=2e-4)
    assert series == sorted(series) and series[-1] > series[1] + 0.1
    one_wrong = 20 * sure
    one_wrong[0, :, 0, 0] *= -1
    assert float(loss(one_wrong, masks)) > series[0] + 1e-3


@pytest.mark.parametrize("is_exclusive", [True, False])
@pytest.mark.parametrize("kind", sorted(set(KINDS) - {"lovasz"}))
def test_gradients_are_those_of_finite_differences(kind: str, is_exclusive: bool) -> None:
    loss = MaskLoss(MaskLossSpec(kind=kind, class_weights=[2.0, 1.0]), 2, exclusive=is_exclusive)  # type: ignore[arg-type]
    logits, masks = drawn(is_exclusive, torch.float64)
    assert torch.autograd.gradcheck(lambda x: loss(x, masks), logits.requires_grad_())


@pytest.mark.filterwarnings("ignore:Input #0")
@pytest.mark.parametrize("is_exclusive", [True, False])
def test_gradients_of_lovasz_away_from_its_kinks(is_exclusive: bool) -> None:
    # float32, as the library's code has it, so steps are large: no two errors are near each other, and none near 0
    loss = MaskLoss(MaskLossSpec(kind="lovasz"), 2, exclusive=is_exclusive)
    logits = torch.tensor([[0.0, 0.5, -1.0], [2.0, -0.3, 0.7], [-1.5, 1.2, 0.2]])[: 3 if is_exclusive else 2]
    masks = torch.tensor([0, 1, 2]) if is_exclusive else torch.tensor([[1, 0, 0], [0, 1, 1]])
    given = logits[None, :, None].clone().requires_grad_()
    masks = masks[None, None] if is_exclusive else masks[None, :, None]
    assert torch.autograd.gradcheck(lambda x: loss(x, masks), given, eps=1e-2, atol=1e-3, rtol=1e-2)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("is_exclusive", [True, False])
@pytest.mark.parametrize("kind", KINDS)
def test_half_precision_is_computed_in_full(kind: str, is_exclusive: bool, dtype: torch.dtype) -> None:
    loss = MaskLoss(MaskLossSpec(kind=kind), 2, exclusive=is_exclusive)  # type: ignore[arg-type]
    _, masks = drawn(is_exclusive)
    masks = masks.repeat(1, *([1] * (masks.ndim - 3)), 75, 25)  # 75,000 pixels: beyond what float16 can count
    torch.manual_seed(0)
    for sure in (right(masks, is_exclusive), -right(masks, is_exclusive), torch.zeros_like(right(masks, is_exclusive))):
        half = (sure * 60_000 + torch.randn_like(sure)).to(dtype)  # as far as float16 reaches
        with torch.autocast("cpu", dtype=torch.bfloat16):
            found = loss(half.requires_grad_(), masks)
        assert found.dtype == torch.float32 and torch.isfinite(found)
        torch.testing.assert_close(found, loss(half.detach().float(), masks))
        found.backward()
        assert half.grad is not None and torch.isfinite(half.grad).all()


# --- what does not fit ------------------------------------------------------------------------------------------


def test_losses_that_do_not_fit() -> None:
    with pytest.raises(RecipeError, match=r"masks\.loss\.class_weights: expected 2 numbers, got 3"):
        MaskLoss(MaskLossSpec(class_weights=[1, 2, 3]), 2, exclusive=True)
    with pytest.raises(RecipeError, match="lovasz takes none where classes exclude each other"):
        MaskLoss(MaskLossSpec(kind="lovasz", class_weights=[1, 2]), 2, exclusive=True)
    with pytest.raises(RecipeError, match="there is none where classes may overlap"):
        MaskLoss(MaskLossSpec(background=True), 2, exclusive=False)
    with pytest.raises(ValueError, match=r"masks of shape \(1, 2, 4, 4\) expected, got \(1, 4, 4\)"):
        MaskLoss(MaskLossSpec(), 2, exclusive=False)(torch.zeros(1, 2, 4, 4), torch.zeros(1, 4, 4))
    with pytest.raises(ValueError, match=r"masks of shape \(1, 4, 4\) expected, got \(1, 3, 4, 4\)"):
        MaskLoss(MaskLossSpec(), 2, exclusive=True)(torch.zeros(1, 3, 4, 4), torch.zeros(1, 3, 4, 4))


@pytest.mark.parametrize(
    "asked",
    [{"kind": "dise"}, {"exponent": 0}, {"smooth": 0}, {"missed": 0, "false": 0}, {"class_weights": []},
     {"class_weights": [1, -1]}, {"gamma": math.inf}, {"alpha": 0.7}],
)  # fmt: skip
def test_values_that_are_refused(asked: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        MaskLossSpec(**asked)


def test_a_word_alone_names_the_kind_and_what_it_does_not_use_is_told() -> None:
    assert MaskLossSpec.model_validate("lovasz") == MaskLossSpec(kind="lovasz")
    told = mask_loss_without_effect(MaskLossSpec(kind="lovasz", gamma=1, smooth=2, over="image", background=True))
    assert [line.partition(":")[0] for line in told] == ["gamma", "smooth", "background"]
    for kind in KINDS:
        assert mask_loss_without_effect(MaskLossSpec(kind=kind)) == []
