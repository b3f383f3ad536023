"""The mutants of mutants.py: small mistakes, each of which would change a number of the study or what is said of it."""

from mutants import Mutant
from mutations_compare import COMPARE
from mutations_data import DATA
from mutations_evidence import EVIDENCE

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
    ("val_on_test", "probabilities, vectors = fleet.predict(val_index)", "probabilities, vectors = fleet.predict(test_index[:, : val_index.shape[1]])"),
    ("test_by_given", "true = data[r].labels[test_index[r]]", "true = data[r].fit_labels[test_index[r]]"),
    ("test_on_val", "(TRAIN, VAL, TEST)", "(TRAIN, VAL, VAL)"),
    ("last_tie", 'val["accuracy"] > state["best_accuracy"][r]', 'val["accuracy"] >= state["best_accuracy"][r]'),
    ("select_turned", 'if train.select == "last"', 'if train.select == "best_val"'),
    ("select_ignored", "test, val = last, probabilities", "val = probabilities"),
    ("select_val", "test, val = last, probabilities", "test = last"),
    ("val_accuracy_turned", 'state["best_accuracy"][r] if train.select == "best_val"', 'state["best_accuracy"][r] if train.select == "last"'),
    ("test_last_is_best", '"test_last": evaluate(last[r], true, data[r].groups)', '"test_last": evaluate(test[r], true, data[r].groups)'),
    ("confusion_of_last", "confusions(test[r].argmax(1)", "confusions(last[r].argmax(1)"),
    ("predictions_of_last", '{"test": test[r].astype(np.float16)', '{"test": last[r].astype(np.float16)'),
    ("dropout_seed", "seed_dropout(predictor, seed)", "seed_dropout(predictor, 0)"),
    ("weights_seed", "torch.manual_seed(seed)", "torch.manual_seed(0)"),
    ("loss_by_batch", "(total.double() / train_index.shape[1])", "(total.double() / train.batch_size)"),
    ("first_labels", "np.stack([each.fit_labels for each in data])", "np.stack([data[0].fit_labels for each in data])"),
    ("true_labels_learnt", "np.stack([each.fit_labels for each in data])", "np.stack([each.labels for each in data])"),
    ("lcd_of_best", "lcd = fleet.confusions(vectors, val_index)[0]", "lcd = fleet.confusions(vectors * 0, val_index)[0]"),
    ("by_class_true", '_by_class(lcd[r], data[r].fit_labels[val_index[r]])', '_by_class(lcd[r], data[r].labels[val_index[r]])'),
    ("implicit_of_val", "fleet.implicit(train_index[:, :IMPLICIT])", "fleet.implicit(val_index)"),
    ("epoch_not_ended", "        fleet.end_epoch()\n", ""),
    ("epoch_ended_early", "        mass, nats = fleet.implicit(train_index[:, :IMPLICIT])\n        fleet.end_epoch()\n", "        fleet.end_epoch()\n        mass, nats = fleet.implicit(train_index[:, :IMPLICIT])\n"),
    ("task_labels_of_test", "np.where(each.assignment == TRAIN, each.fit_labels, -1)", "np.where(each.assignment == TEST, -1, each.fit_labels)"),
    ("task_true_as_given", "_tensor(each.labels, torch.int64) if", "_tensor(each.fit_labels, torch.int64) if"),
    ("task_epochs", "epochs=train.epochs,\n            groups", "epochs=1,\n            groups"),
    ("task_transition_turned", "_tensor(each.transition, torch.float32)", "_tensor(each.transition.T, torch.float32)"),
    ("settings_ignored", "kind(task, **settings)", "kind(task)"),
    ("task_groups", "groups=_tensor(each.groups, torch.int64)", "groups=_tensor(each.groups[::-1].copy() * 0, torch.int64)"),
    ("round_not_begun", "if done and done % train.epochs == 0:\n        fleet.restart()", "if False:\n        fleet.restart()"),
    ("round_best_kept", '            state["best_accuracy"] = [-1.0 for _ in runs]\n', "            pass\n"),
)  # fmt: skip
of(
    "training/run.py", "test_training.py",
    ("lcd_after_stop", "(stop is None or epoch <= stop)", "(stop is None or epoch <= stop + 1)"),
    ("no_restart", "if done == train.restart_epoch", "if epoch == train.restart_epoch"),
    ("stop_never_resets", 'settings.get("stop_resets_optimizer") and done', "False and done"),
)  # fmt: skip

