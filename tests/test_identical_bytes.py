"""Every data stage gives the same bytes when run again: in another folder, with other hash seeds, on other numbers of
cores.
"""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parent.parent
CORPORA = {
    "digits": {"path": "data/raw/digits"},
    "english": {
        "path": "english.csv",
        "text": ["title", "body"],
        "label": "label",
        "language": "en",
        "empty": "drop",
        "subset": 55,
        "subset_seed": 4,
    },
    "chinese": {"path": "chinese.tsv", "text": 1, "label": 0, "language": "zh", "per_label": 900},
}
SENTENCES = [
    "工信处女干事每月经过下属科室",
    "今天天气很好",
    "据新华社华盛顿３月４日电",
    "断裂力学在工程中的应用",
    "朱惠人许都纯郭涛刘松龄",
]


def originals(folder: Path) -> None:
    rows = "".join(f'Title {n},"Body of {n % 7}, words w{n * n % 31} w{n % 5}",rec.{"ab"[n % 2]}\n' for n in range(60))
    (folder / "english.csv").write_text("title,body,label\n" + rows + "!,?,rec.a\n", encoding="utf-8")
    # More than 1000 kB of characters, or tokenising stays in one process.
    rows = "".join(f"{'甲乙'[n % 2]}\t{(SENTENCES[n % 5] + SENTENCES[n % 4] + '，') * 40}{n}\n" for n in range(1200))
    (folder / "chinese.tsv").write_text(rows, encoding="utf-8")


def run_all(folder: Path, hash_seed: str, cores: set[int]) -> dict[str, str]:
    folder.mkdir()
    originals(folder)
    params = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    params["corpora"] |= CORPORA
    params["noise"] |= {"rates": {"english": [20]}, "groups": {}}
    skipgram = {
        "text": "data/corpus/english",
        "language": "en",
        "size": 8,
        "window": 3,
        "min_count": 1,
        "epochs": 2,
        "seed": 0,
    }
    params["skipgram"] = {"own": skipgram, "other": skipgram | {"text": "chinese.tsv", "language": "zh"}}
    params["vectors"]["sets"]["mine"] = {"english": {"source": "data/vectors/own", "size": 8}}
    (folder / "params.yaml").write_text(yaml.safe_dump(params), encoding="utf-8")
    stages = [("fetch", "digits")] + [(stage, corpus) for corpus in CORPORA for stage in ("prepare", "split")]
    for stage, *names in [*stages, ("skipgram", "own"), ("skipgram", "other"), ("vectors", "mine", "english")]:
        subprocess.run(
            [sys.executable, ROOT / "pipeline" / f"{stage}.py", *names],
            cwd=folder,
            env=os.environ | {"PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(ROOT / "src"), "TZ": f"UTC+{hash_seed}"},
            preexec_fn=lambda: os.sched_setaffinity(0, cores),
            check=True,
            capture_output=True,
        )
    files = (path for path in sorted((folder / "data").rglob("*")) if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_data_stages_are_byte_identical(tmp_path):
    cores = os.sched_getaffinity(0)
    if len(cores) < 2:
        pytest.skip("needs two cores")
    first = run_all(tmp_path / "first", "1", {min(cores)})
    second = run_all(tmp_path / "a second folder", "7", cores)
    assert first == second
    made = {
        "raw/digits/digits.csv.gz",
        "corpus/chinese/ids.npy",
        "corpus/digits/pixels.npy",
        "splits/english/splits.npy",
        "splits/english/labels-20.npy",
        "cards/english.json",
        "vectors/other/vectors.txt",
        "vectors/mine/english/vectors.npy",
    }
    assert {f"data/{name}" for name in made} <= set(first)
    assert str(tmp_path) not in "".join(path.read_text() for path in (tmp_path / "first/data/cards").iterdir())
