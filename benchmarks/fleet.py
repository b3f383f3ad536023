"""Is a fleet worth it? R runs in lock-step against the same runs one after another.

The baseline is written here, independently: nn.LSTM, nn.Conv1d or transformers' BertModel in a plain loop, PyTorch's
fused Adam, data on the device, the same precision. Both do training steps only (forward, backward, Adam), of the
paper's sizes. On a CPU use small ones:

    python benchmarks/fleet.py --model lstm cnn bert

    python benchmarks/fleet.py --model lstm cnn --runs 3 --batch 16 --tokens 20 --vocabulary 500 --steps 5 --warm-up 2
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from lcm.models import Start, build, config_class
from lcm.models.dropout import seed_dropout
from lcm.params import Train
from lcm.targets import target_class
from lcm.training.fleet import WARM_UP, Fleet, Member

LABELS = 20


class PlainLstm(nn.Module):
    def __init__(self, vocabulary: int):
        super().__init__()
        self.embedding, self.lstm, self.output = nn.Embedding(vocabulary, 64), nn.LSTM(64, 64), nn.Linear(64, LABELS)

    def forward(self, tokens):
        return self.output(self.lstm(self.embedding(tokens.T))[1][0][0])


class PlainCnn(nn.Module):
    def __init__(self, vocabulary: int, widths: list[int]):
        super().__init__()
        self.embedding, self.output = nn.Embedding(vocabulary, 64), nn.Linear(100 * len(widths), LABELS)
        self.convolutions = nn.ModuleList(nn.Conv1d(64, 100, width) for width in widths)

    def forward(self, tokens):
        embedded = self.embedding(tokens).transpose(1, 2)
        return self.output(torch.cat([convolution(embedded).relu().amax(-1) for convolution in self.convolutions], 1))


class PlainBert(nn.Module):
    def __init__(self, config):
        super().__init__()
        from transformers import BertModel

        self.bert = BertModel(config, add_pooling_layer=False)
        self.dense, self.output = nn.Linear(config.hidden_size, 64), nn.Linear(64, LABELS)

    def forward(self, tokens):
        states = self.bert(input_ids=tokens, attention_mask=(tokens != 0).long()).last_hidden_state
        return self.output(self.dense(states[:, 0]).tanh())


def bert_config(vocabulary: int):
    from transformers import BertConfig

    return BertConfig(
        vocab_size=vocabulary, num_hidden_layers=2, hidden_size=128, num_attention_heads=2, intermediate_size=512
    )


def models(name: str, options: argparse.Namespace, folder: Path):
    """Return the keys of our model, how to make the plain one, and the FLOPs of training's matrix products for a token.

    A BERT's configuration is put into `folder`.
    """
    widths = [width for width in (3, 10, 25) if width <= options.tokens]
    text = {
        "vocabulary_size": options.vocabulary,
        "vocabulary_fit": "all",
        "maxlen": options.tokens,
        "truncation": "pre",
        "padding": "pre",
    }
    if name == "lstm":
        settings = {"encoder": "lstm", "embedding": 64, "hidden": 64, "mask": False, "init": "keras", **text}
        return settings, lambda: PlainLstm(options.vocabulary), 6 * 4 * 64 * (64 + 64)
    if name == "cnn":
        settings = {"encoder": "cnn", "embedding": 64, "filters": 100, "filter_sizes": widths, "init": "keras", **text}
        return settings, lambda: PlainCnn(options.vocabulary, widths), 6 * 64 * 100 * sum(widths)
    config = bert_config(options.vocabulary)
    config.save_pretrained(folder)
    per_layer = 12 * 128**2 + 2 * options.tokens * 128
    settings = {
        "encoder": "bert",
        "source": "none",
        "random": {"layers": 2, "hidden": 128},
        "hidden": 64,
        "init": "keras",
    }
    return settings, lambda: PlainBert(config), 6 * config.num_hidden_layers * per_layer


def steps_per_second(step, device: str, options: argparse.Namespace) -> float:
    """Steps a second, median of five rounds after a warm-up, in which a CUDA graph is captured."""
    wait = torch.cuda.synchronize if device == "cuda" else lambda: None
    for _ in range(max(options.warm_up, WARM_UP + 1)):
        step()
    rates = []
    for _ in range(5):
        wait()
        started = time.perf_counter()
        for _ in range(options.steps):
            step()
        wait()
        rates.append(options.steps / (time.perf_counter() - started))
    return statistics.median(rates)


def ceiling(device: str, precision: str) -> float:
    """FLOP/s of a large matrix product at this precision."""
    size = 8192 if device == "cuda" else 1024
    a, b = (
        torch.randn(size, size, device=device, dtype=torch.bfloat16 if precision == "bf16" else torch.float32)
        for _ in range(2)
    )
    rounds = argparse.Namespace(warm_up=3, steps=10 if device == "cuda" else 2)
    return 2 * size**3 * steps_per_second(lambda: a @ b, device, rounds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", nargs="+", choices=["lstm", "cnn", "bert"], default=["lstm", "cnn", "bert"])
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--tokens", type=int, default=100)
    parser.add_argument("--vocabulary", type=int, default=20000)
    parser.add_argument("--steps", type=int, default=50, help="steps in a round, of five")
    parser.add_argument("--warm-up", type=int, default=10)
    parser.add_argument("--precision", choices=["float32", "tf32", "bf16"], default="tf32", help="on a GPU")
    options = parser.parse_args()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    precision = options.precision if device == "cuda" else "float32"
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = precision != "float32"
    top = ceiling(device, precision)
    where = torch.cuda.get_device_name() if device == "cuda" else f"CPU, {torch.get_num_threads()} threads"
    print(f"{where}, PyTorch {torch.__version__}, {precision}: a large matrix product runs at {top / 1e12:.2f} TFLOP/s")
    print(f"{options.runs} runs, batch {options.batch}, {options.tokens} tokens; tokens/s are of all runs together")
    with tempfile.TemporaryDirectory() as folder:
        for name in options.model:
            compare(name, options, device, precision, top, Path(folder))


def compare(name: str, options: argparse.Namespace, device: str, precision: str, top: float, folder: Path) -> None:
    """Measure one model both ways and print a line."""
    settings, plain_model, flops = models(name, options, folder)
    rng = np.random.default_rng(0)
    n = options.batch * 8
    tokens, labels = (
        rng.integers(1, options.vocabulary, (n, options.tokens)).astype(np.int32),
        rng.integers(LABELS, size=(options.runs, n)),
    )
    batches = torch.from_numpy(rng.integers(n, size=(options.runs, options.batch))).to(device)

    members, own = [], config_class(settings["encoder"]).model_validate(settings)
    for seed in range(options.runs):
        torch.manual_seed(seed)
        predictor = build(own, LABELS, Start(folder=folder))
        seed_dropout(predictor, seed)
        members.append(Member(predictor, target_class("ce")(LABELS)))
    train = Train(epochs=1, batch_size=options.batch, lr=1e-3, adam_eps=1e-7, select="last")
    fleet = Fleet(members, tokens, labels, train, device, precision)
    fleet.member.train()
    step = fleet.captured_step if fleet.captures else fleet.step
    together = steps_per_second(lambda: step(batches), device, options)
    graph = "CUDA graph" if fleet.captures else "no CUDA graph"
    del fleet, members

    plain = plain_model().to(device).train()
    adam = torch.optim.Adam(plain.parameters(), lr=1e-3, eps=1e-7, fused=True)
    inputs, targets = torch.from_numpy(tokens).to(device).long(), torch.from_numpy(labels[0]).to(device)

    def plain_step():
        with torch.autocast(device, torch.bfloat16, enabled=precision == "bf16"):
            loss = F.cross_entropy(plain(inputs[batches[0]]), targets[batches[0]])
        adam.zero_grad()
        loss.backward()
        adam.step()

    alone = steps_per_second(plain_step, device, options) / options.runs  # steps that every run has taken
    tokens_a_step = options.runs * options.batch * options.tokens
    share = 100 * together * tokens_a_step * flops / top
    print(
        f"{name:5} fleet {together * tokens_a_step:.3g} tokens/s ({graph}, {share:.1f} % of the ceiling), "
        f"one after another {alone * tokens_a_step:.3g} tokens/s: ratio {together / alone:.2f}"
    )


if __name__ == "__main__":
    main()