of(
    "training/fleet.py", "test_run.py test_golden.py",
    ("row_0_labels", "labels = self.fit_labels[batch + self.label_rows]\n        losses", "labels = self.fit_labels[batch]\n        losses"),
    ("row_0_implicit", "labels = self.fit_labels[batch + self.label_rows]\n        mass", "labels = self.fit_labels[batch]\n        mass"),
    ("row_0_lcd", "labels = self.fit_labels[torch.from_numpy(index).to(self.device) + self.label_rows]", "labels = self.fit_labels[torch.from_numpy(index).to(self.device)]"),
    ("drops_in_evaluation", "self.member.eval()\n        parts", "self.member.train()\n        parts"),
    ("never_drops", "self.member.train()\n        self.loss", "self.member.eval()\n        self.loss"),
    ("best_alias", "name: each.detach().clone() for name", "name: each.detach() for name"),
    ("load_best_noop", "for name, best in self.best.items():\n            self.weights[name].copy_(best)", "pass"),
    ("keep_best_all", "torch.where(mask.view(-1, *[1] * (weight.dim() - 1)), weight, best)", "weight"),
    ("loss_unweighted", "losses.detach() * batch.shape[1]", "losses.detach()"),
    ("no_zero_grad", "        self.optimizer.zero_grad()\n", ""),
    ("no_next_step", "        next_step(self.member, self.buffers)\n", ""),
    ("loss_kept", "        self.loss.zero_()\n", ""),
    ("correct_kept", "        self.correct.zero_()\n", ""),
    ("mean_over_runs", "losses.sum().backward()", "losses.mean().backward()"),
    ("lcd_of_nothing", "lcd, sld_true = self._each(_confusions, vectors, labels)", "lcd, sld_true = self._each(_confusions, vectors * 0, labels)"),
    ("sld_is_lcd", "return model.label_confusion(vectors), model.", "return model.distribution(vectors, labels), model."),
    ("loss_sum", "losses(logits, labels, vector, samples).mean()", "losses(logits, labels, vector, samples).sum() / 8"),
    ("samples_shifted", "losses, correct = self._each(_loss, self._inputs(batch), labels, batch)", "losses, correct = self._each(_loss, self._inputs(batch), labels, batch * 0)"),
    ("epoch_end_lost", "member.target.end_epoch()", "pass"),
    ("round_end_lost", "member.target.end_round()", "pass"),
    ("round_weights_kept", "            self.weights[name].copy_(weight)\n        self.new_optimizer()", "            pass\n        self.new_optimizer()"),
    ("round_optimizer_kept", "            self.weights[name].copy_(weight)\n        self.new_optimizer()", "            self.weights[name].copy_(weight)"),
    ("embedding_of_first", "return embedding.tolist() if self.stacked", "return [embedding[0].tolist()] * self.n_runs if self.stacked"),
)  # fmt: skip
of(
    "training/fleet.py", "test_fleet.py::test_masked_lstms_and_vocabularies_of_their_own",
    ("row_0_inputs", "inputs = self.inputs[batch + self.input_rows]", "inputs = self.inputs[batch]"),
)  # fmt: skip
of(
    "training/fleet.py", "test_fleet.py::test_a_resumed_training_is_the_same_bit_for_bit",
    ("resume_no_buffers", 'for name, tensors in (("weights", self.weights), ("buffers", self.buffers), ("best", self.best)):\n            for key', 'for name, tensors in (("weights", self.weights), ("best", self.best)):\n            for key'),
    ("resume_no_best", 'for name, tensors in (("weights", self.weights), ("buffers", self.buffers), ("best", self.best)):\n            for key', 'for name, tensors in (("weights", self.weights), ("buffers", self.buffers)):\n            for key'),
    ("resume_no_optimizer", '        self.optimizer.load_state_dict(state["optimizer"])\n', ""),
)  # fmt: skip

