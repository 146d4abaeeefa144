from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from flawscope.data.split import SplitSpec, check_split, make_folds, make_split
from flawscope.errors import SplitError
from flawscope.records import PARTS, Pair, Part, Samples, Split, Task, Twins

Make = Callable[..., Samples]
MANY = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def blocks(make_samples: Make, n: int = 600, size: int = 15, seed: int = 0) -> Samples:
    rng = np.random.default_rng(seed)
    return make_samples((rng.random((n, 1)) < 0.3).tolist(), groups=[f"block-{i // size}" for i in range(n)])


def test_single_images_are_split_exactly_and_stratified(make_samples: Make) -> None:
    task = Task("multilabel", ("crack", "inactive"))
    samples = make_samples([[i % 5 == 0, i % 10 == 0] for i in range(1000)], task=task)
    split = make_split(samples, SplitSpec())
    assert Counter(split.part.values()) == {"train": 500, "validation": 100, "calibration": 200, "test": 200}
    for part in PARTS:
        share = Counter(samples.select(split.ids(part)).combinations())
        n = len(split.ids(part))
        assert share == {"ok": 0.8 * n, "crack": 0.1 * n, "crack + inactive": 0.1 * n}
    assert split.notes == ()
    assert split.stamp == "LEAK NOT CHECKED"


def test_groups_stay_whole_and_parts_come_near_to_what_was_wanted(make_samples: Make) -> None:
    samples = blocks(make_samples)
    split = make_split(samples, SplitSpec())
    check_split(split, samples)
    for part, share in SplitSpec().wanted.items():
        chosen = samples.select(split.ids(part))
        assert abs(len(chosen) - share * 600) <= 15
        assert abs(chosen.target_nk.mean() - samples.target_nk.mean()) < 0.08


def test_the_seed_alone_decides(make_samples: Make) -> None:
    samples = blocks(make_samples)
    assert make_split(samples, SplitSpec(seed=3)) == make_split(samples, SplitSpec(seed=3))
    assert make_split(samples, SplitSpec(seed=3)).hash != make_split(samples, SplitSpec(seed=4)).hash


def test_identical_files_stay_together_even_without_groups(make_samples: Make) -> None:
    samples = make_samples([[i % 2] for i in range(200)], contents=[f"content {i % 50}" for i in range(200)])
    split = make_split(samples, SplitSpec(groups="none"))
    for i in range(50):
        assert len({split.part[f"{j}.png"] for j in range(i, 200, 50)}) == 1
    assert "byte-identical files joined" in split.method


@MANY
@given(
    sizes=st.lists(st.integers(1, 30), min_size=6, max_size=40),
    k=st.integers(3, 6),
    seed=st.integers(0, 1000),
    data=st.data(),
)
def test_every_group_is_tested_in_exactly_one_fold(
    make_samples: Make, sizes: list[int], k: int, seed: int, data: st.DataObject
) -> None:
    groups = [f"g{i}" for i, size in enumerate(sizes) for _ in range(size)]
    targets = data.draw(st.lists(st.sampled_from([[0], [1]]), min_size=len(groups), max_size=len(groups)))
    samples = make_samples(targets, groups=groups)
    try:
        folds = make_folds(samples, SplitSpec(seed=seed), k)
    except SplitError as error:
        assert "cannot fill" in error.problem  # a fold may take so many groups that too few are left
        return
    tested = Counter(name for fold in folds for name in fold.ids("test"))
    assert tested == {row.id: 1 for row in samples.rows}
    for number, fold in enumerate(folds):
        check_split(fold, samples)
        assert set(fold.part.values()) == set(PARTS)
        assert (fold.fold, fold.folds) == (number, k)
        assert fold.wanted["test"] == 1 / k
        assert sum(fold.wanted.values()) == pytest.approx(1)


def test_too_few_groups_is_an_error_in_words(make_samples: Make) -> None:
    samples = make_samples([[i % 2] for i in range(30)], groups=[f"g{i % 3}" for i in range(30)])
    with pytest.raises(SplitError, match=r"3 groups .* cannot fill 4 parts"):
        make_split(samples, SplitSpec())
    with pytest.raises(SplitError, match="cannot fill 5 parts"):
        make_folds(samples, SplitSpec(), 5)


def test_four_groups_fill_four_parts_and_the_notes_say_what_it_cost(make_samples: Make) -> None:
    samples = make_samples([[i < 10] for i in range(40)], groups=[f"g{i // 10}" for i in range(40)])
    split = make_split(samples, SplitSpec())
    assert set(split.part.values()) == set(PARTS)
    notes = " | ".join(split.notes)
    assert "instead of" in notes
    assert "holds no image of 'bad'" in notes


