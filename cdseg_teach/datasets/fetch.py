"""Files from the internet: pooch repeats and moves into place, an interrupted download goes on."""

from __future__ import annotations

import hashlib
import logging
import os
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pooch
import requests
from tqdm.auto import tqdm

from cdseg_teach.problems import RunFailed

CHUNK = 2**16  # bytes: of what is cut off, less than one such piece is lost
TIMEOUT_SECONDS = (10, 60)  # to connect; between two pieces
RETRIES = 5  # with 1, 2, ... seconds between them
GIT = "git"


@dataclass(frozen=True)
class RemoteFile:
    """A file that can be downloaded, and what tells that it is the one that was meant.

    Parameters
    ----------
    name
        Its place below the folder of downloads.
    address
        URL.
    checksum
        "sha256:...", "md5:...", or "git:..." for the name that git gives to its content, which is
        known for files of a repository that are too many or too large to be hashed again.
    """

    name: str
    address: str
    checksum: str


def download(files: Iterable[RemoteFile], folder: Path, *, retries: int = RETRIES) -> None:
    """Bring all files into a folder; those that are there and right are left alone.

    What came before an interruption is kept, and only the rest is asked for (HTTP's Range).

    Raises
    ------
    RunFailed
        When a file cannot be had, or is another than the one on record.
    OSError
        When the folder cannot be written.
    """
    pooch.get_logger().setLevel(logging.WARNING)  # tqdm says what is going on
    for file in files:
        place = folder / file.name
        if place.exists() and not _is_right(place, file.checksum):
            place.unlink()
        shelf = pooch.create(
            folder,
            base_url="",
            registry={file.name: None},  # checked where it is downloaded, before it is moved
            urls={file.name: file.address},
            retry_if_failed=retries,
        )
        part = place.with_name(f".{place.name}.part")
        try:
            shelf.fetch(file.name, downloader=_Resuming(file, part))
        except requests.RequestException as error:
            why = type(error).__name__ if error.response is None else error.response.status_code
            raise RunFailed(
                f"{file.address}: could not be had ({why}); run the command again, it goes on "
                "where it stopped"
            ) from error
        except ValueError as error:
            raise _another_file(file) from error
        part.unlink(missing_ok=True)


class _Resuming:
    """What pooch calls to download: into a .part beside the file, from where that ends."""

    def __init__(self, file: RemoteFile, part: Path) -> None:
        self.file, self.part = file, part
        self.wrong = 0  # how often another file than the one on record came

    def __call__(self, url: str, output_file: str, pooch: Any) -> None:
        self._complete(url)
        if not _is_right(self.part, self.file.checksum):
            self.part.unlink()
            self.wrong += 1
            # Once may be an old beginning with a new end; pooch tries again after a ValueError.
            raise ValueError("it is another file") if self.wrong == 1 else _another_file(self.file)
        _same_content(self.part, Path(output_file))

    def _complete(self, url: str) -> None:
        have = self.part.stat().st_size if self.part.exists() else 0
        headers = {"Accept-Encoding": "identity"}
        if have:
            headers["Range"] = f"bytes={have}-"
        with requests.get(url, headers=headers, stream=True, timeout=TIMEOUT_SECONDS) as response:
            if response.status_code in (401, 403, 404, 410):
                raise RunFailed(
                    f"{url}: the server says {response.status_code} {response.reason}; "
                    "look whether a newer version of this software knows where it went"
                )
            if have and response.status_code == requests.codes.requested_range:
                return  # nothing is left
            response.raise_for_status()
            if response.headers.get("Content-Encoding", "identity") != "identity":
                raise requests.ConnectionError(f"{url}: was packed on the way")
            goes_on = response.headers.get("Content-Range", "").startswith(f"bytes {have}-")
            self._append(response, have if response.status_code == 206 and goes_on else 0)

    def _append(self, response: requests.Response, have: int) -> None:
        """Append to what there is; from 0, where the server did not go on from there."""
        if have == 0 and response.status_code == 206:
            raise requests.ConnectionError("the server gave another part than was asked for")
        announced = int(response.headers.get("Content-Length", 0))
        with (
            self.part.open("ab" if have else "wb") as stream,
            tqdm(
                desc=self.part.name[1:-5],
                initial=have,
                total=have + announced or None,
                unit="B",
                unit_scale=True,
                leave=False,
            ) as bar,
        ):
            for piece in response.iter_content(CHUNK):
                stream.write(piece)
                bar.update(len(piece))
            came = stream.tell() - have
        if announced and came != announced:  # older urllib3 takes a cut connection for the end
            raise requests.ConnectionError(f"{came} of {announced} bytes came")


def _same_content(part: Path, place: Path) -> None:
    """A second name for the same bytes: whoever is killed before pooch has moved it has .part."""
    place.unlink()
    try:
        os.link(part, place)
    except OSError:  # exFAT and some disks of a network give a file one name only
        shutil.copyfile(part, place)


def _another_file(file: RemoteFile) -> RunFailed:
    return RunFailed(
        f"{file.address}: is not the file on record, its checksum differs; try again "
        "later, or look whether a newer version of this software knows it"
    )


def _is_right(place: Path, checksum: str) -> bool:
    """Whether a file has its checksum."""
    kind, _, wanted = checksum.partition(":")
    if kind != GIT:
        return bool(pooch.file_hash(str(place), kind) == wanted)
    digest = hashlib.sha1(b"blob %d\0" % place.stat().st_size)
    with place.open("rb") as stream:
        while piece := stream.read(CHUNK):
            digest.update(piece)
    return digest.hexdigest() == wanted
