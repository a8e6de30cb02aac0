"""Listen on ports by TCP, and on the DNS port by UDP, until terminated."""

import select
import socket
import sys

DNS = 53

sockets: list[socket.socket] = []
for port in map(int, sys.argv[1:]):
    listening = socket.create_server(("0.0.0.0", port), backlog=64)
    sockets.append(listening)
names = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
names.bind(("0.0.0.0", DNS))
while True:
    for ready in select.select([*sockets, names], [], [])[0]:
        if ready is names:
            data, sender = names.recvfrom(16)
            names.sendto(data, sender)
        else:
            ready.accept()[0].close()
