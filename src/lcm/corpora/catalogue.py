"""Every corpus: its title, where its files are, how they are verified, and which function reads them.

To add a corpus, add an entry to CATALOGUE (with a reader in readers.py if its format is new). In params.yaml add its
name to `originals` and its knobs to `corpora`. docs/extending.md has an example.
"""

import importlib.util
import json
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from lcm.corpora import readers
from lcm.corpora.download import RemoteFile, content_digest, obtain
from lcm.corpora.texts import Images, Texts
from lcm.errors import Unavailable, UserError, WrongContent, short
from lcm.files import new_folder, write_text
from lcm.params import Corpus

# Knobs that every corpus has; an entry names the others.
IMAGE_KNOBS = ("path", "labels", "per_label", "subset", "subset_seed", "stratified")
TEXT_KNOBS = (*IMAGE_KNOBS, "tokens", "empty")
RAW = Path("data/raw")


@dataclass(frozen=True, kw_only=True)
class Original:
    """What is fetched into data/raw/<name>.

    files: to download. embed: a function that writes them to a folder, from the installed packages. verify: a function
    that reads a file and raises WrongContent if its content is wrong. With `verify` a re-packed archive is accepted if
    its content is right; without it the publisher's checksums must match. mirror: the folder in LCM_MIRRORS, by default
    the name.
    """

    files: tuple[RemoteFile, ...] = ()
    embed: Callable[[Path], None] | None = None
    verify: Callable[[Path], None] | None = None
    mirror: str | None = None


@dataclass(frozen=True, kw_only=True)
class Entry(Original):
    """A corpus.

    title: for people. read: the reader. language: of the texts, None for images. knobs: keys of params.yaml that only
    this corpus has.
    """

    title: str
    read: Callable[[Path, Corpus], Texts | Images]
    language: str | None = "en"
    knobs: tuple[str, ...] = ()

    @property
    def own(self) -> bool:
        """Whether it is a user's own table, which nobody fetches."""
        return not (self.files or self.embed)


def same_content(rows: Callable[[Path], Iterable[tuple[str, str, bytes]]], digest: str) -> Callable[[Path], None]:
    """Return a `verify` that compares the content digest of rows(path): (label, name, bytes) of every sample."""

    def verify(path: Path) -> None:
        found = content_digest((label, content) for label, _, content in rows(path))
        if found != digest:
            raise WrongContent(f"content digest {found}, expected {digest}")

    return verify


def embed_pydocs(folder: Path) -> None:
    """Write the docstrings of the installed packages as documents.jsonl, and their versions as versions.json."""
    from lcm.corpora.pydocs import read_docstrings

    documents, versions = read_docstrings()
    rows = (json.dumps({"label": label, "text": text}, ensure_ascii=False) for label, text in documents)
    write_text(folder / "documents.jsonl", "".join(row + "\n" for row in rows))
    write_text(folder / "versions.json", json.dumps(versions, sort_keys=True) + "\n")


def embed_digits(folder: Path) -> None:
    """Copy scikit-learn's bundled digits."""
    package = importlib.util.find_spec("sklearn")
    shutil.copyfile(Path(package.origin).parent / "datasets/data/digits.csv.gz", folder / "digits.csv.gz")


def _files(urls: tuple[str, ...], checksums: dict[str, str]) -> tuple[RemoteFile, ...]:
    """Files of these names, with their checksums, that lie below each of these addresses."""
    return tuple(RemoteFile(name, tuple(url + name for url in urls), checksum) for name, checksum in checksums.items())


def _mirror_only(name: str, sha256: str) -> tuple[RemoteFile, ...]:
    """A file without a public address: only LCM_MIRRORS can supply it."""
    return (RemoteFile(name, (), f"sha256:{sha256}"),)


