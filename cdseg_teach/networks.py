"""What learns: a small U-Net with named taps, a discriminator over taps, gradient reversal."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cdseg_teach.problems import Problem

NORMS: dict[str, Callable[[int], nn.Module]] = {
    "batch": nn.BatchNorm2d,
    "instance": lambda channels: nn.InstanceNorm2d(channels, affine=True),
    "group": lambda channels: nn.GroupNorm(min(8, channels), channels),
}


class UNet(nn.Module):
    """A two-dimensional U-Net of five blocks, each a tap that a discriminator can listen to.

    Four neighbouring pixels are folded into channels first (pixel-unshuffle), so that everything
    runs at half resolution, and the head unfolds them again. Slices of any size are padded with
    zeros to a multiple of 8 and cropped back.

    Parameters
    ----------
    in_channels, n_classes
        Image channels; classes with the background.
    widths
        Channels at 1/2, 1/4 and 1/8 of the resolution.
    norm
        `"batch"`, `"instance"` or `"group"`.

    References
    ----------
    Ronneberger et al. 2015, "U-Net". Shi et al. 2016, sub-pixel convolution (pixel-shuffle).
    """

    taps: ClassVar[tuple[str, ...]] = (
        "encoder1",
        "encoder2",
        "bottleneck",
        "decoder2",
        "decoder1",
    )
    multiple = 8

    def __init__(
        self,
        in_channels: int,
        n_classes: int = 2,
        widths: tuple[int, int, int] = (16, 32, 64),
        norm: str = "batch",
    ) -> None:
        super().__init__()
        if norm not in NORMS:
            raise Problem(f"norm {norm!r} is unknown; use one of {', '.join(NORMS)}")
        fine, middle, coarse = widths
        self.encoder1 = _block(4 * in_channels, fine, norm)
        self.encoder2 = _block(fine, middle, norm)
        self.bottleneck = _block(middle, coarse, norm)
        self.decoder2 = _block(coarse + middle, middle, norm)
        self.decoder1 = _block(middle + fine, fine, norm)
        self.head = nn.Conv2d(fine, 4 * n_classes, kernel_size=1)

    def forward(self, x: Tensor) -> Tensor:
        """Logits [N, K, H, W] of images [N, C, H, W]."""
        height, width = x.shape[-2:]
        x = F.pad(x, (0, -width % self.multiple, 0, -height % self.multiple))

        e1 = self.encoder1(F.pixel_unshuffle(x, 2))
        e2 = self.encoder2(F.max_pool2d(e1, 2))
        b = self.bottleneck(F.max_pool2d(e2, 2))
        d2 = self.decoder2(torch.cat([_twice(b), e2], dim=1))
        d1 = self.decoder1(torch.cat([_twice(d2), e1], dim=1))
        return F.pixel_shuffle(self.head(d1), 2)[..., :height, :width]


class Discriminator(nn.Module):
    """Tells S from T, pixel by pixel, by listening to several taps of a segmenter at once.

    Each tap goes through a 1x1 convolution at its own resolution; taps of one size are summed, then
    upsampled to the finest and summed again. As all of this is linear, it is the same as
    concatenating the upsampled taps first, and much cheaper.

    Parameters
    ----------
    tap_channels
        Channels of each tap.
    width
        Channels inside.

    References
    ----------
    Kamnitsas et al. 2017, "Unsupervised domain adaptation in brain lesion segmentation with
    adversarial networks", multi-connected adversarial network.
    """

    def __init__(self, tap_channels: Sequence[int], width: int = 32) -> None:
        super().__init__()
        if not tap_channels:
            raise Problem("the discriminator has nothing to listen to; name at least one tap")
        # One bias for the sum is enough. In-place: nothing else needs what the layer before gave.
        self.listen = nn.ModuleList(
            nn.Conv2d(channels, width, kernel_size=1, bias=i == 0)
            for i, channels in enumerate(tap_channels)
        )
        self.judge = nn.Sequential(
            nn.LeakyReLU(0.1, inplace=True),
            nn.Conv2d(width, width, kernel_size=3, padding=1),
            nn.LeakyReLU(0.1, inplace=True),
            nn.Conv2d(width, width, kernel_size=3, padding=1),
            nn.LeakyReLU(0.1, inplace=True),
            nn.Conv2d(width, 1, kernel_size=1),
        )

    def forward(self, taps: Sequence[Tensor]) -> Tensor:
        """Domain logits [N, 1, h, w] at the finest tap's resolution: positive means S."""
        heard: dict[torch.Size, Tensor] = {}
        for listen, tap in zip(self.listen, taps, strict=True):
            size, sound = tap.shape[-2:], listen(tap)
            heard[size] = heard[size] + sound if size in heard else sound
        finest = max(heard, key=lambda size: size.numel())
        total = heard.pop(finest)
        for sound in heard.values():
            total = total + F.interpolate(sound, finest, mode="bilinear", align_corners=False)
        logits: Tensor = self.judge(total)
        return logits