# --------------------------------------------------------------------------------------------------- cells, keys, store

of(
    "training/jobs.py", "test_cells.py test_inputs.py",
    ("key_corpus", '"corpus": data.corpus.meta["digest"], "assignment"', '"assignment"'),
    ("key_assignment", '            "assignment": inputs.sha(data.splits[run.split]),\n', ""),
    ("key_labels", '            "fit_labels": inputs.sha(data.fit_labels[run.split]),\n', ""),
    ("key_seed", '            "seed": run.random_seed,\n', ""),
    ("key_split", '"seed": run.random_seed,', '"seed": run.seed,'),
    ("key_model", '            "model": model,\n', ""),
    ("key_train", '            "train": train,\n', ""),
    ("key_settings", '"method": {"name": name, **settings},', '"method": {"name": name},'),
    ("key_method_name", '"method": {"name": name, **settings},', '"method": settings,'),
    ("key_start", "            **common.source.digests,\n", ""),
    ("key_split_0", "inputs.sha(data.splits[run.split]),", "inputs.sha(data.splits[0]),"),
    ("key_of_base", "name, settings = target.key_name or target.name,", "name, settings = target.name,"),
    ("vocabulary_shared", "        which = run.split if fitted else None\n", "        which = None\n"),
    ("vocabulary_read_shared", "tokens, start = read[which]", "tokens, start = read[min(read, key=str)]"),
    ("vocabulary_of_val", "corpus, data.splits[run.split] == TRAIN)", "corpus, data.splits[run.split] != 2)"),
    ("labels_of_split_0", "fit_labels=data.fit_labels[run.split],", "fit_labels=data.fit_labels[0],"),
    ("parts_of_split_0", "assignment=data.splits[run.split],", "assignment=data.splits[0],"),
    ("true_as_given", "labels=np.asarray(corpus.labels),", "labels=data.fit_labels[run.split],"),
    ("no_groups", "groups=group_index(corpus.names),", "groups=None,"),
    ("transition_of_0", "inputs.true_transition(data, run.split)", "inputs.true_transition(data, 0)"),
    ("held_out_of_0", "held_out(seen, run.split)", "held_out(seen, 0)"),
)  # fmt: skip
of(
    "training/jobs.py", "test_results.py",
    ("job_seed_is_split", "seeds = [job.runs[index].random_seed for index in which]", "seeds = [job.runs[index].seed for index in which]"),
    ("rounded_to_3", "round(value, 6)", "round(value, 3)"),
)  # fmt: skip
of(
    "training/inputs.py", "test_cells.py test_inputs.py test_results.py test_pretrained.py test_bert.py test_features.py",
    ("refit_never", 'fitted = config.vocabulary_fit == "train"', "fitted = False"),
    ("vectors_not_renumbered", "    if fitted:\n        old_ids", "    if False:\n        old_ids"),
    ("key_without_weights", 'digests["weights"] = sha(np.memmap(weights, np.uint8, "r"))', "pass"),
    ("key_without_wordpieces", 'digests = {"wordpieces": sha(ids), "config"', 'digests = {"config"'),
    ("key_without_features", 'digests={"features": _features_digest(path, folder, stamp)}', "digests={}"),
    ("key_without_vectors", 'digests={"vectors": sha(vectors)}', "digests={}"),
    ("transition_of_val", "training = data.splits[split] == TRAIN\n    return transition", "training = data.splits[split] != TRAIN\n    return transition"),
    ("data_of_other_samples", "if array.shape[1] != len(data.labels):", "if False:"),
    ("stale_data", "tuple(path.stat().st_mtime_ns for path in files))", "())"),
)  # fmt: skip
of(
    "training/inputs.py", "test_cells.py::test_every_run_of_a_fleet_reads_the_vocabulary_of_its_own_training_part",
    ("padding_truncation", "config.truncation, config.padding)", "config.padding, config.truncation)"),
)  # fmt: skip
of(
    "training/inputs.py", "test_inputs.py",
    ("window_whole_wordpieces", 'config.reads == "features" else read', "False else read"),
    ("window_padding_counts", "seen = ids > 0 # 0 is padding", "seen = ids >= 0"),
    ("window_belief_of_texts", 'data.corpus.meta["digest"] + sha(ids)', 'data.corpus.meta["digest"]'),
)
of(
    "training/jobs.py", "test_inputs.py",
    ("window_of_texts", "held_out(seen, run.split)", "held_out(data, run.split)"),
)
of(
    "training/held_out.py", "test_inputs.py",
    ("held_out_seen", "TfidfTransformer(sublinear_tf=True).fit(features[fit])", "TfidfTransformer(sublinear_tf=True).fit(features)"),
    ("held_out_own_fold", "model.predict_proba(tfidf.transform(features[left_out]))", "LogisticRegression(C=10.0, max_iter=100, tol=1e-3).fit(tfidf.transform(features), given).predict_proba(tfidf.transform(features[left_out]))"),
    ("held_out_true", "corpus, labels = data.corpus, data.fit_labels[split]", "corpus, labels = data.corpus, data.corpus.labels"),
    ("held_out_columns", "rows[:, model.classes_] =", "rows[:, model.classes_[::-1]] ="),
    ("held_out_key", "sha(data.splits[split]) + sha(labels)", "sha(labels)"),
)  # fmt: skip
of(
    "training/results.py", "test_cells.py test_results.py",
    ("realised_of_all", "& training).sum(1) / training.sum(1)", ").sum(1) / training.sum(1)"),
    ("realised_of_val", "training = data.splits[:n_splits] == TRAIN", "training = data.splits[:n_splits] != TRAIN"),
    ("sizes_of_labels", '(("train", TRAIN), ("val", VAL), ("test", TEST))', '(("train", TRAIN), ("val", TEST), ("test", VAL))'),
    ("complete_without_keys", "    if {place: run.get(\"key\") for place, run in recorded.items()} != keys:\n        return False\n", ""),
    ("curves_of_others", 'if (row["split"], row["seed"]) == place]', "]"),
    ("config_not_compared", 'content is None or content["config"] != cell_config(params, cell)', "content is None"),
)  # fmt: skip
of(
    "training/store.py", "test_cells.py test_fleet.py::test_versions_are_per_encoder test_results.py::test_a_damaged_record_counts_as_absent",
    ("version_ignored", '{"algorithm": version, **determinants}', '{"algorithm": 1, **determinants}'),
    ("version_for_all", '.get((determinants.get("model") or {}).get("encoder"), 1)', '.get("image_cnn", 1)'),
    ("foreign_record", 'or record.get("key") != key:', "or False:"),
)  # fmt: skip
of(
    "training/store.py", "test_results.py",
    ("damaged_array", "    except Exception:  # NumPy parses", "    except ValueError:  # NumPy parses"),
    ("damaged_predictions", "    except Exception:  # missing or damaged", "    except (OSError, ValueError):  # missing or damaged"),
)  # fmt: skip
of(
    "study.py", "test_cells.py test_params.py",
    ("random_seed", "self.split + 1000 * self.seed", "self.split + self.seed"),
    ("resolve_labels", "groups, n_labels)\n\n\ndef cell_config", "groups, 2)\n\n\ndef cell_config"),
    ("changes_lost", " | {key: _value(value) for key, value in given}", ""),
    ("config_noise", "    if cell.noise:\n", "    if False:\n"),
    ("config_split", '"split": params.split.model_dump(), ', ""),
    ("checked_whatever_it_says", "_digest(SETTINGS, params.model_dump_json())", "_digest(SETTINGS)"),
    ("family_of_nothing", 'return known["family"] if known', 'return "" if known'),
    ("facts_in_another_order", "for target in target_names():", "for target in sorted(target_names()):"),
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
    ("no_warmup", "(step / settings.warmup_steps).clamp(max=1)", "torch.ones_like(step).float()"),
    ("final_share", "(1 - decayed * (1 - settings.final_lr_share))", "(1 - decayed * settings.final_lr_share)"),
    ("decay_start", "((step - settings.warmup_steps) / (", "(step / ("),
    ("adamw_is_adam", 'torch.optim.Adam if settings.optimizer == "adam" else torch.optim.AdamW', "torch.optim.Adam"),
    ("no_weight_decay", "weight_decay=settings.weight_decay", "weight_decay=0.0"),
    ("adam_eps", "eps=settings.adam_eps, weight", "eps=1e-8, weight"),
    ("optimizer_state", '        self.step_number = state["step_number"]\n', ""),
)  # fmt: skip
of(
    "training/checkpoint.py", "test_fleet.py::test_broken_and_foreign_checkpoints_are_ignored_with_a_line",
    ("foreign_checkpoint", "if keys != self.keys:", "if False:"),
    ("checkpoint_of_other_code", "return state if code == self.code else", "return state if True else"),
    ("unpickles", "weights_only=True)  #", "weights_only=False)  #"),
)  # fmt: skip
of(
    "training/run.py", "test_fleet.py::test_the_time_of_a_resumed_training_is_that_of_all_parts_divided_by_its_runs",
    ("resume_time_lost", 'seconds = (state["seconds"] + time.perf_counter() - started) / len(runs)\n    records', 'seconds = (time.perf_counter() - started) / len(runs)\n    records'),
    ("time_of_a_fleet_for_each", 'seconds = (state["seconds"] + time.perf_counter() - started) / len(runs)\n    records', 'seconds = state["seconds"] + time.perf_counter() - started\n    records'),
    ("resume_time_of_last_part", 'seconds = state["seconds"] + time.perf_counter() - started\n', 'seconds = time.perf_counter() - started\n'),
)  # fmt: skip
of(
    "training/fleet.py", "test_fleet.py::test_a_checkpoint_fits_only_if_every_tensor_does",
    ("fits_by_weights", 'groups = (("weights", self.weights), ("buffers", self.buffers), ("best", self.best))', 'groups = (("weights", self.weights),)'),
)  # fmt: skip
of(
    "training/jobs.py", "test_inputs.py::test_a_linear_model_learns_from_the_labels_of_its_own_split",
    ("linear_labels_of_split_0", "return [whole, data.splits[run.split], data.fit_labels[run.split]]", "return [whole, data.splits[run.split], data.fit_labels[0]]"),
)  # fmt: skip
of(
    "training/linear.py", "test_linear.py",
    ("linear_weakest_first", '"svc": (0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0)', '"svc": (3.0, 1.0, 0.3, 0.1, 0.03, 0.01, 0.003)'),
    ("bayes_weakest_first", '"nb": (3.0, 1.0, 0.3, 0.1, 0.03, 0.01)', '"nb": (0.01, 0.03, 0.1, 0.3, 1.0, 3.0)'),
)  # fmt: skip
of(
    "training/optimizer.py", "test_optimizer.py",
    ("decay_needs_warmup", "self.settings.warmup_steps > 0 or self.settings.decay_end_step > 0", "self.settings.warmup_steps > 0"),
)  # fmt: skip
of(
    "training/train.py", "test_results.py::test_the_plan_counts_splits_and_seeds test_results.py::test_a_run_takes_as_long_as_its_own_cell_did_and_else_as_others_of_its_model",
    ("hours_of_slowest", "return sum(like) / len(like)", "return max(like)"),
    ("hours_of_others", "    if kind in own:\n        return own[kind]\n", ""),
    ("plan_without_seeds", "sum(cell.splits * cell.seeds for cell in cells)", "sum(cell.splits for cell in cells)"),
)  # fmt: skip

