"""The page of an audit: what a data set is, and which of its images show the same thing.

Plain data in, HTML out: the numbers on the page are the numbers of audit.json.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from flawscope.pages import audit_view as view
from flawscope.pages import court_words, mask_facts, pair_lists, picture_facts
from flawscope.pages.pairs import Source, Thumbnails
from flawscope.pages.templating import fill, write_page
from flawscope.records import Masks

SECTIONS = (
    ("minute", "In one minute"),
    ("court", "Same thing"),
    ("published", "Published split"),
    ("leak", "Random split"),
    ("review", "To be reviewed"),
    ("pairs", "Pairs"),
    ("labels", "Labels"),
    ("masks", "Masks"),
    ("pictures", "Pictures"),
    ("files", "Files"),
    ("provenance", "Provenance"),
)
METHOD = "Wilson's interval of 1927 on the effective number of samples"


@dataclass(frozen=True)
class AuditContent:
    """Everything that the page shows: the document of audit.json, the picture of each sample id, masks of examples."""

    document: Mapping[str, Any]
    images: Mapping[str, Source]
    masks: Mapping[str, Masks] = field(default_factory=dict)


def write_audit(folder: str | Path, content: AuditContent) -> Path:
    """Write `folder`/index.html and the pages of its pairs (`folder`/pairs), and return the path of the first.

    Raises:
        OutputError: the folder cannot be written to.
    """
    small = replace(content, images=Thumbnails(content.images))
    pair_lists.write_pair_pages(Path(folder), small.document, small.images)
    return write_page(folder, render(small, content.images))


def render(content: AuditContent, full: Mapping[str, Source] | None = None) -> str:
    """The page as one string. The same content gives the same bytes. `full` are the pictures at their full size."""
    document, images = content.document, content.images
    review, galleries = pair_lists.review(document, images), pair_lists.galleries(document, images)
    published, probe = view.published(document), view.probe(document)
    masks = mask_facts.facts_view(document.get("masks"))
    absent = {
        name
        for name, there in (
            ("published", published),
            ("leak", probe),
            ("review", review["total"]),
            ("pairs", galleries),
            ("labels", document["labelled"]),
            ("masks", masks),
        )
        if not there
    }
    return fill(
        "audit.html",
        doc=document,
        sections=[(id, title) for id, title in SECTIONS if id not in absent],
        cards=view.cards(document),
        balance=view.balance(document),
        class_sizes=view.class_sizes(document),
        method=METHOD,
        court=view.court(document),
        look_first=court_words.look_first(document),
        no_all_clear=court_words.no_all_clear(document),
        groups=view.groups(document),
        published=published,
        probe=probe,
        review=review,
        galleries=galleries,
        tables=picture_facts.tables(document["pictures"]),
        intensity=picture_facts.intensity(document["pictures"]),
        examples=[] if masks else view.examples(document, images),
        masks=masks,
        outlined=mask_facts.outlined_view(document["examples"], full or images, content.masks) if masks else None,
        left_out=[*document["skipped"], *document["pictures"]["unreadable"]],
        listed=view.LISTED,
    )
