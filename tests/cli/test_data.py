"""`data list | get | convert`: what they print, and how they say no."""

import pytest
from layouts import lay_out, served

from cdseg_teach import cli
from cdseg_teach.datasets import catalogue


@pytest.fixture(autouse=True)
def _here(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)


def test_list_says_terms_and_a_study_of_every_set(capsys):
    assert cli.main(["data", "list"]) == 0
    said = capsys.readouterr().out
    for chosen in catalogue.public_sets().values():
        for part in (chosen.name, chosen.title, chosen.page, chosen.plan.licence, chosen.study):
            assert part in said


def test_nothing_is_asked_for_before_its_licence_is_accepted(tmp_path, server, capsys, monkeypatch):
    chosen = served("msd_heart", server, tmp_path / "there")
    monkeypatch.setattr(catalogue, "public_sets", lambda: {"msd_heart": chosen})
    command = ["data", "get", "msd_heart", "--out", "out"]
    assert cli.main(command) == 2
    said = capsys.readouterr().err
    assert chosen.plan.licence in said
    assert said.endswith("repeat this with --accept-licence\n")
    assert server.asked == []
    assert cli.main([*command, "--accept-licence"]) == 0
    assert "written: out" in capsys.readouterr().out
    assert cli.main([*command, "--accept-licence"]) == 0
    assert "there already: out" in capsys.readouterr().out
    assert cli.main(["data", "check", "out"]) == 0


def test_a_server_that_says_no_is_one_line_and_exit_1(tmp_path, server, capsys, monkeypatch):
    chosen = served("msd_heart", server, tmp_path / "there")
    server.content.clear()
    monkeypatch.setattr(catalogue, "public_sets", lambda: {"msd_heart": chosen})
    assert cli.main(["data", "get", "msd_heart", "--out", "out", "--accept-licence"]) == 1
    assert "the server says 404" in capsys.readouterr().err.splitlines()[-1]


def test_what_was_had_by_hand(tmp_path, capsys):
    lay_out("mm_whs", tmp_path / "given")
    command = ["data", "get", "mm_whs", "--out", "out", "--accept-licence"]
    assert cli.main(command) == 2
    assert "get it from" in capsys.readouterr().err
    assert cli.main([*command, "--from", "given"]) == 0
    assert cli.main(["data", "check", "out/target"]) == 0


def test_scans_of_any_layout(tmp_path, capsys):
    lay_out("wmh2017", tmp_path)
    (tmp_path / "map.csv").write_text(catalogue.public_set("wmh2017").columns, encoding="utf-8")
    command = ["data", "convert", "map.csv", "--out", "out"]
    assert cli.main([*command, "--labels", "lesion=1,background=2"]) == 0
    assert cli.main(["data", "check", "out/source"]) == 0
    assert cli.main([*command, "--labels", "lesion=1,background=2"]) == 0
    assert "there already: out" in capsys.readouterr().out
    assert cli.main([*command]) == 2
    assert "not empty" in capsys.readouterr().err


def test_the_same_scans_may_be_named_from_elsewhere(tmp_path, capsys, monkeypatch):
    lay_out("wmh2017", tmp_path / "b" / "wmh")
    columns = catalogue.public_set("wmh2017").columns
    (tmp_path / "b" / "wmh" / "map.csv").write_text(columns, encoding="utf-8")
    labels = ["--labels", "lesion=1,background=2"]
    command = ["data", "convert", "b/wmh/map.csv", "--from", str(tmp_path / "b" / "wmh")]
    assert cli.main([*command, *labels, "--out", "out"]) == 0
    assert "written: out" in capsys.readouterr().out
    assert cli.main(["data", "convert", "b/wmh/map.csv", *labels, "--out", "out"]) == 0
    assert "there already: out" in capsys.readouterr().out
    monkeypatch.chdir(tmp_path / "b" / "wmh")
    assert cli.main(["data", "convert", "map.csv", *labels, "--out", "../../out"]) == 0
    assert "there already: ../../out" in capsys.readouterr().out


def test_each_of_several_problems_is_a_line(tmp_path, capsys):
    (tmp_path / "map.csv").write_text("subject,channel,path\n1,T1,a.nii\n2,T1,b.nii\n")
    for name in ("a.nii", "b.nii"):
        (tmp_path / name).write_bytes(b"no NIfTI")
    assert cli.main(["data", "convert", "map.csv", "--out", "out"]) == 2
    first, second = capsys.readouterr().err.splitlines()
    assert first.startswith("cdseg-teach: a.nii: cannot be opened")
    assert second.startswith("cdseg-teach: b.nii: cannot be opened")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("data get atlas --out x", "data set 'atlas' is unknown; there is open_ms, "),
        ("data get open_ms", "--out"),
        ("data convert map.csv --out x", "map.csv: cannot be read"),
        ("data convert good.csv --out x --labels lesion", "label lesion: give a name"),
        ("data convert good.csv --out x --labels lesion=one", "lesion=one: give a name"),
        (
            "data convert good.csv --out x --labels lesion=-1",
            "label lesion=-1: give a name and a value",
        ),
        ("data convert good.csv --out x --labels =1", "label =1: give a name"),
        ("data convert good.csv --out x --labels lesion=0", "label 0 is background and lesion"),
        ("data convert good.csv --out x --labels a=1,b=1", "label 1 is a and b"),
        ("data convert good.csv --out x --labels background=1", "no structure is named"),
        ("data convert good.csv --out x --spacing 4,2", "spacing '4,2': give 3 positive"),
        ("data convert good.csv --out x --plane 96,no", "plane 'no' is no whole number"),
        ("data convert good.csv --out x --plane 97,96", "plane (97, 96): give positive lengths"),
        ("data convert good.csv --out x --plane 4,8", "multiples of 8"),
        ("data convert good.csv --out x", "a.nii: no such file"),
        ("data convert good.csv --from nowhere --out x", "a.nii: no such file in nowhere"),
    ],
)
def test_a_mistake_is_one_line_and_exit_2(tmp_path, capsys, arguments, said):
    (tmp_path / "good.csv").write_text("subject,channel,path\n1,T1,a.nii\n")
    assert cli.main(arguments.split()) == 2
    printed = capsys.readouterr().err
    assert printed.count("\n") == 1
    assert said in printed
    assert [path.name for path in tmp_path.iterdir()] == ["good.csv"]
