"""Word vectors: read from GloVe's text format, trained here by skip-gram (gensim), and fitted to the vocabulary of a
corpus.
"""

import bz2
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import BinaryIO

import numpy as np
from tqdm import tqdm

from lcm.archives import MB, PARSE_ERRORS, lines, opened
from lcm.errors import UserError, WrongContent, one_line, short
from lcm.files import read_array, read_json
from lcm.params import Skipgram, Vectors, VectorSource
from lcm.text import english

BATCH = 20_000  # texts tokenised at a time: a pool of processes is started for each


def fit_vectors(
    words: list[str], counts: np.ndarray, source: VectorSource, settings: Vectors
) -> tuple[np.ndarray, dict]:
    """Vectors for the most frequent words of a corpus.

    words, counts: its vocabulary, most frequent first. Returns (rows, size) float32, where row 0 is the padding, zeros,
    and row i belongs to the word with id i; and facts for people. A word without a vector gets a random one
    (`unknown`): `scaled`, normal with the mean and deviation of the known ones; `uniform01`, U(0, 1). Raises UserError
    for a wrong file and if no word is known.
    """
    rows = min(settings.words, len(words))
    index = {word.encode(): row for row, word in enumerate(words[:rows], 1)}
    # RandomState, because NumPy promises to keep its stream for ever. Drawn for every row: coverage moves no other
    # word's draw.
    random = np.random.RandomState(settings.seed)
    draw = random.random_sample if settings.unknown == "uniform01" else random.standard_normal
    vectors = np.vstack([np.zeros(source.size), draw((rows, source.size))]).astype(np.float32)
    known = np.zeros(rows + 1, bool)
    for row, vector in read_vectors(Path(source.source), source.size, index):
        vectors[row], known[row] = vector, True
    if not known.any():
        raise UserError(
            f"{source.source}: has a vector for none of the {rows} words of the corpus; is it of this language?"
        )
    mean, deviation = float(vectors[known].mean()), float(vectors[known].std())
    if settings.unknown == "scaled":
        unknown = ~known[1:]
        vectors[1:][unknown] = vectors[1:][unknown] * np.float32(deviation) + np.float32(mean)
    return vectors, {
        "size": source.size,
        "words": rows,
        "words_with_vector": int(known.sum()),
        "tokens_with_vector": round(float(counts[:rows][known[1:]].sum() / counts.sum()), 6),
        "mean": round(mean, 6),
        "deviation": round(deviation, 6),
    }


def read_vectors(path: Path, size: int, index: dict[bytes, int]) -> Iterator[tuple[int, np.ndarray]]:
    """(index[word], its vector (size,) float32) for every word in `index` that the file knows; the file is read as a
    stream.

    path: GloVe's text format (word2vec's with its header too), .gz or .zip or as it is, or a folder with one such file.
    Raises UserError, with the line, for a file that is not of this format or size.
    """
    with _open_vectors(path, size) as (stream, name):
        for number, line in enumerate(
            tqdm(lines(stream, MB), f"reading {name}", unit="word", unit_scale=True, disable=None), 1
        ):
            word, _, rest = line.rstrip().partition(b" ")
            if number == 1 and rest.isdigit():  # word2vec's header: number of words, size
                continue
            if word not in index and number > 1:
                continue
            try:
                vector = np.array(rest.split(b" "), np.float32)
            except ValueError:
                vector = np.array([])
            if len(vector) != size:
                raise UserError(
                    f"{name}, line {number}: found {short(line.decode(errors='replace').rstrip(), 40)}, expected a "
                    f"word and {size} numbers; correct source or size in params.yaml"
                )
            if word in index:
                yield index[word], vector


@contextmanager
def _open_vectors(path: Path, size: int) -> Iterator[tuple[BinaryIO, str]]:
    if path.is_dir():
        files = sorted(file for file in path.iterdir() if not file.name.startswith("."))
        if len(files) != 1:
            raise UserError(
                f"{path}: found {len(files)} files, expected one with vectors; name the file itself in params.yaml"
            )
        path = files[0]
    try:
        if path.suffix == ".zip":
            with zipfile.ZipFile(path) as archive:
                members = [name for name in archive.namelist() if name.endswith(f"{size}d.txt")]
                if len(members) != 1:
                    raise UserError(
                        f"{path}: found {short(archive.namelist())}, expected one file ending in {size}d.txt; correct "
                        "the size in params.yaml"
                    )
                with archive.open(members[0]) as stream:
                    yield stream, members[0]
        else:
            with opened(path) as stream:
                yield stream, path.name
    except FileNotFoundError:
        raise UserError(
            f"{path}: not found; make it with `dvc repro data/dvc.yaml`, or correct source in params.yaml"
        ) from None
    except (WrongContent, *PARSE_ERRORS) as error:
        raise UserError(one_line(f"{path}: cannot be read ({error}); delete it and get it again", 400)) from None


