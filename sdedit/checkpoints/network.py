"""Whether a server answers at all, which is found out in two seconds."""

from __future__ import annotations

import socket
import threading
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

_PATIENCE = 2.0  # seconds


def answers(address: str) -> bool:
    """Whether the server of an address (a URL) takes connections; True also where a proxy stands before it.

    The hub's library tries again for half a minute before it gives up, and a search for the name alone can take longer
    than we wait.
    """
    place = urlsplit(address)
    if place.hostname is None or (place.scheme in getproxies() and not proxy_bypass(place.hostname)):
        return True
    port = place.port or (443 if place.scheme == "https" else 80)
    answered = threading.Event()
    settled = threading.Event()

    def connect() -> None:
        try:
            socket.create_connection((place.hostname, port), _PATIENCE).close()
            answered.set()
        except OSError:
            pass
        finally:
            settled.set()

    threading.Thread(target=connect, daemon=True).start()
    settled.wait(_PATIENCE)
    return answered.is_set()
