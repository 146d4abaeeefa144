"""From the document of an audit to what its template prints: sentences, widths of bars, figures and pairs of pictures.

Nothing is found here. Every number comes from audit.json; what is missing there is passed over.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from flawscope.pages import figures
from flawscope.pages.court_words import no_all_clear
from flawscope.pages.pairs import (
    Source,
    View,
    kind_rows,
    threshold_range,
    threshold_words,
    tile,
)
from flawscope.pages.picture_facts import number
from flawscope.pages.view import figure_of
from flawscope.pages.words import RATES

LISTED = 200
FOLDS = 5
"""As many folds as the audit's own models are tested on: see whether a group fits into one."""
_SPACE = "\N{NO-BREAK SPACE}"


def percent(part: float, whole: float = 1.0) -> str:
    r"""A share in percent; small ones keep a digit, what happens is never 0, what is not all never 100.

    >>> percent(1, 3), percent(1, 400), percent(1, 100000), percent(0, 9), percent(1343, 1344)
    ('33\xa0%', '0.2\xa0%', '< 0.1\xa0%', '0\xa0%', '> 99\xa0%')
    """
    share = 100 * part / whole if whole else 0.0
    if 99.5 <= share < 100:
        return f"> 99{_SPACE}%"
    if share == 0 or share >= 9.95:
        return f"{share:.0f}{_SPACE}%"
    return f"{share:.1f}{_SPACE}%" if share >= 0.1 else f"< 0.1{_SPACE}%"


def cards(document: Mapping[str, Any]) -> list[View]:
    """What stands in "In one minute": a number and what it means, the gravest first."""
    found, n = document["court"], document["n"]
    made = [_twins(found, n, unsure=bool(no_all_clear(document)))]
    split = document.get("published")
    if split:
        meaning = f"{split['with_twin']:,} of {split['test']:,} test images have a twin in the training part."
        value = percent(split["with_twin"], split["test"])
        made.append({"name": "of the published test leaks", "value": value, "meaning": meaning})
    made += [_leak(model) for model in (document.get("probe") or {}).get("models", [])[:1]]
    if document["labelled"]:
        made.append(
            {
                "name": "pairs to be reviewed",
                "value": f"{found['contrary']:,}",
                "meaning": "Alike, but labelled differently." if found["contrary"] else "No pair has different labels.",
            }
        )
        made.append(_too_small(document["class_sizes"]))
    bad = len(document["skipped"]) + len(document["pictures"]["unreadable"])
    copies = sum(len(entry["ids"]) - 1 for entry in document["identical"])
    verb = "is a copy" if copies == 1 else "are copies"
    meaning = f"Of the others {copies:,} {verb} of another file." if copies else "No file is there twice."
    return [*made, {"name": "files that cannot be used", "value": f"{bad:,}", "meaning": meaning}]


def _twins(found: Mapping[str, Any], n: int, *, unsure: bool) -> View:
    if unsure and not found["pairs"]:
        meaning = "No pair was found, but these pictures cannot tell: see Images of the same thing."
        return {"name": "with a twin", "value": "not known", "meaning": meaning}
    meaning = (
        f"{found['images']:,} of {n:,} images show a thing that another image shows too "
        f"({found['pairs']:,} pair{'' if found['pairs'] == 1 else 's'})."
    )
    more = " These are identical files; whether there are other twins, these pictures cannot tell." if unsure else ""
    return {"name": "with a twin", "value": percent(found["images"], n), "meaning": meaning + more}


def _leak(model: Mapping[str, Any]) -> View:
    """What one model says of the leak: a number only where its interval lies above 0."""
    found = model["measures"]["accuracy"]["difference"]
    gap = difference("accuracy", found)
    if found["low"] > 0:
        value, meaning = gap["value"], f"So many more of 100 images does {named(model)} get right on a random split"
    else:
        value = "unclear"
        meaning = f"On a random split {named(model)} gets {gap['value']} of 100 images more right, which may be chance"
        if found["high"] < 0:
            meaning = f"On a random split {named(model)} gets fewer images right: {gap['value']} of 100"
    return {"name": "the leak of a random split", "value": value, "meaning": f"{meaning} ({gap['span']})."}


def _too_small(sizes: Sequence[Mapping[str, Any]]) -> View:
    few = [size["name"] for size in sizes if size["verdict"] == "too few"]
    none = [size["name"] for size in sizes if size["verdict"] == "none"]
    depends = sum(size["verdict"] == "depends" for size in sizes)
    said = [f"{start} of {', '.join(names[:6])}{' ...' if len(names) > 6 else ''}."
            for start, names in (("Too few images", few), ("No image", none)) if names]  # fmt: skip
    meaning = " ".join(said) or "None for certain."
    if depends:
        meaning += f" For {depends} it depends on how alike the images of one group are."
    return {"name": "classes too small to measure", "value": f"{len(few) + len(none)}", "meaning": meaning}


def balance(document: Mapping[str, Any]) -> list[View]:
    """Label combinations with their share of all images."""
    n = document["n"]
    return [
        {"name": name, "n": count, "percent": percent(count, n), "width": round(100 * count / n, 2)}
        for name, count in document["combinations"].items()
    ]


