"""What the user is told of data that have been read."""

from __future__ import annotations

from flawscope.errors import SHOWN
from flawscope.records import Sample, Samples, Skipped, Task
from flawscope.steps.workspace import notices


def test_what_is_skipped_is_named_up_to_a_point_and_notes_are_told() -> None:
    skipped = tuple(Skipped(f"{i}.png", "is damaged") for i in range(SHOWN + 2))
    rows = (Sample("a", "a", (0.0,), "a", "x"),)
    told = notices(Samples("s", Task("binary", ("bad",)), rows, skipped, notes=("3 images have no mask",)))
    assert told[0] == "skipped 0.png: is damaged"
    assert told[SHOWN:] == ["... and 2 more are skipped, the report names them", "note: 3 images have no mask"]
