"""What the steps of a challenge share: its folder, its store, its hidden parts, and scores from stored answers."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from flawscope.challenge.answers import Answers, unpacked
from flawscope.challenge.bounds import bounds_of
from flawscope.challenge.contest import changed, contest_of
from flawscope.challenge.labels import IMAGES, HiddenPart, Labels, read_part, read_part_labels
from flawscope.challenge.ranking import Score, scored
from flawscope.challenge.spec import STORE, Challenge, PartName, hidden, load_challenge
from flawscope.challenge.store import Store
from flawscope.challenge.submitted import Contest, Submitted
from flawscope.challenge.worker import Bench, Part, answers_path
from flawscope.errors import DataError
from flawscope.records import Interval, fingerprint

HIDDEN: tuple[PartName, ...] = ("public", "private")


@dataclass(frozen=True)
class Desk:
    """A challenge as its organiser has it, with what was changed since it was made; `made` is as it was made."""

    folder: Path
    made: Challenge
    contest: Contest
    store: Store

    @classmethod
    def at(cls, folder: str | Path, store: str | None = None) -> Desk:
        """The challenge in a folder; `store` is the URL of a database, by default a file in the folder.

        Raises:
            UserError: there is no challenge.
            StoreError: the store cannot be reached.
        """
        made = load_challenge(folder)
        opened = Store.open(store or Path(folder) / STORE, store_key(made))
        return cls(Path(folder), made, contest_of(opened), opened)

    @property
    def challenge(self) -> Challenge:
        """The challenge as it is now."""
        return changed(self.made, self.contest)

    @cached_property
    def hidden(self) -> dict[str, HiddenPart]:
        """Images and labels of the hidden parts, checked: every image is read. For those who ask about images."""
        return {name: read_part(self.folder, self.challenge, name) for name in HIDDEN}

    @cached_property
    def labels(self) -> dict[str, Labels]:
        """The labels of the hidden parts, checked: all that a score or a board needs."""
        return {name: read_part_labels(self.folder, self.challenge, name) for name in HIDDEN}

    def bench(self) -> Bench:
        """What a worker needs: here the images are checked, once when it starts."""
        parts: dict[str, Part] = {}
        for name in HIDDEN:
            files = self.hidden[name].labels.files
            bounds = bounds_of(self.challenge.limits, len(files))
            parts[name] = Part(hidden(self.folder, name) / IMAGES, files, self._scorer(name), bounds)
        return Bench(self.folder, self.store, self.challenge.task, parts)

    def _scorer(self, name: PartName) -> Any:
        def score(answers: Answers) -> tuple[Interval, Mapping[str, Any]]:
            made = scored(self.challenge, self.labels[name], answers)
            return made.metric, made.as_dict()

        return score

    def score_of(self, submitted: Submitted, part: str) -> Score:
        """The score of a judged submission, made again from its answers, for comparisons image for image.

        Raises:
            DataError: its file of answers is not what was stored.
        """
        path, labels = answers_path(self.folder, submitted.number, part), self.labels[part]
        result = submitted.results[part]
        try:
            content = path.read_bytes()
            if hashlib.sha256(content).hexdigest() != result.answers_sha256:
                raise DataError(f"{path} is not what was stored", "restore it from a backup")
            scores_nk, decided_nk = unpacked(content, *labels.truth_nk.shape)
        except (OSError, ValueError) as error:
            raise DataError(f"{path} cannot be read: {error}", "restore it from a backup") from None
        return scored(self.challenge, labels, Answers(scores_nk, decided_nk, result.seconds))


def store_key(challenge: Challenge) -> str:
    """The name of a challenge in a store that may hold others: two of one name are told apart by their images."""
    return f"{challenge.name}:{fingerprint({name: each.hash for name, each in challenge.parts.items()})[:12]}"
