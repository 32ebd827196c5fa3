"""Slices as pixels: grey, with outlines, with errors in colour; hung as radiologists do."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from cdseg_teach.problems import Problem

if TYPE_CHECKING:
    from cdseg_teach.cohorts.study import Subject

# Okabe and Ito 2008, "Color universal design": told apart with every common kind of colour
# blindness.
BLACK, ORANGE, SKY, GREEN, YELLOW, BLUE, RED, PINK = (
    "#000000",
    "#E69F00",
    "#56B4E9",
    "#009E73",
    "#F0E442",
    "#0072B2",
    "#D55E00",
    "#CC79A7",
)
OUTLINE = {"prediction": ORANGE, "truth": "#FFFFFF"}
# Light and dark differ as well as the hue, so that a print in grey still tells the three apart.
ERRORS = {"hit": BLUE, "false alarm": ORANGE, "missed": YELLOW}
# Of label 1, 2, ...; an eighth is as the first. Of all orders one whose structures that touch in a
# slice of a heart differ most in light: by 13 of 100 (CIE L*) or more. Others may be equally light,
# so that a print in grey tells neighbours apart and no more.
STRUCTURES = (ORANGE, BLUE, GREEN, PINK, YELLOW, RED, SKY)
WINDOW = (-2.5, 3.0)  # what of a normalised image is black and what is white


def upright(plane: np.ndarray, affine: np.ndarray) -> np.ndarray:
    """Turn a slice [Y, X] as radiologists hang it: front up, the patient's right on the left.

    Parameters
    ----------
    plane
        A slice of an array [Z, Y, X]; further axes may follow.
    affine
        4x4, from voxel (x, y, z) to mm (RAS+); only the signs of x and y are read.
    """
    if affine[1, 1] > 0:  # y grows towards the front, rows of a picture grow downwards
        plane = plane[::-1]
    return plane[:, ::-1] if affine[0, 0] > 0 else plane


def grey(plane: np.ndarray, low: float = WINDOW[0], high: float = WINDOW[1]) -> np.ndarray:
    """Return a slice as uint8: `low` black, `high` white, and 0, the outside, black."""
    return (np.clip((plane - low) / (high - low), 0, 1) * 255).astype(np.uint8) * (plane != 0)


def outlined(
    plane: np.ndarray,
    prediction: np.ndarray | None = None,
    truth: np.ndarray | None = None,
    scale: int = 4,
) -> np.ndarray:
    """Enlarge a grey slice and draw outlines: prediction full and orange, truth dashed and white.

    Parameters
    ----------
    plane
        uint8 [Y, X].
    prediction, truth
        Class indices [Y, X], 0 = background; every structure is outlined.
    scale
        Enlargement, a whole number.

    Returns
    -------
    uint8 [scale * Y, scale * X, 3].
    """
    picture = _big(plane, scale)
    if truth is not None:
        _draw_truth(picture, truth, scale)
    if prediction is not None:
        picture[_thick(_edge(_enlarged(prediction, scale)))] = rgb(OUTLINE["prediction"])
    return picture


def coloured(
    plane: np.ndarray,
    prediction: np.ndarray | None = None,
    truth: np.ndarray | None = None,
    scale: int = 4,
) -> np.ndarray:
    """Enlarge a grey slice; a prediction gets its structures' colours, the truth is dashed.

    Parameters
    ----------
    plane
        uint8 [Y, X].
    prediction, truth
        Class indices [Y, X]; structure k has the colour `STRUCTURES`[k − 1].
    scale
        Enlargement, a whole number.

    Returns
    -------
    uint8 [scale * Y, scale * X, 3].
    """
    picture = _big(plane, scale)
    if prediction is not None:
        classes = _enlarged(prediction, scale)
        for k in np.unique(classes[classes > 0]):
            there, colour = classes == k, np.array(rgb(STRUCTURES[(k - 1) % len(STRUCTURES)]))
            picture[there] = (0.4 * picture[there] + 0.6 * colour).astype(np.uint8)
    if truth is not None:
        _draw_truth(picture, truth, scale)
    return picture


def slice_picture(
    subject: Subject,
    channel: int,
    z: int,
    prediction: np.ndarray | None = None,
    truth: np.ndarray | None = None,
    structures: int = 1,
    scale: int = 4,
) -> np.ndarray:
    """Return one slice with its structures, uint8 [Y, X, 3], as radiologists hang it.

    Parameters
    ----------
    prediction, truth
        Class indices [Y, X] of this slice.
    structures
        How many there are: one is `outlined`, several are `coloured`.
    scale
        Enlargement, a whole number.
    """

    def hung(mask: np.ndarray | None) -> np.ndarray | None:
        return None if mask is None else upright(mask, subject.affine)

    plane = grey(upright(subject.image[channel, z], subject.affine))
    draw = outlined if structures == 1 else coloured
    return draw(plane, hung(prediction), hung(truth), scale)


def slice_of(
    subject: Subject, z: int, channel: int = 0, prediction: np.ndarray | None = None
) -> np.ndarray:
    """One slice as radiologists hang it: grey [Y, X], or with the errors of a prediction [Y, X, 3].

    Parameters
    ----------
    subject
        A `Subject`, with a label where a prediction is given.
    z, channel
        What is shown.
    prediction
        Class indices [Z, Y, X].

    Raises
    ------
    Problem
        If a prediction is given and the subject has no label to compare it with.
    """
    plane = grey(upright(subject.image[channel, z], subject.affine))
    if prediction is None:
        return plane
    if subject.label is None:
        raise Problem(f"{subject.name}: has no label to show the errors of a prediction by")
    predicted, truth = (upright(v[z], subject.affine) for v in (prediction, subject.label))
    return errors(predicted, truth, plane)


def structures_of(
    subject: Subject, z: int, channel: int = 0, prediction: np.ndarray | None = None
) -> np.ndarray:
    """One slice with each structure in its colour: those of a prediction, or the true ones.

    Parameters
    ----------
    subject
        A `Subject` with a label.
    z, channel
        What is shown.
    prediction
        Class indices [Z, Y, X]; the truth is then a dashed outline.

    Raises
    ------
    Problem
        If the subject has no label.
    """
    if subject.label is None:
        raise Problem(f"{subject.name}: has no label to show the structures of")
    truth = upright(subject.label[z], subject.affine)
    plane = grey(upright(subject.image[channel, z], subject.affine))
    if prediction is None:
        return coloured(plane, truth, scale=3)
    return coloured(plane, upright(prediction[z], subject.affine), truth, scale=3)


def errors(
    prediction: np.ndarray, truth: np.ndarray, plane: np.ndarray | None = None
) -> np.ndarray:
    """Colour what a prediction got right and wrong: uint8 [Y, X, 3].

    Parameters
    ----------
    prediction, truth
        Boolean or class indices [Y, X]; above 0 is foreground. A structure that is called another
        one is a false alarm.
    plane
        uint8 [Y, X], what lies beneath; black without it.
    """
    beneath = np.zeros(truth.shape, np.uint8) if plane is None else plane
    picture = np.repeat(beneath[..., None], 3, axis=2)
    predicted, there, same = prediction > 0, truth > 0, prediction == truth
    masks = (there & same, predicted & ~same, there & ~predicted)
    for mask, colour in zip(masks, ERRORS.values(), strict=True):
        picture[mask] = rgb(colour)
    return picture


def encoded(picture: np.ndarray, size: tuple[int, int] | None = None) -> bytes:
    """Return an array uint8 [Y, X] or [Y, X, 3] as PNG bytes, quickly.

    Parameters
    ----------
    picture
        The pixels.
    size
        Columns and rows to enlarge it to.
    """
    file = io.BytesIO()
    image = Image.fromarray(picture)
    if size is not None:
        image = image.resize(size, Image.Resampling.BICUBIC)
    image.save(file, format="png", compress_level=1)
    return file.getvalue()


def _big(plane: np.ndarray, scale: int) -> np.ndarray:
    """A grey slice enlarged, in three equal colours, to be drawn on."""
    size = (plane.shape[1] * scale, plane.shape[0] * scale)
    big = np.asarray(Image.fromarray(plane).resize(size, Image.Resampling.BICUBIC))
    return np.repeat(big[..., None], 3, axis=2)


def _draw_truth(picture: np.ndarray, truth: np.ndarray, scale: int) -> None:
    """Draw a dashed outline of every structure into an enlarged slice."""
    row, column = np.ogrid[: picture.shape[0], : picture.shape[1]]
    edge = _edge(_enlarged(truth, scale))
    picture[_thick(edge)] = 0  # a dark rim, so that white stands out from bright lesions, too
    picture[edge & ((row + column) // (2 * scale) % 3 < 2)] = rgb(OUTLINE["truth"])


def _enlarged(mask: np.ndarray, scale: int) -> np.ndarray:
    return np.kron(mask, np.ones((scale, scale), mask.dtype))


def _edge(mask: np.ndarray) -> np.ndarray:
    """Mark the pixels whose neighbour to the right or below belongs to another class."""
    edge = np.zeros(mask.shape, bool)
    edge[:-1] |= mask[:-1] != mask[1:]
    edge[:, :-1] |= mask[:, :-1] != mask[:, 1:]
    return edge


def _thick(edge: np.ndarray) -> np.ndarray:
    """Let a line grow by one pixel to each side."""
    thick = edge.copy()
    thick[1:] |= edge[:-1]
    thick[:, 1:] |= edge[:, :-1]
    thick[:-1] |= edge[1:]
    thick[:, :-1] |= edge[:, 1:]
    return thick


def rgb(colour: str) -> tuple[int, ...]:
    """Red, green and blue, 0 to 255, of a colour such as "#E69F00"."""
    return tuple(bytes.fromhex(colour[1:]))
