"""The paper's claims and three questions of ours: which comparisons each rests on, and the answers in words. The rule is in verdicts.py."""

import math
from collections.abc import Callable

from lcm.evidence import label_space
from lcm.evidence.contrasts import Contrast, mean_difference, of_paired, std_ratio
from lcm.evidence.paper import paper_accuracy
from lcm.evidence.results import DONE, Cell, Grid, by_seed, compare_cells, data_differs, true_mass
from lcm.evidence.statistics import equivalent, paired, widening
from lcm.evidence.tables import EQUIVALENCE, METHOD_NAMES, model_name, points, setting_name
from lcm.evidence.verdicts import (
    AGAINST, EQUAL, FOR, NOT_MEASURED, NOT_SUPPORTED, OPEN, SUPPORTED, UNDECIDED, Claim, Comparison, cosine, times,
)  # fmt: skip

PAPER_STUDIES = ("benchmark", "confusion", "noise", "images")  # Tables 1, 3, 4, 5; the other studies change something on purpose
SWEEPS = ("alpha", "early_stop")  # Fig. 3: strengths of LCM and of label smoothing
Curves = Callable[[Cell], list[dict]]


def all_claims(grids: dict[str, Grid], curves: Curves) -> list[Claim]:
    """Every claim, in the paper's order, then our three questions. grids: of the studies that were read. curves: rows of a cell's
    curves file."""
    return [
        *(_improves(grids, *which) for which in (("1a", "LSTM", 10), ("1b", "CNN", 10), ("1c", "BERT", 5))),
        _steadier(grids),
        _against(grids, "3", "LCM is superior to label smoothing", "abstract; Tables 4 and 5, ε = 0.1", "ls", 10),
        _confused(grids),
        _noisy(grids),
        _images(grids),
        *_figure_3(grids, curves),
        _against(grids, "Q1", "LCM beats label smoothing of the same strength", "the control that the paper lacks", "ls_matched"),
        _at_other_strengths(grids),
        _similarity(grids, curves),
    ]


# ---------------------------------------------------------------------------------------------------------------- cells


def plain_cells(grids: dict[str, Grid], studies: tuple[str, ...], method: str) -> list[Cell]:
    """Finished cells with the study's own alpha and epsilon that hold a method; a (corpus, noise, model) seen before does not count again."""
    found: dict[tuple, Cell] = {}
    for study in studies:
        for cell in grids[study].cells if study in grids else ():
            if method in cell.methods and not cell.varied and cell.state == DONE:
                found.setdefault((cell.corpus, cell.noise, cell.model), cell)
    return list(found.values())


def rival(grids: dict[str, Grid], cell: Cell, method: str) -> Cell | None:
    """The cell that holds another method on the same data with the same model and training."""
    if method in cell.methods and not cell.varied:
        return cell
    studies = dict.fromkeys((cell.study, *PAPER_STUDIES, *grids))
    for other in plain_cells(grids, tuple(studies), method):
        same = (other.corpus, other.noise, other.model) == (cell.corpus, cell.noise, cell.model)
        if same and not data_differs(cell, other) and all(other.record["config"][k] == cell.record["config"][k] for k in ("train", "model")):
            return other
    return None


def _gains(grids: dict[str, Grid], cell: Cell, other: str) -> dict[int, float]:
    """Split -> test accuracy of LCM minus that of another method; empty if it has no result."""
    opponent = rival(grids, cell, other)
    if opponent is None:
        return {}
    ours, theirs = cell.scores("lcm", "accuracy"), opponent.scores(other, "accuracy")
    return {split: ours[split] - theirs[split] for split in sorted(ours.keys() & theirs.keys())}


def _test(cell: Cell, a: dict[int, float], b: dict[int, float] | float = 0.0, part: str = "test") -> Contrast | None:
    """Corrected resampled t-test of a - b over their common splits; None if there is none. part: on which the scores were measured."""
    other = dict.fromkeys(a, b) if isinstance(b, float) else b
    splits = sorted(a.keys() & other.keys())
    if not splits:
        return None
    return of_paired(paired(by_seed(a), by_seed(other), widening(cell.record["sizes"], part)))