class ReverseGradient(torch.autograd.Function):
    """What `reverse_gradient` applies."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, alpha: float) -> Tensor:
        """The identity."""
        ctx.alpha = alpha
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, None]:
        """-alpha times the gradient."""
        # Zero times an overflowing gradient would be NaN: with alpha = 0 nothing flows back.
        return (-ctx.alpha * gradient if ctx.alpha else None), None


def reverse_gradient(x: Tensor, alpha: float) -> Tensor:
    """The identity on the way forward; on the way back the gradient is multiplied by -alpha.

    References
    ----------
    Ganin & Lempitsky 2015, "Unsupervised domain adaptation by backpropagation", section 3.
    """
    reversed_x: Tensor = ReverseGradient.apply(x, alpha)
    return reversed_x


def forward_with_taps(
    segmenter: nn.Module, x: Tensor, taps: Sequence[str]
) -> tuple[Tensor, list[Tensor]]:
    """One forward pass that also hands out what the named submodules computed.

    Parameters
    ----------
    segmenter
        Any module from images to logits.
    x
        Images [N, C, H, W].
    taps
        Names of submodules, dots for nested ones.

    Returns
    -------
    logits [N, K, H, W], and one tensor [N, c, h, w] for each tap, in the order asked for.

    Raises
    ------
    Problem
        If a tap is no submodule, or did not compute a feature map in this pass.
    """
    heard: dict[str, Tensor] = {}
    hooks = [
        module.register_forward_hook(lambda _m, _i, out, tap=tap: heard.update({tap: out}))
        for tap, module in zip(taps, submodules(segmenter, taps), strict=True)
    ]
    try:
        logits = segmenter(x)
    finally:
        for hook in hooks:
            hook.remove()
    for tap in taps:
        if getattr(heard.get(tap), "ndim", 0) != 4:
            raise Problem(f"tap {tap!r} gave no feature map [N, c, h, w]; name another submodule")
    return logits, [heard[tap] for tap in taps]


def submodules(segmenter: nn.Module, taps: Sequence[str]) -> list[nn.Module]:
    """The submodules of these names; a Problem that lists those there are when one is missing."""
    modules = dict(segmenter.named_modules())
    for tap in taps:
        if tap not in modules:
            known = ", ".join(getattr(segmenter, "taps", [name for name in modules if name]))
            raise Problem(f"tap {tap!r} is no submodule of the segmenter; it has {known}")
    return [modules[tap] for tap in taps]


@contextmanager
def seeded_weights(seed: int) -> Iterator[None]:
    """Networks built inside draw their weights from `seed`; the global generator is put back."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        yield


def _block(in_channels: int, out_channels: int, norm: str) -> nn.Sequential:
    return nn.Sequential(
        # No bias before a norm layer, which takes it away again.
        nn.Conv2d(in_channels, out_channels, kernel_size=3, padding=1, bias=False),
        NORMS[norm](out_channels),
        nn.LeakyReLU(0.1),
        nn.Conv2d(out_channels, out_channels, kernel_size=3, padding=1, bias=False),
        NORMS[norm](out_channels),
        nn.LeakyReLU(0.1),
    )


def _twice(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2, mode="nearest")
