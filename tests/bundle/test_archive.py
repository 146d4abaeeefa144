from __future__ import annotations

import hashlib
import io
import json
import re
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from flawscope.bundle.archive import add_evidence, from_npy, golden_patterns, read_bundle, to_npy, write_bundle
from flawscope.bundle.manifest import seal_of
from flawscope.errors import BundleError, OutputError
from flawscope.preprocess import Preprocess

Make = Callable[..., Path]


def close(content: bytes) -> bytes:
    """Give a changed zip a valid comment again, as someone with this source at hand could."""
    body = content[:-71]
    return body + f"sha256:{hashlib.sha256(body).hexdigest()}".encode()


def rebuilt(path: Path, change: Callable[[dict[str, bytes]], None], **options: int) -> Path:
    """The bundle with changed members, its file hash right again."""
    with zipfile.ZipFile(path) as bundle:
        members = {name: bundle.read(name) for name in bundle.namelist()}
    change(members)
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", **options) as bundle:
        for name, content in members.items():
            bundle.writestr(name, content)
        bundle.comment = b"0" * 71
    path.write_bytes(close(stream.getvalue()))
    return path


def test_what_is_written_is_read(make_bundle: Make) -> None:
    path = make_bundle(evidence={"validation": {"n": 3}})
    contents = read_bundle(path)
    manifest = contents.manifest
    assert manifest.seal == seal_of(manifest.sealed)
    assert manifest.sealed.graphs[0].sha256 == hashlib.sha256(contents.graphs["graphs/main.onnx"]).hexdigest()
    assert contents.evidence == {"validation": {"n": 3, "seal": manifest.seal}}
    assert set(manifest.files) == {*contents.graphs, *contents.golden, "evidence/validation.json"}


def test_the_same_contents_give_the_same_bytes(make_bundle: Make) -> None:
    assert make_bundle(name="a.flawscope").read_bytes() == make_bundle(name="b.flawscope").read_bytes()


def test_one_flipped_bit_anywhere_is_refused(make_bundle: Make) -> None:
    path = make_bundle()
    content = path.read_bytes()
    with path.open("r+b", buffering=0) as stream:
        for at, byte in enumerate(content):
            stream.seek(at)
            stream.write(bytes([byte ^ 1 << at % 8]))
            with pytest.raises(BundleError):
                read_bundle(path)
            stream.seek(at)
            stream.write(bytes([byte]))
    assert path.read_bytes() == content
    read_bundle(path)


@pytest.mark.parametrize("keep", [0, 1, 4, 70, 71, 72, 500, -72, -71, -1])
def test_a_cut_off_file_is_refused(make_bundle: Make, keep: int) -> None:
    path = make_bundle()
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(BundleError):
        read_bundle(path)


def test_bytes_added_at_either_end_are_refused(make_bundle: Make) -> None:
    path = make_bundle()
    content = path.read_bytes()
    for changed in (content + b"\n", b"#!" + content, content + content):
        path.write_bytes(changed)
        with pytest.raises(BundleError):
            read_bundle(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"", "is empty"), (b"x" * 100, "not a bundle"), (b"PK\x03\x04" + b"x" * 100, "not a whole bundle")],
)
def test_what_is_no_bundle(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "x.flawscope"
    path.write_bytes(content)
    with pytest.raises(BundleError, match=f"x.flawscope.* {message}"):
        read_bundle(path)


def test_missing_file_folder_and_other_zips(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="does not exist"):
        read_bundle(tmp_path / "none.flawscope")
    with pytest.raises(BundleError, match="is a folder"):
        read_bundle(tmp_path)
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as other:
        other.writestr("a.txt", "a" * 1000)
    with pytest.raises(BundleError, match="not a whole bundle"):
        read_bundle(tmp_path / "other.zip")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda m: m.update({"../evil.json": b"{}"}), "holds other files"),
        (lambda m: m.update({"/etc/x.json": b"{}"}), "holds other files"),
        (lambda m: m.update({"graphs/../x.onnx": b"{}"}), "holds other files"),
        (lambda m: m.update({"code.py": b"{}"}), "holds other files"),
        (lambda m: m.pop("manifest.json"), "holds other files"),
        (lambda m: m.update({"graphs/more.onnx": b""}), "differ from the manifest's list"),
        (lambda m: m.update({"evidence/more.json": b"{}"}), "differ from the manifest's list"),
        (lambda m: m.pop("golden/main.inputs.npy"), "differ from the manifest's list"),
        (lambda m: m.update({"graphs/main.onnx": b"other"}), "graphs/main.onnx is not what was sealed"),
        (lambda m: m.update({"manifest.json": b"{}"}), "no schema version"),
        (lambda m: m.update({"manifest.json": b" " * (17 * 1024**2)}), "too large"),
    ],
)
def test_a_valid_file_hash_does_not_help_a_changed_bundle(make_bundle: Make, change: Callable, message: str) -> None:
    with pytest.raises(BundleError, match=re.escape(message)):
        read_bundle(rebuilt(make_bundle(), change))


def test_another_graph_needs_another_seal(make_bundle: Make) -> None:
    def swap(members: dict[str, bytes]) -> None:
        members["graphs/main.onnx"] = b"other"
        raw = json.loads(members["manifest.json"])
        raw["files"]["graphs/main.onnx"] = hashlib.sha256(b"other").hexdigest()
        members["manifest.json"] = json.dumps(raw).encode()

    with pytest.raises(BundleError, match="not what was sealed"):
        read_bundle(rebuilt(make_bundle(), swap))


