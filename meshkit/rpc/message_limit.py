"""The size of messages, by itself: who calls a server need not load one."""

from typing import Final

MESSAGE_LIMIT_BYTES: Final = 4 * 1024 * 1024
"""The largest message that servers and clients of the mesh take."""
