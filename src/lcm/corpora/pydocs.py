"""English corpus that every installation carries: the docstrings of our own dependencies, labelled by library area.

The sources are parsed, never imported. Which documents are kept, and their order, follow from the texts alone (rules
and SHA-256 digests), so the same package versions give the same bytes on every machine and Python version.
"""

import ast
import hashlib
import re
import warnings
from collections import defaultdict
from collections.abc import Iterable, Iterator
from importlib import metadata, util
from pathlib import Path

from lcm.errors import UserError

# Folders of packages. The group of a label, its part before the first dot, is what it is hard to tell apart from.
AREAS: tuple[str, ...] = tuple(
    """
    networkx.algorithms networkx.generators
    pandas.core.arrays pandas.core.indexes pandas.io
    scipy.optimize scipy.signal scipy.sparse scipy.stats
    sklearn.ensemble sklearn.linear_model sklearn.metrics
    sympy.combinatorics sympy.physics sympy.polys sympy.solvers
    torch.ao torch.distributed.fsdp torch.fx torch.nn
    """.split()
)
DISTRIBUTIONS = {"sklearn": "scikit-learn"}  # where the name on PyPI is not the package's
OLDEST_PYTHON = (3, 11)  # newer syntax is refused everywhere, or the texts would depend on who reads them
HEAD_WORDS = 12  # documents that begin with the same words are variants of one (inherited methods, templates)

# Tests and third-party code that a package carries along are not documentation of the area.
SKIPPED_FOLDERS = set("test tests testing _testing benchmarks _lib _vendor extern externals third_party".split())
SKIPPED_FILES = {"conftest.py", "setup.py"}
WORD = re.compile(r"[A-Za-z]+")

# Line rules. Sections and directives whose bodies are code, names or bibliography go as a whole; of the others only
# the heading goes, since numpydoc ("Parameters", underlined) and Google style ("Args:") would tell the library.
DROPPED_SECTION = re.compile(r"(?:for )?examples?\b|usage|see also|references?\b|doctests?\b", re.IGNORECASE)
UNDERLINE = re.compile(r"([-=~^\"])\1{2,}")
GOOGLE_HEADING = re.compile(r"[A-Z][a-z]+(?: [A-Za-z]+)? ?::?")
PROSE_DIRECTIVE = re.compile(r"\.\. (?:note|warning|caution|important|tip|hint|attention|admonition) ?::(.*)")
IMPORT = re.compile(r"import [\w., ]+|from [\w.]+ import .*", re.ASCII)

PACKAGES = sorted({area.split(".")[0] for area in AREAS})
OWN_WORDS = sorted({area.split(".")[-1] for area in AREAS})
# Text rules, applied in this order; each match becomes a space.
DROPPED_TEXT = tuple(
    re.compile(pattern, re.ASCII)
    for pattern in (
        r":math:`[^`]*`|\$[^$]*\$",  # LaTeX is no natural language
        r"https?://\S+|www\.\S+",
        r":[\w:+-]+:(?=`)",  # Sphinx roles (:class:`x`)
        r":(?:param|type|arg|keyword|return|rtype|raise|i?var)\w*(?: [\w*]+)*:",  # Sphinx fields (:param x:)
        r"<[\w.]+>(?=`)|\[[\w.-]+\]_",  # link targets, citations
        r"[`*|~\\]+",  # markup that could hide a dotted name
        r"\.?\b(?=\d*[A-Za-z_])\w+(?:\.\w+)+",  # dotted names (scipy.stats.norm, np.array), but not numbers (0.5)
        r"\b[A-Za-z0-9]*?(?:_|[a-z](?=[A-Z]))\w*",  # other names from code: n_samples, DatetimeIndex
        r"(?i)read more in\s+the\s+user\s+guide",  # ends the summary of scikit-learn's public functions
        rf"(?i)(?:py)?(?:{'|'.join(PACKAGES)}|numpy|scikit(?:.learn)?)[A-Za-z]*",  # also inside words: PyTorch
        rf"(?i)(?<![A-Za-z])(?:{'|'.join(OWN_WORDS)}|np|nx|pd|plt)(?![A-Za-z])",  # areas' own words, usual aliases
    )
)


Document = tuple[str, str]  # label, text


def read_docstrings(site: Path | None = None) -> tuple[list[Document], dict[str, str]]:
    """Return all documents, (label, text) sorted, and the versions of the packages that they come from.

    site: the folder that holds the packages; None: wherever Python finds them.
    Raises UserError if a package or one of the areas is not installed.
    """
    packages = {name: _package_folder(name, site) for name in PACKAGES}
    found = set()
    for area in AREAS:
        package, *folders = area.split(".")
        found |= {(area, clean_docstring(doc)) for doc in set(_docstrings_under(packages[package].joinpath(*folders)))}
    versions = {DISTRIBUTIONS.get(name, name): _version(name, folder) for name, folder in packages.items()}
    return sorted((label, text) for label, text in found if text), versions


