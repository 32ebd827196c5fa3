"""Files from the internet: pooch checks and repeats, an interrupted download goes on."""

from __future__ import annotations

import hashlib
import logging
import os
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
        known = None if file.checksum.startswith(GIT) else file.checksum
        shelf = pooch.create(
            folder,
            base_url="",
            registry={file.name: known},
            urls={file.name: file.address},
            retry_if_failed=retries,
        )
        try:
            shelf.fetch(file.name, downloader=_Resuming(file, place))
        except requests.RequestException as error:
            why = type(error).__name__ if error.response is None else error.response.status_code
            raise RunFailed(
                f"{file.address}: could not be had ({why}); run the command again, it goes on "
                "where it stopped"
            ) from error
        except ValueError as error:
            raise RunFailed(
                f"{file.address}: is not the file on record, its checksum differs; try again "
                "later, or look whether a newer version of this software knows it"
            ) from error


class _Resuming:
    """What pooch calls to download: into a .part beside the file, from where that ends."""

    def __init__(self, file: RemoteFile, place: Path) -> None:
        self.file = file
        self.part = place.with_name(f".{place.name}.part")

    def __call__(self, url: str, output_file: str, pooch: Any) -> None:
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
            nothing_left = have and response.status_code == requests.codes.requested_range
            if not nothing_left:
                response.raise_for_status()
                self._append(response, have if response.status_code == 206 else 0)
        if not self.file.checksum.startswith(GIT) or _is_right(self.part, self.file.checksum):
            os.replace(self.part, output_file)
            return
        self.part.unlink()
        raise ValueError("it is another file")

    def _append(self, response: requests.Response, have: int) -> None:
        with (
            self.part.open("ab" if have else "wb") as stream,
            tqdm(
                desc=self.part.name[1:-5],
                initial=have,
                total=have + int(response.headers.get("Content-Length", 0)) or None,
                unit="B",
                unit_scale=True,
                leave=False,
            ) as bar,
        ):
            for piece in response.iter_content(CHUNK):
                stream.write(piece)
                bar.update(len(piece))


def _is_right(place: Path, checksum: str) -> bool:
    """Whether a file has its checksum."""
    kind, _, wanted = checksum.partition(":")
    if kind == GIT:
        digest = hashlib.sha1(b"blob %d\0" % place.stat().st_size)
    else:
        digest = hashlib.new(kind)
    with place.open("rb") as stream:
        while piece := stream.read(CHUNK):
            digest.update(piece)
    return digest.hexdigest() == wanted
