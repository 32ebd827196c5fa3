"""The examples in docstrings do what they say."""

import doctest
import importlib
import pkgutil

import pytest

import cdseg_teach

MODULES = sorted(
    module.name for module in pkgutil.walk_packages(cdseg_teach.__path__, "cdseg_teach.")
)


@pytest.mark.parametrize("name", [name for name in MODULES if not name.endswith("__main__")])
def test_examples(name, monkeypatch, tmp_path):
    monkeypatch.setenv("CDSEG_TEACH_CACHE", str(tmp_path))
    assert doctest.testmod(importlib.import_module(name)).failed == 0
