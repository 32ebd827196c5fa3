"""The results explorer without a browser: its numbers, its words, what its controls do."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from ipywidgets.widgets.widget import _instances
from results import ToyPack, rows_of

import cdseg_teach as ct
from cdseg_teach import plots
from cdseg_teach.experiments.comparisons import comparisons
from cdseg_teach.experiments.summaries import gains, scores
from cdseg_teach.experiments.worst import WorstCase
from cdseg_teach.labs.results import METRICS, OPENING, VIEWS
from cdseg_teach.labs.results_still import case_picture
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
    assert lab.in_words() == "brain, GE to SWI: DSC (%), table: 18 test subjects of 3 seeds."

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
    assert list(table["may see"]) == ["S", "network, image at hand"]


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
    found, lost = lab.over_shift()
    assert (list(found), lost) == ([*OPENING], "")
    x, runs = found["source"]
    assert (x, runs.shape) == ([0, 0.5, 1, 1.5], (3, 4))
    rows = pack.shift().query("method == 'source' and domain == 'target' and seed == 1")
    assert list(runs[1]) == pytest.approx(list(100 * rows.groupby("shift").dsc.mean()))
    x, runs = lab.over_alpha()[0]["on T"]
    assert (x, runs.shape) == ([0, 0.1, 1, 10, 100], (3, 5))


def test_who_lacks_a_point_is_left_out_and_named() -> None:
    class Gaps(ToyPack):
        def shift(self) -> pd.DataFrame:
            rows = super().shift()
            source = (rows.method == "source") & (rows.seed == 1) & (rows["shift"] == 1.5)
            tent = (rows.method == "tent") & (rows["shift"] == 0)
            return rows[~source & ~tent & (rows.method != "oracle")]

        def worst(self, direction: str) -> list[WorstCase]:
            return [case for case in super().worst(direction) if case.method != "tent"]

    lab = ct.ResultsExplorer(Gaps(), view="over shift")
    found, _ = lab.over_shift()
    assert set(found) == {*OPENING} - {"tent", "oracle"}
    assert found["source"][1].shape == (2, 4)
    said = "left out, as a point is missing: source of seed 1; tent; oracle"
    assert said in lab.in_words()
    assert said in lab.picture().alt
    lab.choose(view="worst cases")
    for words in (lab.in_words(), lab.picture().alt):
        assert "left out, without a case: tent" in words


def test_what_is_counted_is_what_is_shown() -> None:
    class Fewer(ToyPack):
        def shift(self) -> pd.DataFrame:
            return super().shift().query("seed < 2")

    lab = ct.ResultsExplorer(Fewer(), view="over shift")
    assert lab.counted() == "12 test subjects of 2 seeds"
    lab.choose(view="over α")
    assert lab.counted() == "36 test subjects of 3 seeds"  # of S and of T


def test_the_pack_is_asked_once() -> None:
    asked: list[str] = []

    class Counting(ToyPack):
        def shift(self) -> pd.DataFrame:
            asked.append("shift")
            return super().shift()

        def worst(self, direction: str) -> list[WorstCase]:
            asked.append(direction)
            return super().worst(direction)

    lab = ct.ResultsExplorer(Counting(), view="over shift")
    for view in (*VIEWS, *VIEWS):
        lab.choose(view=view)
        lab.still()
        lab.in_words()
    assert asked == ["shift", "ge_to_swi"]


def test_worst_cases_are_those_of_the_chosen_methods(lab: ct.ResultsExplorer) -> None:
    lab.choose(methods=("oracle", "source"), view="worst cases")
    cases, lost = lab.cases()
    assert ([case.method for case in cases], lost) == (["source", "oracle"], "")
    told = "source, sub-target3test05, seed 3, slice 11, DSC 10 %; oracle"
    assert told in lab.picture().alt


def test_structures_that_are_taken_for_one_another_are_seen(pack: ToyPack) -> None:
    case = pack.worst("ge_to_swi")[0]
    label = np.zeros((1, 96, 96), np.uint8)
    label[:, 20:40, 20:40], label[:, 50:70, 50:70] = 1, 2
    case = replace(case, subject=replace(case.subject, label=label), prediction=label)
    swapped = replace(case, prediction=np.choose(label, (0, 2, 1)).astype(np.uint8))
    assert (case_picture(case, 2) != case_picture(swapped, 2)).any()


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
    assert lab.counted() in alt
    assert len(lab.in_words()) < 90
    lab.widget.close()


@pytest.mark.parametrize("view", ["over shift", "over α", "worst cases"])
def test_what_the_pack_lacks_is_said_in_its_place(lab: ct.ResultsExplorer, view: str) -> None:
    lab.choose(direction="mr_to_ct", view=view)
    assert "heart" in lab.picture().alt
    view_of = ResultsView(lab)
    assert view_of.picture.alt == lab.in_words()
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
    assert "a results.csv has numbers alone" in lab.in_words()


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


def test_dots_and_curves_are_told_apart_without_colour(lab: ct.ResultsExplorer) -> None:
    lab.choose(view="subjects")
    *lines, means = lab.picture().axes[0].get_lines()
    seeds = {line.get_marker() for line in lines}
    assert len(seeds) == 3
    np.testing.assert_allclose(means.get_xdata(), lab.dots().mean())
    np.testing.assert_allclose(lines[0].get_xdata(), lab.dots().loc[0, OPENING[0]])
    lab.choose(view="over shift")
    drawn = [*lab.picture().axes[0].get_lines()]
    assert len({line.get_marker() for line in drawn}) == len(drawn) == len(OPENING)
    runs = lab.over_shift()[0]["tent"][1]
    np.testing.assert_allclose(drawn[OPENING.index("tent")].get_ydata(), runs.mean(axis=0))


def test_every_control_has_a_description(view: ResultsView) -> None:
    assert all(control.description for control in (*view.controls.values(), *view.used.values()))


@pytest.mark.parametrize("name", VIEWS[1:])
def test_a_view_is_one_picture_with_alternative_text(
    lab: ct.ResultsExplorer, view: ResultsView, name: str
) -> None:
    view.controls["view"].value = name
    assert view.content.children == (view.picture,)
    assert (view.picture.value, view.picture.alt) == lab.still()
    view.controls["view"].value = "table"
    assert view.content.children == (view.table,)


def test_a_picture_is_drawn_once(
    lab: ct.ResultsExplorer, view: ResultsView, monkeypatch: pytest.MonkeyPatch
) -> None:
    times: list[str] = []

    def drawn(lab: ct.ResultsExplorer) -> plots.Picture:
        times.append(lab.settings.view)
        return plots.Picture(alt="drawn")

    monkeypatch.setattr("cdseg_teach.labs.results_still.drawn", drawn)
    view.controls["view"].value = "subjects"
    lab.still()
    view.used["gin"].value = True
    assert times == ["subjects", "subjects"]


def test_looking_around_leaves_no_widgets_behind(view: ResultsView) -> None:
    def around() -> int:
        for direction in ("mr_to_ct", "ge_to_swi"):
            view.controls["direction"].value = direction
            for name in VIEWS:
                view.controls["view"].value = name
        return len(_instances)

    assert around() == around()
