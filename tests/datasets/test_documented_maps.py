"""The column maps of docs/data_sets.md read the layouts that stand beside them."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from layouts import image, mask, save

from cdseg_teach import cli
from cdseg_teach.cohorts.load import load_study
from cdseg_teach.datasets.columns import rows_of

PAGE = (Path(__file__).parents[2] / "docs" / "data_sets.md").read_text(encoding="utf-8")
MAPS = {
    re.search(r"\*\*(.+?)\*\*", before)[1]: block
    for before, block in re.findall(
        r"(\*\*[^`]+?\*\*[^\n]*\n(?:(?!\*\*).)*?)```csv\n(.*?)```", PAGE, re.S
    )
}
OF_MAP = {"ISLES 2022": "lesion=1", "ACDC": "RV=1,MYO=2,LV=3"}


@pytest.mark.parametrize("name", OF_MAP)
def test_a_map_of_the_page_reads_its_layout(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    Path("map.csv").write_text(MAPS[name], encoding="utf-8")
    labels = range(1, 1 + OF_MAP[name].count("="))
    for number, subject in enumerate(("0001", "0002", "0003", "0004")):
        for place, row in enumerate(rows_of(MAPS[name], name)):
            data = mask(*labels) if row.channel == "label" else image(10 * number + place)
            save(tmp_path / row.path.replace("*", subject), data)
    asked = ["data", "convert", "map.csv", "--labels", OF_MAP[name], "--out", "out"]
    assert cli.main(asked) == 0
    assert cli.main(["data", "check", "out"]) == 0
    study = load_study("out", "out")
    assert study.source.structures == tuple(s.partition("=")[0] for s in OF_MAP[name].split(","))
    assert set(np.unique(study.source.train[0].label)) == {0, *labels}


def test_the_script_of_the_page_reads_m_and_ms(tmp_path, monkeypatch):
    """Masks stand in some frames of a film: the end of diastole is read, with its image."""
    monkeypatch.chdir(tmp_path)
    vendors = {"A1": "A", "A2": "A", "B1": "B", "B2": "B", "C1": "C"}
    frames = {code: number % 3 for number, code in enumerate(vendors)}
    about = pd.DataFrame(
        {
            "External code": list(vendors),
            "Vendor": list(vendors.values()),
            "ED": list(frames.values()),
        }
    )
    about.to_csv("211230_M&Ms_Dataset_information_diagnosis_opendataset.csv", index=False)
    for number, (code, frame) in enumerate(frames.items()):
        film, masks = image(number, 3), np.zeros((*mask().shape, 3), np.int16)
        masks[..., frame] = mask(1, 2, 3)
        save(Path("Training", "Labeled", code, f"{code}_sa.nii.gz"), film)
        save(Path("Training", "Labeled", code, f"{code}_sa_gt.nii.gz"), masks)
    (script,) = re.findall(r"\*\*M&Ms\*\*.*?```python\n(.*?)```", PAGE, re.S)
    exec(compile(script, "docs/data_sets.md", "exec"), {})
    asked = ["data", "convert", "map.csv", "--labels", "LV=1,MYO=2,RV=3", "--out", "out"]
    assert cli.main(asked) == 0
    for side in ("source", "target"):
        assert cli.main(["data", "check", f"out/{side}"]) == 0
    study = load_study("out/source", "out/target")
    assert {*study.source.names, *study.target.names} == {
        f"sub-{c}" for c in ("A1", "A2", "B1", "B2")
    }
    assert set(np.unique(study.source.train[0].label)) == {0, 1, 2, 3}
