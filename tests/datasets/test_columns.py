from __future__ import annotations

import errno
from dataclasses import replace

import pytest
from layouts import image, lay_out, mask, save

from cdseg_teach.cohorts.card import read_card
from cdseg_teach.cohorts.checks import check_cohort
from cdseg_teach.datasets import get
from cdseg_teach.datasets.columns import Row, decathlon_rows, find, read_columns, rows_of
from cdseg_teach.datasets.get import convert
from cdseg_teach.problems import Problem

HEAD = "subject,channel,path"


def touch(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def test_a_row_a_file():
    text = f"{HEAD},volume,domain\n07,FLAIR,a/b.nii.gz,2,source\n07,label,c.nii,,\n"
    rows = rows_of(text, "map")
    assert rows == (Row("07", "FLAIR", "a/b.nii.gz", 2, "source"), Row("07", "label", "c.nii"))


def test_a_star_stands_for_everybody(tmp_path):
    touch(tmp_path, "site/7/pre/T1.nii", "site/12/pre/T1.nii", "site/x/y/pre/T1.nii")
    found = find(rows_of(f"{HEAD}\np-*,T1,site/*/pre/T1.nii", "map"), tmp_path)
    assert [subject.name for subject in found[""]] == ["p-12", "p-7"]


def test_the_same_star_twice_is_the_same_text(tmp_path):
    touch(tmp_path, "p1/p1_frame01.nii", "p2/p2_frame07.nii", "p2/p3_frame01.nii")
    found = find(rows_of(f"{HEAD}\n*,cine,*/*_frame??.nii", "map"), tmp_path)
    assert [subject.name for subject in found[""]] == ["p1", "p2"]


@pytest.mark.parametrize("path", ["./multi/*/T1.nii", "multi//*/T1.nii", "multi/./*//T1.nii"])
def test_a_path_may_be_written_in_a_longer_way(tmp_path, path):
    touch(tmp_path, "multi/7/T1.nii")
    assert find([Row("*", "T1", path)], tmp_path) == find(
        [Row("*", "T1", "multi/*/T1.nii")], tmp_path
    )


def test_letters_of_a_path_are_no_pattern(tmp_path):
    touch(tmp_path, "a(1)[2].b/7.nii", "a1xb/8.nii", "a(1)2xb/9.nii", "a(1)[2].b/._7.nii")
    found = find(rows_of(f"{HEAD}\n*,T1,a(1)[2].b/*.nii", "map"), tmp_path)
    assert [subject.name for subject in found[""]] == ["7"]


def test_two_files_of_one_subject_are_one_too_many(tmp_path):
    touch(tmp_path, "p1/p1_frame01.nii", "p1/p1_frame12.nii")
    rows = rows_of(f"{HEAD}\n*,cine,*/*_frame??.nii", "map")
    with pytest.raises(Problem, match=r"p1_frame01.nii and p1_frame12.nii are both cine of p1"):
        find(rows, tmp_path)


def test_channels_keep_their_order_and_the_label_stands_apart(tmp_path):
    touch(tmp_path, "a.nii", "b.nii", "c.nii")
    (subject,) = find(rows_of(f"{HEAD}\n1,Z,a.nii\n1,label,c.nii\n1,A,b.nii", "m"), tmp_path)[""]
    assert list(subject.channels) == ["Z", "A"]
    assert subject.label is not None
    assert subject.label.file == tmp_path / "c.nii"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("subject,path\n1,a.nii", "map: column 'channel' is missing; begin with subject,"),
        (f"{HEAD},colour\n1,T1,a.nii,red", "map: column 'colour' is unknown"),
        (f"{HEAD}\n1,T1", "map, line 2: has more or fewer fields"),
        (f"{HEAD}\n1,T1,a.nii,3", "map, line 2: has more or fewer fields"),
        (f"{HEAD}\n1,,a.nii", "map, line 2: leaves subject, channel or path empty"),
        (f"{HEAD}\n1,T1,a.img", "map, line 2: a.img is no NIfTI file"),
        (f"{HEAD}\n1,T1,*.nii", r"map, line 2: put one \* into subject"),
        (f"{HEAD}\n*,T1,a.nii", r"map, line 2: put one \* into subject"),
        (f"{HEAD}\n*-*,T1,*.nii", r"map, line 2: put one \* into subject"),
        (f"{HEAD},volume\n1,T1,a.nii,-1", "map, line 2: volume '-1' is no number"),
        (f"{HEAD},domain\n1,T1,a.nii,CT", "map, line 2: domain 'CT' is neither source nor target"),
        (f"{HEAD}\n*,T1,a/**/*.nii", r"map, line 2: a path has single \*"),
        (f"{HEAD}\n1,T1,a?.nii", r"map, line 2: a path has single \*, and \? only beside"),
        (f'{HEAD}\n1,T1,"a.nii', "map: is no CSV"),
        ("", "map: column 'subject' is missing"),
    ],
)
def test_each_mistake_in_a_map_is_one_line(text, said):
    with pytest.raises(Problem, match=said):
        rows_of(text, "map")


