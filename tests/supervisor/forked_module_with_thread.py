"""What no fork server may load: it leaves a thread."""

import threading

threading.Thread(target=threading.Event().wait, daemon=True).start()
