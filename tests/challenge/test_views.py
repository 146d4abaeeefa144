"""What is shown of the installed packages: those that are needed, whatever lies beside them."""

from __future__ import annotations

import sys
from importlib.metadata import PathDistribution
from pathlib import Path

import pytest

from flawscope.challenge import views
from flawscope.challenge.views import distributions, files_of, imported
from flawscope.errors import SandboxError


def installed(site: Path, name: str, files: list[str], needs: tuple[str, ...] = ()) -> PathDistribution:
    """A distribution in a folder of packages, with empty files."""
    info = site / f"{name}-1.dist-info"
    info.mkdir(parents=True)
    lines = [f"Requires-Dist: {each}" for each in needs]
    (info / "METADATA").write_text("\n".join(["Metadata-Version: 2.1", f"Name: {name}", "Version: 1", *lines]) + "\n")
    for file in files:
        (site / file).parent.mkdir(parents=True, exist_ok=True)
        (site / file).touch()
    names = [*files, f"{info.name}/METADATA", f"{info.name}/RECORD"]
    (info / "RECORD").write_text("".join(f"{file},,\n" for file in names))
    return PathDistribution(info)


def test_the_files_of_a_distribution_and_of_no_other(tmp_path: Path) -> None:
    site = tmp_path / "site-packages"
    (tmp_path / "bin").mkdir()
    one = installed(
        site,
        "one",
        ["one/__init__.py", "one/data/labels.csv", "one.libs/lib.so", "single.py", "__pycache__/single.cpython-311.pyc",
         "shared/one/__init__.py", "shared/deep/x.so", "one.pth", "../bin/one"],
    )  # fmt: skip
    installed(site, "two", ["shared/two/__init__.py", "shared/deep/y.so", "__pycache__/two.cpython-311.pyc"])
    found = {place.relative_to(site.resolve()).as_posix() for place in files_of(one)}
    assert found == {
        "one", "one.libs", "single.py", "__pycache__/single.cpython-311.pyc", "shared/one", "shared/deep/x.so",
        "one-1.dist-info",
    }  # fmt: skip


def test_what_is_imported_needs_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, needs in (
        ("First_Of", ("second (>=1)", 'third; extra == "more"', 'absent; sys_platform == "win32"')),
        ("second", ("first-of", "fourth[x]>=2")),
        ("third", ()),
        ("fourth", ()),
        ("fifth", ()),
    ):
        installed(tmp_path, name, [f"of_{name}/__init__.py"], needs)
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    found = distributions(["of_First_Of", "of_nobody", "flawscope"])
    assert [each.metadata["Name"] for each in found] == ["First_Of", "fourth", "second"]


def test_a_distribution_that_does_not_say_its_files(tmp_path: Path) -> None:
    made = installed(tmp_path, "bare", [])
    (tmp_path / "bare-1.dist-info" / "RECORD").unlink()
    with pytest.raises(SandboxError, match=r"the files of bare are not known(?s:.)*pip install bare"):
        files_of(made)


def test_the_program_imports_the_light_runtime_and_no_more() -> None:
    names = set(imported().names)
    assert {"flawscope", "numpy", "onnxruntime", "pydantic", "PIL"} <= names
    assert not names & {"torch", "onnx", "sqlalchemy", "alembic", "typer", "yaml", "pytest", "cv2"}


def test_a_program_that_does_not_start_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(views, "_ASKED", "import flawscope.no_such_program")
    with pytest.raises(SandboxError, match=r"does not start: .*no_such_program"):
        imported()
