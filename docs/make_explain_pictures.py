"""Draw the pictures of docs/explain.md: python docs/make_explain_pictures.py.

Draws synthetic coils, trains small networks on them (three minutes on one core), and looks at what they have learnt.
Nothing comes from a real camera. Letters: h and w rows and columns of a patch.
"""

from __future__ import annotations

import io
import itertools
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from PIL import Image

from flawscope.inspection.heat import LONGEST, heat_picture
from flawscope.pages import heat_maps, inside
from flawscope.pages.figures import FIND, INK, MUTED
from flawscope.preprocess import viewable
from flawscope.storage import write_bytes, write_text

FOLDER = Path(__file__).with_name("images")
RECIPE = """\
name: coils
data: {kind: folders, root: coils, positive: 0_nio}
image: {size: [104, 180], channels: 1, crop: [50, 60, 750, 460]}
split: {validation: 0.15, calibration: 0.15, test: 0.15, twins: identical}
model: {name: "timm:resnet10t"}
train: {epochs: 12, batch_size: 8, rate: 0.001, device: cpu}
"""
STICKER = (690, 400, 740, 440)
"""Where scrap has a bright sticker, to show a shortcut: left, top, right, bottom, in a corner of the crop."""
Floats = npt.NDArray[np.float64]


def convolved(patch_hw: Floats, filter_hw: Floats) -> Floats:
    """A convolution without padding: at each place the sum of the products of filter and patch.

    >>> convolved(np.array([[1.0, 2.0, 4.0]]), np.array([[-1.0, 1.0]])).tolist()
    [[1.0, 2.0]]
    """
    height, width = filter_hw.shape
    rows, columns = patch_hw.shape[0] - height + 1, patch_hw.shape[1] - width + 1
    return np.array(
        [[(patch_hw[y : y + height, x : x + width] * filter_hw).sum() for x in range(columns)] for y in range(rows)]
    )