def _printed(cell: Cell, other: str) -> float | None:
    """LCM minus another method as the paper prints it."""
    printed = [paper_accuracy(cell.corpus, cell.noise, cell.model, method) for method in ("lcm", other)]
    return printed[0][0] - printed[1][0] if all(printed) else None


def _name(cell: Cell) -> str:
    return f"{setting_name(cell.corpus, cell.noise)}, {model_name(cell.model)}"


# --------------------------------------------------------------------------------------------------------------- claims


def _versus(grids: dict[str, Grid], cells: list[Cell], other: str) -> list[Comparison]:
    comparisons = []
    for cell in cells:
        opponent = rival(grids, cell, other)
        if opponent and (test := compare_cells(cell, "lcm", opponent, other)):
            what, printed = f"{_name(cell)}: LCM − {METHOD_NAMES[other]}", _printed(cell, other)
            # Half a point refutes no gain of a fifth of a point, which is all there is to gain on MNIST.
            margin = EQUIVALENCE if printed is None else min(EQUIVALENCE, abs(printed) / 2)
            comparisons.append(Comparison(what, of_paired(test), printed, equal=bool(margin and equivalent(test, margin))))
    return comparisons


_FAMILIES = {"LSTM": ("lstm",), "CNN": ("cnn",), "BERT": ("bert", "albert")}  # how the names of their models begin


def _improves(grids: dict[str, Grid], key: str, family: str, in_paper: int) -> Claim:
    cells = [cell for cell in plain_cells(grids, ("benchmark",), "lcm") if cell.model.split("_")[0] in _FAMILIES[family]]
    return Claim(key, f"LCM improves {family} models", "Table 1", _versus(grids, cells, "base"), in_paper=in_paper)


def _against(grids: dict[str, Grid], key: str, text: str, source: str, other: str, in_paper: int = 0) -> Claim:
    return Claim(key, text, source, _versus(grids, plain_cells(grids, PAPER_STUDIES, "lcm"), other), in_paper=in_paper)


def _steadier(grids: dict[str, Grid]) -> Claim:
    comparisons = []
    for cell in plain_cells(grids, ("benchmark",), "lcm"):
        base = rival(grids, cell, "base")
        if base is None:
            continue
        a, b = cell.scores("lcm", "accuracy"), base.scores("base", "accuracy")
        ratio = std_ratio(by_seed(a), by_seed(b))
        if ratio is None:
            continue
        printed = [paper_accuracy(cell.corpus, cell.noise, cell.model, method) for method in ("lcm", "base")]
        known = all(p and p[1] for p in printed)
        paper = printed[0][1] / printed[1][1] if known else None
        comparisons.append(Comparison(f"{_name(cell)}: std of LCM / cross-entropy", ratio, paper, null=1.0, sign=-1, show=times, unit=""))
    return Claim(
        "2", "LCM has a lower standard deviation over splits", "Table 1, “usually lower”", comparisons,
        ["A ratio of two spreads needs far more than 10 splits: even a halved one is seldom decided here."] if comparisons else [],
        in_paper=25,
    )  # fmt: skip


def _confused(grids: dict[str, Grid]) -> Claim:
    cells = {(cell.corpus, cell.model): cell for cell in plain_cells(grids, ("confusion",), "lcm") if cell.noise == 0}
    comparisons = []
    for (corpus, model), hard in cells.items():
        easy = cells.get((f"{corpus.removesuffix('-h')}-e", model))
        if not corpus.endswith("-h") or easy is None:
            continue
        gains = [by_seed(_gains(grids, cell, "base")) for cell in (hard, easy)]
        ratios = [widening(cell.record["sizes"]) for cell in (hard, easy)]
        contrast = mean_difference(*gains, *ratios)
        if contrast:
            printed = [_printed(cell, "base") for cell in (hard, easy)]
            paper = printed[0] - printed[1] if None not in printed else None
            comparisons.append(Comparison(f"{model_name(model)}: gain on {corpus} − gain on {easy.corpus}", contrast, paper))
    return Claim("4", "LCM helps more where labels are confusable", "Table 3; gain: LCM − cross-entropy", comparisons, in_paper=2)