def test_a_map_that_cannot_be_read(tmp_path):
    (tmp_path / "map.csv").write_bytes(b"\xff\xfe\x00")
    for name, said in (("map.csv", "is no text in UTF-8"), ("nowhere.csv", "cannot be read")):
        with pytest.raises(Problem, match=f"{name}: {said}"):
            read_columns(tmp_path / name)


def test_a_map_of_a_spreadsheet_begins_with_a_mark(tmp_path):
    (tmp_path / "map.csv").write_text(f"{HEAD}\n1,T1,a.nii\n", encoding="utf-8-sig")
    assert read_columns(tmp_path / "map.csv") == (Row("1", "T1", "a.nii"),)


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([Row("1", "T1", "nowhere.nii")], "nowhere.nii: no such file in"),
        ([Row("*", "T1", "no/*.nii")], r"no/\*.nii: no such file in"),
        ([Row("*", "T1", "/no/*.nii")], r"/no/\*.nii: begins with /; name it as it lies in"),
        ([Row("1", "T1", "/no/a.nii")], r"/no/a.nii: begins with /"),
        ([Row("1", "T1", "a.nii"), Row("1", "T1", "b.nii")], "1: two rows give its T1; keep one"),
    ],
)
def test_each_mistake_about_files_is_one_line(tmp_path, rows, said):
    touch(tmp_path, "a.nii", "b.nii")
    with pytest.raises(Problem, match=said):
        find(rows, tmp_path)


def test_the_decathlon_says_itself_what_is_what(tmp_path):
    lay_out("msd_brain", tmp_path)
    folder = tmp_path / "Task01_BrainTumour"
    found = find(decathlon_rows(folder), folder)[""]
    assert [subject.name for subject in found] == [f"BRATS_{n:03d}" for n in (1, 2, 3, 4)]
    channels = {name: scan.volume for name, scan in found[0].channels.items()}
    assert channels == {"FLAIR": 0, "T1w": 1, "t1gd": 2, "T2w": 3}


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"modality": {"0": "MR"}}', "null"])
def test_a_decathlon_without_its_description(tmp_path, content):
    (tmp_path / "dataset.json").write_text(content)
    with pytest.raises(Problem, match=r"dataset\.json"):
        decathlon_rows(tmp_path)


def cohort_map(tmp_path, domain=""):
    rows = []
    for number in (1, 2):
        save(tmp_path / f"{number}.nii.gz", image(number))
        save(tmp_path / f"{number}_seg.nii.gz", mask(3, 5))
        rows += [Row(f"{number}", "T1", f"{number}.nii.gz", None, domain)]
        rows += [Row(f"{number}", "label", f"{number}_seg.nii.gz", None, domain)]
    return rows


def test_a_map_without_domains_becomes_one_cohort(tmp_path):
    values = {"vessel": (3,), "background": (5,)}
    convert(cohort_map(tmp_path), tmp_path, tmp_path / "out", values=values)
    assert check_cohort(tmp_path / "out") == []
    card = read_card(tmp_path / "out")
    assert (card.channels, card.structures, card.prepared) == (("T1",), ("vessel",), True)


def test_a_mistake_of_headers_or_of_the_first_volume_leaves_nothing(tmp_path):
    rows, values = cohort_map(tmp_path / "scans"), {"vessel": (3, 5)}
    with pytest.raises(Problem, match="label 5 is none of"):
        convert(rows, tmp_path / "scans", tmp_path / "out", values={"vessel": (3,)})
    save(tmp_path / "scans" / "2_seg.nii.gz", mask(3)[1:])
    with pytest.raises(Problem, match="resample one onto the other"):
        convert(rows, tmp_path / "scans", tmp_path / "out", values=values)
    assert [path.name for path in tmp_path.iterdir()] == ["scans"]


def test_every_broken_header_is_told_by_the_way_to_its_file(tmp_path):
    """Everybody's file has the same name: three are broken, in two domains."""
    rows = []
    for domain in ("source", "target"):
        for number in (1, 2, 3):
            save(tmp_path / "scans" / domain / f"{number}/pre/T1.nii.gz", image(number))
            save(tmp_path / "scans" / domain / f"{number}/wmh.nii.gz", mask(1))
        rows += [Row(f"{domain}-*", "T1", f"{domain}/*/pre/T1.nii.gz", None, domain)]
        rows += [Row(f"{domain}-*", "label", f"{domain}/*/wmh.nii.gz", None, domain)]
    broken = ["source/1/pre/T1.nii.gz", "source/3/pre/T1.nii.gz", "target/2/pre/T1.nii.gz"]
    for name in broken:
        (tmp_path / "scans" / name).write_bytes(b"no NIfTI")
    with pytest.raises(Problem) as raised:
        convert(rows, tmp_path / "scans", tmp_path / "out", values={"lesion": (1,)})
    lines = str(raised.value).split("\n")
    assert [line.partition(": cannot be opened as NIfTI")[0] for line in lines] == broken


