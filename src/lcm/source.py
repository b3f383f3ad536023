"""Digests of source files that change with the code, but not with comments, docstrings or layout."""

import ast
import hashlib
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

ROOT = Path(__file__).parent  # src/lcm


def digest(names: Iterable[str]) -> str:
    """Return a digest, 16 hex digits, of the named files below src/lcm in this order, without comments and prose.

    Raises FileNotFoundError for a name that is misspelt.
    """
    found = hashlib.sha256()
    for name in names:
        found.update(f"{name}\n{_without_prose((ROOT / name).read_text(encoding='utf-8'))}\n".encode())
    return found.hexdigest()[:16]


@lru_cache
def _without_prose(source: str) -> str:
    tree = ast.parse(source)
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if (
            isinstance(body, list)
            and body
            and isinstance(body[0], ast.Expr)
            and isinstance(body[0].value, ast.Constant)
        ):
            node.body = body[1:] or [ast.Pass()]
    return ast.unparse(tree)
