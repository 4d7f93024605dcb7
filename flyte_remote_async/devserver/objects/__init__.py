"""The blobs of the devserver's bucket, in memory or in a folder."""

from flyte_remote_async.devserver.objects.base import REGION, ObjectInfo, key_of
from flyte_remote_async.devserver.objects.bucket import Objects
from flyte_remote_async.devserver.objects.streams import ObjectTooLargeError, OpenObject, Upload
from flyte_remote_async.devserver.objects.written import WrittenLiterals

__all__ = [
    "REGION",
    "ObjectInfo",
    "ObjectTooLargeError",
    "Objects",
    "OpenObject",
    "Upload",
    "WrittenLiterals",
    "key_of",
]