def test_a_volume_cut_short_is_told_by_the_way_to_its_file(tmp_path):
    for number in (1, 2):
        save(tmp_path / "scans" / f"{number}/pre/T1.nii.gz", image(number))
    file = tmp_path / "scans" / "2/pre/T1.nii.gz"
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(Problem, match=r"^2/pre/T1\.nii\.gz: is truncated or corrupt"):
        convert(
            [Row("*", "T1", "*/pre/T1.nii.gz")],
            tmp_path / "scans",
            tmp_path / "out",
            values={"lesion": (1,)},
        )


def test_a_folder_that_could_never_be_made_keeps_nothing(tmp_path):
    rows = cohort_map(tmp_path)
    with pytest.raises(Problem, match=r"out: cannot be written \(.*\); choose another folder$"):
        convert(rows, tmp_path, tmp_path / "1.nii.gz" / "out", values={"vessel": (3, 5)})


def test_a_full_disk_before_anything_is_done(tmp_path, monkeypatch):
    def full(*arguments: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", str(arguments[0]))

    rows = cohort_map(tmp_path / "scans")
    monkeypatch.setattr("cdseg_teach.datasets.build.write_subject", full)
    said = r"out: could not be made \(No space left on device\); make room or choose another folder"
    with pytest.raises(Problem, match=said):
        convert(rows, tmp_path / "scans", tmp_path / "out", values={"vessel": (3, 5)})
    assert [path.name for path in tmp_path.iterdir()] == ["scans"]


def test_another_process_may_be_quicker(tmp_path, monkeypatch):
    """Between the look at the folder and the lock."""
    rows, values = cohort_map(tmp_path / "scans"), {"vessel": (3, 5)}
    workplace = get.workplace

    def late(folder):
        monkeypatch.setattr(get, "workplace", workplace)
        assert convert(rows, tmp_path / "scans", folder, values=values)
        return workplace(folder)

    monkeypatch.setattr(get, "workplace", late)
    assert not convert(rows, tmp_path / "scans", tmp_path / "out", values=values)
    assert check_cohort(tmp_path / "out") == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "scans"]


def test_some_rows_with_a_domain_are_too_few(tmp_path):
    rows = [*cohort_map(tmp_path), *cohort_map(tmp_path, "source")]
    with pytest.raises(Problem, match="some rows name a domain, others do not"):
        convert(rows, tmp_path, tmp_path / "out", values={"vessel": (3, 5)})


def test_rows_of_masks_alone_name_no_image(tmp_path):
    rows = [row for row in cohort_map(tmp_path) if row.channel == "label"]
    with pytest.raises(Problem, match="names no image"):
        convert(rows, tmp_path, tmp_path / "out", values={"vessel": (3, 5)})


def test_masks_of_another_domain_than_their_images(tmp_path):
    rows = [
        replace(row, domain="source" if row.channel == "label" else "")
        for row in cohort_map(tmp_path)
    ]
    with pytest.raises(Problem, match="some rows name a domain, others do not"):
        convert(rows, tmp_path, tmp_path / "out", values={"vessel": (3, 5)})


def test_two_subjects_of_one_name(tmp_path):
    rows = cohort_map(tmp_path)
    rows += [replace(row, subject=f"sub-{row.subject}") for row in rows]
    with pytest.raises(Problem, match="are the same subject by name"):
        convert(rows, tmp_path, tmp_path / "out", values={"vessel": (3, 5)})


@pytest.mark.parametrize(
    ("channel", "said"),
    [
        ("gt", "would be read as a mask"),
        ("T1_mask", "would be read as a mask"),
        ("brainmask", "would be read as a mask"),
        ("../../evil", "is no file name"),
        ("T1/T2", "is no file name"),
    ],
)
def test_a_channel_s_name_is_a_file_s(tmp_path, channel, said):
    save(tmp_path / "a.nii", image(0))
    with pytest.raises(Problem, match=said):
        convert([Row("1", channel, "a.nii")], tmp_path, tmp_path / "out", values={"lesion": (1,)})
    assert [path.name for path in tmp_path.iterdir()] == ["a.nii"]


@pytest.mark.parametrize("name", ["a/b", "..", ""])
def test_a_subject_s_name_is_a_folder_s(tmp_path, name):
    save(tmp_path / "a.nii", image(0))
    with pytest.raises(Problem, match="is no file name"):
        convert([Row(name, "T1", "a.nii")], tmp_path, tmp_path / "out", values={"lesion": (1,)})
    assert not (tmp_path / "out").exists()
