from __future__ import annotations

import io
import tarfile
import zipfile
from pathlib import Path

import pytest
from faulty_server import files_below

from cdseg_teach.datasets import unpack as module
from cdseg_teach.datasets.unpack import unpack
from cdseg_teach.problems import Problem

FILES = {"task/a.nii.gz": b"first", "task/deep/b.nii.gz": bytes(70_000), "task/empty": b""}


def pack(file: Path, members: dict[str, bytes]) -> Path:
    if file.suffix == ".zip":
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as packed:
            for name, content in members.items():
                packed.writestr(name, content)
        return file
    with tarfile.open(file, "w:gz" if file.suffix == ".gz" else "w") as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return file


KINDS = pytest.mark.parametrize("kind", ["a.tar", "a.tar.gz", "a.zip"])


@KINDS
def test_everything_is_unpacked_but_what_macos_adds(tmp_path, kind):
    archive = pack(tmp_path / kind, {**FILES, "task/._a.nii.gz": b"noise"})
    unpack(archive, tmp_path / "out", most_bytes=80_000)
    assert files_below(tmp_path / "out") == FILES


@KINDS
@pytest.mark.parametrize("name", ["../evil", "task/../../evil", "/tmp/evil", "..\\evil"])
def test_nothing_leads_out_of_the_folder(tmp_path, kind, name):
    archive = pack(tmp_path / kind, {"task/a": b"good", name: b"evil"})
    if kind == "a.zip" and name.startswith("/"):
        assert zipfile.ZipFile(archive).namelist()[1].startswith("/")
    with pytest.raises(Problem, match="leads out of the folder"):
        unpack(archive, tmp_path / "deep" / "out", most_bytes=10**6)
    assert list(files_below(tmp_path)) == [kind]


@KINDS
def test_what_is_larger_than_announced_is_refused_before_it_is_written(tmp_path, kind):
    archive = pack(tmp_path / kind, {"bomb": bytes(10**6)})
    with pytest.raises(Problem, match="larger than announced"):
        unpack(archive, tmp_path / "out", most_bytes=10**6 - 1)
    assert not (tmp_path / "out").exists()


@KINDS
def test_more_files_than_any_set_has(tmp_path, kind, monkeypatch):
    monkeypatch.setattr(module, "MOST_FILES", 2)
    with pytest.raises(Problem, match="larger than announced"):
        unpack(pack(tmp_path / kind, FILES), tmp_path / "out", most_bytes=10**6)


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE])
def test_links_and_devices_of_a_tar(tmp_path, kind):
    with tarfile.open(tmp_path / "a.tar", "w") as tar:
        info = tarfile.TarInfo("task/link")
        info.type, info.linkname = kind, "/etc/passwd"
        tar.addfile(info)
    with pytest.raises(Problem, match="'task/link' is a link or device"):
        unpack(tmp_path / "a.tar", tmp_path / "out", most_bytes=10**6)


def test_links_of_a_zip(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as packed:
        info = zipfile.ZipInfo("task/link")
        info.external_attr = 0o120777 << 16
        packed.writestr(info, "/etc/passwd")
    with pytest.raises(Problem, match="'task/link' is a link"):
        unpack(tmp_path / "a.zip", tmp_path / "out", most_bytes=10**6)


@KINDS
@pytest.mark.parametrize("kept", [0, 10, 0.3, 0.6, 0.9])
def test_a_cut_archive_leaves_nothing(tmp_path, kind, kept):
    archive = pack(tmp_path / kind, {**FILES, "task/c": bytes(range(256)) * 200})
    content = archive.read_bytes()
    archive.write_bytes(content[: int(kept * len(content)) if kept < 1 else kept])
    with pytest.raises(Problem, match="truncated or no archive"):
        unpack(archive, tmp_path / "out", most_bytes=10**6)
    assert list(files_below(tmp_path)) == [kind]


def test_a_damaged_zip_is_noticed(tmp_path):
    archive = pack(tmp_path / "a.zip", {"task/a": bytes(range(256)) * 200})
    content = bytearray(archive.read_bytes())
    content[60] ^= 255
    archive.write_bytes(content)
    with pytest.raises(Problem, match="truncated or no archive"):
        unpack(archive, tmp_path / "out", most_bytes=10**6)


@pytest.mark.parametrize("names", [("task/a", "task/a"), ("task", "task/a"), ("a", "a/b/c")])
def test_a_name_twice(tmp_path, names):
    with tarfile.open(tmp_path / "a.tar", "w") as tar:
        for name in names:
            tar.addfile(tarfile.TarInfo(name), io.BytesIO())
    with pytest.raises(Problem, match=r"a\.tar: has two files of one name"):
        unpack(tmp_path / "a.tar", tmp_path / "out", most_bytes=10**6)