# --------------------------------------------------------------------------------------------------------------- models

of(
    "models/__init__.py", "test_models.py test_keras_parity.py",
    ("output_not_glorot", '        if init == "keras":\n            keras_linear(self.output)\n', ""),
    ("vectors_ignored", "encoder.embedding.weight[: len(start.vectors)] = torch.from_numpy(start.vectors)", "pass"),
)  # fmt: skip
of(
    "models/bert.py", "test_models.py test_bert.py",
    ("bert_dense", '        if config.init == "keras":\n            keras_linear(self.dense)\n', ""),
    ("bert_last_token", "self.dense(states[:, 0])", "self.dense(states[:, -1])"),
    ("bert_no_tanh", "self.dense(states[:, 0]).tanh()", "self.dense(states[:, 0])"),
    ("bert_no_mask", "attention_mask=padding_mask(tokens)", "attention_mask=padding_mask(tokens + 1)"),
    ("bert_half_precision", "return model.float()", "return model"),
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
    ("stacked_mask", "gates[:, :, :, 1].masked_fill_(skip", "gates[:, :, :, 2].masked_fill_(skip"),
    ("stacked_cell", "dc.mul_(f[:, t])", "dc.mul_(i[:, t])"),
    ("stacked_gradient", "d_gates[:, t, :, 1:].mul_(dc.unsqueeze(2))", "d_gates[:, t, :, 1:].mul_(dh.unsqueeze(2))"),
)  # fmt: skip
of(
    "models/lstm.py", "test_models.py",
    ("stacked_bias", "bias = layer.bias_ih_l0 + layer.bias_hh_l0", "bias = layer.bias_ih_l0"),
    ("stacked_unmasked", "skip = tokens.T == 0", "skip = None"),
)  # fmt: skip
of(
    "models/bag.py", "test_models.py",
    ("bag_counts_pads", "/ real.sum(1, keepdim=True).clamp(min=1)", "/ tokens.shape[1]"),
    ("bag_sums_pads", "(self.embedding(tokens) * real.unsqueeze(-1)).sum(1)", "self.embedding(tokens).sum(1)"),
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
    ("stacked_relu", "for layer in self.convolutions], 1).relu()", "for layer in self.convolutions], 1)"),
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
    ("image_no_dropout", "            Dropout(config.dropout),\n", "            Dropout(0.0),\n"),
)  # fmt: skip

