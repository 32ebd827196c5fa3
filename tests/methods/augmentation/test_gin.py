import torch
import torch.nn.functional as F

from cdseg_teach.methods.augmentation import GIN


def test_it_keeps_the_frobenius_norm(slices, draws):
    images, _ = slices
    changed = GIN()(images, draws)
    torch.testing.assert_close(changed.norm(dim=(2, 3)), images.norm(dim=(2, 3)))
    assert (changed - images).abs().max() > 0.1


def test_it_is_the_papers_network_for_each_slice_and_channel(uncropped, draws):
    images, _ = uncropped
    gin = GIN()
    parameters = gin.draw(images.shape, draws)
    changed = gin.apply(images, parameters)
    for n in range(4):
        for c in range(2):
            x = own = images[n : n + 1, c : c + 1]
            for layer in range(4):
                kernels = parameters[f"kernels{layer}"][n, c]
                if (kernels[..., 0, 0] == 0).all():
                    x = F.conv2d(x, kernels[..., 1:2, 1:2])
                else:
                    x = F.conv2d(x, kernels, padding=1)
                x = x + parameters[f"shifts{layer}"][n, c][:, None, None]
                x = F.leaky_relu(x) if layer < 3 else x
            a = parameters["weight"][n, c]
            x = a * x + (1 - a) * own
            torch.testing.assert_close(
                changed[n, c], x[0, 0] * own.norm() / x.norm(), atol=1e-5, rtol=1e-4
            )


def test_half_of_the_kernels_are_pointwise(draws):
    parameters = GIN(strength=0.5).draw((500, 2, 8, 8), draws)
    assert [parameters[f"kernels{i}"].shape[2:4] for i in range(4)] == [
        (2, 1),
        (2, 2),
        (2, 2),
        (1, 2),
    ]
    for layer in range(4):
        kernels = parameters[f"kernels{layer}"]
        pointwise = (kernels[..., 0, 0] == 0).flatten(2).all(dim=2)
        assert 0.45 < pointwise.float().mean() < 0.55
        assert (kernels[..., 1, 1] != 0).all()
    assert 0.48 < parameters["weight"].max() < 0.5