def _noisy(grids: dict[str, Grid]) -> Claim:
    comparisons = []
    for cell in plain_cells(grids, ("noise",), "lcm"):
        clean = next((c for c in plain_cells(grids, PAPER_STUDIES, "lcm") if (c.corpus, c.noise, c.model) == (cell.corpus, 0, cell.model)), None)
        if cell.noise == 0 or clean is None or clean.record["corpus_digest"] != cell.record["corpus_digest"]:
            continue
        # The splits are the same at every rate, only training labels differ, so gains are paired by split.
        test = _test(cell, _gains(grids, cell, "base"), _gains(grids, clean, "base"))
        if test:
            printed = [_printed(c, "base") for c in (cell, clean)]
            paper = printed[0] - printed[1] if None not in printed else None
            comparisons.append(Comparison(f"{model_name(cell.model)}: gain at {cell.noise:g} % noise − gain at 0 %", test, paper))
    return Claim("5", "LCM helps more where labels are wrong", "Table 4; gain: LCM − cross-entropy", comparisons, in_paper=6)


def _images(grids: dict[str, Grid]) -> Claim:
    return Claim("6", "LCM works on images", "Table 5", _versus(grids, plain_cells(grids, ("images",), "lcm"), "base"), in_paper=2)


def by_split(rows: list[dict], method: str, column: str = "val_accuracy") -> dict[int, list[float]]:
    """Split -> values of one column of the curves, in the order of epochs."""
    values: dict[int, list[float]] = {}
    for row in sorted(rows, key=lambda row: row["epoch"]):
        if row["method"] == method and row.get(column) is not None:
            values.setdefault(row["split"], []).append(row[column])
    return values


def last_epoch(rows: list[dict], method: str, column: str) -> dict[int, float]:
    """Split -> value of one column of the curves after the last epoch in which it was measured."""
    return {split: values[-1] for split, values in by_split(rows, method, column).items()}


def sweep_cells(grids: dict[str, Grid], study: str, method: str) -> list[Cell]:
    """Cells of a study in which only alpha, the stop epoch or epsilon vary, with the plain cell of the same data and training if
    there is one."""
    cells = [cell for cell in grids[study].cells if method in cell.methods and cell.state == DONE] if study in grids else []
    for cell in cells[:1]:
        plain = rival(grids, cell, method)
        if plain is not None and plain not in cells:
            cells = [*cells, plain]
    return cells


def _figure_3(grids: dict[str, Grid], curves: Curves) -> list[Claim]:
    by_alpha: dict[float, Cell] = {}
    for cell in [*sweep_cells(grids, "alpha", "lcm"), *sweep_cells(grids, "early_stop", "lcm")]:
        settings = cell.settings("lcm")
        if settings["stop_epoch"] is None and not settings["detach"]:
            by_alpha.setdefault(settings["alpha"], cell)
    low = by_alpha[min(by_alpha)] if len(by_alpha) > 1 else None
    high = by_alpha[max(by_alpha)] if len(by_alpha) > 1 else None

    def early(cell: Cell, method: str) -> dict[int, float]:
        return {s: sum(v[: math.ceil(len(v) / 4)]) / math.ceil(len(v) / 4) for s, v in by_split(curves(cell), method).items()}

    def drop(cell: Cell) -> dict[int, float]:
        return {s: max(v) - v[-1] for s, v in by_split(curves(cell), "lcm").items()}

    faster, worse, stopped = [], [], []
    for alpha, cell in sorted(by_alpha.items()):
        base = rival(grids, cell, "base")
        if base and (test := _test(cell, early(cell, "lcm"), early(base, "base"), "val")):
            faster.append(Comparison(f"first quarter of the epochs: LCM α = {alpha:g} − cross-entropy", test))
    if low and (test := _test(low, early(low, "lcm"), early(high, "lcm"), "val")):
        faster.append(Comparison(f"first quarter of the epochs: LCM α = {min(by_alpha):g} − α = {max(by_alpha):g}", test))
    if low and (test := _test(low, drop(low), drop(high), "val")):
        worse.append(Comparison(f"best − last validation accuracy: LCM α = {min(by_alpha):g} minus the same at α = {max(by_alpha):g}", test))
    for cell in sweep_cells(grids, "early_stop", "lcm"):
        settings = cell.settings("lcm")
        whole = by_alpha.get(settings["alpha"])
        if settings["stop_epoch"] is None or whole is None or data_differs(cell, whole):
            continue
        for of, where in (("test", "at the chosen epoch"), ("test_last", "after the last epoch")):
            if test := _test(cell, cell.scores("lcm", "accuracy", of), whole.scores("lcm", "accuracy", of)):
                what = f"test accuracy {where}: LCM α = {settings['alpha']:g} stopped after {settings['stop_epoch']} epochs − never stopped"
                stopped.append(Comparison(what, test))
    return [
        Claim("7a", "LCM learns faster at first, the more so the smaller α", "Fig. 3a; validation accuracy", faster),
        Claim("7b", "Too small an α over-fits: accuracy falls again", "Fig. 3a; validation accuracy", worse),
        Claim("7c", "Early stop of LCM makes up for a small α", "Fig. 3b", stopped),
    ]