@pytest.mark.parametrize("k", [0, 1])
def test_one_fold_is_no_cross_validation(make_samples: Make, k: int) -> None:
    with pytest.raises(SplitError, match="at least 2 folds"):
        make_folds(blocks(make_samples), SplitSpec(), k)


def test_folds_that_leave_nothing_to_train_on(make_samples: Make) -> None:
    with pytest.raises(SplitError, match="nothing to train on"):
        make_folds(blocks(make_samples), SplitSpec(validation=0.3, calibration=0.3), 2)


@pytest.mark.parametrize(
    "wrong",
    [
        {"test": 0},
        {"test": 0.7},
        {"validation": -0.1},
        {"groups": "some"},
        {"twins": "some"},
        {"largest_group": 0},
        {"fold": 1},
        {"file": "g.json", "published": "keep"},
    ],
)
def test_shares_that_make_no_split_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        SplitSpec.model_validate(wrong)


def test_a_group_that_crosses_is_named(make_samples: Make) -> None:
    samples = blocks(make_samples)
    split = make_split(samples, SplitSpec())
    test, train = split.ids("test")[0], split.ids("train")[0]
    moved = replace(split, part={**split.part, test: "train"})
    with pytest.raises(SplitError, match=f"{split.group[test]}: 1 in train, 14 in test"):
        check_split(moved, samples)
    # Also when the split file claims other groups: they are worked out from the samples.
    claimed = replace(moved, group={name: name for name in split.part})
    with pytest.raises(SplitError, match="1 group crosses"):
        check_split(claimed, samples)
    check_split(claimed, samples, groups="none")
    # And groups that only the split knows of, such as twins found by a search, hold too.
    twins = replace(split, group={**split.group, test: "twins", train: "twins"})
    with pytest.raises(SplitError, match="twins: 1 in train, 1 in test"):
        check_split(twins, samples, groups="none")


def test_an_identical_file_on_the_other_side_is_found(make_samples: Make) -> None:
    samples = make_samples([[i % 2] for i in range(40)])
    split = make_split(samples, SplitSpec())
    copy, other = split.ids("test")[0], split.ids("train")[0]
    content = {row.id: row.sha256 for row in samples.rows} | {copy: "same", other: "same"}
    changed = replace(samples, rows=tuple(replace(row, sha256=content[row.id]) for row in samples.rows))
    with pytest.raises(SplitError, match="1 in train, 1 in test"):
        check_split(split, changed)


def test_missing_and_unknown_samples_are_named(make_samples: Make) -> None:
    samples = blocks(make_samples)
    split = make_split(samples, SplitSpec())
    fewer = replace(samples, rows=samples.rows[1:])
    with pytest.raises(SplitError, match=r"not in the data: 0\.png"):
        check_split(split, fewer)
    with pytest.raises(SplitError, match=r"not in the split: 0\.png"):
        check_split(make_split(fewer, SplitSpec()), samples)


# --- images of the same thing -----------------------------------------------------------------------------------


def court(samples: Samples, *pairs: Pair) -> Twins:
    return Twins(tuple(pairs), len(samples), "the court")


def crossing(split: Split, twins: Twins) -> list[Pair]:
    part = split.part
    return [pair for pair in twins.pairs if pair.a in part and pair.b in part and part[pair.a] != part[pair.b]]


def test_twins_stay_together_and_the_stamp_goes(make_samples: Make) -> None:
    samples = make_samples([[i % 2] for i in range(200)])
    twins = court(samples, *(Pair(f"{i}.png", f"{i + 100}.png", "sister", 0.9) for i in range(100)))
    split = make_split(samples, SplitSpec(), twins)
    assert split.stamp == "leak checked: the court"
    assert split.left_out == {}
    assert all(split.part[f"{i}.png"] == split.part[f"{i + 100}.png"] for i in range(100))
    assert len(set(split.group.values())) == 100
    assert split.notes == ("the largest group holds 2 of 200 images; no chain of pairs had to be cut",)
    check_split(split, samples, twins)
    assert crossing(make_split(samples, SplitSpec()), twins)


