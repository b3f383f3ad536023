"""What a run is told besides its texts: the noise matrix of its own training part, and what held-out models believe."""

from types import SimpleNamespace

import numpy as np
import pytest
import runs
from sklearn.feature_extraction.text import TfidfTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline

from lcm.errors import UserError
from lcm.files import write_array
from lcm.protocol.splits import TRAIN
from lcm.study import LINEAR
from lcm.training import inputs, jobs


@pytest.fixture
def noisy(workplace, params):
    """Parameters; true labels; labels to learn from, 40 % of them wrong, each split with its own."""
    labels = runs.toy()[2]
    rng = np.random.RandomState(0)
    given = np.where(rng.rand(10, len(labels)) < 0.4, labels ^ 1, labels).astype(np.int16)  # 0 <-> 1, 2 <-> 3
    write_array(workplace / "data/splits/toy/labels-0.npy", given)
    runs.forget_data()
    return runs.load(params, workplace), labels, given


def test_the_noise_matrix_is_counted_in_the_runs_own_training_part(noisy):
    params, labels, given = noisy
    for r, each in enumerate(runs.inputs_of(params, "small", "toy", 0, "lstm_rand", "forward")):
        training = each.assignment == TRAIN
        for true in range(4):
            of = training & (labels == true)
            expected = [(given[r][of] == label).mean() for label in range(4)]
            np.testing.assert_allclose(each.transition[true], expected, atol=1e-7)


def test_a_linear_model_learns_from_the_labels_of_its_own_split(noisy, params, workplace):
    params["studies"]["small"]["yardsticks"] = ["linear"]
    checked = runs.load(params, workplace)
    for job in jobs.jobs_of(checked, runs.cell(checked, LINEAR, "linear"), "cpu"):
        _, assignment, given = jobs.job_data(job)
        split = job.runs[0].split
        assert np.array_equal(given, noisy[2][split])
        assert np.array_equal(assignment, np.load("data/splits/toy/splits.npy")[split])


def test_held_out_models_have_not_seen_a_samples_label(noisy):
    """As scikit-learn's own cross-validation gives them, from counts of words and the labels to learn from."""
    params, labels, given = noisy
    ids = runs.toy()[0].reshape(-1, 12)
    counts = np.stack([np.bincount(row, minlength=40) for row in ids])
    for r, each in enumerate(runs.inputs_of(params, "small", "toy", 0, "lstm_rand", "held_out_lcm")):
        training = each.assignment == TRAIN
        expected = cross_validated(counts[training], given[r][training], r)
        np.testing.assert_allclose(each.held_out[training], expected, atol=1e-5)
        np.testing.assert_allclose(each.held_out[~training], 0.25)
        assert (each.held_out[training].argmax(1) == labels[training]).mean() > 0.4  # chance is 0.25


def cross_validated(counts, labels, split):
    """Out-of-fold probabilities as scikit-learn gives them. counts: (n, words)."""
    model = make_pipeline(TfidfTransformer(sublinear_tf=True), LogisticRegression(C=10.0, max_iter=100, tol=1e-3))
    folds = StratifiedKFold(5, shuffle=True, random_state=split)
    return cross_val_predict(model, counts, labels, cv=folds, method="predict_proba")


def test_held_out_models_of_prune_window_read_what_the_network_reads(noisy, params, workplace):
    params["models"]["lstm_rand"] |= {"maxlen": 5, "vocabulary_size": 30}
    loaded, _, given = runs.load(params, workplace), *noisy[1:]
    whole = runs.inputs_of(loaded, "small", "toy", 0, "lstm_rand", "prune")
    for r, each in enumerate(runs.inputs_of(loaded, "small", "toy", 0, "lstm_rand", "prune_window")):
        training = each.assignment == TRAIN
        assert each.inputs.shape[1] == 5 and each.inputs.max() == 29
        counts = np.stack([np.bincount(row, minlength=40) for row in each.inputs])
        counts[:, 0] = 0  # padding
        expected = cross_validated(counts[training], given[r][training], r)
        np.testing.assert_allclose(each.held_out[training], expected, atol=1e-5)
        assert np.abs(each.held_out - whole[r].held_out).max() > 0.05


