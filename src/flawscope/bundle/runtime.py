"""Runs a bundle: from picture files to decisions, with onnxruntime and without torch.

Shapes: n images, k classes, c channels, h x w pixels.

Every image is decoded and run by itself on one core, several images at a time. On two cores this is faster than
batches on both (their threads wait for each other), memory stays small, and the answer for an image does not depend
on its neighbours, on the order, or on the number of threads: the numbers are the same to the last bit.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
from PIL import Image

from flawscope.bundle import archive
from flawscope.bundle.engine import supported
from flawscope.bundle.graph_runner import GraphRunner
from flawscope.bundle.loaded import LoadedBundle
from flawscope.bundle.manifest import Column, Golden, Manifest, Sealed
from flawscope.bundle.postprocess import three_answers
from flawscope.errors import BundleError, ImageError, MetadataError
from flawscope.machine import on_threads
from flawscope.metadata import TableRow, Values, encode
from flawscope.preprocess import load, open_image, prepare
from flawscope.probability import calibrate
from flawscope.records import FloatArray, Prediction

Source = str | Path | npt.NDArray[Any]
Known = Values | str
"""The metadata of one image, or in words why there are none."""
_In = TypeVar("_In")
_Out = TypeVar("_Out")
OLDER = "it was exported before graphs gave any, or with export.maps: false"


@dataclass(frozen=True)
class Mapped:
    """A prediction, its picture (decoded, upright), and its class activation maps, k x h x w in logits.

    There is neither picture nor map where the picture was not decided.
    """

    prediction: Prediction
    image: Image.Image | None = None
    map_khw: npt.NDArray[np.float32] | None = None


class Runtime(LoadedBundle):
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
        super().__init__(sealed, threads, manifest)
        graph = supported(sealed)
        self.runner = GraphRunner(graph, graphs[graph.file], threads=self.threads)

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
    def columns(self) -> tuple[Column, ...]:
        """The metadata that the graph takes of each image; none where it takes the picture alone."""
        return self.runner.columns

    def outputs(
        self, image_nchw: npt.NDArray[Any], table_nm: TableRow | None = None
    ) -> dict[str, npt.NDArray[np.float32]]:
        """All named outputs of the graph for prepared images (uint8 or uint16, n x c x h x w).

        `table_nm` holds their encoded metadata (float32, n x m) where the graph takes them.
        """
        return self.runner.outputs(image_nchw, table_nm)

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
        self.refuse_draft()
        return on_threads(lambda pair: self._answer(*pair), self._with(paths, metadata), self.threads)

    @property
    def maps(self) -> bool:
        """Whether the graph gives class activation maps."""
        return bool(self.runner.graph.output("maps"))

    def no_maps(self) -> str:
        """In words why the graph gives no class activation maps; empty where it does."""
        return "" if self.maps else self.runner.graph.no_maps or OLDER

    def mapped(
        self, paths: Iterable[str | Path], then: Callable[[int, Mapped], _Out], metadata: Iterable[Known] | None = None
    ) -> Iterator[_Out]:
        """What `then` makes of each prediction and its class activation maps, in order; see `predict`.

        `then` is given the number of the picture, from 0 on, and what was found of it. It is called on the threads that
        predict, several at a time; as soon as it returns the decoded picture is let go.

        Raises:
            MetadataError: none were given, and the graph takes them.
            BundleError: the bundle is a draft, or the graph gives no maps, another shape, or NaN.
        """
        self.refuse_draft()
        if not self.maps:
            raise BundleError(f"the bundle gives no class activation maps: {self.no_maps()}")

        def work(item: tuple[int, tuple[str | Path, Known]]) -> _Out:
            return then(item[0], self._mapped(*item[1]))

        return on_threads(work, enumerate(self._with(paths, metadata)), self.threads)

    def answer_with(
        self, image_chw: npt.NDArray[Any], row_m: TableRow, name: str, *, what: str = "a prepared image"
    ) -> tuple[FloatArray, npt.NDArray[np.float32]]:
        """The raw logits of one prepared image, and the maps (c x h x w) that the graph gives under a name.

        Raises:
            BundleError: the graph gives another shape, or NaN.
        """
        shape = (len(self.sealed.task.classes),)
        found = self.runner.answer_with(image_chw, shape, row_m, beside=(name,), what=what)
        map_chw = found.pop(name)
        (logit_k,) = found.values()
        return logit_k.astype(np.float64), map_chw

    def refuse_draft(self) -> None:
        """See that the bundle decides.

        Raises:
            BundleError: it is a draft.
        """
        if self.sealed.is_draft:
            raise BundleError("this bundle is a draft: it gives scores, but no decisions yet", "run: flawscope decide")

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

    def make_golden(self) -> tuple[Golden, dict[str, bytes]]:
        """Generated test patterns and what the graph answers to them now, for `archive.write_bundle`."""
        return self.runner.make_golden()

    def check_golden(self, contents: archive.Contents) -> float:
        """Let the graph answer its golden test patterns; returns the largest difference (see `Golden`).

        Raises:
            BundleError: an output differs by more than the tolerance, has another shape, or is not a number.
        """
        return self.runner.check_golden(contents)

    def _score(self, source: Source, known: Known) -> FloatArray:
        row_m = self._encoded(known)  # before the picture is decoded, which takes longer
        image_chw = source if isinstance(source, np.ndarray) else load(source, self.preprocess)
        what = "a prepared image" if isinstance(source, np.ndarray) else str(source)
        return self.runner.answer(image_chw, (len(self.sealed.task.classes),), row_m, what=what).astype(np.float64)

    def _answer(self, path: str | Path, known: Known) -> Prediction:
        start = time.perf_counter()
        try:
            logit_k = self._score(path, known)
        except (ImageError, MetadataError) as error:
            return _undecided(path, error, start)
        return self._decided(path, logit_k, start)

    def _mapped(self, path: str | Path, known: Known) -> Mapped:
        start, name = time.perf_counter(), self.runner.graph.output("maps")
        try:
            row_m = self._encoded(known)
            image = open_image(path)
            image_chw = prepare(image, self.preprocess)
        except (ImageError, MetadataError) as error:
            return Mapped(_undecided(path, error, start))
        logit_k, map_khw = self.answer_with(image_chw, row_m, name, what=str(path))
        if len(map_khw) != len(logit_k):
            raise BundleError(f"output {name!r} has {len(map_khw)} maps for {len(logit_k)} classes", "export it again")
        return Mapped(self._decided(path, logit_k, start), image, map_khw)

    def _decided(self, path: str | Path, logit_k: FloatArray, start: float) -> Prediction:
        task, sealed, logit_1k = self.task, self.sealed, logit_k[None]
        assert sealed.calibrator and sealed.decision  # drafts are refused before
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


def _undecided(path: str | Path, error: ImageError | MetadataError, start: float) -> Prediction:
    """The prediction of a picture that cannot be decided, with the reason."""
    problem = error.problem.removeprefix(f"{path}: ")
    return Prediction(name=str(path), seconds=time.perf_counter() - start, error=problem)
