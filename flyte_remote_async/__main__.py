"""``python -m flyte_remote_async`` is the ``flyte-remote`` command."""

from __future__ import annotations

import sys

from flyte_remote_async.cli import main

if __name__ == "__main__":
    sys.exit(main())
