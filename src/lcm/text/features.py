"""Sentence features: the mean of a pre-trained encoder's last layer over the wordpieces of a text.

This is the pooling that MiniLM's sentence vectors were trained with (Reimers & Gurevych 2019).
"""

import hashlib
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from lcm.models.bert import pretrained_bert, weights_file

BATCH = 64


@torch.inference_mode()
def features(ids: np.ndarray, folder: Path) -> np.ndarray:
    """Return one vector a text, (n, h) float32; h is the encoder's size.

    ids: (n, T) integers, wordpieces from [CLS] on, then zeros. folder: of the encoder. Texts of like length go
    together, so that few pads are computed. Raises UserError if the weights cannot be read.
    """
    model = pretrained_bert(folder).eval()
    found = np.zeros((len(ids), model.config.hidden_size), np.float32)
    lengths = (ids != 0).sum(1)
    order = np.argsort(-lengths, kind="stable")
    for start in tqdm(range(0, len(ids), BATCH), "features", unit_scale=BATCH, unit="text", disable=None):
        rows = order[start : start + BATCH]
        tokens = torch.from_numpy(ids[rows, : lengths[rows[0]]]).long()
        real = (tokens != 0).float()
        states = model(input_ids=tokens, attention_mask=real).last_hidden_state
        found[rows] = ((states * real.unsqueeze(-1)).sum(1) / real.sum(1, keepdim=True)).numpy()
    return found


def digest(ids: np.ndarray, folder: Path) -> str:
    """Return a digest of what features are made from: wordpieces, the encoder's configuration and its weights.

    Not of the features themselves: another CPU rounds them differently, and no run is trained again for that.
    """
    found = hashlib.sha256(np.ascontiguousarray(ids).tobytes())
    for path in (folder / "config.json", weights_file(folder)):
        found.update(path.read_bytes())
    return found.hexdigest()[:16]
