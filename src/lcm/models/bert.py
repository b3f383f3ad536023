"""BERT (paper, "Choice of Basic Predictors"; authors' code): the vector of [CLS], made smaller.

Shapes: B batch, T wordpieces, h hidden.
"""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field
from torch import Tensor, nn

from lcm.errors import UserError
from lcm.models import ModelConfig, Start
from lcm.models.initialise import keras_linear
from lcm.schema import Count, Group

if TYPE_CHECKING:  # transformers takes seconds to import; a plan needs only the keys
    from transformers import PreTrainedConfig, PreTrainedModel

KINDS = {"bert": ("BertConfig", "BertModel"), "albert": ("AlbertConfig", "AlbertModel")}
WEIGHTS = ("model.safetensors", "pytorch_model.bin")


class RandomShape(Group):
    """An encoder's shape, for random weights."""

    layers: Count
    hidden: Annotated[int, Field(ge=64, multiple_of=64)]


class Config(ModelConfig):
    """source: a name below `encoders`. random: this shape with random weights in place of the source's."""

    family: str = "BERT"
    reads: Literal["wordpieces"] = "wordpieces"
    encoder: Literal["bert"]
    source: str
    random: RandomShape | None = None
    hidden: Count


class Encoder(nn.Module):
    """BERT or ALBERT -> last layer's vector of [CLS] (no pooler) -> dense -> tanh.

    Dropout is as in the encoder's own configuration.
    """

    def __init__(self, config: Config, start: Start):
        from lcm.models.attention import make_stateless

        super().__init__()
        self.vector_size = config.hidden
        self.bert = random_bert(start.folder, config.random) if config.random else pretrained_bert(start.folder)
        make_stateless(self.bert)
        self.dense = nn.Linear(self.bert.config.hidden_size, config.hidden)
        if config.init == "keras":
            keras_linear(self.dense)

    def forward(self, tokens: Tensor) -> Tensor:
        """tokens: (B, T) int64 wordpieces from [CLS] on, 0 is padding, after the text. Returns v: (B, h)."""
        if tokens.device.type == "cpu":  # to find the columns of pads, a GPU would have to be waited for
            tokens = tokens[:, : int((tokens != 0).any(0).nonzero().max()) + 1]
        return self.forward_stacked(tokens)

    def forward_stacked(self, tokens: Tensor) -> Tensor:
        """`forward` on all columns.

        Stacked runs have different columns of pads to leave out, and vmap cannot wait for them.
        """
        from lcm.models.attention import padding_mask

        states = self.bert(input_ids=tokens, attention_mask=padding_mask(tokens)).last_hidden_state
        return self.dense(states[:, 0]).tanh()


def read_config(folder: Path) -> "PreTrainedConfig":
    """Return the encoder's configuration.

    Raises UserError if config.json is missing, broken or of another architecture.
    """
    try:
        content = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError) as error:
        raise UserError(
            f"{folder}/config.json: cannot be read ({type(error).__name__}); get the encoder again"
        ) from None
    kind = content.get("model_type", "bert")  # older files do not say
    if kind not in KINDS:
        raise UserError(f"{folder}/config.json: is of a {kind}, expected {' or '.join(KINDS)}; name another encoder")
    return _class(kind, 0).from_dict(content)


def weights_file(folder: Path) -> Path | None:
    """Return the file with the encoder's weights, or None."""
    return next((folder / name for name in WEIGHTS if (folder / name).is_file()), None)


def pretrained_bert(folder: Path) -> "PreTrainedModel":
    """Return the encoder with the weights in `folder`, in float32. Nothing is downloaded and no object is unpickled.

    Raises UserError if weights are missing, unreadable or incomplete: a layer left at random would go unnoticed.
    """
    from transformers.utils import logging

    config = read_config(folder)
    if weights_file(folder) is None:
        raise UserError(f"{folder}: holds neither {' nor '.join(WEIGHTS)}; put the encoder's weights there")
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        model, found = _class(config.model_type, 1).from_pretrained(
            folder,
            config=config,
            add_pooling_layer=False,
            output_loading_info=True,
            local_files_only=True,
            weights_only=True,
        )
    except Exception as error:  # of safetensors, of PyTorch, of transformers
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:160]
        raise UserError(f"{weights_file(folder)}: cannot be read ({reason}); get the encoder again") from None
    if found["missing_keys"]:
        some = sorted(found["missing_keys"])[0]
        raise UserError(
            f"{weights_file(folder)}: has no weights for {len(found['missing_keys'])} layers ({some}, ...); get the "
            f"encoder again"
        )
    return model.float()


def random_bert(folder: Path, shape: RandomShape) -> "PreTrainedModel":
    """Return an encoder of this shape with random weights; the rest of its configuration is that in `folder`.

    Draws from PyTorch's global generator.
    """
    config = read_config(folder)
    config.num_hidden_layers, config.hidden_size = shape.layers, shape.hidden
    config.num_attention_heads, config.intermediate_size = (
        shape.hidden // 64,
        4 * shape.hidden,
    )  # as in all of Turc et al. (2019)
    return _class(config.model_type, 1)(config, add_pooling_layer=False)


def _class(kind: str, which: int) -> type:
    import transformers

    return getattr(transformers, KINDS[kind][which])
