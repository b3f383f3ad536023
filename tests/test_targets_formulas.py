"""What is claimed of the targets: their places on the map, the identities between them, and their state, by hand."""

import math

import numpy as np
import pytest
import torch

from lcm import matched_epsilon
from lcm.targets import Task, implicit_target, strength, structure, target_class

C, N = 20, 40


@pytest.fixture(autouse=True)
def float64():
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def make(name, task=C, **settings):
    return target_class(name)(task, **settings)


@pytest.fixture
def batch():
    torch.manual_seed(0)
    return 2 * torch.randn(N, C), torch.randint(C, (N,))


def parts(batch):
    """p, y, log p and the entropy, as in the formulas."""
    logits, labels = batch
    p = logits.softmax(-1)
    return p, torch.nn.functional.one_hot(labels, C).double(), p.log(), -(p * p.log()).sum(-1, keepdim=True)


def of_label(p, labels):
    return p[torch.arange(N), labels].unsqueeze(-1)


def test_implicit_targets_have_their_closed_forms(batch):
    p, y, log_p, entropy = parts(batch)
    p_y = of_label(p, batch[1])
    expected = {
        make("ce"): y,
        make("ls", epsilon=0.3): y - 0.3 * (y - 1 / C),
        make("square", size=3.0): p - 2 / C * (batch[0] - 3 * y),
        make("confidence_penalty", beta=0.4): y - 0.4 * p * (log_p + entropy),
        make("gce", q=0.7): p + p_y**0.7 * (y - p),
        make("gce", q=1.0): p + p_y * (y - p),
        make("sce", alpha=0.4, beta=1.0): p + (0.4 + 4 * math.log(10) * p_y) * (y - p),  # -log 1e-4
        make("bootstrap", beta=0.8): p + 0.8 * (y - p),
        make("bootstrap", beta=0.8, detach=False): 0.8 * y + 0.2 * p * (1 + log_p + entropy),
        make("ols", mix=0.3): p + 0.3 * (y - p),  # in the first epoch
    }
    for target, s in expected.items():
        torch.testing.assert_close(implicit_target(target, *batch), s, rtol=1e-9, atol=1e-12, msg=str(target))


def random_transition():
    torch.manual_seed(1)
    return (3 * torch.eye(C) + torch.rand(C, C)).softmax(-1)


def test_the_implicit_target_of_forward_correction_is_the_posterior_of_the_true_label(batch):
    T = random_transition()
    joint = batch[0].softmax(-1) * T[:, batch[1]].T  # P(true = k, given = y)
    posterior = joint / joint.sum(-1, keepdim=True)
    torch.testing.assert_close(implicit_target(make("forward", Task(C, transition=T)), *batch), posterior)
    learnt = make("vol_min")
    joint = batch[0].softmax(-1) * learnt.log_matrix().exp().detach()[:, batch[1]].T
    torch.testing.assert_close(implicit_target(learnt, *batch), joint / joint.sum(-1, keepdim=True))


def test_the_implicit_target_of_early_learning_regularisation(batch):
    target = make("elr", Task(C, n_samples=N), weight=2.0)
    samples = torch.arange(N)
    torch.manual_seed(3)
    target.table.copy_(torch.randn(N, C).softmax(-1) * 0.9)
    p, y, _, _ = parts((batch[0] / 4, batch[1]))  # all of p above the clamp
    t = target.table
    agreement = (t * p).sum(-1, keepdim=True)
    s = y + 2 * p * (t - agreement) / (1 - agreement)
    torch.testing.assert_close(implicit_target(target, batch[0] / 4, batch[1], None, samples), s)


def test_posterior_lcm_at_beta_0_is_matched_label_smoothing(batch):
    for alpha in (0.5, 4.0):
        posterior, matched = make("posterior_lcm", alpha=alpha, beta=0.0), make("ls_matched", alpha=alpha)
        torch.testing.assert_close(posterior.losses(*batch), matched.losses(*batch), rtol=1e-9, atol=1e-9)
        torch.testing.assert_close(
            implicit_target(posterior, *batch), implicit_target(matched, *batch), rtol=1e-9, atol=1e-9
        )


