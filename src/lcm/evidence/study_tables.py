"""The tables of one study: its results, strengths, single changes, labels, metrics and where the numbers come from."""

import math

import numpy as np

from lcm.evidence.comparisons import Evidence, compare, strengths, true_mass
from lcm.evidence.names import corpus_name, method_name, model_name, setting_name
from lcm.evidence.paper import LABELS, paper_accuracy
from lcm.evidence.results import NOT_RUN, STALE, Result, Study
from lcm.evidence.tables import NOTHING, Row, Table, count, named, ours, percent, plain, table, tested
from lcm.evidence.verdicts import Decisions, points
from lcm.study import LINEAR, read_seconds, target_facts


def study_tables(study: Study, evidence: Evidence, decisions: Decisions | None = None) -> dict[str, Table]:
    """Every table of a study by kind, in the order of the page. decisions: for the verdicts' words, if given."""
    return {
        "results": results_table(study, evidence, decisions),
        "labels": labels_table(study),
        "strengths": strengths_table(study),
        "changes": changes_table(study),
        "metrics": metrics_table(study, evidence),
        "provenance": provenance_table(study),
    }


def results_table(study: Study, evidence: Evidence, decisions: Decisions | None = None) -> Table:
    """Rows: the methods at the study's own settings and, of those with several strengths, the tuned one.

    One group per setting; what was not run at all is one row per corpus.
    """
    groups: list[tuple[str, list[Row]]] = []
    missing: dict[str, list[tuple]] = {}
    for setting in study.settings:
        results = study.of(*setting)
        if not any(result.done for result in results):
            missing.setdefault(setting[0], []).append(setting)
            continue
        lcm = next((result for result in results if result.method == "lcm" and result.done), None)
        best = evidence.tuned(lcm, "lcm") if lcm else None
        rows = [_row(r, best if best and r.parts else lcm, decisions) for r in shown(results, evidence)]
        linear = f"{setting_name(*setting[:2])}, linear models"
        if linear not in dict(groups):
            groups.append((linear, [_row(r, None, None) for r in study.of(*setting[:2], LINEAR) if r.done]))
        groups.append((setting_name(*setting), rows))
    groups.append(("Not run", [_missing(study, corpus, settings) for corpus, settings in missing.items()]))
    return table(study.name, study.title, "method | paper | ours | ours: − paper | LCM − this: 95 % CI | n", groups)


def _missing(study: Study, corpus: str, settings: list[tuple]) -> Row:
    rates: dict[str, list[str]] = {}
    for _, noise, model in settings:
        rates.setdefault(model_name(model), []).append(f"{noise:g} %")
    what = ", ".join(f"{model} ({', '.join(of)})" if of != ["0 %"] else model for model, of in rates.items())
    states = {result.state for setting in settings for result in study.of(*setting)}
    return [(corpus_name(corpus), what), "", STALE if STALE in states else NOT_RUN, "", "", ""]


def shown(results: list[Result], evidence: Evidence) -> list[Result]:
    """Of one setting: each target as it is, or as it was first run, and with its strength tuned."""
    found = []
    for target in dict.fromkeys(result.target for result in results):
        mine = [result for result in results if result.target == target]
        done = [result for result in mine if result.done]
        found += [result for result in mine if not result.varied] or done[:1]
        chosen = evidence.tuned(done[0], target) if len(strengths(done)) > 1 else None
        found += [chosen] if chosen else []
    return found


def _row(result: Result, lcm: Result | None, decisions: Decisions | None) -> Row:
    printed = paper_accuracy(*result.setting, result.method)
    summary = result.summary()
    row: Row = [named(result), percent(printed), ours(result)]
    if summary is None:
        return [*row, NOTHING, NOTHING, "0"]
    test = compare(lcm, result) if lcm and lcm.method != result.method else None
    word = decisions.word(lcm, result) if test and decisions else ""
    return [*row, points(summary.mean - printed[0]) if printed else NOTHING, tested(test, word), count(result)]


