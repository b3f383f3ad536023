"""The mutants of mutants.py: small mistakes, each of which would change a number of the study or what is said of it."""

from mutants import Mutant

MUTANTS: list[Mutant] = []


def of(file: str, tests: str, *mutants: tuple[str, str, str]) -> None:
    """Mutants of a file of src/lcm: name, old text, new text."""
    MUTANTS.extend(Mutant(name, f"src/lcm/{file}", old, new, tuple(tests.split())) for name, old, new in mutants)


# ------------------------------------------------------------------------------------------------------------- training

of(
    "training/evaluation.py", "test_evaluation.py test_metrics.py",
    ("ece_cancels", "np.abs(gap).sum() / len", "np.abs(gap.sum()) / len"),
    ("ece_bins", "CALIBRATION_BINS = 15", "CALIBRATION_BINS = 10"),
    ("ece_last_bin", "np.minimum((confidence * CALIBRATION_BINS).astype(int), CALIBRATION_BINS - 1)", "(confidence * CALIBRATION_BINS).astype(int) % CALIBRATION_BINS"),
    ("brier_true", "- 2 * true + 1", "- true + 1"),
    ("nll_clip", "np.maximum(true, 1e-12)", "np.maximum(true, 1e-3)"),
    ("nll_sum", '"nll": float(-np.log(np.maximum(true, 1e-12)).mean())', '"nll": float(-np.log(np.maximum(true, 1e-12)).sum())'),
    ("f1_weighted", 'average="macro"', 'average="weighted"'),
    ("f1_classes", "labels=range(n_labels), average", "average"),
    ("confusion_transposed", "confusion_matrix(labels, predicted,", "confusion_matrix(predicted, labels,"),
    ("confusion_classes", "confusion_matrix(labels, predicted, labels=range(n_labels))", "confusion_matrix(labels, predicted)"),
    ("in_group_true", "((lcd * same).sum(1) - true).mean()", "(lcd * same).sum(1).mean()"),
    ("lcd_true_max", '"lcd_true": float(true.mean())', '"lcd_true": float(lcd.max(1).mean())'),
    ("lcd_entropy_bits", "float(-(lcd * np.log(", "float(-(lcd * np.log2("),
    ("sld_std_ddof", "sld_true.std()", "sld_true.std(ddof=1)"),
    ("label_share", "between / total", "1 - between / total"),
    ("label_share_counts", "(counts[:, None] * (class_means", "((class_means"),
    ("auroc_turned", "roc_auc_score(right, confidence)", "roc_auc_score(~right, confidence)"),
    ("aurc_sum", "np.arange(1, len(labels) + 1)", "len(labels)"),
    ("aurc_order", "np.argsort(-confidence", "np.argsort(confidence"),
    ("adaptive_signs", "sum(abs(part.sum()) for part in parts)", "abs(sum(part.sum() for part in parts))"),
    ("in_group_errors_all", "(groups[predicted[wrong]] == groups[labels[wrong]])", "(groups[predicted] == groups[labels])"),
    ("group_of_loners", "index = -1 - np.arange(len(names))", "index = np.full(len(names), -1)"),
)  # fmt: skip

