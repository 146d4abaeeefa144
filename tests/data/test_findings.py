"""What labels and pairs say, on sets small enough to count by hand."""

from __future__ import annotations

from dataclasses import replace

from flawscope.data import findings
from flawscope.records import Pair, Part, Sample, Samples, Task, Twins

BINARY = Task("binary", ("nok",), "ok")


def sample(id: str, bad: bool = False, sha256: str = "", part: Part | None = None) -> Sample:
    return Sample(id, id, (float(bad),), id, sha256 or id, published=part)


def table(*rows: Sample) -> Samples:
    return Samples("made", BINARY, rows)


def twins(*pairs: Pair) -> Twins:
    return Twins(pairs, 6, "by hand", {"threshold": 0.9})


SIX = table(*(sample(name, name in "ce") for name in "abcdef"))
PAIRS = (
    Pair("a", "b", "sister", 0.92, needed=0.61),
    Pair("b", "c", "turned", 0.95, "90°"),
    Pair("a", "d", "turned", 0.99),
)


def test_pairs_stand_by_kind_then_by_measure_with_their_labels() -> None:
    rows = findings.pair_rows(SIX, PAIRS)
    assert [(row["a"], row["b"]) for row in rows] == [("a", "d"), ("b", "c"), ("a", "b")]
    assert [row["needed"] for row in rows] == [0.0, 0.0, 0.61]
    assert (rows[1]["label_a"], rows[1]["label_b"], rows[1]["turn"]) == ("ok", "nok", "90°")


def test_the_court_in_numbers() -> None:
    facts = findings.court_facts(SIX, twins(*PAIRS))
    assert (facts["pairs"], facts["images"], facts["contrary"]) == (3, 4, 1)
    assert facts["kinds"] == {"turned": 2, "sister": 1}
    assert facts["facts"] == {"threshold": 0.9}
    assert facts["bounds"] == {"least": 0.45, "doubtful": 0.7, "most_closely": 0.95, "certain": 0.99, "unread": 0.75}


def test_groups_before_and_after_chains_are_cut() -> None:
    chain = [Pair(a, b, "sister", 0.9 + i / 100) for i, (a, b) in enumerate(zip("abcde", "bcdef", strict=True))]
    facts, group = findings.group_facts(SIX, twins(*chain), 0.5)
    assert facts["data"] == {"number": 6, "largest": 1, "alone": 6}
    assert facts["chained"] == {"number": 1, "largest": 6, "alone": 0}
    assert (facts["limit"], facts["linked"]["largest"], facts["linked"]["number"]) == (3, 3, 2)
    assert facts["cut"] == 1
    assert group["d"] == group["e"] == group["f"] != group["a"]


def test_published_test_images_with_a_twin_in_training() -> None:
    parts: tuple[Part, ...] = ("test", "test", "test", "train", "train", "validation")
    rows = tuple(replace(row, published=part) for row, part in zip(SIX.rows, parts, strict=True))
    rows = (*rows[:-1], replace(rows[-1], sha256="c"))
    pairs = (
        Pair("a", "d", "turned", 0.99),
        Pair("a", "e", "sister", 0.92),
        Pair("b", "d", "turned", 0.95),
        Pair("a", "b", "turned", 0.95),  # both in test
        Pair("c", "f", "identical", 1.0),  # the other in validation
    )
    facts = findings.published_facts(table(*rows), pairs)
    assert facts is not None
    assert (facts["test"], facts["with_twin"], facts["identical_files"]) == (3, 2, 0)
    assert facts["kinds"] == {"turned": 2, "sister": 1}
    assert findings.published_facts(SIX, pairs) is None
    same = table(sample("a", part="test", sha256="x"), sample("b", part="train", sha256="x"))
    assert findings.published_facts(same, ())["identical_files"] == 1  # type: ignore[index]


def test_what_is_found_of_one_identical_file_is_true_of_all() -> None:
    # Two test copies (a, b) of one training file (c), and two identical turned copies (d, e) of it in the test part.
    parts: tuple[Part, ...] = ("test", "test", "train", "test", "test", "test")
    content = "xxxyyz"
    rows = [sample(id, sha256=s, part=p) for id, s, p in zip("abcdef", content, parts, strict=True)]
    chain = (Pair("a", "b", "identical", 1.0), Pair("b", "c", "identical", 1.0), Pair("d", "e", "identical", 1.0))
    facts = findings.published_facts(table(*rows), (*chain, Pair("a", "d", "turned", 0.99)))
    assert facts is not None
    assert (facts["test"], facts["with_twin"], facts["identical_files"]) == (5, 4, 2)
    assert facts["kinds"] == {"identical": 2, "turned": 2}


