"""Draw the pictures of docs/leaks.md and measure its experiment: python docs/make_leak_pictures.py.

All parts are drawn by this file; nothing comes from a real camera. Shapes: n pictures, s pixels a side.
"""

from __future__ import annotations

import io
import itertools
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import ConnectionPatch, FancyBboxPatch
from PIL import Image
from scipy.ndimage import gaussian_filter, shift

from flawscope.data.court.threshold import tail_threshold
from flawscope.evaluation.leak_probe import Compared, LeakProbe, leak_probe

FOLDER = Path(__file__).with_name("images")
SIZE = 96
PARTS, VIEWS, FOLDS = 150, 4, 5
ALIKE = 8
"""The threshold of a part comes from itself and so many parts that resemble it most."""
INK, MUTED, LEAK, SAFE = "#20262e", "#66707c", "#d55e00", "#0072b2"
COLOURS = ("#0072b2", "#009e73", "#cc79a7", "#e69f00")

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Casting:
    """A cast flange: the mould is the same for its batch, the pores and the skin are its own."""

    batch: int
    number: int

    def surface(self) -> Floats:
        """The part as it is, s x s, 0 to 1, before any camera."""
        y, x = np.mgrid[-1 : 1 : SIZE * 1j, -1 : 1 : SIZE * 1j]
        radius = np.hypot(x, y)
        holes = np.min([np.hypot(x - a, y - b) for a, b in itertools.product((-0.4, 0.4), repeat=2)], axis=0)
        metal = (radius < 0.88) & (radius > 0.22) & (holes > 0.11)
        rim = np.exp(-(((radius - 0.84) / 0.05) ** 2)) + 0.7 * np.exp(-(((radius - 0.27) / 0.04) ** 2))
        mould, own = np.random.default_rng([1, self.batch]), np.random.default_rng([2, self.batch, self.number])
        skin = 1.3 * _stains(mould, 5) + 0.5 * _stains(own, 2)
        for _ in range(own.integers(2, 6)):
            at_x, at_y, size = own.uniform(-0.6, 0.6), own.uniform(-0.6, 0.6), own.uniform(0.03, 0.06)
            skin -= 1.5 * np.exp(-(((x - at_x) ** 2 + (y - at_y) ** 2) / size**2))
        return np.asarray(np.where(metal, np.clip(0.52 + 0.09 * skin + 0.14 * rim, 0.02, 1), 0.12))


def photograph(surface: Floats, rng: np.random.Generator, exposure: float = 1.0, loose: float = 0.0) -> Floats:
    """What a camera makes of it: exposure, noise, and a shift of up to `loose` pixels."""
    moved = shift(surface, rng.uniform(-loose, loose, size=2), order=1, mode="nearest") if loose else surface
    return np.asarray(np.clip(exposure * moved + rng.normal(0, 0.015, size=moved.shape), 0, 1))


def measures(picture_nss: Floats, pairs: Sequence[tuple[int, int]], common_ss: Floats) -> Floats:
    """The greatest correlation over the eight turns, for each pair, once the common pattern is taken out."""
    plain_nss = _even(picture_nss) - common_ss
    plain_nss -= plain_nss.mean(axis=(1, 2), keepdims=True)
    plain_nss /= np.linalg.norm(plain_nss, axis=(1, 2), keepdims=True)
    turned_8nss = [
        np.rot90(each, turn, axes=(1, 2)) for each in (plain_nss, plain_nss[:, :, ::-1]) for turn in range(4)
    ]
    return np.array([max(float(np.sum(plain_nss[a] * each_nss[b])) for each_nss in turned_8nss) for a, b in pairs])


def common_pattern() -> Floats:
    """The mean of many pictures of different parts: what all castings share, in every turn."""
    rng = np.random.default_rng(0)
    mean = _even(np.stack([photograph(Casting(1000 + b, 0).surface(), rng) for b in range(200)])).mean(axis=0)
    return np.asarray(np.mean([np.rot90(each, turn) for each in (mean, mean[:, ::-1]) for turn in range(4)], axis=0))


