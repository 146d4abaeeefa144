"""Whatever goes wrong while writing: what was there stays, and nothing half-written is left beside it."""

from __future__ import annotations

import errno
import json
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from flawscope import storage
from flawscope.errors import OutputError
from flawscope.storage import check_writable, new_file, new_folder, sha256_file, write_bytes, write_json, write_text


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def old_file(root: Path) -> Path:
    (root / "a.txt").write_text("old")
    return root / "a.txt"


def files(root: Path) -> list[str]:
    return sorted(path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file())


@pytest.mark.parametrize("problem", [ValueError, KeyboardInterrupt, SystemExit, MemoryError])
def test_a_file_stays_as_it_was(tmp_path: Path, problem: type[BaseException]) -> None:
    path = old_file(tmp_path)
    with pytest.raises(problem), new_file(path) as beside:
        beside.write_text("new, half of")
        raise problem
    assert path.read_text() == "old"
    assert names(tmp_path) == ["a.txt"]


@pytest.mark.parametrize("problem", [ValueError, KeyboardInterrupt])
@pytest.mark.parametrize("existed", [True, False])
def test_a_folder_stays_as_it_was(tmp_path: Path, problem: type[BaseException], existed: bool) -> None:
    if existed:
        (tmp_path / "run").mkdir()
        old_file(tmp_path / "run")
    with pytest.raises(problem), new_folder(tmp_path / "run", overwrite=True) as beside:
        (beside / "b.txt").write_text("new")
        raise problem
    assert files(tmp_path) == (["run/a.txt"] if existed else [])
    assert names(tmp_path) == (["run"] if existed else [])


def test_a_folder_appears_only_when_it_is_whole_and_replaces_only_when_asked(tmp_path: Path) -> None:
    target = tmp_path / "deep" / "run"
    with new_folder(target) as beside:
        (beside / "a.txt").write_text("one")
        assert not target.exists()
    with (
        pytest.raises(OutputError, match=r"run exists already\n.*--overwrite"),
        new_folder(target),
    ):
        pytest.fail("the block must not be entered")
    with new_folder(target, overwrite=True) as beside:
        (beside / "b.txt").write_text("two")
        assert files(target) == ["a.txt"]
    assert files(tmp_path) == ["deep/run/b.txt"]
    assert names(target.parent) == ["run"]


def test_a_folder_is_put_back_if_its_successor_cannot_be_renamed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "run").mkdir()
    old_file(tmp_path / "run")
    real = Path.replace

    def refuse(self: Path, target: Path) -> Path:
        if self.suffix == ".part":
            raise OSError(errno.EACCES, "Permission denied")
        return real(self, target)

    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(OutputError), new_folder(tmp_path / "run", overwrite=True):
        pass
    assert files(tmp_path) == ["run/a.txt"]


@pytest.mark.parametrize(
    ("code", "remedy"),
    [(errno.ENOSPC, "free some space"), (errno.EDQUOT, "quota"), (errno.EROFS, "read-only"), (errno.EACCES, "may")],
)
@pytest.mark.parametrize("when", ["writing", "renaming"])
def test_the_disk_refuses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, remedy: str, when: str) -> None:
    path = old_file(tmp_path)

    def refuse(*given: object) -> int:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(Path, {"writing": "write_bytes", "renaming": "replace"}[when], refuse)
    with pytest.raises(OutputError, match=f"cannot write .*a.txt(?s:.)*{remedy}"):
        write_bytes(path, b"new")
    monkeypatch.undo()
    assert path.read_text() == "old"
    assert names(tmp_path) == ["a.txt"]


def test_other_errors_of_the_system_are_not_called_the_users_fault(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="bus"), new_file(tmp_path / "a"):
        raise OSError(errno.EIO, "bus")
    assert names(tmp_path) == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_device_that_is_really_full(tmp_path: Path) -> None:
    path = old_file(tmp_path)
    with pytest.raises(OutputError, match="free some space"), new_file(path), Path("/dev/full").open("wb") as stream:
        stream.write(b"x" * 100_000)
    assert path.read_text() == "old"
    assert names(tmp_path) == ["a.txt"]


