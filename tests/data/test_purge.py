"""What would leak is left out of the earlier part, and nothing else."""

from itertools import product

from hypothesis import given
from hypothesis import strategies as st

from flawscope.data.purge import purge, told
from flawscope.records import PARTS, Pair, Part

NAMES = [f"i{number}" for number in range(16)]
parts = st.lists(st.sampled_from(PARTS), min_size=16, max_size=16).map(lambda its: dict(zip(NAMES, its, strict=True)))
pairs = st.lists(st.tuples(st.integers(0, 14), st.integers(1, 15)), max_size=25).map(
    lambda rows: [Pair(NAMES[a], NAMES[max(a + 1, b)], "sister", 0.9) for a, b in rows]
)
keys = st.lists(st.integers(0, 30).map(str), min_size=16, max_size=16).map(
    lambda its: dict(zip(NAMES, its, strict=True))
)


def test_an_image_that_is_left_out_takes_no_other_with_it() -> None:
    part: dict[str, Part] = {"a": "train", "b": "validation", "c": "test", "d": "train"}
    chain = [Pair("a", "b", "sister", 0.9), Pair("b", "c", "identical", 1.0)]
    out = purge(part, chain, {name: name for name in part})
    assert out == {"b": "shows the same as c, which is in the test part (identical, the same file)"}
    assert told(part, out) == ["1 image was left out of validation: what each shows is in a later part as well"]


def test_the_plainest_pair_is_the_reason() -> None:
    part: dict[str, Part] = {"a": "train", "b": "test", "c": "test"}
    out = purge(part, [Pair("a", "b", "sister", 0.95), Pair("a", "c", "turned", 0.9)], {name: name for name in part})
    assert out == {"a": "shows the same as c, which is in the test part (turned, correlation 0.900)"}


def test_equal_keys_are_the_same_thing() -> None:
    part: dict[str, Part] = {"a": "train", "b": "test", "c": "calibration"}
    assert purge(part, [], {"a": "x", "b": "x", "c": "c"}, "same serial") == {
        "a": "belongs to b, which is in the test part (same serial)"
    }


@given(part=parts, found=pairs, together=keys)
def test_nothing_crosses_and_no_fewer_could_be_left_out(
    part: dict[str, Part], found: list[Pair], together: dict[str, str]
) -> None:
    out = purge(part, found, together)
    related = {(p.a, p.b) for p in found} | {(p.b, p.a) for p in found}
    related |= {(a, b) for a, b in product(NAMES, NAMES) if a != b and together[a] == together[b]}
    crossing = {(a, b) for a, b in related if PARTS.index(part[a]) < PARTS.index(part[b])}
    assert not [(a, b) for a, b in crossing if a not in out and b not in out]
    # Each one that is out is the earlier half of something whose later half stays.
    assert all(any((name, other) in crossing and other not in out for other in NAMES) for name in out)
    assert not [name for name in out if part[name] == "test"]
