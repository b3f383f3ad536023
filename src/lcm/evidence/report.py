"""The report of one study: metrics for DVC, its tables as Markdown and CSV, and the table for the terminal."""

import textwrap
from pathlib import Path

from lcm.evidence import tables
from lcm.evidence.comparisons import Evidence
from lcm.evidence.results import NOT_RUN, read_study
from lcm.evidence.study_tables import gaps, study_tables
from lcm.files import new_folder, write_json
from lcm.params import NO_TABLE, Params


def write_report(params: Params, name: str, root: Path = Path()) -> str:
    """Write root/metrics/<study>/ and root/reports/<study>/, return the terminal's table.

    The same results give the same bytes. Raises UserError for an unknown study or a result file that cannot be read.
    """
    study = read_study(params, name, root)
    evidence = Evidence([study])
    found = study_tables(study, evidence)
    written = [table for table in found.values() if table.groups]
    missing = gaps(study)
    with new_folder(root / "metrics" / name) as folder:
        for file, values in _metrics(study).items():
            write_json(folder / file, values)
    with new_folder(root / "reports" / name) as folder:
        lines = [f"# {study.title}", "", study.question, "", *(tables.to_markdown(table) for table in written)]
        lines += ["## Not in these numbers", "", *(f"- {line}" for line in missing), ""] if missing else []
        (folder / "tables.md").write_text("\n".join(lines), encoding="utf-8", newline="\n")
        for table in written:
            (folder / f"{table.name}.csv").write_text(tables.to_csv(table), encoding="utf-8", newline="\n")
    if not study.results:
        return NO_TABLE
    head = f"{name}: {study.title}. Test accuracy in %, mean ± std; LCM minus the row's method with its 95 % interval."
    notes = [line for note in missing[:10] for line in textwrap.wrap(note, 100, subsequent_indent="  ")]
    notes += [f"and {len(missing) - 10} more: reports/{name}/tables.md"] if len(missing) > 10 else []
    return "\n".join([head, tables.to_text(found["results"]), *([""] * bool(notes)), *notes])


def _metrics(study) -> dict[str, dict[str, float]]:
    """<model>-<method>.json -> {setting: mean test accuracy}, for `dvc metrics`.

    A bare number has no room for "2 of 3 runs": it stands for results without a failed run only.
    """
    found: dict[str, dict[str, float]] = {}
    for result in study.results:
        summary = result.summary()
        if summary and not result.failures:
            key = f"{result.corpus}_noise{result.noise:g}" if result.noise else result.corpus
            found.setdefault(f"{result.model}-{result.method}.json", {})[key] = round(summary.mean, 5)
    # git knows no empty folders, and DVC would make the report again in every clone
    return found or {"not_run.json": {"cells": sum(result.state == NOT_RUN for result in study.results)}}
