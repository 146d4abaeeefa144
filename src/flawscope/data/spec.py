"""What the `data:` part of a recipe may say: one model for each kind of data set.

Paths that are not absolute count from the folder that is given to `flawscope.data.read.read`: the recipe's own.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from flawscope.metadata import composed

OnBad = Literal["error", "skip"]
GOOD = "ok"
"""What the good answer of masks is called, if nothing else is said."""


def _names(value: str | list[str] | None) -> str | list[str] | None:
    """Names as tables are read: each letter and its marks as one character."""
    if isinstance(value, list):
        return [composed(each) for each in value]
    return value if value is None else composed(value)


class GroupSpec(BaseModel):
    """Which images must stay together. Where several keys are given, images that share any of them do.

    >>> GroupSpec(pattern=r"(part\\d+)_").pattern
    '(part\\\\d+)_'
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    column: str | None = Field(default=None, description="csv: rows of equal value; the same as group_column")
    pattern: str | None = Field(
        default=None,
        description="regular expression searched in the image's name with its folders; what its parentheses hold names "
        "the group",
    )
    block: int | None = Field(default=None, ge=1, description="so many images in order are kept together")
    block_by: Literal["order", "number"] = Field(
        default="order",
        description="order of the table or of the files; or the last number in the file name, counted from 1",
    )

    _composed = field_validator("column")(_names)

    @field_validator("pattern")
    @classmethod
    def _usable(cls, value: str | None) -> str | None:
        if value is None:
            return None
        try:
            parentheses = re.compile(value).groups
        except re.error as error:
            raise ValueError(f"{value!r} is no regular expression: {error}") from None
        if not parentheses:
            raise ValueError(
                f"{value!r} has no parentheses: put them around what names the part, such as (part[0-9]+)_"
            )
        return value

    @model_validator(mode="after")
    def _block_for_block_by(self) -> GroupSpec:
        if self.block is None and self.block_by != "order":
            raise ValueError(f"block_by: {self.block_by} needs block, the number of images that are kept together")
        return self


