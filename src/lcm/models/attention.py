"""Makes transformers' BERT and ALBERT fit for fleets.

Their dropout becomes stateless, and their attention is made of operations that `torch.vmap` can map.
"""

import torch
from torch import Tensor, nn
from transformers import AttentionInterface, AttentionMaskInterface, PreTrainedModel
from transformers.masking_utils import eager_mask

from lcm.models.dropout import Dropout

NAME = "lcm_eager"


def attention(
    module: nn.Module, query: Tensor, key: Tensor, value: Tensor, attention_mask: Tensor | None, scaling: float, **_
) -> tuple[Tensor, Tensor]:
    """Return softmax(QK^T * scaling + mask) V, with the module's own dropout on the weights.

    query, key, value: (B, heads, T, size). attention_mask: (B, 1, 1, T), is added, or None. Returns (B, T, heads, size)
    and the weights (B, heads, T, T).
    """
    scores = query @ key.transpose(-1, -2) * scaling
    weights = (scores if attention_mask is None else scores + attention_mask).softmax(-1)
    dropout = (
        module.attention_dropout if hasattr(module, "attention_dropout") else module.dropout
    )  # ALBERT's name, BERT's name
    return (dropout(weights) @ value).transpose(1, 2).contiguous(), weights


def padding_mask(tokens: Tensor) -> Tensor:
    """Return what is added to attention's scores so that no token attends to pads (id 0): (B, 1, 1, T) float32.

    tokens: (B, T). transformers passes a mask of four dimensions on as it is, and asks the device nothing about it.
    """
    return torch.zeros_like(tokens, dtype=torch.float32).masked_fill(tokens == 0, torch.finfo(torch.float32).min)[
        :, None, None
    ]


def make_stateless(model: PreTrainedModel) -> None:
    """Replace the model's dropout and attention. Its weights stay as they are."""
    AttentionInterface.register(NAME, attention)
    AttentionMaskInterface.register(
        NAME, eager_mask
    )  # without it transformers would drop a mask of two dimensions in silence
    model.config._attn_implementation = NAME
    for module in list(model.modules()):
        for name, child in module.named_children():
            if isinstance(child, nn.Dropout):
                setattr(module, name, Dropout(child.p))
