"""The ledger in English, with the unit and the layers that a rule set names."""

from decimal import Decimal
from functools import partial

from clues.outputs.columns import (
    CONTROL_AREAS,
    Column,
    Form,
    Row,
    class_text,
    credit_text,
    day_text,
    document_texts,
    fill_in,
    measured,
    no_text,
    severity,
    suggestion,
    versions_text,
)
from clues.outputs.history import history_columns, reason_text
from clues.outputs.imagesources import images_text
from clues.outputs.ledgerkeys import VERDICT_CHOICES
from clues.outputs.severity import SEVERITY_MEANING
from configs.speech import Speech
from configs.units import SCORE_UNIT, UNIT_NAMES, metres2
from configs.vocabulary import change_type

__all__ = ["english_form"]

SAME, FILLED_IN = "as on the first sheet", "filled in by the inspector"
YES_NO = ("yes", "no")

PICTURE_COLUMNS = (
    Column("before_picture", "Before", 14, "image of the earlier date", no_text, "picture"),
    Column(
        "after_picture", "After", 14, "image of the later date, same extent", no_text, "picture"
    ),
)


def english_form(speech: Speech) -> Form:
    """Return the ledger in English, with areas of the layers that the rule set names."""
    symbol = UNIT_NAMES[speech.area_unit][1]
    return Form(
        "en",
        "land-change clues: leads with reasons, never a verdict",
        (*_printed(speech), *_beside(), *_reasons(speech)),
        PICTURE_COLUMNS,
        "checked_on",
        _machine(speech),
        (),
        ("clues", "machine", "dictionary", "leads"),
        "Total",
        "&RPage &P of &N",
        ("column or code", "meaning"),
        "version of",
        (" (not complete, see the sheet dictionary)", "note"),
        {"verdict": VERDICT_CHOICES["en"], "rectified": YES_NO, "major": YES_NO},
        {
            "fill": ("Not among the choices", "Choose from the list."),
            "fill_area": ("Not an area", f"Write a number of 0 or more, in {symbol}."),
            "fill_day": ("Not a date", "Write a date such as 2025-10-31."),
        },
        SAME,
        lambda kind: str(kind.name_en),
    )


def _printed(speech: Speech) -> tuple[Column, ...]:
    unit, symbol = speech.area_unit, UNIT_NAMES[speech.area_unit][1]
    told = "of the machine, never a verdict; code and name of the deciding rule"
    told_area = "of the patch, on the ellipsoid; rows are rounded so that they add up to the total"
    areas = [_area(f"area_{unit}", "Area", told_area, "area_dm2", speech)]
    areas += [
        _area(name, speech.role(role).capitalize(), "taken by the patch", name, speech)
        for role, name in CONTROL_AREAS.items()
        if role in speech.roles
    ]
    return (
        Column("number", "No.", 5, "row of this sheet", lambda r: r.number, "whole"),
        Column(
            *("clue_no", "Clue", 18, "number of the clue, never used again"),
            lambda r: r.patch["clue_no"],
        ),
        Column("county_name", "Place", 13, "area, or latitude and longitude", _place),
        Column(
            *("change", "Change", 14, "type of change"),
            lambda r: change_type(r.patch["change_type"]).name_en,
        ),
        Column("epochs", "Before, after", 12, "last day of either image", _epochs),
        *areas,
        Column("suggestion", "Suggestion, rule", 18, told, partial(suggestion, speech=speech)),
        fill_in("verdict", "Finding", 11, f"{FILLED_IN}: what was found"),
        fill_in("illegal_mu", f"Unlawful ({symbol})", 10, FILLED_IN, "fill_area"),
        fill_in("rectified", "Put right", 7, f"{FILLED_IN}: yes, no"),
        fill_in("remarks", "Remarks", 14, FILLED_IN),
        fill_in("checked_by", "Checked by", 10, FILLED_IN),
        fill_in("checked_on", "Checked on", 11, FILLED_IN, "fill_day"),
    )


def _beside() -> tuple[Column, ...]:
    return (
        Column(
            *("priority", "Priority", 8, "the larger the sooner"),
            *(lambda r: int(r.patch["priority"]), "whole"),
        ),
        fill_in("project", "Project", 16, FILLED_IN),
        fill_in("holder", "Holder", 16, FILLED_IN),
        fill_in("major", "Major problem", 9, f"{FILLED_IN}: yes, no"),
    )


def _reasons(speech: Speech) -> tuple[Column, ...]:
    return (
        Column("reason", "Reason", 90, "parcel by parcel", partial(reason_text, speech=speech)),
        Column(
            *("questions", "To ask", 50, "in the files or on site"),
            lambda r: r.joined("questions_en"),
        ),
        Column(
            *("documents", "Documents", 44, "number (date), share of the parcel"),
            partial(document_texts, speech=speech),
        ),
        Column("patch_id", "Patch", 17, "number of the patch", lambda r: r.patch["patch_id"]),
    )


