"""Where the lake lies: a folder, or Azure Data Lake Storage. Only this module opens it.

`abfss://container@account.dfs.core.windows.net/folder` is opened by pyarrow with the machine's
managed identity. A URL that holds a secret is refused: secrets are in the vault or nowhere.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pyarrow as pa
from pyarrow import fs

SECRETS = frozenset({"account_key", "client_secret", "sas_token", "sig"})
SCHEMES = ("file", "abfss")


class BadLakeUrl(ValueError):
    """The address of the lake can't be used; the message says why and quotes nothing of it."""


class Store:
    """Files by their path below the lake's root, with `/` between parts on every system."""

    def __init__(self, system: fs.FileSystem, root: str) -> None:
        self.system = system
        self.root = root.rstrip("/")

    def full(self, path: str) -> str:
        return f"{self.root}/{path}"

    def read(self, path: str) -> bytes:
        """Raises FileNotFoundError."""
        with self.system.open_input_stream(self.full(path)) as stream:
            return bytes(stream.read())

    def write(self, path: str, data: bytes) -> None:
        """All of it or nothing: whoever reads sees the file as it was before, or whole."""
        with self.create(f"{path}.part") as stream:
            stream.write(data)
        self.system.move(self.full(f"{path}.part"), self.full(path))

    def create(self, path: str) -> pa.NativeFile:
        """A new file to write to, in place of one of that name."""
        self.system.create_dir(self.full(path).rpartition("/")[0], recursive=True)
        return self.system.open_output_stream(self.full(path))

    def names(self, folder: str) -> list[str]:
        """Of what lies in a folder, sorted; none if there is no such folder."""
        selector = fs.FileSelector(self.full(folder), allow_not_found=True)
        return sorted(info.base_name for info in self.system.get_file_info(selector))

    def files(self, folder: str) -> Iterator[str]:
        """Paths of all files below a folder."""
        selector = fs.FileSelector(self.full(folder), allow_not_found=True, recursive=True)
        for info in self.system.get_file_info(selector):
            if info.type is fs.FileType.File:
                yield info.path.removeprefix(self.root).lstrip("/")

    def delete(self, path: str) -> None:
        """Fine if it is gone already."""
        if self._is(path, fs.FileType.File):
            self.system.delete_file(self.full(path))

    def delete_folder(self, folder: str) -> None:
        """With everything in it. Fine if it is gone already."""
        if self._is(folder, fs.FileType.Directory):
            self.system.delete_dir(self.full(folder))

    def _is(self, path: str, kind: fs.FileType) -> bool:
        return self.system.get_file_info(self.full(path)).type is kind


def store_at(url: str, default: Path) -> Store:
    """The lake of LAKE_URL; `default` is the folder if that is empty. Raises BadLakeUrl."""
    if not url or url.startswith("/"):
        folder = Path(url) if url else default
        return Store(fs.LocalFileSystem(), folder.resolve().as_posix())
    parts = urlsplit(url)
    if parts.scheme not in SCHEMES:
        raise BadLakeUrl(f"LAKE_URL must be a path or begin with one of: {', '.join(SCHEMES)}.")
    given = {name.lower() for name, _ in parse_qsl(parts.query, keep_blank_values=True)}
    if parts.password or given & SECRETS:
        raise BadLakeUrl("LAKE_URL holds a secret. Give the machine's identity a role instead.")
    try:
        system, root = fs.FileSystem.from_uri(url)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as err:
        raise BadLakeUrl("LAKE_URL can't be read; see docs/lake.md for how it is written.") from err
    return Store(system, root)
