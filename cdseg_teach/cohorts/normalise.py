"""One intensity scale for every image, simulated or real."""

from __future__ import annotations

import numpy as np

CLIPPED_PERCENT = (0.5, 99.5)


def normalise(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Zero mean and unit standard deviation over the foreground, channel by channel, after cutting off outliers.

    x ← clip(x, P0.5, P99.5); x ← (x − mean) / std inside the mask, 0 outside. Clipping comes first, so that a few bright
    vessels or a spike do not decide the scale of everything else.

    Parameters
    ----------
    image : [C, Z, Y, X], any finite scale.
    mask : bool [Z, Y, X], the foreground (the brain).

    Returns
    -------
    float32 [C, Z, Y, X]. A channel that is constant over the foreground becomes 0, and so does everything when the mask is empty.

    Examples
    --------
    >>> image = np.array([1.0, 3.0, 9.0], dtype=np.float32).reshape(1, 1, 1, 3)
    >>> normalise(image, image[0] < 5).ravel().round(3).tolist()
    [-1.0, 1.0, 0.0]
    """
    mask = np.asarray(mask, dtype=bool)
    out = np.zeros(image.shape, dtype=np.float32)
    if not mask.any():
        return out
    for channel, result in zip(image, out, strict=True):
        inside = channel[mask].astype(np.float64)
        inside = np.clip(inside, *np.percentile(inside, CLIPPED_PERCENT))
        spread = inside.std()
        if spread > 1e-6 * np.abs(inside).max():  # below, what is left of a constant is rounding
            result[mask] = (inside - inside.mean()) / spread
    return out
