"""`flawscope challenge ...`: contests on hidden test sets, and the acceptance of what a supplier delivers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from flawscope.cli import judging, serving
from flawscope.cli.terminal import numeric, say, step
from flawscope.wording import counted

challenge = typer.Typer(
    name="challenge",
    help="Contests on hidden test sets: make one, judge what is handed in, rank it.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@challenge.command()
def new(
    data: Annotated[str, typer.Argument(help='a recipe, class folders, a table of labels, or "elpv"')],
    deadline: Annotated[str, typer.Option(help="2027-03-01 (its end, UTC) or 2027-03-01T18:00Z")],
    output: Annotated[Path | None, typer.Option("-o", "--output", help="the folder; default: challenges/NAME")] = None,
    title: Annotated[str, typer.Option(help="what participants read")] = "",
    licence: Annotated[str, typer.Option(help="of the images, for participants")] = "",
    metric: Annotated[str, typer.Option(help="mean_f1 | accuracy | mean_auroc | mean_average_precision")] = "mean_f1",
    pass_mark: Annotated[float, numeric(help="the least value of the metric that passes")] = 0.6,
    daily: Annotated[int, typer.Option(min=1, help="submissions a day and team")] = 5,
    opens: Annotated[str | None, typer.Option(help="default: now")] = None,
    ladder_step: Annotated[float, numeric(help="the board moves only by so much; 0: shows every best score")] = 0.01,
    public: Annotated[float, numeric(help="share of the images for the board")] = 0.2,
    private: Annotated[float, numeric(help="share of the images for the final ranking")] = 0.3,
    bundle_mb: Annotated[int | None, typer.Option(help="the most MB of a submitted file; default: 512")] = None,
    input_side: Annotated[int | None, typer.Option(help="the most pixels a side that it takes; default: 2048")] = None,
    seconds_per_image: Annotated[float | None, numeric(help="the most, on average, of one core; default: 2")] = None,
    memory_mb: Annotated[int | None, typer.Option(help="the most MB of memory; default: 4096")] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="default: one that nobody knows")] = None,
    images: Annotated[Path | None, typer.Option(help="folder of the table's images, if they lie elsewhere")] = None,
    group_pattern: Annotated[str | None, typer.Option(help="on names: '(part[0-9]+)_' keeps a part together")] = None,
    group_column: Annotated[str | None, typer.Option(help="of a table: rows of equal value stay together")] = None,
    group_block: Annotated[int | None, typer.Option(min=1, help="so many images in order stay together: 60")] = None,
    group_block_by: Annotated[
        str, typer.Option(help="order: of table or files | number: the last in the name")
    ] = "order",
    overrides: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="change a recipe's key: split.largest_group=0.05"),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="replace one without submissions")] = False,
) -> None:
    """Make a challenge of a labelled set: data to hand out, a public and a private test, and the starter kit."""
    limits = {
        "bundle_mb": bundle_mb, "input_side": input_side,
        "seconds_per_image": seconds_per_image, "memory_mb": memory_mb,
    }  # fmt: skip
    made = step(
        "challenge_new", data, output, deadline=deadline, opens=opens, title=title, licence=licence, metric=metric,
        pass_mark=pass_mark, daily=daily, ladder_step=ladder_step, public=public, private=private, seed=seed,
        limits={key: value for key, value in limits.items() if value is not None},
        images=images, group_pattern=group_pattern, group_column=group_column, group_block=group_block,
        group_block_by=group_block_by, overrides=overrides or (), overwrite=overwrite, say=say,
    )  # fmt: skip
    for name, part in made.challenge.parts.items():
        say(f"{name:8s}  {counted(part.images, 'images')} in {counted(part.groups, 'groups')}")
    left_out = made.proof["left_out"]["all"]
    if left_out:
        say(f"{counted(left_out, 'images', 'are')} left out: what each shows is in another part as well")
    proof = made.proof
    say(f"nothing crosses: {proof['compared']:,} pairs of images of different parts compared by {proof['court']}")
    for note in made.notes:
        say(f"note: {note}")
    say(f"wrote {made.folder}\nhand out {made.kit}, keep everything else to yourself")


judging.register(challenge)
serving.register(challenge)