SAME_STRENGTH = 0.02  # of mass on the true label: LCM's own target is that far from the mass of its uniform distribution


def as_strong(grids: dict[str, Grid], cell: Cell) -> Cell | None:
    """The label smoothing of the sweeps that is nearest in strength to an LCM cell and stops after the same epoch, or None."""
    settings, n_labels = cell.settings("lcm"), cell.record["n_labels"]
    mass = true_mass("lcm", settings["alpha"], n_labels)
    rivals = [
        (abs(true_mass("ls", other.settings("ls")["epsilon"], n_labels) - mass), other)
        for study in SWEEPS
        for other in sweep_cells(grids, study, "ls")
        if not data_differs(cell, other)
        and other.settings("ls").get("stop_epoch") == settings["stop_epoch"]
        and all(other.record["config"][key] == cell.record["config"][key] for key in ("train", "model"))
    ]
    distance, nearest = min(rivals, key=lambda rival: rival[0], default=(1.0, None))
    return nearest if distance <= SAME_STRENGTH else None


def _at_other_strengths(grids: dict[str, Grid]) -> Claim:
    cells = [cell for study in SWEEPS for cell in sweep_cells(grids, study, "lcm") if cell.varied and not cell.settings("lcm")["detach"]]
    comparisons = {}
    for cell in sorted(cells, key=lambda cell: -cell.settings("lcm")["alpha"]):
        alpha, stop, rival = cell.settings("lcm")["alpha"], cell.settings("lcm")["stop_epoch"], as_strong(grids, cell)
        if rival and (test := compare_cells(cell, "lcm", rival, "ls")):
            until = f", both until epoch {stop}" if stop is not None else ""
            what = f"{_name(cell)}: LCM α = {alpha:g} − label smoothing ε = {rival.settings('ls')['epsilon']:g}{until}"
            comparisons[what] = Comparison(what, of_paired(test), equal=bool(equivalent(test, EQUIVALENCE)))
    text = "LCM beats label smoothing of the same strength at other strengths too"
    return Claim("Q2", text, "α sweep and early stop", list(comparisons.values()))


def _similarity(grids: dict[str, Grid], curves: Curves) -> Claim:
    comparisons, notes = [], []
    for cell in plain_cells(grids, PAPER_STUDIES, "lcm"):
        labels = cell.record["labels"]
        if cell.noise or not label_space.has_groups(labels):
            continue
        rows = curves(cell)
        mass = last_epoch(rows, "lcm", "lcd_in_group")
        if mass and (test := _test(cell, mass, label_space.uniform_in_group(cell), "val")):
            comparisons.append(Comparison(f"{_name(cell)}: LCD mass on other labels of the group − that of a uniform one", test))
        groups = label_space.groups_of(labels)
        pairs = {split: label_space.within_and_between(e, groups) for split, e in label_space.embeddings(cell).items()}
        within, between = ({split: pair[side] for split, pair in pairs.items()} for side in (0, 1))
        if pairs and (test := _test(cell, within, between)):
            comparisons.append(Comparison(f"{_name(cell)}: cosine of label embeddings within groups − between groups", test, show=cosine, unit=""))
        if mass:
            notes.append(_describe(cell, rows))
    source = "“captures the dependency among labels”; Fig. 2"
    return Claim("Q3", "The confusion distribution (LCD) learns which labels are alike", source, comparisons, notes)