def experiment(parts: int = PARTS) -> LeakProbe:
    """Each part is photographed four times, and its label is thrown by a coin: there is nothing to be learned."""
    rng = np.random.default_rng(5)
    group_n = np.repeat(np.arange(parts), VIEWS)
    label_n = rng.permutation(parts)[group_n] % 2
    exposures = np.tile([1.0, 0.75, 0.9, 1.2], parts)
    surfaces = [Casting(part, 0).surface() for part in range(parts)]
    pictures = [photograph(surfaces[part], rng, light, loose=1) for part, light in zip(group_n, exposures, strict=True)]
    small_nss = _even(np.stack(pictures)).reshape(len(group_n), 24, 4, 24, 4).mean(axis=(2, 4))
    return leak_probe(
        small_nss.reshape(len(group_n), -1),
        label_n[:, None].astype(np.float64),
        "binary",
        rng.permutation(parts)[group_n] % FOLDS,
        group_n,
        rng.permutation(len(group_n)) % FOLDS,
    )


def table(probe: LeakProbe) -> str:
    """The experiment as a table in Markdown."""
    rows = [
        f"| {model.name} | {' | '.join(_percent(model.measures['accuracy'], key) for key in ('random', 'grouped'))} |"
        for model in probe.models
    ]
    head = ("| right answers | random split | grouped split |", "|---|---|---|")
    return "\n".join([*head, *rows, "| throwing a coin | 50 % | 50 % |"])


def same_part(path: Path) -> None:
    """Three parts, each in five pictures, and a sister of each, with the measure under it."""
    words = ("as taken", "darker", "brighter", "turned by 90°", "mirrored", "sister: another part\nof the same batch")
    common_ss = common_pattern()
    figure = _figure(7.4, 4.5)
    for row in range(3):
        rng = np.random.default_rng([3, row])
        part, sister = Casting(row, 0).surface(), Casting(row, 1).surface()
        pictures = [
            photograph(part, rng),
            photograph(part, rng, 0.65),
            photograph(part, rng, 1.25),
            np.rot90(photograph(part, rng)),
            photograph(part, rng)[:, ::-1],
            photograph(sister, rng),
        ]
        found = measures(np.stack(pictures), [(0, column) for column in range(6)], common_ss)
        for column, (picture, measure) in enumerate(zip(pictures, found, strict=True)):
            axes = figure.add_subplot(3, 6, 6 * row + column + 1)
            _show(axes, picture)
            axes.set_xlabel(
                f"measure {measure:.2f}" if column else f"part {row + 1}", fontsize=8, color=INK, labelpad=3
            )
            if row == 0:
                axes.set_title(words[column], fontsize=8, color=INK)
    _save(figure, path)


def two_splits(path: Path) -> None:
    """The same sixteen pictures dealt at random, and part by part."""
    rng = np.random.default_rng(4)
    lights = (0.7, 0.9, 1.05, 1.25)
    pictures = [[photograph(Casting(20 + part, 0).surface(), rng, light) for light in lights] for part in range(4)]
    # Four rows of (part, picture): three columns of training, one of test. A twin stands beside each test picture.
    dealt = [[((row + 2) % 4, 1), ((row + 3) % 4, 2), (row, 0), (row, 3)] for row in range(4)]
    dealt[1][0], dealt[2][1] = dealt[2][1], dealt[1][0]
    whole = [[(0, row), (1, row), (2, row), (3, row)] for row in range(4)]
    figure = _figure(7.4, 3.9)
    deals = (
        ("random split: each test picture has twins in training", dealt, LEAK),
        ("grouped split: no part stands on both sides", whole, SAFE),
    )
    for panel, (title, rows, colour) in enumerate(deals):
        axes = figure.add_subplot(1, 2, panel + 1)
        axes.set(xlim=(-0.05, 5.15), ylim=(-0.05, 5.0))
        axes.axis("off")
        axes.set_title(title, fontsize=9, color=colour)
        for left, width, name in ((0.15, 3.15, "training"), (3.85, 1.05, "test")):
            axes.add_patch(FancyBboxPatch((left, 0.1), width, 4.3, "round,pad=0.1", fc="none", ec=MUTED, lw=1))
            axes.text(left + width / 2, 4.65, name, ha="center", fontsize=9, color=INK)
        for row, column in itertools.product(range(4), range(4)):
            part, view = rows[row][column]
            left = (0.2, 1.25, 2.3, 3.9)[column]
            inset = axes.inset_axes((left, 3.35 - 1.08 * row, 0.95, 0.95), transform=axes.transData)
            _show(inset, pictures[part][view], COLOURS[part])
            if column == 3 and rows is dealt:
                ends = ((3.2, 3.82 - 1.08 * row), (3.95, 3.82 - 1.08 * row))
                axes.add_patch(ConnectionPatch(*ends, "data", "data", arrowstyle="<->", color=LEAK, lw=1.8, zorder=9))
    _save(figure, path)