def class_sizes(document: Mapping[str, Any]) -> list[View]:
    """What could be measured of each class, in words."""
    rows = []
    for size in document["class_sizes"]:
        lacking = max(0, size["needed"] - size["images"])
        words = {
            "enough": "enough",
            "depends": "enough only if the images of one group differ like those of others",
            "too few": f"too few: {lacking:,} more independent images are needed",
            "none": "no image shows it: nothing can be said",
        }[size["verdict"]]
        ends = {key: _ends(size[key]) for key in ("best", "worst")}
        rows.append({**size, **ends, "words": words, "bad": size["verdict"] in {"too few", "none"}})
    return rows


def _ends(interval: Mapping[str, Any] | None) -> str:
    if interval is None:
        return "not measured"
    return f"{100 * interval['low']:.0f} to {100 * interval['high']:.0f}{_SPACE}%"


def court(document: Mapping[str, Any]) -> View:
    """The court's findings: counts by kind, the thresholds and what they mean, the figure behind them."""
    found = document["court"]
    facts = found.get("facts", {})
    null, looked = facts.get("null") or {}, facts.get("found") or {}
    ends, drawn = threshold_range(facts), ""
    if any(null.get("counts", ())) or any(looked.get("counts", ())):
        figure = figures.evidence(null, looked, ends)
        drawn = Markup(figures.svg(figure, "evidence", "Histogram of the measure over different and compared pairs"))
    return {
        **found,
        "kinds": kind_rows(found["kinds"]),
        "share": percent(found["images"], document["n"]),
        "sentences": threshold_sentences(found["pairs"], facts, found.get("bounds", {})),
        "svg": drawn,
        "mark": "" if ends is None else "line" if ends[0] == ends[1] else "band",
        "below": _below(null, looked),
        "search": facts.get("search", ""),
        "seconds": facts.get("seconds"),
    }


def _below(*histograms: Mapping[str, Any]) -> str:
    """That the first bar holds more than its width says, where it is drawn: what lies below the range counts there."""
    ends = {float(each["edges"][0]) for each in histograms if any(each.get("counts", ())[:1]) and each["edges"][0] > -1}
    return f"The bar at the left edge holds all that lies below {min(ends):g} as well." if ends else ""


def threshold_sentences(pairs: int, facts: Mapping[str, Any], bounds: Mapping[str, float] | None = None) -> list[str]:
    """The thresholds and the false-pair rate in plain words; where a threshold stands at a bound, that it does.

    >>> threshold_sentences(40, {"threshold": 0.75, "note": "too few images"})
    ['Two pictures are taken for the same thing if their correlation reaches 0.75.', 'Too few images.']
    """
    said, note, known = [], str(facts.get("note") or ""), bounds or {}

    def at(bound: str, fact: str = "threshold") -> bool:
        return bound in known and facts.get(fact) == known[bound]

    if words := threshold_words(facts):
        said.append(f"Two pictures are taken for the same thing if their correlation reaches {words}.")
    if facts.get("known_different") and not (note and at("unread")):
        said.append(
            f"It rests on {number(facts['known_different'])} pairs of pictures that are known to be different: they "
            "show how alike pictures get by chance."
        )
    if at("least"):
        said.append(
            f"For most pictures that alone would ask for less than {known['least']:g}; this is the least that the "
            "court accepts, a bound set by hand."
        )
    if at("doubtful"):
        said.append(
            f"For most pictures chance explains more than small pictures can tell: from {known['doubtful']:g} on, a "
            "bound set by hand, a pair is looked at again."
        )
    if closely := facts.get("looked_at_closely"):
        said.append(
            f"{number(closely)} pair{' was' if closely == 1 else 's were'} doubtful, because much looks alike here: "
            f"compared again, larger, their fine detail must reach {threshold_words(facts, 'closely_needed')}."
        )
    if at("most_closely", "closely_needed_high"):
        said.append(
            f"More than {known['most_closely']:g} is never asked, a bound set by hand: of some of these pictures "
            "chance explains more, and pairs of them may be wrong."
        )
    if note:  # it says why the rate of false pairs is not known
        return [*said, f"{note[:1].upper()}{note[1:]}."]
    if facts.get("false_pair_rate") is not None:
        rate = number(facts["false_pair_rate"])
        said.append(f"It is set so that searching for one image brings {rate} false pairs on average.")
    if pairs and facts.get("expected_false_pairs") is not None:
        expected = round(facts["expected_false_pairs"])
        few = "fewer than one" if facts["expected_false_pairs"] < 1 else f"about {expected:,}"
        among = f"{few} of the {pairs:,} pairs" if expected < pairs else f"every one of the {pairs:,} pairs"
        said.append(f"So {among} found may be chance.")
    return said


COPIES = "copies of one picture, and clusters in which all are alike, are never cut apart"


