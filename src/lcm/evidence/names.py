"""Names for people: of corpora, models and methods, and a line about each for the glossary."""

from lcm.study import YARDSTICKS
from lcm.targets import target_class, target_names

MODELS = {
    "lstm_rand": ("LSTM-rand", "an LSTM on word embeddings that start at random; reads the last 100 tokens"),
    "lstm_pre": ("LSTM-pre", "the same LSTM on pre-trained GloVe vectors"),
    "lstm_own": ("LSTM-own", "the same LSTM on word vectors of the corpus itself; not in the paper"),
    "lstm_rand_post": ("LSTM-rand, padded behind", "LSTM-rand with the padding behind the text"),
    "lstm_rand_head": ("LSTM-rand, first 100 tokens", "LSTM-rand that reads the beginning of a text"),
    "cnn_rand": ("CNN-rand", "a convolutional network on word embeddings that start at random"),
    "cnn_pre": ("CNN-pre", "the same network on pre-trained GloVe vectors"),
    "cnn_own": ("CNN-own", "the same network on word vectors of the corpus itself; not in the paper"),
    "bag": ("bag", "the mean of the word embeddings and one linear layer, as fastText; seconds a run"),
    "bag_small": ("bag", "the mean of the word embeddings and one linear layer, as fastText; small"),
    "bert_tiny": ("BERT-tiny", "the paper’s pre-trained encoder for English, two layers"),
    "albert_tiny_zh": ("ALBERT-tiny", "the paper’s pre-trained encoder for Chinese"),
    "minilm": ("MiniLM", "a pre-trained encoder of six layers, in place of BERT-tiny; not in the paper"),
    "image_cnn": ("image CNN", "a small convolutional network for images of 28 × 28 pixels"),
    "image_cnn_small": ("image CNN", "a small convolutional network for images of 8 × 8 pixels"),
    "linear": ("TF-IDF, linear", "a linear model on TF-IDF, fitted in seconds: the yardstick"),
}
CORPORA = {
    "20ng": ("20NG", "20 Newsgroups, 18,846 English posts in 20 groups such as comp.graphics"),
    "20ng_raw": ("20NG, whole posts", "20 Newsgroups with all header lines"),
    "20ng_stripped": ("20NG, stripped", "20 Newsgroups without headers, quotes and signatures"),
    "8ng-h": ("8NG-H", "eight groups of 20 Newsgroups that are easily confused (h: hard)"),
    "8ng-e": ("8NG-E", "eight groups of 20 Newsgroups that are distinct (e: easy)"),
    "4ng-h": ("4NG-H", "four groups of 20 Newsgroups that are easily confused: rec.*"),
    "4ng-e": ("4NG-E", "four groups of 20 Newsgroups that are distinct"),
    "ag_news": ("AG’s News", "short English news in four classes"),
    "ag_news_tokens": ("AG’s News, token edition", "AG’s News as lower-cased tokens, an altered edition"),
    "ag_news_original_case": ("AG’s News, partial", "the part of AG’s News that is at hand with its capital letters"),
    "noisy_ag_news": ("NoisyAG-News", "AG’s News with one crowd worker’s labels, a fifth of them wrong"),
    "dbpedia": ("DBPedia", "first paragraphs of English Wikipedia articles in 14 classes"),
    "dbpedia_fragment": ("DBPedia, fragment", "the part of DBPedia that is at hand"),
    "fdcnews": ("FDCNews", "Fudan University’s Chinese texts in 20 very unequal classes"),
    "thucnews": ("THUCNews", "Chinese news in 13 classes"),
    "thucnews_titles": ("THUCNews, headlines", "the headlines of THUCNews alone, an altered edition"),
    "mnist": ("MNIST", "handwritten digits"),
    "fashion_mnist": ("Fashion-MNIST", "pictures of clothes in ten classes"),
    "pydocs": ("pydocs", "docstrings of the installed Python packages, labelled by module"),
    "digits": ("digits", "small handwritten digits that come with scikit-learn"),
}
# What stands in for the paper's corpora and encoders. Never counted as the thing itself.
EDITIONS = {
    "ag_news_tokens": "ag_news", "ag_news_original_case": "ag_news", "dbpedia_fragment": "dbpedia",
    "thucnews_titles": "thucnews",
}  # fmt: skip
SUBSTITUTES = {"minilm": "bert_tiny", "lstm_own": "lstm_pre", "cnn_own": "cnn_pre"}
SYMBOLS = {
    "alpha": "α = {}", "epsilon": "ε = {}", "beta": "β = {}", "rho": "ρ = {}", "gamma": "γ = {}",
    "stop_epoch": "until epoch {}", "detach": "detached target", "label_dim": "label embeddings of {}",
    "stop_resets_optimizer": "fresh Adam at the stop",
}  # fmt: skip
TUNED = "tuned"  # `ls.tuned`: no method of a study, but the choice among its strengths by validation


def model_name(model: str) -> str:
    return MODELS.get(model, (model,))[0]


def corpus_name(corpus: str) -> str:
    return CORPORA.get(corpus, (corpus,))[0]


def setting_name(corpus: str, noise: float, model: str = "") -> str:
    """'20NG, 30 % wrong labels, LSTM-rand'."""
    parts = [corpus_name(corpus), f"{noise:g} % wrong labels" if noise else "", model_name(model) if model else ""]
    return ", ".join(filter(None, parts))


def method_name(method: str, short: bool = False) -> str:
    """'label smoothing', 'LCM, α = 0.5, until epoch 10', 'label smoothing, tuned'. short: 'LS' for the first part."""
    if method in YARDSTICKS:
        return YARDSTICKS[method]
    name, _, changes = method.partition(".")
    if name not in target_names():
        return method
    target = target_class(name)
    first = target.short if short or name == "lcm" else target.label
    pairs = [change.partition("=") for change in changes.split(",") if change]
    return ", ".join(
        [first, *(SYMBOLS.get(key, f"{key} = {{}}").format(value) if value else key for key, _, value in pairs)]
    )