GITHUB = "https://raw.githubusercontent.com/"
TITLES = GITHUB + "649453932/Chinese-Text-Classification-Pytorch/"

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
        verify=same_content(
            readers.newsgroup_posts, "sha256:10dd633c4aa6e307b3ea82018f0c49c6418892e3ae4dbe3bee70098e2985c926"
        ),
        knobs=("text_form",),
    ),
    "ag_news": Entry(
        title="AG's News",
        read=partial(readers.read_table, table=readers.AG_NEWS, names=("train.csv", "test.csv")),
        files=_files(
            (GITHUB + "mhjabreel/CharCnn_Keras/master/data/ag_news_csv/",),
            {
                "train.csv": "md5:b1a00f826fdfbd249f79597b59e1dc12",
                "test.csv": "md5:d52ea96a97a2d943681189a97654912d",
            },
        ),
        knobs=("use_title",),
    ),
    "dbpedia": Entry(
        title="DBPedia",
        read=readers.read_dbpedia,
        files=(
            RemoteFile(
                name="dbpedia_csv.tar.gz",
                urls=(
                    "https://drive.google.com/uc?export=download&id=0Bz8a_Dbh9QhbQ2Vic1kxMmZZQ1k",
                    "https://s3.amazonaws.com/fast-ai-nlp/dbpedia_csv.tgz",  # another archive of the same csv files
                ),
                checksum="md5:dca7b1ae12b1091090db52aa7ec5ca64",
            ),
        ),
        verify=readers.verify_dbpedia,
        knobs=("use_title",),
    ),
    "fdcnews": Entry(
        title="FDCNews (Fudan corpus, the half of 9833 documents)",
        read=readers.read_fudan,
        files=(
            RemoteFile(
                name="fdcnews-9833-gbk.tar.xz",
                # An archive of the whole repository; the content digest is of its folder test_corpus/answer.
                urls=(
                    "https://codeload.github.com/ubaops/text_classify/tar.gz/73fe92d286c80146ffbd9746e289084986b75b40",
                ),
                most=5 * 10**8,
            ),
        ),
        verify=same_content(
            readers.fudan_documents, "sha256:0530913b9b90537ed8510c4b5e8527168ee25ef4a1ac99ab4c95ee0f4a1da9a7"
        ),
        language="zh",
    ),
    "thucnews": Entry(
        title="THUCNews",
        read=readers.read_thucnews,
        files=(
            RemoteFile(
                name="THUCNews.zip",
                urls=(
                    "https://thunlp.oss-cn-qingdao.aliyuncs.com/THUCNews.zip",
                    "http://thuctc.thunlp.org/source/THUCNews.zip",
                ),
                most=2 * 10**9,
            ),
        ),
        verify=readers.verify_thucnews,
        language="zh",
    ),
    "mnist": Entry(
        title="MNIST",
        read=readers.read_idx,
        files=_files(
            ("https://ossci-datasets.s3.amazonaws.com/mnist/", "http://yann.lecun.com/exdb/mnist/"),
            {
                "train-images-idx3-ubyte.gz": "md5:f68b3c2dcbeaaa9fbdd348bbdeb94873",
                "train-labels-idx1-ubyte.gz": "md5:d53e105ee54ea40749a09fcbcd1e9432",
                "t10k-images-idx3-ubyte.gz": "md5:9fb629c4189551a2d022fa330f9573f3",
                "t10k-labels-idx1-ubyte.gz": "md5:ec29112dd5afa0611ce80d1b7f02629c",
            },
        ),
        language=None,
    ),
    "fashion_mnist": Entry(
        title="Fashion-MNIST",
        read=partial(readers.read_idx, names=readers.FASHION_LABELS),
        files=_files(
            (
                "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
                "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/",
            ),
            {
                "train-images-idx3-ubyte.gz": "md5:8d4fb7e6c68d591d4c3dfef9ec88bf0d",
                "train-labels-idx1-ubyte.gz": "md5:25c81989df183df01b3e8a0aad5dffbe",
                "t10k-images-idx3-ubyte.gz": "md5:bef4ecab320f06d8554ea6380940ec79",
                "t10k-labels-idx1-ubyte.gz": "md5:bb300cfdad3c16e7a12a480ee83cd310",
            },
        ),
        language=None,
    ),
    # Partial or altered editions: real data, but not what the paper used, so under names of their own.
    "ag_news_tokens": Entry(
        title="AG's News, PARTIAL: the training set as lower-case tokens, some of them lost",
        read=partial(readers.read_table, table=readers.AG_NEWS_TOKENS, names=("train_recovered_tokens.csv.gz",)),
        files=_mirror_only(
            "train_recovered_tokens.csv.gz", "4ac680a8e1b5bae2b9c12e0b8627b17fea24fc6ca17baccb00b7bc8b1f33ef4f"
        ),
        mirror="ag_news",
    ),
    "ag_news_original_case": Entry(
        title="AG's News, PARTIAL: a part of the training set as published",
        read=partial(
            readers.read_table, table=readers.AG_NEWS_ORIGINAL_CASE, names=("train_original_case_subset.csv",)
        ),
        files=_mirror_only(
            "train_original_case_subset.csv", "028c9f31e57eb98310f7a649a4f1e1860789042a3a30704b22c95863bc92ec39"
        ),
        mirror="ag_news",
        knobs=("sources",),
    ),
    "dbpedia_fragment": Entry(
        title="DBPedia, PARTIAL: a part of it, from several sources, some of them altered",
        read=partial(readers.read_table, table=readers.DBPEDIA_FRAGMENT, names=("dbpedia_subset_combined.csv.gz",)),
        files=_mirror_only(
            "dbpedia_subset_combined.csv.gz", "eadfe2e0fd7907a462e271f01a442b32117389a047927eb13914702f3df0b0c1"
        ),
        mirror="dbpedia",
        knobs=("use_title", "sources"),
    ),
    "thucnews_titles": Entry(
        title="THUCNews, PARTIAL: headlines of 10 classes",
        read=partial(readers.read_table, table=readers.THUCNEWS_TITLES, names=("train.txt", "dev.txt", "test.txt")),
        files=(
            *_files(
                (GITHUB + "zjuneverknow/cuhk_ai_project_3/b5f51e20178bb8840f71a7fbb6c16eec87aa6ead/THUCNews/data/",),
                {"train.txt": "sha256:6cb2d0a2c25c06ca51bc526cfa0a451fed2ee0382dce0b3ae5e322555eef0aa8"},
            ),
            *_files(
                (TITLES + "109e2aac8ada85096f839f6e5619a2f0a1774eb4/THUCNews/data/",),
                {"dev.txt": "sha256:6ed73aa2c57ee1560c8f76570d48735c4b1c29ae4983fe3523d56e115813e175"},
            ),
            *_files(
                (TITLES + "e20553525b3132121562f7787e18db310c2e5b93/THUCNews/data/",),
                {"test.txt": "sha256:ebecc8c896635ad69730083ca7b81d37c42c9a5779bc05c9d2479d894e34f026"},
            ),
        ),
        language="zh",
        knobs=("bad_rows",),
    ),
    "noisy_ag_news": Entry(
        title="NoisyAG-News, the part whose wrong labels are published beside the true ones",
        read=readers.read_noisy_ag_news,
        files=_files(
            (GITHUB + "hhf-hd/NoisyAG-News/94f5e5b24d49a64c0128caf90247869f991bd7c0/dataset/",),
            {
                "samples10000valMed.csv": "sha256:b8d073074344b16bcf53357ba236bc832abe125fe4ce9dea4e5a72371f6265f7",
                "samplesTest.csv": "sha256:24dde5bb65bdb9136d26010ae4fdc98070bed5a8ae41497978b3ffb406de4a32",
            },
        ),
    ),
    # What every installation carries.
    "pydocs": Entry(
        title="Docstrings of our own dependencies", read=readers.read_pydocs, embed=embed_pydocs, knobs=("min_words",)
    ),
    "digits": Entry(title="scikit-learn's 8x8 digits", read=readers.read_digits, embed=embed_digits, language=None),
}


