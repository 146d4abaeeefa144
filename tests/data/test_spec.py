import pytest
from pydantic import TypeAdapter, ValidationError

from flawscope.data.spec import CsvSpec, DataSpec, ElpvSpec, FoldersSpec

ADAPTER: TypeAdapter[DataSpec] = TypeAdapter(DataSpec)


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        ({"kind": "elpv", "limit": 100}, ElpvSpec),
        ({"kind": "csv", "table": "a.csv", "label_columns": ["label"]}, CsvSpec),
        ({"kind": "folders", "root": "parts"}, FoldersSpec),
    ],
)
def test_the_kind_chooses_the_model_and_survives_json(content: dict[str, object], kind: type) -> None:
    spec = ADAPTER.validate_python(content)
    assert isinstance(spec, kind)
    assert ADAPTER.validate_json(spec.model_dump_json()) == spec


def test_unknown_keys_are_refused() -> None:
    with pytest.raises(ValidationError, match="treshold"):
        ADAPTER.validate_python({"kind": "elpv", "treshold": 0.3})


@pytest.mark.parametrize(
    "wrong",
    [
        {"label_columns": []},
        {"label_columns": ["a", "a"]},
        {"label_columns": ["a"], "meta_columns": ["a"]},
        {"label_columns": ["a", "b"], "task": "binary"},
    ],
)
def test_columns_that_contradict_each_other_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        ADAPTER.validate_python({"kind": "csv", "table": "a.csv", **wrong})


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"kind": "elpv", "groups": {"block": 30}}, "set data.block instead"),
        ({"kind": "elpv", "groups": {"column": "a"}}, "ELPV has no columns"),
        ({"kind": "folders", "root": "x", "groups": {"column": "a"}}, "folders have no columns"),
        ({"kind": "folders", "root": "x", "groups": {"pattern": "part"}}, "has no parentheses"),
        ({"kind": "folders", "root": "x", "groups": {"pattern": "(part"}}, "is no regular expression"),
        ({"kind": "folders", "root": "x", "groups": {"block_by": "number"}}, "needs block"),
        ({"kind": "folders", "root": "x", "groups": {"blok": 3}}, "Extra inputs"),
        ({"kind": "folders", "root": "x", "level": 1, "part_level": 1}, "level and part_level are both 1"),
    ],
)
def test_groups_that_make_no_sense_are_refused(content: dict[str, object], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        ADAPTER.validate_python(content)


def test_two_keys_for_the_group_column() -> None:
    both = {"kind": "csv", "table": "t", "label_columns": ["a"], "group_column": "b"}
    assert CsvSpec.model_validate(both | {"groups": {"column": "b"}}).grouped_by == "b"
    assert CsvSpec.model_validate(both | {"group_column": None, "groups": {"column": "c"}}).grouped_by == "c"
    with pytest.raises(ValidationError, match="give one of them"):
        CsvSpec.model_validate(both | {"groups": {"column": "c"}})
