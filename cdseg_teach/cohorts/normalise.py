"""One intensity scale for every image, simulated or real."""

from __future__ import annotations

import numpy as np

CLIPPED_PERCENT = (0.5, 99.5)
LIMIT = 10.0  # standard deviations; beyond lies a spike, not tissue


def normalise(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """About zero mean and unit standard deviation over the foreground, channel by channel.

    x ← (x − mean) / std inside the mask, 0 outside, with mean and std of clip(x, P0.5, P99.5), so
    that a few bright vessels or a spike do not decide the scale of everything else. The values
    themselves are not clipped at percentiles: a lesion is a small outlier, and it is what we are
    after. They are limited to ±10.

    Parameters
    ----------
    image
        [C, Z, Y, X], any finite scale.
    mask
        bool [Z, Y, X], the foreground (the brain).

    Returns
    -------
    float32 [C, Z, Y, X]. A channel that is constant over the foreground becomes 0, and so does
    everything when the mask is empty.

    Examples
    --------
    >>> image = np.array([1.0, 3.0, 9.0], dtype=np.float32).reshape(1, 1, 1, 3)
    >>> normalise(image, image[0] < 5).ravel().round(1).tolist()
    [-1.0, 1.0, 0.0]
    """
    mask = np.asarray(mask, dtype=bool)
    out = np.zeros(image.shape, dtype=np.float32)
    if not mask.any():
        return out
    for channel, result in zip(image, out, strict=True):
        inside = channel[mask].astype(np.float64)
        usual = np.clip(inside, *np.percentile(inside, CLIPPED_PERCENT))
        spread = usual.std()
        if spread > 1e-6 * np.abs(usual).max():  # below, what is left of a constant is rounding
            result[mask] = np.clip((inside - usual.mean()) / spread, -LIMIT, LIMIT)
    return out