def test_posterior_lcm_at_beta_1_is_forward_correction(batch):
    """With the boost alpha for symmetric noise, with the known matrix for that one."""
    for alpha in (0.5, 4.0):
        right = math.exp(alpha) / (math.exp(alpha) + C - 1)
        T = torch.full((C, C), (1 - right) / (C - 1))
        T.fill_diagonal_(right)
        forward = implicit_target(make("forward", Task(C, transition=T)), *batch)
        posterior = implicit_target(make("posterior_lcm", alpha=alpha, beta=1.0), *batch)
        torch.testing.assert_close(posterior, forward, rtol=1e-9, atol=1e-9)
    assert 1 - right == pytest.approx(0.258, abs=5e-4)  # alpha = 4 assumes that 25.8 % of 20 labels are wrong
    task = Task(C, transition=random_transition())
    known = implicit_target(make("posterior_lcm", task, beta=1.0, matrix="known"), *batch)
    torch.testing.assert_close(known, implicit_target(make("forward", task), *batch), rtol=1e-9, atol=1e-9)


def test_the_fixed_point_of_posterior_lcm(batch):
    """p = softmax(alpha y / (1 - beta)) is its own target; alpha (1 - beta) for alpha keeps the strength there."""
    labels = batch[1]
    for alpha, beta in ((4.0, 0.25), (1.0, 0.8)):
        logits = alpha / (1 - beta) * torch.nn.functional.one_hot(labels, C).double()
        s = implicit_target(make("posterior_lcm", alpha=alpha, beta=beta), logits, labels)
        torch.testing.assert_close(s, logits.softmax(-1))
        kept = implicit_target(make("posterior_lcm", alpha=alpha * (1 - beta), beta=beta), logits * (1 - beta), labels)
        torch.testing.assert_close(strength(kept, labels), torch.full((N,), matched_epsilon(alpha, C)))


def test_structured_targets_are_as_strong_as_smoothing_of_their_epsilon(batch):
    torch.manual_seed(2)
    groups = torch.arange(C) // 5
    task = Task(C, n_samples=N, groups=groups, held_out=torch.randn(N, C).softmax(-1))
    for name in ("oracle_group", "anti_group", "permuted_group", "held_out_lcm"):
        s = implicit_target(make(name, task, epsilon=0.27, rho=0.9), *batch, None, torch.arange(N))
        torch.testing.assert_close(strength(s, batch[1]), torch.full((N,), 0.27))
        even = implicit_target(make(name, task, epsilon=0.27, rho=0.0), *batch, None, torch.arange(N))
        torch.testing.assert_close(even, implicit_target(make("ls", epsilon=0.27), *batch))
    own = implicit_target(make("oracle_group", task, epsilon=0.27, rho=0.8), *batch)
    share = 0.8 / 4 + 0.2 / 19  # of a sibling in the mass off the label
    kappa = 0.27 * 19 / 20 * (4 * share * math.log(19 * share) + 15 * 0.2 / 19 * math.log(0.2))
    np.testing.assert_allclose(structure(own, batch[1]), kappa)
    assert kappa == pytest.approx(0.234, abs=5e-4)  # nineteen times what LCM can reach
    siblings = (groups[batch[1]].unsqueeze(1) == groups) & (torch.arange(C) != batch[1].unsqueeze(1))
    assert siblings.sum() == 4 * N
    torch.testing.assert_close((own * siblings).sum(-1), torch.full((N,), 0.27 * 19 / 20 * (0.8 + 0.2 * 4 / 19)))
    outside = implicit_target(make("anti_group", task, epsilon=0.27, rho=1.0), *batch)
    assert (outside * siblings).abs().max() < 1e-12


