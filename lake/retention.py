"""What leaves the lake: old windows, files that no window names, and a tenant as a whole."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from lake.manifest import (
    WINDOWS,
    folder_of,
    named,
    path_of,
    publish,
    read_all,
    windows_of,
)
from lake.store import Store


def forget_before(store: Store, tenant: str, before: datetime) -> int:
    """Windows that ended before then; how many held something. The newest stays as an empty one,
    because the next begins where it ended; it goes when it is no more the newest."""
    windows = windows_of(store, tenant)
    old = [one for one in windows if one.until < before]
    for window in old:
        if window != windows[-1]:
            store.delete(path_of(tenant, window))
        elif window.parts:
            publish(store, tenant, replace(window, parts={}))
    return sum(bool(one.parts) for one in old)


def tidy(store: Store, tenant: str) -> int:
    """Files that no window names, and manifests whose place another has taken; how many.

    They are of runs that were killed, of windows that were joined or forgotten. Run it before
    others are joined, a day apart, so that a reader who has them open comes to its end.
    """
    counting = windows_of(store, tenant)
    replaced = [one for one in read_all(store, tenant) if one not in counting]
    for window in replaced:
        store.delete(path_of(tenant, window))
    kept = named(counting) | {path_of(tenant, one) for one in counting}
    lost = [path for path in store.files(folder_of(tenant)) if path not in kept]
    for path in lost:
        store.delete(path)
    return len(replaced) + len(lost)


def erase(store: Store, tenant: str) -> None:
    """Everything of a tenant. Its windows first: without them there is nothing to read."""
    store.delete_folder(f"{folder_of(tenant)}/{WINDOWS}")
    store.delete_folder(folder_of(tenant))
