"""The script that makes the models of `foreign/` needs Keras, which no test does."""

from __future__ import annotations

collect_ignore = ["foreign/make_models.py"]
