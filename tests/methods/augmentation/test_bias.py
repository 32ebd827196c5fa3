import torch

from cdseg_teach.methods.augmentation import BiasField
from cdseg_teach.methods.augmentation.transform import foreground, unit_range


def test_it_multiplies_by_a_smooth_field(uncropped):
    images, _ = uncropped
    points = torch.zeros(4, 2, 4, 4)
    points[0, 0] = torch.linspace(-1, 1, 4)
    changed = BiasField().apply(images, {"control_points": points})
    assert torch.equal(changed[1:], images[1:])
    assert torch.equal(changed[0, 1], images[0, 1])
    field = torch.linspace(-1, 1, images.shape[3]).exp()
    expected = unit_range(images)[0, 0] * field
    for values in (changed[0, 0], expected):
        values.sub_(values.mean()).div_(values.std())
    torch.testing.assert_close(changed[0, 0], expected, atol=1e-5, rtol=1e-4)


def test_its_strength_is_the_largest_spread(draws):
    points = BiasField(strength=0.5).draw((2000, 1, 96, 96), draws)["control_points"]
    sigma = points.square().mean(dim=(2, 3)).sqrt()
    assert abs(sigma.mean() - 0.25) < 0.02


def test_every_pixel_of_the_foreground_is_seen(slices, draws):
    images, _ = slices
    changed = BiasField(strength=2.0)(images, draws)
    assert (changed != images)[foreground(images).expand_as(images)].float().mean() > 0.99
