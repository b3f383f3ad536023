"""Epochs per second on this machine's CPU: LSTM-rand in Keras, all cores on one run, against ours, one run a core.

    python benchmarks/keras_lstm.py                             # ours
    path/to/another/venv/bin/python benchmarks/keras_lstm.py    # Keras, where `pip install tensorflow-cpu` was run

Data of 20NG's shape: 13192 training documents of 100 tokens, 20000 words, 20 labels, batch 128; training alone, no
evaluation. Run it on an idle machine.
"""

import importlib.util
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

DOCUMENTS, TOKENS, WORDS, LABELS, BATCH, SIZE, EPOCHS = 13192, 100, 20000, 20, 128, 64, 6


def data() -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.RandomState(0)
    frequency = 1 / np.arange(1, WORDS)  # Zipf's
    tokens = 1 + generator.choice(WORDS - 1, (DOCUMENTS, TOKENS), p=frequency / frequency.sum())
    return tokens.astype(np.int32), generator.randint(0, LABELS, DOCUMENTS)


def keras_epochs() -> list[float]:
    """Wall seconds of each epoch but the first."""
    import keras

    model = keras.Sequential([
        keras.layers.Embedding(WORDS, SIZE),
        keras.layers.LSTM(SIZE),
        keras.layers.Dense(LABELS, activation="softmax"),
    ])  # fmt: skip
    model.compile("adam", "sparse_categorical_crossentropy")
    tokens, labels = data()
    return timed(lambda: model.fit(tokens, labels, batch_size=BATCH, verbose=0), EPOCHS)[1:]


def our_epochs(method: str) -> list[float]:
    """The same of one of our runs, in one thread."""
    import torch

    from lcm.models import build
    from lcm.params import load_params
    from lcm.targets import Task, target_class
    from lcm.training.fleet import Fleet, Member

    torch.set_num_threads(1)
    params = load_params(Path(__file__).parent.parent / "params.yaml")
    predictor = build(params.model("lstm_rand"), LABELS)
    tokens, labels = data()
    member = Member(predictor, target_class(method)(Task(LABELS, SIZE)))
    fleet = Fleet([member], tokens, labels[None].astype(np.int64), params.train, "cpu", "float32")
    order = np.random.RandomState(0).permutation(DOCUMENTS)[None]
    return timed(lambda: fleet.train_epoch(order), EPOCHS)[1:]


def timed(epoch, times: int) -> list[float]:
    seconds = []
    for _ in range(times):
        started = time.perf_counter()
        epoch()
        seconds.append(time.perf_counter() - started)
    return seconds


def main() -> None:
    if len(sys.argv) > 1:  # one of our runs, for its parent
        print(*our_epochs(sys.argv[1]))
        return
    if importlib.util.find_spec("keras"):
        report("Keras, one run on all cores", keras_epochs(), 1)
        return
    from lcm.training.pool import WORKER_ENVIRONMENT, workers

    cores = workers(0, "cpu")
    for method in ("ce", "lcm"):
        command = [sys.executable, __file__, method]
        runs = [
            subprocess.Popen(command, env=os.environ | WORKER_ENVIRONMENT, stdout=subprocess.PIPE, text=True)
            for _ in range(cores)
        ]
        seconds = [float(word) for run in runs for word in run.communicate()[0].split()]
        report(f"ours, {method}, {cores} runs at once", seconds, cores)


def report(what: str, seconds: list[float], runs: int) -> None:
    median = statistics.median(seconds)
    print(f"{what}: {median:.2f} s an epoch of a run (fastest {min(seconds):.2f}): {runs / median:.3f} run-epochs/s")


if __name__ == "__main__":
    main()
