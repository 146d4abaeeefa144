from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa
from onnx import TensorProto, helper, numpy_helper

from flawscope.bundle.archive import golden_patterns, to_npy, write_bundle
from flawscope.bundle.manifest import Golden, Graph, Hashes, ImageInput, Manifest, Sealed
from flawscope.bundle.rules import Calibrator, DecisionRule, TaskModel
from flawscope.bundle.runtime import Runtime
from flawscope.challenge.spec import Challenge
from flawscope.preprocess import Preprocess
from flawscope.records import Task

PART = {"images": 4, "groups": 2, "hash": "0" * 64}
CONTENT: dict[str, Any] = {
    "name": "cells", "title": "Cells", "kind": "multilabel", "classes": ["crack", "inactive"], "negative": "ok",
    "metric": "mean_f1", "pass_mark": 0.6, "opens": "2027-01-01T00:00:00Z", "deadline": "2027-03-01T23:59:59+01:00",
    "daily": 5, "ladder_step": 0.01, "seed": 1, "parts": {"training": PART, "public": PART, "private": PART},
}  # fmt: skip


@pytest.fixture(scope="session")
def challenge_content() -> dict[str, Any]:
    """What stands in a challenge.json."""
    return CONTENT


@pytest.fixture(scope="session")
def make_challenge() -> Callable[..., Challenge]:
    """`make_challenge(metric="accuracy")`: a challenge with some keys changed."""
    return lambda **changes: Challenge.model_validate(CONTENT | changes)


@pytest.fixture(scope="session")
def odd_bundle(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """`odd_bundle(nodes, constants, k=1)`: a bundle of a graph from `values` (float) to `logits`, for 8 x 8 pictures.

    Its golden patterns are answered truly if `honest`, else with zeros: for graphs that cannot be run here.
    """
    spec, folder = Preprocess(size=(8, 8), channels=1), tmp_path_factory.mktemp("odd")

    def make(
        nodes: Sequence[Any], constants: Mapping[str, Any], *, k: int = 1, honest: bool = True, task: Any = None
    ) -> Path:
        task = task or Task("binary", ("defective",), "functional")
        graph = helper.make_graph(
            [helper.make_node("Cast", ["inputs"], ["values"], to=TensorProto.FLOAT), *nodes],
            "odd",
            [helper.make_tensor_value_info("inputs", TensorProto.UINT8, ["batch", *spec.shape])],
            [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", k])],
            [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
        )
        opsets = [helper.make_opsetid("", 20), helper.make_opsetid("com.microsoft", 1), helper.make_opsetid("evil", 1)]
        content = helper.make_model(graph, opset_imports=opsets, ir_version=10).SerializeToString()
        sealed = Sealed(
            task=TaskModel.of(task),
            graphs=(Graph(inputs=(ImageInput(preprocess=spec),)),),
            calibrator=Calibrator.identity(len(task.classes)),
            decision=DecisionRule(rule="r", fitted_on="calibration", thresholds=(0.5,) * len(task.classes)),
            split_stamp="LEAK NOT CHECKED",
        )
        graphs = {"graphs/main.onnx": content}
        if honest:
            golden, files = Runtime(sealed, graphs, threads=1).make_golden()
        else:
            inputs, outputs = {"inputs": "golden/in.npy"}, {"logits": "golden/out.npy"}
            golden = Golden(file_inputs=inputs, file_outputs=outputs)
            zeros = np.zeros((4, k), dtype=np.float32)
            files = {"golden/in.npy": to_npy(golden_patterns(spec)), "golden/out.npy": to_npy(zeros)}
        manifest = Manifest(
            name="odd",
            created="2027-01-31",
            sealed=sealed,
            hashes=Hashes(data="d", split="s", recipe="r", code="0.1"),
            golden=(golden,),
        )
        path = folder / f"{len(list(folder.iterdir()))}.flawscope"
        write_bundle(path, manifest, graphs, files)
        return path

    return make


@pytest.fixture(scope="session")
def endless(odd_bundle: Callable[..., Path]) -> Path:
    """A bundle whose graph never ends."""
    body = helper.make_graph(
        [helper.make_node("Identity", ["go"], ["on"]), helper.make_node("Add", ["x", "x"], ["y"])],
        "body",
        [
            helper.make_tensor_value_info("i", TensorProto.INT64, []),
            helper.make_tensor_value_info("go", TensorProto.BOOL, []),
            helper.make_tensor_value_info("x", TensorProto.FLOAT, None),
        ],
        [
            helper.make_tensor_value_info("on", TensorProto.BOOL, []),
            helper.make_tensor_value_info("y", TensorProto.FLOAT, None),
        ],
    )
    nodes = [
        helper.make_node("ReduceMean", ["values", "axes"], ["mean"], keepdims=1),
        helper.make_node("Flatten", ["mean"], ["flat"]),
        helper.make_node("Loop", ["times", "yes", "flat"], ["logits"], body=body),
    ]
    constants = {"axes": np.array([1, 2, 3]), "times": np.array(2**62), "yes": np.array(True)}
    return odd_bundle(nodes, constants, honest=False)


class Postgres:
    """A PostgreSQL server of our own: as its own user if we are root, in a folder of its own, on a socket there."""

    def __init__(self) -> None:
        places = [*Path("/usr/lib/postgresql").glob("*/bin"), *map(Path, os.environ.get("PATH", "").split(os.pathsep))]
        found = next((place for place in places if (place / "initdb").exists()), None)
        if found is None:
            pytest.skip("THE STORE IS NOT TESTED ON POSTGRESQL: it is not there (apt-get install postgresql)")
        self.programs = found
        self.user = "postgres" if os.geteuid() == 0 else None
        self.folder = Path(tempfile.mkdtemp(prefix="flawscope-pg-"))
        if self.user:
            shutil.chown(self.folder, self.user)
        self.run("initdb", "-D", self.data, "-A", "trust", "-U", "postgres", "--no-sync")
        self.start()

    @property
    def data(self) -> str:
        return str(self.folder / "data")

    @property
    def url(self) -> str:
        return f"postgresql://postgres@/postgres?host={self.folder}"

    def run(self, program: str, *words: str) -> None:
        done = subprocess.run(
            [self.programs / program, *words],
            user=self.user, cwd=self.folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr.decode()

    def start(self) -> None:
        options = f"-c listen_addresses='' -c unix_socket_directories='{self.folder}' -c fsync=off"
        self.run("pg_ctl", "-D", self.data, "-w", "-l", str(self.folder / "log"), "-o", options, "start")

    def stop(self) -> None:
        """As if the machine had failed."""
        self.run("pg_ctl", "-D", self.data, "-w", "-m", "immediate", "stop")


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """Started once; skips, and says so, where there is none."""
    pytest.importorskip("psycopg", reason="THE STORE IS NOT TESTED ON POSTGRESQL: psycopg is not installed")
    server = Postgres()
    yield server
    server.stop()
    shutil.rmtree(server.folder, ignore_errors=True)


@pytest.fixture
def emptied(postgres: Postgres) -> Iterator[Postgres]:
    """The same, empty for each test."""
    yield postgres
    engine = sa.create_engine(sa.make_url(postgres.url).set(drivername="postgresql+psycopg"))
    with engine.begin() as connection:
        connection.execute(sa.text("DROP SCHEMA public CASCADE"))
        connection.execute(sa.text("CREATE SCHEMA public"))
    engine.dispose()


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str | Path:
    """Where a store is kept, empty: in a file, and in PostgreSQL."""
    return tmp_path / "store.sqlite" if request.param == "sqlite" else request.getfixturevalue("emptied").url