def train_skipgram(settings: Skipgram, scratch: Path, out: Path) -> dict:
    """Train vectors on the text at `settings.text` and write them to `out` in GloVe's format. Returns facts for people.

    One thread, so that the same machine gives the same bytes; another kind of processor may round differently. scratch:
    folder for the tokens, which are read once per epoch. Raises UserError if there is no such text or too little.
    """
    from gensim.models.word2vec import LineSentence, Word2Vec

    tokens = scratch / "tokens.txt"
    with open(tokens, "w", encoding="utf-8", newline="\n") as file:
        for sentence in sentences(settings):
            if sentence:
                file.write(" ".join(sentence) + "\n")
    bar = tqdm(desc=f"skip-gram of {settings.text}", total=settings.epochs + 1, unit="pass", disable=None)

    class Passes(LineSentence):
        def __iter__(self):
            yield from super().__iter__()
            bar.update()

    of_gensim = settings.model_dump(include={"window", "min_count", "epochs", "seed"})  # by the names that it has there
    with bar:
        try:
            model = Word2Vec(
                Passes(str(tokens)),
                sg=1,
                vector_size=settings.size,
                workers=1,
                hashfxn=lambda word: zlib.crc32(word.encode()),
                **of_gensim,
            )
        except RuntimeError as error:  # gensim's answer to an empty vocabulary
            raise UserError(
                f"{settings.text}: too little text ({error}); lower min_count ({settings.min_count}) or give more"
            ) from None
    with open(out, "w", encoding="utf-8", newline="\n") as file:
        for word, vector in zip(model.wv.index_to_key, model.wv.vectors, strict=True):
            file.write(word + " " + " ".join(f"{value:.6g}" for value in vector.tolist()) + "\n")
    return {"tokens": model.corpus_total_words, "words": len(model.wv)}


def sentences(settings: Skipgram) -> Iterator[list[str]]:
    """The tokens of each line of the text, or of each document of a prepared corpus (a folder that `prepare` wrote)."""
    path = Path(settings.text)
    if (path / "corpus.json").exists():
        yield from _prepared_documents(path)
        return
    texts = read_texts(path)
    while batch := list(islice(texts, BATCH)):
        yield from _tokenise(batch, settings)


def _tokenise(texts: list[str], settings: Skipgram) -> Iterable[list[str]]:
    if settings.language == "en":
        return (english.tokenise(text) for text in texts)
    from lcm.text import chinese

    return chinese.tokenise_all(texts, f"tokenising {settings.text}")


def _prepared_documents(folder: Path) -> Iterator[list[str]]:
    words = read_vocabulary(folder)[0]
    again = f"dvc repro data/dvc.yaml:prepare@{folder.name}"
    ids = read_array(folder / "ids.npy", again, np.int32, 1)
    offsets = read_array(folder / "offsets.npy", again, np.int64, 1)
    for start, end in zip(offsets[:-1], offsets[1:], strict=True):
        yield [words[word - 1] for word in ids[start:end].tolist()]


def read_vocabulary(folder: Path) -> tuple[list[str], np.ndarray]:
    """Return words and counts of a prepared corpus, by id from 1. Raises UserError if there is none, or no texts."""
    meta = read_json(folder / "corpus.json", f"dvc repro data/dvc.yaml:prepare@{folder.name}")
    if meta["kind"] != "text":
        raise UserError(f"{folder}: holds {meta['kind']}, word vectors are for texts; correct params.yaml")
    rows = [line.split("\t") for line in (folder / "vocabulary.tsv").read_text(encoding="utf-8").splitlines()]
    return [word for word, _ in rows], np.array([int(count) for _, count in rows], np.int64)


def read_texts(path: Path) -> Iterator[str]:
    """Lines of running text: of a file or of every file in a folder, sorted.

    A file is plain UTF-8 text (invalid bytes are left out), WikiExtractor's output or a Wikipedia dump (.xml.bz2).
    Raises UserError if there is nothing or it is damaged.
    """
    files = sorted(file for file in path.rglob("*") if file.is_file()) if path.is_dir() else [path]
    if not files or not files[0].is_file():
        raise UserError(
            f"{path}: no text found; make it with `dvc repro data/dvc.yaml`, or correct text in params.yaml"
        )
    for file in tqdm(files, f"reading {path}", unit="file", disable=None):
        try:
            yield from _lines(file)
        except (WrongContent, SyntaxError, *PARSE_ERRORS) as error:  # SyntaxError: of XML
            raise UserError(one_line(f"{file}: cannot be read ({error}); delete it and get it again", 400)) from None


def _lines(file: Path) -> Iterator[str]:
    if file.name.endswith(".xml.bz2"):
        from gensim.corpora.wikicorpus import extract_pages, filter_wiki

        with bz2.open(file) as stream:
            for _, text, _ in extract_pages(stream, filter_namespaces=("0",)):
                yield from filter_wiki(text).splitlines()
    else:
        with open(file, encoding="utf-8-sig", errors="ignore") as stream:
            for line in lines(stream):
                if not line.startswith(("<doc ", "</doc>")):  # WikiExtractor's
                    yield line
