"""Connect to every port of some addresses and print the reachable ones as JSON."""

import json
import socket
import sys
from concurrent.futures import ThreadPoolExecutor

SECONDS = 2.0
DNS = 53


def reached(is_reachable_args: tuple[str, str, int]) -> bool:
    _, address, port = is_reachable_args
    try:
        if port < 0:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as names:
                names.settimeout(SECONDS)
                names.sendto(b"?", (address, -port))
                names.recvfrom(16)
        else:
            socket.create_connection((address, port), SECONDS).close()
    except OSError:
        return False
    return True


targets, ports = json.loads(sys.argv[1]), json.loads(sys.argv[2])
connections = [
    (name, address, port) for name, address in targets.items() for port in (*ports, -DNS)
]
with ThreadPoolExecutor(64) as pool:
    opened = [
        ask for ask, yes in zip(connections, pool.map(reached, connections), strict=True) if yes
    ]
print(json.dumps([(name, port) for name, _, port in opened]))
