"""Where each number comes from: edition, splits, device, versions and time of every cell."""

import json
import subprocess

from lcm.evidence.results import DONE, Cell, Grid
from lcm.evidence.tables import NOTHING, Entry, Table, model_name, setting_name, variation_name


def provenance_table(grid: Grid) -> Table:
    """Rows: cells, also those not run; one group per corpus and noise."""
    columns: list[Entry] = [
        "cell", "state", "edition", ("corpus", "digest"), ("items", "train/val/test"), ("noise", "realised, %"), "epochs",
        "device", "torch", ("minutes", "all runs"), "n",
    ]  # fmt: skip
    groups = []
    for corpus, noise in grid.settings():
        cells = [cell for cell in grid.cells if (cell.corpus, cell.noise) == (corpus, noise)]
        groups.append((setting_name(corpus, noise), [_row(cell) for cell in cells]))
    return Table("Provenance", columns, groups, "Minutes are the sum of all runs' own training time, not waiting time.")


def _row(cell: Cell) -> list[Entry]:
    methods = variation_name(cell) if cell.varied else " and ".join(cell.methods)
    name = "linear" if cell.arm == "linear" else f"{model_name(cell.model)}, {methods}"
    if cell.state != DONE:
        return [name, cell.state, *[NOTHING] * 9]
    record, sizes = cell.record, cell.record["sizes"]
    runs = [run for method in cell.methods for run in cell.runs(method)]
    realised = record.get("realised_noise") or []

    def seen(key: str) -> str:
        return ", ".join(sorted({str(run[key]) for run in runs if run.get(key) is not None})) or NOTHING

    return [
        name, cell.state, str(record.get("edition", NOTHING)), str(record.get("corpus_digest", NOTHING)).split(":")[-1][:12],
        "/".join(str(sizes.get(part, NOTHING)) for part in ("train", "val", "test")),
        f"{100 * sum(realised) / len(realised):.2f}" if realised else NOTHING, seen("epochs"), seen("device"), seen("torch"),
        f"{sum(run.get('seconds', 0.0) for run in runs) / 60:.1f}",
        ", ".join(dict.fromkeys(str(len(cell.scores(method, "accuracy"))) for method in cell.methods)),
    ]  # fmt: skip


def cell_configs(grid: Grid) -> list[tuple[str, str]]:
    """(cell's name, its config as indented JSON) of every finished cell."""
    return [
        (cell.name, json.dumps(cell.record["config"], indent=1, sort_keys=True, ensure_ascii=False))
        for cell in grid.cells
        if cell.state == DONE
    ]


def commit() -> str:
    """The commit that the code and the parameters are at, marked if they differ from it."""

    def git(*words: str) -> str:
        return subprocess.run(["git", *words], capture_output=True, text=True, check=True).stdout.strip()

    try:
        changed = git("status", "--porcelain", "--", "src", "pipeline", "params.yaml", "dvc.yaml")
        return git("rev-parse", "--short", "HEAD") + (" with uncommitted changes" if changed else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
