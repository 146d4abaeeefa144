"""What every loaded bundle is, whatever it answers with. Torch-free."""

from __future__ import annotations

from flawscope.bundle.graph_runner import GraphRunner
from flawscope.bundle.manifest import Manifest, Sealed
from flawscope.machine import cores
from flawscope.preprocess import Preprocess
from flawscope.records import Task


class LoadedBundle:
    """The base of `Runtime` and `MaskRuntime`, which start the `runner` of their graph.

    Attributes:
        sealed: what the answers follow from.
        threads: how much is worked on at a time; changes the speed, never a number.
    """

    runner: GraphRunner

    def __init__(self, sealed: Sealed, threads: int | None, manifest: Manifest | None) -> None:
        self.sealed = sealed
        self.threads = threads or cores()
        self._manifest = manifest

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
        """How a picture becomes the integers that the graph takes; where masks are made, `size` is that of a tile."""
        return self.runner.preprocess
