"""Where the devserver keeps what it knows."""

from flyte_remote_async.devserver.store.sql import Condition, Query
from flyte_remote_async.devserver.store.store import Data, Store, Transaction

__all__ = ["Condition", "Data", "Query", "Store", "Transaction"]
