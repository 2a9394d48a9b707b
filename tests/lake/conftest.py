"""A lake in a folder, and one that is in no folder: nothing may depend on local paths."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from fsspec.implementations.memory import MemoryFileSystem
from pyarrow import fs

from lake.store import Store, store_at


@pytest.fixture(params=["folder", "memory"])
def store(request, tmp_path: Path) -> Iterator[Store]:
    if request.param == "folder":
        yield store_at("", tmp_path / "lake")
        return
    system = MemoryFileSystem()
    root = f"/lake-{uuid.uuid4().hex}"
    yield Store(fs.PyFileSystem(fs.FSSpecHandler(system)), root)
    system.rm(root, recursive=True)
