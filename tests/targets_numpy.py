"""Every target once more, in float64 NumPy, written from its formula and sharing nothing with src/lcm/targets.

A form is a function of a `Case` that returns the loss of each sample, (B,), and the state after this step of training.
Arrays that end in `_stopped` stand where the formula stops the gradient: finite differences move only the others.
"""

from dataclasses import dataclass, field

import numpy as np


@dataclass
class Case:
    settings: dict
    z: np.ndarray  # (B, C) logits
    y: np.ndarray  # (B,) labels
    v: np.ndarray  # (B, d) text vectors
    i: np.ndarray  # (B,) samples
    weights: dict  # the target's parameters
    task: dict  # n_labels, epochs, groups, transition, held_out, keep, true_labels
    state: dict = field(default_factory=dict)
    epoch: int = 0

    def __post_init__(self):
        self.z_stopped, self.v_stopped = self.z.copy(), self.v.copy()
        self.weights_stopped = {name: weight.copy() for name, weight in self.weights.items()}

    @property
    def C(self):
        return self.z.shape[1]

    @property
    def p(self):
        return softmax(self.z)

    @property
    def p_stopped(self):
        return softmax(self.z_stopped)

    @property
    def p_y(self):
        return self.p[np.arange(len(self.y)), self.y]

    @property
    def onehot(self):
        return np.eye(self.C)[self.y]


