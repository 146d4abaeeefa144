from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from flawscope.pages.inside import channel_tiles, filter_tiles, mean_tiles

RNG = np.random.default_rng(0)


def opened(content: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(content)) as image:
        return np.asarray(image.convert("L"), dtype=int)


@pytest.mark.parametrize("shape", [(6, 1, 5, 5), (64, 3, 7, 7), (512, 256, 1, 1), (16, 6, 3, 3), (1, 1, 1, 1)])
@pytest.mark.parametrize("scale", [1.0, 0.003])
def test_filters_of_every_shape_are_drawn_whole(shape: tuple[int, ...], scale: float) -> None:
    figure = opened(filter_tiles(scale * RNG.normal(size=shape), "layers.0"))
    for edge in (figure[0], figure[-1], figure[:, 0], figure[:, -1]):
        assert edge.min() >= 250
    assert figure.max() - figure.min() > 200


def test_the_largest_value_is_white_and_the_smallest_black() -> None:
    weight = np.zeros((1, 1, 3, 3))
    weight[0, 0, 0, 0], weight[0, 0, 2, 2] = -1, 1
    figure = opened(filter_tiles(weight, "conv"))
    dark = np.argwhere(figure < 5)
    assert dark[:, 0].mean() < figure.shape[0] / 2
    grey = np.abs(figure - 127) < 3
    assert grey.sum() > 5000  # seven values of 0


@pytest.mark.parametrize("shape", [(64, 8, 8), (1280, 3, 3), (70, 300, 200), (200, 4, 20)])
def test_every_channel_is_drawn(shape: tuple[int, int, int]) -> None:
    map_chw = np.ones(shape, dtype=np.float32)
    map_chw[-1] = 0.0
    figure = opened(channel_tiles(map_chw, ""))
    rows = (figure < 5).sum(axis=1) > 40  # the black end of the scale is narrower
    tiles = np.flatnonzero(np.diff(np.concatenate([[False], rows, [False]]).astype(int)) == 1)
    assert len(tiles) == 1, "the last channel is black"


def test_channels_and_means_are_drawn() -> None:
    tall = opened(channel_tiles(RNG.normal(size=(5, 8, 6)), "relu"))
    many = opened(channel_tiles(RNG.normal(size=(200, 4, 20)), "relu"))
    same = opened(channel_tiles(np.zeros((2, 3, 3)), "relu"))
    means = opened(
        mean_tiles([("a", "5 x 5", RNG.normal(size=(5, 5))), ("b" * 90, "1", np.zeros((2, 4)))] * 4, "means")
    )
    for figure in (tall, many, same, means):
        assert min(figure.shape) > 100
        assert figure[0].min() >= 250 and figure[:, -1].min() >= 250