def test_evidence_of_another_bundle_is_refused(make_bundle: Make) -> None:
    def swap(members: dict[str, bytes]) -> None:
        members["evidence/test.json"] = b'{"seal": "other"}'
        raw = json.loads(members["manifest.json"])
        raw["files"]["evidence/test.json"] = hashlib.sha256(members["evidence/test.json"]).hexdigest()
        members["manifest.json"] = json.dumps(raw).encode()

    with pytest.raises(BundleError, match="belongs to another bundle"):
        read_bundle(rebuilt(make_bundle(evidence={"test": {}}), swap))


def test_compressed_and_doubled_members_are_refused(make_bundle: Make) -> None:
    # A compressed member may be a bomb: a thousand times larger than the file.
    with pytest.raises(BundleError, match="packed in another way"):
        read_bundle(rebuilt(make_bundle(), lambda m: None, compression=zipfile.ZIP_DEFLATED))
    path = make_bundle()
    with zipfile.ZipFile(path, "a") as bundle, pytest.warns(UserWarning, match="Duplicate"):
        bundle.writestr("manifest.json", b"{}")
    path.write_bytes(close(path.read_bytes()))
    with pytest.raises(BundleError, match="holds other files"):
        read_bundle(path)


def test_a_member_that_claims_to_be_larger_than_the_file_is_refused(make_bundle: Make) -> None:
    path = make_bundle()
    content = bytearray(path.read_bytes())
    entry = content.index(b"PK\x01\x02")
    content[entry + 20 : entry + 28] = (2**31).to_bytes(4, "little") * 2
    path.write_bytes(close(bytes(content)))
    with pytest.raises(BundleError, match="packed in another way"):
        read_bundle(path)


def test_evidence_is_added_and_the_seal_stays(make_bundle: Make) -> None:
    path = make_bundle()
    before = read_bundle(path)
    add_evidence(path, "test", {"AUROC": 0.9, "seal": "is replaced"})
    add_evidence(path, "validation", {"AUROC": 0.8})
    add_evidence(path, "test", {"AUROC": 0.91})
    after = read_bundle(path)
    assert after.manifest.seal == before.manifest.seal
    assert after.manifest.sealed == before.manifest.sealed
    assert after.graphs == before.graphs
    assert after.golden == before.golden
    assert after.evidence["test"] == {"AUROC": 0.91, "seal": before.manifest.seal}
    assert set(after.evidence) == {"test", "validation"}


def test_what_add_evidence_refuses(make_bundle: Make) -> None:
    path = make_bundle()
    with pytest.raises(BundleError, match=r"cannot be called '\.\./x'"):
        add_evidence(path, "../x", {})
    with pytest.raises(ValueError, match="not JSON compliant"):
        add_evidence(path, "test", {"AUROC": float("nan")})
    assert read_bundle(path).evidence == {}
    draft = make_bundle(draft=True)
    with pytest.raises(BundleError, match="a draft cannot carry evidence"):
        add_evidence(draft, "test", {})
    with pytest.raises(BundleError, match="a draft cannot carry evidence"):
        make_bundle(draft=True, evidence={"test": {}})


def test_a_draft_can_be_stored_without_a_seal(make_bundle: Make) -> None:
    manifest = read_bundle(make_bundle(draft=True)).manifest
    assert manifest.sealed.is_draft
    assert manifest.seal == ""


def test_graphs_and_golden_files_must_be_those_of_the_manifest(make_bundle: Make, tmp_path: Path) -> None:
    contents = read_bundle(make_bundle())
    with pytest.raises(ValueError, match="other graphs"):
        write_bundle(tmp_path / "x", contents.manifest, {}, contents.golden)
    with pytest.raises(ValueError, match="golden files"):
        write_bundle(tmp_path / "x", contents.manifest, contents.graphs, {})
    assert not (tmp_path / "x").exists()


def test_a_place_that_cannot_be_written_leaves_nothing(make_bundle: Make, tmp_path: Path) -> None:
    contents = read_bundle(make_bundle())
    (tmp_path / "file").write_text("x")
    with pytest.raises(OutputError):
        write_bundle(tmp_path / "file" / "x.flawscope", contents.manifest, contents.graphs, contents.golden)
    assert {each.name for each in tmp_path.iterdir()} == {"file", "tiny.flawscope"}


@pytest.mark.parametrize("depth", [8, 16])
def test_golden_patterns_are_seeded_and_use_the_range(depth: int) -> None:
    spec = Preprocess(size=(16, 24), channels=3, depth=depth)
    pattern_nchw = golden_patterns(spec, n=5, seed=3)
    assert pattern_nchw.shape == (5, 3, 16, 24)
    assert pattern_nchw.dtype == spec.dtype
    assert pattern_nchw.min() == 0
    assert pattern_nchw.max() == np.iinfo(spec.dtype).max
    np.testing.assert_array_equal(pattern_nchw, golden_patterns(spec, n=5, seed=3))
    assert (pattern_nchw != golden_patterns(spec, n=5, seed=4)).any()


def test_arrays_without_pickle() -> None:
    array = np.arange(6, dtype=np.uint16).reshape(2, 3)
    np.testing.assert_array_equal(from_npy({"a.npy": to_npy(array)}, "a.npy"), array)
    with pytest.raises(BundleError, match=r"holds no b\.npy"):
        from_npy({}, "b.npy")
    stream = io.BytesIO()
    np.save(stream, np.array([{}], dtype=object), allow_pickle=True)
    huge = to_npy(np.zeros(3)).replace(b"(3,), }" + b" " * 15, b"(" + b"9" * 15 + b",), } ")
    assert len(huge) == len(to_npy(np.zeros(3)))
    for bad in (stream.getvalue(), b"", b"\x93NUMPY", to_npy(array)[:-1], to_npy(np.array(["a"])), huge):
        with pytest.raises(BundleError, match=r"a\.npy"):
            from_npy({"a.npy": bad}, "a.npy")
