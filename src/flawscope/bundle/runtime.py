"""Runs a bundle: from picture files to decisions, with onnxruntime and without torch.

Shapes: n images, k classes, c channels, h x w pixels.

Every image is decoded and run by itself on one core, several images at a time. On two cores this is faster than
batches on both (their threads wait for each other), memory stays small, and the answer for an image does not depend
on its neighbours, on the order, or on the number of threads: the numbers are the same to the last bit.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import repeat
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from flawscope.bundle import archive
from flawscope.bundle.engine import check_signature, session, supported
from flawscope.bundle.manifest import Column, Golden, Manifest, Sealed
from flawscope.bundle.postprocess import three_answers
from flawscope.errors import BundleError, ImageError, MetadataError, reason
from flawscope.machine import cores, on_threads
from flawscope.metadata import TableRow, Values, encode
from flawscope.preprocess import Preprocess, load
from flawscope.probability import calibrate
from flawscope.records import FloatArray, Prediction, Task

NOT_AS_SEALED = "do not use it here: seal it again on this kind of machine, or update onnxruntime"

Source = str | Path | npt.NDArray[Any]
Known = Values | str
"""The metadata of one image, or in words why there are none."""
_In = TypeVar("_In")


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
        taken = supported(sealed)
        self._graph, self._input, self._table, self._logits = taken.graph, taken.image, taken.table, taken.logits
        self._session = session(self._graph, graphs[self._graph.file])
        check_signature(self._session, taken)

    @classmethod
    def open(cls, path: str | Path, threads: int | None = None) -> Runtime:
        """Read a bundle file, check every hash, and let it answer its golden test patterns.

        Raises:
            BundleError: damaged, of a newer schema, or it does not answer as it did when it was made.
        """
        return cls.of(archive.read_bundle(path), threads)

    @classmethod
    def of(cls, contents: archive.Contents, threads: int | None = None) -> Runtime:
        """The same for a bundle that was read already.

        Raises:
            BundleError: see `open`.
        """
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

    @property
    def columns(self) -> tuple[Column, ...]:
        """The metadata that the graph takes of each image; none where it takes the picture alone."""
        return self._table.columns if self._table else ()

    def outputs(
        self, image_nchw: npt.NDArray[Any], table_nm: TableRow | None = None
    ) -> dict[str, npt.NDArray[np.float32]]:
        """All named outputs of the graph for prepared images (uint8 or uint16, n x c x h x w).

        `table_nm` holds their encoded metadata (float32, n x m) where the graph takes them.
        """
        spec = self.preprocess
        if image_nchw.ndim != 4 or image_nchw.shape[1:] != spec.shape or image_nchw.dtype != spec.dtype:
            wanted = f"{np.dtype(spec.dtype)} of shape (n, {', '.join(map(str, spec.shape))})"
            raise ValueError(f"expected {wanted}, got {image_nchw.dtype} of shape {image_nchw.shape}")
        if not len(image_nchw):
            raise ValueError("no images")
        table = np.empty((len(image_nchw), 0), dtype=np.float32) if table_nm is None else table_nm
        m = len(self.columns)
        if table.shape != (len(image_nchw), m) or table.dtype != np.float32 or not np.isfinite(table).all():
            raise ValueError(f"expected finite float32 metadata of {m} columns, got {table.dtype} {table.shape}")
        rows = list(on_threads(lambda pair: self._run(*pair), zip(image_nchw, table, strict=True), self.threads))
        return {each.name: np.concatenate([row[each.name] for row in rows]) for each in self._graph.outputs}

    def logits(self, image_nchw: npt.NDArray[Any]) -> FloatArray:
        """Raw logits of prepared images, float64, n x k; the calibrator is not applied.

        Raises:
            BundleError: the graph gives another shape, or NaN.
        """
        return self.scores(image_nchw)

    def scores(
        self, source: Sequence[Source] | npt.NDArray[Any], metadata: Sequence[Known] | None = None
    ) -> FloatArray:
        """Raw logits, float64, n x k, of picture files or of prepared images (n x c x h x w, a memory map too).

        Args:
            source: files or images.
            metadata: what is known of each of them; asked for where the graph takes a table, ignored elsewhere.

        Raises:
            ImageError: a file cannot be read (`predict` goes on instead).
            MetadataError: an image lacks what the graph takes beside it (`predict` goes on instead).
            BundleError: the graph gives another shape, or NaN.
        """
        given = self._with(source, metadata)
        if len(source) == 0:
            return np.empty((0, len(self.task.classes)))
        return np.array(list(on_threads(lambda pair: self._score(*pair), given, self.threads)), dtype=np.float64)

    def predict(self, paths: Iterable[str | Path], metadata: Iterable[Known] | None = None) -> Iterator[Prediction]:
        """Answer for each picture file, in the order given, while the next ones are worked on.

        A file that cannot be read becomes a prediction with an `error`, and the run goes on; so does an image whose
        metadata are missing, or none that the network has learnt. `seconds` is the time that one core spent on the
        image. Names are the paths as given.

        Args:
            paths: the files.
            metadata: what is known of each of them, or in words why nothing is; asked for where the graph takes a
                table, ignored elsewhere.

        Raises:
            MetadataError: none were given, and the graph takes them.
            BundleError: the bundle is a draft, or the graph gives another shape or NaN.
        """
        if self.sealed.is_draft:
            raise BundleError("this bundle is a draft: it gives scores, but no decisions yet", "run: flawscope decide")
        return on_threads(lambda pair: self._answer(*pair), self._with(paths, metadata), self.threads)

    def _with(self, source: Iterable[_In], metadata: Iterable[Known] | None) -> Iterator[tuple[_In, Known]]:
        """Each image with what is known of it."""
        if not self.columns:
            return zip(source, repeat({}), strict=False)
        if metadata is None:
            raise MetadataError(
                f"the bundle also takes metadata of each picture: {', '.join(each.words() for each in self.columns)}",
                "give a table with these columns and the pictures' names: --table FILE",
            )
        return zip(source, metadata, strict=True)

    def _encoded(self, known: Known) -> TableRow:
        """The row of the table input; empty where the graph takes none."""
        if isinstance(known, str):
            raise MetadataError(known, "every picture needs its metadata")
        return encode(known, self.columns)

    def make_golden(self, n: int = 4, seed: int = 0, tolerance: float = 1e-3) -> tuple[Golden, dict[str, bytes]]:
        """Generated test patterns and what the graph answers to them now, for `archive.write_bundle`."""
        pattern_nchw = archive.golden_patterns(self.preprocess, n, seed)
        row_nm = archive.golden_rows(self.columns, n)
        stem = f"golden/{self._graph.name}"
        inputs = {each.name: f"{stem}.{each.name}.npy" for each in self._graph.inputs}
        outputs = {each.name: f"{stem}.{each.name}.expected.npy" for each in self._graph.outputs}
        answer = self.outputs(pattern_nchw, row_nm)
        files = {inputs[self._input.name]: archive.to_npy(pattern_nchw)}
        if self._table:
            files[inputs[self._table.name]] = archive.to_npy(row_nm)
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
        row_nm = archive.from_npy(contents.golden, golden.file_inputs[self._table.name]) if self._table else None
        try:
            answer = self.outputs(pattern_nchw, row_nm)
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

    def _run(self, image_chw: npt.NDArray[Any], row_m: TableRow) -> dict[str, npt.NDArray[np.float32]]:
        names = [each.name for each in self._graph.outputs]
        feed = {self._input.name: image_chw[None]}
        if self._table:
            feed[self._table.name] = row_m[None]
        try:
            values = self._session.run(names, feed)
        except Exception as error:  # onnxruntime's errors have no common class
            raise BundleError(f"graph {self._graph.name!r} fails: {reason(error)}", "export it again") from None
        return dict(zip(names, values, strict=True))

    def _score(self, source: Source, known: Known) -> FloatArray:
        row_m = self._encoded(known)  # before the picture is decoded, which takes longer
        image_chw = source if isinstance(source, np.ndarray) else load(source, self.preprocess)
        if image_chw.shape != self.preprocess.shape or image_chw.dtype != self.preprocess.dtype:
            wanted = f"{np.dtype(self.preprocess.dtype)} {self.preprocess.shape}"
            raise ValueError(f"expected images of {wanted}, got {image_chw.dtype} {image_chw.shape}")
        logit_1k = np.asarray(self._run(image_chw, row_m)[self._logits])
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

    def _answer(self, path: str | Path, known: Known) -> Prediction:
        start = time.perf_counter()
        try:
            logit_1k = self._score(path, known)[None]
        except (ImageError, MetadataError) as error:
            problem = error.problem.removeprefix(f"{path}: ")
            return Prediction(name=str(path), seconds=time.perf_counter() - start, error=problem)
        task, sealed = self.task, self.sealed
        assert sealed.calibrator and sealed.decision  # predict() refuses drafts
        table = sealed.calibrator
        probability_1k = calibrate(task.kind, table.knots, logit_1k, table.against_rest)
        rule = sealed.decision
        decision = three_answers(task, rule.thresholds, rule.looked_at, probability_1k)[0]
        return Prediction(
            name=str(path),
            logits=tuple(logit_1k[0].tolist()),
            probability=tuple(probability_1k[0].tolist()),
            decision=decision,
            seconds=time.perf_counter() - start,
        )
