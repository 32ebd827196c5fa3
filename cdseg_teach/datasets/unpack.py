"""Archives of strangers: nothing lands outside the folder, nothing larger than announced."""

from __future__ import annotations

import gzip
import lzma
import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO, cast

from cdseg_teach.cohorts.nifti import filled
from cdseg_teach.cohorts.volumes import reason
from cdseg_teach.problems import Problem

MOST_FILES = 100_000

_BROKEN = (
    tarfile.TarError,
    zipfile.BadZipFile,
    gzip.BadGzipFile,
    lzma.LZMAError,
    zlib.error,
    EOFError,
    NotImplementedError,  # a way of packing that zipfile does not know
    RuntimeError,  # a password
)
_REFUSED = "only files and folders are unpacked"
_Member = tuple[str, int, Callable[[], IO[bytes]] | None]  # name, bytes, opens it (a file)


def unpack(archive: Path, folder: Path, *, most_bytes: int) -> None:
    """Unpack a tar or zip archive into a new folder: all of its files, or nothing.

    Parameters
    ----------
    archive
        `.tar`, `.tar.gz`, `.zip`, ...: its content says which.
    folder
        New or empty.
    most_bytes
        Of all files together, unpacked.

    Raises
    ------
    Problem
        When it is no archive, is truncated or corrupt, holds anything but files and folders, names
        a place outside the folder, one place twice, or is larger than announced.
    OSError
        When the folder cannot be written.
    """
    with filled(folder) as part:
        try:
            _unpack_into(part, archive, most_bytes)
        except (FileExistsError, NotADirectoryError) as error:
            raise Problem(
                f"{archive.name}: has two files of one name ({reason(error)}); do not trust it"
            ) from error
        except _BROKEN as error:
            raise Problem(
                f"{archive.name}: is truncated or no archive ({reason(error)}); get it again"
            ) from error


def _unpack_into(folder: Path, archive: Path, room: int) -> None:
    members = _of_zip(archive) if zipfile.is_zipfile(archive) else _of_tar(archive)
    for count, (name, size, opened) in enumerate(members):
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts or set("\\\0") & set(name):
            raise Problem(f"{archive.name}: {name!r} leads out of the folder; do not trust it")
        room -= size
        if room < 0 or count >= MOST_FILES:
            raise Problem(f"{archive.name}: is larger than announced; do not trust it")
        if opened is None or path.name.startswith("._"):
            continue  # a folder; what macOS adds to archives
        place = folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        with opened() as content, place.open("xb") as stream:
            shutil.copyfileobj(content, stream)


def _of_tar(archive: Path) -> Iterator[_Member]:
    with tarfile.open(archive) as tar:
        for member in tar:
            if member.isfile():
                yield member.name, member.size, partial(_extracted, tar, member)
            elif member.isdir():
                yield member.name, 0, None
            else:
                raise Problem(f"{archive.name}: {member.name!r} is a link or device; {_REFUSED}")


def _extracted(tar: tarfile.TarFile, member: tarfile.TarInfo) -> IO[bytes]:
    return cast(IO[bytes], tar.extractfile(member))  # None is for what is no file


def _of_zip(archive: Path) -> Iterator[_Member]:
    with zipfile.ZipFile(archive) as packed:
        for info in packed.infolist():
            if stat.S_ISLNK(info.external_attr >> 16):
                raise Problem(f"{archive.name}: {info.filename!r} is a link; {_REFUSED}")
            opened = None if info.is_dir() else partial(packed.open, info)
            yield info.filename, info.file_size, opened