of(
    "training/run.py", "test_run.py",
    ("one_order", "RandomState([seed, epoch])", "RandomState([seed, 0])"),
    ("order_of_seed_0", "RandomState([seed, epoch])", "RandomState([0, epoch])"),
    ("val_by_true", "labels = data[r].fit_labels[val_index[r]]", "labels = data[r].labels[val_index[r]]"),
    ("val_on_test", "fleet.predict(val_index)", "fleet.predict(test_index[:, : val_index.shape[1]])"),
    ("test_by_given", "true = data[r].labels[test_index[r]]", "true = data[r].fit_labels[test_index[r]]"),
    ("test_on_val", "(TRAIN, VAL, TEST)", "(TRAIN, VAL, VAL)"),
    ("last_tie", 'val["accuracy"] > state["best_accuracy"][r]', 'val["accuracy"] >= state["best_accuracy"][r]'),
    ("select_turned", 'selected = best_probabilities[r] if train.select == "best_val"', 'selected = best_probabilities[r] if train.select == "last"'),
    ("val_accuracy_turned", '"val_accuracy": state["best_accuracy"][r] if train.select == "best_val"', '"val_accuracy": state["best_accuracy"][r] if train.select == "last"'),
    ("test_last_is_best", '"test_last": evaluate(last_probabilities[r], true)', '"test_last": evaluate(best_probabilities[r], true)'),
    ("confusion_of_last", "confusions(selected.argmax(1)", "confusions(last_probabilities[r].argmax(1)"),
    ("dropout_seed", "seed_dropout(predictor, seed)", "seed_dropout(predictor, 0)"),
    ("weights_seed", "torch.manual_seed(seed)", "torch.manual_seed(0)"),
    ("loss_by_batch", ".double() / train_index.shape[1])", ".double() / train.batch_size)"),
    ("stop_early", "epoch - 1 == method.stop_epoch", "epoch == method.stop_epoch"),
    ("stop_late", "epoch - 1 == method.stop_epoch", "epoch - 2 == method.stop_epoch"),
    ("first_epsilon", "[float(method.epsilon or 0) for method in methods]", "[float(methods[0].epsilon or 0) for method in methods]"),
    ("first_labels", "np.stack([each.fit_labels for each in data])", "np.stack([data[0].fit_labels for each in data])"),
    ("true_labels_learnt", "np.stack([each.fit_labels for each in data])", "np.stack([each.labels for each in data])"),
    ("failed_goes_on", 'if state["failed"][r]:\n                continue', "if False:\n                continue"),
)  # fmt: skip
of(
    "training/run.py", "test_training.py::test_a_restart_gives_every_method_what_the_stop_gives_lcm",
    ("no_restart", "if epoch - 1 == train.restart_epoch", "if epoch == train.restart_epoch"),
    ("stop_never_resets", "if lcm.stop_resets_optimizer", "if False"),
)  # fmt: skip

of(
    "training/fleet.py", "test_run.py test_golden.py",
    ("row_0_labels", "labels = self.fit_labels[batch + self.label_rows]", "labels = self.fit_labels[batch]"),
    ("row_0_lcd", "labels = self.fit_labels[torch.from_numpy(index).to(self.device) + self.label_rows]", "labels = self.fit_labels[torch.from_numpy(index).to(self.device)]"),
    ("drops_in_evaluation", "self.run.eval()", "self.run.train()"),
    ("never_drops", "self.run.train()\n", "self.run.eval()\n"),
    ("best_alias", "name: weight.detach().clone() for name", "name: weight.detach() for name"),
    ("load_best_noop", "self.weights[name].copy_(best)", "pass"),
    ("keep_best_all", "torch.where(mask.view(-1, *[1] * (weight.dim() - 1)), weight, best)", "weight"),
    ("loss_unweighted", "losses.detach() * batch.shape[1]", "losses.detach()"),
    ("no_zero_grad", "        self.optimizer.zero_grad()\n", ""),
    ("no_next_step", "        next_step(self.run, self.buffers)\n", ""),
    ("total_kept", "        self.total.zero_()\n", ""),
    ("mean_over_runs", "losses.sum().backward()", "losses.mean().backward()"),
    ("stacked_smoothing", "epsilon / logits.shape[-1]\n    return -", "epsilon / (logits.shape[-1] - 1)\n    return -"),
    ("stacked_entropy", "(torch.xlogy(target, target) - target * log_p)", "(-target * log_p)"),
    ("drop_all_smoothing", "0.0 if stop else epsilon for stop", "0.0 for stop"),
    ("vectors_of_logits", "lcd, sld_true = self._each(_confusions, vectors, labels)", "lcd, sld_true = self._each(_confusions, vectors * 0, labels)"),
    ("sld_is_lcd", "return confusion_model.label_confusion(vectors), target.gather", "return target, target.gather"),
)  # fmt: skip
of(
    "training/fleet.py", "test_fleet.py::test_masked_lstms_and_vocabularies_of_their_own",
    ("row_0_inputs", "inputs = self.inputs[batch + self.input_rows]", "inputs = self.inputs[batch]"),
)  # fmt: skip
of(
    "training/fleet.py", "test_fleet.py::test_a_resumed_training_is_the_same_bit_for_bit",
    ("resume_no_buffers", '("buffers", self.buffers), ', ""),
    ("resume_no_optimizer", '        self.optimizer.load_state_dict(state["optimizer"])\n', ""),
    ("resume_no_best", ', ("best", self.best)):', "):"),
)  # fmt: skip

