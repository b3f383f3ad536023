"""Which results may be compared, which strengths belong together, and how a result finds its rivals."""

import json
import math
from collections.abc import Iterable
from dataclasses import replace
from functools import cache, cached_property

import numpy as np

from lcm.evidence.names import TUNED
from lcm.evidence.results import Result, Study, fullest, grouped
from lcm.evidence.statistics import Paired, paired
from lcm.study import LINEAR, target_facts


def same_data(a: Result, b: Result) -> bool:
    """Whether two finished cells saw the same corpus, sizes of the parts and wrong labels."""
    rates = [result.record.get("realised_noise") or [] for result in (a, b)]
    common = min(map(len, rates))  # a list over splits, and one of the two may have more of them
    parts = [[result.record.get(key) for key in ("corpus_digest", "sizes")] for result in (a, b)]
    return parts[0] == parts[1] and rates[0][:common] == rates[1][:common]


def compare(a: Result, b: Result, metric: str = "accuracy", of: str = "test") -> Paired | None:
    """The paired difference a - b over the splits and seeds on which both finished.

    None if either has no result, or if the two did not see the same data (edition, sizes or noise differ).
    """
    if not (a.done and b.done and same_data(a, b)):
        return None
    x, y = a.scores(metric, of), b.scores(metric, of)
    return paired(x, y, a.widening()) if x.keys() & y.keys() else None


def same_training(a: Result, b: Result) -> bool:
    """Whether two finished cells trained one model in one way on the same data: only the method may differ."""
    configs = [result.record["config"] for result in (a, b)]
    return (
        a.setting == b.setting
        and same_data(a, b)
        and all(configs[0].get(key) == configs[1].get(key) for key in ("train", "model", "noise"))
    )


def tuned(candidates: Iterable[Result]) -> Result | None:
    """A result made of one target's results at several strengths, chosen by the accuracy on the validation part.

    On a split where all strengths were run: the best there, compared over the seeds that all have. On a split where
    some were: the one that is best over the splits with all, if it is there (strengths may be screened on a few
    splits).
    Nothing is trained for it, and the test part has no say. None with fewer than two strengths.
    The record's `chosen` says the method by split, `tried` which ones there were.
    """
    candidates = [result for result in candidates if result.done]
    if len(candidates) < 2:
        return None
    validation = [result.scores("val_accuracy", "run") for result in candidates]
    splits = [{split for split, _ in scores} for scores in validation]
    everywhere = set.intersection(*splits)

    def seeds(split: int, index: int) -> set[int]:
        return {seed for s, seed in validation[index] if s == split}

    def best(among: set[int]) -> int:
        shared = set.intersection(*(set(scores) for scores in validation))
        places = sorted((split, seed) for split, seed in shared if split in among)
        return max(range(len(candidates)), key=lambda i: np.mean([validation[i][p] for p in places]) if places else 0.0)

    overall, runs, chosen = best(everywhere), [], {}
    for split in sorted(everywhere | splits[overall]) if everywhere else ():
        index = best({split}) if split in everywhere else overall
        shared = set.intersection(*(seeds(split, i) for i in range(len(candidates)) if split in splits[i]))
        chosen[split] = candidates[index].method
        runs += [run for run in candidates[index].runs if run["split"] == split and run["seed"] in shared]
    if not runs:
        return None
    first = candidates[0]
    record = first.record | {"runs": runs, "settings": {}, "chosen": chosen, "tried": [r.method for r in candidates]}
    record.pop("confusion_matrix", None)
    cell = replace(first.cell, method=f"{first.target}.{TUNED}")
    return replace(first, cell=cell, record=record, lacking=0, parts=tuple(candidates))


def strengths(results: Iterable[Result]) -> list[Result]:
    """Of one target's finished results, the plain one and those that differ from it only in a key of its grid."""
    results = [result for result in results if result.done]
    if not results or results[0].model == LINEAR:
        return []
    keys = {key for setting in target_facts()[results[0].target].grid for key in setting}
    plain = [{key: value for key, value in r.settings.items() if key not in keys and value} for r in results]
    usual = next((rest for result, rest in zip(results, plain, strict=True) if not result.varied), plain[0])
    both = zip(results, plain, strict=True)
    alike = [result for result, rest in both if rest == usual and same_training(result, results[0])]
    # `ls` and `ls.epsilon=0.1` are one.
    by_value = grouped(alike, lambda result: tuple(result.settings.get(key) for key in sorted(keys)))
    return [fullest(of) for of in by_value.values()]


