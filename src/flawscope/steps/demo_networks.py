"""Two small networks for the demonstration of a challenge, written by hand as ONNX and fitted without torch.

Both look at the mean brightness of each field of a picture; one also looks for what is darker than its surroundings.
What follows is a logistic regression. Letters: n pictures, f features, k classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnxruntime
from PIL import Image

from flawscope.challenge.labels import Labels

if TYPE_CHECKING:
    import onnx

FIELD = 8


def fitted(target: Path, labels: Labels, images: Path, side: int, *, lines: bool) -> Path:
    """Fit a network on labelled pictures and write it; pixels go in from 0 to 1, logits come out."""
    import onnx
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler

    pixels = [np.asarray(Image.open(images / file).convert("L").resize((side, side))) for file in labels.files]
    pixels_nchw = (np.stack(pixels)[:, None] / 255).astype(np.float32)
    seen = onnxruntime.InferenceSession(_model(side, lines, []).SerializeToString(), providers=["CPUExecutionProvider"])
    feature_nf = seen.run(None, {"pixels": pixels_nchw})[0]
    scaler = StandardScaler().fit(feature_nf)
    weight_kf, bias_k = [], []
    for truth_n in labels.truth_nk.T:
        fit = LogisticRegression(C=0.05, class_weight="balanced", max_iter=500).fit(
            scaler.transform(feature_nf), truth_n
        )
        weight_kf.append(fit.coef_[0] / scaler.scale_)
        bias_k.append(fit.intercept_[0] - weight_kf[-1] @ scaler.mean_)
    onnx.save(_model(side, lines, [np.array(weight_kf), np.array(bias_k)]), target)
    return target


def _model(side: int, lines: bool, fit: Sequence[np.ndarray]) -> onnx.ModelProto:
    """The graph; without a fit it ends with the features."""
    from onnx import TensorProto, helper, numpy_helper

    fields = ["fields", "lines"] if lines else ["fields"]
    field: dict[str, Any] = {"kernel_shape": [FIELD] * 2, "strides": [FIELD] * 2}
    dark = [
        helper.make_node("AveragePool", ["pixels"], ["blurred"], kernel_shape=[5, 5], pads=[2, 2, 2, 2]),
        helper.make_node("Sub", ["blurred", "pixels"], ["darker"]),
        helper.make_node("MaxPool", ["darker"], ["lines"], **field),
    ]
    nodes = [
        helper.make_node("AveragePool", ["pixels"], ["fields"], **field),
        *(dark if lines else ()),
        helper.make_node("Concat", fields, ["seen"], axis=1),
        helper.make_node("Flatten", ["seen"], ["features"]),
    ]
    if fit:
        nodes.append(helper.make_node("Gemm", ["features", "weight", "bias"], ["logits"], transB=1))
    width = len(fit[1]) if fit else len(fields) * (side // FIELD) ** 2
    graph = helper.make_graph(
        nodes,
        "fields",
        [helper.make_tensor_value_info("pixels", TensorProto.FLOAT, ["batch", 1, side, side])],
        [helper.make_tensor_value_info("logits" if fit else "features", TensorProto.FLOAT, ["batch", width])],
        [
            numpy_helper.from_array(each.astype(np.float32), name)
            for each, name in zip(fit, ("weight", "bias"), strict=False)
        ],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
