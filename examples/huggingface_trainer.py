"""Label confusion learning with Hugging Face's Trainer: a tiny BERT tells the modules of SciPy by their docstrings.

    pip install 'lcm-study[bert]' accelerate scipy
    python examples/huggingface_trainer.py

`WithTarget` is all that LCM needs. For a model of your own replace `tiny_bert` by
AutoModelForSequenceClassification.from_pretrained(...), and the texts by yours. Nothing is downloaded.
"""

import argparse
import inspect
from importlib import import_module
from pathlib import Path

import torch
from tokenizers import BertWordPieceTokenizer
from torch import Tensor, nn
from transformers import BertConfig, BertForSequenceClassification, Trainer, TrainingArguments, set_seed

from lcm import LabelConfusion, Target, Task

MODULES = ("stats", "signal", "linalg", "optimize", "special")
LENGTH = 64  # wordpieces of a text


class WithTarget(nn.Module):
    """A classifier whose loss is a target of `lcm`.

    model: any that has `logits` among its outputs. output_layer: its last linear layer. The input of that layer, after
    dropout, is the text vector; the model's outputs lack it, so a hook takes it. For BERT and DistilBERT the layer is
    `model.classifier`, for RoBERTa `model.classifier.out_proj`.

    The target is a part of this module, so that optimiser, checkpoints and DistributedDataParallel find its weights.
    """

    def __init__(self, model: nn.Module, output_layer: nn.Linear, target: Target):
        super().__init__()
        self.model, self.target, self.vector = model, target, None
        output_layer.register_forward_pre_hook(self._keep)

    def _keep(self, layer: nn.Module, arguments: tuple[Tensor, ...]) -> None:
        (self.vector,) = arguments

    def forward(self, labels: Tensor | None = None, num_items_in_batch: Tensor | int | None = None, **inputs):
        """The model's outputs, with `loss` where there are labels.

        num_items_in_batch: the number of texts in all batches between two steps. The Trainer gives it in training and
        adds the losses of these batches up, so each loss must be its share of their mean.
        """
        outputs = self.model(**inputs)
        if labels is not None:
            loss = self.target(outputs.logits, labels, self.vector)
            if num_items_in_batch is not None:
                loss = loss * len(labels) / num_items_in_batch
            outputs["loss"] = loss
        return outputs


def documents() -> tuple[list[str], list[int]]:
    """Docstrings of SciPy's functions, and the number of their module in MODULES."""
    texts, labels = [], []
    for label, name in enumerate(MODULES):
        module = import_module(f"scipy.{name}")
        found = sorted({inspect.getdoc(getattr(module, each)) or "" for each in module.__all__})
        texts += [text for text in found if len(text) > 200]
        labels += [label] * (len(texts) - len(labels))
    return texts, labels


def encode(texts: list[str]) -> tuple[list[list[int]], int]:
    """Wordpieces of texts, from a vocabulary made of these very texts; and its size."""
    tokenizer = BertWordPieceTokenizer()
    tokenizer.train_from_iterator(texts, vocab_size=4000, show_progress=False)
    tokenizer.enable_truncation(LENGTH)
    tokenizer.enable_padding(length=LENGTH)
    return [encoding.ids for encoding in tokenizer.encode_batch(texts)], tokenizer.get_vocab_size()


def tiny_bert(vocabulary: int) -> BertForSequenceClassification:
    """Random weights, two layers."""
    config = BertConfig(
        vocab_size=vocabulary, hidden_size=64, num_hidden_layers=2, num_attention_heads=2, intermediate_size=128,
        max_position_embeddings=LENGTH, num_labels=len(MODULES),
    )  # fmt: skip
    return BertForSequenceClassification(config)


def train(out: Path, epochs: float, accumulate: int) -> float:
    """Train, save the model without LCM to `out`, load it again. Returns its accuracy on a fifth of the documents."""
    set_seed(0)
    texts, labels = documents()
    ids, vocabulary = encode(texts)
    rows = [
        {"input_ids": torch.tensor(row), "attention_mask": torch.tensor(row).ne(0).long(), "labels": label}
        for row, label in zip(ids, labels, strict=True)
    ]
    rows = [rows[index] for index in torch.randperm(len(rows))]
    n = len(rows) // 5

    bert = tiny_bert(vocabulary)
    target = LabelConfusion(Task(n_labels=len(MODULES), vector_size=bert.classifier.in_features), alpha=4.0)
    arguments = TrainingArguments(
        output_dir=str(out / "checkpoints"), num_train_epochs=epochs, per_device_train_batch_size=32 // accumulate,
        gradient_accumulation_steps=accumulate, learning_rate=5e-4, save_strategy="no", report_to=[],
        disable_tqdm=True, dataloader_pin_memory=torch.cuda.is_available(),
        remove_unused_columns=False,  # else the Trainer drops columns that WithTarget.forward does not name
    )  # fmt: skip
    trainer = Trainer(model=WithTarget(bert, bert.classifier, target), args=arguments, train_dataset=rows[n:])
    trainer.train()
    bert.save_pretrained(out)  # the classifier alone: no weight of LCM in the file

    alone = BertForSequenceClassification.from_pretrained(out).eval()
    batch = {name: torch.stack([row[name] for row in rows[:n]]) for name in ("input_ids", "attention_mask")}
    with torch.no_grad():
        predicted = alone(**batch).logits.argmax(-1)
    return float((predicted == torch.tensor([row["labels"] for row in rows[:n]])).float().mean())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=float, default=10, help="passes over the training part (default: 10)")
    parser.add_argument("--accumulate", type=int, default=2, help="batches between two steps (default: 2)")
    parser.add_argument("--out", type=Path, default=Path("bert-lcm"), help="folder for the model (default: bert-lcm)")
    given = parser.parse_args()
    print(f"accuracy {train(given.out, given.epochs, given.accumulate):.3f}; saved to {given.out}")


if __name__ == "__main__":
    main()
