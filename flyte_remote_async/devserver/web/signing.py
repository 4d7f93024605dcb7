"""URLs that whoever has them may use, for a while: signed as S3 signs them. Pure.

Source: AWS Signature Version 4, "Authenticating requests: using query parameters".
"""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import secrets
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

import attrs

from flyte_remote_async.devserver.objects import REGION

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Refusal", "Signer"]

_ALGORITHM: Final = "AWS4-HMAC-SHA256"
_STAMP: Final = "%Y%m%dT%H%M%SZ"
_SIGNATURE: Final = "X-Amz-Signature"


@attrs.frozen
class Refusal:
    """Why a signed URL is not good.

    Attributes:
        code: S3's code.
        message: S3's words.
    """

    code: str
    message: str


class Signer:
    """Signs URLs with a key of its own, which goes with it: another server's URLs are not good here."""

    def __init__(self) -> None:
        self._access_key = f"devserver{secrets.token_hex(8)}"
        self._secret = secrets.token_hex(32)

    def signed(
        self,
        method: str,
        base: str,
        path: str,
        *,
        now: dt.datetime,
        expires_in: float,
        headers: Mapping[str, str] | None = None,
    ) -> str:
        """Return a signed URL.

        Args:
            method: The only method that it is good for.
            base: Scheme, host and port, such as ``http://127.0.0.1:30080``.
            path: The path, not quoted.
            now: The present instant.
            expires_in: Seconds that it is good for.
            headers: Headers that a request must have, with these values.
        """
        signed = {name.lower(): value for name, value in (headers or {}).items()}
        signed["host"] = base.partition("://")[2]
        query = {
            "X-Amz-Algorithm": _ALGORITHM,
            "X-Amz-Credential": "/".join((self._access_key, *_scope(now.strftime(_STAMP)))),
            "X-Amz-Date": now.strftime(_STAMP),
            "X-Amz-Expires": str(int(expires_in)),
            "X-Amz-SignedHeaders": ";".join(sorted(signed)),
        }
        signature = self._signature(method, path, query, signed)
        return f"{base}{_quoted(path)}?{_canonical_query(query)}&{_SIGNATURE}={signature}"

    def is_mine(self, query: Mapping[str, str]) -> bool:
        """Return whether the query of a request says that this signer signed it."""
        return query.get("X-Amz-Credential", "").partition("/")[0] == self._access_key

    def refusal(
        self, method: str, path: str, query: Mapping[str, str], headers: Mapping[str, str], *, now: dt.datetime
    ) -> Refusal | None:
        """Return why a request with a URL of this signer is refused; None where it is good.

        Args:
            method: Its method; a HEAD passes with a URL for GET.
            path: Its path, not quoted.
            query: Its query.
            headers: Its headers, by names in lower case.
            now: The present instant.
        """
        given = query.get(_SIGNATURE, "")
        signed = {name: headers.get(name, "") for name in query.get("X-Amz-SignedHeaders", "").split(";")}
        rest = {name: value for name, value in query.items() if name != _SIGNATURE}
        methods = ("HEAD", "GET") if method == "HEAD" else (method,)
        good = [self._signature(each, path, rest, signed) for each in methods]
        if not any(hmac.compare_digest(signature.encode(), given.encode()) for signature in good):
            return Refusal(
                "SignatureDoesNotMatch",
                "The request signature we calculated does not match the signature you provided. Check your key and "
                "signing method.",
            )
        # What carries the signature was written by this signer, so it can be read.
        begun = dt.datetime.strptime(query["X-Amz-Date"], _STAMP).replace(tzinfo=dt.UTC)
        if now >= begun + dt.timedelta(seconds=int(query["X-Amz-Expires"])):
            return Refusal("AccessDenied", "Request has expired")
        return None

    def _signature(self, method: str, path: str, query: Mapping[str, str], headers: Mapping[str, str]) -> str:
        lines = "".join(f"{name}:{' '.join(headers[name].split())}\n" for name in sorted(headers))
        request = "\n".join(
            (method, _quoted(path), _canonical_query(query), lines, ";".join(sorted(headers)), "UNSIGNED-PAYLOAD")
        )
        stamp = query.get("X-Amz-Date", "")
        scope = _scope(stamp)
        text = "\n".join((_ALGORITHM, stamp, "/".join(scope), hashlib.sha256(request.encode()).hexdigest()))
        key = f"AWS4{self._secret}".encode()
        for part in (*scope, text):
            key = hmac.digest(key, part.encode(), "sha256")
        return key.hex()


def _scope(stamp: str) -> tuple[str, str, str, str]:
    return stamp[:8], REGION, "s3", "aws4_request"


def _quoted(path: str) -> str:
    return quote(path, safe="/-_.~")


def _canonical_query(query: Mapping[str, str]) -> str:
    return "&".join(f"{quote(name, safe='-_.~')}={quote(query[name], safe='-_.~')}" for name in sorted(query))
