"""What holds for all tests. What they share is in `plugins/`, by subject."""

from __future__ import annotations

import os

from hypothesis import settings

# Tiny networks run faster on one core than on several that wait for each other; torch reads this when it is imported.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# The machines that run the tests are shared and slow at times: no deadlines for single examples.
settings.register_profile("flawscope", deadline=None, print_blob=True)
settings.load_profile("flawscope")

pytest_plugins = (
    "tiny_bundles",
    "cli_answers",
    "databases",
    "doc_scripts",
    "drawn_pictures",
    "mask_bundles",
    "tiny_challenges",
    "tiny_runs",
    "traces",
)
"""Modules of `plugins/`, which pyproject.toml puts on the path; what others import comes before them."""
