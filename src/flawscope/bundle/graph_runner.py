"""Runs one graph of a bundle on prepared images, and checks it by its golden test patterns. No torch.

Shapes: n images, c channels, h x w pixels, m metadata columns.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from flawscope.bundle import archive
from flawscope.bundle.engine import Answers, check_signature, session, signature_of
from flawscope.bundle.manifest import Column, Golden, Graph
from flawscope.errors import BundleError, reason
from flawscope.machine import cores, on_threads
from flawscope.metadata import TableRow
from flawscope.preprocess import Preprocess

NOT_AS_SEALED = "do not use it here: seal it again on this kind of machine, or update onnxruntime"
GOLDEN_BYTES = 2**23
"""About so much the expected answers of one graph may take: maps of large tiles get fewer test patterns."""

Floats = npt.NDArray[np.float32]


class GraphRunner:
    """One graph, loaded. Every image is run by itself on one core; several threads may call `run` at a time.

    Attributes:
        graph: what the manifest says of it.
        threads: how many images `outputs` works on at a time.
    """

    def __init__(
        self, graph: Graph, content: bytes, *, answers: Answers = "logits", threads: int | None = None
    ) -> None:
        """Start the engine on the bytes of an ONNX file.

        Raises:
            BundleError: the graph cannot be run, does not fit its manifest, or has no output of the kind `answers`.
        """
        self.graph, self.threads = graph, threads or cores()
        signature = signature_of(graph, answers)
        self._image, self._table, self._answer = signature.image, signature.table, signature.answer
        self._session = session(graph.name, content)
        check_signature(self._session, signature)

    @property
    def preprocess(self) -> Preprocess:
        """How a picture becomes the integers that the graph takes."""
        return self._image.preprocess

    @property
    def columns(self) -> tuple[Column, ...]:
        """The metadata that the graph takes of each image; none where it takes the picture alone."""
        return self._table.columns if self._table else ()

    def run(
        self, image_chw: npt.NDArray[Any], row_m: TableRow | None = None, names: Sequence[str] | None = None
    ) -> dict[str, Floats]:
        """Named outputs for one prepared image, each 1 x ...; all of them, or `names`; `row_m`: its encoded metadata.

        Raises:
            BundleError: the graph fails.
        """
        return self._run(image_chw[None], None if row_m is None else row_m[None], names)

    def run_together(self, image_nchw: npt.NDArray[Any]) -> Floats | None:
        """What the graph answers to several prepared images in one run, n x ...; None where it takes one at a time.

        Nothing decides with this: it shows whether an answer hangs on the images beside it.

        Raises:
            BundleError: the graph fails.
        """
        takes = next(each.shape[0] for each in self._session.get_inputs() if each.name == self._image.name)
        return None if isinstance(takes, int) else self._run(image_nchw)[self._answer]

    def _run(
        self, image_nchw: npt.NDArray[Any], row_nm: TableRow | None = None, names: Sequence[str] | None = None
    ) -> dict[str, Floats]:
        names = [each.name for each in self.graph.outputs] if names is None else list(names)
        feed = {self._image.name: image_nchw}
        if self._table is not None and row_nm is not None:
            feed[self._table.name] = row_nm
        try:
            values = self._session.run(names, feed)
        except Exception as error:  # onnxruntime's errors have no common class
            raise BundleError(f"graph {self.graph.name!r} fails: {reason(error)}", "export it again") from None
        return dict(zip(names, values, strict=True))

    def answer(
        self,
        image_chw: npt.NDArray[Any],
        shape: tuple[int, ...],
        row_m: TableRow | None = None,
        *,
        what: str = "a prepared image",
    ) -> Floats:
        """What the graph answers to one prepared image: an array of `shape`. `what` the image is called in messages.

        Raises:
            BundleError: the graph gives another shape, or NaN.
        """
        return self.answer_with(image_chw, shape, row_m, what=what)[self._answer]

    def answer_with(
        self,
        image_chw: npt.NDArray[Any],
        shape: tuple[int, ...],
        row_m: TableRow | None = None,
        *,
        beside: Sequence[str] = (),
        what: str = "a prepared image",
    ) -> dict[str, Floats]:
        """The answer to one prepared image as in `answer`, and maps by the names of their outputs, each c x h x w.

        Raises:
            BundleError: the graph gives another shape, or NaN.
        """
        spec = self.preprocess
        if image_chw.shape != spec.shape or image_chw.dtype != spec.dtype:
            wanted = f"{np.dtype(spec.dtype)} {spec.shape}"
            raise ValueError(f"expected images of {wanted}, got {image_chw.dtype} {image_chw.shape}")
        found = self.run(image_chw, row_m, (self._answer, *beside))
        for name, value in found.items():
            if value.shape != (1, *shape) if name == self._answer else value.ndim != 4:
                wanted = str((1, *shape)) if name == self._answer else "maps"
                raise BundleError(
                    f"output {name!r} has shape {value.shape} for one image, expected {wanted}",
                    "export the model again for the classes of its task",
                )
            if not np.isfinite(value).all():
                shown = value[0].tolist() if value.size < 100 else "NaN or infinite"
                raise BundleError(
                    f"output {name!r} is not a finite number for {what}: {shown}",
                    "the network is broken (training diverged, or its precision is too low): train it again",
                )
        return {name: value[0] for name, value in found.items()}

    def outputs(self, image_nchw: npt.NDArray[Any], table_nm: TableRow | None = None) -> dict[str, Floats]:
        """The named outputs of the graph but features, for prepared images (uint8 or uint16, n x c x h x w).

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
        names = self.graph.checked
        rows = list(on_threads(lambda pair: self.run(*pair, names), zip(image_nchw, table, strict=True), self.threads))
        return {name: np.concatenate([row[name] for row in rows]) for name in names}

    def make_golden(self, seed: int = 0, tolerance: float = 1e-3) -> tuple[Golden, dict[str, bytes]]:
        """Generated test patterns and what the graph answers to them now, for `archive.write_bundle`."""
        first = self.outputs(archive.golden_patterns(self.preprocess, 1, seed), archive.golden_rows(self.columns, 1))
        n = min(4, max(1, GOLDEN_BYTES // sum(value.nbytes for value in first.values())))
        pattern_nchw = archive.golden_patterns(self.preprocess, n, seed)
        row_nm = archive.golden_rows(self.columns, n)
        stem = f"golden/{self.graph.name}"
        inputs = {each.name: f"{stem}.{each.name}.npy" for each in self.graph.inputs}
        outputs = {name: f"{stem}.{name}.expected.npy" for name in self.graph.checked}
        answer = self.outputs(pattern_nchw, row_nm)
        files = {inputs[self._image.name]: archive.to_npy(pattern_nchw)}
        if self._table:
            files[inputs[self._table.name]] = archive.to_npy(row_nm)
        files |= {file: archive.to_npy(answer[name]) for name, file in outputs.items()}
        return Golden(graph=self.graph.name, file_inputs=inputs, file_outputs=outputs, tolerance=tolerance), files

    def check_golden(self, contents: archive.Contents) -> float:
        """Let the graph answer its golden test patterns; returns the largest difference (see `Golden`).

        Raises:
            BundleError: an output differs by more than the tolerance, has another shape, or is not a number.
        """
        golden = next(each for each in contents.manifest.golden if each.graph == self.graph.name)
        pattern_nchw = archive.from_npy(contents.golden, golden.file_inputs[self._image.name])
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
