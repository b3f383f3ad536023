"""Every corpus: what it is, where it comes from, how to tell that it is the right one, and who reads it.

To add a corpus, add an entry here (with a reader in readers.py if its format is new) and its knobs under `corpora` in params.yaml.
"""

import importlib.util
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from lcm.corpora import readers
from lcm.corpora.download import RemoteFile, WrongContent, content_digest, obtain
from lcm.corpora.readers import Images, Texts
from lcm.errors import UserError
from lcm.files import new_folder, write_text
from lcm.params import Corpus


@dataclass(frozen=True)
class Entry:
    """title: for people. read: the reader. files: originals to download, or embed: makes them from what is installed.

    rows: (label, bytes) of every sample in the downloaded file, and digest: their content digest; a re-packed archive
    with the right content is good, a right-named one with wrong content is refused.
    """

    title: str
    read: Callable[[Path, Corpus], Texts | Images]
    files: tuple[RemoteFile, ...] = ()
    embed: Callable[[Path, Corpus], None] | None = None
    rows: Callable[[Path], object] | None = None
    digest: str | None = None


def embed_pydocs(folder: Path, knobs: Corpus) -> None:
    """Write the docstrings of the installed packages as documents.jsonl, and the packages' versions as versions.json."""
    from lcm.corpora.pydocs import read_docstrings

    texts, labels, versions = read_docstrings(knobs.per_label, knobs.min_words)
    rows = (json.dumps({"label": label, "text": text}, ensure_ascii=False) for text, label in zip(texts, labels, strict=True))
    write_text(folder / "documents.jsonl", "".join(row + "\n" for row in rows))
    write_text(folder / "versions.json", json.dumps(versions, sort_keys=True) + "\n")


def embed_digits(folder: Path, knobs: Corpus) -> None:
    """Copy scikit-learn's bundled digits."""
    package = importlib.util.find_spec("sklearn")
    if package is None:
        raise UserError("digits: scikit-learn is not installed; pip install -r requirements.txt")
    shutil.copyfile(Path(package.origin).parent / "datasets/data/digits.csv.gz", folder / "digits.csv.gz")


CATALOGUE = {
    "20ng": Entry(
        title="20 Newsgroups, bydate",
        read=readers.read_newsgroups,
        files=(
            RemoteFile(
                name="20news-bydate.tar.gz",
                urls=(
                    "https://ndownloader.figshare.com/files/5975967",
                    "https://people.csail.mit.edu/jrennie/20Newsgroups/20news-bydate.tar.gz",
                    "http://qwone.com/~jason/20Newsgroups/20news-bydate.tar.gz",
                ),
                checksum="sha256:8f1b2514ca22a5ade8fbb9cfa5727df95fa587f4c87b786e15c759fa66d95610",
            ),
        ),
        rows=lambda archive: ((group, content) for group, _, content in readers.newsgroup_posts(archive)),
        digest="sha256:10dd633c4aa6e307b3ea82018f0c49c6418892e3ae4dbe3bee70098e2985c926",
    ),
    "pydocs": Entry(title="Docstrings of our own dependencies", read=readers.read_jsonl, embed=embed_pydocs),
    "digits": Entry(title="scikit-learn's 8x8 digits", read=readers.read_digits, embed=embed_digits),
}


def entry(corpus: str) -> Entry:
    """The catalogue entry. Raises UserError for a name that has none."""
    if corpus not in CATALOGUE:
        raise UserError(f"corpus {corpus!r} is not in the catalogue (src/lcm/corpora/catalogue.py); known are {', '.join(sorted(CATALOGUE))}")
    return CATALOGUE[corpus]


def fetch(corpus: str, knobs: Corpus, folder: Path) -> list[str]:
    """Put the originals of a corpus into a folder, verified. Returns a line per file for people. Raises UserError."""
    item = entry(corpus)
    if item.embed:
        with new_folder(folder) as part:
            item.embed(part, knobs)
        return [f"{corpus}: made from the installed packages"]
    folder.mkdir(parents=True, exist_ok=True)
    return [f"{corpus}: {file.name} from {obtain(corpus, file, folder, _verifier(item))}" for file in item.files]


def _verifier(item: Entry) -> Callable[[Path], None] | None:
    if not item.digest:
        return None

    def verify(path: Path) -> None:
        found = content_digest(item.rows(path))
        if found != item.digest:
            raise WrongContent(f"content digest {found}, expected {item.digest}")

    return verify
