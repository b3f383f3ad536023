"""Every formula of docs/collapse.md: why the label confusion distribution c ends on one or two labels.

C = 20 labels and alpha = 4 as in the paper; s = softmax(alpha y + c), loss KL(s || p). "Undecided": p is uniform.
"""

import math

import pytest
import torch

from lcm import LabelConfusionModel, OnlineLabelSmoothing, implicit_target, lcm_loss, strength

C, ALPHA = 20, 4.0
UNDECIDED = torch.full((C,), 1 / C, dtype=torch.float64)
Y = torch.eye(C, dtype=torch.float64)


def loss(c, p=UNDECIDED, label=0):
    """KL(s || p) of confusion distributions c (..., C)."""
    s = (ALPHA * Y[label] + c).softmax(-1)
    return (s * (s.log() - p.log())).sum(-1)


def on_simplex(generator, n, sharpness):
    return (sharpness * torch.randn(n, C, generator=generator, dtype=torch.float64)).softmax(-1)


def test_the_gradient_by_hand():
    """g_k = dL/dc_k = s_k (d_k - L), sum 0, with d = log s - log p; by the logits u of c: c_j (g_j - sum_k c_k g_k)."""
    generator = torch.Generator().manual_seed(0)
    for _ in range(20):
        u = torch.randn(C, generator=generator, dtype=torch.float64, requires_grad=True)
        p = on_simplex(generator, 1, 1.0)[0]
        c = u.softmax(-1)
        by_c, by_u = torch.autograd.grad(loss(c, p), (c, u))
        s = (ALPHA * Y[0] + c).softmax(-1)
        d = s.log() - p.log()
        g = s * (d - (s * d).sum())
        torch.testing.assert_close(by_c, g)
        assert g.sum().item() == pytest.approx(0, abs=1e-12)
        torch.testing.assert_close(by_u, c * (g - (c * g).sum()))


def test_at_the_start_the_only_force_is_away_from_the_label():
    u = torch.zeros(C, dtype=torch.float64, requires_grad=True)
    c = u.softmax(-1)
    g = torch.autograd.grad(loss(c), c)[0]
    assert g[0].item() == pytest.approx(0.766, abs=5e-4)
    torch.testing.assert_close(
        g[1:], torch.full((C - 1,), -0.0403, dtype=torch.float64), atol=5e-5, rtol=0
    )  # all alike


@pytest.mark.parametrize("alpha,n_labels", [(4.0, 20), (4.0, 4), (4.0, 13), (6.0, 100)])
def test_an_undecided_predictor_wants_all_of_c_on_one_wrong_label(alpha, n_labels):
    """The proof needs alpha s_y > 2 at the wrong vertices, where s_y is smallest."""
    assert alpha * math.exp(alpha) / (math.exp(alpha) + n_labels - 2 + math.e) > 2
    eye, generator = torch.eye(n_labels, dtype=torch.float64), torch.Generator().manual_seed(0)

    def entropy(c):  # the loss is log C less this
        s = (alpha * eye[0] + c).softmax(-1)
        return -(s * s.log()).sum(-1)

    best = entropy(eye[1:])
    torch.testing.assert_close(best, best[0].expand(n_labels - 1))  # whichever it is
    for sharpness in (0.5, 2.0, 8.0):
        inside = (sharpness * torch.randn(2000, n_labels, generator=generator, dtype=torch.float64)).softmax(-1)
        assert (entropy(inside) <= best[0] + 1e-12).all()
        # and from any point there is a way up: from a smaller wrong entry, or the label's, to the largest wrong one
        c = inside[:200]
        top = eye[1 + c[:, 1:].argmax(-1)]
        for other in range(n_labels):
            moved = c.gather(1, torch.full((200, 1), other)) * 0.5
            assert (entropy(c - moved * eye[other] + moved * top) >= entropy(c) - 1e-12).all()


def test_losses_of_an_undecided_predictor_as_printed():
    assert loss(UNDECIDED).item() == pytest.approx(1.664, abs=5e-4)
    assert loss((1 - Y[0]) / (C - 1)).item() == pytest.approx(1.624, abs=5e-4)
    assert loss(Y[1]).item() == pytest.approx(1.610, abs=5e-4)
    assert loss(Y[0]).item() == pytest.approx(2.308, abs=5e-4)


def test_mass_taken_from_the_label_goes_to_the_rich():
    """dL/du_j = -C/(C-1) g_y c_y c_j for a wrong j, where all wrong g are alike."""
    generator = torch.Generator().manual_seed(1)
    c = on_simplex(generator, 1, 1.0)[0]
    g = torch.full((C,), -0.766 / (C - 1), dtype=torch.float64)
    g[0] = 0.766
    by_u = c * (g - (c * g).sum())
    torch.testing.assert_close(by_u[1:], -C / (C - 1) * 0.766 * c[0] * c[1:])


def flow(u, prior, steps=4000, rate=20.0):
    """Gradient descent on the logits of a c that is the same for every text, for labels drawn from `prior`."""
    u = u.clone().requires_grad_()
    labels = ALPHA * Y
    for _ in range(steps):
        c = u.softmax(-1)
        s = (labels + c).softmax(-1)
        mean = (prior * (s * (s.log() - UNDECIDED.log())).sum(-1)).sum()
        u = (u - rate * torch.autograd.grad(mean, u)[0]).detach().requires_grad_()
    return u.softmax(-1).detach()


