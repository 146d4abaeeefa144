"""The house rules that no linter knows."""

from __future__ import annotations

import ast
import inspect
import re
from pathlib import Path

import pytest

import flawscope
from flawscope.cli.app import app

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "flawscope"
FILES = sorted(SOURCE.rglob("*.py"))
MACHINE_PATH = re.compile(r"(?<![\w.~/])/(work|root|home|Users|tmp)/[\w.]|[A-Z]:\\\\?Users")


def length(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of a function without its docstring."""
    first = function.body[0]
    words = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str)
    text = (first.end_lineno or 0) - first.lineno + 1 if words else 0
    return (function.end_lineno or 0) - function.lineno + 1 - text


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(SOURCE).as_posix())
def test_files_and_functions_stay_short(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) < 400
    functions = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    assert {node.name: length(node) for node in functions if length(node) >= 60} == {}


def test_rooms_have_names_and_empty_doors() -> None:
    assert len(FILES) > 40
    assert [path for path in FILES if path.stem in ("utils", "util", "helpers", "misc", "common")] == []
    doors = [path for path in FILES if path.name == "__init__.py" and path.parent != SOURCE]
    assert len(doors) == 15
    assert [path for path in doors if path.read_text()] == []


def test_no_path_of_a_machine_stands_in_a_file() -> None:
    suffixes = {".py", ".md", ".toml", ".yaml", ".yml", ".json", ".csv", ".html", ".txt", ".cfg", ""}
    rooms = [ROOT / name for name in ("src", "tests", "docs", "recipes", "benchmarks", ".ci")]
    files = [path for room in rooms for path in room.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    files += [path for path in ROOT.iterdir() if path.is_file()]
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()[:80]}"
        for path in files
        if path.suffix in suffixes and not path.parent.name.endswith(".egg-info")
        for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1)
        if MACHINE_PATH.search(line)
    ]
    assert found == []


def test_the_rule_on_paths_can_fail() -> None:
    for place in ("work", "root", "home", "Users", "tmp"):  # put together here, so that this file keeps the rule
        assert MACHINE_PATH.search(f'Path("/{place}/.venv")')
        assert MACHINE_PATH.search(f"see /{place}/me")
    assert MACHINE_PATH.search("C:" + r"\Users\me")
    for good in ("a/work/b", "~/work/b", "https://x.org/home/b", "/data/x", "../work/x"):
        assert not MACHINE_PATH.search(good), good


HELP = {
    "__init__", "bundle_maps", "compare_masks", "contact_sheet", "curve_document", "decide_masks",
    "decide_options", "deciding", "decision_content", "demo_networks", "evaluate_masks", "fold_decisions",
    "inspect_drawn", "inspect_masks", "inspect_truth", "known_decisions", "learning_curve", "loaded",
    "map_making", "map_means", "mask_pictures", "mask_samples", "mask_store", "material", "metrics_document",
    "new_groups", "new_images", "new_masks", "provenance", "report_looks", "report_maps", "seen",
    "tested", "uncertain", "workspace",
}  # fmt: skip
"""What helps the steps and is none."""


def test_each_step_is_a_call_of_the_library_and_a_command_of_the_same_name() -> None:
    groups = {
        "": app,
        **{f"{group.name or group.typer_instance.info.name}_": group.typer_instance for group in app.registered_groups},
    }
    commands = {
        f"{group}{command.name or command.callback.__name__}"
        for group, commands in groups.items()
        for command in commands.registered_commands
        if command.callback
    }
    files = {path.stem for path in (SOURCE / "steps").glob("*.py")} - HELP
    assert set(flawscope.STEPS) == commands == files == set(flawscope.__all__) - {"__version__"}
    for name in flawscope.STEPS:
        call = getattr(flawscope, name)
        assert inspect.isfunction(call)
        assert (call.__name__, call.__module__) == (name, f"flawscope.steps.{name}")
        assert call.__doc__
    assert set(flawscope.STEPS) <= set(dir(flawscope))
    with pytest.raises(AttributeError, match="no attribute 'inspekt'"):
        _ = flawscope.inspekt
