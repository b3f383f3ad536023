"""transformers' BERT and ALBERT made fit for fleets: stateless dropout, and an attention of operations that
`torch.vmap` can map.
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
    """softmax(QK^T * scaling + mask) V with the module's own dropout on the weights.

    query, key, value: (B, heads, T, size). attention_mask: (B, 1, 1, T) to add, or None. Returns (B, T, heads, size)
    and the weights (B, heads, T, T).
    """
    scores = query @ key.transpose(-1, -2) * scaling
    weights = (scores if attention_mask is None else scores + attention_mask).softmax(-1)
    dropout = (
        module.attention_dropout if hasattr(module, "attention_dropout") else module.dropout
    )  # ALBERT's name, BERT's name
    return (dropout(weights) @ value).transpose(1, 2).contiguous(), weights


def padding_mask(tokens: Tensor) -> Tensor:
    """What to add to attention's scores so that nobody looks at the pads (id 0) of tokens (B, T): (B, 1, 1, T) float32.

    Given to BertModel as it is: transformers passes a mask of four dimensions on, and asks the device nothing about it.
    """
    return torch.zeros_like(tokens, dtype=torch.float32).masked_fill(tokens == 0, torch.finfo(torch.float32).min)[
        :, None, None
    ]


def make_stateless(model: PreTrainedModel) -> None:
    """Replace the model's dropout and attention; its weights stay as they are."""
    AttentionInterface.register(NAME, attention)
    AttentionMaskInterface.register(
        NAME, eager_mask
    )  # without it transformers would drop a mask of two dimensions in silence
    model.config._attn_implementation = NAME
    for module in list(model.modules()):
        for name, child in module.named_children():
            if isinstance(child, nn.Dropout):
                setattr(module, name, Dropout(child.p))
