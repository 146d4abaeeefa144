"""What a network says of a picture from which pixels are taken: arrays in, probabilities out.

Letters: n pictures, c channels, h and w rows and columns, m metadata columns, b = 1.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from scipy.ndimage import gaussian_filter
from torch import Tensor, nn

from flawscope.explanation.capture import evaluating
from flawscope.explanation.neutral import neutral
from flawscope.explanation.question import ask
from flawscope.records import Task

AT_ONCE = 32
BLUR = 1 / 20
"""Standard deviation of the blur as a share of the longer side: about that of Petsiuk et al., 11 of 224 pixels."""
Floats = npt.NDArray[np.floating[Any]]


def probability_of(
    network: nn.Module, task: Task, of: str, table_bm: Tensor | None = None
) -> Callable[[npt.NDArray[Any]], npt.NDArray[np.float64]]:
    """A function from pictures n x c x h x w, in the values of the integers, to the probability of one answer each.

    The probability is the network's own, without the calibrator: that of a class of its own, or among all of them.

    Args:
        network: a classifier.
        task: names the classes.
        of: the answer.
        table_bm: the metadata of the one picture that all of them are made of.

    Raises:
        UserError: there is no such answer.

    >>> task = Task("binary", ("bright",), "dark")
    >>> network = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
    >>> probability_of(network, task, "dark")(np.zeros((2, 1, 4, 4))).tolist()
    [0.5, 0.5]
    """
    device = next((parameter.device for parameter in network.parameters()), torch.device("cpu"))

    def answer(images_nchw: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
        found = []
        with evaluating(network), torch.no_grad():
            for start in range(0, len(images_nchw), AT_ONCE):
                some = np.ascontiguousarray(images_nchw[start : start + AT_ONCE], dtype=np.float32)
                beside = () if table_bm is None else (table_bm[:1].expand(len(some), -1),)
                logits = network(torch.from_numpy(some).to(device), *beside)
                question = ask(task, logits, of)
                score = question(logits).sigmoid()
                if task.kind == "multiclass":
                    score = logits.softmax(dim=1)[torch.arange(len(logits)), question.column_b]
                found.append(score.double().cpu().numpy())
        return np.concatenate(found)

    return answer


def grey(network: nn.Module, image_chw: npt.NDArray[Any]) -> Floats:
    """What stands in place of pixels that are taken away, c x 1 x 1: what the network's normalisation makes 0.

    >>> grey(nn.Identity(), np.ones((3, 2, 2))).shape
    (3, 1, 1)
    """
    found: Floats = neutral(network, torch.from_numpy(np.array(image_chw[None], dtype=np.float32)))[0].cpu().numpy()
    return np.broadcast_to(found, (len(image_chw), 1, 1))


def blurred(image_chw: npt.NDArray[Any]) -> Floats:
    """What pixels are put onto, c x h x w: the picture so blurred that small things are gone (Petsiuk et al. 2018).

    On plain grey the edge of what is put there would itself be something to see.

    >>> spot_chw = np.zeros((1, 41, 41))
    >>> spot_chw[0, 20, 20] = 1.0
    >>> float(blurred(spot_chw).max()) < 0.05
    True
    """
    sigma = BLUR * max(image_chw.shape[1:])
    made: Floats = gaussian_filter(np.asarray(image_chw, dtype=np.float32), (0, sigma, sigma), mode="nearest")
    return made
