from __future__ import annotations

import errno
import hashlib
import subprocess

import numpy as np
import pytest
from faulty_server import Server

from cdseg_teach.datasets.fetch import CHUNK, RETRIES, RemoteFile, download
from cdseg_teach.problems import RunFailed

CONTENT = np.random.default_rng(0).bytes(300_000)
REST = f"bytes={150_000 // CHUNK * CHUNK}-"  # after half of the file, in whole pieces
CHECKSUMS = {
    "sha256": f"sha256:{hashlib.sha256(CONTENT).hexdigest()}",
    "md5": f"md5:{hashlib.md5(CONTENT).hexdigest()}",
    "git": f"git:{hashlib.sha1(b'blob 300000' + bytes(1) + CONTENT).hexdigest()}",
}


@pytest.fixture(params=list(CHECKSUMS))
def remote(request, server: Server) -> RemoteFile:
    server.content["a/b.tar"] = CONTENT
    return RemoteFile("a/b.tar", server.address("a/b.tar"), CHECKSUMS[request.param])


@pytest.mark.parametrize(
    "faults",
    [
        [],
        ["cut"],
        ["cut", "cut", "503"],
        ["503", "500"],
        ["too long"],
        ["other bytes"],
        ["cut", "other bytes"],
        ["cut", "no range"],
        ["cut", "another range"],
        ["packed"],
        ["cut", "packed"],
        ["no length"],
        ["cut", "no length"],
        ["slow"],
    ],
    ids=" ".join,
)
def test_the_file_arrives_whatever_happens_on_the_way(tmp_path, server, remote, faults):
    server.faults = list(faults)
    download([remote], tmp_path)
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["b.tar"]
    assert (tmp_path / "a" / "b.tar").read_bytes() == CONTENT


def test_what_has_come_is_not_asked_for_again(tmp_path, server, remote):
    server.faults = ["cut"]
    download([remote], tmp_path)
    assert [wanted for _, wanted in server.asked] == [None, REST]
    download([remote], tmp_path)
    assert len(server.asked) == 2


def test_a_run_goes_on_where_the_last_one_ended(tmp_path, server, remote):
    server.faults = ["cut"]
    with pytest.raises(RunFailed, match=r"b\.tar: could not be had .* goes on where it stopped"):
        download([remote], tmp_path, retries=0)
    download([remote], tmp_path)
    assert server.asked[-1][1] == REST
    assert (tmp_path / "a" / "b.tar").read_bytes() == CONTENT


@pytest.fixture(params=["links", "no links"])
def _disk(request, monkeypatch):
    """One as exFAT formats it gives a file no second name."""

    def refuse(*_: object) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    if request.param == "no links":
        monkeypatch.setattr("os.link", refuse)


@pytest.mark.usefixtures("_disk")
def test_what_is_whole_when_a_run_is_killed_is_not_asked_for_again(tmp_path, server, remote):
    """After its checksum was found right, and before it has its name."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pooch.core.shutil.move", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            download([remote], tmp_path)
    download([remote], tmp_path)
    assert server.asked[-1][1] == f"bytes={len(CONTENT)}-"
    assert (tmp_path / "a" / "b.tar").read_bytes() == CONTENT
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["b.tar"]


def test_a_part_that_is_whole_already(tmp_path, server, remote):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / ".b.tar.part").write_bytes(CONTENT)
    download([remote], tmp_path)
    assert (tmp_path / "a" / "b.tar").read_bytes() == CONTENT


@pytest.mark.parametrize("left", [b"", b"something else", CONTENT + b"more"], ids=len)
def test_a_part_of_something_else(tmp_path, server, remote, left):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / ".b.tar.part").write_bytes(left)
    download([remote], tmp_path)
    assert (tmp_path / "a" / "b.tar").read_bytes() == CONTENT


def test_a_file_that_was_damaged_is_had_again(tmp_path, server, remote):
    download([remote], tmp_path)
    (tmp_path / "a" / "b.tar").write_bytes(CONTENT[:-1])
    download([remote], tmp_path)
    assert (tmp_path / "a" / "b.tar").read_bytes() == CONTENT


@pytest.mark.parametrize("status", [403, 404, 410])
def test_what_is_gone_is_not_asked_for_again(tmp_path, server, remote, status):
    server.faults = [str(status)] * 9
    with pytest.raises(RunFailed, match=f"the server says {status}"):
        download([remote], tmp_path)
    assert len(server.asked) == 1


@pytest.mark.parametrize("retries", [0, 1, RETRIES])
def test_another_file_than_the_one_on_record_is_refused(tmp_path, server, remote, retries):
    server.content["a/b.tar"] = CONTENT[::-1]
    with pytest.raises(RunFailed, match=r"b\.tar: is not the file on record"):
        download([remote], tmp_path, retries=retries)
    assert len(server.asked) == min(retries, 1) + 1  # once more: not all of it five times
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_without_a_network(tmp_path):
    remote = RemoteFile("a", "http://127.0.0.1:9/a", CHECKSUMS["md5"])
    with pytest.raises(RunFailed, match=r"could not be had \(ConnectionError\)"):
        download([remote], tmp_path, retries=0)


def test_git_names_content_so(tmp_path):
    (tmp_path / "a").write_bytes(CONTENT)
    command = ["git", "hash-object", str(tmp_path / "a")]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    assert CHECKSUMS["git"] == f"git:{said}"
