"""Files that come in: kept whole or not at all, swept when nobody writes them any more."""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from flawscope.challenge import receive
from flawscope.challenge.bounds import Bounds
from flawscope.challenge.desk import Desk
from flawscope.challenge.receive import incoming, receive_file, sweep
from flawscope.challenge.spec import moment
from flawscope.errors import BundleError, OutputError, UserError

AT = moment("2027-01-31", "at")


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "submissions").iterdir())


def test_it_is_kept_by_its_hash_or_not_at_all(tmp_path: Path) -> None:
    content = b"some" * 100
    with incoming(tmp_path, Bounds()) as coming:
        for piece in (content[:7], b"", content[7:]):
            coming.write(piece)
        assert len(names(tmp_path)) == 1 and coming.size == 400
        coming.settle()
        coming.keep()
        coming.keep()
    expected = hashlib.sha256(content).hexdigest()
    assert names(tmp_path) == [f"{expected}.flawscope"]
    kept = tmp_path / "submissions" / names(tmp_path)[0]
    assert kept.read_bytes() == content and kept.stat().st_mode & 0o777 == 0o644
    with pytest.raises(ZeroDivisionError), incoming(tmp_path, Bounds()) as coming:
        coming.write(b"x")
        raise ZeroDivisionError
    assert names(tmp_path) == [f"{expected}.flawscope"]


def test_more_than_is_taken_is_not_written(tmp_path: Path) -> None:
    with incoming(tmp_path, Bounds(bundle_bytes=10)) as coming:
        coming.write(b"x" * 10)
        with pytest.raises(BundleError, match="too large: at most 10 bytes"):
            coming.write(b"x")
        assert coming.path.stat().st_size == 10


def test_only_what_nobody_writes_is_swept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert sweep(tmp_path) == 0
    with incoming(tmp_path, Bounds()) as coming:
        left = tmp_path / "submissions" / ".incoming-left"
        left.write_bytes(b"half")
        assert sweep(tmp_path) == 1
        assert names(tmp_path) == [coming.path.name]

    def no_locks(*given: object) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(fcntl, "flock", no_locks)
    with incoming(tmp_path, Bounds()) as coming:
        left.write_bytes(b"half")
        assert sweep(tmp_path) == 0
        os.utime(left, (0, 0))
        assert sweep(tmp_path) == 1 and coming.path.is_file()


def test_a_file_that_is_swept_before_its_lock_is_made_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, made = receive.tempfile.mkstemp, []

    def taken_at_once(**given: object) -> tuple[int, str]:
        handle, name = real(**given)  # type: ignore[call-overload]
        made.append(name)
        if len(made) == 1:
            Path(name).unlink()
        return handle, name

    monkeypatch.setattr(receive.tempfile, "mkstemp", taken_at_once)
    with incoming(tmp_path, Bounds()) as coming:
        assert len(made) == 2 and coming.path == Path(made[1]) and coming.path.is_file()


def test_what_is_refused_is_not_kept(contest: Path, make_bundle: Callable[..., Path]) -> None:
    desk, bundle = Desk.at(contest), make_bundle()
    made = receive_file(desk, bundle, "a", AT)
    assert (made.number, made.file_name, made.person) == (1, "tiny.flawscope", None)
    before = names(contest)
    with pytest.raises(UserError, match="submitted this bundle already, as number 1"):
        receive_file(desk, bundle, "a", AT)
    cut = bundle.with_name("cut.flawscope")
    cut.write_bytes(bundle.read_bytes()[:-1])
    with pytest.raises(BundleError, match="it is not a bundle"):
        receive_file(desk, cut, "a", AT)
    assert names(contest) == before
    kept = contest / "submissions" / before[0]
    kept.write_bytes(b"damaged")
    receive_file(desk, bundle, "b", AT)
    assert kept.read_bytes() == bundle.read_bytes(), "what is handed in anew is whole again"


def test_a_folder_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "submissions").write_bytes(b"")
    with pytest.raises(OutputError, match="submissions"), incoming(tmp_path, Bounds()):
        pass