# -------------------------------------------------------------------------------------------------------------- targets

BASE = "test_targets_base.py test_targets.py test_targets_all.py test_targets_formulas.py"
FORMULAS = "test_targets_formulas.py test_targets_all.py"
of(
    "targets/base.py", BASE,
    ("stop_one_late", "self.epoch < self.stop_epoch", "self.epoch <= self.stop_epoch"),
    ("smoothed_epsilon", "off = epsilon * (shares.shape[-1] - 1) / shares.shape[-1]", "off = epsilon"),
    ("off_label_kept", "rest = weights * others", "rest = weights"),
    ("ce_by_argmax", "return -of_label(logits.log_softmax(-1), labels)", "return -logits.log_softmax(-1).amax(-1)"),
    ("soft_ce_sign", "return -(target * logits.log_softmax(-1)).sum(-1)", "return -(target * logits.log_softmax(-1)).mean(-1)"),
)  # fmt: skip
of(
    "targets/lcm.py", BASE,
    ("lcm_kl_turned", "(torch.xlogy(target, target) - cross)", "(-cross)"),
    ("lcm_alpha", "(self.alpha * one_hot(labels, confusion) + confusion)", "(self.alpha * (one_hot(labels, confusion) + confusion))"),
    ("lcm_axis", "label_vectors().T).softmax(-1)", "label_vectors().T).softmax(0)"),
    ("lcm_no_tanh", "torch.tanh(self.encoder(self.embedding.weight))", "self.encoder(self.embedding.weight)"),
    ("lcm_detach", "target.detach() if self.detach", "target.detach() if not self.detach"),
    ("lcm_batch_mean", 'reduction="batchmean"', 'reduction="mean"'),
)  # fmt: skip
of(
    "targets/ls.py", BASE,
    ("ls_on_each", "epsilon / self.task.n_labels", "epsilon / (self.task.n_labels - 1)"),
    ("ls_on_label", '"on_label": 1 - epsilon', '"on_label": 1.0'),
)  # fmt: skip
of(
    "targets/ls_matched.py", BASE + " test_params.py test_cells.py",
    ("matched_stop", '"stop_epoch": lcm["stop_epoch"]', '"stop_epoch": None'),
    ("matched_default", 'matched_epsilon(lcm["alpha"], n_labels)', "matched_epsilon(4.0, n_labels)"),
)  # fmt: skip
of(
    "targets/measures.py", BASE,
    ("implicit_sign", "logits.detach().softmax(-1) - gradient", "logits.detach().softmax(-1) + gradient"),
    ("implicit_trains", "    target.eval()  # state stays\n", ""),
    ("strength_scale", "* n_labels / (n_labels - 1)", "* 1"),
    ("structure_even", "mass / (s.shape[-1] - 1)", "mass / s.shape[-1]"),
    ("structure_label", "off = (s * (1 - one_hot(labels, s))).clamp(min=0)", "off = s.clamp(min=0)"),
)  # fmt: skip
for target, old, new in (
    ("anti_group", "1 - super().preferred(groups)", "super().preferred(groups)"),
    ("bootstrap", "(1 - self.beta) * p)", "(1 - self.beta) * p.detach())"),
    ("confidence_penalty", "self.beta * (log_p", "-self.beta * (log_p"),
    ("elr", "past = self.memory * past + (1 - self.memory) * now", "past = (1 - self.memory) * past + self.memory * now"),
    ("forward", "log_matrix.T[labels]", "log_matrix[labels]"),
    ("gce", "(-self.q * cross_entropy(logits, labels)) / self.q", "(-self.q * cross_entropy(logits, labels))"),
    ("held_out_lcm", "self.rho * off_label(confusion, labels)", "self.rho * off_label(1 - confusion, labels)"),
    ("label_embedding", "self.head(vector.detach())", "self.head(vector)"),
    ("ols", "(logits.argmax(-1) == labels).unsqueeze(-1)", "(logits.argmax(-1) >= 0).unsqueeze(-1)"),
    ("ols_fixed", "self.count(logits.detach(), labels)", "pass"),
    ("oracle_group", "(1 - self.rho) * even", "self.rho * even"),
    ("oracle_prune", "== labels) * cross", "!= labels) * cross"),
    ("permuted_group", "manual_seed(self.settings.seed)", "manual_seed(0)"),
    ("posterior_lcm", "self.beta * logits.detach()", "self.beta * logits"),
    ("prune", "keep[known] = ~torch", "keep[known] = torch"),
    ("ps_kd", "((self.epoch + 1) / self.task.epochs)", "(self.epoch / self.task.epochs)"),
    ("sce", "math.log(1e-4)", "math.log(1e-3)"),
    ("seal", "self.sums / self.counts", "self.sums / self.task.epochs"),
    ("square", ".square().mean(-1)", ".square().sum(-1)"),
    ("vol_min", "+ self.penalty * torch", "- self.penalty * torch"),
):
    of(f"targets/{target}.py", FORMULAS, (f"target_{target}", old, new))

