"""Made-up result files in the format of `train_cell`, for the tests of the evidence."""

import json
from pathlib import Path

import numpy as np

LABELS = {
    "20ng": ["comp.graphics", "comp.windows.x", "rec.autos", "rec.sport.hockey", "sci.med"],
    "8ng-h": ["comp.graphics", "comp.windows.x", "sci.crypt", "sci.med"],
    "8ng-e": ["comp.windows.x", "rec.sport.baseball", "alt.atheism", "sci.med"],
    "fdcnews": ["艺术", "文学", "教育"],
    "mnist": ["0", "1", "2"],
}
EPOCHS = 8


def params(**studies: dict) -> dict:
    """What params.yaml would hold. studies: name -> {grid: (corpora, noise, models, arms)}; three splits unless `splits` says otherwise."""

    def grid(corpora, noise, models, arms):
        return {"corpora": corpora, "noise": noise, "models": models, "arms": arms}

    return {"studies": {name: {"splits": spec.pop("splits", 3)} | {part: grid(*spec[part]) for part in spec} for name, spec in studies.items()}}


def config(study: str, model: str, arm: str) -> dict:
    """What `cell_config` would give: the arm's settings, with what an expression changes."""
    group, _, changes = arm.partition(".")
    if group == "linear":
        return {"linear": {"C": 1.0, "maxlen": 100, "truncation": "pre"}}
    lcm = {"alpha": 4.0, "label_dim": 4, "stop_epoch": None, "stop_resets_optimizer": False, "detach": False}
    settings = {"epsilon": 0.1} if group == "ls" else lcm
    settings |= {key: json.loads(value) for key, value in (change.split("=") for change in changes.split(",") if change)}
    return {"train": {"epochs": EPOCHS, "lr": 0.001}, "model": {"encoder": model}, group: settings}


def write(root: Path, study: str, corpus: str, noise: int, model: str, arm: str, accuracy: dict[str, list[float]], embedding=None, lcd=None) -> None:
    """One cell and its curves. accuracy: method -> test accuracy per split. embedding: splits x C x e. lcd: mass on the group's other labels."""
    labels, settings = LABELS[corpus], config(study, model, arm)
    methods, curves = {}, []
    for method, scores in accuracy.items():
        runs = []
        for split, score in enumerate(scores):
            test = {"accuracy": score, "macro_f1": score, "nll": 1.0, "ece": 0.1, "brier": 0.4}
            run = {"split": split, "seed": split, "test": test, "seconds": 60.0, "device": "cpu (x86_64)", "torch": "2.15.0"}
            if arm != "linear":
                run |= {"test_last": test, "best_epoch": EPOCHS, "epochs": EPOCHS, "val_accuracy": score}
            if method == "lcm":
                run["label_embedding"] = (np.eye(len(labels)) + 0.1 * split if embedding is None else embedding[split]).tolist()
            runs.append(run)
            for epoch in range(1, EPOCHS + 1) if arm != "linear" else ():
                row = {"epoch": epoch, "train_loss": 1.0, "val_accuracy": score * epoch / EPOCHS, "val_nll": 1.0}
                if method == "lcm" and not (settings["lcm"]["stop_epoch"] and epoch > settings["lcm"]["stop_epoch"]):
                    row |= {"lcd_entropy": 0.5, "lcd_true": 0.1, "lcd_label_share": 0.7, "sld_true_std": 0.01}
                    row["sld_true_mean"] = 0.9 - 0.02 / settings["lcm"]["alpha"]
                    row["lcd_in_group"] = 0.05 + 0.001 * split if lcd is None else lcd[split]
                curves.append({"corpus": corpus, "noise": noise, "model": model, "method": method, "split": split, **row})
        strength = {"base": {"epsilon": 0.0}, "ls": settings.get("ls"), "ls_matched": {"epsilon": 0.07}, "lcm": settings.get("lcm")}.get(method, {})
        methods[method] = {"settings": strength, "runs": runs, "confusion_matrix": (8 * np.eye(len(labels), dtype=int) + 1).tolist()}
    record = {
        "study": study, "corpus": corpus, "noise": noise, "model": model, "arm": arm, "edition": f"{corpus} as published",
        "corpus_digest": f"sha256:{corpus}", "n_labels": len(labels), "labels": labels, "sizes": {"train": 60, "val": 10, "test": 30},
        "realised_noise": [noise / 100] * len(next(iter(accuracy.values()))), "methods": methods, "config": settings,
    }  # fmt: skip
    name = f"{corpus}-noise{noise}-linear" if arm == "linear" else f"{corpus}-noise{noise}-{model}-{arm}"
    for kind, content in (("cells", record), ("curves", curves)):
        path = root / "metrics" / kind / study / f"{name}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content))
