import pytest
import torch

from cdseg_teach.methods.augmentation import MixStyle
from cdseg_teach.methods.augmentation.mixstyle import mixed
from cdseg_teach.networks import UNet, forward_with_taps, seeded_weights
from cdseg_teach.problems import Problem

OTHER = torch.tensor([2, 0, 1])
WEIGHT = torch.tensor([0.25, 0.0, 1.0])


@pytest.fixture
def segmenter():
    with seeded_weights(0):
        return UNet(in_channels=2)


def test_mean_and_spread_are_the_weighted_ones_and_shapes_remain():
    features = torch.randn(3, 4, 9, 7) * torch.rand(3, 4, 1, 1) + torch.randn(3, 4, 1, 1)
    out = mixed(features, WEIGHT, OTHER)
    w = WEIGHT[:, None]
    for moment in (torch.mean, torch.std):
        own = moment(features, dim=(2, 3))
        expected = (1 - w) * own + w * own[OTHER]
        torch.testing.assert_close(moment(out, dim=(2, 3)), expected, atol=1e-4, rtol=1e-3)
    shapes = [
        (x - x.mean((2, 3), keepdim=True)) / x.std((2, 3), keepdim=True) for x in (features, out)
    ]
    torch.testing.assert_close(*shapes, atol=1e-4, rtol=1e-3)
    assert torch.equal(out[1], features[1])


def test_statistics_are_constants_to_the_gradient():
    features = torch.randn(3, 2, 6, 6, requires_grad=True)
    mixed(features, WEIGHT, OTHER)[2].sum().backward()
    std = features.detach().std(dim=(2, 3))
    slope = (std[1] / std[2])[:, None, None].expand(2, 6, 6)
    torch.testing.assert_close(features.grad[2], slope, atol=1e-4, rtol=1e-4)
    # Slice 2 took its style from slice 1, which learns nothing from it.
    assert (features.grad[:2] == 0).all()


def test_taps_are_mixed_inside_and_only_inside(segmenter, draws):
    style, images = MixStyle(taps=("encoder2",)), torch.randn(3, 2, 16, 16)
    segmenter.eval()
    plain, (tap,) = forward_with_taps(segmenter, images, ("encoder2",))
    parameters = {"weight": WEIGHT[:, None], "other": OTHER[:, None]}
    with style.inside(segmenter, parameters):
        logits, (heard,) = forward_with_taps(segmenter, images, ("encoder2",))
    torch.testing.assert_close(heard, mixed(tap, WEIGHT, OTHER))
    assert not torch.equal(logits, plain)
    assert torch.equal(segmenter(images), plain)


def test_strength_zero_changes_nothing_bit_for_bit(segmenter, draws):
    style, images = MixStyle(strength=0.0), torch.randn(3, 2, 16, 16)
    segmenter.eval()
    with style.inside(segmenter, style.draw(images.shape, draws)):
        logits = segmenter(images)
    assert torch.equal(logits, segmenter(images))


def test_weights_are_beta_in_half_of_the_cases(draws):
    drawn = MixStyle().draw((4000, 1, 8, 8), draws)
    assert drawn["weight"].shape == drawn["other"].shape == (4000, 2)
    weight = drawn["weight"]
    assert abs(weight.mean() - 0.25) < 0.02
    # Beta(a, a) has variance 1 / (4 (2a + 1)), so E[w²] = (1/2) (1/4 + that).
    assert abs(weight.square().mean() - 0.5 * (0.25 + 1 / 4.8)) < 0.02
    assert drawn["other"].sort(dim=0).values[:, 0].tolist() == list(range(4000))


def test_draws_repeat_with_their_seed():
    a, b, c = (
        MixStyle().draw((8, 1, 8, 8), torch.Generator().manual_seed(seed)) for seed in (1, 1, 2)
    )
    assert all(torch.equal(a[key], b[key]) for key in a)
    assert not torch.equal(a["weight"], c["weight"])


def test_an_unknown_tap_is_named(segmenter, draws):
    style = MixStyle(taps=("nowhere",))
    with (
        pytest.raises(Problem, match=r"'nowhere'.*encoder1"),
        style.inside(segmenter, style.draw((2, 2, 16, 16), draws)),
    ):
        pass
