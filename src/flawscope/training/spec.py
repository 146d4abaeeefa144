"""The `train` section of a recipe: what is learnt from, how, and how fast. Torch-free."""

from __future__ import annotations

from typing import Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from flawscope.metadata import composed

ImageWatch = Literal["auroc", "average_precision", "f1", "accuracy"]
MaskWatch = Literal["dice"]
Watch = Literal["loss", ImageWatch, MaskWatch]
IMAGE_WATCHES: tuple[ImageWatch, ...] = get_args(ImageWatch)
Sampling = Literal["all", "balanced", "classes", "groups"]


class Section(BaseModel):
    """A section of a recipe: unknown keys are refused, and numbers that are none (infinite, NaN)."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Augment(Section):
    """Random changes of the training images, drawn anew each epoch. What comes in at a border repeats it.

    In this order: policy, flips, quarter turns; then one turn, shear, zoom and shift together; then brightness.
    Sources: turns, shear, zoom and shift as one affine change, Simard et al. 2003; mirrored images and pieces of them,
    Krizhevsky et al. 2012; quarter turns, Dieleman et al. 2015; sizes, Simonyan & Zisserman 2015; brightness, Howard
    2013.
    """

    policy: Literal["none", "trivial", "rand"] = Field(
        default="none",
        description="many kinds of changes, one or two of them an image: TrivialAugment (Müller & Hutter 2021) or "
        "RandAugment (Cubuk et al. 2020); 8 bits only",
    )
    flip_horizontal: bool = Field(default=True, description="left and right change places, one time in two")
    flip_vertical: bool = Field(default=True, description="top and bottom change places, one time in two")
    quarter_turns: bool = Field(default=False, description="by 90, 180 or 270 degrees (180 where not square)")
    rotate: float = Field(default=0.0, ge=0, le=180, description="by up to this many degrees either way")
    shear: float = Field(default=0.0, ge=0, lt=90, description="by up to this many degrees either way, to the side")
    zoom: tuple[float, float] = Field(
        default=(1.0, 1.0), description="height and width, each by its own factor from the first number to the second"
    )
    shift: float = Field(default=0.0, ge=0, lt=1, description="by up to this share of height and width either way")
    crop: float = Field(
        default=1.0, gt=0, le=1, description="a piece of at least this share of height and width, brought to size again"
    )
    brightness: float = Field(default=0.2, ge=0, lt=1, description="factor 1 - b to 1 + b")

    @property
    def nothing(self) -> bool:
        """Whether no image is changed.

        >>> Augment(flip_horizontal=False, flip_vertical=False, brightness=0).nothing
        True
        """
        return self == Augment(flip_horizontal=False, flip_vertical=False, brightness=0.0)

    @field_validator("zoom")
    @classmethod
    def _positive(cls, value: tuple[float, float]) -> tuple[float, float]:
        if not 0 < value[0] <= value[1]:
            raise ValueError(f"expected two positive factors, the smaller first, got {list(value)}")
        return value


class Unfreeze(Section):
    """From when on a frozen backbone learns too, and from where on (Yosinski et al. 2014, Howard & Ruder 2018)."""

    after: int = Field(default=0, ge=0, description="so many epochs train the head alone")
    layer: str | int = Field(
        default=0,
        description="from here to the output everything learns: a stage or layer (`blocks.4`, `layer3`) or the number "
        "of a layer that has weights, counting from 0 at the input or from -1 at the output",
    )

    @field_validator("layer", mode="before")
    @classmethod
    def _name_or_number(cls, value: Any) -> Any:
        if isinstance(value, bool) or value == "":
            raise ValueError(f"expected the name or the number of a layer, got {value!r}")
        return value


class Schedule(Section):
    """How the learning rate goes on. A word alone names the kind: `schedule: cosine`."""

    kind: Literal["one_cycle", "constant", "cosine", "step", "multi_step", "divide_by_3"] = Field(
        default="one_cycle",
        description="one_cycle: up for 30 % of the steps, then down to nearly 0 (Smith & Topin 2019); cosine: down to "
        "0 along half a cosine (Loshchilov & Hutter 2017); step: times `factor` after every so many epochs (Goyal et "
        "al. 2017 have 0.1 and 30); multi_step: times `factor` after the epochs named (He et al. 2016); divide_by_3: "
        "as multi_step, with a third (reference system A)",
    )
    warm_up: float = Field(
        default=0.0,
        ge=0,
        description="so many epochs rise evenly from 0 to the rate (Goyal et al. 2017)",
    )
    every: int = Field(default=10, ge=1, description="step: epochs between two changes")
    factor: float = Field(default=0.1, gt=0, description="step, multi_step: what the rate is multiplied by")
    after: dict[int, float] | list[int] = Field(
        default_factory=list,
        description="multi_step, divide_by_3: after which epochs, counting from 1; or each with its own factor "
        "(`{10: 0.1, 60: 0.5}`)",
    )

    @model_validator(mode="before")
    @classmethod
    def _kind_alone(cls, value: Any) -> Any:
        return {"kind": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _told_when(self) -> Schedule:
        wanted = self.kind in ("multi_step", "divide_by_3")
        if wanted != bool(self.after):
            raise ValueError(f"{self.kind} {'needs `after`: the epochs' if wanted else 'takes no `after`'}")
        if self.kind == "one_cycle" and self.warm_up:
            raise ValueError("one_cycle has its own warm-up")
        if any(epoch < 1 for epoch in self.after):
            raise ValueError("epochs count from 1")
        if isinstance(self.after, dict) and (self.kind == "divide_by_3" or not all(f > 0 for f in self.after.values())):
            raise ValueError("factors are positive, and only multi_step takes them")
        return self


class TrainSpec(Section):
    """How the network is trained."""

    epochs: int = Field(default=12, ge=1, description="passes over the training images")
    batch_size: int = Field(default=32, ge=2, description="images that the network sees at once, in all processes")
    accumulate: int = Field(
        default=1, ge=1, description="batches whose gradients make one step of the optimiser (Ott et al. 2018)"
    )
    optimiser: Literal["adamw", "adam", "nadam", "sgd"] = Field(
        default="adamw",
        description="AdamW (Loshchilov & Hutter 2019), Adam (Kingma & Ba 2015), NAdam (Dozat 2016), or stochastic "
        "gradient descent with momentum (Sutskever et al. 2013)",
    )
    momentum: float = Field(
        default=0.9,
        ge=0,
        lt=1,
        description="of sgd; one_cycle lowers it by 0.1 and brings it back (of Adam and its like the first beta)",
    )
    rate: float = Field(default=1e-3, gt=0, description="learning rate; the peak of the one-cycle schedule")
    backbone_rate: float = Field(
        default=1.0,
        gt=0,
        description="learning rate of all but the head, as a multiple of `rate` (Howard & Ruder 2018)",
    )
    unfreeze: Unfreeze | None = Field(default=None, description="only with `model.freeze: true`; null: never")
    weight_decay: float = Field(
        default=0.01,
        ge=0,
        description="pull of the weights towards 0 (Krogh & Hertz 1992; of adamw apart from the gradient, Loshchilov & "
        "Hutter 2019)",
    )
    clip: float = Field(
        default=0.0,
        ge=0,
        description="gradients longer than this are shortened to it (Pascanu et al. 2013); 0: never",
    )
    ema: float = Field(
        default=0.0,
        ge=0,
        lt=1,
        description="decay of the running mean of the weights (Polyak & Juditsky 1992), which is validated and kept in "
        "their place; 0: none. It remembers about 1 / (1 - ema) steps: choose so that this is about an epoch",
    )
    schedule: Schedule = Field(default=Schedule(), description="how the learning rate goes on")
    loss: Literal["auto", "cross_entropy", "bce", "focal"] = Field(
        default="auto",
        description="auto: cross-entropy where classes exclude each other, else binary cross-entropy; focal: the same, "
        "less of what is easy (Lin et al. 2017)",
    )
    focal_gamma: float = Field(default=2.0, ge=0, description="of focal: 0 takes nothing away")
    label_smoothing: float = Field(
        default=0.0,
        ge=0,
        lt=1,
        description="share of a label that is spread evenly over all answers (Szegedy et al. 2016)",
    )
    soft_labels: str | None = Field(
        default=None,
        description="binary: metadata column with numbers from 0 to 1 to learn in place of the label (Peterson et al. "
        "2019)",
    )
    class_weights: Literal["none", "balanced"] | list[float] = Field(
        default="balanced",
        description="weight in the loss; balanced: each class counts alike (King & Zeng 2001); or one number a class",
    )
    sampling: Sampling = Field(
        default="all",
        description="all: each image once an epoch; balanced: as many draws, each combination of labels as likely "
        "(reference system E); classes: each class, and what shows none, as likely, which differs where an image may "
        "show several (Shen et al. 2016; reference system C); groups: as many draws, each group of images of the same "
        "thing as likely within its combination of labels",
    )
    watch: Watch = Field(
        default="loss", description="measure on the validation split that chooses the best epoch; dice: of masks"
    )
    keep: Literal["best", "last"] = Field(
        default="best",
        description="the epoch that is exported; last: where validation shows too few of a class to choose, and the "
        "schedule ends at a low rate",
    )
    every_epoch: bool = Field(
        default=False,
        description="leave the checkpoint of every epoch in training/epochs, beside the kept and the last one",
    )
    patience: int = Field(
        default=0, ge=0, description="stop after so many epochs without a better one (Prechelt 1998); 0: never"
    )
    augment: Augment = Field(default=Augment(), description="random changes of the training images")
    seed: int = Field(
        default=0, ge=0, lt=2**63, description="fixes first weights, order of the images and random changes"
    )
    device: Literal["auto", "cpu", "cuda"] = Field(default="auto", description="auto: a GPU if there is one")
    precision: Literal["auto", "float32", "bfloat16", "float16"] = Field(
        default="auto",
        description="of most computations while training (Micikevicius et al. 2018; bfloat16: Kalamkar et al. 2019); "
        "auto: bfloat16 on a GPU that has it",
    )
    workers: int = Field(default=0, ge=0, description="processes that prepare batches; 0: none beside the main one")

    @field_validator("soft_labels")
    @classmethod
    def _composed(cls, value: str | None) -> str | None:
        return value if value is None else composed(value)

    def thawed(self, epoch: int) -> bool:
        """Whether a frozen backbone learns in this epoch, counting from 1.

        >>> spec = TrainSpec(unfreeze=Unfreeze(after=2))
        >>> spec.thawed(2), spec.thawed(3), TrainSpec().thawed(3)
        (False, True, False)
        """
        return self.unfreeze is not None and epoch > self.unfreeze.after


def never_comes(spec: TrainSpec) -> list[str]:
    """What is plainly a mistake: what is to happen only after the last epoch, one line each.

    >>> never_comes(TrainSpec(epochs=3, unfreeze=Unfreeze(after=3)))
    ['train.unfreeze.after: the backbone would never learn: 3 epochs of 3 train the head alone']
    """
    found = []
    if spec.unfreeze is not None and (after := spec.unfreeze.after) >= spec.epochs:
        words = f"the backbone would never learn: {after} epochs of {spec.epochs} train the head alone"
        found.append(f"train.unfreeze.after: {words}")
    if (rising := spec.schedule.warm_up) >= spec.epochs:
        words = f"the rate would never be reached: {rising:g} epochs of {spec.epochs} warm up"
        found.append(f"train.schedule.warm_up: {words}")
    return found


def without_effect(spec: TrainSpec) -> list[str]:
    """Keys with another value than their default that change nothing beside the others, one line each.

    They are no mistake: where a recipe is tried for an epoch, or a key is searched beside another, they come about.

    >>> without_effect(TrainSpec(optimiser="adam", momentum=0.8))
    ['train.momentum: only sgd has it, not adam']
    """
    default, plan, optimiser = TrainSpec(), spec.schedule, spec.optimiser
    factors = "`after` with factors of its own" if isinstance(plan.after, dict) else plan.kind
    ends = f"training ends after epoch {spec.epochs}"
    told = (
        (spec.momentum != default.momentum and optimiser != "sgd", f"momentum: only sgd has it, not {optimiser}"),
        (spec.patience > 0 and spec.keep == "last", "patience: keep: last waits for no better epoch"),
        (spec.focal_gamma != default.focal_gamma and spec.loss != "focal", f"focal_gamma: loss {spec.loss} has none"),
        (plan.every != default.schedule.every and plan.kind != "step", f"schedule.every: {plan.kind} has none"),
        (plan.factor != default.schedule.factor and factors not in ("step", "multi_step"),
         f"schedule.factor: {factors} does not use it"),
        (bool(plan.after) and min(plan.after) >= spec.epochs, f"schedule.after: {ends}"),
        (plan.kind == "step" and plan.every >= spec.epochs, f"schedule.every: {ends}"),
    )  # fmt: skip
    return [f"train.{words}" for true, words in told if true]


class CalibrateSpec(Section):
    """How scores become probabilities, on the validation split. What the methods are, and when which:
    [what 0.8 means](calibration.md).
    """

    method: Literal["standard", "auto", "temperature", "platt", "isotonic", "venn_abers", "none"] = Field(
        default="standard",
        description="standard: Platt scaling for each class, multi-class one temperature | auto: cross-validation over "
        "the groups of the validation split chooses among the next four | temperature (Guo et al. 2017) | platt (Platt "
        "1999) | isotonic (Zadrozny & Elkan 2002; makes ties) | venn_abers (Vovk et al. 2015) | none: scores stay as "
        "they are",
    )
