"""`flawscope export`: from the best checkpoint to a draft bundle, checked against torch on real images."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from flawscope.bundle.archive import golden_patterns, golden_rows, read_bundle, write_bundle
from flawscope.bundle.export import INPUT, TABLE, Parity, check_map_parity, check_parity, export_graph
from flawscope.bundle.graph_runner import GraphRunner
from flawscope.bundle.manifest import (
    Column,
    Engine,
    Graph,
    Hashes,
    ImageInput,
    Manifest,
    Output,
    Sealed,
    Step,
    TableInput,
)
from flawscope.bundle.rules import TaskModel
from flawscope.bundle.runtime import Runtime
from flawscope.explanation.graph_maps import with_maps
from flawscope.explanation.inputs import inputs_of
from flawscope.explanation.neutral import neutral
from flawscope.models.build import Network
from flawscope.models.views import VIEWS, averaged
from flawscope.preprocess import Pixels, Preprocess, load
from flawscope.records import Sample
from flawscope.steps.provenance import code_version, today
from flawscope.steps.workspace import GATE, Run
from flawscope.storage import sha256_file
from flawscope.training.checkpoint import load_checkpoint
from flawscope.training.mask_input import cut, tiles
from flawscope.training.model_spec import ModelSpec

PARITY_IMAGES = 16


def export(run: str | Path | Run) -> Parity:
    """Export the best checkpoint of a run as RUN/draft.flawscope: graph and golden patterns, not decided yet.

    Real images of the validation part go through torch and through the runtime, each from the file on; of networks that
    make masks tiles of them do. Where a gate stands before the masks, its own run is exported first, and its graph is
    put beside the one for masks.

    Raises:
        UserError: no such run, or not trained yet.
        BundleError: the network cannot be exported, or the graph gives other logits than torch.
    """
    run = Run.at(run)
    recipe, task = run.recipe, run.samples.task
    network, _ = load_checkpoint(run.training / "best")
    columns = network.plan.columns
    inputs: tuple[ImageInput | TableInput, ...] = (ImageInput(name=INPUT, preprocess=recipe.image),)
    if columns:
        inputs += (TableInput(name=TABLE, columns=tuple(Column(**asdict(column)) for column in columns)),)
    graph = Graph(
        name="main",
        inputs=inputs,
        outputs=(Output(kind="masks" if task.pixels else "logits"),),
        views=len(VIEWS[recipe.export.average_over]),
    )
    giving: Any = network
    if recipe.export.maps and not task.pixels:
        giving, graph = explaining(network, graph, recipe.image)
    seen = averaged(giving, recipe.export.average_over)
    names = [each.name for each in graph.outputs]
    content = export_graph(seen, recipe.image, network.plan.name, columns=len(columns), outputs=names)
    sealed = Sealed(
        task=TaskModel.of(task),
        graphs=(graph,),
        steps=(Step(name="mask", kind="mask") if task.pixels else Step(),),
        engine=Engine(name=recipe.export.engine, precision=recipe.export.precision),
        split_stamp=run.split.stamp,
    )
    rows = run.part("validation").rows[:PARITY_IMAGES]
    if task.pixels:
        runner = GraphRunner(graph, content, answers="masks")
        parity = check_map_parity(seen, runner, middle_tiles(rows, recipe.image))
    else:
        runtime = Runtime(sealed, {graph.file: content})
        runner = runtime.runner
        paths, known = [row.path for row in rows], [row.meta for row in rows]
        parity = check_parity(seen, runtime, recipe.image, paths, metadata=known, columns=columns)
    beside = [] if run.gate is None else [gate_graph(run.gate)]
    sealed = sealed.model_copy(update={"graphs": (graph, *(each.graph for each, _ in beside))})
    made = [each.make_golden() for each in (runner, *(each for each, _ in beside))]
    manifest = Manifest(
        name=recipe.name,
        created=today(),
        sealed=sealed,
        hashes=Hashes(data=run.samples.hash, split=run.split.hash, recipe=recipe.hash, code=code_version()),
        licences=licences(run),
        golden=tuple(golden for golden, _ in made),
    )
    graphs = {graph.file: content, **{each.graph.file: inside for each, inside in beside}}
    write_bundle(run.draft, manifest, graphs, {name: file for _, files in made for name, file in files.items()})
    return parity


def explaining(network: Network, graph: Graph, spec: Preprocess) -> tuple[Any, Graph]:
    """A network that also gives what explains its answers, and its graph with what is to be told of that."""
    image, *others = graph.inputs
    assert isinstance(image, ImageInput)
    columns = [column for each in others if isinstance(each, TableInput) for column in each.columns]
    noise_1chw = golden_patterns(spec)[-1:]
    made = with_maps(network, *inputs_of(network, noise_1chw, golden_rows(columns, 1) if columns else None))
    told = image.model_copy(update={"neutral": tuple(neutral(network, noise_1chw).flatten().tolist())})
    outputs = tuple(Output(name=kind, kind=kind) for kind in made.outputs)
    more = {"inputs": (told, *others), "outputs": outputs, "layer": made.layer, "no_maps": made.no_maps}
    return made.network, graph.model_copy(update=more)


def middle_tiles(rows: Sequence[Sample], spec: Preprocess) -> Iterator[Pixels]:
    """A tile out of the middle of each picture, as large as the graph takes it."""
    for row in rows:
        image_chw = load(row.path, spec)
        every = tiles(0, image_chw.shape[1:], spec.size)
        yield np.ascontiguousarray(cut(image_chw, every[len(every) // 2], spec.size))


def gate_graph(gate: Run) -> tuple[GraphRunner, bytes]:
    """The graph of a gate, exported in its own run, to stand beside the one for masks."""
    if not gate.draft.is_file():
        export(gate)
    contents = read_bundle(gate.draft)
    (graph,) = contents.manifest.sealed.graphs
    renamed = graph.model_copy(update={"name": GATE, "file": f"graphs/{GATE}.onnx", "sha256": ""})
    return GraphRunner(renamed, contents.graphs[graph.file]), contents.graphs[graph.file]


def licences(run: Run) -> tuple[str, ...]:
    """Whose licences a bundle carries: those of code, data and pretrained weights."""
    found = ["code: Apache-2.0", f"data: {run.samples.source or run.samples.name}, under its own licence"]
    models = [run.recipe.model, *([run.recipe.gate.model] if run.recipe.gate else [])]
    return (*found, *dict.fromkeys(words for model in models for words in _of_weights(model)))


def _of_weights(model: ModelSpec) -> list[str]:
    """The line for the weights that a network began with, if it began with any."""
    if model.weights == "none":
        return []
    if model.weights == "imagenet":
        return [f"weights: ImageNet weights of {model.name} as timm hands them out, under their own licence"]
    file = Path(model.weights)
    known = f", SHA-256 {sha256_file(file)[:16]}" if file.is_file() else ""
    return [f"weights: {file.name}{known}, under their own licence"]
