"""BERT (paper, "Choice of Basic Predictors"; authors' code): the vector of [CLS], made smaller. Shapes: B batch, T wordpieces, h hidden."""

import json
from pathlib import Path

from torch import Tensor, nn
from transformers import AlbertConfig, AlbertModel, BertConfig, BertModel
from transformers.utils import logging

from lcm.errors import UserError
from lcm.models.initialise import keras_linear
from lcm.params import RandomBert

KINDS = {"bert": (BertConfig, BertModel), "albert": (AlbertConfig, AlbertModel)}
WEIGHTS = ("model.safetensors", "pytorch_model.bin")


class BertEncoder(nn.Module):
    """BERT or ALBERT -> last layer's vector of [CLS] (no pooler) -> dense -> tanh. Dropout as in the encoder's own configuration."""

    def __init__(self, folder: Path, random: RandomBert | None, hidden: int, init: str):
        super().__init__()
        self.vector_size = hidden
        self.bert = random_bert(folder, random) if random else pretrained_bert(folder)
        self.dense = nn.Linear(self.bert.config.hidden_size, hidden)
        if init == "keras":
            keras_linear(self.dense)

    def forward(self, tokens: Tensor) -> Tensor:
        """tokens: (B, T) int64 wordpieces from [CLS] on, 0 is padding, after the text. Returns v: (B, h)."""
        if tokens.device.type == "cpu":  # to find the columns of pads, a GPU would have to be waited for
            tokens = tokens[:, : int((tokens != 0).any(0).nonzero().max()) + 1]
        states = self.bert(input_ids=tokens, attention_mask=(tokens != 0).long()).last_hidden_state
        return self.dense(states[:, 0]).tanh()


def read_config(folder: Path) -> BertConfig | AlbertConfig:
    """The encoder's configuration (config.json). Raises UserError if it is missing, broken or of another architecture."""
    try:
        content = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError) as error:
        raise UserError(f"{folder}/config.json: cannot be read ({type(error).__name__}); get the encoder again") from None
    kind = content.get("model_type", "bert")  # older files do not say
    if kind not in KINDS:
        raise UserError(f"{folder}/config.json: is of a {kind}, expected {' or '.join(KINDS)}; name another encoder")
    return KINDS[kind][0].from_dict(content)


def weights_file(folder: Path) -> Path | None:
    """The file with the encoder's weights, or None."""
    return next((folder / name for name in WEIGHTS if (folder / name).is_file()), None)


def pretrained_bert(folder: Path) -> BertModel | AlbertModel:
    """The encoder with the weights in `folder`, in float32. Nothing is downloaded and nothing unpickled (a .bin file as weights only).

    Raises UserError if they are missing, cannot be read or are not all there: a layer left at random would go unnoticed.
    """
    config = read_config(folder)
    if weights_file(folder) is None:
        raise UserError(f"{folder}: holds neither {' nor '.join(WEIGHTS)}; put the encoder's weights there")
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        model, found = KINDS[config.model_type][1].from_pretrained(
            folder, config=config, add_pooling_layer=False, output_loading_info=True, local_files_only=True, weights_only=True
        )  # fmt: skip
    except Exception as error:  # of safetensors, of PyTorch, of transformers
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:160]
        raise UserError(f"{weights_file(folder)}: cannot be read ({reason}); get the encoder again") from None
    if found["missing_keys"]:
        some = sorted(found["missing_keys"])[0]
        raise UserError(f"{weights_file(folder)}: has no weights for {len(found['missing_keys'])} layers ({some}, ...); get the encoder again")
    return model.float()


def random_bert(folder: Path, shape: RandomBert) -> BertModel | AlbertModel:
    """An encoder of this shape with random weights; the rest of its configuration is that in `folder`. Draws from PyTorch's global generator."""
    config = read_config(folder)
    config.num_hidden_layers, config.hidden_size = shape.layers, shape.hidden
    config.num_attention_heads, config.intermediate_size = shape.hidden // 64, 4 * shape.hidden  # as in all of Turc et al. (2019)
    return KINDS[config.model_type][1](config, add_pooling_layer=False)
