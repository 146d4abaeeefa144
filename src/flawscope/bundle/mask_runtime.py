"""Runs a bundle that makes masks: from picture files to flaws, with onnxruntime and without torch.

Shapes: k classes, q maps (k, and the background first where classes exclude each other), c channels, h x w pixels.

Pictures are worked on several at a time, each on one core, as in `runtime`. Large ones would then be in memory side by
side; so of these one at a time is worked on, its tiles on all cores. Beside pictures of up to `LARGE` pixels, one for
each thread, memory is that of one picture, its levels and masks, and what `tiles` and `regions` say; no number depends
on the threads.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
from PIL import Image

from flawscope.bundle import archive
from flawscope.bundle.engine import mask_graphs
from flawscope.bundle.graph_runner import GraphRunner
from flawscope.bundle.loaded import LoadedBundle
from flawscope.bundle.manifest import Golden, Manifest, Sealed
from flawscope.bundle.postprocess import calibrate, three_answers
from flawscope.bundle.regions import Levels, highest, levels_in, probabilities, segmented
from flawscope.bundle.rules import MaskRule
from flawscope.bundle.runtime import Runtime
from flawscope.bundle.tiles import Maps, overlap_of, tiled
from flawscope.errors import BundleError, ImageError
from flawscope.machine import on_threads
from flawscope.preprocess import Preprocess, open_image, picture_size, prepare
from flawscope.records import Decision, FoundFlaw, MaskPrediction, Masks, Prediction

LARGE = 2**22
"""Pixels above which one picture is worked on at a time."""
USUAL_OVERLAP = 0.25
"""Of tiles, as a share of their sides, where no rule says it: the recipe's default."""
_Out = TypeVar("_Out")


@dataclass(frozen=True)
class Look:
    """What the graphs say of one picture of h x w pixels, before the rule of masks; or the `error`.

    `gate` is the gate's answer, where there is a gate, and `gate_seconds` its share of `seconds`; decoding is part of
    it. There are no levels where the gate stopped the picture, unless they were asked for all the same.
    """

    name: str
    height: int = 0
    width: int = 0
    level_khw: Levels | None = None
    gate: Prediction | None = None
    gate_seconds: float = 0.0
    seconds: float = 0.0
    error: str = ""

    @property
    def stopped(self) -> bool:
        """Whether the gate calls the picture good. Where a person has to look, flaws are looked for, too."""
        decision = self.gate.decision if self.gate else None
        return decision is not None and not any(decision.flags) and not decision.human