of(
    "training/cell.py", "test_cells.py",
    ("key_corpus", '                "corpus": data.meta["digest"],\n', ""),
    ("key_assignment", '                "assignment": _sha(splits[split]),\n', ""),
    ("key_labels", '                "fit_labels": _sha(fit_labels[split]),\n', ""),
    ("key_seed", '                "seed": split,\n', ""),
    ("key_model", '                "model": config.get("model"),\n', ""),
    ("key_train", '                "train": config.get("train"),\n', ""),
    ("key_method", '"method": {"name": name, **settings},', '"method": {"name": name},'),
    ("key_method_name", '"method": {"name": name, **settings},', '"method": settings,'),
    ("key_start", "                **content,\n", ""),
    ("key_split_0", '_sha(splits[split]),', "_sha(splits[0]),"),
    ("vocabulary_shared", "which = split if refitted else None", "which = None"),
    ("vocabulary_of_val", "data, splits[split] == TRAIN)", "data, splits[split] != TEST)"),
    ("labels_of_split_0", "splits[split], fit_labels[split],", "splits[split], fit_labels[0],"),
    ("parts_of_split_0", "RunData(inputs, splits[split],", "RunData(inputs, splits[0],"),
    ("matrix_of_last", 'total += np.array(record.pop("confusion_matrix", 0))', 'total = np.array(record.pop("confusion_matrix", 0))'),
    ("refit_never", 'if fit == "train" else data.ids', 'if fit == "never" else data.ids'),
    ("padding_truncation", "settings.truncation, settings.padding, settings.vocabulary_fit", "settings.padding, settings.truncation, settings.vocabulary_fit"),
    ("no_groups", "groups = _group_index(data.names)", "groups = None"),
)  # fmt: skip
of(
    "training/cell.py", "test_training.py::test_a_cell_equals_its_runs_trained_alone",
    ("seed_is_0", '[each["split"] for each in runs], job["device"]', '[0 for each in runs], job["device"]'),
    ("first_method", '[of_name[each["method"]] for each in runs]', "[next(iter(of_name.values())) for each in runs]"),
)  # fmt: skip
of(
    "training/store.py", "test_cells.py test_fleet.py::test_versions_are_per_encoder",
    ("version_ignored", '{"algorithm": version, **determinants}', '{"algorithm": 1, **determinants}'),
    ("version_for_all", ".get((determinants.get(\"model\") or {}).get(\"encoder\"), 1)", '.get("image_cnn", 1)'),
)  # fmt: skip
of(
    "training/methods.py", "test_cells.py test_params.py",
    ("control_never_stops", 'Method("ls_matched", epsilon, smooth_until=group.stop_epoch)', 'Method("ls_matched", epsilon)'),
    ("matched_of_2", "matched_epsilon(group.alpha, n_labels)", "matched_epsilon(group.alpha, 2)"),
    ("ce_smoothed", 'Method("base", epsilon=0.0)', 'Method("base", epsilon=group.epsilon)'),
)  # fmt: skip
of(
    "training/linear.py", "test_linear.py test_metrics.py",
    ("idf_of_all", ".fit(counts[parts[TRAIN]])", ".fit(counts)"),
    ("linear_learns_true", "model.fit(features[TRAIN], fit_labels[parts[TRAIN]])", "model.fit(features[TRAIN], data.labels[parts[TRAIN]])"),
    ("linear_tested_by_given", "data.labels[parts[TEST]]", "fit_labels[parts[TEST]]"),
    ("linear_c", "LinearSVC(C=strength", "LinearSVC(C=1.0"),
    ("linear_sublinear", "TfidfTransformer(sublinear_tf=settings.sublinear_tf)", "TfidfTransformer()"),
    ("linear_window", "settings if window else None)", "None)"),
    ("linear_chosen_on_test", "model.score(features[VAL], fit_labels[parts[VAL]])", "model.score(features[TEST], fit_labels[parts[TEST]])"),
    ("linear_chosen_by_true", "model.score(features[VAL], fit_labels[parts[VAL]])", "model.score(features[VAL], data.labels[parts[VAL]])"),
    ("linear_worst", "int(np.argmax(scores))", "int(np.argmin(scores))"),
    ("linear_matrix", "confusions(predicted, true,", "confusions(true, predicted,"),
)  # fmt: skip
of(
    "training/optimizer.py", "test_optimizer.py test_keras_parity.py",
    ("beta2", "BETAS = (0.9, 0.999)", "BETAS = (0.9, 0.99)"),
    ("keras_eps", "self.settings.adam_eps / (1 - BETAS[1] ** self.step_number) ** 0.5", "self.settings.adam_eps"),
    ("warmup_off_by_one", "self.steps += 1", "self.steps += 2"),
    ("no_warmup", "warm = (step / settings.warmup_steps).clamp(max=1)", "warm = torch.ones_like(step).float()"),
    ("final_share", "(1 - decayed * (1 - settings.final_lr_share))", "(1 - decayed * settings.final_lr_share)"),
    ("decay_start", "((step - settings.warmup_steps) / (", "(step / ("),
    ("adamw_is_adam", 'torch.optim.Adam if settings.optimizer == "adam" else torch.optim.AdamW', "torch.optim.Adam"),
    ("no_weight_decay", "weight_decay=settings.weight_decay", "weight_decay=0.0"),
    ("adam_eps", "eps=settings.adam_eps, weight", "eps=1e-8, weight"),
    ("optimizer_state", '        self.step_number = state["step_number"]\n', ""),
)  # fmt: skip
of(
    "training/checkpoint.py", "test_fleet.py::test_broken_and_foreign_checkpoints_are_ignored_with_a_line",
    ("foreign_checkpoint", "state if found == self.keys else", "state if True else"),
    ("unpickles", "weights_only=True)  #", "weights_only=False)  #"),
)  # fmt: skip
of(
    "training/pretrained.py", "test_pretrained.py test_bert.py",
    ("vectors_not_renumbered", 'if settings.vocabulary_fit == "train":', "if False:"),
    ("key_without_weights", '"config": _sha(np.memmap(folder / "config.json", np.uint8, "r")), **weights}', '"config": _sha(np.memmap(folder / "config.json", np.uint8, "r"))}'),
    ("key_without_wordpieces", '{"wordpieces": _sha(ids), "config"', '{"config"'),
    ("key_without_vectors", 'return {"vectors": _sha(_load_vectors(params, corpus, model)[1])}', "return {}"),
)  # fmt: skip

