"""The numbers of a test part as a table in the terminal."""

from __future__ import annotations

from typing import Any

from rich.table import Table

from flawscope.cli.terminal import console, say
from flawscope.wording import counted, interval_in_words


def numbers(metrics: dict[str, Any]) -> None:
    """The headline numbers as a table."""
    held = f"{counted(metrics['n'], 'test images')} in {counted(metrics['groups'], 'groups')}"
    table = Table(title=held, title_justify="left")
    table.add_column("measure")
    table.add_column("value", justify="right")
    table.add_column("95 % interval", justify="right")
    for entry in metrics["headline"]:
        interval = entry["interval"]
        table.add_row(entry["name"], *interval_in_words(*(interval[key] for key in ("value", "low", "high"))))
    console.print(table)
    for found in metrics["classes"].values():
        for words in found.get("answers", ()):
            say(words)
    for name, found in metrics.get("three_answers", {}).get("classes", {}).items():
        say(f"costs of {name} on these images: {found['words']}")
    for words in metrics.get("savings", ()):
        say(words)
    for note in metrics["notes"]:
        say(f"note: {note}")
    if "split" in metrics:
        say(f"split: {metrics['split']['stamp']}")
