"""The documentation does what it says: the tutorial runs, commands, recipe snippets and links are valid."""

from __future__ import annotations

import doctest
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from types import ModuleType

import pytest
import typer.main
import yaml

from flawscope.cli.app import app
from flawscope.training.recipe import load_recipe, parse_recipe

ROOT = Path(__file__).parents[1]
DOCS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]
NAMES = [path.relative_to(ROOT).as_posix() for path in DOCS]
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
MAIN = "import sys; sys.argv[0] = 'flawscope'; from flawscope.cli.app import main; main()"
LEFT = ("coils.flawscope", "report/index.html", "metrics.json", "recipe.yaml", "split.json", "scores", "training")


def blocks(text: str) -> list[tuple[str, str]]:
    """Language and content of every fenced block."""
    return FENCE.findall(text)


def command_lines(text: str) -> list[list[str]]:
    """The words of each command: lines of sh blocks, and what stands in backquotes in the text."""
    lines = [line for language, content in blocks(text) if language == "sh" for line in content.splitlines()]
    lines += re.findall(r"`([^`\n]+)`", FENCE.sub("", text))
    lines = [re.sub(r"^torchrun .* -m (?=flawscope )", "", line) for line in lines]
    return [words for line in lines if re.match(r"(flawscope|make) ", line) and (words := shlex.split(line, True))]


