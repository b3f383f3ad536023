"""The docstring corpus: its rules on a made-up site-packages, its promises on the packages really installed."""

import ast
import os
import re
import subprocess
import sys
import textwrap
from collections import Counter
from pathlib import Path

import pytest
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.model_selection import train_test_split
from sklearn.svm import LinearSVC

from lcm.corpora.pydocs import AREAS, DISTRIBUTIONS, PACKAGES, WORD, choose_docstrings, clean_docstring, read_docstrings
from lcm.errors import UserError

STATS = "scipy.stats"
NAMES = re.compile("networkx|numpy|pandas|scipy|scikit|sklearn|sympy|torch", re.IGNORECASE)
DOTTED = re.compile(r"[A-Za-z_]\w*\.[A-Za-z_]", re.ASCII)

NUMPYDOC = r'''
def fit(data):
    """Fit a curve to the measured data, as :func:`scipy.stats.norm.fit` does.

    .. versionadded:: 1.2
       Only in the newest release.

    The stats of SciPy are kept near 0.5, see https://scipy.org/x for more.

    Parameters
    ----------
    data : array of shape (n_samples,)
        The *measured* numbers `x`, read with ``np.load``.

    Returns
    -------
    curve : FittedCurve
        Smooth and :math:`\\alpha` free.

    .. math:: \\beta_hidden

    .. note:: Slow on long input.

    See Also
    --------
    neighbour : Something else.

    Examples
    --------
    Prose of the example.

    >>> import numpy as np
    """
'''

GOOGLE = '''
class Layer:
    """A layer that multiplies every channel by one learned scale.

    >>> Layer(3)
    printed

    from torch import nn

    Args:
        scale (float): where it starts

    Example::

        layer = code

    The rest is used as is::

        more = code
    """

    @property
    def width(self):
        """How many channels the layer was told to expect when it was built."""
'''


def docstring(source: str) -> str:
    return ast.get_docstring(ast.parse(source).body[0]) or ""


def function(name: str, doc: str) -> str:
    return f'def {name}():\n    """{doc}"""\n\n'


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """Packages that must not be imported: all areas exist, each with one document of its own."""
    for package in PACKAGES:
        name = DISTRIBUTIONS.get(package, package)
        info = tmp_path / f"{name.replace('-', '_')}-1.2.3.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.2.3\n")
    for number, area in enumerate(AREAS):
        folder = tmp_path.joinpath(*area.split("."))
        folder.mkdir(parents=True)
        for init in (folder, tmp_path / area.split(".")[0]):
            (init / "__init__.py").write_text("raise RuntimeError('imported')\n")
        write(tmp_path, area, "own.py", function("own", f"{chr(97 + number)} stands here as the only document"))
    return tmp_path