def pooled(map_hw: Floats) -> Floats:
    """The largest value of each window of 2 x 2.

    >>> pooled(np.array([[1.0, 2.0], [3.0, 0.0]])).tolist()
    [[3.0]]
    """
    height, width = map_hw.shape
    windows: Floats = map_hw.reshape(height // 2, 2, width // 2, 2).max(axis=(1, 3))
    return windows


def by_hand(patch_hw: Floats, filter_hw: Floats) -> bytes:
    """One convolution, one ReLU and one pooling, every number written in; one place is worked out below."""
    map_hw = convolved(patch_hw, filter_hw)
    relu_hw = np.maximum(map_hw, 0)
    y, x = np.unravel_index(map_hw.argmax(), map_hw.shape)
    figure = Figure(figsize=(11, 4.6), layout="constrained")
    panels = [patch_hw, filter_hw, map_hw, relu_hw, pooled(relu_hw)]
    grid = figure.subplots(1, 5, width_ratios=[panel.shape[1] + 0.4 for panel in panels])
    titles = ("patch of the picture", "filter", "convolution", "ReLU", "max pooling")
    limit = float(max(np.abs(map_hw).max(), 1e-9))
    for axes, values, title in zip(grid, panels, titles, strict=True):
        if title == "patch of the picture":
            numbers(axes, values, title, (-1, 1))
            axes.add_patch(Rectangle((x - 0.5, y - 0.5), 3, 3, fill=False, edgecolor=FIND, linewidth=2.5))
        elif title == "filter":
            top = float(np.abs(values).max())
            numbers(axes, values, title, (-top, top))
        else:
            numbers(axes, values, title, (-limit, limit))
    grid[2].add_patch(Rectangle((x - 0.5, y - 0.5), 1, 1, fill=False, edgecolor=FIND, linewidth=2.5))
    products = [f"{a:.1f} x {b:.2f}" for a, b in zip(patch_hw[y : y + 3, x : x + 3].flat, filter_hw.flat, strict=True)]
    lines = [" + ".join(products[row * 3 : row * 3 + 3]) for row in range(3)]
    figure.supxlabel("\n + ".join(lines) + f"  =  {map_hw[y, x]:.2f}", fontsize=11, color=INK, family="monospace")
    return heat_maps.drawn(figure)


def numbers(axes: Axes, values_hw: Floats, title: str, limits: tuple[float, float]) -> None:
    """A table of numbers as grey tiles."""
    axes.imshow(values_hw, cmap="gray", vmin=limits[0], vmax=limits[1])
    axes.set_title(title, fontsize=11, color=INK)
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_color("#c6ccd3")
    middle = (limits[0] + limits[1]) / 2
    for (y, x), value in np.ndenumerate(values_hw):
        colour = "white" if value < middle + 0.05 * (limits[1] - limits[0]) else "black"
        words = f"{value:.1f}" if title.startswith("patch") else f"{value:.2f}"
        axes.text(x, y, words.replace("-0.00", "0.00"), ha="center", va="center", fontsize=9, color=colour)
    axes.text(
        0, -0.04, " x ".join(map(str, values_hw.shape)), transform=axes.transAxes, fontsize=9, color=MUTED, va="top"
    )


def trained(folder: Path, *, sticker: bool = False) -> Path:
    """Coils in a folder, and the run of a small network that has learnt them; or that scrap has a sticker."""
    import flawscope

    flawscope.synth("coil", folder / "coils", 240)
    recipe = RECIPE.replace("root: coils", f"root: {folder / 'coils'}")
    if sticker:
        recipe = recipe.replace("epochs: 12", "epochs: 4")
        for path in (folder / "coils" / "0_nio").iterdir():
            with Image.open(path) as image:
                image.paste(235, STICKER)
                image.save(path)
    write_text(folder / "coils.yaml", recipe)
    made = flawscope.train(folder / "coils.yaml", folder / "run", say=lambda words: None)
    return Path(made.folder)


def means_of(loaded: Any, seen: list[Any], folder: Path) -> bytes:
    """The mean picture of scrap and its mean maps, as `flawscope explain --average` draws them."""
    from flawscope.explanation.explain import explain
    from flawscope.steps.map_means import Means, write_means

    means = {method: Means() for method in ("grad-cam", "occlusion")}
    for method, each in itertools.product(means, seen):
        of_one = explain(loaded.network, loaded.inputs([each])[0], loaded.task, "0_nio", method)
        means[method].add("scrap", each.view, of_one.map_bhw[0])
    _, warnings = write_means(folder, means, "even")
    sys.stdout.writelines(f"{words}\n" for words in warnings)
    return (folder / "average-1.png").read_bytes()


def shortcut(folder: Path) -> bytes:
    """What a network uses where all scrap has a sticker in a corner."""
    from flawscope.steps.loaded import Loaded

    loaded = Loaded.of(trained(folder, sticker=True), "explain")
    bent = sorted((folder / "coils" / "0_nio").iterdir())[:24]
    return means_of(loaded, [loaded.see(path, path.name) for path in bent], folder)


def sheet_of(loaded: Any, seen: list[Any]) -> bytes:
    """Several pictures on one sheet, as `flawscope explain` draws it."""
    from flawscope.explanation.explain import explain

    made = explain(loaded.network, loaded.inputs(seen)[0], loaded.task)
    called = {"0_nio": "scrap", "1_io": "good"}
    shown = [
        (each.view, heat_maps.caption(each.name, f"{called[name]}, score {score:+.2f}"),
         heat_maps.Panel("", made.map_bhw[row], signed=False))
        for row, (each, name, score) in enumerate(zip(seen, made.names, made.scores_b, strict=True))
    ]  # fmt: skip
    return heat_maps.contact(shown, "grad-cam: what speaks for the class named below each picture's name")


def pictures(folder: Path) -> dict[str, bytes]:
    """All pictures of the page by their names."""
    from flawscope.explanation.explain import FILTER_GRADIENTS, METHODS, explain
    from flawscope.explanation.inside import feature_maps, filters
    from flawscope.steps.loaded import Loaded

    loaded = Loaded.of(trained(folder), "explain")
    bent = sorted((folder / "coils" / "0_nio").iterdir())[:24]
    seen = [loaded.see(path, path.name) for path in bent]
    scores = explain(loaded.network, loaded.inputs(seen)[0], loaded.task, "0_nio").scores_b
    one = seen[int(scores.argmax())]
    images = loaded.inputs([one])[0]

    def panel(method: str, title: str = "") -> heat_maps.Panel:
        made = explain(loaded.network, images, loaded.task, "0_nio", method)
        return heat_maps.Panel(
            title or method, made.map_bhw[0], made.signed, f"1 = {made.largest_b[0]:.3g} {made.unit}"
        )

    heading = f"{one.name}: what speaks for scrap (score {scores.max():+.2f})"
    panels = [panel(method) for method in METHODS]
    wrong = panel(FILTER_GRADIENTS, "system E's weights, which are wrong")
    name, weight_oihw = filters(loaded.network)
    straight = sorted((folder / "coils" / "1_io").iterdir())[:4]
    maps = feature_maps(loaded.network, images)
    by_layer = [
        (layer, " x ".join(map(str, map_chw.shape)), map_chw.mean(axis=0))
        for layer, (kind, map_chw) in maps.items() if "Conv" in kind
    ]  # fmt: skip
    return {
        "explain-methods.png": heat_maps.explained(one.view, heading, [*panels, wrong]),
        "explain-contours.png": heat_maps.explained(one.view, heading, [panels[1], panels[4]], "contours"),
        "explain-jet.png": heat_maps.explained(one.view, heading, [panels[1], panels[4]], "jet"),
        "explain-sheet.png": sheet_of(loaded, [*seen[:4], *(loaded.see(path, path.name) for path in straight)]),
        "explain-average.png": means_of(loaded, seen, folder),
        "explain-shortcut.png": shortcut(folder / "stickers"),
        "explain-line.png": at_the_line(loaded, [seen[row] for row in scores.argsort()[::-1][:2]]),
        "explain-filters.png": inside.filter_tiles(weight_oihw, name),
        "explain-means.png": inside.mean_tiles(by_layer, f"{one.name} after every convolution, mean over the channels"),
        "explain-by-hand.png": by_hand(*chosen(loaded.network, images, weight_oihw[:, 0])),
    }


def at_the_line(loaded: Any, seen: list[Any]) -> bytes:
    """What `flawscope inspect --explain` draws of two pictures, side by side."""
    from flawscope.explanation.graph_maps import with_maps

    images = loaded.inputs(seen)[0]
    made = with_maps(loaded.network, images)
    map_nkhw = made.network(images)[made.outputs.index("maps")].detach().numpy()
    pair = [
        heat_picture(viewable(Image.fromarray(each.view), LONGEST), [("scrap", map_khw[0])])
        for each, map_khw in zip(seen, map_nkhw, strict=True)
    ]
    sheet = Image.new("RGB", (sum(each.width for each in pair) + 16, pair[0].height), "white")
    sheet.paste(pair[0], (0, 0))
    sheet.paste(pair[1], (pair[0].width + 16, 0))
    stream = io.BytesIO()
    sheet.save(stream, "PNG")
    return stream.getvalue()


def chosen(network: Any, images: Any, weight_ohw: npt.NDArray[np.float32]) -> tuple[Floats, Floats]:
    """A patch of 6 x 6 values as the network sees them, on the edge of a pin, and the filter that answers it most."""
    seen_hw = ((images[0, 0].float() / network.highest - network.mean_1c11[0, 0]) / network.std_1c11[0, 0]).numpy()
    height, width = seen_hw.shape
    patches = [
        seen_hw[y : y + 6, x : x + 6].astype(float)
        for y in range(10, height // 3) for x in range(width // 3, 2 * width // 3)
    ]  # fmt: skip
    patch_hw = max(patches, key=lambda patch: float(np.ptp(patch.mean(axis=0))))
    best = max(weight_ohw.astype(float), key=lambda one: float(np.ptp(convolved(patch_hw, one))))
    return np.round(patch_hw, 1) + 0.0, np.round(best, 2) + 0.0  # + 0.0: no -0


def compact(content: bytes) -> bytes:
    """A PNG for a page: at most 1100 pixels wide."""
    with Image.open(io.BytesIO(content)) as image:
        width = min(image.width, 1100)
        small = image.convert("RGB").resize(
            (width, round(image.height * width / image.width)), Image.Resampling.LANCZOS
        )
    stream = io.BytesIO()
    small.save(stream, "PNG", optimize=True)
    return stream.getvalue()


def main() -> None:
    """Write all pictures."""
    with tempfile.TemporaryDirectory() as folder:
        for name, content in pictures(Path(folder)).items():
            write_bytes(FOLDER / name, compact(content))
            sys.stdout.write(f"wrote {FOLDER / name}\n")


if __name__ == "__main__":
    main()