def _epochs(row: Row) -> str:
    return f"{day_text(row.patch['before_to'])}\n{day_text(row.patch['after_to'])}"


def _place(row: Row) -> str:
    return row.patch["county_name"] or f"{row.patch['lat']:.5f}, {row.patch['lon']:.5f}"


def _area(key: str, title: str, meaning: str, name: str, speech: Speech) -> Column:
    unit, symbol = speech.area_unit, UNIT_NAMES[speech.area_unit][1]

    def value(row: Row) -> Decimal:
        return row.area_as(unit, name)

    return Column(key, f"{title} ({symbol})", 12, meaning, value, "area")


IMAGES = "sensor and scene of the images that cover the clue, in the order of use"
IMAGE_COLUMNS = (
    Column("before_image", "Image before", 26, IMAGES, partial(images_text, date="before")),
    Column("after_image", "Image after", 26, IMAGES, partial(images_text, date="after")),
)


def _machine(speech: Speech) -> tuple[Column, ...]:
    return (
        Column("number", "No.", 6, SAME, lambda r: r.number, "whole"),
        Column("clue_no", "Clue", 19, SAME, lambda r: r.patch["clue_no"]),
        Column("patch_id", "Patch", 17, SAME, lambda r: r.patch["patch_id"]),
        Column("source_id", "Source", 14, "number in the delivery", lambda r: r.patch["source_id"]),
        Column(
            *("lon", "Longitude", 12, "centre"),
            *(lambda r: round(float(r.patch["lon"]), 6), "degree"),
        ),
        Column(
            *("lat", "Latitude", 12, "centre"),
            *(lambda r: round(float(r.patch["lat"]), 6), "degree"),
        ),
        Column("before", "Before", 11, "last day", lambda r: day_text(r.patch["before_to"])),
        Column("after", "After", 11, "last day", lambda r: day_text(r.patch["after_to"])),
        *IMAGE_COLUMNS,
        Column("imagery", "Credit", 26, "to be named wherever images are shown", credit_text),
        Column("area_m2", "Area (m²)", 14, "on the ellipsoid", _metres, "area"),
        Column(
            "change_type", "Change code", 16, "type of change", lambda r: r.patch["change_type"]
        ),
        Column(
            *(
                "former_class",
                "Former class",
                26,
                "that takes most of the patch: name, code, scheme",
            ),
            partial(class_text, language="en"),
        ),
        Column(
            *("confidence", "Confidence", 10, "0–100, −1: not known"),
            *(lambda r: int(r.patch["confidence"]), "whole"),
        ),
        *_measures(),
        *_answers(),
        Column("features", "Features", 30, "keys", lambda r: r.joined("documents", ", ")),
        Column("versions", "Versions", 40, "of rules, layers and fitted state", versions_text),
        *history_columns(speech),
    )


def _answers() -> tuple[Column, ...]:
    return (
        Column("outcome", "Outcome", 14, "code of the suggestion", lambda r: r.patch["outcome"]),
        Column(
            *("severity", "Severity", 22, SEVERITY_MEANING["en"]),
            partial(severity, language="en"),
        ),
        Column("rule", "Rule", 10, "that decided", lambda r: r.joined("rule", ", ")),
        Column("rules", "Rules", 16, "all that hold", lambda r: r.joined("rules", ", ")),
        Column(
            "flags",
            "Flags",
            14,
            "raised marks: codes of control lines and nearness, explained below",
            lambda r: r.joined("flags", ", "),
        ),
    )


def _metres(row: Row) -> Decimal:
    return metres2(row.patch["area_dm2"])


def _measures() -> tuple[Column, ...]:
    pixels = "after minus before, mean of the patch's pixels, at most 64 of them"
    return (
        Column(
            *("width_m", "Mean width (m)", 12, "of elongated patches"),
            *(measured("width_m"), "measure"),
        ),
        Column(
            "strength",
            "Strength",
            10,
            "of the strongest tenth of the pixels, in multiples of the threshold",
            measured("magnitude_p90", SCORE_UNIT),
            "measure",
        ),
        *(
            Column(f"{name}_change", title, 11, f"change of {name.upper()}: {pixels}", value, kind)
            for name, title, value, kind in (
                ("ndvi", "Vegetation", measured("ndvi_change"), "measure"),
                ("ndbi", "Built-up", measured("ndbi_change"), "measure"),
                ("ndwi", "Water", measured("ndwi_change"), "measure"),
            )
        ),
    )