def choose_docstrings(documents: Iterable[Document], per_label: int | None, min_words: int) -> list[Document]:
    """Return the documents that take part, ordered by label (as in AREAS) and digest.

    per_label: so many of each label at the most, None: all. min_words: of a document, in runs of letters.
    """
    by_label = defaultdict(list)
    for label, text in _without_variants(
        {(label, text) for label, text in documents if len(WORD.findall(text)) >= min_words}
    ):
        by_label[label].append(text)
    return [(label, text) for label in AREAS for text in sorted(by_label[label], key=_digest)[:per_label]]


def clean_docstring(doc: str) -> str:
    """The prose of one docstring on one line, without code, markup, and what names its package or area."""
    text = " ".join(_prose_lines(doc))
    for pattern in DROPPED_TEXT:
        text = pattern.sub(" ", text)
    return " ".join(text.encode("utf-8", "ignore").decode().split())  # lone surrogates cannot be written


def _prose_lines(doc: str) -> Iterator[str]:
    """The lines of prose: no headings, no dropped sections, no code blocks, no doctests, no imports."""
    lines = [*doc.split("\n"), ""]
    in_dropped_section = in_doctest = False
    block_indent = None  # of the line that opened a dropped block: the block is all that is indented deeper
    for line, following in zip(lines, lines[1:], strict=False):
        text, indent = line.strip(), len(line) - len(line.lstrip())
        if not text:
            in_doctest = False
            continue
        if block_indent is not None and indent > block_indent:
            continue
        block_indent = None
        if UNDERLINE.fullmatch(following.strip()):
            in_dropped_section = DROPPED_SECTION.match(text) is not None
            continue
        in_doctest = in_doctest or text.startswith((">>>", "..."))
        if in_dropped_section or in_doctest or UNDERLINE.fullmatch(text) or IMPORT.fullmatch(text):
            continue
        if GOOGLE_HEADING.fullmatch(text):
            block_indent = indent if DROPPED_SECTION.match(text) else None
        elif directive := PROSE_DIRECTIVE.match(text):
            yield directive[1]
        elif text.startswith(".. "):  # math, code, versionadded, link targets, footnotes
            block_indent = indent
        else:
            block_indent = indent if text.endswith("::") else None
            yield text


def _package_folder(name: str, site: Path | None) -> Path:
    """The package's folder, found without importing it."""
    spec = None if site else util.find_spec(name)
    init = site / name / "__init__.py" if site else Path((spec and spec.origin) or "")
    if init.name != "__init__.py" or not init.is_file():
        where = f" in {site}" if site else ""
        raise UserError(f"package {name!r} is not installed{where}: pip install -r requirements.txt")
    return init.parent


def _version(name: str, folder: Path) -> str:
    """The version of the installation that `folder` belongs to."""
    distribution = DISTRIBUTIONS.get(name, name)
    for found in metadata.distributions(name=distribution, path=[str(folder.parent)]):
        return found.version
    raise UserError(f"package {distribution!r} has no metadata in {folder.parent}: pip install -r requirements.txt")


def _docstrings_under(folder: Path) -> Iterator[str]:
    """The docstrings of all classes, functions, methods and properties in the folder's sources."""
    if not folder.is_dir():
        raise UserError(f"no folder {folder}: this version is not the expected one: pip install -r requirements.txt")
    for path in sorted(folder.rglob("*.py")):
        if SKIPPED_FOLDERS.isdisjoint(path.relative_to(folder).parts) and path.name not in SKIPPED_FILES:
            yield from _docstrings_in(path.read_bytes())


def _docstrings_in(source: bytes) -> Iterator[str]:
    with warnings.catch_warnings(action="ignore"):  # invalid escapes warn differently in each Python version
        try:
            pending = list(ast.parse(source, feature_version=OLDEST_PYTHON).body)
        except (SyntaxError, ValueError):
            return
    while pending:
        node = pending.pop()
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and (doc := ast.get_docstring(node)):
            yield doc
        pending += getattr(node, "body", [])  # definitions also sit under `if` and `try`


def _without_variants(documents: set[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """One document of all that begin alike (equal ones included); none if those bear several labels: it is unclear."""
    alike = defaultdict(list)
    for label, text in documents:
        alike[tuple(WORD.findall(text.lower())[:HEAD_WORDS])].append((label, text))
    for group in alike.values():
        if len({label for label, _ in group}) == 1:
            yield min(group, key=lambda document: _digest(document[1]))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
