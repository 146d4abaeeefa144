import pytest

from flawscope.data.words import meaning, to_be_found

GOOD = [
    "ok",
    "1_io",
    "i.O.",
    "MT_Free",
    "ok_front",
    "Good",
    "defect-free",
    "no_defect",
    "fehlerfrei",
    "Gutteile",
    "PASS",
]
BAD = [
    "nio",
    "0_nio",
    "n.i.O.",
    "NOK",
    "not_ok",
    "NotOk",
    "def_front",
    "defective",
    "NG",
    "Schlechtteile",
    "n_io",
    "cracked",
]


@pytest.mark.parametrize("name", GOOD)
def test_good_words(name: str) -> None:
    assert meaning(name) == "good"


@pytest.mark.parametrize("name", BAD)
def test_bad_words(name: str) -> None:
    assert meaning(name) == "bad"


@pytest.mark.parametrize("name", ["MT_Blowhole", "radio", "book", "class_1", ""])
def test_words_inside_other_words_mean_nothing(name: str) -> None:
    assert meaning(name) == ""


@pytest.mark.parametrize(
    ("names", "found"), [(["a", "nok"], "nok"), (["ok", "a"], "a"), (["a", "b"], None), (["ok", "io"], None)]
)
def test_the_class_to_be_found(names: list[str], found: str | None) -> None:
    assert to_be_found(names) == found
    assert to_be_found(names[::-1]) == found
