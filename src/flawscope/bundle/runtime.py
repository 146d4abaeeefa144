"""Runs a bundle: from picture files to decisions, with onnxruntime and without torch.

Shapes: n images, k classes, c channels, h x w pixels.

Every image is decoded and run by itself on one core, several images at a time. On two cores this is faster than
batches on both (their threads wait for each other), memory stays small, and the answer for an image does not depend
on its neighbours, on the order, or on the number of threads: the numbers are the same to the last bit.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import onnxruntime

from flawscope.bundle import archive
from flawscope.bundle.graphfile import refuse_external_data
from flawscope.bundle.manifest import Golden, Graph, ImageInput, Manifest, Sealed
from flawscope.bundle.postprocess import answers, calibrate, decide
from flawscope.errors import BundleError, ImageError, reason
from flawscope.machine import cores
from flawscope.preprocess import Preprocess, load
from flawscope.records import FloatArray, Prediction, Task

AHEAD = 8
"""Images in work or waiting to be fetched, for each thread: bounds the memory."""
NEWER = "install a newer flawscope: pip install --upgrade flawscope"
NOT_AS_SEALED = "do not use it here: seal it again on this kind of machine, or update onnxruntime"

Source = str | Path | npt.NDArray[Any]
_In = TypeVar("_In")
_Out = TypeVar("_Out")


class Runtime:
    """One loaded bundle. Made from what was just exported, or with `Runtime.open` from a file.

    Attributes:
        sealed: what the answers follow from.
        threads: how many images are worked on at a time; changes the speed, never a number.
    """

    def __init__(
        self,
        sealed: Sealed,
        graphs: Mapping[str, bytes],
        *,
        threads: int | None = None,
        manifest: Manifest | None = None,
    ) -> None:
        """Start the engine. `graphs` maps the graph files that `sealed` names to their ONNX bytes.

        Raises:
            BundleError: a graph cannot be run, does not fit its manifest, or asks for what this version cannot do.
        """
        self.sealed = sealed
        self.threads = threads or cores()
        self._manifest = manifest
        self._graph, self._input, self._logits = _supported(sealed)
        self._session = _session(self._graph, graphs[self._graph.file])
        _check_signature(self._session, self._graph, self._input)

    @classmethod
    def open(cls, path: str | Path, threads: int | None = None) -> Runtime:
        """Read a bundle file, check every hash, and let it answer its golden test patterns.

        Raises:
            BundleError: damaged, of a newer schema, or it does not answer as it did when it was made.
        """
        contents = archive.read_bundle(path)
        runtime = cls(contents.manifest.sealed, contents.graphs, threads=threads, manifest=contents.manifest)
        runtime.check_golden(contents)
        return runtime

    @property
    def manifest(self) -> Manifest:
        """The manifest of the file that was opened."""
        if self._manifest is None:
            raise ValueError("this runtime was not made from a bundle file, it has no manifest")
        return self._manifest

    @property
    def task(self) -> Task:
        """What is decided."""
        return self.sealed.task.task()

    @property
    def preprocess(self) -> Preprocess:
        """How a picture becomes the integers that the graph takes."""
        return self._input.preprocess

    def outputs(self, image_nchw: npt.NDArray[Any]) -> dict[str, npt.NDArray[np.float32]]:
        """All named outputs of the graph for prepared images (uint8 or uint16, n x c x h x w)."""
        spec = self.preprocess
        if image_nchw.ndim != 4 or image_nchw.shape[1:] != spec.shape or image_nchw.dtype != spec.dtype:
            wanted = f"{np.dtype(spec.dtype)} of shape (n, {', '.join(map(str, spec.shape))})"
            raise ValueError(f"expected {wanted}, got {image_nchw.dtype} of shape {image_nchw.shape}")
        if not len(image_nchw):
            raise ValueError("no images")
        rows = list(self._ahead(self._run, image_nchw))
        return {each.name: np.concatenate([row[each.name] for row in rows]) for each in self._graph.outputs}

    def logits(self, image_nchw: npt.NDArray[Any]) -> FloatArray:
        """Raw logits of prepared images, float64, n x k; the calibrator is not applied.

        Raises:
            BundleError: the graph gives another shape, or NaN.
        """
        return self.scores(image_nchw)

    def scores(self, source: Sequence[Source] | npt.NDArray[Any]) -> FloatArray:
        """Raw logits, float64, n x k, of picture files or of prepared images (n x c x h x w, a memory map too).

        Raises:
            ImageError: a file cannot be read (`predict` goes on instead).
            BundleError: the graph gives another shape, or NaN.
        """
        if len(source) == 0:
            return np.empty((0, len(self.task.classes)))
        return np.array(list(self._ahead(self._score, source)), dtype=np.float64)

    def predict(self, paths: Iterable[str | Path]) -> Iterator[Prediction]:
        """Answer for each picture file, in the order given, while the next ones are worked on.

        A file that cannot be read becomes a prediction with an `error`, and the run goes on. `seconds` is the time
        that one core spent on the image. Names are the paths as given.

        Raises:
            BundleError: the bundle is a draft, or the graph gives another shape or NaN.
        """
        if self.sealed.is_draft:
            raise BundleError("this bundle is a draft: it gives scores, but no decisions yet", "run: flawscope decide")
        return self._ahead(self._answer, paths)

    def make_golden(self, n: int = 4, seed: int = 0, tolerance: float = 1e-3) -> tuple[Golden, dict[str, bytes]]:
        """Generated test patterns and what the graph answers to them now, for `archive.write_bundle`."""
        pattern_nchw = archive.golden_patterns(self.preprocess, n, seed)
        stem = f"golden/{self._graph.name}"
        inputs = {self._input.name: f"{stem}.{self._input.name}.npy"}
        outputs = {each.name: f"{stem}.{each.name}.expected.npy" for each in self._graph.outputs}
        answer = self.outputs(pattern_nchw)
        files = {inputs[self._input.name]: archive.to_npy(pattern_nchw)}
        files |= {file: archive.to_npy(answer[name]) for name, file in outputs.items()}
        golden = Golden(graph=self._graph.name, file_inputs=inputs, file_outputs=outputs, tolerance=tolerance)
        return golden, files

    def check_golden(self, contents: archive.Contents) -> float:
        """Let the graph answer its golden test patterns; returns the largest difference (see `Golden`).

        Raises:
            BundleError: an output differs by more than the tolerance, has another shape, or is not a number.
        """
        golden = next(each for each in contents.manifest.golden if each.graph == self._graph.name)
        pattern_nchw = archive.from_npy(contents.golden, golden.file_inputs[self._input.name])
        try:
            answer = self.outputs(pattern_nchw)
        except ValueError as error:
            raise BundleError(f"the golden test patterns do not fit the graph: {error}", "export it again") from None
        worst = 0.0
        for name, file in golden.file_outputs.items():
            expected = archive.from_npy(contents.golden, file)
            if expected.shape != answer[name].shape:
                raise BundleError(
                    f"golden output {name!r}: expected shape {expected.shape}, got {answer[name].shape}", NOT_AS_SEALED
                )
            size = max(1.0, float(np.max(np.abs(expected), initial=0.0)))
            difference = float(np.max(np.abs(answer[name].astype(np.float64) - expected), initial=0.0)) / size
            if not difference <= golden.tolerance:  # so that NaN is refused
                raise BundleError(
                    f"golden output {name!r} differs by {difference:.3g} from what it was when the bundle was made; "
                    f"{golden.tolerance:g} is allowed",
                    NOT_AS_SEALED,
                )
            worst = max(worst, difference)
        return worst

    def _run(self, image_chw: npt.NDArray[Any]) -> dict[str, npt.NDArray[np.float32]]:
        names = [each.name for each in self._graph.outputs]
        try:
            values = self._session.run(names, {self._input.name: image_chw[None]})
        except Exception as error:  # onnxruntime's errors have no common class
            raise BundleError(f"graph {self._graph.name!r} fails: {reason(error)}", "export it again") from None
        return dict(zip(names, values, strict=True))

    def _score(self, source: Source) -> FloatArray:
        image_chw = source if isinstance(source, np.ndarray) else load(source, self.preprocess)
        if image_chw.shape != self.preprocess.shape or image_chw.dtype != self.preprocess.dtype:
            wanted = f"{np.dtype(self.preprocess.dtype)} {self.preprocess.shape}"
            raise ValueError(f"expected images of {wanted}, got {image_chw.dtype} {image_chw.shape}")
        logit_1k = np.asarray(self._run(image_chw)[self._logits])
        expected = (1, len(self.sealed.task.classes))
        if logit_1k.shape != expected:
            raise BundleError(
                f"output {self._logits!r} has shape {logit_1k.shape} for one image, expected {expected}",
                "export the model again for the classes of its task",
            )
        if not np.isfinite(logit_1k).all():
            what = "a prepared image" if isinstance(source, np.ndarray) else source
            raise BundleError(
                f"output {self._logits!r} is not a finite number for {what}: {logit_1k[0].tolist()}",
                "the network is broken (training diverged, or its precision is too low): train it again",
            )
        return np.asarray(logit_1k[0], dtype=np.float64)

    def _answer(self, path: str | Path) -> Prediction:
        start = time.perf_counter()
        try:
            logit_1k = self._score(path)[None]
        except ImageError as error:
            problem = error.problem.removeprefix(f"{path}: ")
            return Prediction(name=str(path), seconds=time.perf_counter() - start, error=problem)
        task, sealed = self.task, self.sealed
        assert sealed.calibrator and sealed.decision  # predict() refuses drafts
        probability_1k = calibrate(task.kind, sealed.calibrator.knots, logit_1k)
        decision = answers(task, decide(task.kind, sealed.decision.thresholds, probability_1k))[0]
        return Prediction(
            name=str(path),
            logits=tuple(logit_1k[0].tolist()),
            probability=tuple(probability_1k[0].tolist()),
            decision=decision,
            seconds=time.perf_counter() - start,
        )

    def _ahead(self, work: Callable[[_In], _Out], items: Iterable[_In]) -> Iterator[_Out]:
        """`map` over threads, in order, with a bounded number of items in work; stops cleanly when it is left."""
        waiting: deque[Future[_Out]] = deque()
        pool = ThreadPoolExecutor(self.threads, thread_name_prefix="flawscope")
        try:
            for item in items:
                waiting.append(pool.submit(work, item))
                while waiting and (len(waiting) >= AHEAD * self.threads or waiting[0].done()):
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _supported(sealed: Sealed) -> tuple[Graph, ImageInput, str]:
    """The one graph, its image input and the name of its logits; anything else is refused in words."""
    if (sealed.engine.name, sealed.engine.precision) != ("onnxruntime", "float32"):
        raise BundleError(f"the bundle was decided with {sealed.engine.name} in {sealed.engine.precision}", NEWER)
    if [step.kind for step in sealed.steps] != ["classify"]:
        steps = " -> ".join(f"{step.name} ({step.kind})" for step in sealed.steps)
        raise BundleError(f"the bundle has the steps {steps}; this version runs one classify step", NEWER)
    graph = sealed.graph(sealed.steps[0].graph)
    if len(graph.inputs) != 1 or not isinstance(graph.inputs[0], ImageInput):
        names = ", ".join(f"{each.name} ({each.kind})" for each in graph.inputs)
        raise BundleError(f"graph {graph.name!r} takes {names}; this version runs graphs of one image", NEWER)
    logits = [each.name for each in graph.outputs if each.kind == "logits"]
    if len(logits) != 1:
        raise BundleError(f"graph {graph.name!r} gives {len(logits)} outputs of kind logits, expected one", NEWER)
    return graph, graph.inputs[0], logits[0]


def _session(graph: Graph, content: bytes) -> Any:
    """An engine for one graph on one core; no libraries of operators, no files."""
    refuse_external_data(graph.name, content)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.log_severity_level = 4  # errors come back as exceptions
    try:
        return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's errors have no common class
        raise BundleError(
            f"onnxruntime {onnxruntime.__version__} cannot load graph {graph.name!r}: {reason(error)}",
            "export the model again with standard ONNX operators, or update onnxruntime",
        ) from None


def _check_signature(session: Any, graph: Graph, image: ImageInput) -> None:
    """The graph takes and gives what the manifest says."""
    spec = image.preprocess
    found = {each.name: (each.type, each.shape) for each in session.get_inputs()}
    if list(found) != [image.name]:
        raise BundleError(
            f"graph {graph.name!r} takes {sorted(found)}, the manifest says {image.name!r}", "export again"
        )
    kind, shape = found[image.name]
    fits = len(shape) == 4 and all(not isinstance(a, int) or a == b for a, b in zip(shape[1:], spec.shape, strict=True))
    if kind != f"tensor({np.dtype(spec.dtype)})" or not fits:
        wanted = f"tensor({np.dtype(spec.dtype)}) n x {' x '.join(map(str, spec.shape))}"
        raise BundleError(f"input {image.name!r} is {kind} {shape}, the manifest says {wanted}", "export again")
    missing = [each.name for each in graph.outputs if each.name not in {out.name for out in session.get_outputs()}]
    if missing:
        raise BundleError(f"graph {graph.name!r} does not give the outputs {missing}", "export again")
