"""With this folder on PYTHONPATH, a child process of a test reaches this machine and no other."""

import sys

_HERE = {"127.0.0.1", "::1", "localhost"}


def _refuse_others(event: str, args: tuple[object, ...]) -> None:
    if event == "socket.connect":
        address = args[1]
        host = address[0] if isinstance(address, tuple) else None
    elif event == "socket.getaddrinfo":
        host = args[0]
    else:
        return
    if isinstance(host, str) and host not in _HERE:
        raise RuntimeError(f"a test tried to reach {host}")


sys.addaudithook(_refuse_others)