def write(site: Path, area: str, name: str, source: str) -> None:
    path = site.joinpath(*area.split("."), name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(source, encoding="utf-8")


def texts_of(site: Path, area: str, per_label: int = 100, min_words: int = 3) -> list[str]:
    return [text for label, text in chosen(site, per_label, min_words) if label == area]


def chosen(site: Path | None, per_label: int, min_words: int) -> list[tuple[str, str]]:
    return choose_docstrings(read_docstrings(site)[0], per_label, min_words)


def test_numpydoc_is_reduced_to_its_prose():
    assert clean_docstring(docstring(NUMPYDOC)) == (
        "Fit a curve to the measured data, as does. The of are kept near 0.5, see for more. "
        "data : array of shape ( ,) The measured numbers x , read with . curve : Smooth and free. Slow on long input."
    )


def test_google_style_is_reduced_to_its_prose():
    assert clean_docstring(docstring(GOOGLE)) == (
        "A layer that multiplies every channel by one learned scale. "
        "scale (float): where it starts The rest is used as is::"
    )


@pytest.mark.parametrize(
    "doc, text",
    [
        ("Uses PyTorch, scikit-learn and torch_geometric.", "Uses , and ."),
        ("See :class:`~pandas.core.arrays.Sparse` or `guide <user.guide>`.", "See or guide ."),
        (":param x: how far\n:return: the signal found", "how far the found"),
        ("Signals are not the word signal, nor IO.", "Signals are not the word , nor ."),
        ("Raises\nValueError\n\nNotes:\n    kept", "Raises kept"),
        ("Title\n=====\nkept\n\nReferences\n----------\n.. [1] Author, A.", "kept"),
        ("A $\\frac{1}{2}$ chance [1]_ of \ud800 rain.", "A chance of rain."),
        ("from here on\nfrom here import this\nimport os, sys", "from here on"),
    ],
)
def test_cleaning_rules(doc: str, text: str):
    assert clean_docstring(doc) == text


def test_all_kinds_of_definitions_are_read_and_no_tests(site: Path):
    write(site, STATS, "layer.py", f"if True:\n{textwrap.indent(GOOGLE, '    ')}")
    write(site, STATS, "deep/more.py", "async def f():\n    'A coroutine with a docstring of its own'\n")
    write(site, STATS, "broken.py", function("f", "Never read since the file is broken") + "def (:\n")
    write(site, STATS, "null.py", function("f", "Never read since the file is broken") + "\0")
    write(site, STATS, "newer.py", function("f", "Never read by the oldest Python") + "type X = int\n")
    for name in ("tests/a.py", "deep/test/a.py", "conftest.py", "setup.py", "externals/a.py", "_lib/compat/a.py"):
        write(site, STATS, name, function("f", "Must not be read because it is a test"))
    found = texts_of(site, STATS)
    assert len(found) == 4
    assert not [text for text in found if text.startswith(("Must not", "Never"))]
    assert "How many channels the layer was told to expect when it was built." in found
    assert "A coroutine with a docstring of its own" in found


def test_equal_documents_count_once_and_never_under_two_labels(site: Path):
    write(site, STATS, "a.py", function("f", "Counts ONCE, in any case.") + function("g", "Counts once in any case"))
    shared = "Stands under two labels and is therefore ambiguous"
    for area in (STATS, "torch.nn"):
        write(site, area, "shared.py", function("f", shared))
    head = "These twelve words begin both of the documents that are so alike"
    write(site, STATS, "b.py", function("f", f"{head} here") + function("g", f"{head} there"))
    texts = [text for _, text in chosen(site, 100, 3)]
    assert sum(text.lower().startswith("counts once") for text in texts) == 1
    assert shared not in texts
    assert sum(text.startswith(head) for text in texts) == 1


def test_cap_and_min_words(site: Path):
    documents = [f"{word} starts this document" for word in "alpha beta gamma delta epsilon zeta".split()]
    write(site, STATS, "a.py", "".join(function(f"f{i}", doc) for i, doc in enumerate(documents)))
    write(site, STATS, "b.py", function("f", "too 1 short"))
    everything = texts_of(site, STATS)
    assert set(documents) < set(everything) and "too 1 short" not in everything
    assert texts_of(site, STATS, per_label=2) == everything[:2]
    assert "too 1 short" in texts_of(site, STATS, min_words=2)
    assert len(texts_of(site, STATS, min_words=5)) == 1  # the longer one that every area has


def test_order_and_versions(site: Path):
    documents, versions = read_docstrings(site)
    assert (
        [label for label, _ in choose_docstrings(documents, 100, 3)]
        == sorted(AREAS)
        == sorted(label for label, _ in documents)
    )
    assert versions == {DISTRIBUTIONS.get(package, package): "1.2.3" for package in PACKAGES}


def test_same_bytes_under_any_hash_seed_and_nothing_is_imported(site: Path):
    write(site, STATS, "a.py", NUMPYDOC + GOOGLE)
    code = (
        "import sys; from pathlib import Path; from lcm.corpora.pydocs import PACKAGES, read_docstrings;"
        "print(read_docstrings(Path(sys.argv[1])));"
        "read_docstrings() if sys.argv[2:] else None;"
        "sys.exit(not sys.modules.keys().isdisjoint(PACKAGES))"
    )
    source = Path(__file__).parents[1] / "src"

    def run(seed: str, *path: str) -> str:
        paths = os.pathsep.join([*path, str(source)])
        env = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": paths}
        # With the made-up packages first on the path, an import of one of them would raise.
        arguments = [sys.executable, "-c", code, str(site), *path]
        return subprocess.run(arguments, env=env, check=True, capture_output=True, text=True).stdout

    assert run("1") == run("2", str(site))


def test_missing_package_area_or_metadata_is_a_user_error(site: Path, monkeypatch: pytest.MonkeyPatch):
    (site / "scikit_learn-1.2.3.dist-info" / "METADATA").unlink()
    (site / "scikit_learn-1.2.3.dist-info").rmdir()
    with pytest.raises(UserError, match=r"'scikit-learn' has no metadata .*pip install -r requirements.txt"):
        read_docstrings(site)
    (site / "torch" / "fx").rename(site / "torch" / "renamed")
    with pytest.raises(UserError, match=r"no folder .*fx.*pip install -r requirements.txt"):
        read_docstrings(site)
    (site / "sympy" / "__init__.py").unlink()
    with pytest.raises(UserError, match=r"'sympy' is not installed in .*: pip install -r requirements.txt"):
        read_docstrings(site)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"^package 'networkx' is not installed: pip install -r requirements.txt$"):
        read_docstrings()


def test_the_installed_packages_make_a_corpus_worth_learning():
    documents, versions = read_docstrings()
    labels, texts = zip(*choose_docstrings(documents, 200, 20), strict=True)
    counts = Counter(labels)
    assert set(counts) == set(AREAS) and len(AREAS) == 20 and list(AREAS) == sorted(AREAS)
    assert len({area.split(".")[0] for area in AREAS}) >= 5
    assert min(counts.values()) >= 100 and max(counts.values()) == 200
    assert len(versions) == len(PACKAGES)
    assert not [text for text in texts if NAMES.search(text) or DOTTED.search(text) or ">>>" in text]
    words = [" ".join(WORD.findall(text.lower())) for text in texts]
    assert len(set(words)) == len(words)
    assert min(len(text.split()) for text in words) >= 20
    train, test, train_labels, test_labels = train_test_split(
        words, labels, train_size=0.6, random_state=0, stratify=labels
    )
    vectors = TfidfVectorizer(token_pattern=r"[a-z]+", sublinear_tf=True)
    model = LinearSVC().fit(vectors.fit_transform(train), train_labels)
    assert 0.75 < model.score(vectors.transform(test), test_labels) < 0.92
