"""What a fork server of the tests loads: it remembers by whom it was imported."""

# What the program needs, since after a change of the user Python's own library may be out of reach.
import ctypes  # noqa: F401
import json  # noqa: F401
import os
import resource  # noqa: F401
import threading  # noqa: F401

IMPORTER = os.getpid()
