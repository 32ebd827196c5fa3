"""Pictures that stand still."""

from __future__ import annotations

import io

import numpy as np
import pandas as pd
import pytest
from matplotlib.text import Text
from PIL import Image
from toy import toy_subject

from cdseg_teach import plots


def test_upright_puts_the_front_up_and_the_patients_right_on_the_left() -> None:
    plane = np.zeros((4, 4), np.uint8)
    plane[3, 3] = 1  # front (largest y) and right (largest x) where voxels run along RAS+
    assert plots.upright(plane, np.eye(4))[0, 0] == 1
    turned = np.diag([-1.0, -1.0, 1.0, 1.0])
    assert plots.upright(plane[::-1, ::-1], turned)[0, 0] == 1


def test_grey_keeps_the_outside_black() -> None:
    assert plots.grey(np.array([[0.0, -9.0, 9.0, 0.25]])).tolist() == [[0, 0, 255, 127]]


def test_outlines_are_told_apart_without_colour() -> None:
    mask = np.zeros((16, 16), np.uint8)
    mask[4:12, 4:12] = 1
    plane = np.full((16, 16), 100, np.uint8)
    prediction, truth = plots.outlined(plane, prediction=mask), plots.outlined(plane, truth=mask)
    orange = (prediction == [0xE6, 0x9F, 0x00]).all(axis=2)
    white = (truth == 255).all(axis=2)
    assert orange.sum() > 2 * white.sum()  # a full, thick line; a dashed, thin one
    assert white.any()
    assert (plots.outlined(plane, np.zeros_like(mask)) == 100).all()


def test_every_structure_has_an_outline() -> None:
    mask = np.zeros((8, 8), np.uint8)
    mask[:, 3:] = 1
    mask[:, 6:] = 2
    edge = plots._edge(mask)
    assert edge.any(axis=0).nonzero()[0].tolist() == [2, 5]


def test_encoded_comes_back() -> None:
    picture = np.random.default_rng(0).integers(0, 255, (8, 8, 3), dtype=np.uint8)
    np.testing.assert_array_equal(
        np.asarray(Image.open(io.BytesIO(plots.encoded(picture)))), picture
    )


def figures() -> list[plots.Picture]:
    subject = toy_subject()
    runs = np.array([[50.0, 60, 40], [55, 70, 45]])
    frame = pd.DataFrame(
        {"method": ["source", "adversarial"], "DSC (%)": ["15.7 (13.5)", "62.7 (19.8)"]}
    )
    return [
        plots.contact_sheet(subject, ("one", "two")),
        plots.overlay(subject, subject.label),
        plots.overlay(subject.without_label()),
        plots.curves({"on T": ([0, 1, 10], runs)}, "α", "DSC (%)", alpha_axis=True),
        plots.table(frame, "Target"),
    ]


@pytest.mark.parametrize("index", range(5))
def test_pictures_have_large_type_and_alternative_text(index: int) -> None:
    figure = figures()[index]
    data, alt = plots.png(figure)
    assert data.startswith(b"\x89PNG")
    assert len(alt) > 20
    off = [axis for axes in figure.axes if not axes.axison for axis in (axes.xaxis, axes.yaxis)]
    unseen = [text for axis in off for text in axis.findobj(Text)]
    words = [t for t in figure.findobj(Text) if t.get_text().strip() and t not in unseen]
    assert words
    assert all(t.get_fontsize() >= 14 for t in words)
    bundle, metadata = figure._repr_mimebundle_()
    assert bundle["text/plain"] == alt == metadata["image/png"]["alt"]


def test_pyplot_is_left_alone() -> None:
    import matplotlib.pyplot as plt

    before = plt.get_fignums()
    figures()
    assert plt.get_fignums() == before
