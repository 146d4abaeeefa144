"""`flawscope show`: what a bundle is, what it decides, and whether it is whole."""

from __future__ import annotations

from pathlib import Path

from flawscope.bundle.archive import read_bundle
from flawscope.bundle.verify import describe, verify
from flawscope.errors import BundleError
from flawscope.steps.known_decisions import decision_family


def show(bundle: str | Path) -> list[str]:
    """Plain sentences about a bundle that has passed all checks, the checks first.

    Raises:
        BundleError: a check failed.
    """
    checks = verify(bundle)
    failed = [check for check in checks if not check.ok]
    if failed:
        raise BundleError(f"{bundle} is refused: {failed[0].detail}")
    contents = read_bundle(bundle)
    return [
        *(f"ok: {check.check} ({check.detail})" for check in checks),
        *describe(contents.manifest, contents.evidence),
        *decision_family(Path(bundle), contents),
    ]