def test_a_chain_through_all_images_is_cut_and_what_leaks_is_left_out(make_samples: Make) -> None:
    samples = make_samples([[i % 2] for i in range(300)])
    chain = [Pair(f"{i}.png", f"{i + 1}.png", "sister", 0.99 - i / 1000) for i in range(299)]
    twins = court(samples, *chain)
    split = make_split(samples, SplitSpec(), twins)
    check_split(split, samples, twins)
    assert max(Counter(split.group.values()).values()) <= 30
    assert 0 < len(split.left_out) < 12
    assert set(split.part) | set(split.left_out) == {row.id for row in samples.rows}
    notes = " | ".join(split.notes)
    assert "chains of pairs would make a group of 300 of 300 images; they were cut at 30 images" in notes
    assert "images were left out of train" in notes
    assert make_split(samples, SplitSpec(), court(samples, *reversed(chain))) == split


def test_a_part_that_lacks_what_was_left_out_says_so(make_samples: Make) -> None:
    samples = came_with(make_samples([[i % 2] for i in range(100)]))
    twins = court(samples, *(Pair(f"{i}.png", "99.png", "sister", 0.9) for i in range(30)))
    split = make_split(samples, KEEP, twins)
    assert len(split.left_out) == 30
    sizes = [note for note in split.notes if note.startswith("train: ") and "instead of" in note]
    assert len(sizes) == 1 and sizes[0].endswith("(groups stay whole, and images were left out)")


def test_a_split_that_twins_cross_is_refused(make_samples: Make) -> None:
    samples = make_samples([[i % 2] for i in range(40)])
    split = make_split(samples, SplitSpec())
    test, train = split.ids("test")[0], split.ids("train")[0]
    pair = Pair(test, train, "turned", 0.987)
    words = rf"1 pair of the same thing across the split:\n  {test} in test, {train} in train \(turned, 0\.987\)"
    with pytest.raises(SplitError, match=words):
        check_split(split, samples, court(samples, pair))
    part = {name: its for name, its in split.part.items() if name != train}
    check_split(replace(split, part=part, left_out={train: "leaks"}), samples, court(samples, pair))


pair_lists = st.lists(
    st.tuples(st.integers(0, 58), st.integers(1, 59), st.sampled_from(["identical", "turned", "sister"])), max_size=80
)


@MANY
@given(rows=pair_lists, grouped=st.booleans(), same=st.lists(st.integers(0, 40), min_size=60, max_size=60))
def test_nothing_leaks_whatever_the_court_finds(
    make_samples: Make, rows: list[tuple[int, int, str]], grouped: bool, same: list[int]
) -> None:
    samples = make_samples(
        [[i % 3 == 0] for i in range(60)],
        groups=[f"g{i // 5}" for i in range(60)] if grouped else None,
        contents=[f"content {i if i > 20 else number}" for i, number in enumerate(same)],
    )
    twins = court(samples, *(Pair(f"{a}.png", f"{max(a + 1, b)}.png", kind, 0.9) for a, b, kind in rows))  # type: ignore[arg-type]
    try:
        made = [make_split(samples, SplitSpec(), twins), *make_folds(samples, SplitSpec(), 4, twins)]
    except SplitError as error:
        assert "cannot fill" in error.problem or "nothing is left of" in error.problem
        return
    for split in made:
        check_split(split, samples, twins)
        assert not crossing(split, twins)
        assert set(split.part.values()) == set(PARTS)
        part_of: dict[str, set[Part]] = {}
        for row in samples.rows:
            if row.id in split.part:
                part_of.setdefault(row.sha256, set()).add(split.part[row.id])
        assert all(len(parts) == 1 for parts in part_of.values())
    tested = Counter(name for fold in made[1:] for name in fold.ids("test"))
    assert tested == {row.id: 1 for row in samples.rows}


def test_a_group_larger_than_a_part_is_told(make_samples: Make) -> None:
    samples = make_samples([[i % 2] for i in range(100)], groups=["one" if i < 30 else f"{i}" for i in range(100)])
    notes = " | ".join(make_split(samples, SplitSpec()).notes)
    words = "the largest group, 30 of 100 images, is larger than validation, calibration and test should be"
    assert f"{words}: it is whole in train" in notes


# --- the split that the data came with --------------------------------------------------------------------------


def came_with(samples: Samples, **given: str) -> Samples:
    """Samples with a published part: the last quarter is the test part, unless `given` says otherwise."""
    n = len(samples)
    rows = [
        replace(row, published=given.get(f"i{i}", "test" if i >= 0.75 * n else "train"))  # type: ignore[arg-type]
        for i, row in enumerate(samples.rows)
    ]
    return replace(samples, rows=tuple(rows))


KEEP = SplitSpec(published="keep")


