"""What the paper prints. Shown beside our numbers, never in their place."""

import json
from functools import cache
from importlib import resources


@cache
def _tables() -> dict:
    return json.loads(resources.files("lcm.evidence").joinpath("paper.json").read_text(encoding="utf-8"))


def paper_source() -> str:
    """The citation of the printed numbers."""
    return _tables()["source"]


# The paper's "BERT" is BERT-tiny for English and an ALBERT for Chinese corpora. Substitutes have no printed number.
_PRINTED_AS = {"bert_tiny": "bert", "albert_tiny_zh": "bert"}


def paper_labels(corpus: str) -> list[str] | None:
    """The labels of a subset as Table 2 lists them, or None for a corpus that is not in it."""
    return _tables()["table2_labels"].get(corpus)


def paper_accuracy(corpus: str, noise: float, model: str, method: str) -> tuple[float, float | None] | None:
    """(mean test accuracy in [0, 1], std or None where none is printed), or None where the paper has no number."""
    tables, found, model = _tables(), None, _PRINTED_AS.get(model, model)
    method = "base" if method == "ce" else method  # the file's name for cross-entropy
    if noise == 0:
        found = tables["table1_accuracy"].get(model, {}).get(corpus, {}).get(method)
        if found is None and model == "lstm_rand":  # Table 3 says only "LSTM"; -rand is the variant of the other tables
            found = tables["table3_accuracy"].get(corpus, {}).get(method)
        if found is None and model == "image_cnn":
            found = tables["table5_accuracy"].get(corpus, {}).get(method)
    if found is None and corpus == "20ng":
        found = tables["table4_accuracy_by_noise_percent"].get(model, {}).get(f"{noise:g}", {}).get(method)
    if found is None:
        return None
    return (found["mean"], found["std"]) if isinstance(found, dict) else (found, None)


def paper_settings() -> list[tuple[str, float, str]]:
    """Every (corpus, noise in percent, model) of which the paper prints LCM's accuracy, each once."""
    tables = _tables()
    found = [(corpus, 0, model) for model, row in tables["table1_accuracy"].items() for corpus in row]
    found += [(corpus, 0, "lstm_rand") for corpus in tables["table3_accuracy"]]
    rates = tables["table4_accuracy_by_noise_percent"]
    found += [("20ng", int(rate), model) for model, row in rates.items() for rate in row]
    found += [(corpus, 0, "image_cnn") for corpus in tables["table5_accuracy"]]
    bert = {"fdcnews": "albert_tiny_zh", "thucnews": "albert_tiny_zh"}
    return list(dict.fromkeys((c, n, bert.get(c, "bert_tiny") if m == "bert" else m) for c, n, m in found))
