"""The clients of `fanout.py`: many sockets in one process, read as cheaply as Python can, and only counted.

usage: fanout_reader.py PORT SOCKETS [TARGET CHANNEL]

With a TARGET each socket becomes a WebSocket of that request target and subscribes the channel; without, it stays a
plain socket. Prints "ready", then answers each line on standard input with the number of bytes read since.

Real clients sit on other machines: the server's kernel does not wake them. So that it does not wake this process for
every frame either, which would cost the slower side of a comparison more, it rests between two looks.
"""

import json
import select
import socket
import sys
import time
from typing import Any

SUBSCRIBED = b"subscription_succeeded"
MASK = b"\0\0\0\0"
REST = 0.01  # seconds


def main() -> None:
    port, sockets, *websocket = sys.argv[1:]
    poll = select.epoll()
    readers: dict[int, Any] = {}
    for _ in range(int(sockets)):
        connection = socket.create_connection(("127.0.0.1", int(port)))
        if websocket:
            subscribe(connection, *websocket)
        connection.setblocking(False)
        readers[connection.fileno()] = connection.recv_into
        readers[-connection.fileno()] = connection  # keeps it open
        poll.register(connection.fileno(), select.EPOLLIN)
    commands = sys.stdin.fileno()
    poll.register(commands, select.EPOLLIN)
    print("ready", flush=True)
    count(poll, readers, commands)


def count(poll: select.epoll, readers: dict[int, Any], commands: int) -> None:
    buffer = bytearray(256 * 1024)
    total = 0
    while True:
        for descriptor, _ in poll.poll():
            if descriptor == commands:
                if not sys.stdin.buffer.readline():
                    return
                print(total, flush=True)
                total = 0
            else:
                total += readers[descriptor](buffer)
        time.sleep(REST)


def subscribe(connection: socket.socket, target: str, channel: str) -> None:
    connection.sendall(
        f"GET {target} HTTP/1.1\r\nHost: bench\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode()
    )
    received = b""
    while b"\r\n\r\n" not in received:  # nothing may be sent before the upgrade is answered (RFC 6455 §4.1)
        received += connection.recv(65536)
    payload = json.dumps({"event": "pusher:subscribe", "data": {"channel": channel}}).encode()
    connection.sendall(bytes([0x81, 0x80 | len(payload)]) + MASK + payload)
    while SUBSCRIBED not in received:
        received += connection.recv(65536)


if __name__ == "__main__":
    main()