def _changed(result: Result) -> list[str]:
    """What a method's name changes other than what its target's tuning grid does."""
    tuned = {key for point in target_facts()[result.target].grid for key in point} if result.model != LINEAR else set()
    keys = [change.partition("=")[0] for change in result.method.partition(".")[2].split(",") if change]
    return [key for key in keys if key not in tuned]


def strengths_table(study: Study) -> Table:
    """Rows: label smoothing and LCM of every strength, by the mass that the target leaves on the true label."""
    groups = []
    for setting in study.settings:
        results = [r for r in study.of(*setting) if r.target in ("ce", "ls", "ls_matched", "lcm") and not _changed(r)]
        rivals = [next((r for r in results if r.method == name and r.done), None) for name in ("ce", "lcm")]
        rows = []
        for result in results if any(result.varied and result.done for result in results) else ():
            mass = true_mass(result.target, result.settings, result.record["n_labels"]) if result.done else None
            tests = [tested(compare(result, rival)) if rival and rival is not result else NOTHING for rival in rivals]
            entries = [ours(result), *tests, ours(result, "ece"), ours(result, "nll", plain), count(result)]
            rows.append((mass or 0.0, [named(result), NOTHING if mass is None else f"{100 * mass:.1f}", *entries]))
        groups.append((setting_name(*setting), [row for _, row in sorted(rows, key=lambda pair: -pair[0])]))
    columns = (
        "target | on the true label: % | accuracy | minus CE: 95 % CI | minus LCM: 95 % CI | ECE: % | NLL: nats | n"
    )
    return table(f"{study.name}-strengths", "Label smoothing and LCM on one axis", columns, groups, "strengths")


def changes_table(study: Study) -> Table:
    """Rows: a method with one thing changed (stopped early, no gradient through the target) against it without."""
    groups = []
    for setting in study.settings:
        rows: list[Row] = []
        for result in study.of(*setting):
            changed = _changed(result)
            kept = [c for c in result.method.partition(".")[2].split(",") if c.partition("=")[0] not in changed]
            other = study.find(*setting, ".".join(filter(None, [result.target, ",".join(kept)])))
            if len(changed) == 1 and other:
                last = [ours(each, "accuracy", percent, "test_last") for each in (result, other)]
                test = compare(result, other)
                names = [method_name(result.method), method_name(other.method)]
                rows.append([*names, ours(result), ours(other), *last, tested(test), str(test.n if test else 0)])
        groups.append((setting_name(*setting), rows))
    columns = (
        "changed | against | accuracy | accuracy: of the other | last epoch | last epoch: of the other | "
        "difference: 95 % CI | n"
    )
    return table(f"{study.name}-changes", "One setting changed", columns, groups, "changes")


def labels_table(study: Study) -> Table:
    """Rows: the subsets of the paper's Table 2 with their labels."""
    rows: list[Row] = []
    for corpus in dict.fromkeys(corpus for corpus, _, _ in study.settings):
        wanted = LABELS.get(corpus)
        record = next((r.record for r in study.results if r.corpus == corpus and r.done), None)
        if wanted and record:
            labels = record["labels"]
            same = "yes" if sorted(labels) == sorted(wanted) else f"no: {', '.join(wanted)}"
            rows.append([corpus_name(corpus), ", ".join(labels), same, str(sum(record["sizes"].values()))])
    columns = "corpus | labels | as in the paper’s Table 2 | documents"
    return table(f"{study.name}-labels", "Labels of the subsets", columns, [("", rows)])


METRICS = (  # column, metric, how it is written
    ("macro-F1: %", "macro_f1", percent), ("NLL: nats", "nll", plain), ("ECE: %", "ece", percent),
    ("ECE: equal bins, %", "adaptive_ece", percent), ("Brier", "brier", plain), ("AURC", "aurc", plain),
    ("AUROC", "auroc", plain), ("errors: in own group, %", "in_group_errors", percent),
)  # fmt: skip


