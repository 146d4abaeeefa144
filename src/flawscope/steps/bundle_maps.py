"""Maps of a bundle, without torch: those that its graph gives, and those that forward passes of it tell.

Letters: k score columns, c channels, h and w rows and columns.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from flawscope.bundle.mask_runtime import MaskRuntime, open_bundle
from flawscope.bundle.runtime import Runtime
from flawscope.errors import UserError, choices
from flawscope.explanation.explained import CAM, METHODS, SIGNED, UNITS, Explained, column_of
from flawscope.inspection.folder import Progress
from flawscope.inspection.forward_maps import occlusion, score_cam, stretched
from flawscope.machine import on_threads
from flawscope.metadata import TableRow, encode
from flawscope.preprocess import Pixels, Preprocess
from flawscope.records import FloatArray, Task
from flawscope.steps.seen import Seen

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class BundleMaps:
    """A bundle that explains its answers: what its graph says, with its views averaged where it looks at several."""

    runtime: Runtime
    name: str

    @classmethod
    def of(cls, path: str | Path) -> BundleMaps:
        """Open a bundle file.

        Raises:
            BundleError: it is refused.
            UserError: it makes masks.
        """
        runtime = open_bundle(path)
        if isinstance(runtime, MaskRuntime):
            raise UserError(
                f"{path} makes masks: its answer is a map already",
                "`flawscope inspect` draws it; or name the run folder, whose network can be explained",
            )
        return cls(runtime, Path(path).name)

    @property
    def task(self) -> Task:
        """What is decided."""
        return self.runtime.task

    @property
    def spec(self) -> Preprocess:
        """How pictures are made ready."""
        return self.runtime.preprocess

    @property
    def columns(self) -> tuple[str, ...]:
        """The metadata that the graph takes beside a picture."""
        return tuple(column.name for column in self.runtime.columns)

    @property
    def facts(self) -> Mapping[str, str]:
        """What the page of the maps says of it."""
        return {"Bundle": self.name, "Seal": self.runtime.manifest.seal[:12] or "none, a draft"}

    @property
    def given(self) -> tuple[str, ...]:
        """The methods that this bundle can give, the best one first."""
        features = bool(self.runtime.runner.graph.output("features"))
        return (*((CAM,) if self.runtime.maps else ()), "occlusion", *(("score-cam",) if features else ()))

    def methods(self, asked: str | Sequence[str] | None, layer: str | None = None) -> list[str]:
        """The methods that are asked for, each once; None: class activation maps, or occlusion where there are none.

        Grad-CAM is taken where class activation maps are given: it is the same but for its scale.

        Raises:
            UserError: there is none of that name, or the bundle cannot give it.
        """
        given = [*self.given]
        given[1:1] = ["grad-cam"] if self.runtime.maps else []
        names = [self.given[0]] if asked is None else [asked] if isinstance(asked, str) else list(asked)
        if names == ["all"]:
            return list(self.given)
        if not names:
            raise UserError("no method is named", f"one or several of {', '.join(given)}")
        for name in names:
            if name in given:
                continue
            if name not in (CAM, *METHODS):
                raise UserError(f"there is no method {name!r}", choices(name, (*given, "all")))
            why = f": {self.runtime.no_maps()}" if name in (CAM, "grad-cam") else ""
            more = "" if name == CAM else "; for others name the run folder that it was made in (needs torch)"
            raise UserError(f"this bundle cannot give {name}{why}", f"it gives {', '.join(given)}{more}")
        return list(dict.fromkeys(names))

    def explain(
        self,
        seen: Sequence[Seen],
        method: str,
        of: str | None,
        layer: str | None,
        *,
        on_progress: Progress | None = None,
    ) -> Explained:
        """The maps of pictures of one size; `on_progress` is told how many of how many are done.

        Raises:
            UserError: an unknown class, or a layer that the graph does not show.
        """
        own = self.runtime.runner.graph.layer
        if layer is not None and (method == "occlusion" or layer != own):
            raise UserError(
                f"a bundle cannot show layer {layer}" + (f": its maps are those of {own}" if own else ""),
                "leave out --layer, or name the run folder that it was made in",
            )
        made = []
        for each in seen:
            made.append(self._one(each, method, of))
            if on_progress:
                on_progress(len(made), len(seen))
        raw_bhw = np.stack([raw_hw for raw_hw, _, _ in made])
        largest_b = np.abs(raw_bhw).max(axis=(1, 2))
        return Explained(
            (raw_bhw / np.where(largest_b > 0, largest_b, 1.0)[:, None, None]).astype(np.float32),
            largest_b,
            UNITS[method],
            method in SIGNED,
            method,
            "" if method == "occlusion" else own,
            tuple(name for _, name, _ in made),
            np.array([score for _, _, score in made], dtype=np.float32),
        )

    def _one(self, seen: Seen, method: str, of: str | None) -> tuple[Floats, str, float]:
        """The map of one picture in its own unit, the class that was asked about, and its score."""
        graph = self.runtime.runner.graph
        row_m: TableRow = encode(seen.meta or {}, self.runtime.columns)
        kind = {CAM: "maps", "grad-cam": "maps", "score-cam": "features"}.get(method)
        logit_k, map_chw = self._looked(seen.pixels, row_m, graph.output(kind) if kind else "")
        column, sign = self._asked(logit_k, of)

        def score(images: Iterable[Pixels]) -> FloatArray:
            shape = (len(logit_k),)
            logits = on_threads(
                lambda image: self.runtime.runner.answer(image, shape, row_m)[column], images, self.runtime.threads
            )
            return sign * np.array(list(logits), dtype=np.float64)

        name = self.task.negative if sign < 0 else self.task.classes[column]
        if method == "occlusion":
            raw_hw = occlusion(score, seen.pixels, self._neutral())
        elif method == "score-cam":
            raw_hw = score_cam(score, seen.pixels, map_chw, self._neutral())
        else:
            places = map_chw[0].size if method == "grad-cam" else 1
            raw_hw = stretched(np.maximum(sign * map_chw[column], 0) / places, seen.pixels.shape[1:])
        return raw_hw, name, float(sign * logit_k[column])

    def _looked(self, image_chw: Pixels, row_m: TableRow, output: str) -> tuple[FloatArray, Floats]:
        if output:
            return self.runtime.answer_with(image_chw, row_m, output)
        shape = (len(self.task.classes),)
        return self.runtime.runner.answer(image_chw, shape, row_m).astype(np.float64), np.empty(0, np.float32)

    def _asked(self, logit_k: FloatArray, of: str | None) -> tuple[int, int]:
        """The score column, and -1 where the other answer of a binary task is asked about."""
        if of is not None:
            return column_of(self.task, of)
        if self.task.kind == "binary":
            return 0, 1 if logit_k[0] > 0 else -1
        return int(logit_k.argmax()), 1

    def _neutral(self) -> tuple[float, ...]:
        """What covers: as the graph's normalisation says, in old bundles the middle of the range."""
        told = next((each.neutral for each in self.runtime.runner.graph.inputs if each.kind == "image"), ())
        return told or (np.iinfo(self.spec.dtype).max / 2,) * self.spec.channels