def true_mass(target: str, settings: dict, n_labels: int) -> float | None:
    """What the training target leaves on the true label; None for a target that has no such constant.

    Label smoothing: 1 - epsilon + epsilon / C. LCM: e^alpha / (e^alpha + C - 1), for a uniform confusion distribution.
    """
    if target == "lcm":
        return 1 / (1 + (n_labels - 1) * math.exp(-settings["alpha"]))
    if target in ("ce", "ls", "ls_matched"):
        epsilon = settings.get("epsilon", 0.0)
        return 1 - epsilon + epsilon / n_labels
    return None


class Evidence(dict[str, Study]):
    """Studies by name, in the order of the page, and look-ups across them.

    Where two studies have the same cell (data, model, training, method), both show the runs of the one that has more.
    Results never change, so what is asked again is remembered: the page asks for the same rankings many times.
    """

    __hash__ = object.__hash__

    def __init__(self, studies: Iterable[Study]):
        studies = list(studies)
        done = (result for study in studies for result in study.results if result.done)
        by_content = grouped(done, _content)

        def full(result: Result) -> Result:
            other = fullest(by_content[_content(result)]) if result.done else result
            cell = replace(other.cell, study=result.study)
            return result if other is result else replace(other, cell=cell, read_from=other.cell, lacking=0)

        super().__init__((s.name, replace(s, results=tuple(map(full, s.results)))) for s in studies)

    def results(self, studies: Iterable[str] | None = None) -> list[Result]:
        """Finished results, of these studies or of all."""
        names = self if studies is None else [name for name in studies if name in self]
        return [result for name in names for result in self[name].results if result.done]

    def plain(self, method: str, studies: Iterable[str] | None = None) -> list[Result]:
        """Finished results of a method, one a setting: where it stands first."""
        found = (result for result in self.results(studies) if result.method == method)
        return [of[0] for of in grouped(found, lambda result: result.setting).values()]

    def rival(self, result: Result, method: str) -> Result | None:
        """Another method on the same data, model and training: of the same study, or the first of another."""
        if method.endswith(f".{TUNED}"):
            return self.tuned(result, method.partition(".")[0])
        return next((other for other in self._alike(result) if other.method == method), None)

    @cache  # noqa: B019 (there is one Evidence in a process)
    def versions(self, result: Result, target: str) -> list[Result]:
        """All finished results of a target on the same data, model and training, each method once."""
        found = (other for other in self._alike(result) if other.target == target)
        return [fullest(of) for of in grouped(found, lambda other: other.method).values()]

    def _alike(self, result: Result) -> list[Result]:
        """All finished results that differ from `result` in the method at most, those of its own study first."""
        found = [other for other in self._by_setting.get(result.setting, ()) if same_training(result, other)]
        return sorted(found, key=lambda other: other.study != result.study)

    @cached_property
    def _by_setting(self) -> dict[tuple, list[Result]]:
        return grouped(self.results(), lambda result: result.setting)

    @cache  # noqa: B019
    def tuned(self, result: Result, target: str) -> Result | None:
        """A target with its strength chosen on the validation part, on the data of `result`.

        Label smoothing, which the others are measured by, may also choose the matched strength, or none: cross-entropy.
        """
        grid, found = target_facts()[target].grid, strengths(self.versions(result, target))
        known = [r for r in found if any(r.settings.items() >= point.items() for point in grid)]
        if target == "ls" and len(known) > 1:
            known += [other for method in ("ls_matched", "ce") if (other := self.rival(result, method))]
        return tuned(known)


def _content(result: Result) -> str:
    """What tells results with the same numbers from others: setting, method, data and all parameters."""
    parts = [result.setting, result.method, result.record["corpus_digest"], result.record["config"]]
    return json.dumps(parts, sort_keys=True)