def test_held_out_models_of_prune_window_read_the_wordpieces_of_a_frozen_encoder(noisy, tmp_path):
    """Such a network reads features, which are made of them."""
    data = inputs.load("toy")
    pieces = np.random.default_rng(0).integers(0, 3, size=(len(data.corpus.labels), 7)).astype(np.int32)
    np.save(tmp_path / "pieces.npy", pieces)
    features, source = np.zeros((len(pieces), 2)), inputs.Source(wordpieces=tmp_path / "pieces.npy")
    read = inputs.as_read(SimpleNamespace(reads="features"), source, data, features).corpus
    for row in (0, 1, len(pieces) - 1):
        assert read.ids[read.offsets[row] : read.offsets[row + 1]].tolist() == [i for i in pieces[row] if i]
    assert len(read.offsets) == len(pieces) + 1 and read.meta["digest"] != data.corpus.meta["digest"]


def test_held_out_beliefs_are_kept_and_found_again_and_never_mistaken(noisy, workplace):
    """They cost five models a split. Other labels or another split: other beliefs."""
    params, labels, given = noisy
    first = [each.held_out for each in runs.inputs_of(params, "small", "toy", 0, "lstm_rand", "prune")]
    again = [each.held_out for each in runs.inputs_of(params, "small", "toy", 0, "lstm_rand", "prune")]
    assert all(np.array_equal(one, other) for one, other in zip(first, again, strict=True))
    assert not np.array_equal(*first)
    splits = np.load(workplace / "data/splits/toy/splits.npy")
    write_array(workplace / "data/splits/toy/splits.npy", splits[::-1].copy())
    runs.forget_data()
    moved = [each.held_out for each in runs.inputs_of(params, "small", "toy", 0, "lstm_rand", "prune")]
    assert not any(np.array_equal(one, other) for one, other in zip(first, moved, strict=True))
    write_array(workplace / "data/splits/toy/splits.npy", splits)
    write_array(workplace / "data/splits/toy/labels-0.npy", np.tile(labels, (10, 1)))
    runs.forget_data()
    right = [each.held_out for each in runs.inputs_of(params, "small", "toy", 0, "lstm_rand", "prune")]
    assert not any(np.array_equal(one, other) for one, other in zip(first, right, strict=True))


def test_a_run_is_told_nothing_that_its_target_does_not_ask_for(noisy):
    for each in runs.inputs_of(noisy[0], "small", "toy", 0, "lstm_rand", "lcm"):
        assert each.transition is None and each.held_out is None


def test_data_that_changed_are_read_again_in_the_same_process(noisy, workplace):
    """Without being told to forget: a study trains while its data are made anew."""
    params, labels, given = noisy
    first = runs.inputs_of(params, "small", "toy", 0, "lstm_rand", "ce")[0]
    write_array(workplace / "data/splits/toy/labels-0.npy", given[::-1].copy())
    assert np.array_equal(runs.inputs_of(params, "small", "toy", 0, "lstm_rand", "ce")[0].fit_labels, given[-1])
    assert np.array_equal(first.fit_labels, given[0])


@pytest.mark.parametrize("name", ["splits", "labels-0"])
def test_splits_and_labels_with_a_damaged_header_are_one_line(workplace, name):
    path = workplace / f"data/splits/toy/{name}.npy"
    runs.damage_header(path)
    with pytest.raises(UserError) as caught:
        inputs.load("toy")
    said = str(caught.value)
    assert said.startswith(f"data/splits/toy/{name}.npy: cannot be read (TokenError: ") and "\n" not in said
    assert said.endswith("delete it and make it again with `dvc repro data/dvc.yaml:split@toy`")


@pytest.mark.parametrize(
    "model,path,stage",
    [
        ("lstm_own", "data/vectors/own_text/20ng/vectors.npy", "vectors_own_text@20ng"),
        ("minilm_frozen", "data/wordpieces/20ng/wordpieces.npy", "wordpieces@20ng"),
    ],
)
def test_what_a_model_starts_from_with_a_damaged_header_is_one_line(workplace, params, model, path, stage):
    write_array(workplace / path, np.zeros((3, 4), np.float32 if "vectors" in path else np.int32))
    runs.damage_header(workplace / path)
    data = inputs.prepare.load(workplace / "data/corpus/toy")
    with pytest.raises(UserError) as caught:
        inputs.find_source(runs.load(params, workplace), inputs.Cell("small", "20ng", 0, model, "ce", 1), data)
    said = str(caught.value)
    assert said.startswith(f"{path}: cannot be read (TokenError: ") and "\n" not in said
    assert said.endswith(f"make it again with `dvc repro data/dvc.yaml:{stage}`")
