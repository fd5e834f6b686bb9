"""The paper card of a field package asks what the ledger asks back, in its words."""

from dataclasses import replace
from pathlib import Path

import pdfplumber
import pytest

from clues.outputs.drawing import A4, Box, outside, overlapping
from clues.outputs.fieldbook import write_book
from clues.outputs.fieldlayers import card_rows
from clues.outputs.ledger import form_of
from configs.speech import Speech

ON_SCREEN = ("illegal_use", "major", "remarks")


@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_paper_card_asks_what_the_ledger_asks_back(tables, tmp_path: Path, language):
    title = replace(tables.title, speech=Speech(language=language))
    told = replace(tables, title=title, coverage=tables.coverage.assign(valid_to=None))
    rows = card_rows(told, list(told.clues["clue_no"]), {}, language)
    pages = write_book(tmp_path / "book.pdf", told, rows, [], language, None)
    with pdfplumber.open(tmp_path / "book.pdf") as book:
        text = "".join(book.pages[2].extract_text().split())
    form = form_of(told)
    for column in form.columns:
        if column.is_filled and column.key not in ON_SCREEN:
            words = (column.title, *form.choices.get(column.key, ()))
            assert all("".join(word.split()) in text for word in words), column.key
    assert ("签名" if language == "zh" else "Signature") in text
    for boxes in pages:
        texts = [box for box in boxes if box.ink is not None]
        assert (overlapping(texts), outside(texts, Box("page", 0, 0, *A4))) == ([], [])