def metrics_table(study: Study, evidence: Evidence) -> Table:
    """Rows: methods. How far to trust the probabilities, which mistakes are made, what the choice of epoch did."""
    known = [metric for metric in METRICS if any(result.scores(metric[1]) for result in study.results if result.done)]
    groups = []
    for setting in dict.fromkeys(result.setting for result in study.results):
        rows = []
        for result in (r for r in shown(study.of(*setting), evidence) if r.done):
            best = result.summary("best_epoch", "run")
            entries = [ours(result, metric, show) for _, metric, show in known]
            entries += [ours(result, "accuracy", percent, "test_last"), f"{best.mean:.1f}" if best else NOTHING]
            rows.append([named(result), *entries, count(result)])
        groups.append((setting_name(*setting), rows))
    columns = " | ".join(
        ["method", *(column for column, _, _ in known), "accuracy: last epoch, %", "chosen epoch", "n"]
    )
    return table(f"{study.name}-metrics", "Calibration, mistakes and macro-F1", columns, groups, "metrics")


def provenance_table(study: Study) -> Table:
    """Rows: settings. Edition, sizes and the machines."""
    rows: list[Row] = []
    for setting in dict.fromkeys(result.setting for result in study.results if result.done):
        results = [result for result in study.of(*setting) if result.done]
        record, runs = results[0].record, [run for result in results for run in result.runs]
        sizes = "/".join(str(record["sizes"].get(part, NOTHING)) for part in ("train", "val", "test"))
        data = [str(record.get("edition", NOTHING)), str(record["corpus_digest"]).split(":")[-1][:12], sizes]
        noise = f"{100 * np.mean(record.get('realised_noise') or [0.0]):.2f}"
        seen = [
            ", ".join(sorted({str(run[key]) for run in runs if key in run})) for key in ("epochs", "device", "torch")
        ]
        rows.append([setting_name(*setting), *data, noise, *(text or NOTHING for text in seen), str(len(runs))])
    columns = (
        "setting | edition | corpus: digest | items: train/val/test | wrong labels: % | epochs | device | torch | runs"
    )
    note = f"All parameters of a cell and every run: metrics/cells/{study.name}/."
    return table(f"{study.name}-provenance", "Provenance", columns, [("", rows)], note)


def check_command(study: Study) -> str:
    """The commands that train a study's quickest cell again and compare it with its record; "" if there is none."""
    results = [result for result in study.results if result.done and result.model != LINEAR and not result.read_from]
    if not results:
        return ""
    recorded = {corpus: read_seconds(study.name, corpus, results[0].root) for corpus in {r.corpus for r in results}}
    first = min(results, key=lambda result: recorded[result.corpus].get(result.name, {}).get("seconds") or math.inf)
    model = first.record["config"].get("model") or {}
    stages = ["split"]
    stages += ["wordpieces"] if "source" in model else []
    stages += [f"vectors_{model['vectors']}"] if "vectors" in model else []
    data = " ".join(f"data/dvc.yaml:{stage}@{first.corpus}" for stage in stages)
    return f"dvc repro {data} && python pipeline/verify.py {first.cell} --splits 1"


def gaps(study: Study) -> list[str]:
    """One line for each thing that is not in the tables though a network of its setting is."""
    lines = []
    for result in study.results:
        if result.state == STALE:
            lines.append(f"{result.cell}: stale ({result.reason})")
        elif result.state == NOT_RUN and any(other.done for other in study.of(*result.setting)):
            lines.append(f"{result.cell}: not run")
        if result.lacking:
            wanted = result.lacking + len(result.record["runs"])
            lines.append(f"{result.cell}: {result.lacking} of {wanted} runs are not there yet")
        for (split, seed), why in result.failures.items():
            lines.append(f"{result.cell}, split {split}, seed {seed}: failed ({why})")
    return lines
