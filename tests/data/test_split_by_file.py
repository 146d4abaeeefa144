from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest

from flawscope.data.group_file import save_groups
from flawscope.data.split import SplitSpec, check_split, make_folds, make_split
from flawscope.errors import SplitError
from flawscope.records import Pair, Samples, Twins

Make = Callable[..., Samples]


@pytest.fixture
def folds_file(make_samples: Make, tmp_path: Path) -> Path:
    """100 images in 20 groups and 4 folds."""
    samples = make_samples([[i % 2] for i in range(100)])
    group = {f"{i}.png": f"g{i // 5}" for i in range(100)}
    fold = {f"{i}.png": i // 5 % 4 for i in range(100)}
    save_groups(tmp_path / "g.json", "bench", samples, group, fold)
    return tmp_path / "g.json"


def test_a_group_file_says_groups_and_folds(make_samples: Make, folds_file: Path) -> None:
    # The groups of the data are others, and do not count.
    samples = make_samples([[i % 2] for i in range(100)], groups=[f"other {i % 7}" for i in range(100)])
    spec = SplitSpec(file=folds_file)
    folds = make_folds(samples, spec, 4)
    for number, split in enumerate(folds):
        assert split.ids("test") == [f"{i}.png" for i in range(100) if i // 5 % 4 == number]
        assert split.group["99.png"] == "g19"
        assert "groups and folds of bench (hash " in split.method
        check_split(split, samples, groups=spec.respected)
    assert make_split(samples, spec) == folds[0]
    assert make_split(samples, spec.model_copy(update={"fold": 3})) == folds[3]


def test_twins_are_searched_across_the_groups_of_a_file(make_samples: Make, folds_file: Path) -> None:
    samples = make_samples([[i % 2] for i in range(100)])
    chain = [Pair(f"{5 * a}.png", f"{5 * b}.png", "sister", 0.9) for a, b in pairwise(range(20))]
    twins = Twins(tuple(chain), len(samples), "the court")
    for split in make_folds(samples, SplitSpec(file=folds_file), 4, twins):
        check_split(split, samples, twins, groups="none")
        assert len(split.ids("test")) == 25
        assert split.left_out
        assert split.stamp == "leak checked: the court"


def test_group_files_that_do_not_fit(make_samples: Make, folds_file: Path) -> None:
    samples = make_samples([[i % 2] for i in range(101)])
    spec = SplitSpec(file=folds_file)
    with pytest.raises(SplitError, match=r"4 folds, asked for were 5"):
        make_folds(samples, spec, 5)
    with pytest.raises(SplitError, match=r"1 of 101 images are not in the group file 'bench':\n  100\.png"):
        make_folds(samples, spec, 4)
    with pytest.raises(SplitError, match=r"split\.fold is 4, .* has the folds 0 to 3"):
        make_split(samples, SplitSpec(file=folds_file, fold=4))
    with pytest.raises(SplitError, match="does not exist"):
        make_split(samples, SplitSpec(file=folds_file.with_name("no")))
