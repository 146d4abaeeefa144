"""Which of new images show one part: as the user says, the data, or the recipe of the bundle; or nobody does.

Ten pictures of one part that count as ten prove too much. The leak court finds pictures that look alike, and not every
two pictures of one part do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import ValidationError

from flawscope.data.beside import tables_beside
from flawscope.data.groups import by_pattern
from flawscope.data.spec import CsvSpec, DataSpec, ElpvSpec, GroupSpec, MasksSpec
from flawscope.data.table import ALONE
from flawscope.errors import DataError, UserError, choices
from flawscope.metadata import composed
from flawscope.records import Samples

BLOCK_BY = ("order", "number")
NOBODY = (
    "Nobody said which images show one part: each counts as independent, but for copies that were found. If several "
    "show one part, a promise on them is void, and intervals are too narrow (--group-pattern, --group-column, or a "
    "recipe as DATA say it)"
)


@dataclass(frozen=True)
class SaidGroups:
    """What the user says of the groups: a regular expression on the names, a column of the table, or blocks of images.

    >>> SaidGroups(pattern="(part[0-9]+)_").column is None
    True

    Raises:
        UserError: the pattern is no regular expression, or has no parentheses; blocks of no size or no known order.
    """

    pattern: str | None = None
    column: str | None = None
    block: int | None = None
    block_by: str = "order"

    def __post_init__(self) -> None:
        try:
            GroupSpec(pattern=self.pattern)
        except ValidationError as error:
            words = str(error.errors()[0]["msg"]).removeprefix("Value error, ")
            raise UserError(f"--group-pattern: {words}", "for example --group-pattern '(part[0-9]+)_'") from None
        if self.block_by not in BLOCK_BY:
            raise UserError(
                f"--group-block-by {self.block_by}: there is no such order", choices(self.block_by, BLOCK_BY)
            )
        if self.block is None and self.block_by != "order":
            raise UserError(f"--group-block-by {self.block_by} needs --group-block", "so many images: --group-block 60")
        if self.block is not None and self.block < 1:
            raise UserError(f"--group-block {self.block}: expected a number of images", "for example --group-block 60")

    def __bool__(self) -> bool:
        return self.pattern is not None or self.column is not None or self.block is not None

    def column_in(self, spec: DataSpec) -> DataSpec:
        """The data with the named column as that of their groups.

        Of images with masks the table may lie beside them, without being named.

        Raises:
            UserError: they come of no table, or no table beside them has the column; names those that there are.
        """
        if self.column is None:
            return spec
        if isinstance(spec, MasksSpec) and spec.facts is None:
            return self._beside(spec, composed(self.column))
        if not isinstance(spec, CsvSpec | MasksSpec):
            raise UserError("--group-column names a column of a table, and the data are none", "use --group-pattern")
        groups = spec.groups.model_copy(update={"column": None})
        update: dict[str, object] = {"group_column": self.column, "groups": groups}
        if isinstance(spec, CsvSpec):  # a column that was guessed to be a label is none
            update["label_columns"] = [name for name in spec.label_columns if name != self.column] or spec.label_columns
        return spec.model_copy(update=update)

    def _beside(self, spec: MasksSpec, column: str) -> DataSpec:
        found = list(tables_beside(spec.images))
        for table, image in found:
            if column in table.columns:
                groups = spec.groups.model_copy(update={"column": None})
                facts = {"facts": table.path, "image_column": image, "group_column": column, "groups": groups}
                return spec.model_copy(update=facts)
        if not found:
            raise UserError(
                f"--group-column {column}: there is no table beside {spec.images} that names its images",
                "put one there, a row an image, or use --group-pattern",
            )
        raise UserError(
            f"--group-column {column}: no table beside {spec.images} has this column",
            "; ".join(
                f"{table.path.name}: {choices(column, [name for name in table.columns if name != image])}"
                for table, image in found
            ),
        )

    def blocks_in(self, spec: DataSpec) -> DataSpec:
        """The data with so many images in order, or by their number, kept together.

        Raises:
            UserError: ELPV has no order but that of its file.
        """
        if self.block is None:
            return spec
        if not isinstance(spec, ElpvSpec):
            said = {"block": self.block, "block_by": self.block_by}
            return spec.model_copy(update={"groups": spec.groups.model_copy(update=said)})
        if self.block_by != "order":
            raise UserError(
                "--group-block-by number: the cells of ELPV stand in the order of their file", "leave it out"
            )
        return spec.model_copy(update={"block": self.block})

    def by_name(self, samples: Samples, parents: Sequence[str] = ()) -> tuple[Samples, tuple[str, ...]]:
        """The samples grouped by the pattern, or by the parent's that fits all their names; and who said so, in words.

        Args:
            samples: the new images, with the groups that the data themselves say.
            parents: patterns of the recipe that the bundle comes from.

        Raises:
            DataError: the pattern does not fit every name.
        """
        if self.pattern is not None:
            return _told(by_pattern(samples, self.pattern, "--group-pattern"))
        if samples.grouping == ALONE:
            for pattern in parents:
                try:
                    return _told(by_pattern(samples, pattern, "data.groups"), ", as in the recipe of the bundle")
                except DataError:
                    continue
        return _told(samples)


NOTHING_SAID = SaidGroups()


def _told(samples: Samples, whose: str = "") -> tuple[Samples, tuple[str, ...]]:
    if samples.grouping == ALONE:
        return samples, (NOBODY,)
    return samples, (f"images count together by {samples.grouping}{whose}",)
