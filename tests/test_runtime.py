import pytest
import torch

from cdseg_teach.problems import Problem
from cdseg_teach.runtime import _container_quota, available_cores, cache_dir, pick_device


def test_auto_finds_a_device():
    assert pick_device("auto").type in ("cpu", "cuda")
    assert pick_device(torch.device("cpu")).type == "cpu"


def test_unknown_device_is_named():
    with pytest.raises(Problem, match="'toaster'"):
        pick_device("toaster")


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
def test_absent_gpu_is_a_problem():
    with pytest.raises(Problem, match="not available"):
        pick_device("cuda")


def test_threads_stay_within_the_cores():
    pick_device("cpu")
    assert 1 <= torch.get_num_threads() <= max(1, available_cores())


@pytest.mark.parametrize(
    ("text", "cores"),
    [("max 100000", None), ("200000 100000", 2), ("50000 100000", 1), ("", None)],
)
def test_container_quota(tmp_path, text, cores):
    file = tmp_path / "cpu.max"
    file.write_text(text)
    assert _container_quota(file) == cores


def test_cache_folder_can_be_chosen(monkeypatch, tmp_path):
    monkeypatch.setenv("CDSEG_TEACH_CACHE", str(tmp_path))
    assert cache_dir() == tmp_path
