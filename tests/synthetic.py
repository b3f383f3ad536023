"""Made-up result files in the format of `lcm.training.results`, for the tests of the evidence."""

import json
from functools import cache
from pathlib import Path

import numpy as np

from lcm.params import Params, Study, load_params
from lcm.study import LINEAR, Cell, cell_config, cells

LABELS = {
    "20ng": ["comp.graphics", "comp.windows.x", "rec.autos", "rec.sport.hockey", "sci.med"],
    "8ng-h": ["comp.graphics", "comp.windows.x", "sci.crypt", "sci.med"],
    "8ng-e": ["comp.windows.x", "rec.sport.baseball", "alt.atheism", "sci.med"],
    "fdcnews": ["艺术", "文学", "教育"],
    "mnist": ["0", "1", "2"],
    "ag_news_tokens": ["World", "Sports", "Business"],
    "dbpedia_fragment": ["Company", "Artist", "Athlete"],
    "digits": ["<b>a & b</b>", "$b$"],
}
EPOCHS = 8
PLAIN = ["ce", "ls", "ls_matched", "lcm"]
SIZES = {"train": 60, "val": 10, "test": 30}
ROOT = Path(__file__).parent.parent


@cache
def committed() -> Params:
    return load_params(ROOT / "params.yaml")


def grid(corpora=("20ng",), models=("lstm_rand",), methods=PLAIN, noise=(0,), **more) -> dict:
    return {"corpora": list(corpora), "models": list(models), "methods": list(methods), "noise": list(noise), **more}


def params(**studies: dict | list) -> Params:
    """The committed parameters with these studies alone. studies: name -> its grids; three splits, one seed."""
    found = {}
    for name, grids in studies.items():
        grids = [grids] if isinstance(grids, dict) else grids
        corpora = list(dict.fromkeys(corpus for each in grids for corpus in each["corpora"]))
        of_study = [{k: each.pop(k) for k in ("yardsticks", "noise_val", "noise_kind") if k in each} for each in grids]
        spec = {"title": f"Study {name}", "question": "Is it so?", "corpora": corpora, "splits": 3, "grids": grids}
        found[name] = Study.model_validate(spec | of_study[0])
    return committed().model_copy(update={"studies": found})


def find(p: Params, study: str, corpus: str, noise: int, model: str, method: str) -> Cell:
    return next(c for c in cells(p, study, corpus) if (c.noise, c.model, c.method) == (noise, model, method))


def write(root: Path, p: Params, cell: Cell, accuracy: list, **more) -> dict:
    """A cell's two files. accuracy: of each split, a number or a list over seeds. more: see `_run`. Returns the
    record."""
    labels, settings = LABELS[cell.corpus], _settings(p, cell)
    runs, curves = [], []
    for split, of_split in enumerate(accuracy):
        for seed, score in enumerate(of_split if isinstance(of_split, list) else [of_split]):
            runs.append(_run(cell, labels, split, seed, score, **more))
            if cell.model != LINEAR:
                curves += _curve(cell, settings, split, seed, score, **more)
    record = {
        "study": cell.study, "corpus": cell.corpus, "noise": cell.noise, "model": cell.model, "method": cell.method,
        "edition": f"{cell.corpus} as published", "corpus_digest": f"sha256:{cell.corpus}", "n_labels": len(labels),
        "labels": labels, "sizes": SIZES if cell.corpus != "mnist" else {"train": 76, "val": 10, "test": 14},
        "realised_noise": [cell.noise / 100] * len(accuracy), "config": cell_config(p, cell), "settings": settings,
        "runs": runs,
    }  # fmt: skip
    put(root, cell, record, curves)
    return record


def put(root: Path, cell: Cell, record: dict, curves: list | None = None) -> None:
    for kind, content in (("cells", record), ("curves", curves)):
        if content:
            path = root / cell.path(kind)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(content))


def _settings(p: Params, cell: Cell) -> dict:
    group = dict(cell_config(p, cell).get(cell.target, {}))
    if cell.target == "ls_matched":
        group = {"epsilon": 0.07}
    return group if cell.model != LINEAR else {"C": 1.0}


def confusions(accuracy: float, n_labels: int, of_label: int = 1_000_000) -> list[list[int]]:
    """A matrix of this accuracy, to six digits: every label is equally frequent and taken for each other alike."""
    right = round(accuracy * of_label)
    wrong, rest = divmod(of_label - right, n_labels - 1)
    matrix = np.full((n_labels, n_labels), wrong)
    for label in range(n_labels):
        matrix[label, label] = right
        matrix[label, label - 1] += rest
    return matrix.tolist()


def _run(cell, labels, split, seed, score, validation=None, embedding=None, collapse=None, metrics=None, **_) -> dict:
    """validation: accuracy there, by split (default the test's). collapse: by split, the mean confusion
    distribution. metrics: further ones of the test part."""
    test = {"accuracy": score, "macro_f1": 0.6}
    run = {"split": split, "seed": seed, "key": f"{cell}{split}{seed}", "test": test}
    if score == score:
        run["confusion_matrix"] = confusions(score, len(labels))
        matrix = np.array(run["confusion_matrix"])
        test["macro_f1"] = round(float((2 * matrix.diagonal() / (matrix.sum(0) + matrix.sum(1))).mean()), 6)
    if cell.model == LINEAR:
        return run | {"val_accuracy": score if validation is None else validation[split]}
    test |= {"nll": 1.0, "ece": 0.1, "brier": 0.4, "in_group_errors": 0.25} | (metrics or {})
    val = score if validation is None else validation[split]
    val = val[seed] if isinstance(val, list) else val
    run |= {"test_last": dict(test), "best_epoch": EPOCHS, "epochs": EPOCHS, "val_accuracy": val}
    run |= {"device": "cpu (x86_64)", "torch": "2.15.0"}
    if cell.target == "lcm":
        run["label_embedding"] = (np.eye(len(labels)) + 0.1 * split if embedding is None else embedding[split]).tolist()
        if collapse is not None:
            run["lcd_by_class"] = np.tile(collapse[split], (len(labels), 1)).tolist()
    return run


def _curve(cell, settings, split, seed, score, lcd=None, place=None, **_) -> list[dict]:
    """lcd: by split, mass on the group's other labels. place: (strength, structure) after the last epoch."""
    rows = []
    for epoch in range(1, EPOCHS + 1):
        row = {"split": split, "seed": seed, "epoch": epoch, "train_loss": 1.0, "val_nll": 1.0}
        row["val_accuracy"] = score * epoch / EPOCHS
        if place:
            row |= {"strength": place[0] * epoch / EPOCHS, "structure": place[1] * epoch / EPOCHS}
        stopped = settings.get("stop_epoch") and epoch > settings["stop_epoch"]
        if cell.target == "lcm" and not stopped:
            row |= {"lcd_entropy": 0.5, "lcd_true": 0.1, "lcd_label_share": 0.7, "sld_true_std": 0.01}
            row["sld_true_mean"] = 0.9 - 0.02 / settings["alpha"]
            row["lcd_in_group"] = 0.05 + 0.001 * split if lcd is None else lcd[split]
        rows.append(row)
    return rows
