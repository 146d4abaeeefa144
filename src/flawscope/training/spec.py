"""The `train` section of a recipe: what is learnt from, how, and how fast. Torch-free."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

Watch = Literal["loss", "auroc", "average_precision", "f1", "accuracy"]


class Section(BaseModel):
    """A section of a recipe: unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Augment(Section):
    """Random changes of the training images, drawn anew each epoch. What comes in at a border repeats it.

    In this order: policy, flips, quarter turns; then one turn, shear, zoom and shift together; then brightness.
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
        if not 0 < value[0] <= value[1] < float("inf"):
            raise ValueError(f"expected two positive factors, the smaller first, got {list(value)}")
        return value


class Unfreeze(Section):
    """From when on a frozen backbone learns too, and from where on."""

    after: int = Field(default=0, ge=0, description="so many epochs train the head alone")
    layer: str | int = Field(
        default=0,
        description="from here to the output everything learns: a stage or layer (`blocks.4`, `layer3`) or the number "
        "of a layer that has weights, counting from 0 at the input or from -1 at the output",
    )


class Schedule(Section):
    """How the learning rate goes on. A word alone names the kind: `schedule: cosine`."""

    kind: Literal["one_cycle", "constant", "cosine", "step", "multi_step", "divide_by_3"] = Field(
        default="one_cycle",
        description="one_cycle: up for 30 % of the steps, then down to nearly 0 (Smith & Topin 2019); cosine: down to "
        "0 along half a cosine (Loshchilov & Hutter 2017); step: times `factor` after every so many epochs; "
        "multi_step: times `factor` after the epochs named; divide_by_3: as multi_step, with a third",
    )
    warm_up: float = Field(
        default=0.0,
        ge=0,
        allow_inf_nan=False,
        description="so many epochs rise evenly from 0 to the rate (Goyal et al. 2017)",
    )
    every: int = Field(default=10, ge=1, description="step: epochs between two changes")
    factor: float = Field(
        default=0.1, gt=0, allow_inf_nan=False, description="step, multi_step: what the rate is multiplied by"
    )
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
    accumulate: int = Field(default=1, ge=1, description="batches that make one step of the optimiser")
    optimiser: Literal["adamw", "adam", "nadam", "sgd"] = Field(
        default="adamw",
        description="AdamW (Loshchilov & Hutter 2019), Adam (Kingma & Ba 2015), NAdam (Dozat 2016), or stochastic "
        "gradient descent with momentum (Sutskever et al. 2013)",
    )
    momentum: float = Field(default=0.9, ge=0, lt=1, description="of sgd")
    rate: float = Field(
        default=1e-3, gt=0, allow_inf_nan=False, description="learning rate; the peak of the one-cycle schedule"
    )
    backbone_rate: float = Field(
        default=1.0, gt=0, allow_inf_nan=False, description="learning rate of all but the head, as a multiple of `rate`"
    )
    unfreeze: Unfreeze | None = Field(default=None, description="only with `model.freeze: true`; none: never")
    weight_decay: float = Field(default=0.01, ge=0, description="pull of the weights towards 0")
    clip: float = Field(
        default=0.0,
        ge=0,
        allow_inf_nan=False,
        description="gradients longer than this are shortened to it (Pascanu et al. 2013); 0: never",
    )
    ema: float = Field(
        default=0.0,
        ge=0,
        lt=1,
        description="decay of the running mean of the weights (Polyak & Juditsky 1992), which is validated and kept in "
        "their place; 0: none",
    )
    schedule: Schedule = Field(default=Schedule(), description="how the learning rate goes on")
    loss: Literal["auto", "cross_entropy", "bce", "focal"] = Field(
        default="auto",
        description="auto: cross-entropy where classes exclude each other, else binary cross-entropy; focal: the same, "
        "less of what is easy (Lin et al. 2017)",
    )
    focal_gamma: float = Field(default=2.0, ge=0, allow_inf_nan=False, description="of focal: 0 takes nothing away")
    label_smoothing: float = Field(
        default=0.0,
        ge=0,
        lt=1,
        description="share of a label that is spread evenly over all answers (Szegedy et al. 2016)",
    )
    soft_labels: str | None = Field(
        default=None, description="binary: metadata column with numbers from 0 to 1 to learn in place of the label"
    )
    class_weights: Literal["none", "balanced"] | list[float] = Field(
        default="balanced", description="weight in the loss; balanced: each class counts alike; or one number a class"
    )
    sampling: Literal["all", "balanced"] = Field(
        default="all",
        description="all: each image once an epoch; balanced: as many draws, each combination of labels as likely",
    )
    watch: Watch = Field(default="loss", description="measure on the validation split that chooses the best epoch")
    patience: int = Field(default=0, ge=0, description="stop after so many epochs without a better one; 0: never")
    augment: Augment = Field(default=Augment(), description="random changes of the training images")
    seed: int = Field(
        default=0, ge=0, lt=2**63, description="fixes first weights, order of the images and random changes"
    )
    device: Literal["auto", "cpu", "cuda"] = Field(default="auto", description="auto: a GPU if there is one")
    precision: Literal["auto", "float32", "bfloat16", "float16"] = Field(
        default="auto", description="of most computations while training; auto: bfloat16 on a GPU that has it"
    )
    workers: int = Field(default=0, ge=0, description="processes that prepare batches; 0: none beside the main one")

    def thawed(self, epoch: int) -> bool:
        """Whether a frozen backbone learns in this epoch, counting from 1.

        >>> spec = TrainSpec(unfreeze=Unfreeze(after=2))
        >>> spec.thawed(2), spec.thawed(3), TrainSpec().thawed(3)
        (False, True, False)
        """
        return self.unfreeze is not None and epoch > self.unfreeze.after
