"""The results explorer without a browser: its numbers, its words, what its controls do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from results import ToyPack, rows_of

import cdseg_teach as ct
from cdseg_teach.experiments.comparisons import comparisons
from cdseg_teach.experiments.summaries import gains, scores
from cdseg_teach.labs.results import METRICS, OPENING, VIEWS
from cdseg_teach.labs.results_view import ResultsView
from cdseg_teach.problems import Problem


@pytest.fixture(scope="module")
def pack() -> ToyPack:
    return ToyPack()


@pytest.fixture
def lab(pack: ToyPack) -> ct.ResultsExplorer:
    return ct.ResultsExplorer(pack)


def test_it_opens_on_the_first_table_there_is(lab: ct.ResultsExplorer) -> None:
    assert lab.settings.direction == "ge_to_swi"
    assert lab.settings.methods == OPENING
    assert lab.in_words() == "brain, GE to SWI: DSC (%): 18 test subjects of 3 seeds."

    class Hearts(ToyPack):
        def everything(self, direction: str) -> pd.DataFrame:
            if direction != "mr_to_ct":
                raise Problem(f"the lecture pack's {direction!r} is missing; build it")
            return super().everything(direction)

    assert ct.ResultsExplorer(Hearts()).settings.direction == "mr_to_ct"


def test_a_pack_without_tables_says_what_to_do() -> None:
    class Empty(ToyPack):
        def everything(self, direction: str) -> pd.DataFrame:
            raise Problem(f"the lecture pack's {direction!r} is missing; build it")

    with pytest.raises(Problem, match="'ge_to_swi' is missing; build it"):
        ct.ResultsExplorer(Empty())


@pytest.mark.parametrize("metric", METRICS)
def test_the_table_says_what_the_summaries_say(
    lab: ct.ResultsExplorer, pack: ToyPack, metric: str
) -> None:
    lab.choose(direction="mr_to_ct", structure="PA", metric=metric, methods=("gin", "tent"))
    rows = pack.everything("mr_to_ct")
    rows = rows[rows.structure == "PA"]
    table = lab.table()
    for part in (scores(rows, metric), gains(rows, metric)):
        pd.testing.assert_frame_equal(table[part.columns], part.loc[["gin", "tent"]])
    assert list(table["may see"]) == ["S", "S, image at hand"]


def test_what_is_chosen_does_not_change_holms_correction(lab: ct.ResultsExplorer) -> None:
    all_of_them = comparisons(lab.rows).holm["tent"]
    lab.choose(methods=("tent",))
    assert lab.table().loc["tent", "p (Holm)"] == f"{all_of_them:.3f}"


def test_dots_are_subjects(lab: ct.ResultsExplorer) -> None:
    dots = lab.dots()
    assert dots.shape == (18, len(OPENING))
    one = lab.rows.query("method == 'tent' and subject == 'sub-target2test03'")
    assert dots.loc[(2, "sub-target2test03"), "tent"] == pytest.approx(100 * one.dsc.mean())


def test_curves_have_a_run_a_seed(lab: ct.ResultsExplorer, pack: ToyPack) -> None:
    found = lab.over_shift()
    assert list(found) == list(OPENING)
    x, runs = found["source"]
    assert (x, runs.shape) == ([0, 0.5, 1, 1.5], (3, 4))
    swept = pd.concat([pack.shift(), pack.everything("ge_to_swi").assign(shift=1)])
    rows = swept.query("method == 'source' and domain == 'target' and seed == 1")
    assert list(runs[1]) == pytest.approx(list(100 * rows.groupby("shift").dsc.mean()))
    x, runs = lab.over_alpha()["on T"]
    assert (x, runs.shape) == ([0, 0.1, 1, 10, 100], (3, 5))


def test_worst_cases_are_those_of_the_chosen_methods(lab: ct.ResultsExplorer) -> None:
    lab.choose(methods=("oracle", "source"), view="worst cases")
    assert [case.method for case in lab.cases()] == ["source", "oracle"]
    assert "source, sub-target3test05, seed 3, DSC 10 %, slice 11; oracle" in lab.in_words()


def test_another_table_keeps_what_it_has(lab: ct.ResultsExplorer) -> None:
    lab.choose(methods=("source_without_shifted_channel", "gin"), structure="lesion")
    lab.choose(direction="mr_to_ct")
    assert (lab.settings.methods, lab.settings.structure) == (("gin",), "all")
    lab.choose(direction="ge_to_swi", methods=("source_without_shifted_channel",))
    lab.choose(direction="mr_to_ct")
    assert lab.settings.methods == OPENING


def test_what_cannot_be_is_refused_and_changes_nothing(lab: ct.ResultsExplorer) -> None:
    before = lab.settings
    for settings, said in (
        ({"direction": "ct_to_mr"}, "lacks 'ct_to_mr'"),
        ({"direction": "there_and_back"}, "no table 'there_and_back'"),
        ({"metric": "iou"}, "no metric 'iou'; choose dsc"),
        ({"structure": "PA"}, "no structure 'PA'; choose all, lesion"),
        ({"methods": ("magic",)}, "no method 'magic'"),
        ({"methods": ()}, "choose a method"),
        ({"view": "sunset"}, "no view 'sunset'"),
    ):
        with pytest.raises(Problem, match=said):
            lab.choose(**settings)
    assert lab.settings == before
    with pytest.raises(Problem, match="no view"):
        ct.ResultsExplorer(lab.pack, view="sunset")


@pytest.mark.parametrize("view", VIEWS)
def test_every_view_is_a_picture_with_its_words(lab: ct.ResultsExplorer, view: str) -> None:
    lab.choose(view=view)
    data, metadata = lab._repr_mimebundle_()
    assert data["text/plain"] == (
        f"ResultsExplorer(brain, GE to SWI: DSC (%), {view}: {', '.join(OPENING)})"
    )
    alt = metadata["image/png"]["alt"]
    assert "source" in alt or view == "over α"
    assert view == "table" or alt == lab.in_words()
    lab.widget.close()


@pytest.mark.parametrize("view", ["over shift", "over α", "worst cases"])
def test_what_the_pack_lacks_is_said_in_its_place(lab: ct.ResultsExplorer, view: str) -> None:
    lab.choose(direction="mr_to_ct", view=view)
    assert "heart" in lab.picture().alt
    view_of = ResultsView(lab)
    assert view_of.content.children == ()
    assert "heart" in view_of.status.value


def test_undefined_distances_are_counted(pack: ToyPack) -> None:
    class Gaps(ToyPack):
        def everything(self, direction: str) -> pd.DataFrame:
            rows = super().everything(direction)
            lost = (rows.method == "source") & (rows.domain == "target") & (rows.seed == 0)
            return rows.assign(hd95_mm=rows.hd95_mm.mask(lost))

    lab = ct.ResultsExplorer(Gaps(), metric="hd95_mm")
    assert "6 of 108 distances undefined (nothing found) and left out" in lab.in_words()
    assert "nan" not in lab.table().to_string().lower()


def test_own_results_are_read_from_a_file(tmp_path: Path) -> None:
    rows = rows_of({"source": [[0.2, 0.3]], "gin": [[0.5, 0.6]]}, direction="one_to_other")
    rows.to_csv(tmp_path / "results.csv", index=False)
    lab = ct.ResultsExplorer.from_csv(tmp_path / "results.csv", view="over shift")
    assert lab.methods == lab.settings.methods == ("source", "gin")
    assert lab.table().loc["gin", "difference"] == "+30.0"
    assert "results.csv has numbers alone" in lab.in_words()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "is no table"),
        ("", "is no table"),
        ("method,seed\nsource,0\n", "lacks direction, domain"),
        ("twice", "has a subject twice"),
    ],
)
def test_a_file_that_is_none_is_told(tmp_path: Path, content: str | None, said: str) -> None:
    file = tmp_path / "mine.csv"
    if content == "twice":
        rows = rows_of({"source": [[0.2]]})
        pd.concat([rows, rows]).to_csv(file, index=False)
    elif content is not None:
        file.write_text(content)
    with pytest.raises(Problem, match=f"mine.csv: {said}"):
        ct.ResultsExplorer.from_csv(file)


@pytest.fixture
def view(lab: ct.ResultsExplorer) -> Any:
    view = ResultsView(lab)
    yield view
    view.widget.close()


def test_controls_move_the_lab_and_follow_it(lab: ct.ResultsExplorer, view: ResultsView) -> None:
    view.controls["metric"].value = "recall"
    view.used["gin"].value = True
    view.used["tent"].value = False
    assert lab.settings.metric == "recall"
    assert set(lab.settings.methods) == {*OPENING, "gin"} - {"tent"}
    assert view.table.value.count("<tr") == 1 + len(lab.settings.methods)
    view.controls["direction"].value = "mr_to_ct"
    assert list(view.used) == list(lab.methods)
    assert view.controls["structure"].options == ("all", *ToyPack.HEART)
    view.controls["structure"].value = "PA"
    assert "recall (%) of PA" in view.status.value


def test_a_problem_is_said_and_the_control_goes_back(
    lab: ct.ResultsExplorer, view: ResultsView
) -> None:
    view.controls["direction"].value = "ct_to_mr"
    assert "lacks &#x27;ct_to_mr&#x27;" in view.status.value
    assert view.controls["direction"].value == "ge_to_swi"
    for box in view.used.values():
        box.value = False
    assert "choose a method" in view.status.value
    assert [name for name, box in view.used.items() if box.value] == list(lab.settings.methods)


def test_dots_and_curves_are_told_apart_without_colour(
    lab: ct.ResultsExplorer, view: ResultsView
) -> None:
    view.controls["view"].value = "subjects"
    *seeds, mean = view.figure.data
    assert len({trace.marker.symbol for trace in seeds}) == len(seeds) == 3
    np.testing.assert_allclose(mean.x, lab.dots().mean())
    np.testing.assert_allclose(sorted(seeds[1].x), sorted(lab.dots().loc[1].to_numpy().ravel()))
    assert seeds[1].text[0] == "sub-target1test00"
    view.controls["view"].value = "over shift"
    ribbons, lines = view.figure.data[::2], view.figure.data[1::2]
    assert [line.name for line in lines] == list(OPENING)
    assert len({line.marker.symbol for line in lines}) == len(lines)
    runs = lab.over_shift()["tent"][1]
    tent = list(OPENING).index("tent")
    np.testing.assert_allclose(lines[tent].y, runs.mean(axis=0))
    assert max(ribbons[tent].y) == pytest.approx(runs.max())
    view.controls["view"].value = "over α"
    assert list(view.figure.layout.xaxis.ticktext) == ["0", "0.1", "1", "10", "100"]
    assert len(view.figure.data) == 4


def test_every_control_has_a_description(view: ResultsView) -> None:
    controls = (*view.used.values(), *(view.controls[n] for n in ("direction", "metric")))
    assert all(control.description for control in controls)


def test_pictures_are_shown_with_where_they_are_from(view: ResultsView) -> None:
    view.controls["view"].value = "worst cases"
    title, image = view.pictures.children[0].children
    assert "sub-target3test05, seed 3" in title.value
    assert bytes(image.value).startswith(b"\x89PNG")
