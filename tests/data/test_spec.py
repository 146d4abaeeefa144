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
