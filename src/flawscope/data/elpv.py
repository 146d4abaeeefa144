"""ELPV: electroluminescence images of solar cells, from the `elpv-dataset` package or a folder of the same layout.

Source: Deitsch et al., Automatic classification of defective photovoltaic module cells in electroluminescence images,
Solar Energy 185 (2019); https://github.com/zae-bayern/elpv-dataset. The images are CC BY-NC-SA 4.0.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from flawscope.data.spec import ElpvSpec
from flawscope.data.table import Row, Table
from flawscope.errors import DataError
from flawscope.records import Skipped, Task

TASK = Task("binary", ("defective",), negative="functional")


def elpv_folder() -> Path:
    """Where the installed package keeps its images; found without importing it.

    Raises:
        DataError: the package is not installed.
    """
    found = find_spec("elpv_dataset")
    places = [Path(place) / "data" for place in (found.submodule_search_locations or [])] if found else []
    for place in places:
        if (place / "labels.csv").is_file():
            return place
    raise DataError("the ELPV images are not installed", 'pip install "flawscope[elpv]"')


def load_elpv(spec: ElpvSpec, base: Path) -> Table:
    """The rows of labels.csv (image, probability, module type), grouped by blocks of cells in file order.

    Cells of one module stand together in the file, but no column names the module; sister cells are nearly alike.

    Raises:
        DataError: not installed, or no labels.csv in the given folder.
    """
    folder = base / spec.root if spec.root else elpv_folder()
    try:
        lines = (folder / "labels.csv").read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{folder / 'labels.csv'}: cannot be read ({error})", "name the folder of ELPV") from None
    rows, bad = [], []
    cells = [(number, line.split()) for number, line in enumerate(lines, 1) if line.strip()]
    for index, (number, cell) in enumerate(cells):
        where = f"labels.csv, row {number}"
        try:
            name, text, kind = cell
            probability = float(text)
        except ValueError:
            bad.append(Skipped(where, f"expected image, probability and module type, got {' '.join(cell)!r}"))
            continue
        if not 0 <= probability <= 1:
            bad.append(Skipped(where, f"a probability lies in [0, 1], got {text}"))
            continue
        target = (float(probability >= spec.threshold),)
        meta: dict[str, str | float] = {"type": kind, "labelled": probability}
        rows.append(Row(name, folder / name, target, f"block-{index // spec.block:02d}", meta, index))
    if spec.limit is not None and spec.limit < len(rows):
        rows = [rows[i * len(rows) // spec.limit] for i in range(spec.limit)]
    return Table(
        name="elpv",
        task=TASK,
        rows=tuple(rows),
        bad=tuple(bad),
        grouping=f"contiguous blocks of {spec.block} cells in file order",
        source=f"ELPV ({'elpv-dataset package' if spec.root is None else spec.root}), "
        f"defective from a probability of {spec.threshold:g}",
    )