def test_pairs_of_other_labels_are_counted_over_all_identical_files() -> None:
    # x is there three times, once labelled otherwise; y is its turned copy, twice, with either label.
    rows = [sample(id, id in "ce", sha256="xxxyy"["abcde".index(id)]) for id in "abcde"]
    found, count = findings.contrary(table(*rows), [Pair("a", "d", "turned", 0.99)])
    # a c, b c, d e, and of the six turned pairs a e, b e, c d
    assert count == 6
    assert [(pair.a, pair.b, pair.kind) for pair in found] == [
        ("a", "c", "identical"),
        ("d", "e", "identical"),
        ("a", "e", "turned"),
        ("c", "d", "turned"),
    ]
    assert findings.court_facts(table(*rows), twins(Pair("a", "d", "turned", 0.99)))["contrary"] == 6
    other_way = table(*(rows[i] for i in (2, 4, 0, 1, 3)))
    assert findings.contrary(other_way, [Pair("c", "e", "turned", 0.99)])[1] == 6


def test_a_file_that_is_there_very_often_makes_no_pair_of_each_two() -> None:
    rows = [sample(f"{i}", i % 2 == 1, sha256="x", part="test" if i % 3 else "train") for i in range(3000)]
    found, count = findings.contrary(table(*rows), ())
    assert (len(found), count) == (1, 1500 * 1500)
    facts = findings.published_facts(table(*rows), ())
    assert facts is not None
    assert facts["with_twin"] == 2000


def test_groups_that_the_recipe_forgets() -> None:
    made = replace(table(*(replace(row, group="one") for row in SIX.rows)), grouping="serial")
    assert findings.group_facts(made, twins(), 0.5)[0]["linked"]["number"] == 1
    facts, group = findings.group_facts(made, twins(), 0.5, "none")
    assert (facts["grouping"], facts["data"]["number"], facts["linked"]["number"]) == ("each image by itself", 6, 6)
    assert len(set(group.values())) == 6


def test_identical_files_with_other_labels_come_first() -> None:
    rows = (sample("a", sha256="x"), sample("b", sha256="x"), sample("c", sha256="y"), sample("d", True, sha256="y"))
    found = findings.copies(table(*rows))
    assert [entry["ids"] for entry in found] == [["c", "d"], ["a", "b"]]
    assert found[0]["labels"] == ["ok", "nok"]


def test_members_of_each_class_count_an_image_with_two_labels_twice() -> None:
    task = Task("multilabel", ("crack", "dark"), "good")
    rows = [((1.0, 1.0), "a"), ((0.0, 1.0), "b"), ((0.0, 0.0), "c")]
    made = Samples("m", task, tuple(Sample(id, id, target, id, id) for target, id in rows))
    assert findings.class_members(made) == {"crack": ["a"], "dark": ["a", "b"], "good": ["c"]}
    assert findings.class_members(SIX) == {"ok": ["a", "b", "d", "f"], "nok": ["c", "e"]}
    assert findings.class_members(table(sample("a")))["nok"] == []


def test_examples_are_spread_over_the_table() -> None:
    made = table(*(sample(f"{i:02d}") for i in range(30)), sample("bad", True))
    assert findings.examples(made) == {"ok": ["00", "05", "10", "15", "20", "25"], "nok": ["bad"]}


def test_a_sample_of_the_samples_keeps_the_rare_ones() -> None:
    made = table(*(sample(f"{i:03d}", bad=i % 30 == 0) for i in range(90)), sample("last", bad=True))
    few = findings.spread_sample(made, 12)
    assert [row.id for row in few.rows if row.target[0]] == ["000", "030", "060", "last"]
    good = [int(row.id) for row in few.rows if not row.target[0]]
    assert len(good) == 8 and max(good) > 70 and min(good) < 10  # spread over the table
    assert findings.spread_sample(made, 91) is made
