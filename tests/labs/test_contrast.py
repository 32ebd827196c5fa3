"""The contrast lab: the dial, the knobs, and what they change."""

from __future__ import annotations

import numpy as np
import pytest

from cdseg_teach.labs.contrast import LINES, ContrastLab
from cdseg_teach.labs.contrast_view import ContrastView
from cdseg_teach.problems import Problem
from cdseg_teach.scanners import DATA_SET_1, DATA_SET_2


@pytest.fixture(scope="module")
def made() -> ContrastLab:
    return ContrastLab(seed=1)


@pytest.fixture
def lab(made: ContrastLab) -> ContrastLab:
    made.choose(4)
    made.dial(0)
    return made


def test_at_the_source_there_is_no_difference(lab: ContrastLab) -> None:
    reference, plane = lab.planes()
    np.testing.assert_array_equal(reference, plane)


def test_the_dial_ends_at_the_two_scanners(lab: ContrastLab) -> None:
    assert lab.scanner.sequences == DATA_SET_1.sequences[4:]
    lab.dial(1)
    assert lab.scanner.sequences == DATA_SET_2.sequences[4:]
    reference, plane = lab.planes()
    assert np.abs(reference - plane).max() > 0.5


def test_a_knob_changes_one_number_until_the_dial_is_turned(lab: ContrastLab) -> None:
    before = dict(lab.knobs)
    lab.turn("TE", 40)
    assert lab.knobs == before | {"TE": 40}
    lab.turn("field", 1.5)
    assert lab.knobs == before | {"TE": 40, "field": 1.5}
    lab.dial(0)
    assert lab.knobs == before


def test_what_cannot_be_is_refused_and_changes_nothing(lab: ContrastLab) -> None:
    before = dict(lab.knobs)
    for turn in (
        lambda: lab.turn("TI", 900),
        lambda: lab.turn("TE", 1e5),
        lambda: lab.dial(7),
        lambda: lab.choose(5),
    ):
        with pytest.raises(Problem):
            turn()
    assert lab.knobs == before


def test_csf_is_dark_in_flair_until_the_inversion_time_is_wrong(lab: ContrastLab) -> None:
    lab.choose(0)
    csf = lab.tissues["CSF"]
    _, nulled = lab.planes()
    lab.turn("TI", 800)
    _, seen = lab.planes()
    assert np.median(np.abs(seen[csf] - nulled[csf])) > 0.3


def test_controls_follow_and_say_what_is_wrong(lab: ContrastLab) -> None:
    view = ContrastView(lab)
    view.dial.value = 1.0
    assert view.knobs["TE"].value == pytest.approx(lab.knobs["TE"])
    before = view.pictures[1].value
    view.knobs["TE"].value = 100.0
    assert "TR" in view.status.value
    view.channel.value = 0
    assert view.pictures[1].value != before
    assert view.pictures[1].alt == f"this scanner: {lab.means(lab.planes()[1])}"
    assert view.knobs["TI"].layout.visibility == "visible"


def test_a_histogram_counts_every_voxel_even_those_beyond_its_bins(lab: ContrastLab) -> None:
    plane = np.full(lab.planes()[0].shape, -10.0)
    for shares in lab.histograms(plane).values():
        assert shares[0] == pytest.approx(100)
        assert shares.sum() == pytest.approx(100)


def test_in_print_the_histograms_are_seen_and_told_apart_without_colour(lab: ContrastLab) -> None:
    lab.dial(1)
    picture = lab.picture()
    *_, source, this = picture.axes
    for axes, plane in zip((source, this), lab.planes(), strict=True):
        drawn = {line.get_label(): line for line in axes.get_lines()}
        assert list(drawn) == list(LINES)
        assert len({line.get_linestyle() for line in drawn.values()}) == len(LINES)
        for name, shares in lab.histograms(plane).items():
            np.testing.assert_array_equal(drawn[name].get_ydata(), shares)
    assert source.get_ylim() == this.get_ylim()
    assert [text.get_text() for text in picture.legends[0].get_texts()] == list(LINES)
    for plane in lab.planes():
        assert f"CSF {plane[lab.tissues['CSF']].mean():.1f}" in picture.alt


def test_the_picture_says_which_knob_was_turned(lab: ContrastLab) -> None:
    lab.turn("TE", 40)
    assert lab.picture().axes[1].get_title() == "GE/SWI, shift 0, TE 40"


def test_one_bundle(lab: ContrastLab) -> None:
    data, metadata = lab._repr_mimebundle_()
    assert data["text/plain"].startswith("ContrastLab(GE/SWI, shift 0, TR")
    assert "difference" in metadata["image/png"]["alt"]