def test_shuffled_groups_keep_their_sizes_and_follow_their_seed():
    groups, labels = torch.arange(20) // 4, torch.arange(20)
    task, logits = Task(20, groups=groups), torch.zeros(20, 20, dtype=torch.float64)

    def siblings(seed):
        s = implicit_target(make("permuted_group", task, epsilon=0.3, rho=1.0, seed=seed), logits, labels)
        return s > 1e-9  # the label and the others of its group

    found = [siblings(seed) for seed in range(4)]
    true = groups.unsqueeze(1) == groups
    for each in found:
        assert (each.sum(-1) == 4).all() and torch.equal(each, each.T) and not torch.equal(each, true)
    assert len({each.numpy().tobytes() for each in found}) == 4


def test_a_label_alone_in_its_group_has_label_smoothing():
    task, logits, labels = Task(3, groups=torch.tensor([0, 0, 1])), torch.zeros(2, 3), torch.tensor([0, 2])
    s = implicit_target(make("oracle_group", task, epsilon=0.3, rho=1.0), logits, labels)
    torch.testing.assert_close(s, torch.tensor([[0.8, 0.2, 0.0], [0.1, 0.1, 0.8]]))
    everybody = Task(3, groups=torch.zeros(3, dtype=torch.int64))
    s = implicit_target(make("anti_group", everybody, epsilon=0.3, rho=1.0), logits, labels)
    torch.testing.assert_close(s, torch.tensor([[0.8, 0.1, 0.1], [0.1, 0.1, 0.8]]))


@pytest.mark.parametrize("epsilon", [0.9, 0.97])
def test_square_loss_is_the_strong_end_of_label_smoothing(epsilon):
    """CE(LS) = const + |z - C (1 - epsilon)(y - 1/C)|^2 / 2C + O(z^3) for logits that sum to 0."""
    torch.manual_seed(0)
    labels, gaps = torch.randint(C, (N,)), []
    y = torch.nn.functional.one_hot(labels, C).double()
    direction = torch.randn(N, C)
    direction = direction - direction.mean(-1, keepdim=True)
    for scale in (0.02, 0.04):
        z = scale * direction
        square = (z - C * (1 - epsilon) * (y - 1 / C)).square().sum(-1) / (2 * C)
        at_zero = (C * (1 - epsilon) * (y - 1 / C)).square().sum(-1) / (2 * C)
        gaps.append(make("ls", epsilon=epsilon).losses(z, labels) - math.log(C) - (square - at_zero))
    assert gaps[0].abs().max() < 1e-5
    assert (gaps[1] / gaps[0]).median().item() == pytest.approx(8, abs=0.5)  # third order


LOG = {share: [math.log(share), math.log(1 - share)] for share in (0.9, 0.6, 0.2)}  # logits of p = (share, 1 - share)


def test_seal_trains_its_second_round_on_the_mean_of_the_first():
    target, labels, sample = make("seal", Task(2, n_samples=2)), torch.tensor([1]), torch.tensor([1])
    for share in (0.9, 0.6):
        assert target.losses(torch.tensor([LOG[share]]), labels, None, sample).item() == pytest.approx(
            -math.log(1 - share)
        )
        target.end_epoch()
    target.end_round()
    assert target.epoch == 0 and target.table.tolist() == [[0, 0], pytest.approx([0.75, 0.25])]
    second = target.losses(torch.tensor([LOG[0.2]]), labels, None, sample).item()
    assert second == pytest.approx(-(0.75 * math.log(0.2) + 0.25 * math.log(0.8)))
    unseen = target.losses(torch.tensor([LOG[0.2]]), labels, None, torch.tensor([0])).item()
    assert unseen == pytest.approx(-math.log(0.8))  # a sample that the first round did not have: its label
    target.end_round()
    assert target.table.tolist() == [pytest.approx([0.2, 0.8])] * 2  # of the second round alone