def test_where_c_knows_nothing_of_the_text_the_rarest_label_wins_unless_another_has_a_lead():
    prior = torch.linspace(1, 3, C, dtype=torch.float64)[torch.randperm(C, generator=torch.Generator().manual_seed(2))]
    prior = prior / prior.sum()
    u = torch.zeros(C, dtype=torch.float64, requires_grad=True)
    c = u.softmax(-1)
    s = (ALPHA * Y + c).softmax(-1)
    by_u = torch.autograd.grad((prior * (s * (s.log() - UNDECIDED.log())).sum(-1)).sum(), u)[0]
    expected = -0.766 * C / (C - 1) * c * ((prior * c).sum() - prior)
    torch.testing.assert_close(by_u, expected.detach(), rtol=1e-3, atol=1e-7)
    rarest = prior.argmin()
    end = flow(torch.zeros(C, dtype=torch.float64), prior)
    assert end.argmax() == rarest and end[rarest] > 0.95
    other = prior.argsort()[C // 2]
    lead = torch.zeros(C, dtype=torch.float64)
    lead[other] = 2.0
    assert flow(lead, prior).argmax() == other


def test_nothing_scores_c():
    """For every c, shuffled ones included, the loss can be 0: at p = s. So no c is better than another at the end."""
    generator = torch.Generator().manual_seed(3)
    for c in on_simplex(generator, 50, 3.0):
        for shuffled in (c, c[torch.randperm(C, generator=generator)]):
            assert loss(shuffled, (ALPHA * Y[0] + shuffled).softmax(-1)).item() == pytest.approx(0, abs=1e-12)


def test_a_sure_predictor_wants_all_of_c_on_the_label():
    """The second place to end: s can be no surer than .887, so a predictor beyond that pulls c onto the label."""
    assert (ALPHA * Y[0] + Y[0]).softmax(-1)[0].item() == pytest.approx(0.887, abs=5e-4)
    generator = torch.Generator().manual_seed(4)
    for p_y in (0.9, 0.95, 0.99):
        p = torch.full((C,), (1 - p_y) / (C - 1), dtype=torch.float64)
        p[0] = p_y
        for sharpness in (0.5, 2.0, 8.0):
            assert (loss(on_simplex(generator, 1000, sharpness), p) > loss(Y[0], p)).all()
        assert (loss(Y[1:], p) > loss(Y[0], p)).all()


def test_even_the_right_c_moves_the_target_little():
    """One wrong label at most e times another: .036 and .013. (Structure: tests/test_targets_base.py.)"""
    s = (ALPHA * Y[0] + Y[1]).softmax(-1)
    assert s[1].item() == pytest.approx(0.0361, abs=5e-5) and s[2].item() == pytest.approx(0.0133, abs=5e-5)
    assert (s[1] / s[2]).item() == pytest.approx(math.e)
    inside = (ALPHA * Y[0] + on_simplex(torch.Generator().manual_seed(5), 1000, 5.0)).softmax(-1)
    assert (inside[:, 1:].amax(-1) / inside[:, 1:].amin(-1)).max() <= math.e


def probe(seed, steps=80, n_labels=C, size=64, n_texts=2000):
    """LCM as released beside a predictor that stays undecided. Returns c of all texts, (n, C), and their labels."""
    generator = torch.Generator().manual_seed(seed)
    groups, own = torch.randn(5, size, generator=generator), torch.randn(n_labels, size, generator=generator)
    labels = torch.randint(n_labels, (n_texts,), generator=generator)
    noise = torch.randn(n_texts, size, generator=generator)
    vectors = (0.7 * groups[labels // 4] + 0.7 * own[labels] + 0.8 * noise).tanh()
    torch.manual_seed(seed)
    model = LabelConfusionModel(n_labels, size, ALPHA)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(steps):
        batch = torch.randint(n_texts, (128,), generator=generator)
        optimizer.zero_grad()
        lcm_loss(torch.zeros(128, n_labels), model(vectors[batch], labels[batch])).backward()
        optimizer.step()
    return model.label_confusion(vectors).detach(), labels


@pytest.mark.parametrize("seed", range(3))
def test_the_distribution_collapses_where_nothing_can_be_known_of_confusions(seed):
    """The frozen predictor's probe: in 80 steps c of every text is one label, hardly ever of the text's own group."""
    c, labels = probe(seed, steps=0)
    every = torch.arange(len(c))
    own_group = torch.arange(C) // 4 == (labels // 4).unsqueeze(1)
    own_group[every, labels] = False

    def read(c):
        entropy = -torch.xlogy(c, c).sum(-1).mean().item()
        return entropy, c[every, labels].mean().item(), (c * own_group).sum(-1).mean().item()

    entropy, on_label, on_group = read(c)
    assert entropy > 2.9 and on_label == pytest.approx(0.05, abs=0.01) and on_group == pytest.approx(0.15, abs=0.02)
    c, _ = probe(seed)
    entropy, on_label, on_group = read(c)
    assert entropy < 0.1 and on_label < 0.001 and on_group < 0.03
    assert c.mean(0).topk(5).values.sum() > 0.95  # a handful of labels for 2000 texts


def test_published_online_label_smoothing_loses_its_strength():
    """Class means of a model with p_y = .95 leave .025 off the label."""
    target, labels = OnlineLabelSmoothing(C), torch.arange(C)
    p = torch.full((C, C), 0.05 / (C - 1)).fill_diagonal_(0.95)
    target.losses(p.log(), labels)
    target.end_epoch()
    s = implicit_target(target, p.log(), labels)
    torch.testing.assert_close(s.diagonal(), torch.full((C,), 0.975))
    torch.testing.assert_close(strength(s, labels), torch.full((C,), 0.025 * 20 / 19))