def _describe(cell: Cell, rows: list[dict]) -> str:
    def last(column: str) -> float:
        values = last_epoch(rows, "lcm", column).values()
        return sum(values) / len(values)

    c = cell.record["n_labels"]
    epsilon = cell.settings("ls_matched").get("epsilon")
    matched = f", matched label smoothing {1 - epsilon + epsilon / c:.3f}" if epsilon is not None else ""
    return (
        f"{_name(cell)}, after the last epoch: entropy of the LCD {last('lcd_entropy'):.2f} of at most {math.log(c):.2f} nats; "
        f"{100 * last('lcd_true'):.1f} % of it on the true label (uniform: {100 / c:.1f} %), {100 * last('lcd_in_group'):.1f} % on "
        f"the others of its group "
        f"(uniform: {100 * label_space.uniform_in_group(cell):.1f} %); {100 * last('lcd_label_share'):.0f} % of its variance lies "
        f"between labels, the rest "
        f"between documents of one label. LCM's target leaves {last('sld_true_mean'):.3f} on the true label, give or take "
        f"{last('sld_true_std'):.3f}{matched}."
    )


# -------------------------------------------------------------------------------------------------------------- answers


def answer(claims: list[Claim], grids: dict[str, Grid]) -> list[tuple[str, str]]:
    """The study in five lines, (question, answer), from the claims alone."""
    by_key = {claim.key: claim for claim in claims}
    improves = (f"With {name}? {_sentence(by_key[key])}" for key, name in (("1a", "LSTMs"), ("1b", "CNNs"), ("1c", "BERT")))
    similar = by_key["Q3"]
    words = similar.words
    counts = f"{words.count(FOR)} of {len(words)} tests speak for it, {words.count(AGAINST)} against, {words.count(OPEN)} are open"
    tests = f"{_YES_NO[similar.verdict]}: {counts}."
    rest = {
        "2": "lower spread", "4": "more gain on confusable labels", "5": "more gain under noise", "6": "images", "7a": "faster at first",
        "7b": "small α over-fits", "7c": "early stop helps",
    }  # fmt: skip
    cells = [cell for grid in grids.values() for cell in grid.cells]
    return [
        ("Does LCM beat plain cross-entropy?", " ".join(improves)),
        ("Does it beat label smoothing of the same strength?", f"{_sentence(by_key['Q1'])} At other strengths? {_sentence(by_key['Q2'])} And the paper’s smoothing, 0.1? {_sentence(by_key['3'])}"),
        ("Does its confusion distribution learn which labels are alike?", tests if words else "Not measured."),
        ("The paper’s other claims?", "; ".join(f"{name}: {by_key[key].headline()}" for key, name in rest.items()).capitalize() + "."),
        (
            "How much was measured?",
            f"{sum(cell.state == DONE for cell in cells)} of {len(cells)} cells. What was not run is named as such, and no number "
            f"of the paper stands in for ours.",
        ),
    ]


_YES_NO = {SUPPORTED: "Yes", NOT_SUPPORTED: "No", UNDECIDED: "Undecided", NOT_MEASURED: "Not measured"}


def _sentence(claim: Claim) -> str:
    if not claim.comparisons:
        return "Not measured."
    words, values = claim.words, [c.contrast.value for c in claim.comparisons]
    low, high = points(min(values)), points(max(values))
    spread = f"{low} to {high} points" if low != high else f"{low} points"
    where = f"in {words.count(FOR)} of {len(words)} cell{'s' * (len(words) > 1)}"
    same = f", equal in {words.count(EQUAL)}" if EQUAL in words else ""
    return (
        f"{_YES_NO[claim.verdict]}: better {where}, worse in {words.count(AGAINST)}{same}, undecided in {words.count(OPEN)} "
        f"({spread}, n = {claim.n}{claim.coverage()})."
    )
