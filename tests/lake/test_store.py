"""Where the lake lies: a folder, an address in Azure, and nothing that holds a secret."""

from __future__ import annotations

from pathlib import Path

import pytest
from pyarrow import fs

from lake.store import BadLakeUrl, Store, store_at


def test_a_folder_by_default_and_by_path(tmp_path: Path) -> None:
    assert store_at("", tmp_path / "x").root == str(tmp_path / "x")
    assert store_at(str(tmp_path / "y"), tmp_path).root == str(tmp_path / "y")
    assert store_at(f"file://{tmp_path}/z", tmp_path).root == str(tmp_path / "z")


def test_azure_is_opened_by_identity_alone(tmp_path: Path) -> None:
    store = store_at("abfss://lake@account.dfs.core.windows.net/csc", tmp_path)
    assert isinstance(store.system, fs.AzureFileSystem)
    assert store.full("a/b") == "lake/csc/a/b"


@pytest.mark.parametrize(
    "url",
    [
        "abfss://lake:c2VjcmV0@account.dfs.core.windows.net/csc",
        "abfss://lake@account.dfs.core.windows.net/csc?account_key=c2VjcmV0",
        "abfss://lake@account.dfs.core.windows.net/csc?client_id=x&client_secret=c2VjcmV0",
        "abfss://lake@account.dfs.core.windows.net/csc?sig=c2VjcmV0",
        "abfss://lake@account.dfs.core.windows.net/csc?nonsense=c2VjcmV0",
        "s3://bucket/c2VjcmV0",
        "lake/c2VjcmV0",
    ],
)
def test_secrets_and_nonsense_are_refused_unquoted(url: str, tmp_path: Path) -> None:
    with pytest.raises(BadLakeUrl) as refused:
        store_at(url, tmp_path)
    assert "c2VjcmV0" not in str(refused.value)


def test_a_file_is_there_as_a_whole_or_not(store: Store) -> None:
    store.write("a/b.json", b"one")
    store.write("a/b.json", b"two")
    assert (store.read("a/b.json"), store.names("a")) == (b"two", ["b.json"])
    store.delete("a/b.json")
    store.delete("a/b.json")
    assert store.names("a") == store.names("nowhere") == list(store.files("nowhere")) == []


def test_a_folder_goes_with_all_in_it(store: Store) -> None:
    for path in ("t/a/x", "t/b/c/y", "u/z"):
        store.write(path, b"1")
    assert sorted(store.files("t")) == ["t/a/x", "t/b/c/y"]
    store.delete_folder("t")
    store.delete_folder("t")
    assert list(store.files("t")) == []
    assert list(store.files("u")) == ["u/z"]
