import pytest
import torch

from cdseg_teach.methods.augmentation import Fourier, to_device
from cdseg_teach.methods.augmentation.fourier import with_amplitudes_of
from cdseg_teach.problems import Problem


def test_the_full_radius_gives_the_others_amplitude_and_keeps_the_phase(uncropped):
    images, _ = uncropped
    others = torch.randn_like(images)
    changed = torch.fft.fft2(with_amplitudes_of(others, images, radius=13))
    torch.testing.assert_close(changed.abs(), torch.fft.fft2(others).abs(), atol=1e-3, rtol=1e-3)
    phase = changed / torch.fft.fft2(images)
    # Where an image's amplitude is almost 0 its phase is rounding.
    sure = torch.fft.fft2(images).abs() > 0.1
    torch.testing.assert_close(
        phase.angle()[sure], torch.zeros_like(phase.angle()[sure]), atol=1e-2, rtol=0
    )


def test_radius_one_swaps_the_mean_alone(uncropped):
    images, _ = uncropped
    others = images + 3
    torch.testing.assert_close(with_amplitudes_of(others, images + 1, 1), images + 3)


@pytest.mark.parametrize("radius", [1, 2, 4])
def test_frequencies_from_the_radius_on_stay(uncropped, radius):
    images, _ = uncropped
    before, after = (
        torch.fft.fft2(x) for x in (images, with_amplitudes_of(2 * images, images, radius))
    )
    rows = torch.fft.fftfreq(24, 1 / 24).abs()[:, None]
    columns = torch.fft.fftfreq(20, 1 / 20).abs()[None]
    low = (rows < radius) & (columns < radius)
    torch.testing.assert_close(after, torch.where(low, 2 * before, before), atol=1e-3, rtol=1e-3)


def test_an_image_without_a_frequency_gets_it():
    flat, wave = torch.zeros(1, 8, 8), torch.cos(torch.arange(8) * torch.pi / 4).expand(1, 8, 8)
    changed = with_amplitudes_of(wave, flat, 5)
    torch.testing.assert_close(changed, wave, atol=1e-6, rtol=0)


def test_others_of_another_size_are_named(uncropped, draws):
    images, _ = uncropped
    with pytest.raises(Problem, match=r"\(2, 24, 20\).*\(2, 8, 8\)"):
        Fourier(torch.zeros(3, 2, 8, 8))(images, draws)


def test_styles_come_from_the_others_given(uncropped, draws):
    images, _ = uncropped
    others = torch.stack([images[0] * k for k in (1, 2)])
    fourier = Fourier(others, radius=13)
    parameters = fourier.draw(images.shape, draws)
    assert set(parameters["other"].tolist()) == {0, 1}
    changed = fourier.apply(images[:1], {"other": torch.tensor([1])})
    torch.testing.assert_close(changed, 2 * images[:1])


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU is to be seen")
def test_others_may_stay_on_the_cpu(uncropped):
    images, _ = uncropped
    draws = torch.Generator().manual_seed(0)
    parameters = (fourier := Fourier(2 * images)).draw(images.shape, draws)
    expected = fourier.apply(images, parameters)
    changed = fourier.apply(images.cuda(), to_device(parameters, torch.device("cuda")))
    torch.testing.assert_close(changed.cpu(), expected, atol=1e-4, rtol=1e-4)