class MaskRuntime(LoadedBundle):
    """One loaded bundle of masks. Made from what was just exported, or with `MaskRuntime.open` from a file.

    Attributes:
        sealed: what the answers follow from.
        threads: how many images, or tiles of a large one, are worked on at a time; changes the speed, never a number.
        overlap: of tiles, height and width in pixels.
    """

    def __init__(
        self,
        sealed: Sealed,
        graphs: Mapping[str, bytes],
        *,
        threads: int | None = None,
        manifest: Manifest | None = None,
        overlap: tuple[int, int] | None = None,
    ) -> None:
        """Start the engine. `graphs` maps the graph files that `sealed` names to their ONNX bytes.

        `overlap` is for drafts, which have no rule that says it; without it a quarter of a tile.

        Raises:
            BundleError: a graph cannot be run, does not fit its manifest, or asks for what this version cannot do.
        """
        super().__init__(sealed, threads, manifest)
        gate, mask = mask_graphs(sealed)
        self.runner = GraphRunner(mask, graphs[mask.file], answers="masks", threads=self.threads)
        self.gate_runner = GraphRunner(gate, graphs[gate.file], threads=self.threads) if gate else None
        size = self.preprocess.size
        self.overlap = sealed.masks.overlap if sealed.masks else overlap or overlap_of(USUAL_OVERLAP, size)
        if any(shared >= side for shared, side in zip(self.overlap, size, strict=True)):
            raise BundleError(f"tiles of {size} pixels cannot overlap by {self.overlap}", "decide and seal it again")
        self._large = threading.RLock()

    @classmethod
    def open(
        cls, path: str | Path, threads: int | None = None, *, overlap: tuple[int, int] | None = None
    ) -> MaskRuntime:
        """Read a bundle file, check every hash, and let its graphs answer their golden test patterns.

        Raises:
            BundleError: damaged, of a newer schema, without masks, or it does not answer as it did when it was made.
        """
        return cls.of(archive.read_bundle(path), threads, overlap=overlap)

    @classmethod
    def of(
        cls, contents: archive.Contents, threads: int | None = None, *, overlap: tuple[int, int] | None = None
    ) -> MaskRuntime:
        """The same for a bundle that was read already.

        Raises:
            BundleError: see `open`.
        """
        manifest = contents.manifest
        runtime = cls(manifest.sealed, contents.graphs, threads=threads, manifest=manifest, overlap=overlap)
        runtime.check_golden(contents)
        return runtime

    def levels(self, source: str | Path | npt.NDArray[Any]) -> Levels:
        """The levels of each pixel, uint8 k x h x w, of a picture file or a prepared image (c x h x w of any size).

        Of classes that exclude each other only the most probable one of a pixel has a level above 0, and none where
        that is the background; so a pixel is marked where its level reaches the threshold of its class.

        Raises:
            ImageError: the file cannot be read.
            BundleError: the graph gives another shape, or NaN.
        """
        if isinstance(source, np.ndarray):
            return self._levels(source, "a prepared image")
        with self.alone(source):
            return self._levels(_prepared(open_image(source), self.preprocess, source), str(source))

    def look(self, path: str | Path, *, always: bool = True) -> Look:
        """What the graphs say of one picture file; no rule of masks is needed, so drafts look, too.

        With `always` also of a picture that the gate stops. A file that cannot be read gives a look with an `error`.

        Raises:
            BundleError: a graph gives another shape, or NaN.
        """
        start = time.perf_counter()
        try:
            with self.alone(path):
                look = self._looked(path, always, start)
        except ImageError as error:
            problem = error.problem.removeprefix(f"{path}: ")
            return Look(str(path), seconds=time.perf_counter() - start, error=problem)
        return replace(look, seconds=time.perf_counter() - start)

    def looks(
        self, paths: Iterable[str | Path], then: Callable[[Look], _Out], *, always: bool = True
    ) -> Iterator[_Out]:
        """What `then` makes of the look at each picture, in order, while the next ones are worked on.

        `then` is called on the threads that look, several at a time; as soon as it returns the levels are let go.
        """

        def work(path: str | Path) -> _Out:
            with self.alone(path):  # until the levels of a large picture are let go
                return then(self.look(path, always=always))

        return on_threads(work, paths, self.threads)

    def decided(self, look: Look) -> MaskPrediction:
        """The answer that follows from a look: the gate's, then the rule of masks.

        Raises:
            BundleError: the bundle is a draft.
        """
        rule, start = self._rule(), time.perf_counter()
        if look.error:
            return MaskPrediction(Prediction(look.name, seconds=look.seconds, error=look.error))
        task, k = self.task, len(self.task.classes)
        masks, flaws = Masks(look.height, look.width, ("",) * k), tuple[FoundFlaw, ...]()
        probability = (0.0,) * k
        if not look.stopped:
            assert look.level_khw is not None  # only what is stopped has none
            masks, flaws = segmented(look.level_khw, rule, task.classes)
            probability = highest(look.level_khw)
        shown = tuple(bool(flag) for flag in masks.shown)
        answer = Prediction(
            name=look.name,
            probability=probability,
            decision=Decision(shown, task.describe(masks.shown)),
            seconds=look.seconds + time.perf_counter() - start,
        )
        gate = look.gate.probability[0] if look.gate else None
        return MaskPrediction(answer, masks, flaws, gate, look.stopped, look.gate_seconds)

    def predict(self, paths: Iterable[str | Path]) -> Iterator[MaskPrediction]:
        """Flaws and answer for each picture file, in the order given, while the next ones are worked on.

        Of a picture that the gate calls good no flaws are looked for. A file that cannot be read becomes a prediction
        with an `error`, and the run goes on. `seconds` is the time from the file to the flaws.

        Raises:
            BundleError: the bundle is a draft, or a graph gives another shape or NaN.
        """
        self._rule()
        return self.looks(paths, self.decided, always=False)

    def make_golden(self) -> tuple[tuple[Golden, ...], dict[str, bytes]]:
        """Generated test patterns of all graphs and what they answer now, for `archive.write_bundle`."""
        made = [runner.make_golden() for runner in self._runners()]
        return tuple(golden for golden, _ in made), {name: data for _, files in made for name, data in files.items()}

    def check_golden(self, contents: archive.Contents) -> float:
        """Let all graphs answer their golden test patterns; returns the largest difference (see `Golden`).

        Raises:
            BundleError: an output differs by more than the tolerance, has another shape, or is not a number.
        """
        return max(runner.check_golden(contents) for runner in self._runners())

    def _runners(self) -> tuple[GraphRunner, ...]:
        return (self.gate_runner, self.runner) if self.gate_runner else (self.runner,)

    def _rule(self) -> MaskRule:
        if self.sealed.masks is None:
            raise BundleError("this bundle is a draft: it gives levels, but no flaws yet", "run: flawscope decide")
        return self.sealed.masks

    def alone(self, path: str | Path) -> AbstractContextManager[Any]:
        """To be held while a picture is worked on, so that of large ones only one is in memory."""
        return self._large if _pixels(path) > LARGE else nullcontext()

    def _looked(self, path: str | Path, always: bool, start: float) -> Look:
        image = open_image(path)
        gate, gate_seconds = None, 0.0
        if self.gate_runner is not None:
            gate = self._gate(self.gate_runner, image, path)
            gate_seconds = time.perf_counter() - start
        crop = self.preprocess.crop
        width, height = (crop[2] - crop[0], crop[3] - crop[1]) if crop else image.size
        look = Look(str(path), height, width, gate=gate, gate_seconds=gate_seconds)
        if look.stopped and not always:
            return look
        image_chw = _prepared(image, self.preprocess, path)
        del image  # it may be large
        return replace(look, level_khw=self._levels(image_chw, str(path)))

    def _gate(self, runner: GraphRunner, image: Image.Image, path: str | Path) -> Prediction:
        rule = self.sealed.gate
        assert rule is not None  # there is a graph for it
        image_chw = _prepared(image, runner.preprocess, path)
        logit_11 = runner.answer(image_chw, (1,), what=str(path)).astype(np.float64)[None]
        table, decision = rule.calibrator, rule.decision
        probability_11 = calibrate("binary", table.knots, logit_11, table.against_rest)
        answer = three_answers(rule.task.task(), decision.thresholds, decision.looked_at, probability_11)[0]
        return Prediction(str(path), tuple(logit_11[0].tolist()), tuple(probability_11[0].tolist()), answer)

    def _levels(self, image_chw: npt.NDArray[Any], what: str) -> Levels:
        spec, pixels = self.preprocess, self.task.pixels
        if image_chw.ndim != 3 or len(image_chw) != spec.channels or image_chw.dtype != spec.dtype:
            wanted = f"{np.dtype(spec.dtype)} images of {spec.channels} channels"
            raise ValueError(f"expected {wanted}, got {image_chw.dtype} {image_chw.shape}")
        q = len(self.task.classes) + (pixels == "multiclass")

        def look(tile_chw: npt.NDArray[Any]) -> Maps:
            return probabilities(self.runner.answer(tile_chw, (q, *spec.size), what=what), pixels)

        def each(look: Callable[[Any], Maps], tiles: Iterable[Any]) -> Iterator[Maps]:
            return on_threads(look, tiles, self.threads)

        large = image_chw.shape[1] * image_chw.shape[2] > LARGE
        return tiled(
            image_chw,
            spec.size,
            self.overlap,
            look,
            lambda map_qhw: levels_in(map_qhw, pixels),
            each=each if large else map,
        )


