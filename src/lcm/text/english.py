"""English tokens: lower-case runs of letters, as in the files the authors used, or of letters and digits."""

import re

PATTERNS = {"letters": re.compile(r"[a-z]+"), "words": re.compile(r"[^\W_]+")}


def tokenise(text: str, tokens: str = "letters") -> list[str]:
    """The tokens of a text. tokens: `letters` (a to z only) or `words` (letters of any script, and digits)."""
    return PATTERNS[tokens].findall(text.lower())
