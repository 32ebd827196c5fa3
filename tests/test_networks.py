import pytest
import torch
from torch import nn

from cdseg_teach.networks import (
    NORMS,
    Discriminator,
    UNet,
    forward_with_taps,
    reverse_gradient,
    seeded_weights,
)
from cdseg_teach.problems import Problem


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("size", [(32, 32), (30, 41)])
def test_unet_gives_logits_of_the_image_size(norm, size):
    logits = UNet(3, n_classes=4, norm=norm)(torch.randn(2, 3, *size))
    assert logits.shape == (2, 4, *size)


def test_unet_refuses_an_unknown_norm():
    with pytest.raises(Problem, match="layer"):
        UNet(3, norm="layer")


def test_taps_come_in_the_order_asked_for_and_do_not_change_the_logits():
    net = UNet(2).eval()
    x = torch.randn(1, 2, 32, 32)
    logits, taps = forward_with_taps(net, x, ("decoder1", "bottleneck"))
    assert [tuple(tap.shape) for tap in taps] == [(1, 16, 16, 16), (1, 64, 4, 4)]
    assert torch.equal(logits, net(x))
    assert not net.decoder1._forward_hooks


def test_taps_of_any_module_by_dotted_names():
    net = nn.Sequential(nn.Sequential(nn.Conv2d(1, 3, 1)), nn.Conv2d(3, 2, 1))
    _, (tap,) = forward_with_taps(net, torch.randn(1, 1, 4, 4), ["0.0"])
    assert tap.shape == (1, 3, 4, 4)


def test_unknown_tap_is_named_with_those_that_exist():
    with pytest.raises(Problem, match=r"'encoder9'.*bottleneck"):
        forward_with_taps(UNet(2), torch.randn(1, 2, 8, 8), ["encoder9"])


def test_tap_without_a_feature_map_is_a_problem():
    net = nn.Sequential(nn.Conv2d(1, 2, 1), nn.Flatten(), nn.Linear(32, 2))
    with pytest.raises(Problem, match="'1'"):
        forward_with_taps(net, torch.randn(1, 1, 4, 4), ["1"])


@pytest.mark.parametrize("alpha", [0.0, 0.3, 2.0])
def test_reversed_gradient_is_minus_alpha_times_the_plain_one(alpha):
    net = nn.Conv2d(2, 3, 3)
    x = torch.randn(4, 2, 8, 8)
    plain = torch.autograd.grad(net(x).square().sum(), list(net.parameters()))
    loss = reverse_gradient(net(x), alpha).square().sum()
    back = torch.autograd.grad(loss, list(net.parameters()), allow_unused=True)
    for p, r in zip(plain, back, strict=True):
        torch.testing.assert_close(torch.zeros_like(p) if r is None else r, -alpha * p)


def test_reversal_is_the_identity_forward():
    x = torch.randn(3, requires_grad=True)
    assert torch.equal(reverse_gradient(x, 5.0), x)


def test_alpha_zero_stops_even_an_infinite_gradient():
    x = torch.ones(3, requires_grad=True)
    (reverse_gradient(x, 0.0) * torch.inf + x).sum().backward()
    assert torch.equal(x.grad, torch.ones(3))


def test_discriminator_judges_each_pixel_of_the_finest_tap():
    discriminator = Discriminator([64, 16, 32, 16], width=8)
    taps = [torch.randn(2, c, s, s) for c, s in [(64, 4), (16, 16), (32, 8), (16, 16)]]
    assert discriminator(taps).shape == (2, 1, 16, 16)


def test_discriminator_equals_convolving_the_upsampled_and_concatenated_taps():
    discriminator = Discriminator([5, 3, 2, 4], width=6)
    taps = [torch.randn(2, c, s, s) for c, s in [(5, 4), (3, 16), (2, 8), (4, 8)]]
    up = nn.Upsample(size=(16, 16), mode="bilinear")
    weight = torch.cat([conv.weight for conv in discriminator.listen], dim=1)
    bias = discriminator.listen[0].bias
    together = nn.functional.conv2d(torch.cat([up(tap) for tap in taps], dim=1), weight, bias)
    expected = discriminator.judge(together)
    torch.testing.assert_close(discriminator(taps), expected, atol=1e-5, rtol=1e-4)


def test_discriminator_needs_something_to_listen_to():
    with pytest.raises(Problem, match="tap"):
        Discriminator([])


def test_seeded_weights_repeat_and_leave_the_global_generator_alone():
    before = torch.get_rng_state()
    nets = []
    for seed in (1, 1, 2):
        with seeded_weights(seed):
            nets.append(UNet(2).head.weight)
    assert torch.equal(nets[0], nets[1])
    assert not torch.equal(nets[0], nets[2])
    assert torch.equal(torch.get_rng_state(), before)
