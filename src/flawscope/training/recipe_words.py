"""What is wrong with a recipe, in its own words: keys as they stand in it, values as they may be. Torch-free.

Pydantic speaks of types and members of unions; who writes a recipe knows keys and values.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import NoneType
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from flawscope.errors import NAME_WORDS, choices
from flawscope.training.tune_spec import label, section_of

NAMES: dict[Any, str] = {
    str: "text",
    int: "whole number",
    float: "number",
    bool: "true or false",
    Path: "path",
    NoneType: "null",
    Any: "value",
}
LIMITS = {"greater_than": "above {gt:g}", "greater_than_equal": "at least {ge:g}",
          "less_than": "below {lt:g}", "less_than_equal": "at most {le:g}"}  # fmt: skip
NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]*$"
PATTERNS = {NAME: f"a name of {NAME_WORDS}; a letter or a digit stands first"}
"""What text must look like, in words."""
LONGEST = 60
"""Letters of a value that are shown."""


def kind(annotation: Any) -> str:
    """What may stand for a key, in words.

    >>> kind(Literal["none", "balanced"] | list[float]), kind(tuple[float, float] | None)
    ('`none`, `balanced` or list of numbers', 'list of 2 numbers or null')
    """
    origin, inner = get_origin(annotation), get_args(annotation)
    if annotation in NAMES:
        words = NAMES[annotation]
    elif origin is Literal:
        words = ", ".join(f"`{choice}`" for choice in inner)
    elif origin is dict:
        words = "keys and values" if inner[0] is str else f"{plural(kind(inner[0]))} with a {kind(inner[1])} each"
    elif origin is list or (origin is tuple and Ellipsis in inner):
        words = f"list of {plural(kind(inner[0]))}"
    elif origin is tuple:
        words = f"list of {len(inner)} {plural(kind(inner[0]))}"
    elif isinstance(annotation, type) and issubclass(annotation, BaseModel):
        words = "section"
    else:  # a union
        words = " or ".join(dict.fromkeys(kind(each) for each in inner))
    return words


def plural(word: str) -> str:
    """Several of them."""
    return f"{word}s" if word.endswith(("number", "value")) else word


def in_words(error: ValidationError, content: Mapping[str, Any], recipe: type[BaseModel]) -> list[str]:
    """Each problem that was found in a recipe, one line a key.

    Args:
        error: what pydantic says.
        content: what the recipe held.
        recipe: the model of a whole recipe.
    """
    found: dict[str, tuple[int, str]] = {}
    for problem in error.errors():
        if not problem["loc"]:  # what is said of several sections together names its keys itself
            found[problem["msg"]] = (0, problem["msg"].removeprefix("Value error, "))
            continue
        key, depth, words = _told(problem, content, recipe)
        # Of a key that may hold different kinds of values, what comes closest to one of them counts.
        if key not in found or depth > found[key][0]:
            found[key] = (depth, words)
    return [words for _, words in found.values()]


def kinds_of_data(recipe: type[BaseModel]) -> dict[str, type[BaseModel]]:
    """The kinds of data by name."""
    return {member.model_fields["kind"].default: member for member in _members(recipe.model_fields["data"].annotation)}


def _told(problem: ErrorDetails, content: Mapping[str, Any], recipe: type[BaseModel]) -> tuple[str, int, str]:
    """The key that a problem is told of, how many steps below it the problem lies, and the words."""
    place, kinds = problem["loc"], kinds_of_data(recipe)
    annotation: Any = recipe
    shown: list[str] = []
    above: type[BaseModel] | None = None
    whole: Any = None  # what the key may hold, where the problem lies in one item of it
    for at, part in enumerate(place):
        section = None if _holds(annotation) else section_of(annotation)
        if annotation is recipe.model_fields["data"].annotation:  # pydantic puts the kind of data between
            annotation = kinds.get(str(part), annotation)
        elif section is not None:
            shown, above = [*shown, str(part)], section
            annotation = section.model_fields[str(part)].annotation if part in section.model_fields else None
        elif _one_of_several(annotation):
            path = ".".join(shown)
            return path, len(place) - at, f"{path}: {_wrong(problem, annotation)}"
        else:
            held = _holds(annotation)
            if get_origin(held) is dict and part != "[key]":
                shown = [*shown, str(part)]
            whole, annotation = annotation, get_args(held)[-1 if get_origin(held) is dict else 0]
    path = ".".join(shown)
    if problem["type"] == "extra_forbidden" and above is not None:
        return path, 0, f"{path}: unknown key, {choices(str(place[-1]), above.model_fields)}"
    if problem["type"] in ("union_tag_invalid", "union_tag_not_found"):
        given = content.get("data")
        named = given.get("kind", "") if isinstance(given, Mapping) else ""
        return path, 0, f"data.kind: {named!r} is no kind of data, {choices(str(named), kinds)}"
    if problem["type"] == "missing" and not isinstance(place[-1], int):
        return path, 0, f"{path}: this key is missing"
    return path, 0, f"{path}: {_wrong(problem, whole if problem['type'] == 'missing' else annotation)}"


def _wrong(problem: ErrorDetails, annotation: Any) -> str:
    """What is wrong with a value that may be of these kinds."""
    sort, given, limits = problem["type"], problem["input"], problem.get("ctx", {})
    several = _one_of_several(annotation)
    if sort == "value_error":  # one of our own checks
        return problem["msg"].removeprefix("Value error, ")
    if sort == "literal_error" and not several:
        valid = [choice for each in (annotation, *get_args(annotation)) for choice in _choices(each)]
        return f"{_shown(given)} is none of its values, {choices(label(given), map(label, valid))}"
    if sort == "finite_number":
        wanted = "a finite number"
    elif sort in LIMITS:
        wanted = LIMITS[sort].format(**limits)
    elif sort == "string_pattern_mismatch":
        wanted = PATTERNS[limits["pattern"]]
    elif sort in ("too_short", "too_long") and get_origin(_holds(annotation)) is not tuple:
        n = limits.get("min_length", limits.get("max_length"))
        wanted = f"{'at least' if sort == 'too_short' else 'at most'} {n} item{'' if n == 1 else 's'}"
    elif several or sort in ("missing", "too_short", "too_long") or sort.endswith(("_type", "_parsing", "_from_float")):
        wanted = kind(annotation)
        wanted = f"a {wanted}" if re.match(r"(whole number|number|list|section|path)\b", wanted) else wanted
    else:
        return str(problem["msg"])
    return f"expected {wanted}, got {_shown(given)}"


def _shown(value: Any) -> str:
    """What stands in the recipe, shortened."""
    text = repr(value) if isinstance(value, str | float) else label(value)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."


def _choices(annotation: Any) -> tuple[Any, ...]:
    return get_args(annotation) if get_origin(annotation) is Literal else ()


def _one_of_several(annotation: Any) -> bool:
    """Whether an annotation is a union of several kinds, null aside."""
    inner = [each for each in get_args(annotation) if each is not NoneType]
    return get_origin(annotation) not in (None, Literal, list, tuple, dict) and len(inner) > 1


def _holds(annotation: Any) -> Any:
    """The list or mapping that an annotation names, alone or beside null; else none."""
    several = () if _one_of_several(annotation) else get_args(annotation)
    return next((each for each in (annotation, *several) if get_origin(each) in (list, tuple, dict)), None)


def _members(annotation: Any) -> Iterable[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    elif get_origin(annotation) is not None:
        for inner in get_args(annotation):
            yield from _members(inner)
