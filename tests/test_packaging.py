"""The three lists of packages say the same, and importing is cheap."""

import ast
import itertools
import pkgutil
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import cdseg_teach

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
DECLARED = {
    canonicalize_name(requirement.name): requirement
    for group in (PROJECT["dependencies"], *PROJECT["optional-dependencies"].values())
    for requirement in map(Requirement, group)
}
CONDA_NAME = {"torch": "pytorch-cpu", "playwright": "playwright-python"}
# Optional, and not known to be on conda-forge.
WITHOUT_CONDA = {"ipyniivue"}
ENVIRONMENT = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]

# What Google Colab had installed in August 2026, on Python 3.13.
COLAB = {
    "anywidget": "0.9.21",
    "ipywidgets": "7.7.1",
    "nibabel": "5.4.2",
    "numpy": "2.1.3",
    "plotly": "5.24.1",
    "torch": "2.11",
}
IMPORTED_AS = {"pillow": "PIL", "pyyaml": "yaml", "scikit-learn": "sklearn"}
# `--executor dask://...` asks for it when it is wanted.
ON_REQUEST = {"dask"}
# What derived an asset once, in an environment of its own: data_scripts/derive_heart.py.
SCRIPTS_ONLY = {"pyvista"}
ABOVE_THE_LABS = {"cli", "doctor", "labs", "__main__"}


def constraints():
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pins = (Requirement(line) for line in lines if line and not line.startswith("#"))
    return {canonicalize_name(pin.name): pin for pin in pins}


def test_constraints_pin_every_declared_package_within_its_range():
    pins = constraints()
    assert DECLARED.keys() <= pins.keys()
    for name, pin in pins.items():
        (exact,) = pin.specifier
        assert exact.operator == "==", name
        assert name not in DECLARED or exact.version in DECLARED[name].specifier, name


def test_constraints_pin_torch_without_a_build():
    """A local version such as 2.13.0+cpu would be found in one index only."""
    assert str(constraints()["torch"].specifier) == "==2.13.0"


def test_environment_names_the_same_packages_and_ranges():
    named = [entry for entry in ENVIRONMENT if isinstance(entry, str)]
    wanted = [
        f"{CONDA_NAME.get(name, requirement.name)}{requirement.specifier}"
        for name, requirement in DECLARED.items()
        if name not in WITHOUT_CONDA
    ]
    assert sorted(named) == sorted(["python=3.12", "pip", *wanted])


def test_environment_installs_the_checkout_itself():
    assert ENVIRONMENT[-1] == {"pip": ["-e ."]}


def imported(folder):
    """Names of the packages that the modules below a folder import, ours and Python's left out."""
    names = set()
    for file in (ROOT / folder).rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Import):
                names |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level:
                names.add(node.module)
    return {name.split(".")[0] for name in names} - sys.stdlib_module_names - {"cdseg_teach"}


def modules(*groups):
    return {
        IMPORTED_AS.get(name, name.replace("-", "_"))
        for name in (canonicalize_name(Requirement(text).name) for text in itertools.chain(*groups))
    }


def test_every_package_that_is_imported_is_declared():
    extras = PROJECT["optional-dependencies"]
    for_users = modules(PROJECT["dependencies"], extras["lab"], extras["volume"])
    own = {file.stem for file in (ROOT / "tests").rglob("*.py")}
    assert imported("cdseg_teach") - ON_REQUEST <= for_users
    assert imported("tests") - own <= for_users | modules(extras["test"])
    assert imported("data_scripts") - SCRIPTS_ONLY <= for_users | modules(extras["test"])


@pytest.mark.parametrize("name", COLAB)
def test_ranges_admit_colab(name):
    assert COLAB[name] in DECLARED[name].specifier


def test_one_python_floor():
    assert PROJECT["requires-python"] == ">=3.11"
    assert "(3, 11)" in (ROOT / "Makefile").read_text()


def test_the_citation_names_this_version():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["version"] == cdseg_teach.__version__
    assert citation["license"] == PROJECT["license"]
    assert citation["authors"] == PROJECT["authors"]


def test_badges_wait_for_the_address():
    shown = re.findall(r"badge|colab\.research", (ROOT / "README.md").read_text())
    assert shown == [] or PROJECT["urls"]["Repository"]


@pytest.mark.parametrize("name", cdseg_teach.__all__)
def test_every_public_name_is_there(name):
    assert getattr(cdseg_teach, name) is not None
    assert name in dir(cdseg_teach)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'cure'"):
        _ = cdseg_teach.cure


def run_python(program):
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert answer.returncode == 0, answer.stderr
    return answer.stdout.strip()


def test_importing_the_package_loads_nothing_heavy():
    heavy = "torch numpy pandas scipy nibabel sklearn matplotlib ipywidgets"
    program = f"import sys, cdseg_teach; print(*set('{heavy}'.split()) & set(sys.modules))"
    assert run_python(program) == ""


def test_a_lab_that_opens_waits_for_no_statistics():
    """Both take a second, and five are all that the first picture has."""
    program = (
        "import sys, cdseg_teach.labs.alpha; print(*{'sklearn', 'scipy.stats'} & {*sys.modules})"
    )
    assert run_python(program) == ""


def test_waiting_threads_do_not_spin_unless_asked(monkeypatch):
    program = "import os, cdseg_teach; print(os.environ['OMP_WAIT_POLICY'])"
    monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)
    assert run_python(program) == "passive"
    monkeypatch.setenv("OMP_WAIT_POLICY", "active")
    assert run_python(program) == "active"


def test_below_the_labs_nothing_needs_widgets():
    names = [
        module.name
        for module in pkgutil.walk_packages(cdseg_teach.__path__, "cdseg_teach.")
        if module.name.split(".")[1] not in ABOVE_THE_LABS
    ]
    absent = "sys.modules.update(dict.fromkeys(['ipywidgets', 'anywidget', 'plotly', 'IPython']))"
    run_python(f"import sys, importlib; {absent}; [*map(importlib.import_module, {names})]")