# --------------------------------------------------------------------------------------------------------------- models

of(
    "models/__init__.py", "test_models.py test_keras_parity.py",
    ("output_not_glorot", '        if init == "keras":\n            keras_linear(self.output)\n', ""),
    ("vectors_ignored", "encoder.embedding.weight[: len(vectors)] = torch.from_numpy(vectors)", "pass"),
)  # fmt: skip
of(
    "models/bert.py", "test_models.py test_bert.py",
    ("bert_dense", '        if init == "keras":\n            keras_linear(self.dense)\n', ""),
    ("bert_last_token", "self.dense(states[:, 0])", "self.dense(states[:, -1])"),
    ("bert_no_tanh", "self.dense(states[:, 0]).tanh()", "self.dense(states[:, 0])"),
    ("bert_no_mask", "attention_mask=padding_mask(tokens)", "attention_mask=padding_mask(tokens + 1)"),
    ("bert_feed_forward", "4 * shape.hidden", "2 * shape.hidden"),
    ("bert_heads", "shape.hidden // 64, 4", "1, 4"),
)  # fmt: skip
of(
    "models/attention.py", "test_models.py test_golden.py",
    ("attention_scale", "transpose(-1, -2) * scaling", "transpose(-1, -2)"),
    ("attention_no_dropout", "(dropout(weights) @ value)", "(weights @ value)"),
    ("attention_pads", "tokens == 0, torch.finfo", "tokens == 1, torch.finfo"),
)  # fmt: skip
of(
    "models/stacked.py", "test_models.py",
    ("stacked_bias", "bias = layer.bias_ih_l0 + layer.bias_hh_l0", "bias = layer.bias_ih_l0"),
    ("stacked_mask", "gates[:, :, :, 1].masked_fill_(skip", "gates[:, :, :, 2].masked_fill_(skip"),
    ("stacked_unmasked", "skip = tokens.T == 0", "skip = None"),
    ("stacked_cell", "dc.mul_(f[:, t])", "dc.mul_(i[:, t])"),
    ("stacked_gradient", "d_gates[:, t, :, 1:].mul_(dc.unsqueeze(2))", "d_gates[:, t, :, 1:].mul_(dh.unsqueeze(2))"),
    ("stacked_relu", "for layer in encoder.convolutions], 1).relu()", "for layer in encoder.convolutions], 1)"),
)  # fmt: skip
of(
    "models/dropout.py", "test_fleet.py::test_dropout_is_a_function_of_seed_step_layer_and_place test_models.py test_run.py",
    ("dropout_calls", "+ layer) + self.calls)", "+ layer))"),
    ("dropout_seedless", "mix(mix(seed) + step)", "mix(step)"),
    ("dropout_stepless", "mix(mix(seed) + step)", "mix(seed)"),
    ("dropout_layerless", "mix(mix(mix(seed) + step) + layer)", "mix(mix(seed) + step)"),
    ("dropout_unscaled", "inputs / (1 - self.p), 0)", "inputs, 0)"),
    ("dropout_share", "int(self.p * 2**32) - 2**31", "int((1 - self.p) * 2**32) - 2**31"),
    ("dropout_one_layer", "torch.tensor([seed, 0, layer])", "torch.tensor([seed, 0, 0])"),
    ("dropout_step", "buffer[..., 1] += 1", "buffer[..., 1] += 0"),
)  # fmt: skip
of(
    "models/cnn.py", "test_models.py test_keras_parity.py",
    ("cnn_no_relu", "torch.cat(maxima, 1).relu()", "torch.cat(maxima, 1)"),
    ("cnn_not_glorot", "                keras_linear(convolution)\n", "                pass\n"),
    ("cnn_embedding", "            keras_embedding(self.embedding)\n", ""),
    ("cnn_bias_gradient", "transpose(1, 2), grad.sum(0)", "transpose(1, 2), grad.mean(0)"),
)  # fmt: skip
of(
    "models/lstm.py", "test_models.py test_keras_parity.py",
    ("lstm_mask_side", "front = (tokens == 0)", "front = (tokens != 0)"),
    ("lstm_empty", " * (lengths > 0).unsqueeze(1)", ""),
    ("lstm_not_keras", "            keras_lstm(self.lstm)\n", ""),
)  # fmt: skip
of(
    "models/initialise.py", "test_models.py test_keras_parity.py",
    ("forget_gate", "nn.init.ones_(layer.bias_ih_l0[hidden : 2 * hidden])", "nn.init.ones_(layer.bias_ih_l0[:hidden])"),
    ("not_orthogonal", "nn.init.orthogonal_(layer.weight_hh_l0)", "nn.init.xavier_uniform_(layer.weight_hh_l0)"),
    ("second_bias", "layer.bias_hh_l0.requires_grad_(False)", "pass"),
    ("embedding_range", "layer.weight, -0.05, 0.05", "layer.weight, -0.1, 0.1"),
)  # fmt: skip
of(
    "models/image_cnn.py", "test_models.py test_golden.py",
    ("pixels_255", ".float() / 255", ".float() / 256"),
    ("image_not_glorot", "                    keras_linear(layer)\n", "                    pass\n"),
    ("image_no_dropout", "            Dropout(dropout),\n", "            Dropout(0.0),\n"),
)  # fmt: skip