def scores(path: Path, probe: LeakProbe) -> None:
    """The experiment's numbers with their intervals."""
    figure = _figure(7.0, 2.3)
    axes = figure.add_subplot()
    for row, model in enumerate(reversed(probe.models)):
        found = model.measures["accuracy"]
        for offset, name, colour in ((0.16, "random", LEAK), (-0.16, "grouped", SAFE)):
            each = getattr(found, name)
            ends = [[each.value - each.low], [each.high - each.value]]
            axes.errorbar(each.value, row + offset, xerr=ends, fmt="o", color=colour, capsize=4, lw=2)
            beside = (each.low - 0.012, "right") if each.high > 0.9 else (each.high + 0.012, "left")
            axes.text(beside[0], row + offset, f"{name} split", ha=beside[1], va="center", fontsize=9, color=colour)
    axes.axvline(0.5, color=MUTED, lw=1, ls=(0, (2, 3)))
    axes.text(0.497, 1.52, "coin", ha="right", va="center", fontsize=9, color=MUTED)
    axes.set_yticks(range(len(probe.models)), [model.name for model in reversed(probe.models)], fontsize=9)
    axes.set(xlim=(0.35, 1.02), ylim=(-0.5, 1.7))
    axes.set_xlabel("share of right answers, with the 95 % interval", fontsize=9)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:.0%}".replace("%", " %"))
    axes.spines[["top", "right"]].set_visible(False)
    _save(figure, path)


def thresholds(different: Floats, pairs: Sequence[tuple[int, int]], parts: int) -> Floats:
    """The threshold of each part, from the measures of pairs of different parts, as the court does it."""
    found = np.full((parts, parts), np.nan)
    for (a, b), measure in zip(pairs, different, strict=True):
        found[a, b] = found[b, a] = measure
    of_part = []
    for part in range(parts):
        resembling = np.argsort(-np.nan_to_num(found[part], nan=-1.0))[:ALIKE]
        seen = found[[part, *resembling]]
        of_part.append(tail_threshold(seen[np.isfinite(seen)], parts))
    return np.array(of_part)


def threshold(path: Path) -> None:
    """How alike different parts are, pictures of one part, and sisters; and where the thresholds of the parts lie."""
    rng, common_ss = np.random.default_rng(6), common_pattern()
    batches, twin = 80, [(2 * b, 2 * b + 1) for b in range(80)]
    first = [photograph(Casting(b, 0).surface(), rng) for b in range(batches)]
    again = [np.rot90(photograph(Casting(b, 0).surface(), rng, rng.uniform(0.7, 1.2)), b % 4) for b in range(batches)]
    sister = [photograph(Casting(b, 1).surface(), rng) for b in range(batches)]
    apart = list(itertools.combinations(range(batches), 2))
    different = measures(np.stack(first), apart, common_ss)
    same, sisters = (
        measures(np.stack([*itertools.chain(*zip(first, other, strict=True))]), twin, common_ss)
        for other in (again, sister)
    )
    figure = _figure(7.0, 2.8)
    axes = figure.add_subplot()
    bins = [edge / 60 for edge in range(-6, 61)]
    kinds = (
        (different, MUTED, "different parts"),
        (sisters, COLOURS[2], "sisters\nof one batch"),
        (same, LEAK, "the same\npart"),
    )
    for measure_p, colour, name in kinds:
        percent_p = np.full(len(measure_p), 100 / len(measure_p))
        height = float(np.max(axes.hist(measure_p, bins, weights=percent_p, color=colour, alpha=0.8)[0]))
        middle = min(float(np.median(measure_p)), 0.96)
        axes.text(middle, height + 2, name, ha="center", va="bottom", fontsize=9, color=colour)
    low, high = np.quantile(thresholds(different, apart, batches), (0.05, 0.95))
    axes.axvspan(low, high, color=INK, alpha=0.16, lw=0, zorder=0)
    axes.text(high + 0.008, 0.97, "thresholds", transform=axes.get_xaxis_transform(), fontsize=9, color=INK, va="top")
    axes.margins(y=0.25)
    axes.set(xlim=(-0.05, 1.01))
    axes.set_xlabel("measure: how alike two pictures are once they lie on each other", fontsize=9)
    axes.set_ylabel("% of the pairs", fontsize=9)
    axes.spines[["top", "right"]].set_visible(False)
    _save(figure, path)