# Not corpora, but what word vectors are taken from or trained on.
WORD_SOURCES = {
    "glove": Original(
        files=(
            RemoteFile(
                name="glove.6B.zip",
                urls=(
                    "https://nlp.stanford.edu/data/glove.6B.zip",
                    "https://huggingface.co/stanfordnlp/glove/resolve/main/glove.6B.zip",
                ),
                checksum="sha256:617afb2fe6cbd085c235baf7a465b96f4112bd7f7ccb2b2cbd649fed9cbcf2fb",
                most=10**9,
            ),
        ),
        verify=readers.verify_glove,
    ),
    "zhwiki": Original(
        files=(
            RemoteFile(
                # dumps.wikimedia.org keeps the last few months only.
                name="zhwiki-20220301-pages-articles-multistream.xml.bz2",
                urls=(
                    "https://archive.org/download/zhwiki-20220301/zhwiki-20220301-pages-articles-multistream.xml.bz2",
                ),
                most=5 * 10**9,
            ),
        ),
        verify=readers.verify_wikipedia,
    ),
}


def raw_path(corpus: str, knobs: Corpus) -> Path:
    """Return what a corpus is read from: the folder of its originals, or a user's own table."""
    return Path(knobs.path or RAW / corpus)


def entry(corpus: str, knobs: Corpus) -> Entry:
    """Return the catalogue's entry for a corpus that is read from data/raw/<name>, or one made for a user's own table.

    Raises UserError for a name that has none, for own data under a name of the catalogue, and for knobs without effect.
    """
    path = raw_path(corpus, knobs)
    if path.parent != RAW:
        item = _own(corpus, knobs, path)
    elif path.name in CATALOGUE:
        item = CATALOGUE[path.name]
    else:
        raise UserError(
            f"params.yaml: corpora.{corpus}.path: {path.name!r} is not in the catalogue, which has "
            f"{', '.join(CATALOGUE)}; for a table of your own, name its file"
        )
    allowed = (*(TEXT_KNOBS if item.language else IMAGE_KNOBS), *item.knobs)
    useless = sorted(knobs.model_fields_set - {*allowed})
    if useless:
        raise UserError(
            f"params.yaml: corpora.{corpus}.{useless[0]} is not an option of this corpus; remove it. Its options: "
            f"{', '.join(allowed)}"
        )
    if corpus in CATALOGUE and item is not CATALOGUE[corpus]:
        raise UserError(
            f"params.yaml: corpora.{corpus}.path: {corpus} is a corpus of the catalogue, in {RAW / corpus}; give yours "
            "another name"
        )
    return item