def open_bundle(
    path: str | Path, threads: int | None = None, *, overlap: tuple[int, int] | None = None
) -> Runtime | MaskRuntime:
    """Open a bundle file with the runtime that fits it: `MaskRuntime` where it makes masks, `Runtime` else.

    Raises:
        BundleError: damaged, of a newer schema, or it does not answer as it did when it was made.
    """
    return opened(archive.read_bundle(path), threads, overlap=overlap)


def opened(
    contents: archive.Contents, threads: int | None = None, *, overlap: tuple[int, int] | None = None
) -> Runtime | MaskRuntime:
    """The same for a bundle that was read already.

    Raises:
        BundleError: it does not answer as it did when it was made.
    """
    if contents.manifest.sealed.task.pixels:
        return MaskRuntime.of(contents, threads, overlap=overlap)
    return Runtime.of(contents, threads)


def started(contents: archive.Contents) -> Runtime | MaskRuntime:
    """The runtime that fits a bundle that was read; its golden test patterns are not checked.

    Raises:
        BundleError: a graph cannot be run, does not fit its manifest, or asks for what this version cannot do.
    """
    manifest = contents.manifest
    kind = MaskRuntime if manifest.sealed.task.pixels else Runtime
    return kind(manifest.sealed, contents.graphs, manifest=manifest)


def _prepared(image: Image.Image, spec: Preprocess, path: str | Path) -> npt.NDArray[Any]:
    try:
        return prepare(image, spec)
    except ImageError as error:
        raise ImageError(f"{path}: {error.problem}") from None


def _pixels(path: str | Path) -> int:
    """How many pixels the head of a file promises; 0 where it cannot be read, which is found again and told later."""
    width, height = picture_size(path) or (0, 0)
    return width * height