def chain(path: Path) -> None:
    """Six pictures: neighbours are alike, the ends are not."""
    rng, common_ss = np.random.default_rng(8), common_pattern()
    start, end = Casting(40, 0).surface(), Casting(41, 0).surface()
    pictures = np.stack([photograph((1 - step) * start + step * end, rng) for step in np.linspace(0, 1, 6)])
    found = measures(pictures, [*itertools.pairwise(range(6)), (0, 5)], common_ss)
    figure = _figure(7.4, 1.6)
    for number, picture in enumerate(pictures):
        axes = figure.add_subplot(1, 6, number + 1)
        _show(axes, picture)
        if number < 5:
            axes.set_xlabel(f"{found[number]:.2f} to the next", fontsize=8, color=INK, labelpad=3)
        else:
            axes.set_xlabel(f"{found[-1]:.2f} to the first", fontsize=8, color=INK, labelpad=3, fontweight="bold")
    _save(figure, path)


def make_all(folder: Path, probe: LeakProbe) -> None:
    """Write all pictures."""
    same_part(folder / "leaks-same-part.png")
    two_splits(folder / "leaks-two-splits.png")
    scores(folder / "leaks-scores.png", probe)
    threshold(folder / "leaks-threshold.png")
    chain(folder / "leaks-chain.png")


def _stains(rng: np.random.Generator, width: float) -> Floats:
    stains = gaussian_filter(rng.normal(size=(SIZE, SIZE)), width)
    return np.asarray(stains / stains.std())


def _even(picture_nss: Floats) -> Floats:
    """Mean 0 and standard deviation 1 for each picture: exposure taken out."""
    plain_nss = picture_nss - picture_nss.mean(axis=(1, 2), keepdims=True)
    return np.asarray(plain_nss / plain_nss.std(axis=(1, 2), keepdims=True))


def _percent(found: Compared, key: str) -> str:
    each = getattr(found, key)
    return f"{each.value:.0%} ({each.low:.0%} to {each.high:.0%})".replace("%", " %")


def _figure(width: float, height: float) -> Figure:
    figure = Figure(figsize=(width, height), dpi=130, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def _show(axes: Axes, picture: Floats, colour: str = "") -> None:
    axes.imshow(picture, cmap="gray", vmin=0, vmax=1)
    axes.set(xticks=[], yticks=[])
    for spine in axes.spines.values():
        spine.set(visible=bool(colour), color=colour or INK, linewidth=3)


def _save(figure: Figure, path: Path) -> None:
    """As PNG of 96 colours: small, and no difference to be seen."""
    figure.savefig(stream := io.BytesIO(), facecolor="white")
    Image.open(stream).convert("RGB").quantize(96, dither=Image.Dither.NONE).save(path, optimize=True)


if __name__ == "__main__":
    measured = experiment()
    make_all(FOLDER, measured)
    sys.stdout.write(f"{table(measured)}\nwrote leaks-*.png into {FOLDER}\n")
