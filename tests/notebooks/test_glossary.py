"""The glossary: each of its words is met in the notebooks that it names."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LINES = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8").splitlines()
    if line.startswith("| ")
][2:]


def spellings(term: str) -> list[str]:
    """What may stand in a text for a term: "α (alpha)" is met where either is."""
    return [word.strip() for word in re.split(r"[(),`]", term) if word.strip()]


def is_met(word: str, text: str) -> bool:
    """Whether a word begins somewhere in a text; names in capitals are no part of other words."""
    if word == word.upper():
        return bool(re.search(rf"(?<!\w){re.escape(word)}(?!\w)", text))
    return bool(re.search(rf"(?<!\w){re.escape(word.lower())}", text.lower()))


def test_the_terms_are_in_order_and_have_a_meaning() -> None:
    terms = [term.lower().removeprefix("α (") for term, _, _ in LINES]
    assert terms == sorted(terms)
    assert all(meaning.endswith(".") for _, meaning, _ in LINES)


@pytest.mark.parametrize(("term", "where"), [(term, where) for term, _, where in LINES])
def test_a_term_is_met_where_it_says(term: str, where: str) -> None:
    for number in re.findall(r"\b\d\d\b", where):
        (source,) = (ROOT / "notebooks").glob(f"{number}_*.py")
        text = re.sub(r"\n# |\s+", " ", source.read_text(encoding="utf-8"))
        assert any(is_met(word, text) for word in spellings(term)), source.name
