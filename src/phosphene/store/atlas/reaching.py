"""From an address to the place that it names."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from phosphene.errors import StorageError
from phosphene.store.atlas.libraries import filesystems
from phosphene.store.atlas.local_place import LocalPlace
from phosphene.store.atlas.places import Place
from phosphene.store.atlas.remote_place import RemotePlace

#: What must be installed for an address; fsspec itself brings the others.
_PACKAGES = MappingProxyType(
    {
        **dict.fromkeys(("s3", "s3a"), "s3fs"),
        **dict.fromkeys(("gs", "gcs"), "gcsfs"),
        **dict.fromkeys(("abfs", "abfss", "az", "adl"), "adlfs"),
        **dict.fromkeys(("sftp", "ssh"), "paramiko"),
        **dict.fromkeys(("http", "https"), "aiohttp"),
        "hf": "huggingface_hub",
        "oci": "ocifs",
        "oss": "ossfs",
        "smb": "smbprotocol",
    }
)
#: botocore's own bounds are a minute for each of five attempts to connect.
_S3_BOUNDS = MappingProxyType({"connect_timeout": 10, "read_timeout": 60, "retries": {"max_attempts": 2}})


def reach(uri: str | os.PathLike[str], storage_options: Mapping[str, Any] | None = None) -> Place:
    """The place of an address; nothing is read or written yet.

    Args:
        uri: a folder, or an address such as ``s3://bucket/atlas``.
        storage_options: for fsspec's file system: credentials, endpoint.

    Raises:
        StorageError: no such kind of address, its package is not installed, or the options do not fit.
        MissingExtraError: an address, and fsspec is not installed.
    """
    text = os.fspath(uri)
    protocol, mark, rest = text.partition("://")
    if not text or "\0" in text:
        raise StorageError(
            f"{text!r} is no address of an atlas; give a folder, or an address such as s3://bucket/atlas"
        )
    if not mark or protocol in {"file", "local"}:
        return LocalPlace(Path(rest if mark else text))
    options = _bounded(protocol, dict(storage_options or {}))
    try:
        system, root = filesystems().core.url_to_fs(text, **options)
    except ImportError as error:
        if error.__class__.__module__ == "phosphene.errors":
            raise
        package = _PACKAGES.get(protocol, f"the package for {protocol}")
        raise StorageError(
            f"{text}: {protocol}:// needs a package of its own: pip install {package} ({error})"
        ) from error
    except Exception as error:  # unknown protocols, options that do not fit: every file system has errors of its own
        raise StorageError(f"{text} cannot be reached: {error}; check the address and storage_options") from error
    return RemotePlace(text, system, root)


def _bounded(protocol: str, options: dict[str, Any]) -> dict[str, Any]:
    if protocol not in {"s3", "s3a"}:
        return options
    return {**options, "config_kwargs": {**_S3_BOUNDS, **options.get("config_kwargs", {})}}
