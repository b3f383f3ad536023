"""Names for people: of corpora, models and methods; and all longer texts of the evidence, from texts.yaml."""

from importlib import resources

import yaml

from lcm.study import YARDSTICKS, target_facts


def read_yaml(name: str) -> dict:
    """The content of a file beside this one."""
    return yaml.safe_load(resources.files("lcm.evidence").joinpath(name).read_text(encoding="utf-8"))


TEXTS = read_yaml("texts.yaml")
SYMBOLS = {
    "alpha": "α = {}", "epsilon": "ε = {}", "beta": "β = {}", "rho": "ρ = {}",
    "stop_epoch": "until epoch {}", "detach": "detached target", "label_dim": "label embeddings of {}",
    "stop_resets_optimizer": "fresh Adam at the stop",
}  # fmt: skip
TUNED = "tuned"  # `ls.tuned`: no method of a study, but the choice among its strengths by validation


def listed(names: list[str]) -> str:
    """'a', 'a and b', 'a, b and c'; if a name has a comma, 'a; b, c and d; and e'."""
    if any(", " in name for name in names) and len(names) > 1:
        return "; ".join([*names[:-1], f"and {names[-1]}"])
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))


def model_name(model: str) -> str:
    return TEXTS["models"].get(model, (model,))[0]


def corpus_name(corpus: str) -> str:
    return TEXTS["corpora"].get(corpus, (corpus,))[0]


def setting_name(corpus: str, noise: float, model: str = "") -> str:
    """'20NG, 30 % wrong labels, LSTM-rand'."""
    parts = [corpus_name(corpus), f"{noise:g} % wrong labels" if noise else "", model_name(model) if model else ""]
    return ", ".join(filter(None, parts))


def method_name(method: str, short: bool = False) -> str:
    """'label smoothing', 'LCM, α = 0.5, until epoch 10', 'label smoothing, tuned'. short: 'LS' for the first part."""
    if method in YARDSTICKS:
        return YARDSTICKS[method]
    name, _, changes = method.partition(".")
    target = target_facts().get(name)
    if target is None:
        return method
    first = target.short if short or name == "lcm" else target.label
    pairs = [change.partition("=") for change in changes.split(",") if change]
    return ", ".join(
        [first, *(SYMBOLS.get(key, f"{key} = {{}}").format(value) if value else key for key, _, value in pairs)]
    )