def test_a_published_test_part_stays_and_the_rest_is_dealt(make_samples: Make) -> None:
    samples = came_with(make_samples([[i % 2] for i in range(500)]), **{f"i{i}": "train" for i in range(400)})
    split = make_split(samples, KEEP)
    assert split.ids("test") == [f"{i}.png" for i in range(400, 500)]
    size = Counter(split.part.values())
    assert [size[name] for name in PARTS] == [250, 50, 100, 100]
    assert split.left_out == {}
    assert split.wanted == pytest.approx({"train": 0.5, "validation": 0.1, "calibration": 0.2, "test": 0.2})
    assert split.stamp == "LEAK NOT CHECKED"
    check_split(split, samples)


def test_what_leaks_into_a_published_test_part_is_left_out_with_the_reason(make_samples: Make) -> None:
    contents = [f"content {i}" for i in range(80)]
    contents[79] = "content 0"
    samples = came_with(make_samples([[i % 2] for i in range(80)], contents=contents))
    groups = {"1.png": "serial 7", "78.png": "serial 7"}
    samples = replace(samples, rows=tuple(replace(row, group=groups.get(row.id, row.group)) for row in samples.rows))
    twins = court(
        samples,
        Pair("2.png", "77.png", "sister", 0.91),
        Pair("2.png", "3.png", "sister", 0.9),
        Pair("4.png", "5.png", "sister", 0.9),
    )
    split = make_split(samples, KEEP, twins)
    assert split.left_out == {
        "0.png": "belongs to 79.png, which is in the test part (a copy, or the same group of the data)",
        "1.png": "belongs to 78.png, which is in the test part (a copy, or the same group of the data)",
        "2.png": "shows the same as 77.png, which is in the test part (sister, correlation 0.910)",
    }
    assert len(split.ids("test")) == 20
    assert split.part["4.png"] == split.part["5.png"]
    assert any(note.startswith("3 images were left out of ") for note in split.notes)
    check_split(split, samples, twins)
    # The groups of the data count only where they are asked for.
    assert "1.png" in make_split(samples, KEEP.model_copy(update={"groups": "none"}), twins).part


def test_published_validation_and_calibration_stay(make_samples: Make) -> None:
    parts = {f"i{i}": "validation" for i in range(10)} | {f"i{i}": "calibration" for i in range(10, 30)}
    samples = came_with(make_samples([[i % 2] for i in range(100)]), **parts)
    twins = court(samples, Pair("5.png", "15.png", "sister", 0.9), Pair("15.png", "95.png", "sister", 0.9))
    split = make_split(samples, KEEP, twins)
    assert set(split.left_out) == {"15.png"}
    assert all(split.part[row.id] == row.published for row in samples.rows if row.id != "15.png")


@MANY
@given(rows=pair_lists, seed=st.integers(0, 99))
def test_a_kept_split_does_not_leak_either(make_samples: Make, rows: list[tuple[int, int, str]], seed: int) -> None:
    rng = np.random.default_rng(seed)
    parts = {f"i{i}": str(rng.choice(["train", "train", "train", "validation", "test"])) for i in range(60)}
    samples = make_samples([[i % 2] for i in range(60)], groups=[f"g{i // 2}" for i in range(60)])
    samples = came_with(samples, **parts)
    twins = court(samples, *(Pair(f"{a}.png", f"{max(a + 1, b)}.png", kind, 0.9) for a, b, kind in rows))  # type: ignore[arg-type]
    try:
        split = make_split(samples, KEEP, twins)
    except SplitError as error:
        assert "cannot fill" in error.problem or "nothing is left of" in error.problem
        return
    check_split(split, samples, twins)
    assert not crossing(split, twins)
    assert split.ids("test") == [row.id for row in samples.rows if row.published == "test"]
    assert set(split.ids("validation")) <= {row.id for row in samples.rows if row.published == "validation"}


def test_published_splits_that_cannot_be_kept(make_samples: Make) -> None:
    samples = make_samples([[i % 2] for i in range(40)])
    with pytest.raises(SplitError, match=r"40 of 40 images have no part in a published split\n.*data\.part_column"):
        make_split(samples, KEEP)
    with pytest.raises(SplitError, match=r"has only the parts test\n"):
        make_split(came_with(samples, **{f"i{i}": "test" for i in range(40)}), KEEP)
    with pytest.raises(SplitError, match=r"one test part(?s:.)*split\.published: ignore"):
        make_folds(came_with(samples), KEEP, 5)
    one_lot = replace(samples, rows=tuple(replace(row, group="lot") for row in came_with(samples).rows))
    with pytest.raises(SplitError, match=r"0 groups .* cannot fill 3 parts"):
        make_split(one_lot, KEEP)