def test_vol_min_starts_at_its_diagonal_and_learns_ten_times_as_fast():
    target = make("vol_min", diagonal=0.48)
    matrix = target.log_matrix().exp()
    torch.testing.assert_close(matrix.diagonal(), torch.full((C,), 0.48))
    torch.testing.assert_close(matrix.sum(-1), torch.ones(C))
    assert (10 * make("vol_min", 10).slow[0, 1]).item() == pytest.approx(
        -2, abs=0.02
    )  # the authors' start for 10 labels
    with pytest.raises(ValueError, match="diagonal"):
        make("vol_min", diagonal=0.05)


def test_vol_min_finds_the_matrix_of_noise_that_it_sees():
    """Predictions that know the true label: the likeliest matrix is that of the given labels, up to the penalty."""
    torch.manual_seed(0)
    T = torch.tensor([[0.7, 0.3, 0.0], [0.0, 1.0, 0.0], [0.1, 0.1, 0.8]])
    true = torch.arange(3).repeat_interleave(100)
    labels = torch.cat([torch.repeat_interleave(torch.arange(3), (100 * row).round().long()) for row in T])
    target = make("vol_min", 3, penalty=0.0)
    optimizer = torch.optim.Adam(target.parameters(), lr=0.01)
    for _ in range(400):
        optimizer.zero_grad()
        target(20 * torch.nn.functional.one_hot(true, 3).double(), labels).backward()
        optimizer.step()
    torch.testing.assert_close(target.log_matrix().exp().detach(), T, rtol=0, atol=0.02)


def test_the_volume_penalty_of_vol_min_shrinks_the_matrix(batch):
    plain, penalised = make("vol_min", penalty=0.0), make("vol_min", penalty=0.5)
    difference = (penalised.losses(*batch) - plain.losses(*batch)).detach()
    volume = torch.linalg.det(plain.log_matrix().exp()).abs().log().item()
    torch.testing.assert_close(difference, torch.full((N,), 0.5 * volume))
    assert volume < 0  # 0 is the identity


def test_the_transition_matrix_is_checked():
    with pytest.raises(ValueError, match="rows of transition that sum to 1"):
        make("forward", Task(2, transition=torch.tensor([[0.5, 0.4], [0.0, 1.0]])))
    with pytest.raises(ValueError, match=r"expected transition of shape \(3, 3\), found \(2, 2\)"):
        make("forward", Task(3, transition=torch.eye(2)))
    with pytest.raises(ValueError, match="posterior_lcm needs transition"):
        make("posterior_lcm", matrix="known")


def test_held_out_probabilities_are_calibrated_where_labels_are_given():
    """Probabilities twice too sure, or half as sure, in logits, come back as they were; labels of -1 do not count."""
    torch.manual_seed(0)
    logits = torch.randn(4000, 3)
    labels = torch.multinomial(logits.softmax(-1), 1).squeeze(1)
    labels[:5] = -1
    task = Task(3, n_samples=4000, held_out=(2 * logits).softmax(-1), labels=labels)
    torch.testing.assert_close(make("held_out_lcm", task).confusion, logits.softmax(-1), rtol=0, atol=0.04)
    timid = Task(3, n_samples=4000, held_out=(logits / 2).softmax(-1), labels=labels)
    torch.testing.assert_close(make("held_out_lcm", timid).confusion, logits.softmax(-1), rtol=0, atol=0.04)
    raw = Task(3, n_samples=4000, held_out=(2 * logits).softmax(-1))
    assert torch.equal(make("held_out_lcm", raw).confusion, raw.held_out)


def test_the_label_embedding_network_stops_its_gradients(batch):
    """The second head moves neither the text vector nor the logits, and the first term does not move the embedding."""
    target = make("label_embedding", Task(C, vector_size=4))
    vector = torch.randn(N, 4, requires_grad=True)
    assert torch.autograd.grad(target(*batch[:2], vector), [vector], allow_unused=True)[0] is None
    y = parts(batch)[1]
    s = implicit_target(target, *batch, vector)
    torch.testing.assert_close(s, 0.5 * y + 0.5 * target.embedding.detach().softmax(-1)[batch[1]])
