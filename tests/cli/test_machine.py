"""The command line: what it runs, and how it says no."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from cdseg_teach import __version__, cli, doctor
from cdseg_teach.cli import machine
from cdseg_teach.problems import Problem


@pytest.fixture
def checkout(tmp_path):
    start = tmp_path / machine.START
    start.parent.mkdir()
    start.touch()
    return tmp_path


@pytest.mark.parametrize(
    ("mend", "status"), [(None, 0), ("pip install torch", 1)], ids=["healthy", "ill"]
)
def test_doctor_exits_with_what_it_found(monkeypatch, capsys, mend, status):
    monkeypatch.setattr(doctor, "examine", lambda: [doctor.Finding("torch", "as found", mend)])
    assert cli.main(["doctor"]) == status
    assert "torch" in capsys.readouterr().out


def test_doctor_writes_json(monkeypatch, capsys):
    monkeypatch.setattr(doctor, "examine", lambda: [doctor.Finding("cores", "2")])
    assert cli.main(["doctor", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "ok": True,
        "findings": [{"topic": "cores", "state": "2", "mend": None}],
    }


def test_lab_opens_the_first_notebook_and_passes_options_on(checkout):
    options = machine.jupyter_options(checkout, ["--port", "9999", "--no-browser"])
    assert f"--ServerApp.root_dir={checkout}" in options
    assert "--LabApp.default_url=/lab/tree/notebooks/00_start_here.ipynb" in options
    assert options[-3:] == ["--port", "9999", "--no-browser"]


def test_lab_opens_without_a_question_about_news(checkout):
    assert f"--LabApp.app_settings_dir={machine.SETTINGS}" in machine.jupyter_options(checkout, [])
    (settings,) = json.loads((machine.SETTINGS / "overrides.json").read_text()).values()
    assert settings == {"checkForUpdates": False, "fetchNews": "false"}


def test_lab_hands_jupyters_options_to_jupyter(monkeypatch, checkout):
    handed = []
    monkeypatch.setattr(machine, "CHECKOUT", checkout)
    monkeypatch.setattr("jupyterlab.labapp.LabApp.launch_instance", handed.extend)
    assert cli.main(["lab", "--port", "9999", "--no-browser"]) == 0
    assert handed == machine.jupyter_options(checkout, ["--port", "9999", "--no-browser"])


def test_lab_names_the_missing_notebook(tmp_path):
    with pytest.raises(Problem, match=r"00_start_here\.ipynb is missing"):
        machine.jupyter_options(tmp_path, [])


@pytest.mark.parametrize(
    "arguments",
    [[], ["operate"], ["doctor", "--xml"], ["doctor", "everything"]],
    ids=" ".join,
)
def test_a_mistake_is_one_line_and_exit_2(capsys, arguments):
    assert cli.main(arguments) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("cdseg-teach: ")
    assert printed.err.count("\n") == 1
    assert "--help" in printed.err


@pytest.mark.parametrize("failure", [OSError("no space left"), KeyboardInterrupt()], ids=repr)
def test_a_failed_run_is_one_line_and_exit_1(monkeypatch, capsys, failure):
    def fail():
        raise failure

    monkeypatch.setattr(doctor, "examine", fail)
    assert cli.main(["doctor"]) == 1
    assert capsys.readouterr().err.count("\n") == 1


def test_the_module_is_the_command():
    asked = [sys.executable, "-m", "cdseg_teach", "--version"]
    answer = subprocess.run(asked, capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == __version__


def test_the_checkout_is_where_this_test_is():
    assert Path(__file__).resolve().parents[2] == machine.CHECKOUT


def test_a_reader_that_has_seen_enough_is_no_failure():
    command = f"{sys.executable} -m cdseg_teach data list | true"
    for _ in range(3):  # now and then everything is written before the pipe is closed
        said = subprocess.run(command, shell=True, capture_output=True, text=True)
        assert said.stderr == ""
