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
from flawscope.records import PARTS, Samples, Task

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


@pytest.mark.parametrize("wrong", [{"test": 0}, {"test": 0.7}, {"validation": -0.1}, {"groups": "some"}])
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
    with pytest.raises(SplitError, match="1 groups cross"):
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
