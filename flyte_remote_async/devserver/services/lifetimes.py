"""How long signed URLs are good for: an hour at most, and unless another time is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from google.protobuf.duration_pb2 import Duration

from flyte_remote_async.devserver.golang.durations import duration_text
from flyte_remote_async.devserver.golang.prototext import prototext
from flyte_remote_async.errors import InvalidArgumentError

if TYPE_CHECKING:
    from flyteidl.service import dataproxy_pb2

__all__ = ["download_life", "upload_life"]

_LONGEST_LIFE: Final = Duration(seconds=3600)
_MOST_SECONDS: Final = 315_576_000_000  # what a duration of protobuf may have


def upload_life(request: dataproxy_pb2.CreateUploadLocationRequest) -> Duration:
    """Return how long a place to upload to is to be good for.

    Raises:
        InvalidArgumentError: It is not for Flyte; in its words.
    """
    if not request.HasField("expires_in"):
        return _LONGEST_LIFE
    life = request.expires_in
    if not _is_valid(life):
        raise InvalidArgumentError(f"expiresIn [{prototext(life)}] is invalid")
    if _is_longer(life):
        raise InvalidArgumentError(
            f"expiresIn [{_text(life)}] cannot exceed max allowed expiration [{_text(_LONGEST_LIFE)}]"
        )
    return life


def download_life(
    request: dataproxy_pb2.CreateDownloadLocationRequest | dataproxy_pb2.CreateDownloadLinkRequest,
) -> Duration:
    """Return how long a link is to be good for.

    Raises:
        ValueError: It is not for Flyte; in its words.
    """
    if not request.HasField("expires_in"):
        return _LONGEST_LIFE
    life = request.expires_in
    reason = ""
    if not _is_valid(life):
        reason = f"[{prototext(life)}] is invalid"
    elif life.seconds < 0 or life.nanos < 0:
        reason = f"[{_text(life)}] should not less than 0"
    elif _is_longer(life):
        reason = f"[{_text(life)}] cannot exceed max allowed expiration [{_text(_LONGEST_LIFE)}]"
    if reason:
        raise ValueError(f"expiresIn is invalid. Error: input duration {reason}")
    return life


def _is_valid(life: Duration) -> bool:
    same_sign = life.seconds == 0 or life.nanos == 0 or (life.seconds < 0) == (life.nanos < 0)
    return abs(life.seconds) <= _MOST_SECONDS and abs(life.nanos) < 1_000_000_000 and same_sign  # noqa: PLR2004


def _is_longer(life: Duration) -> bool:
    return (life.seconds, life.nanos) > (_LONGEST_LIFE.seconds, 0)


def _text(life: Duration) -> str:
    return duration_text(life.ToNanoseconds())
