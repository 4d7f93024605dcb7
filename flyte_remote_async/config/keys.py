"""Every key that Flyte's clients read for what this package does, and the field that it fills.

Sources: flytekit ``configuration/internal.py`` (environment, ini, YAML) and flyteidl's Go client
``clients/go/admin/config.go`` (the keys under ``admin`` that flytectl reads).
"""

from __future__ import annotations

from typing import Final

__all__ = ["KEYS", "KNOWN_ADMIN_KEYS"]

# field, kind, where to look: the first place that has a value wins.
# "env NAME", "yaml a.b" (without regard to case), "ini section.option".
KEYS: Final[tuple[tuple[str, str, tuple[str, ...]], ...]] = (
    ("endpoint", "text", ("env FLYTE_PLATFORM_URL", "yaml admin.endpoint", "ini platform.url")),
    ("insecure", "bool", ("env FLYTE_PLATFORM_INSECURE", "yaml admin.insecure", "ini platform.insecure")),
    (
        "insecure_skip_verify",
        "bool",
        (
            "env FLYTE_PLATFORM_INSECURE_SKIP_VERIFY",
            "yaml admin.insecureSkipVerify",
            "ini platform.insecure_skip_verify",
        ),
    ),
    (
        "ca_cert_file",
        "path",
        ("env FLYTE_PLATFORM_CA_CERT_FILE_PATH", "yaml admin.caCertFilePath", "ini platform.ca_cert_file_path"),
    ),
    (
        "console_endpoint",
        "text",
        ("env FLYTE_PLATFORM_CONSOLE_ENDPOINT", "yaml console.endpoint", "ini platform.console_endpoint"),
    ),
    (
        "http_proxy_url",
        "text",
        ("env FLYTE_PLATFORM_HTTP_PROXY_URL", "yaml admin.httpProxyURL", "ini platform.http_proxy_url"),
    ),
    ("max_message_bytes", "number", ("yaml admin.maxMessageSizeBytes",)),
    ("max_attempts", "number", ("yaml admin.maxRetries",)),
    ("max_backoff", "seconds", ("yaml admin.maxBackoffDelay",)),
    ("attempt_timeout", "seconds", ("yaml admin.perRetryTimeout",)),
    (
        "project",
        "text",
        (
            "env FLYTE_DEFAULT_PROJECT",
            "env FLYTE_LOCAL_PROJECT",
            "yaml task.project",
            "yaml root.project",
            "ini local.project",
            # Last: inside a task these name the execution that it belongs to.
            "env FLYTE_INTERNAL_EXECUTION_PROJECT",
            "env _F_PRJ",
        ),
    ),
    (
        "domain",
        "text",
        (
            "env FLYTE_DEFAULT_DOMAIN",
            "env FLYTE_LOCAL_DOMAIN",
            "yaml task.domain",
            "yaml root.domain",
            "ini local.domain",
            "env FLYTE_INTERNAL_EXECUTION_DOMAIN",
            "env _F_DM",
        ),
    ),
    ("org", "text", ("env FLYTE_LOCAL_ORG", "yaml task.org", "ini local.org")),
    ("auth.mode", "text", ("env FLYTE_CREDENTIALS_AUTH_MODE", "yaml admin.authType", "ini credentials.auth_mode")),
    ("auth.client_id", "text", ("env FLYTE_CREDENTIALS_CLIENT_ID", "yaml admin.clientId", "ini credentials.client_id")),
    ("auth.client_secret", "secret", ("env FLYTE_CREDENTIALS_CLIENT_SECRET", "ini credentials.client_secret")),
    (
        "auth.client_secret_location",
        "path",
        (
            "env FLYTE_CREDENTIALS_CLIENT_SECRET_LOCATION",
            "yaml admin.clientSecretLocation",
            "ini credentials.client_secret_location",
        ),
    ),
    (
        "auth.client_secret_env_var",
        "text",
        (
            "env FLYTE_CREDENTIALS_CLIENT_SECRET_ENV_VAR",
            "yaml admin.clientSecretEnvVar",
            "ini credentials.client_secret_env_var",
        ),
    ),
    ("auth.scopes", "texts", ("env FLYTE_CREDENTIALS_SCOPES", "yaml admin.scopes", "ini credentials.scopes")),
    ("auth.audience", "text", ("env FLYTE_CREDENTIALS_AUDIENCE", "yaml admin.audience", "ini credentials.audience")),
    ("auth.use_audience_from_admin", "bool", ("yaml admin.useAudienceFromAdmin",)),
    ("auth.command", "arguments", ("env FLYTE_CREDENTIALS_COMMAND", "yaml admin.command", "ini credentials.command")),
    (
        "auth.proxy_command",
        "arguments",
        ("env FLYTE_CREDENTIALS_PROXY_COMMAND", "yaml admin.proxyCommand", "ini credentials.proxy_command"),
    ),
    ("auth.authorization_header", "text", ("yaml admin.authorizationHeader",)),
    ("auth.token_url", "text", ("yaml admin.tokenUrl",)),
    ("auth.token_refresh_window", "seconds", ("yaml admin.tokenRefreshWindow",)),
    ("auth.browser_timeout", "seconds", ("yaml admin.pkceConfig.timeout",)),
    ("auth.device_timeout", "seconds", ("yaml admin.deviceFlowConfig.timeout",)),
    ("auth.device_poll_interval", "seconds", ("yaml admin.deviceFlowConfig.pollInterval",)),
    ("storage.s3_endpoint", "text", ("env FLYTE_AWS_ENDPOINT", "yaml storage.connection.endpoint", "ini aws.endpoint")),
    (
        "storage.s3_access_key_id",
        "text",
        ("env FLYTE_AWS_ACCESS_KEY_ID", "yaml storage.connection.access-key", "ini aws.access_key_id"),
    ),
    (
        "storage.s3_secret_access_key",
        "secret",
        ("env FLYTE_AWS_SECRET_ACCESS_KEY", "yaml storage.connection.secret-key", "ini aws.secret_access_key"),
    ),
    (
        "storage.s3_addressing_style",
        "text",
        ("env FLYTE_AWS_ADDRESSING_STYLE", "yaml storage.connection.addressing-style", "ini aws.addressing_style"),
    ),
    ("storage.s3_retries", "number", ("env FLYTE_AWS_RETRIES", "ini aws.retries")),
    ("storage.s3_backoff", "seconds", ("env FLYTE_AWS_BACKOFF_SECONDS", "ini aws.backoff_seconds")),
    (
        "storage.azure_account_name",
        "text",
        ("env FLYTE_AZURE_STORAGE_ACCOUNT_NAME", "ini azure.storage_account_name"),
    ),
    (
        "storage.azure_account_key",
        "secret",
        ("env FLYTE_AZURE_STORAGE_ACCOUNT_KEY", "ini azure.storage_account_key"),
    ),
    ("storage.azure_tenant_id", "text", ("env FLYTE_AZURE_TENANT_ID", "ini azure.tenant_id")),
    ("storage.azure_client_id", "text", ("env FLYTE_AZURE_CLIENT_ID", "ini azure.client_id")),
    ("storage.azure_client_secret", "secret", ("env FLYTE_AZURE_CLIENT_SECRET", "ini azure.client_secret")),
)

# Keys that flytectl knows and that have no meaning here: they are no mistakes of the user's.
_WITHOUT_EFFECT: Final = ("defaultServiceConfig", "pkceConfig.refreshTime", "deviceFlowConfig.refreshTime")

KNOWN_ADMIN_KEYS: Final = (
    tuple(
        place.removeprefix("yaml admin.")
        for _, _, places in KEYS
        for place in places
        if place.startswith("yaml admin.")
    )
    + _WITHOUT_EFFECT
)
