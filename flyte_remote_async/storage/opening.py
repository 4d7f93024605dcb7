"""Buckets from a configuration: which store, which endpoint, which credentials."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from flyte_remote_async.errors import MissingExtraError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flyte_remote_async.config.values import Secret, StorageConfig
    from flyte_remote_async.storage.addresses import Address

__all__ = ["has_credentials", "has_default_login", "open_bucket"]

# Variables that say that there are credentials, as the stores' own clients read them.
_SIGNS: Final[Mapping[str, tuple[str, ...]]] = {
    "s3": (
        "AWS_ACCESS_KEY_ID",
        "AWS_WEB_IDENTITY_TOKEN_FILE",
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
        "AWS_SKIP_SIGNATURE",
    ),
    "gs": ("GOOGLE_APPLICATION_CREDENTIALS", "GOOGLE_SERVICE_ACCOUNT", "GOOGLE_SERVICE_ACCOUNT_KEY"),
    "azure": (
        "AZURE_STORAGE_ACCOUNT_KEY",
        "AZURE_STORAGE_SAS_TOKEN",
        "AZURE_STORAGE_SAS_KEY",
        "AZURE_STORAGE_TOKEN",
        "AZURE_STORAGE_CLIENT_SECRET",
        "AZURE_FEDERATED_TOKEN_FILE",
        "AZURE_SKIP_SIGNATURE",
    ),
}


def has_credentials(kind: str, config: StorageConfig, env: Mapping[str, str]) -> bool:
    """Tell whether there are credentials for a kind of store, without asking a network for them.

    Args:
        kind: ``"s3"``, ``"gs"`` or ``"azure"``.
        config: The configuration.
        env: The environment.
    """
    given = {
        "s3": config.s3_access_key_id,
        "gs": None,
        "azure": config.azure_account_key or config.azure_client_secret,
    }
    return given[kind] is not None or any(env.get(name) for name in _SIGNS[kind])


def open_bucket(address: Address, config: StorageConfig, patient: bool) -> Any:
    """Return obstore's store for the bucket of an address; it blocks for some milliseconds.

    Raises:
        MissingExtraError: obstore is not installed.
        ValueError: The configuration makes no store.
    """
    try:
        from obstore.store import AzureStore, GCSStore, S3Store
    except ImportError as error:
        raise MissingExtraError(f"reading {address.kind} storage", "data") from error
    makers = {"s3": (S3Store, _s3), "gs": (GCSStore, _gs), "azure": (AzureStore, _azure)}
    maker, options_of = makers[address.kind]
    options = options_of(address, config)
    # The limit is for a whole object; stalls are noticed by whoever reads.
    client: dict[str, Any] = {"timeout": timedelta(hours=24), "connect_timeout": timedelta(seconds=10)}
    if str(options.get("endpoint", "")).startswith("http://"):
        client["allow_http"] = True
    return maker(address.container, client_options=client, retry_config=_retries(config, patient), **options)


def _retries(config: StorageConfig, patient: bool) -> Any:
    if not patient:
        return {"max_retries": 1, "retry_timeout": timedelta(seconds=10)}
    retries: dict[str, Any] = {"max_retries": 5 if config.s3_retries is None else config.s3_retries}
    if config.s3_backoff is not None:
        pause = timedelta(seconds=config.s3_backoff)
        retries["backoff"] = {"init_backoff": pause, "max_backoff": max(pause, timedelta(seconds=15)), "base": 2}
    return retries


def _s3(address: Address, config: StorageConfig) -> dict[str, Any]:
    endpoint = config.s3_endpoint
    style = config.s3_addressing_style
    # AWS wants the bucket in the host's name; servers of one's own seldom have names for all buckets.
    virtual = style == "virtual" if style else endpoint is None and "." not in address.container
    if endpoint is not None and virtual:
        scheme, _, host = endpoint.partition("://")
        endpoint = f"{scheme}://{address.container}.{host}"
    keys = {"access_key_id": config.s3_access_key_id, "secret_access_key": config.s3_secret_access_key}
    return {"virtual_hosted_style_request": virtual, **_given(endpoint=endpoint, **keys)}


def _gs(address: Address, config: StorageConfig) -> dict[str, Any]:
    del address, config
    return {}


def _azure(address: Address, config: StorageConfig) -> dict[str, Any]:
    return _given(
        account_name=address.account or config.azure_account_name,
        account_key=config.azure_account_key,
        tenant_id=config.azure_tenant_id,
        client_id=config.azure_client_id,
        client_secret=config.azure_client_secret,
    )


def _given(**options: str | Secret | None) -> dict[str, Any]:
    return {
        name: value if isinstance(value, str) else value.reveal()
        for name, value in options.items()
        if value is not None
    }


def has_default_login() -> bool:
    """Tell whether ``gcloud`` left credentials in its usual place; it looks at the disk."""
    folder = os.environ.get("CLOUDSDK_CONFIG") or Path.home() / ".config" / "gcloud"
    return Path(folder, "application_default_credentials.json").is_file()