@pytest.mark.skipif(os.name != "posix", reason="resource limits are POSIX")
def test_a_write_that_the_system_really_cuts_short(tmp_path: Path) -> None:
    """RLIMIT_FSIZE lets the first bytes through and refuses the rest, as a full disk does."""
    path = old_file(tmp_path)
    code = (
        "import resource, sys; from flawscope.storage import write_bytes\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))\n"
        "try: write_bytes(sys.argv[1], b'x' * 100_000)\n"
        "except Exception as error: print(type(error).__name__)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.stdout.strip() in {"OSError", "OutputError"}, done.stderr
    assert path.read_text() == "old"
    assert names(tmp_path) == ["a.txt"]


def test_a_folder_that_may_not_be_written_to(tmp_path: Path) -> None:
    (tmp_path / "locked").mkdir()
    (tmp_path / "locked").chmod(0o500)
    if os.access(tmp_path / "locked", os.W_OK):
        pytest.skip("this user (root) may write to read-only folders")
    with pytest.raises(OutputError, match="choose a folder that you may write to"):
        write_text(tmp_path / "locked" / "a", "x")


@pytest.mark.parametrize("write", [lambda path: write_text(path, "x"), lambda path: new_folder(path).__enter__()])
def test_a_file_where_a_folder_is_needed(tmp_path: Path, write: Callable[[Path], object]) -> None:
    with pytest.raises(OutputError, match=r"cannot write .*\n.*another"):
        write(old_file(tmp_path) / "b" / "c")
    assert files(tmp_path) == ["a.txt"]


def test_a_place_is_tried_and_nothing_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    check_writable(tmp_path / "a" / "b" / "run")
    assert names(tmp_path) == []
    old_file(tmp_path)
    with pytest.raises(OutputError, match=r"cannot write .*run: .*\n.*a part of the path is a file"):
        check_writable(tmp_path / "a.txt" / "b" / "run")
    with pytest.raises(OutputError, match="shorter name"):
        check_writable(tmp_path / ("x" * 300))
    (tmp_path / "locked").mkdir(mode=0o500)
    if not os.access(tmp_path / "locked", os.W_OK):
        with pytest.raises(OutputError, match="that you may write to"):
            check_writable(tmp_path / "locked" / "b" / "run")
    assert names(tmp_path) == ["a.txt", "locked"]

    def refuse(*given: object, **named: object) -> str:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(storage.tempfile, "TemporaryDirectory", refuse)
    with pytest.raises(OutputError, match="free some space"):
        check_writable(tmp_path / "run")


def test_a_folder_where_a_file_should_go(tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()
    with pytest.raises(OutputError, match="a folder of that name stands in the way"):
        write_text(tmp_path / "taken", "x")
    assert names(tmp_path) == ["taken"]


def test_a_name_that_is_too_long(tmp_path: Path) -> None:
    with pytest.raises(OutputError):
        write_text(tmp_path / ("x" * 300), "x")


def test_json_is_readable_keeps_order_and_refuses_nan(tmp_path: Path) -> None:
    path = tmp_path / "ä.json"
    write_json(path, {"b": "ü", "a": [1, 0.1]})
    assert path.read_text(encoding="utf-8").startswith('{\n "b": "ü"')
    assert json.loads(path.read_text(encoding="utf-8")) == {"b": "ü", "a": [1, 0.1]}
    with pytest.raises(ValueError, match="JSON"):
        write_json(path, {"b": float("nan")})
    assert json.loads(path.read_text(encoding="utf-8"))["b"] == "ü"


@pytest.mark.skipif(os.name != "posix", reason="permissions are POSIX")
def test_files_and_folders_get_the_users_usual_permissions(tmp_path: Path) -> None:
    old = os.umask(0o027)
    try:
        write_text(tmp_path / "a", "x")
    finally:
        os.umask(old)
    with new_folder(tmp_path / "b"):
        pass
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o640
    assert stat.S_IMODE((tmp_path / "b").stat().st_mode) == 0o755


def test_sha256_of_a_known_text(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")  # FIPS 180-2, appendix B.1
    assert sha256_file(tmp_path / "a") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


@pytest.mark.skipif(os.name != "posix", reason="signals are POSIX")
def test_ctrl_c_while_writing(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    path = old_file(tmp_path)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job begins with it ignored
    request.addfinalizer(lambda: signal.signal(signal.SIGINT, before))

    def interrupt(*given: object) -> None:
        signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt), new_file(path) as beside:
        beside.write_text("half")
        interrupt()
    assert (path.read_text(), names(tmp_path)) == ("old", ["a.txt"])
    assert storage.sha256_file(path)
