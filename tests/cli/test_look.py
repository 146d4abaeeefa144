from __future__ import annotations

from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from flawscope.cli.app import app


def test_commands_say_where_things_are(finished: Any, draw: Any, tmp_path: Path) -> None:
    picture = draw(tmp_path / "a.png", 5, [1])
    words = ["explain", str(finished.folder), str(picture), "-o", str(tmp_path / "out"), "--method", "grad-cam",
             "--method", "eigen-cam", "--class", "nok", "--arrays"]  # fmt: skip
    made = CliRunner().invoke(app, words)
    assert made.exit_code == 0, made.output
    assert "1 picture explained (layer " in made.output and (tmp_path / "out" / "index.html").is_file()
    made = CliRunner().invoke(app, ["look", str(finished.folder), "-o", str(tmp_path / "in")])
    assert made.exit_code == 0, made.output
    assert "conv1.0" in made.output and "parameters" in made.output and (tmp_path / "in" / "layers.csv").is_file()