of(
    "targets/measures.py", "test_targets_base.py",
    ("structure_of_no_distribution", "TOLERANCE = 1e-5", "TOLERANCE = 1e-2"),
    ("implicit_leaves_training", "target.train(training)", "target.train()"),
)  # fmt: skip
of(
    "targets/seal.py", "test_targets_formulas.py",
    ("seal_sums_kept", "        self.sums.zero_()\n        self.counts.zero_()\n", "        pass\n"),
)  # fmt: skip
of(
    "targets/held_out_lcm.py", "test_targets_formulas.py",
    ("held_out_never_sharper", "range(-32, 33)", "range(0, 33)"),
)  # fmt: skip
of(
    "targets/prune.py", "test_targets_all.py",
    ("prune_by_one_rule", "filter_by=by, ", ""),
)  # fmt: skip

# ------------------------------------------------------------------------------------------ data, evidence, lcm compare

for (file, tests), mutants in (DATA | EVIDENCE | COMPARE).items():
    of(file, tests, *mutants)
of(
    "../../pipeline/plan.py", " ".join(f"test_studies.py::test_{what}" for what in (
        "a_report_is_made_again_when_its_code_or_its_texts_change",
        "a_report_is_made_again_when_its_study_says_something_else",
        "a_corpus_is_prepared_again_when_what_reads_it_changes",
    )),
    ("report_without_title", '"title": spec.title, ', ""),
    ("report_without_question", ', "question": spec.question', ""),
    ("report_without_yardsticks", '"study.py", "cell_files.py"', '"cell_files.py"'),
    ("report_without_cell_files", '"study.py", "cell_files.py"', '"study.py"'),
    ("prepare_without_catalogue", '"prepare", "catalogue", "readers"', '"prepare", "readers"'),
    ("prepare_without_order", '"tables", "texts", "pydocs"', '"tables", "pydocs"'),
    ("prepare_without_archives", '    "archives.py",\n    "protocol', '    "protocol'),
)  # fmt: skip
of(
    "training/train.py", "test_results.py",
    ("hours_of_cores", '"gpu_seconds" if job.device == "cuda" else "seconds"', '"seconds"'),
    ("hours_of_all_cores", "pool.workers(params.execution.processes, device)", 'pool.workers(params.execution.processes, "cpu")'),
    ("hours_of_other_models", 'if f"-{cell.model}-" in name and kind in entry', "if kind in entry"),
)  # fmt: skip
of(
    "training/train.py", "test_commands.py",
    ("other_code_uncounted", "sum(digest not in (None, jobs", "sum(digest in (None, jobs"),
)  # fmt: skip
of(
    "archives.py", "test_readers.py",
    ("gz_left_open", "stream = gzip.open(path)", 'stream = gzip.GzipFile(fileobj=open(path, "rb"))'),
    ("bz2_left_open", "stream = bz2.open(path)", 'stream = bz2.BZ2File(open(path, "rb"))'),
)  # fmt: skip
of(
    "source.py", "test_studies.py::test_a_misspelt_file_in_a_digest_is_noticed",
    ("misspelt_skipped", "        found.update(f", "        if (ROOT / name).exists():\n            found.update(f"),
)  # fmt: skip
of(
    "files.py", "test_files.py",
    ("remembered_for_ever", 'and kept.get("digest") == digest', ""),
    ("remembered_never", 'and kept.get("digest") == digest', "and False"),
)  # fmt: skip
of(
    "params.py", "test_params.py",
    ("a_copy_counts_as_checked", "copy._checked = {}", "pass"),
)  # fmt: skip
of(
    "training/results.py", "test_results.py",
    ("seconds_never_news", "return not all(map(same, entry))", "return False"),
    ("seconds_always_news", "return not all(map(same, entry))", "return True"),
)  # fmt: skip
