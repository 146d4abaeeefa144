"""From a trained network to a graph that runs without torch, checked on real images before anybody trusts it."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterable, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import torch
from torch import nn

from flawscope.bundle.foreign import without_traces
from flawscope.bundle.graph_runner import GraphRunner
from flawscope.bundle.runtime import Runtime
from flawscope.errors import BundleError, reason
from flawscope.metadata import MetaColumn, Values, encode_all
from flawscope.preprocess import Pixels, Preprocess, load

INPUT, TABLE = "inputs", "table"
TOLERANCE = 1e-3
"""Largest difference of a logit between torch and the exported graph, relative to the largest logit (at least 1)."""


@dataclass(frozen=True)
class Parity:
    """How far torch and the exported graph lie apart on real images."""

    images: int
    largest_difference: float
    largest_logit: float

    def __post_init__(self) -> None:
        if not self.largest_difference <= TOLERANCE * max(1.0, self.largest_logit):
            raise BundleError(
                f"the exported graph differs from the torch model by {self.largest_difference:.2g} on {self.images} "
                f"real images (values up to {self.largest_logit:.2g}, allowed: {TOLERANCE} of that)",
                "the network uses an operation that does not export truly: choose another model.name",
            )


def export_graph(
    network: nn.Module,
    preprocess: Preprocess,
    name: str = "the network",
    *,
    columns: int = 0,
    outputs: Sequence[str] = ("logits",),
) -> bytes:
    """The network as an ONNX file: input `inputs` (n x c x h x w, uint8 or uint16), output `logits` (n x k, float32).

    Of a network that makes masks the output is n x maps x h x w. `outputs` are the names of all that it gives.
    With so many metadata columns (m) there is a second input `table` (n x m, float32). Weights lie inside the file; the
    batch size is free.

    Raises:
        BundleError: the network cannot be exported.
    """
    network = network.cpu().eval()
    dtype = torch.uint8 if preprocess.depth == 8 else torch.uint16
    # Two images, so that the exporter does not take the batch size for the constant 1.
    examples = {"inputs_bchw": torch.zeros((2, *preprocess.shape), dtype=dtype)}
    if columns:
        examples["table_bm"] = torch.zeros((2, columns))
    batch = torch.export.Dim("batch", min=1)
    try:
        with warnings.catch_warnings(), redirect_stdout(io.StringIO()), torch.no_grad():
            warnings.simplefilter("ignore")
            program = torch.onnx.export(
                network,
                tuple(examples.values()),
                dynamo=True,
                input_names=[INPUT, TABLE][: len(examples)],
                output_names=list(outputs),
                dynamic_shapes={each: {0: batch} for each in examples},
                verbose=False,
            )
    except (torch.onnx.errors.OnnxExporterError, RuntimeError, ValueError) as error:
        raise BundleError(f"{name} cannot be exported: {reason(error)}", "choose another model.name") from error
    assert program is not None
    model = program.model_proto
    without_traces(model)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def check_parity(
    network: nn.Module,
    runtime: Runtime,
    preprocess: Preprocess,
    paths: Sequence[str | Path],
    *,
    metadata: Sequence[Values] = (),
    columns: Sequence[MetaColumn] = (),
) -> Parity:
    """Run real image files through torch and through the runtime, each from the file on, and compare logits.

    Class activation maps are compared as well, where the graph gives them; the parity handed back is that of logits.
    Metadata are coded for torch by the `columns` that the network was trained with, by the runtime with its own.

    Raises:
        BundleError: they differ by more than `TOLERANCE`.
    """
    pixels_nchw = np.stack([load(path, preprocess) for path in paths])
    inputs = [torch.from_numpy(pixels_nchw)]
    if columns:
        inputs.append(torch.from_numpy(encode_all(metadata, columns)))
    with torch.no_grad():
        given = network.cpu().eval()(*inputs)
    torch_nk, *more = [each.numpy() for each in ((given,) if isinstance(given, torch.Tensor) else given)]
    if runtime.maps and more:
        table_nm = inputs[1].numpy() if columns else None
        graph_nkhw = runtime.outputs(pixels_nchw, table_nm)[runtime.runner.graph.output("maps")]
        Parity(len(paths), float(np.abs(more[0] - graph_nkhw).max()), float(np.abs(more[0]).max()))
    graph_nk = runtime.scores([str(path) for path in paths], metadata)
    difference = float(np.abs(torch_nk - graph_nk).max())
    return Parity(len(paths), difference, float(np.abs(torch_nk).max()))


def check_map_parity(network: nn.Module, graph: GraphRunner, tiles: Iterable[Pixels]) -> Parity:
    """Run tiles of real pictures (c x h x w each) through torch and through the graph, one by one; compare the maps.

    Raises:
        BundleError: they differ by more than `TOLERANCE`.
    """
    network = network.cpu().eval()
    n, difference, largest = 0, 0.0, 0.0
    for tile_chw in tiles:
        with torch.no_grad():
            torch_khw = network(torch.from_numpy(tile_chw)[None])[0].numpy()
        graph_khw = graph.answer(tile_chw, torch_khw.shape)
        difference = max(difference, float(np.abs(torch_khw - graph_khw).max()))
        n, largest = n + 1, max(largest, float(np.abs(torch_khw).max()))
    return Parity(n, difference, largest)
