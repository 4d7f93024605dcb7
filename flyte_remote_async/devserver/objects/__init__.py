"""The blobs of the devserver's bucket, in memory or in a folder."""

from flyte_remote_async.devserver.objects.base import BUCKET, ObjectInfo, key_of
from flyte_remote_async.devserver.objects.bucket import Objects, OpenObject

__all__ = ["BUCKET", "ObjectInfo", "Objects", "OpenObject", "key_of"]