def groups(document: Mapping[str, Any]) -> View:
    """Groups from the data alone, with every pair joined, with chains cut; and what was done, in words."""
    facts, n = document["groups"], document["n"]
    rows = [
        {"name": name, **facts[key], "share": percent(facts[key]["largest"], n)}
        for key, name in (
            ("data", "the data alone"),
            ("chained", "all pairs joined"),
            ("linked", "chains cut: so a split uses them"),
        )
    ]
    largest, limit = facts["linked"]["largest"], facts["limit"]
    kept = "the data themselves keep these together" if largest == facts["data"]["largest"] else COPIES
    if facts["cut"]:
        words = (
            f"Pairs form chains: a is like b, b is like c, and so on. With every pair joined the largest group would "
            f"hold {facts['chained']['largest']:,} images. Chains are cut where a group would grow beyond "
            f"{limit:,} images: {facts['cut']:,} pair{' is' if facts['cut'] == 1 else 's are'} not joined. A split "
            "leaves out one image of such a pair where the two would come to stand on different sides."
        )
        if largest > limit:
            words += f" The largest group still holds {largest:,} images: {kept}."
    elif largest > limit:
        words = (
            f"The largest group holds {largest:,} images, more than the {limit:,} at which chains of pairs are cut: "
            f"{kept}. No chain was cut."
        )
    else:
        words = f"No chain was cut: no group is larger than the limit of {limit:,} images."
    if largest > max(1.0, n / FOLDS):
        words += (
            f" The largest group, {percent(largest, n)} of all images, is more than one of {FOLDS} folds should hold. "
            "It is dealt out whole: the part it comes to stand in is larger than asked for, and shows little else."
        )
    return {"rows": rows, "words": words, "grouping": facts["grouping"]}


def published(document: Mapping[str, Any]) -> View | None:
    """How far the split that the data came with leaks; nothing where they came without."""
    facts = document.get("published")
    if not facts:
        return None
    return {
        **facts,
        "share": percent(facts["with_twin"], facts["test"]),
        "width": round(100 * facts["with_twin"] / facts["test"], 2),
        "rows": kind_rows(facts["kinds"]),
    }


def probe(document: Mapping[str, Any]) -> View | None:
    """Both models on both splits, and one sentence on the leak; the reason where it could not be measured."""
    facts = document.get("probe")
    if not facts or "reason" in facts:
        return facts and {"reason": facts["reason"], "models": []}
    models = []
    for model in facts["models"]:
        rows = []
        for measure, values in model["measures"].items():
            shown = {key: figure_of(measure, values[key]) for key in ("random", "grouped")}
            rows.append({"name": measure, **shown, "difference": difference(measure, values["difference"])})
        models.append({"name": model["name"], "rows": rows, "sentence": leak_sentence(model)})
    return {**facts, "models": models}


def difference(measure: str, interval: Mapping[str, Any]) -> View:
    """A difference with its sign: in percentage points where the measure reads in percent.

    >>> difference("accuracy", {"value": 0.177, "low": -0.0001, "high": 0.2})
    {'value': '+17.7', 'span': '0.0 to +20.0'}
    """
    scale, digits = (100, 1) if measure in RATES else (1, 3)
    ends = (round(scale * interval[key], digits) for key in ("value", "low", "high"))
    value, low, high = (f"{end:+.{digits}f}" if end else f"{0:.{digits}f}" for end in ends)
    return {"value": value, "span": f"{low} to {high}"}


def named(model: Mapping[str, Any]) -> str:
    """The name of a model within a sentence.

    >>> named({"name": "small model"})
    'the small model'
    """
    name = str(model["name"])
    return name if name.startswith(("one ", "a ", "the ")) else f"the {name}"


def leak_sentence(model: Mapping[str, Any]) -> str:
    """What the accuracy of one model says about the leak, in plain words.

    >>> i = lambda v: {"value": v, "low": v - 0.02, "high": v + 0.02}
    >>> leak_sentence({"name": "one nearest neighbour", "measures": {"accuracy": {
    ...     "random": i(0.95), "grouped": i(0.8), "difference": i(0.15)}}})[:58]
    'On a random split one nearest neighbour is right for 95.0 '
    """
    found = model["measures"]["accuracy"]
    random, grouped, difference = (found[key] for key in ("random", "grouped", "difference"))
    said = (
        f"On a random split {named(model)} is right for {100 * random['value']:.1f} of 100 images; where images of the "
        f"same thing stay together, for {100 * grouped['value']:.1f}."
    )
    low, high = f"{100 * difference['low']:.1f}", f"{100 * difference['high']:.1f}"
    if difference["low"] > 0:
        gap = f"{100 * difference['value']:.1f} ({low} to {high})"
        return f"{said} The difference of {gap} is the leak: it was remembered, not understood."
    if difference["high"] < 0:
        return f"{said} The random split is no better: no leak shows here ({low} to {high})."
    return f"{said} The difference may be chance ({low} to {high}): no leak can be told from it."


def examples(document: Mapping[str, Any], images: Mapping[str, Source]) -> list[View]:
    """A few pictures of each label combination."""
    return [{"name": name, "tiles": [tile(id, images) for id in ids]} for name, ids in document["examples"].items()]