class _Spec(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    on_bad: OnBad = Field(default="error", description="unreadable images and bad rows: stop and list them, or skip")
    groups: GroupSpec = Field(default=GroupSpec(), description="which images must stay together")


class ElpvSpec(_Spec):
    """ELPV: 2,624 solar cells with a defect probability of 0, 1/3, 2/3 or 1 (Deitsch et al. 2019).

    >>> ElpvSpec().block
    60
    """

    kind: Literal["elpv"] = "elpv"
    threshold: float = Field(default=0.5, gt=0, le=1, description="a cell of at least this probability is defective")
    block: int = Field(default=60, ge=1, description="cells in file order that are kept together: about one module")
    root: Path | None = Field(default=None, description="folder with labels.csv; by default the installed package's")
    limit: int | None = Field(default=None, ge=2, description="use only so many cells, spread evenly over the file")

    @model_validator(mode="after")
    def _one_way_to_say_it(self) -> ElpvSpec:
        if self.groups.block is not None:
            raise ValueError("ELPV is kept together in blocks as it is: set data.block instead of data.groups.block")
        if self.groups.column is not None:
            raise ValueError("ELPV has no columns to group by: data.groups.column is for tables")
        return self


class CsvSpec(_Spec):
    """A table that names one image a row, with one or several label columns.

    One label column of two values (or of 0/1, yes/no, or numbers between 0 and 1) is a binary task, of more values a
    multi-class one; several label columns of 0/1 are a multi-label task.

    >>> CsvSpec(table="labels.csv", label_columns=["crack", "inactive"]).task
    'auto'
    """

    kind: Literal["csv"] = "csv"
    table: Path = Field(description="the file: one row an image; encoding and delimiter are found")
    images: Path | None = Field(default=None, description="folder that the names count from; by default the table's")
    image_column: str | None = Field(default=None, description="found by itself where it is not given")
    label_columns: list[str] = Field(min_length=1, description="one column, or several of 0/1 (multi-label)")
    group_column: str | None = Field(default=None, description="rows of equal value stay on one side of every split")
    part_column: str | None = Field(
        default=None, description="names train, validation, calibration or test: the split that the data came with"
    )
    meta_columns: list[str] = Field(
        default_factory=list,
        description="columns that are kept: shown beside a mistake, and what `model.metadata` can name",
    )
    delimiter: str = Field(default="auto", description='"auto", "whitespace", or the character itself')
    task: Literal["auto", "binary", "multiclass", "multilabel"] = Field(
        default="auto", description="what is decided; auto: told from the labels"
    )
    positive: str | None = Field(default=None, description="binary: the value that is to be found")
    negative: str = Field(default="ok", min_length=1, description="the name of the good answer where no value names it")
    classes: list[str] | None = Field(default=None, description="the values that are allowed, in this order")

    _composed = field_validator(
        "image_column", "label_columns", "group_column", "part_column", "meta_columns", "positive", "classes"
    )(_names)

    @model_validator(mode="after")
    def _consistent(self) -> CsvSpec:
        columns = [*self.label_columns, *self.meta_columns]
        if len(set(columns)) != len(columns):
            raise ValueError(f"label_columns and meta_columns name a column twice: {columns}")
        if len(self.label_columns) > 1 and self.task in ("binary", "multiclass"):
            raise ValueError(f"a {self.task} task has one label column, got {self.label_columns}")
        if None not in (self.group_column, self.groups.column) and self.group_column != self.groups.column:
            raise ValueError(
                f"group_column is {self.group_column!r} and groups.column is {self.groups.column!r}: give one of them"
            )
        return self

    @property
    def grouped_by(self) -> str | None:
        """The column that names the group, whichever of its two keys names it."""
        return self.group_column or self.groups.column


class FoldersSpec(_Spec):
    """Folders named like the classes, with the images in them or below them.

    >>> FoldersSpec(root="castings", positive="def_front").level
    0
    """

    kind: Literal["folders"] = "folders"
    root: Path = Field(description="the folder that holds the class folders")
    level: int = Field(default=0, ge=0, description="which folder below root names the class: 0 is root/CLASS/x.png")
    part_level: int | None = Field(
        default=None, ge=0, description="which folder below root names train or test: the split that the data came with"
    )
    pattern: str = Field(default="", description='use only files of this name, such as "*.jpg"')
    positive: str | None = Field(default=None, description="two classes: the one that is to be found")
    classes: list[str] | None = Field(default=None, description="the folders that are used, in this order")
    ignore: list[str] = Field(default_factory=list, description="names of folders that are passed over")

    @model_validator(mode="after")
    def _consistent(self) -> FoldersSpec:
        if self.part_level == self.level:
            raise ValueError(f"level and part_level are both {self.level}: a folder names the class or the part")
        if self.groups.column is not None:
            raise ValueError("folders have no columns to group by: use data.groups.pattern, or write a table")
        return self


class MasksSpec(_Spec):
    """Images, and where their flaws are: a table of run-length codes, pictures of masks, or a COCO file.

    What no mask marks is good. An image is what its masks show: none of the classes, one, or several.

    >>> MasksSpec(images="strips/images", table="strips/train.csv").negative is None
    True
    """

    kind: Literal["masks"] = "masks"
    images: Path = Field(description="the folder of the images, which may lie in folders below it")
    table: Path | None = Field(
        default=None,
        description="run-length codes as Severstal has them: a CSV with the columns ImageId, ClassId, EncodedPixels, "
        "or ImageId_ClassId and EncodedPixels; an image that it does not list has no flaw",
    )
    masks: Path | None = Field(
        default=None,
        description="folder of mask pictures, at the same places below it and under the same names as the images; "
        "null, without table and coco: masks lie beside their images, as PNG",
    )
    coco: Path | None = Field(default=None, description="COCO file (JSON) with outlines or counts")
    suffix: str = Field(
        default="", description='mask pictures: what their names have after the name of the image, such as "_mask"'
    )
    values: Literal["auto", "binary", "index"] = Field(
        default="auto",
        description="mask pictures: binary, flawed from half of white on; index, each value stands for a class, 0 for "
        "none; auto: told from the values of all masks",
    )
    classes: list[str] | None = Field(
        default=None,
        description="names of the flaws: of the values 1, 2, ... of index masks, in this order; or those that a table, "
        "a COCO file or folders may name; null: those that are there",
    )
    colours: dict[str, tuple[int, int, int]] | None = Field(
        default=None,
        description="mask pictures in which colours stand for classes: red, green and blue of each, such as "
        "{crack: [255, 0, 0], dent: [0, 0, 255]}; black is none, and the good answer may have a colour, too",
    )
    flaw: str | None = Field(default=None, description="binary masks: what all flaws are called; null: flaw")
    level: int | None = Field(
        default=None,
        ge=0,
        description="binary masks: which folder below images names the class, 0 is images/CLASS/x.jpg; with flaw the "
        "folders only tell which images must have a mask",
    )
    negative: str | None = Field(
        default=None,
        min_length=1,
        description="name of the good answer, and with level of the folder of good images; null: ok, or the folder "
        "whose name speaks of good parts",
    )
    pixels: Literal["auto", "multilabel", "multiclass"] = Field(
        default="auto",
        description="multilabel: classes may overlap; multiclass: no pixel shows two; auto: multiclass for index masks "
        "and for classes that folders name, multilabel for tables, COCO files and a single class",
    )
    without: Literal["error", "good"] | None = Field(
        default=None,
        description="images without a mask, or that the file does not name; good: they have no flaw; null: good for a "
        "table of codes, error for mask pictures and COCO files",
    )
    pattern: str = Field(default="", description='use only images of this name, such as "*.jpg"')
    ignore: list[str] = Field(default_factory=list, description="names of folders that are passed over")
    part_level: int | None = Field(
        default=None,
        ge=0,
        description="which folder below images names train or test: the split that the data came with",
    )
    facts: Path | None = Field(
        default=None, description="a table (CSV) with one row an image: its group, its part, what else is known of it"
    )
    image_column: str | None = Field(default=None, description="of facts: found by itself where it is not given")
    group_column: str | None = Field(default=None, description="of facts: rows of equal value stay on one side")
    part_column: str | None = Field(
        default=None, description="of facts: names train, validation, calibration or test, as the data came"
    )
    meta_columns: list[str] = Field(
        default_factory=list, description="of facts: columns that are kept and shown beside a mistake"
    )

    _composed = field_validator(
        "image_column", "group_column", "part_column", "meta_columns", "classes", "flaw", "negative"
    )(_names)

    @model_validator(mode="after")
    def _one_form(self) -> MasksSpec:
        forms = [key for key in ("table", "masks", "coco") if getattr(self, key) is not None]
        if len(forms) > 1:
            raise ValueError(f"{' and '.join(forms)} are given: masks come in one form")
        for_pictures = {"suffix": self.suffix, "flaw": self.flaw, "level": self.level, "colours": self.colours}
        wrong = [key for key, value in for_pictures.items() if value not in (None, "")]
        if self.values != "auto":
            wrong.append("values")
        if wrong and forms in (["table"], ["coco"]):
            raise ValueError(f"{', '.join(wrong)}: for mask pictures only, the masks come from {forms[0]}")
        if self.values == "index" and (self.flaw is not None or self.level is not None):
            raise ValueError("flaw and level are for binary masks, values is index")
        if self.flaw is not None and self.classes is not None:
            raise ValueError("flaw is the one class of binary masks: leave out flaw or classes")
        return self

    @model_validator(mode="after")
    def _of_colours(self) -> MasksSpec:
        if self.colours is None:
            return self
        given = [key for key in ("classes", "flaw", "level") if getattr(self, key) is not None]
        given += ["values"] if self.values != "auto" else []
        if given:
            raise ValueError(f"colours say which classes there are: leave out {', '.join(given)}")
        for name, colour in self.colours.items():
            if not name or not all(0 <= value <= 255 for value in colour):
                raise ValueError(f"colours: expected a name, and three numbers from 0 to 255, got {name}: {colour}")
        if len(set(self.colours.values())) < len(self.colours):
            raise ValueError("colours: two classes have the same colour")
        if not self.of_colours:
            raise ValueError("colours: no class has a colour")
        if (0, 0, 0) in self.of_colours.values():
            raise ValueError("colours: black means that there is no flaw")
        return self

    @property
    def of_colours(self) -> dict[str, tuple[int, int, int]]:
        """The colour of each flaw, without that of the good answer."""
        return {name: colour for name, colour in (self.colours or {}).items() if name != (self.negative or GOOD)}

    @model_validator(mode="after")
    def _names(self) -> MasksSpec:
        if self.classes is not None:
            names = [*self.classes, self.negative or "ok"]
            if not self.classes or len(set(names)) != len(names) or not all(names):
                raise ValueError(f"classes and negative: expected names that differ, got {', '.join(names)}")
        return self

    @model_validator(mode="after")
    def _columns_of_facts(self) -> MasksSpec:
        if None not in (self.group_column, self.groups.column) and self.group_column != self.groups.column:
            raise ValueError(
                f"group_column is {self.group_column!r} and groups.column is {self.groups.column!r}: give one of them"
            )
        if self.facts is None:
            asked = {**{key: getattr(self, key) for key in _OF_FACTS}, "groups.column": self.groups.column}
            given = [key for key, value in asked.items() if value]
            if given:
                raise ValueError(f"{', '.join(given)}: of which table? Name it in facts")
        if self.part_level is not None and (self.part_column is not None or self.part_level == self.level):
            raise ValueError(
                "part_level: a folder names the part, or the class (level), or a column does (part_column)"
            )
        return self

    @property
    def grouped_by(self) -> str | None:
        """The column of `facts` that names the group, whichever of its two keys names it."""
        return self.group_column or self.groups.column


_OF_FACTS = ("image_column", "group_column", "part_column", "meta_columns")

DataSpec = Annotated[ElpvSpec | CsvSpec | FoldersSpec | MasksSpec, Field(discriminator="kind")]