def _own(corpus: str, knobs: Corpus, path: Path) -> Entry:
    for key in ("text", "label", "language"):
        if getattr(knobs, key) is None:
            raise UserError(
                f"params.yaml: corpora.{corpus}.{key} is missing; your own data needs path, text (columns), label "
                "(column) and language (en, zh)"
            )
    columns = [*(knobs.text if isinstance(knobs.text, list) else [knobs.text]), knobs.label]
    if len({type(column) for column in columns}) > 1:
        raise UserError(
            f"params.yaml: corpora.{corpus}: text and label are {columns}, expected only names, or only numbers (no "
            "header)"
        )
    return Entry(
        title=f"Own data, {path.name}",
        read=readers.read_own,
        language=knobs.language,
        knobs=("parts", "encoding", "text", "label", "language", "bad_rows"),
    )


def original(name: str) -> Original:
    """Return the catalogue's entry for what is fetched into data/raw/<name>. Raises UserError if it has none."""
    item = CATALOGUE.get(name) or WORD_SOURCES.get(name)
    if item is None:
        known = ", ".join([*CATALOGUE, *WORD_SOURCES])
        raise UserError(f"params.yaml: originals: {short(name)} is not in the catalogue, which has {known}")
    return item


def fetch(name: str, folder: Path) -> list[str]:
    """Put the originals `name` into a folder, verified. Returns a line per file for people.

    Raises Unavailable where a file cannot be reached, with every place tried and what to do; UserError for everything
    else.
    """
    item = original(name)
    if item.embed:
        with new_folder(folder) as part:
            item.embed(part)
        return [f"{name}: made from the installed packages"]
    folder.mkdir(parents=True, exist_ok=True)
    lines = []
    for file in item.files:
        try:
            lines.append(f"{name}: {file.name} from {obtain(item.mirror or name, file, folder, item.verify)}")
        except Unavailable as error:
            missing = [file.name for file in item.files if not (folder / file.name).exists()]
            raise Unavailable(
                f"{error}. Put {', '.join(missing)} into {folder} by hand; or go online, or set LCM_MIRRORS to a "
                f"folder that holds {item.mirror or name}/{missing[0]}, and run `python pipeline/fetch.py {name}`. "
                "Then `dvc repro` goes on"
            ) from None
    return lines
