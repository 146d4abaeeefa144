"""What the command line says of an inspection."""

from __future__ import annotations

from flawscope.cli.terminal import say
from flawscope.inspection.tables import Summary
from flawscope.wording import class_called, counted, speed_in_words


def tell_inspected(summary: Summary) -> None:
    """How many images there are of each decision, how many flaws of each class, and where it all lies."""
    for label, count in summary.counts.items():
        say(f"{count:6d}  {label}")
    if summary.human:
        say(f"        {summary.human} of these: a person has to look")
    if summary.errors:
        say(f"{summary.errors:6d}  could not be decided: see the column `error`")
    if summary.flaws:
        say("flaws of " + ", ".join(f"{class_called(name)}: {count:,}" for name, count in summary.flaws.items()))
    if summary.stopped:
        say(f"the gate called {counted(summary.stopped, 'images')} good; no flaws were looked for there")
    if summary.unmarked:
        say(f"it did not call {counted(summary.unmarked, 'more images')} good, but no flaw was found there")
    if summary.maps is not None:
        say(f"{counted(summary.heat_maps, 'heat maps')} in {summary.maps}, see the column `heat_map`")
    speed = f"{summary.images} images in {summary.seconds:.1f} s, {speed_in_words(summary.images_per_second)}"
    say(f"{speed}; wrote {summary.written}")