def softmax(z):
    e = np.exp(z - z.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def fit(s, z):
    """Cross-entropy of a soft target, row by row."""
    return np.array(
        [-sum(s_k * np.log(p_k) for s_k, p_k in zip(row, p, strict=True)) for row, p in zip(s, softmax(z), strict=True)]
    )


def spread(c, rows, epsilon):
    """The soft target of strength epsilon whose mass off the label is shared out like `rows`."""
    s = np.zeros_like(c.z)
    for b, label in enumerate(c.y):
        others = [k for k in range(c.C) if k != label]
        total = sum(rows[b][k] for k in others)
        s[b, label] = 1 - epsilon * (c.C - 1) / c.C
        for k in others:
            s[b, k] = epsilon * (c.C - 1) / c.C * (rows[b][k] / total if total > 0 else 1 / (c.C - 1))
    return s


def ce(c):
    return -np.log(c.p_y), c.state


def ls(c):
    epsilon = c.settings["epsilon"]
    s = c.onehot * (1 - epsilon) + epsilon / c.C
    stop = c.settings["stop_epoch"]
    return fit(c.onehot if stop is not None and c.epoch >= stop else s, c.z), c.state


def lcm(c):
    if c.settings["stop_epoch"] is not None and c.epoch >= c.settings["stop_epoch"]:
        return -np.log(c.p_y), c.state
    w, v = (c.weights_stopped, c.v_stopped) if c.settings["detach"] else (c.weights, c.v)
    w = {name.removeprefix("confusion_model."): weight for name, weight in w.items()}
    labels = np.tanh(w["embedding.weight"] @ w["encoder.weight"].T + w["encoder.bias"])
    confusion = softmax(v @ labels.T @ w["confusion.weight"].T + w["confusion.bias"])
    s = softmax(c.settings["alpha"] * c.onehot + confusion)
    return (s * (np.log(s) - np.log(c.p))).sum(1), c.state


def square(c):
    return ((c.z - c.settings["size"] * c.onehot) ** 2).sum(1) / c.C, c.state


def confidence_penalty(c):
    return -np.log(c.p_y) - c.settings["beta"] * -(c.p * np.log(c.p)).sum(1), c.state


def gce(c):
    return (1 - c.p_y ** c.settings["q"]) / c.settings["q"], c.state


def sce(c):
    reverse = -(c.p * np.log(np.maximum(c.onehot, 1e-4))).sum(1)
    return c.settings["alpha"] * -np.log(c.p_y) + c.settings["beta"] * reverse, c.state


def bootstrap(c):
    beta = c.settings["beta"]
    p = c.p_stopped if c.settings["detach"] else c.p
    return fit(beta * c.onehot + (1 - beta) * p, c.z), c.state


def right_answers(c):
    """The state of online label smoothing after this batch: predictions of right answers by label."""
    state = {"table": c.state.get("table"), "right": {k: list(rows) for k, rows in c.state.get("right", {}).items()}}
    for label, p in zip(c.y, c.p_stopped, strict=True):
        if p.argmax() == label:
            state["right"].setdefault(label, []).append(p)
    return state


def class_means(state, n_labels):
    """What online label smoothing does at an epoch's end."""
    rows = [
        np.mean(state["right"][k], 0) if state["right"].get(k) else np.full(n_labels, 1 / n_labels)
        for k in range(n_labels)
    ]
    return {"table": np.array(rows)}


def ols(c):
    mix = c.settings["mix"]
    soft = fit(c.state["table"][c.y], c.z) if c.epoch else 0
    return mix * -np.log(c.p_y) + (1 - mix) * soft, right_answers(c)


def ols_fixed(c):
    rows = c.state["table"][c.y] if c.epoch else np.ones_like(c.z)
    return fit(spread(c, rows, c.settings["epsilon"]), c.z), right_answers(c)


def elr(c):
    memory, table = c.settings["memory"], dict(c.state)
    p, p_stopped = np.clip(c.p, 1e-4, 1 - 1e-4), np.clip(c.p_stopped, 1e-4, 1 - 1e-4)
    agreement = np.zeros(len(c.y))
    for b, sample in enumerate(c.i):
        t = memory * table.get(sample, np.zeros(c.C)) + (1 - memory) * p_stopped[b] / p_stopped[b].sum()
        table[sample], agreement[b] = t, t @ p[b]
    return -np.log(c.p_y) + c.settings["weight"] * np.log(1 - agreement), table


def ps_kd(c):
    a = c.settings["weight"] * (c.epoch + 1) / c.task["epochs"]
    memory, table, s = c.settings["memory"], dict(c.state), np.zeros_like(c.z)
    for b, sample in enumerate(c.i):
        s[b] = (1 - a) * c.onehot[b] + a * table.get(sample, c.onehot[b])
        table[sample] = memory * table[sample] + (1 - memory) * c.p_stopped[b] if sample in table else c.p_stopped[b]
    return fit(s, c.z), table


def seal(c):
    state = {"table": c.state.get("table", {}), "said": {i: list(rows) for i, rows in c.state.get("said", {}).items()}}
    for sample, p in zip(c.i, c.p_stopped, strict=True):
        state["said"].setdefault(sample, []).append(p)
    return fit(np.array([state["table"].get(i, y) for i, y in zip(c.i, c.onehot, strict=True)]), c.z), state


def label_embedding(c):
    beta, temperature, cap = c.settings["beta"], c.settings["temperature"], c.settings["cap"]
    second = c.v_stopped @ c.weights["head.weight"].T + c.weights["head.bias"]
    second_stopped = c.v_stopped @ c.weights_stopped["head.weight"].T + c.weights_stopped["head.bias"]
    own, own_stopped = c.weights["embedding"][c.y], c.weights_stopped["embedding"][c.y]
    p2_y = softmax(second)[np.arange(len(c.y)), c.y]
    losses = beta * -np.log(c.p_y) + (1 - beta) * fit(softmax(own_stopped), c.z)
    losses += -np.log(p2_y)
    losses += (second_stopped.argmax(1) == c.y) * fit(softmax(second_stopped / temperature), own)
    return losses + np.maximum(p2_y - cap, 0), c.state


def forward(c):
    return -np.log((c.p @ c.task["transition"])[np.arange(len(c.y)), c.y]), c.state


def vol_min(c):
    T = np.eye(c.C)
    for k in range(c.C):
        for j in range(c.C):
            if k != j:
                T[k, j] = 1 / (1 + np.exp(-10 * c.weights["slow"][k, j]))
    T /= T.sum(1, keepdims=True)
    likelihood = (c.p @ T)[np.arange(len(c.y)), c.y]
    return -np.log(likelihood) + c.settings["penalty"] * np.log(abs(np.linalg.det(T))), c.state


def posterior_lcm(c):
    symmetric = c.settings["matrix"] == "symmetric"
    evidence = np.exp(c.settings["alpha"] * c.onehot) if symmetric else c.task["transition"][:, c.y].T
    s = evidence * c.p_stopped ** c.settings["beta"]
    s /= s.sum(1, keepdims=True)
    return fit((1 - c.settings["smoothing"]) * s + c.settings["smoothing"] / c.C, c.z), c.state


def held_out_lcm(c):
    epsilon, rho = c.settings["epsilon"], c.settings["rho"]
    held_out = c.task["held_out"] ** (1 / c.task["temperature"])
    rows = (held_out / held_out.sum(1, keepdims=True))[c.i]
    if c.settings["whole"]:
        return fit((1 - epsilon) * c.onehot + epsilon * rows, c.z), c.state
    s = rho * spread(c, rows, epsilon) + (1 - rho) * spread(c, np.ones_like(rows), epsilon)
    return fit(s, c.z), c.state


def prune(c):
    return np.where(c.task["keep"][c.i], -np.log(c.p_y), 0), c.state


prune_window = prune  # what its held-out models read is no matter of the loss


def oracle_prune(c):
    return np.where(c.task["true_labels"][c.i] == c.y, -np.log(c.p_y), 0), c.state


def of_groups(c, prefers):
    rows = np.array([[float(prefers(k, y)) for k in range(c.C)] for y in c.y])
    epsilon, rho = c.settings["epsilon"], c.settings["rho"]
    return fit(rho * spread(c, rows, epsilon) + (1 - rho) * spread(c, np.ones_like(rows), epsilon), c.z), c.state


def oracle_group(c):
    groups = c.task["groups"]
    return of_groups(c, lambda k, y: groups[k] == groups[y])


def anti_group(c):
    groups = c.task["groups"]
    return of_groups(c, lambda k, y: groups[k] != groups[y])


def permuted_group(c):
    groups = c.task["shuffled_groups"]
    return of_groups(c, lambda k, y: groups[k] == groups[y])


ls_matched = ls


def end_epoch(name, state, n_labels):
    return class_means(state, n_labels) if name in ("ols", "ols_fixed") else state


def end_round(name, state):
    return {"table": {i: np.mean(rows, 0) for i, rows in state["said"].items()}} if name == "seal" else state
