"""COCO files: polygons by the centres of the pixels, counts, and everything that cannot be used."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.path import Path as Outline

from flawscope.coco_counts import encode_counts
from flawscope.data.coco import coco_masks, fill_polygon, read_coco
from flawscope.errors import DataError

Json = dict[str, Any]
SQUARE = [1, 1, 4, 1, 4, 3, 1, 3]
CATEGORIES = [{"id": 2, "name": "scratch"}, {"id": 1, "name": "hole"}]


def write(folder: Path, shapes: list[Json], **given: Any) -> Path:
    content = {
        "images": [{"id": 7, "file_name": "a.png", "height": 5, "width": 6}, {"id": 8, "file_name": "b.png"}],
        "categories": CATEGORIES,
        "annotations": [{"id": 100 + i, "image_id": 7, "category_id": 1} | shape for i, shape in enumerate(shapes)],
    }
    (folder / "coco.json").write_text(json.dumps(content | given), encoding="utf-8")
    return folder / "coco.json"


def told(folder: Path, shapes: list[Json], classes: list[str] | None = None, **given: Any) -> str:
    with pytest.raises(DataError) as error:
        coco_masks(read_coco(write(folder, shapes, **given), classes), "a.png", 5, 6)
    assert error.value.remedy
    return error.value.problem


# --- polygons -------------------------------------------------------------------------------------------------------

points = st.lists(st.tuples(st.floats(-1, 13), st.floats(-1, 11)), min_size=3, max_size=9)


@given(points)
def test_a_pixel_is_set_if_its_centre_lies_inside(xy: list[tuple[float, float]]) -> None:
    """Against the number of crossings left of the centre, pixel by pixel."""
    xy_n2 = np.array(xy)
    expected_hw = np.zeros((10, 12), dtype=bool)
    for row, column in np.ndindex(10, 12):
        x, y = column + 0.5, row + 0.5
        for side in zip(xy, [*xy[1:], xy[0]], strict=True):
            (x0, y0), (x1, y1) = sorted(side, key=lambda point: point[1])
            if (y0 <= y) != (y1 <= y) and x0 + (y - y0) * (x1 - x0) / (y1 - y0) <= x:
                expected_hw[row, column] ^= True
    assert np.array_equal(fill_polygon(xy_n2, 10, 12), expected_hw)


def test_as_another_program_says() -> None:
    turn = np.linspace(0, 2 * np.pi, 12)[:-1]
    xy_n2 = np.stack([20 + 15.3 * np.cos(turn), 18 + 11.7 * np.sin(turn)], axis=1)
    y, x = np.mgrid[:40, :50] + 0.5
    inside = Outline(xy_n2).contains_points(np.stack([x.ravel(), y.ravel()], axis=1)).reshape(40, 50)
    assert np.array_equal(fill_polygon(xy_n2, 40, 50), inside)


@given(points, st.integers(1, 10), st.integers(1, 12))
def test_neighbours_share_no_pixel_and_leave_none_out(xy: list[tuple[float, float]], down: int, right: int) -> None:
    """A rectangle cut by a line through whole numbers or anything else: each pixel lies in one of the parts."""
    cut = np.array(xy[0])
    corners = np.array([[0.0, 0.0], [right, 0.0], [right, down], [0.0, down]])
    inner = np.clip(cut, 0, [right, down])
    parts = [fill_polygon(np.array([corners[i - 1], corners[i], inner]), 10, 12).astype(int) for i in range(4)]
    assert np.array_equal(sum(parts), fill_polygon(corners, 10, 12).astype(int))
    assert fill_polygon(corners, 10, 12).sum() == down * right


def test_areas_are_not_too_large() -> None:
    rng = np.random.default_rng(0)
    ratios = []
    for _ in range(200):
        turn = np.sort(rng.uniform(0, 2 * np.pi, 9))
        xy_n2 = 20 + 8 * np.stack([np.cos(turn), np.sin(turn)], axis=1) + rng.uniform(-1, 1, 2)
        x, y = xy_n2.T
        area = abs(np.sum(x * np.roll(y, -1) - y * np.roll(x, -1))) / 2
        ratios.append(fill_polygon(xy_n2, 40, 40).sum() / area)
    assert abs(np.mean(ratios) - 1) < 0.01


# --- files ----------------------------------------------------------------------------------------------------------


def test_polygons_and_counts(tmp_path: Path) -> None:
    counted_hw = np.zeros((5, 6), dtype=bool)
    counted_hw[2:, 3:] = True
    shapes: list[Json] = [
        {"segmentation": [SQUARE, [5, 4, 6, 4, 6, 5, 5, 5]]},
        {"category_id": 2, "segmentation": {"size": [5, 6], "counts": encode_counts(counted_hw)}},
        {"segmentation": {"size": [5, 6], "counts": [0, 1, 29]}},
    ]
    coco = read_coco(write(tmp_path, shapes))
    assert (coco.classes, list(coco.images)) == (("hole", "scratch"), ["a.png", "b.png"])
    mask_khw = coco_masks(coco, "a.png", 5, 6)
    assert (mask_khw.shape, mask_khw.dtype) == ((2, 5, 6), np.bool_)
    assert mask_khw[0].astype(int).tolist() == [
        [1, 0, 0, 0, 0, 0],
        [0, 1, 1, 1, 0, 0],
        [0, 1, 1, 1, 0, 0],
        [0, 0, 0, 0, 0, 0],
        [0, 0, 0, 0, 0, 1],
    ]
    assert np.array_equal(mask_khw[1], counted_hw)
    assert not coco_masks(coco, "b.png", 3, 3).any()
    turned = coco_masks(read_coco(coco.path, ["scratch", "hole"]), "a.png", 5, 6)
    assert np.array_equal(turned, mask_khw[::-1])


def test_annotations_that_cannot_be_used_are_listed(tmp_path: Path) -> None:
    shapes: list[Json] = [
        {"bbox": [1, 1, 3, 2]},
        {"segmentation": []},
        {"image_id": 9, "segmentation": [SQUARE]},
        {"category_id": 9, "segmentation": [SQUARE]},
        {"category_id": [1], "segmentation": [SQUARE]},
        {"category_id": 2, "segmentation": [SQUARE]},
    ]
    problem = told(tmp_path, shapes, ["hole"])
    for words in (
        "6 images, categories or annotations cannot be used",
        "annotation 100 (a.png): a box only, an outline or counts are needed",
        "annotation 101 (a.png): nothing drawn",
        "annotation 102: there is no image 9",
        "annotation 103 (a.png): there is no category 9",
        "annotation 104 (a.png): there is no category [1]",
        "annotation 105 (a.png): no class is called 'scratch'",
    ):
        assert words in problem


def test_images_and_categories_that_cannot_be_used(tmp_path: Path) -> None:
    images = [{"id": 1, "file_name": "a.png"}, {"id": 1, "file_name": "b.png"}, {"id": 2}, {"file_name": "c.png"}, 3]
    problem = told(tmp_path, [], images=images)
    for words in ("2 of image: have the id 1", "image 2: has no file_name", "image 4: has no id", "image 5: has no id"):
        assert words in problem
    assert "2 of image: have the file_name 'a.png'" in told(
        tmp_path, [], images=[{"id": 1, "file_name": "a.png"}, {"id": 2, "file_name": "a.png"}]
    )
    assert "2 of category: have the name 'x'" in told(
        tmp_path, [], categories=[{"id": 1, "name": "x"}, {"id": 2, "name": "x"}]
    )
    assert "names no image" in told(tmp_path, [], images=[])


@pytest.mark.parametrize(
    ("segmentation", "words"),
    [
        ([[1, 1, 4, 1]], "a polygon of 4 numbers"),
        ([[1, 1, 4, 1, 4, 3, 1]], "a polygon of 7 numbers"),
        ([[1, 1, 4, 1, 4, "3"]], "something that is no coordinate"),
        ([[1, 1, 4, 1, 4, float("nan")]], "something that is no coordinate"),
        ([[1, 1, 4, 1, 4, 9]], "the point (4, 9) lies beyond the image of 6 x 5 pixels"),
        ([[1, 1, -3, 1, 4, 3]], "the point (-3, 1) lies beyond the image"),
        ([[1, 1, 1.2, 1, 1.2, 1.2]], "covers no pixel"),
        (SQUARE, "neither counts nor a list of polygons"),
        ("dots", "neither counts nor a list of polygons"),
        ({"size": [6, 5], "counts": [30]}, "the counts are of size [6, 5], the image has [5, 6]"),
        ({"size": [5, 6], "counts": [29]}, "the counts add up to 29 pixels"),
        ({"size": [5, 6], "counts": "~"}, "does not belong to packed counts"),
        ({"size": [5, 6]}, "no list of whole numbers"),
        ({"size": [5, 6], "counts": [30]}, "covers no pixel"),
    ],
)
def test_outlines_that_cannot_be_used(segmentation: Any, words: str, tmp_path: Path) -> None:
    problem = told(tmp_path, [{"segmentation": segmentation}])
    assert problem.startswith("coco.json, annotation 100 (a.png): ")
    assert words in problem


def test_points_just_beyond_the_edge_are_cut_off(tmp_path: Path) -> None:
    coco = read_coco(write(tmp_path, [{"segmentation": [[-1, -1, 7.5, -1, 7.5, 6, -1, 6]]}]))
    assert coco_masks(coco, "a.png", 5, 6)[0].all()


def test_another_size_or_another_image(tmp_path: Path) -> None:
    coco = read_coco(write(tmp_path, [{"segmentation": [SQUARE]}]))
    with pytest.raises(DataError, match=r"coco.json: a.png is 6 x 5 pixels there, the picture 5 x 6"):
        coco_masks(coco, "a.png", 6, 5)
    with pytest.raises(DataError, match=r"names no image 'c.png'"):
        coco_masks(coco, "c.png", 5, 6)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "no JSON"),
        ("{", "no JSON"),
        ("[]", "no COCO file"),
        ('{"images": []}', "no COCO file"),
        ("[" * 9999, "no JSON"),
    ],
)
def test_files_that_are_no_coco_file(content: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "c.json").write_text(content, encoding="utf-8")
    with pytest.raises(DataError, match=words):
        read_coco(tmp_path / "c.json")
    with pytest.raises(DataError, match="does not exist"):
        read_coco(tmp_path / "no.json")
    with pytest.raises(DataError, match="cannot be read"):
        read_coco(tmp_path)
