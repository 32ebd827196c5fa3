from __future__ import annotations

import os
import threading
import time

import numpy as np
import pytest

from cdseg_teach.cohorts import cache
from cdseg_teach.cohorts.cache import cached_subjects

RECIPE = {"study": "toy", "seed": 0, "grid": [3, 8, 16]}


class Kitchen:
    """Renders the same two subjects and counts how often."""

    def __init__(self, make_subject) -> None:
        self.dishes = (make_subject("a"), make_subject("b").without_label())
        self.cooked = 0

    def __call__(self):
        self.cooked += 1
        return iter(self.dishes)

    def check(self, served) -> None:
        for got, wanted in zip(served, self.dishes, strict=True):
            assert got.name == wanted.name
            assert got.spacing_mm == wanted.spacing_mm
            assert np.array_equal(got.affine, wanted.affine)
            assert np.array_equal(got.image, wanted.image)
            assert (got.label is None) == (wanted.label is None)
            assert got.label is None or np.array_equal(got.label, wanted.label)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("CDSEG_TEACH_CACHE", str(tmp_path))
    return tmp_path / "subjects"


@pytest.fixture
def kitchen(make_subject):
    return Kitchen(make_subject)


def test_rendered_once_then_read(folder, kitchen):
    for _ in range(3):
        kitchen.check(cached_subjects(RECIPE, kitchen))
    assert kitchen.cooked == 1
    assert [file.suffix for file in folder.iterdir()] == [".split"]


def test_another_recipe_is_another_file_and_order_of_keys_is_not(folder, kitchen):
    cached_subjects(RECIPE, kitchen)
    cached_subjects(dict(reversed(RECIPE.items())), kitchen)
    assert kitchen.cooked == 1
    cached_subjects({**RECIPE, "seed": 1}, kitchen)
    assert kitchen.cooked == 2


def test_what_comes_from_the_disk_may_be_changed_and_the_file_stays(folder, kitchen):
    cached_subjects(RECIPE, kitchen)
    subjects = cached_subjects(RECIPE, kitchen)
    subjects[0].image[:] = 0
    kitchen.check(cached_subjects(RECIPE, kitchen))
    assert kitchen.cooked == 1


def test_any_flipped_bit_is_noticed(folder, kitchen):
    cached_subjects(RECIPE, kitchen)
    (file,) = folder.iterdir()
    sound = file.read_bytes()
    for position in range(0, len(sound), 97):
        broken = bytearray(sound)
        broken[position] ^= 1 << position % 8
        file.write_bytes(broken)
        assert cache._read(file) is None
    for position in range(len(sound) - 20, len(sound)):
        broken = bytearray(sound)
        broken[position] ^= 128
        file.write_bytes(broken)
        assert cache._read(file) is None


@pytest.mark.parametrize("kept", [0, 1, 19, 20, 500, -1])
def test_a_truncated_file_is_rendered_again_and_mended(folder, kitchen, kept):
    cached_subjects(RECIPE, kitchen)
    (file,) = folder.iterdir()
    sound = file.read_bytes()
    file.write_bytes(sound[:kept])
    kitchen.check(cached_subjects(RECIPE, kitchen))
    assert kitchen.cooked == 2
    assert file.read_bytes() == sound


def test_zeros_and_longer_files_are_not_believed(folder, kitchen):
    cached_subjects(RECIPE, kitchen)
    (file,) = folder.iterdir()
    for content in (bytes(4096), file.read_bytes() + b"\0"):
        file.write_bytes(content)
        assert cache._read(file) is None


def test_a_writer_that_dies_leaves_nothing_under_the_final_name(folder, kitchen, monkeypatch):
    def die(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", die)
    kitchen.check(cached_subjects(RECIPE, kitchen))
    assert list(folder.iterdir()) == []


def test_a_folder_that_cannot_be_written_costs_the_cache_and_one_line(
    tmp_path, monkeypatch, kitchen, caplog
):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("CDSEG_TEACH_CACHE", str(tmp_path / "file"))
    for _ in range(3):
        kitchen.check(cached_subjects(RECIPE, kitchen))
    assert kitchen.cooked == 3
    assert len(caplog.records) == 1
    assert "rendered anew" in caplog.text


def test_an_error_of_the_renderer_is_not_swallowed(folder):
    def broken():
        raise OSError("the renderer's own")

    with pytest.raises(OSError, match="own"):
        cached_subjects(RECIPE, broken)


def test_many_at_once_all_end_with_a_good_file(folder, kitchen):
    start = threading.Barrier(6)
    served = []

    def work():
        start.wait()
        served.append(cached_subjects(RECIPE, kitchen))

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(served) == 6
    for subjects in served:
        kitchen.check(subjects)
    (file,) = folder.iterdir()
    kitchen.check(cache._read(file))


def test_the_files_used_longest_ago_make_room(folder, kitchen):
    recipes = [{"seed": seed} for seed in range(3)]
    for age, recipe in zip((300, 200), recipes[:2], strict=True):
        before = set(folder.glob("*")) if folder.exists() else set()
        cached_subjects(recipe, kitchen)
        (new,) = set(folder.glob("*")) - before
        os.utime(new, (time.time() - age,) * 2)
    size = new.stat().st_size
    cached_subjects(recipes[0], kitchen)  # used now
    cached_subjects(recipes[2], kitchen, cap_bytes=2 * size)
    assert kitchen.cooked == 3
    cached_subjects(recipes[0], kitchen)
    assert kitchen.cooked == 3
    cached_subjects(recipes[1], kitchen)
    assert kitchen.cooked == 4


def test_what_killed_processes_left_is_removed_and_what_others_write_is_not(folder, kitchen):
    folder.mkdir(parents=True)
    old, fresh = folder / "old.part", folder / "fresh.part"
    for file in (old, fresh):
        file.write_bytes(b"half")
    os.utime(old, (time.time() - 2 * cache.ABANDONED_SECONDS,) * 2)
    cached_subjects(RECIPE, kitchen)
    assert not old.exists()
    assert fresh.exists()
