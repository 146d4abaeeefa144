"""Which map is shown where nobody asks for another one. Torch-free, so that help texts can name it.

`benchmarks/pointing.py` measures all methods against true masks; docs/explain.md has its table.
"""

from __future__ import annotations

METHOD = "integrated-gradients"
"""Smoothed, it points best (docs/pointing.md). Maps of a last layer are too coarse to say where a small flaw lies."""
LAYERED = "grad-cam"
"""Where a layer is named. Proven equal to the class activation map, which a graph itself can give at the line."""
LAYER: str | None = None
"""The last one before the head. `/16` would be the last one whose places are at most 16 pixels wide."""
ALIGNED = False
"""Whether maps are drawn where the places of the layer truly look (`align`). The graph at the line does not know it."""
