"""`flawscope export`: from the best checkpoint to a draft bundle, checked against torch on real images."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from flawscope.bundle.archive import write_bundle
from flawscope.bundle.export import INPUT, TABLE, Parity, check_parity, export_graph
from flawscope.bundle.manifest import Column, Engine, Graph, Hashes, ImageInput, Manifest, Sealed, TableInput
from flawscope.bundle.rules import TaskModel
from flawscope.bundle.runtime import Runtime
from flawscope.models.views import VIEWS, averaged
from flawscope.steps.provenance import code_version, today
from flawscope.steps.workspace import Run
from flawscope.storage import sha256_file
from flawscope.training.checkpoint import load_checkpoint

PARITY_IMAGES = 16


def export(run: str | Path | Run) -> Parity:
    """Export the best checkpoint of a run as RUN/draft.flawscope: graph and golden patterns, not decided yet.

    Real images of the validation part go through torch and through the runtime, each from the file on.

    Raises:
        UserError: no such run, or not trained yet.
        BundleError: the network cannot be exported, or the graph gives other logits than torch.
    """
    run = Run.at(run)
    recipe = run.recipe
    network, _ = load_checkpoint(run.training / "best")
    seen = averaged(network, recipe.export.average_over)
    columns = network.plan.columns
    content = export_graph(seen, recipe.image, network.plan.name, columns=len(columns))
    views = len(VIEWS[recipe.export.average_over])
    inputs: tuple[ImageInput | TableInput, ...] = (ImageInput(name=INPUT, preprocess=recipe.image),)
    if columns:
        inputs += (TableInput(name=TABLE, columns=tuple(Column(**asdict(column)) for column in columns)),)
    graph = Graph(name="main", inputs=inputs, views=views)
    sealed = Sealed(
        task=TaskModel.of(run.samples.task),
        graphs=(graph,),
        engine=Engine(name=recipe.export.engine, precision=recipe.export.precision),
        split_stamp=run.split.stamp,
    )
    runtime = Runtime(sealed, {graph.file: content})
    rows = run.part("validation").rows[:PARITY_IMAGES]
    parity = check_parity(
        seen, runtime, recipe.image, [row.path for row in rows], metadata=[row.meta for row in rows], columns=columns
    )
    golden, patterns = runtime.make_golden()
    manifest = Manifest(
        name=recipe.name,
        created=today(),
        sealed=sealed,
        hashes=Hashes(data=run.samples.hash, split=run.split.hash, recipe=recipe.hash, code=code_version()),
        licences=licences(run),
        golden=(golden,),
    )
    write_bundle(run.draft, manifest, {graph.file: content}, patterns)
    return parity


def licences(run: Run) -> tuple[str, ...]:
    """Whose licences a bundle carries: those of code, data and pretrained weights."""
    model = run.recipe.model
    found = ["code: Apache-2.0", f"data: {run.samples.source or run.samples.name}, under its own licence"]
    if model.weights == "imagenet":
        found.append(f"weights: ImageNet weights of {model.name} as timm hands them out, under their own licence")
    elif model.weights != "none":
        file = Path(model.weights)
        known = f", SHA-256 {sha256_file(file)[:16]}" if file.is_file() else ""
        found.append(f"weights: {file.name}{known}, under their own licence")
    return tuple(found)
