"""The doctor: each thing found, each thing missing with its mend."""

import json
import shutil
import subprocess
import sys

import pytest
from packaging.requirements import Requirement

from cdseg_teach import doctor
from cdseg_teach.experiments import pack, pack_plan
from cdseg_teach.problems import Problem


def by_topic(findings):
    return {finding.topic: finding for finding in findings}


@pytest.fixture(scope="module")
def report():
    return by_topic(doctor.examine())


@pytest.mark.parametrize(
    "topic", ["python", "torch", "ipywidgets", "device", "cores", "memory", "cache", "disk"]
)
def test_every_topic_is_reported(report, topic):
    assert report[topic].state


def test_packages_of_the_test_extra_are_not_asked_for(report):
    assert "nbval" not in report


def test_every_package_of_the_labs_is_there():
    found = [*doctor._packages(), *doctor._lab_extensions()]
    assert [finding for finding in found if finding.mend] == []


def test_a_missing_package_is_mended_by_its_range():
    finding = doctor._package(Requirement("no-such-package>=3"))
    assert finding == doctor.Finding(
        "no-such-package", "missing", f"{doctor.PIP} 'no-such-package>=3'"
    )


def test_an_old_package_shows_both_versions():
    finding = doctor._package(Requirement("numpy>=1000"))
    assert "needed is >=1000" in finding.state
    assert finding.mend == f"{doctor.PIP} 'numpy>=1000'"


def test_a_missing_half_in_the_browser_is_found(monkeypatch, tmp_path):
    monkeypatch.setattr("jupyter_core.paths.jupyter_path", lambda folder: [str(tmp_path / folder)])
    (tmp_path / "labextensions" / "anywidget").mkdir(parents=True)
    manager, anywidget = doctor._lab_extensions()
    assert "jupyterlab_widgets" in manager.mend
    assert anywidget.mend is None


def test_too_little_memory_is_told(monkeypatch):
    monkeypatch.setattr(doctor, "_memory_limit", lambda: doctor.GIB)
    assert "2 GiB or more" in doctor._memory().mend


def test_a_cache_that_cannot_be_written_is_told(tmp_path):
    in_the_way = tmp_path / "file"
    in_the_way.touch()
    cache, _ = doctor._cache(in_the_way / "cache")
    assert "cannot be written" in cache.state
    assert "CDSEG_TEACH_CACHE" in cache.mend


def test_a_full_disk_is_told(monkeypatch, tmp_path):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(9, 9, 0))
    _, disk = doctor._cache(tmp_path)
    assert "CDSEG_TEACH_CACHE" in disk.mend


def test_real_scans_may_be_absent_but_not_misnamed(monkeypatch, tmp_path):
    monkeypatch.delenv("CDSEG_TEACH_DATA", raising=False)
    assert doctor._data().mend is None
    monkeypatch.setenv("CDSEG_TEACH_DATA", str(tmp_path))
    assert doctor._data().mend is None
    monkeypatch.setenv("CDSEG_TEACH_DATA", str(tmp_path / "nowhere"))
    assert "CDSEG_TEACH_DATA" in doctor._data().mend


def test_chromium_is_optional(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert doctor._chromium() == doctor.Finding("chromium", "absent: the browser tests are skipped")


def test_the_mend_stands_below_what_is_missing():
    healthy, ill = doctor.Finding("cores", "2"), doctor.Finding("torch", "missing", "install it")
    assert doctor.as_text([healthy, ill]).splitlines() == [
        "ok  cores  2",
        "!!  torch  missing",
        "           -> install it",
    ]
    assert json.loads(doctor.as_json([healthy, ill]))["ok"] is False


def test_the_doctor_survives_without_torch():
    """A doctor that needs the patient to be well is no help."""
    program = """
        import importlib.util, sys
        find = importlib.util.find_spec
        importlib.util.find_spec = lambda name: None if name == "torch" else find(name)
        sys.modules["torch"] = None
        from cdseg_teach import doctor
        print(doctor.as_text(doctor.examine()))
    """
    lines = "\n".join(line.strip() for line in program.splitlines())
    answer = subprocess.run([sys.executable, "-c", lines], capture_output=True, text=True)
    assert answer.returncode == 0, answer.stderr
    assert "torch is missing" in answer.stdout


class Pack:
    """A pack that lacks some entries."""

    def __init__(self, *lacking):
        self.lacking = lacking
        self.manifest = {"source": {"date": "2026-01-30"}, "table": {"date": "2026-01-31"}}

    def check(self, name):
        if name in self.lacking:
            raise Problem("lacks it")


def test_what_the_pack_lacks_is_built(monkeypatch):
    monkeypatch.setattr(pack, "lecture_pack", lambda: Pack("table", "sweep"))
    finding = doctor._pack()
    assert finding.state == "missing or out of date: table, sweep"
    assert "cdseg-teach pack build" in finding.mend


def test_the_pack_says_when_it_was_made(monkeypatch):
    monkeypatch.setattr(pack, "lecture_pack", Pack)
    wanted = f"{len(pack_plan.ENTRIES)} entries, the newest of 2026-01-31"
    assert doctor._pack() == doctor.Finding("lecture pack", wanted)