def headings(text: str) -> set[str]:
    """The anchors that GitHub makes of headings."""
    lines = re.findall(r"^#+ (.+)$", FENCE.sub("", text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", line.lower()).strip().replace(" ", "-") for line in lines}


@pytest.mark.parametrize("name", NAMES)
def test_links_and_images_exist(name: str) -> None:
    path = ROOT / name
    for target in LINK.findall(FENCE.sub("", path.read_text(encoding="utf-8"))):
        if not re.match(r"\w+://", target):
            file, _, anchor = target.partition("#")
            place = path.parent / file if file else path
            assert place.is_file(), f"{name}: {target}"
            assert not anchor or anchor in headings(place.read_text(encoding="utf-8")), f"{name}: {target}"


@pytest.mark.parametrize("name", NAMES)
def test_commands_exist_and_take_these_options(name: str) -> None:
    commands = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    for program, command, *words in command_lines((ROOT / name).read_text(encoding="utf-8")):
        shown = f"{name}: {program} {command} {' '.join(words)}"
        assert command in (targets if program == "make" else commands), shown
        if program == "flawscope" and words:
            try:
                context = commands[command].make_context(command, list(words))
                if hasattr(commands[command], "commands"):  # a group: the command and its options come next
                    name_, inner, rest = commands[command].resolve_command(context, list(words))
                    inner.make_context(name_, rest, parent=context)
            except Exception as error:
                pytest.fail(f"{shown}: {error}")


@pytest.mark.parametrize("name", NAMES)
def test_snippets_are_valid(name: str, tmp_path: Path) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    least = {"name": "x", "data": {"kind": "folders", "root": "x"}}
    for language, content in blocks(text):
        if language == "yaml":
            parse_recipe(least | yaml.safe_load(content), name)
        elif language == "python":
            compile(content, name, "exec")
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(yaml.safe_dump(least), encoding="utf-8")
    load_recipe(
        recipe, re.findall(r"--set ([\w.]+=[^\s`]+)", re.sub(r"^flawscope \w+ recipes/.*$", "", text, flags=re.M))
    )


@pytest.mark.parametrize("name", NAMES)
def test_recipes_of_the_repository_take_the_settings_that_are_shown(name: str) -> None:
    for _, _, *words in command_lines((ROOT / name).read_text(encoding="utf-8")):
        if words and words[0].startswith("recipes/"):
            load_recipe(ROOT / words[0], [after for word, after in pairwise(words) if word == "--set"])


def test_page_of_results_shows_the_leak_and_the_times_when_they_are_measured(
    docs_script: Callable[[str], ModuleType],
) -> None:
    module = docs_script("results_tables")
    assert module.leak([]) == module.soon([]) == []
    training = {
        "network": "timm:a", "minutes_to_it": 3.5, "minutes": 12.0, "minutes_on_the_clock": 7.25, "epochs": "16 of 16",
        "recipe_hash": load_recipe(ROOT / "recipes" / "coil.yaml").hash,
    }  # fmt: skip
    never = {
        "network": "table:b", "minutes_to_it": None, "minutes": 30.2, "epochs": "14 of 40", "ended": False,
        "curve": [[1.0, 0.61], [2.0, 0.585]],
    }  # fmt: skip
    entry = {
        "recipe": "coil.yaml", "wanted": "val_accuracy of 0.984", "faithful_over_ours": None, "command": "x.py coil",
        "code": "0.1.0 (commit abc123)", "trainings": {"ours": training, "faithful": never}, "machine": "one",
        "overrides": {"coil": []},
        "split": {"hash": 20 * "ab", "stamp": "leak checked: leak court 6"},
    }  # fmt: skip
    line = (
        "| coil | accuracy 0.984 | 3.5 | not in 30.2 (14 of 40 epochs; at most 0.610) | above 8.6 "
        "| 12 (7.25 on the clock) | a, b | `python benchmarks/x.py coil` | abc123 | abababababab | one |"
    )
    assert line in module.soon([entry])
    ended = {**entry, "trainings": {"ours": training, "faithful": {**never, "ended": True}}}
    assert (module.times_ours(ended), module.times_ours({**ended, "faithful_over_ours": 2.5})) == ("never", "2.5")
    assert module.times_ours({**entry, "trainings": {"ours": never, "faithful": never}}) == "-"
    arm = {
        "n": 9564, "groups": 27, "mean_f1_on_validation_by_epoch": [0.5, 0.625],
        "headline": {"mean F1": [0.7, 0.6, 0.8]}, "split": {"hash": [20 * "ab", 20 * "cd"]},
        "code": "0.1.0 (commit abc123)",
    }  # fmt: skip
    told = {"what": "5 folds", "command": "python y.py", "machine": "one", "arms": {"leaky": arm, "clean": arm}}
    row = "| 9,564, 27 | 0.500, 0.625 | 0.700 (0.600 to 0.800) | - | - | abababababab, cdcdcdcdcdcd |"
    assert [line for line in module.leak([told]) if line.endswith(row)] == [f"| leaky {row}", f"| clean {row}"]


def test_page_of_results_shows_ours_beside_the_faithful_recipe(docs_script: Callable[[str], ModuleType]) -> None:
    module = docs_script("results_tables")
    assert module.beside([]) == []
    measure = {"baseline": [0.25, 0.1, 0.4], "other": [0.75, 0.6, 0.9], "difference": [0.5, 0.2, 0.8]}
    faithful = {
        "seed": 0, "network": "timm:b", "trained_on": 1010, "run_code": "0.1.0 (commit abc1)",
        "split": {"hash": 20 * "cd"},
    }  # fmt: skip
    ours = {
        "recipe": "coil", "run": "coil-seeds-1", "seed": 1, "network": "timm:a", "trained_on": 90,
        "run_code": "0.1.0 (commit abc2)", "split": {"hash": 20 * "ab"}, "measures": {"F1": measure},
    }  # fmt: skip
    several = {**ours, "recipe": "x", "measures": {"mean F1": measure, "mean average precision": measure}}
    entry = {
        "faithful": faithful, "ours": [ours, several], "n": 1200, "groups": 6, "machine": "one",
        "command": "python benchmarks/x.py a b", "code": "0.1.0 (commit abc3)",
    }  # fmt: skip
    lines = module.beside([entry])
    found = "0.750 (0.600 to 0.900) | 0.250 (0.100 to 0.400) | 0.500 (0.200 to 0.800)"
    assert f"| coil | 1, faithful 0 | 1,200, 6 | {found} | - | - | - |" in lines  # one class: no means
    assert f"| x | 1, faithful 0 | 1,200, 6 | {found} | {found} |" in lines
    source = (
        "| coil-seeds-1 | a, b | 90, 1,010 | abababababab, cdcdcdcdcdcd | abc2, abc1 | `python benchmarks/x.py a b`"
    )
    assert f"{source} | abc3 | one |" in lines


@pytest.mark.parametrize("name", ["make_results", "results_cells", "results_tables"])
def test_examples_of_the_scripts_of_results_hold(name: str, docs_script: Callable[[str], ModuleType]) -> None:
    found = doctest.testmod(docs_script(name))
    assert found.attempted
    assert not found.failed


def test_page_of_results_marks_what_another_form_of_the_recipe_reached(
    docs_script: Callable[[str], ModuleType],
) -> None:
    module = docs_script("make_results")
    changes = ["train.seed=1"]
    today = load_recipe(ROOT / "recipes" / "coil.yaml", changes).hash
    entry = {"recipe": "coil.yaml", "overrides": changes, "recipe_hash": today}
    assert module.called(entry) == "coil"
    assert (
        module.called({**entry, "recipe_hash": 20 * "ab"})
        == module.called({**entry, "overrides": ["a.b=1"]})
        == "coil \\*"
    )
    theirs = module.theirs(module.ORIGINALS[0], ["accuracy", "F1"])
    assert theirs == [["*the original*", "random, its own split", "525", "0.836 (0.802 to 0.865)", "-"]]


def test_page_of_results_shows_how_near_the_resunet_comes(docs_script: Callable[[str], ModuleType]) -> None:
    module = docs_script("results_tables")
    assert module.near([]) == []
    short = {
        "epochs": "22 of 22", "device": "cpu", "minutes_on_the_clock": 55.25, "minutes": 104.0, "best": 0.75,
        "curve": [[4.0, 0.5], [104.0, 0.74]], "command": "x.py", "code": "0.1.0 (commit abc123)", "machine": "one",
        "split": {"hash": 20 * "ab", "stamp": "leak checked: leak court 6"},
    }  # fmt: skip
    other = {**short, "best": 0.9, "split": {**short["split"], "hash": 20 * "cd"}}
    found = module.near([short, {**short, "best": 0.765, "epochs": "66 of 66"}, other])
    rest = "`python benchmarks/x.py` | abc123 | abababababab | one |"
    assert f"| 22 of 22 | cpu | 55.2 | 104 | 0.740 | 0.025 | {rest}" in found


def test_page_of_results_shows_of_masks_what_matters(docs_script: Callable[[str], ModuleType]) -> None:
    module = docs_script("make_results")
    one = [0.5, 0.25, 0.75]
    entry = {
        "recipe": "steel.yaml", "protocol": "seeds", "seed": 0, "fold": [None], "n": 119, "groups": 14, "overrides": [],
        "what": "the recipe's own fold",
        "recipe_hash": "", "headline": {"mean IoU": one}, "gate": {"recall": [0.9, 0.8, 1.0]},
        "classes": {"1": {"F1": one}, "2": {"F1": [0.875, 0.5, 1.0]}, "3": {}},
        "pixels": {"1": {"IoU": one}, "2": {"IoU": [0.625, 0.5, 0.75]}, "any flaw": {"IoU": one}},
        "gate_time": {"images": 119, "saved": {"value": -0.25, "low": -0.5, "high": 0.0, "level": 0.95}},
    }  # fmt: skip
    shown = ["mean IoU", "gate: recall", "gate: AUROC", "gate: time saved", "F1 of each class", "IoU of each class"]
    numbers = ["0.500 (0.250 to 0.750)", "0.900 (0.800 to 1.000)", "-", "-0.250 (-0.500 to 0.000)", "1 0.500; 2 0.875",
               "1 0.500; 2 0.625"]  # fmt: skip
    assert module.of_each({**entry, "classes": {"1": {"F1": one}}}, "F1 of each class") == {}
    assert module.numbers(entry, shown) == ["steel \\*", "seeds, seed 0", "119, 14", *numbers]
    assert module.numbers({**entry, "fold": [3]}, [])[1] == "seeds, fold 3, seed 0"
    changed = {**entry, "command": "x.py steel --set train.epochs=3 --set train.precision=bfloat16"}
    assert module.numbers(changed, [])[0] == "steel \\*, `train.epochs=3`"
    old = {key: of for key, of in entry.items() if key != "fold"}
    assert module.numbers({**old, "what": "fold 0 of the benchmark groups"}, [])[1] == "seeds, fold 0, seed 0"


def test_page_of_results_shows_the_challenge_when_it_is_judged(docs_script: Callable[[str], ModuleType]) -> None:
    module = docs_script("make_results")
    assert module.challenge([])[2] == "Not measured yet: `benchmarks/challenge_board.py`."
    part = {"images": 1300, "groups": 9, "inactive": [14, 4]}
    line = {"entry": "alexnet", "score": [0.7, 0.5, 0.8], "shift": None, "rank": 1, "worst": 2, "passed": True,
            "surely": False}  # fmt: skip
    trained = {
        "recipe": "solar-challenge-alexnet.yaml", "overrides": ["split.seed=0"], "code": "0.1.0 (commit abc123)",
        "split": {"hash": 20 * "ab"}, "epochs": 80, "minutes_of_training": 41.5, "seals": 20 * "cd", "machine": "one",
        "measures": {"private": {"crack": {"F1": [0.8, 0.6, 0.9]}, "inactive": {"F1": None}}}, "recipe_hash": 20 * "ef",
    }  # fmt: skip
    told = {
        "command": "python z.py", "code": "0.1.0 (commit abc124)", "machine": "two", "entries": {"alexnet": trained},
        "date": "2026-11-26T20:00:00+00:00",
        "challenge": {"parts": {"private": part}, "stamp": "leak checked: leak court 6", "ladder_step": 0.01},
        "boards": {"board": [line], "final": [{**line, "shift": [-0.1, -0.3, 0.1], "worst": 1}]},
    }  # fmt: skip
    lines = module.challenge([told])
    assert "private: 1,300 images in 9 groups, 14 of them inactive, in 4 groups; leak checked" in lines[2]
    assert lines[2].startswith("Made of 1,300 of the same cells")
    assert lines[3:6] == ["", module.FIRST_WEIGHTS, ""]
    assert module.challenge([{**told, "date": "2026-11-28T20:00:00+00:00"}]) == [*lines[:4], *lines[6:]]
    score = "0.700 (0.500 to 0.800)"
    assert f"| alexnet | {score} | 1 to 2 | {score} | 1 | -0.100 (-0.300 to 0.100) | passed | crack " in "\n".join(
        lines
    )
    assert "| alexnet | solar-challenge-alexnet \\* | `split.seed=0` | abc123 |" in "\n".join(lines)
    assert module.board_recipe({"recipe": "recipe.yaml"}) == "`recipe.yaml` of the kit"
    assert "`split.seed=0` | abc123 | abababababab | 80 epochs, 41.5 minutes | cdcdcdcdcdcd | one |" in "\n".join(lines)


def test_page_of_results_is_up_to_date(docs_script: Callable[[str], ModuleType]) -> None:
    module = docs_script("make_results")
    assert module.TARGET.read_text(encoding="utf-8") == module.results(), "run: python docs/make_results.py"
    named = {recipe for original in module.ORIGINALS for recipe in original.recipes}
    others = {"demo", "solar-multilabel-tune"}
    assert named == {path.stem for path in (ROOT / "recipes").glob("*.yaml")} - others


def test_recipe_reference_is_up_to_date(docs_script: Callable[[str], ModuleType]) -> None:
    module = docs_script("make_reference")
    assert module.TARGET.read_text(encoding="utf-8") == module.reference(), "run: python docs/make_reference.py"
    without = [line for line in module.reference().splitlines() if line.startswith("| `") and line.endswith("|  |")]
    assert not without, "keys without a meaning: add Field(description=...)"


def test_make_bench_makes_every_number_again() -> None:
    bench = (ROOT / "Makefile").read_text(encoding="utf-8").partition("\nbench:")[2].partition("\n\n")[0]
    table = (ROOT / "benchmarks/README.md").read_text("utf-8")
    made = {result: script for script, result in re.findall(r"^\| `(.+?)` \|.*\| `([\w-]+\.json)` \|$", table, re.M)}
    no_more = re.findall(r"^\| \(an earlier script\) \|.*\| `([\w-]+\.json)` \|$", table, re.M)
    for result in {path.name for path in (ROOT / "benchmarks" / "results").glob("*.json")} - set(no_more):
        assert f"benchmarks/{made[result]}" in bench, result


def test_tutorial_runs(tmp_path: Path) -> None:
    """Its sh blocks in order, each said text among the output of the block before it, then its python blocks."""
    path = os.pathsep.join(filter(None, [str(ROOT / "src"), os.environ.get("PYTHONPATH", "")]))
    environment = {**os.environ, "PYTHONPATH": path, "PYTHONUTF8": "1"}

    def python(code: str, *words: str) -> str:
        done = subprocess.run(
            [sys.executable, "-c", code, *words],
            cwd=tmp_path, env=environment, capture_output=True, encoding="utf-8", timeout=300, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{' '.join(words) or code}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    said, scripts = "", []
    for language, content in blocks((ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8")):
        if language == "sh":
            lines = [shlex.split(line, True) for line in content.splitlines()]
            assert all(program == "flawscope" for program, *_ in lines)
            said = "".join(python(MAIN, *words) for _, *words in lines)
        elif language == "text":
            assert [line for line in content.splitlines() if line not in said.splitlines()] == []
        elif language == "python":
            scripts.append(content)
    answer = python("\n".join(scripts))
    assert "Decides whether an image is 0_nio or 1_io." in answer
    assert "escape rate: " in answer
    assert [name for name in LEFT if not (tmp_path / "runs" / "coils" / name).exists()] == []
    rows = (tmp_path / "results.csv").read_text(encoding="utf-8").splitlines()
    assert rows[0] == "name,0_nio_probability,decision,seconds,error"
    assert len(rows) == 21
    assert len(list((tmp_path / "labelled").rglob("*.bmp.png"))) == 20
    assert (tmp_path / "delivery-metrics" / "metrics.json").is_file()
