"""What a challenge is: `challenge.json`, schema version 1, and where the parts of its folder lie.

NAME/challenge.json              this
NAME/handout/                    what participants get, also as NAME/NAME-starter-kit.zip
NAME/hidden/public/              images/ and labels.csv: what the board is made from while the challenge runs
NAME/hidden/private/             likewise: the final ranking, nothing of it is told before the deadline
NAME/proof.json                  the proof that nothing crosses between the three parts
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, ValidationError, model_validator

from flawscope.errors import DataError, UserError, listing
from flawscope.records import Task, TaskKind
from flawscope.storage import write_json

SCHEMA_VERSION = 1
FILE, PROOF, STORE = "challenge.json", "proof.json", "store.sqlite"
PartName = Literal["training", "public", "private"]
PARTS: tuple[PartName, ...] = get_args(PartName)
Metric = Literal["mean_f1", "accuracy", "mean_auroc", "mean_average_precision"]
METRICS: dict[Metric, str] = {
    "mean_f1": "F1, the mean over the classes",
    "accuracy": "share of the images of which every label is right",
    "mean_auroc": "area under the ROC curve, the mean over the classes",
    "mean_average_precision": "average precision, the mean over the classes",
}
"""All of them lie between 0 and 1, and more is better."""
RESERVED = ("file", "group", "class")
"""Columns of labels.csv that are no class."""
TIMES = "write it as 2027-03-01 or 2027-03-01T18:00Z; without a zone it is UTC"


def _utc(value: datetime) -> datetime:
    try:
        return value.astimezone(UTC).replace(microsecond=0)
    except OverflowError:
        raise ValueError("in UTC it is out of the calendar") from None


Moment = Annotated[AwareDatetime, AfterValidator(_utc)]


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Limits(_Entry):
    """What a submission may take. Defaults suit pictures of up to some megapixels on one core."""

    bundle_mb: int = Field(default=512, ge=1, description="size of the submitted file")
    input_side: int = Field(default=2048, ge=8, description="height and width of the picture that its graph takes")
    seconds_per_image: float = Field(default=2.0, gt=0, description="CPU time, on average")
    memory_mb: int = Field(default=4096, ge=256, description="memory of the process that runs it")


class PartFacts(_Entry):
    """How large a part is, and the hash over its images and labels (`challenge.labels.part_hash`).

    `labels_hash` is over the labels alone, which scores are made from; None in challenges from before it was kept.
    """

    images: int = Field(ge=1)
    groups: int = Field(ge=1)
    hash: str = Field(pattern=r"^[0-9a-f]{64}$")
    labels_hash: str | None = Field(default=None, pattern=r"^[0-9a-f]{64}$")


class Challenge(_Entry):
    """The whole of `challenge.json`. Only the organiser has it: its seed would tell who knows the data how it is split.

    `daily` is how many submissions a team may make in a day (UTC). `ladder_step`: the board moves only by so much, see
    `challenge.ranking.ladder`; 0 shows every score as it is.
    """

    schema_version: Literal[1] = 1
    name: str = Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}$")
    title: str = Field(min_length=1)
    kind: TaskKind
    classes: tuple[str, ...]
    negative: str
    metric: Metric
    pass_mark: float = Field(ge=0, le=1)
    opens: Moment
    deadline: Moment
    daily: int = Field(ge=1)
    ladder_step: float = Field(ge=0, le=0.5)
    licence: str = ""
    seed: int = Field(ge=0)
    parts: dict[PartName, PartFacts]
    limits: Limits = Limits()

    @model_validator(mode="after")
    def _possible(self) -> Challenge:
        task = self.task  # refuses classes that make no task
        if task.kind != "multiclass" and (odd := sorted(set(task.classes) & set(RESERVED))):
            raise ValueError(f"a class cannot be called {odd[0]!r}: the tables of labels have such a column")
        if self.opens >= self.deadline:
            raise ValueError(f"it opens at {iso(self.opens)}, and its deadline is {iso(self.deadline)}")
        if set(self.parts) != set(PARTS):
            raise ValueError(f"expected the parts {', '.join(PARTS)}, got {', '.join(self.parts)}")
        return self

    @property
    def task(self) -> Task:
        """What is to be decided."""
        return Task(self.kind, self.classes, self.negative)

    def told(self) -> dict[str, Any]:
        """What participants are told: all but the seed and the hashes."""
        content = self.model_dump(mode="json", exclude={"seed", "parts"})
        return {**content, "opens": iso(self.opens), "deadline": iso(self.deadline)}


def iso(moment: datetime) -> str:
    """A moment as it stands in files and messages: UTC, to the second.

    >>> iso(datetime(2027, 3, 1, 18, tzinfo=UTC))
    '2027-03-01T18:00:00Z'
    """
    return _utc(moment).strftime("%Y-%m-%dT%H:%M:%SZ")


def moment(text: str, option: str, *, last: bool = False) -> datetime:
    """A moment as the user writes it. A day alone is its beginning, with `last` its last second.

    >>> iso(moment("2027-03-01", "--deadline", last=True)), iso(moment("2027-03-01T18:00+02:00", "--opens"))
    ('2027-03-01T23:59:59Z', '2027-03-01T16:00:00Z')

    Raises:
        UserError: it is none.
    """
    try:
        found = datetime.fromisoformat(text.strip())
        if last and len(text.strip()) <= len("2027-03-01"):
            found = found.replace(hour=23, minute=59, second=59)
        return _utc(found.replace(tzinfo=UTC) if found.tzinfo is None else found)
    except ValueError:
        raise UserError(f"{option} {text}: expected a date, or date and time", TIMES) from None


def save_challenge(challenge: Challenge, folder: Path) -> None:
    """Write challenge.json into the challenge's folder.

    Raises:
        OutputError: the place cannot be written to.
    """
    content = challenge.model_dump(mode="json")
    write_json(folder / FILE, {**content, "opens": iso(challenge.opens), "deadline": iso(challenge.deadline)})


def load_challenge(folder: str | Path) -> Challenge:
    """The challenge in a folder.

    Raises:
        UserError: there is none.
        DataError: it is damaged, or was made by a newer flawscope.
    """
    path = Path(folder) / FILE
    if not path.is_file():
        raise UserError(
            f"{folder} is no challenge: it holds no {FILE}", "name a folder that `flawscope challenge new` made"
        )
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        version = content["schema_version"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path} cannot be read: {error}", "take it from a backup") from None
    if isinstance(version, int) and version > SCHEMA_VERSION:
        raise DataError(
            f"{path} has schema version {version}, this flawscope reads up to {SCHEMA_VERSION}",
            "install a newer flawscope: pip install --upgrade flawscope",
        )
    try:
        return Challenge.model_validate(content)
    except ValidationError as error:
        problems = [f"{'.'.join(map(str, each['loc'])) or 'challenge'}: {each['msg']}" for each in error.errors()]
        raise DataError(f"{path} does not fit the schema:\n{listing(problems)}", "take it from a backup") from None


def hidden(folder: str | Path, part: PartName) -> Path:
    """Where the images and labels of a hidden part lie.

    >>> hidden("cells", "public").as_posix()
    'cells/hidden/public'
    """
    return Path(folder) / "hidden" / part
