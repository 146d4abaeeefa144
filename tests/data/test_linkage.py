"""Chains of pairs become groups, as far as the limit lets them."""

from collections import Counter
from collections.abc import Callable
from itertools import combinations, pairwise
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flawscope.data.court.search import KEPT
from flawscope.data.linkage import COPY_KINDS, DENSE, PARTNERS, link, link_samples
from flawscope.records import PAIR_KINDS, Pair, Samples, Twins

NAMES = [f"i{number}" for number in range(24)]
bases = st.lists(st.sampled_from(["A", "B", "C", ""]), min_size=24, max_size=24).map(
    lambda groups: {name: group or name for name, group in zip(NAMES, groups, strict=True)}
)
pairs = st.lists(
    st.tuples(st.integers(0, 22), st.integers(1, 23), st.sampled_from(PAIR_KINDS), st.sampled_from([0.7, 0.8, 0.9])),
    max_size=40,
).map(lambda rows: [Pair(NAMES[a], NAMES[max(a + 1, b)], kind, measure) for a, b, kind, measure in rows])


def alone(*names: str) -> dict[str, str]:
    return {name: name for name in names}


def test_the_plainest_kind_and_the_highest_measure_go_first() -> None:
    base = alone("a", "b", "c", "d")
    weak, strong, plain = (
        Pair("a", "b", "sister", 0.8),
        Pair("b", "c", "sister", 0.9),
        Pair("c", "d", "exposure", 0.7),
    )
    linked = link(base, [weak, strong, plain], limit=3)
    assert linked.group == {"a": "a", "b": "b", "c": "b", "d": "b"}
    assert linked.cut == (weak,)
    assert (linked.unbounded, linked.largest) == (4, 3)
    assert "a group of 4 of 4 images; they were cut at 3 images: the largest group holds 3 now, 1 pair" in linked.words
    assert "no chain of pairs had to be cut" in link(base, [weak, strong, plain], limit=4).words


@pytest.mark.parametrize("kind", PAIR_KINDS)
def test_copies_of_single_images_join_beyond_the_limit_but_not_groups_of_the_data(kind: str) -> None:
    chain = [Pair(a, b, kind, 0.99) for a, b in (("a", "b"), ("b", "c"), ("c", "d"))]  # type: ignore[arg-type]
    linked = link(alone("a", "b", "c", "d"), chain, limit=2)
    assert linked.largest == (4 if kind in COPY_KINDS else 2)
    with_a_group = link({"a": "g", "b": "b", "c": "c", "d": "d", "e": "g"}, chain, limit=2)
    assert with_a_group.group["a"] == with_a_group.group["e"] == "g"
    assert with_a_group.group["b"] == "b"
    assert chain[0] in with_a_group.cut


def test_groups_of_the_data_are_never_torn_apart() -> None:
    base = dict.fromkeys("abc", "g") | {"d": "d"}
    linked = link(base, [Pair("c", "d", "sister", 0.9)], limit=2)
    assert linked.group == base
    assert linked.largest == 3


def test_a_pair_that_others_have_joined_is_not_counted_as_cut() -> None:
    direct, by_way = Pair("a", "c", "sister", 0.7), [Pair("a", "b", "sister", 0.9), Pair("b", "c", "sister", 0.8)]
    linked = link(alone("a", "b", "c"), [direct, *by_way], limit=3)
    assert linked.cut == ()


def all_pairs(names: list[str], measure: float = 0.7) -> list[Pair]:
    return [Pair(a, b, "sister", measure) for a, b in combinations(names, 2)]


def test_a_cluster_is_not_cut_and_two_clusters_with_one_link_are() -> None:
    first, second = [f"a{i:02d}" for i in range(9)], [f"b{i:02d}" for i in range(9)]
    link_between = Pair("a00", "b00", "sister", 0.6)
    linked = link(alone(*first, *second), [*all_pairs(first), *all_pairs(second), link_between], limit=4)
    assert set(linked.group.values()) == {"a00", "b00"}
    assert linked.cut == (link_between,)
    assert linked.largest == 9


def test_a_large_cluster_needs_no_more_partners_than_the_search_keeps() -> None:
    assert PARTNERS == KEPT
    names, random = [f"i{i:02d}" for i in range(20)], Random(0)
    some = {frozenset((name, other)) for name in names for other in random.sample(names, PARTNERS) if name != other}
    assert link(alone(*names), [Pair(*sorted(each), "sister", 0.9) for each in some], limit=4).largest == 20
    thin = [Pair(a, b, "sister", 0.9) for a, b in pairwise(names)]
    assert link(alone(*names), thin, limit=4).largest == 4, "a chain"


def test_pairs_of_other_samples_are_our_own_mistake() -> None:
    with pytest.raises(ValueError, match="not in the table: \\['x'\\]"):
        link(alone("a"), [Pair("a", "x", "sister", 0.9)], limit=2)


@given(base=bases, found=pairs, limit=st.integers(2, 24), shuffled=st.randoms(use_true_random=False))
def test_what_holds_for_all_pairs_and_limits(
    base: dict[str, str], found: list[Pair], limit: int, shuffled: object
) -> None:
    linked = link(base, found, limit)
    # The order of the pairs does not count.
    other = list(found)
    shuffled.shuffle(other)  # type: ignore[attr-defined]
    assert link(base, other, limit).group == linked.group
    # Groups of the data stay whole, and each pair joins or is cut.
    assert len({(own, linked.group[name]) for name, own in base.items()}) == len(set(base.values()))
    crossing = {(pair.a, pair.b) for pair in found if linked.group[pair.a] != linked.group[pair.b]}
    assert {(pair.a, pair.b) for pair in linked.cut} == crossing
    # What is larger than the limit was so in the data, or is made of copies of images that stood alone.
    held = Counter(base.values())
    for name, n in Counter(linked.group.values()).items():
        inside = {base[image] for image, group in linked.group.items() if group == name}
        within = {frozenset((p.a, p.b)) for p in found if linked.group[p.a] == linked.group[p.b] == name}
        dense = len(within) >= DENSE * n * min(n - 1, PARTNERS) / 2
        assert n <= limit or len(inside) == 1 or all(held[own] == 1 for own in inside) or dense
    # Without a limit it is plain single linkage.
    free = link(base, found, len(base))
    assert free.largest == free.unbounded == linked.unbounded >= linked.largest
    assert free.cut == ()


def test_samples_are_linked_by_their_files_as_well(make_samples: Callable[..., Samples]) -> None:
    samples = make_samples([[0]] * 6, contents=["1", "2", "3", "1", "5", "6"])
    twins = Twins((Pair("1.png", "3.png", "sister", 0.9),), 6, "court")
    linked = link_samples(samples, twins, share=0.5)
    assert [linked.group[f"{i}.png"] for i in (0, 1, 3)] == ["0.png"] * 3
    assert linked.limit == 3
