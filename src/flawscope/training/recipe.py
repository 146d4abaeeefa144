"""The recipe: one YAML file describes one inspection task, from data to decision. Torch-free.

Every key is checked; an unknown one is refused with the nearest valid name. Paths in a recipe are relative to the
recipe's own folder, paths in `--set` to the folder that the command runs in.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import Field, ValidationError, model_validator

from flawscope.data.group_file import load_groups
from flawscope.data.spec import DataSpec
from flawscope.data.split import SplitSpec
from flawscope.errors import RecipeError, listing
from flawscope.preprocess import Preprocess
from flawscope.records import fingerprint
from flawscope.storage import write_text
from flawscope.training.decide_spec import DecideSpec
from flawscope.training.mask_spec import MaskSpec
from flawscope.training.model_spec import ExportSpec, GateSpec, ModelSpec
from flawscope.training.recipe_words import NAME, in_words
from flawscope.training.spec import CalibrateSpec, Section, TrainSpec, never_comes
from flawscope.training.tune_spec import Searched, TuneSpec, label, problems_of_names, put

DATA_PATHS = ("root", "table", "images", "masks", "coco", "facts")
PATHS = (*(("data", key) for key in DATA_PATHS), ("model", "weights"), ("split", "file"))


class _Strict(yaml.SafeLoader):
    """YAML without repeated keys: of two values nobody could say which one was signed."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """As in PyYAML, but a key that stands twice is an error."""
        keys = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        twice = sorted({key for key in keys if keys.count(key) > 1})
        if twice:
            raise yaml.constructor.ConstructorError(None, None, f"{', '.join(twice)} stands twice", node.start_mark)
        return super().construct_mapping(node, deep)


class Recipe(Section):
    """One inspection task."""

    name: str = Field(pattern=NAME, description="names run and bundle: letters (no umlauts), digits, . _ -")
    data: DataSpec = Field(description="where images and labels are")
    image: Preprocess = Field(default=Preprocess(), description="how a picture becomes the input of the network")
    split: SplitSpec = Field(default=SplitSpec(), description="which share of the images is for what")
    model: ModelSpec = Field(default=ModelSpec(), description="which network, and its first weights")
    train: TrainSpec = Field(default=TrainSpec(), description="how it learns")
    calibrate: CalibrateSpec = Field(default=CalibrateSpec(), description="how a score becomes a probability")
    decide: DecideSpec = Field(default=DecideSpec(), description="how a probability becomes a decision")
    masks: MaskSpec | None = Field(
        default=None, description="data with masks: how masks are learnt, and how they become flaws; null: as below"
    )
    gate: GateSpec | None = Field(
        default=None,
        description="data with masks: another network decides first whether there is any flaw at all, and only then "
        "flaws are looked for (reference system D)",
    )
    decide_also: tuple[DecideSpec, ...] = Field(
        default=(),
        description="other decisions from the same network, each as `decide` and on the same calibration part: `run` "
        "seals a bundle of its own for each, measures it on the test part and writes its page; not part of the hash",
    )
    export: ExportSpec = Field(default=ExportSpec(), description="what runs the network at the line")
    tune: TuneSpec | None = Field(default=None, description="what `flawscope tune` searches; not part of the hash")

    @model_validator(mode="after")
    def _frozen_first(self) -> Recipe:
        if self.train.unfreeze is not None and not self.model.freeze:
            raise ValueError("train.unfreeze: nothing is frozen, set model.freeze: true")
        return self

    @model_validator(mode="after")
    def _square(self) -> Recipe:
        if self.export.average_over == "turns" and self.image.size[0] != self.image.size[1]:
            size = " x ".join(map(str, self.image.size))
            raise ValueError(f"export.average_over: turns need square images, image.size is {size}; use mirrors")
        return self

    @model_validator(mode="after")
    def _masks_fit_their_pictures(self) -> Recipe:
        if self.data.kind == "masks" and self.image.crop is not None:
            raise ValueError("image.crop: a picture that is cropped no longer fits its masks, crop both beforehand")
        return self

    @model_validator(mode="after")
    def _no_answers_given_away(self) -> Recipe:
        labels = {"elpv": ["labelled"], "csv": getattr(self.data, "label_columns", [])}.get(self.data.kind, [])
        for name in self.model.metadata:
            if name in labels or name == self.train.soft_labels:
                raise ValueError(f"model.metadata: {name} is what is to be learnt: it would give the answer away")
        return self

    @model_validator(mode="after")
    def _other_decisions(self) -> Recipe:
        asked = [self.decide, *self.decide_also]
        if any(spec in asked[:place] for place, spec in enumerate(asked)):
            raise ValueError("decide_also: a decision stands there twice, or is that of decide: remove one of them")
        return self

    @property
    def hash(self) -> str:
        """Hash of what is asked for, not of where it lies: paths are left out (data and weights have their own).

        Of a group file the content counts.

        Raises:
            SplitError: the group file cannot be read.
        """
        content = self.model_dump(mode="json", exclude={"tune", "decide_also"})
        for key in DATA_PATHS:
            content["data"].pop(key, None)
        for section in (content, content["gate"]):
            if section is not None:
                section["model"]["weights"] = Path(section["model"]["weights"]).name
        # Recipes of before there were these keys keep their hash.
        gate = content["gate"] or {"train": {}}
        for section, key, usual in (
            (content["model"], "metadata", {}), (content["train"], "keep", "best"), (content["export"], "maps", True),
            (content["data"], "colours", None), (content, "masks", None), (content, "gate", None),
            (content["train"], "every_epoch", False), (gate["train"], "every_epoch", False),
        ):  # fmt: skip
            if section.get(key, "another kind of data") == usual:
                del section[key]
        if self.calibrate == CalibrateSpec():
            del content["calibrate"]
        if self.decide.max_escape is None:
            for key in ("max_escape", "confidence", "units"):
                del content["decide"][key]
        if self.decide.costs is None:
            del content["decide"]["costs"]
        if self.split.file is not None:
            content["split"]["file"] = load_groups(self.split.file).hash
        return fingerprint(content)

    def changed(self, settings: Mapping[str, Any]) -> Recipe:
        """This recipe with other values for some keys, and without its `tune` section.

        Raises:
            RecipeError: the values are refused, alone or together.

        >>> recipe = parse_recipe({"name": "a", "data": {"kind": "elpv"}})
        >>> recipe.changed({"train.rate": 0.5}).train.rate
        0.5
        """
        return parse_recipe(put(self.model_dump(mode="json", exclude={"tune"}), settings))

    def dump(self, *, folders: bool = True) -> str:
        """The resolved recipe as YAML: every key with its value; without `folders` paths keep their last name only."""
        content = self.model_dump(mode="json", exclude={"tune"} if self.tune is None else None)
        if not folders:
            for section, key in PATHS:
                for place in (content, content["gate"] or {}):
                    if place.get(section, {}).get(key):
                        place[section][key] = Path(place[section][key]).name
        return yaml.safe_dump(content, sort_keys=False, allow_unicode=True, default_flow_style=None)


def load_recipe(path: str | Path, overrides: Sequence[str] = ()) -> Recipe:
    """Read and check a recipe.

    Args:
        path: the YAML file.
        overrides: `key.key=value` each, value in YAML (`train.epochs=3`).

    Raises:
        RecipeError: unreadable, unknown keys, values out of range: all named, with the nearest valid name.
    """
    file = Path(path)
    try:
        text = file.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise RecipeError(f"there is no recipe {path}", "`flawscope new FOLDER` writes one for your images") from None
    except (OSError, UnicodeDecodeError) as error:
        raise RecipeError(f"the recipe {path} cannot be read: {error}", "it must be a UTF-8 text file") from None
    try:
        content = yaml.load(text, _Strict)
    except (yaml.YAMLError, ValueError) as error:
        raise RecipeError(f"{path} is not valid YAML: {error}", "see recipes/ for examples") from None
    if not isinstance(content, dict):
        raise RecipeError(f"{path}: expected keys such as name, data, model", "see recipes/ for examples")
    content = {key: value for key, value in content.items() if value is not None}  # an empty section asks for defaults
    _resolve(content, file.resolve().parent)
    for override in overrides:
        _set(content, override)
    _resolve(content, Path.cwd())
    return parse_recipe(content, str(path))


def parse_recipe(content: Mapping[str, Any], where: str = "recipe") -> Recipe:
    """Check plain data against the recipe's keys.

    Raises:
        RecipeError: every problem found, one a line.

    >>> parse_recipe({"name": "a", "data": {"kind": "elpv"}, "train": {"epohcs": 3}})
    Traceback (most recent call last):
    ...
    flawscope.errors.RecipeError: recipe has 1 problem:
      train.epohcs: unknown key, did you mean 'epochs'? ...
    """
    try:
        recipe = Recipe.model_validate(content)
        problems = _problems_together(recipe)
    except ValidationError as error:
        problems = in_words(error, content, Recipe)
    if problems:
        plural = "" if len(problems) == 1 else "s"
        raise RecipeError(f"{where} has {len(problems)} problem{plural}:\n{listing(problems)}")
    return recipe


def gate_recipe(recipe: Recipe) -> Recipe:
    """The recipe of the gate: the data and the split of the masks, and all else from `gate`.

    Raises:
        RecipeError: it asks for what no recipe may ask for.
    """
    if recipe.gate is None:
        raise ValueError(f"{recipe.name} has no gate")
    shared = recipe.model_dump(mode="json", include={"data", "split"})
    return parse_recipe({"name": f"{recipe.name}-gate", **shared, **recipe.gate.model_dump(mode="json")}, "gate")


def save_recipe(recipe: Recipe, path: Path) -> None:
    """Write the resolved recipe."""
    write_text(path, f"# The resolved recipe: every key with the value that was used.\n{recipe.dump()}")


def _problems_together(recipe: Recipe) -> list[str]:
    """What is wrong with sections that are right each by itself."""
    found = never_comes(recipe.train)
    if recipe.model.normalise is not None:
        for key in ("mean", "std"):
            n, channels = len(getattr(recipe.model.normalise, key)), recipe.image.channels
            if n not in (1, channels):
                each = "" if channels == 1 else f", or one for each of {channels} channels"
                found.append(f"model.normalise.{key}: expected one number{each}, got {n}")
    if recipe.gate is not None:
        try:
            gate_recipe(recipe)
        except RecipeError as error:
            found += [f"gate.{line.strip()}" for line in str(error).splitlines()[1:]]
    return found if found or recipe.tune is None else _problems_of_space(recipe, recipe.tune)


def _problems_of_space(recipe: Recipe, tune: TuneSpec) -> list[str]:
    """What is wrong with the keys that are searched, or with a value of theirs put into this recipe."""
    problems = problems_of_names(tune, Recipe, recipe.train.watch)
    if problems:
        return problems
    for key, searched in tune.space.items():
        for value in searched.samples:
            try:
                recipe.changed({key: value})
            except RecipeError as error:
                lines = str(error).splitlines()[1:]
                problems += [f"tune.space.{key}: {label(value)} does not do: {line.strip()}" for line in lines]
    return problems


def _set(content: dict[str, Any], override: str) -> None:
    key, equals, value = override.partition("=")
    if not equals or not key.strip():
        raise RecipeError(f"--set {override!r}: expected key=value", "for example --set train.epochs=3")
    try:
        parsed = yaml.safe_load(value)
    except (yaml.YAMLError, ValueError) as error:
        raise RecipeError(f"--set {override!r}: the value is not valid YAML: {error}") from None
    *sections, last = _parts(key.strip())
    place = content
    for section in sections:
        inner = place.setdefault(section, {})
        if inner is None:
            inner = place[section] = {}
        if not isinstance(inner, dict):
            raise RecipeError(f"--set {override!r}: {section} is a value, not a section")
        place = inner
    place[last] = parsed


def _parts(key: str) -> list[str]:
    """The keys that lead to a value. Below `tune.space` stand keys that have points themselves.

    >>> _parts("train.schedule.kind"), _parts("tune.space.train.rate"), _parts("tune.space.train.rate.low")
    (['train', 'schedule', 'kind'], ['tune', 'space', 'train.rate'], ['tune', 'space', 'train.rate', 'low'])
    """
    parts = key.split(".")
    if parts[:2] != ["tune", "space"] or len(parts) < 4:
        return parts
    inside = parts[-1:] if len(parts) > 4 and parts[-1] in Searched.model_fields else []
    return ["tune", "space", ".".join(parts[2 : len(parts) - len(inside)]), *inside]


def _resolve(content: dict[str, Any], base: Path) -> None:
    """Make relative paths absolute; what is absolute already stays."""
    data, split, gate = content.get("data"), content.get("split"), content.get("gate")
    if isinstance(data, dict):
        for key in DATA_PATHS:
            if isinstance(data.get(key), str) and data[key]:
                data[key] = _placed(data[key], base)
    if isinstance(split, dict) and isinstance(split.get("file"), str) and split["file"]:
        split["file"] = _placed(split["file"], base)
    for model in (content.get("model"), gate.get("model") if isinstance(gate, dict) else None):
        if isinstance(model, dict):
            _resolve_weights(model, base)
    _resolve_choices(content, base)


def _placed(path: str, base: Path) -> str:
    """A path as seen from a folder; leading `..` are walked up, so that a message names the place, not the way there.

    >>> _placed("../cells/images", Path("/line/recipes"))
    '/line/cells/images'
    """
    parts = Path(path).expanduser().parts
    while parts[:1] == ("..",):
        base, parts = base.parent, parts[1:]
    return str(base.joinpath(*parts))


def _resolve_weights(model: dict[str, Any], base: Path) -> None:
    if "weights" in model:
        model["weights"] = "none" if model["weights"] is None else _weights_placed(model["weights"], base)


def _weights_placed(weights: Any, base: Path) -> Any:
    """A file of weights as seen from a folder; what names no file stays as it is."""
    names_file = isinstance(weights, str) and weights not in ("none", "imagenet", "")
    return _placed(weights, base) if names_file else weights


def _resolve_choices(content: dict[str, Any], base: Path) -> None:
    """The same for weights that are searched."""
    tune = content.get("tune")
    space = tune.get("space") if isinstance(tune, dict) else None
    searched = space.get("model.weights") if isinstance(space, dict) else None
    if isinstance(searched, dict) and isinstance(searched.get("choices"), list):
        searched["choices"] = [_weights_placed(weights, base) for weights in searched["choices"]]
