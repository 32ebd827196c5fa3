"""Figures that stand still."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from matplotlib.text import Text
from toy import toy_study, toy_subject

from cdseg_teach import plots
from cdseg_teach.cohorts import Cohort, Split, Subject
from cdseg_teach.evaluation import evaluate
from cdseg_teach.experiments.alignment import lines


class Perfect:
    """A predictor that knows the answer."""

    def __init__(self, label: np.ndarray) -> None:
        self.label = label

    def predict(self, volume: np.ndarray) -> np.ndarray:
        return self.label


def figures() -> list[plots.Picture]:
    subject = toy_subject()
    hits = plots.slice_of(subject, 4, 0, subject.label)
    runs = np.array([[50.0, 60, 40], [55, 70, 45]])
    frame = pd.DataFrame(
        {"method": ["source", "adversarial"], "DSC (%)": ["15.7 (13.5)", "62.7 (19.8)"]}
    )
    gains = pd.DataFrame(
        {"difference": [20.0, -1.0], "low": [10.0, -3.0], "high": [31.0, 1.0]},
        index=["adversarial", "tent"],
    )
    return [
        plots.gallery({"one": plots.slice_of(subject, 4)}, "A slice of a toy, in grey."),
        plots.gallery({"hits": hits}, "A slice of a toy, its hits in colour.", legend=True),
        plots.gallery(
            {"true": plots.structures_of(subject, 4)},
            "A toy's slice in colour.",
            legend=["one", "two"],
        ),
        plots.score_table({"on S": evaluate(Perfect(subject.label), [subject])}, "Perfect", "on S"),
        plots.curves({"on T": ([0, 1, 10], runs)}, "α", "DSC (%)", alpha_axis=True),
        plots.table(frame, "Target"),
        plots.intervals({"brain": gains, "heart": gains[:1]}, "gain (points)"),
        plots.alignment(lines(0), "Four times T"),
    ]


@pytest.mark.parametrize("index", range(8))
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


def test_a_score_table_has_a_line_a_subject_and_no_spread_of_one() -> None:
    subject = toy_subject("sub-01")
    rows = evaluate(Perfect(subject.label), [subject])
    alt = plots.score_table({"on S": rows, "on T": rows}, subjects_of="on T").alt
    assert "on S, 100.0, 100.0, 100.0; sub-01, 100.0, 100.0, 100.0; on T, 100.0" in alt


def test_a_curve_can_be_read_without_seeing_it() -> None:
    runs = np.array([[50.0, 60, 40], [55, 70, 45]])
    figure = plots.curves({"on T": ([0, 1, 10], runs)}, "α", "DSC (%)", "The cure")
    assert figure.alt == "The cure. DSC (%) over α: on T 52 at 0, 65 at 1, 42 at 10."
    assert figure.axes[0].get_ylim() == (-2, 102)


def test_there_is_no_step_two_and_a_half() -> None:
    for x, whole in (([0, 3, 10], True), ([0, 0.5, 1], False)):
        figure = plots.curves({"on T": (x, np.full((2, 3), 50.0))}, "step", "DSC (%)")
        ticks = figure.axes[0].get_xticks()
        assert np.allclose(ticks, ticks.round()) == whole


def test_no_two_curves_look_alike_and_many_are_named_beside_them() -> None:
    series = {f"method {k}": ([0, 1], np.full((2, 2), 5.0 * k)) for k in range(18)}
    figure = plots.curves(series, "shift", "DSC (%)")
    lines = figure.axes[0].get_lines()
    assert len({(str(a.get_color()), a.get_marker()) for a in lines}) == len(series)
    (legend,) = figure.legends
    figure.draw_without_rendering()
    assert legend.get_window_extent().x0 > figure.axes[0].get_window_extent().x1
    assert legend.get_window_extent().y0 >= 0


def test_perfect_alignment_with_wrong_labels_can_be_read_without_seeing_it() -> None:
    alt = plots.alignment(lines(0), "Four times T").alt
    assert "not aligned: A-distance 1.8, error on T 50 %, on S" in alt
    assert "aligned, classes swapped: A-distance 0.0, error on T 99 %" in alt


def test_pyplot_is_left_alone() -> None:
    import matplotlib.pyplot as plt

    before = plt.get_fignums()
    figures()
    assert plt.get_fignums() == before


def test_a_gallery_is_as_high_as_its_pictures() -> None:
    square, flat = np.zeros((8, 8), np.uint8), np.zeros((4, 8), np.uint8)
    heights = [plots.gallery({"a": p}, "x", 2).get_figheight() for p in (square, flat)]
    assert heights[0] - heights[1] == pytest.approx(2.5)  # half of 10 / 2 inches


def test_a_contact_sheet_shows_each_subject_by_name_and_split() -> None:
    study = toy_study(subjects=2)
    sheet = plots.contact_sheet(study.target, channel=1)
    titles = [axes.get_title() for axes in sheet.axes if axes.get_title()]
    assert len(titles) == len(study.target.names)
    assert {title.split("\n")[1] for title in titles} == {"train", "validation", "test"}
    assert f"{len(titles)} of {len(titles)} subjects" in sheet.alt
    few = plots.contact_sheet(study.target, most=3)
    assert f"3 of {len(titles)} subjects" in few.alt


def cohort_of(*train: Subject) -> Cohort:
    nobody = Split((), tuple)
    return Cohort(
        "c", ("one", "two"), ("lesion",), train=Split.of(train), validation=nobody, test=nobody,
        labels_for_training=True,
    )  # fmt: skip


def titles_of(figure: plots.Picture) -> list[str]:
    return [axes.get_title() for axes in figure.axes if axes.get_title()]


def test_long_names_do_not_run_into_each_other() -> None:
    subject = toy_subject("a-very-long-name-of-a-subject-07")
    (title,) = titles_of(plots.contact_sheet(cohort_of(subject)))
    assert len(title.split("\n")[0]) <= 16
    assert title.split("\n")[0].endswith("subject-07")


def test_nobody_is_lost_where_the_ends_of_names_agree() -> None:
    names = ["ward-a-of-a-clinic-subject-07", "ward-b-of-a-clinic-subject-07", "sub-08"]
    titles = titles_of(plots.contact_sheet(cohort_of(*map(toy_subject, names))))
    assert len(titles) == len(set(titles)) == 3
    assert titles[2] == "sub-08\ntrain"
    assert all(len(title.split("\n")[0]) <= 16 for title in titles)


def test_who_has_no_label_is_told() -> None:
    one, other = toy_subject("sub-01"), toy_subject("sub-02").without_label()
    sheet = plots.contact_sheet(cohort_of(one, other))
    assert titles_of(sheet) == ["sub-01\ntrain", "sub-02\ntrain, no label"]
    assert sheet.alt.endswith("Without a label: sub-02.")


def test_intervals_are_said_in_words() -> None:
    words = figures()[-2].alt
    assert "brain: adversarial +20 (+10 to +31), tent -1 (-3 to +1); heart: adversarial" in words
