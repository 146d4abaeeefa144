"""`flawscope decide` for bundles that make masks: levels and least areas from the calibration part, then the seal.

What the masks are fitted on has gone through the gate, if there is one: an image that it stops has no marks whatever
the rule of masks says. The gate's own rule comes from its run, RUN/gate.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from flawscope.bundle.archive import Contents, read_bundle, write_bundle
from flawscope.bundle.manifest import Manifest, Sealed
from flawscope.bundle.mask_runtime import Look, MaskRuntime
from flawscope.bundle.rules import Gate, MaskRule
from flawscope.bundle.tiles import overlap_of
from flawscope.errors import BundleError, OutputError, RecipeError, UserError
from flawscope.evaluation.mask_fit import FittedMasks, Grid, Tally, fit_masks, grid_of, summed, tally
from flawscope.records import BoolArray, Sample, Samples
from flawscope.steps.decide_rule import for_deciding, rule
from flawscope.steps.mask_samples import looked_at
from flawscope.steps.new_images import Search
from flawscope.steps.provenance import command, machine, today, versions
from flawscope.training.decide_spec import DecideSpec
from flawscope.training.mask_spec import MaskSpec
