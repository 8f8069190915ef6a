"""What most people write: FastAPI WebSockets in sets, one `send_text` after the other. Only for comparison.

It answers the few frames of the Pusher protocol that the load generator sends, and checks nothing.

usage: broadcast.py PORT
"""

import sys

import orjson
import uvicorn
from fastapi import FastAPI, Request, WebSocket, WebSocketDisconnect

from publishers import APP

app = FastAPI()
channels: dict[str, set[WebSocket]] = {}


@app.websocket("/app/{key}")
async def listen(socket: WebSocket, key: str) -> None:
    del key
    joined: list[str] = []
    await socket.accept()
    try:
        while True:
            message = await socket.receive_json()
            if message["event"] == "pusher:subscribe":
                joined.append(message["data"]["channel"])
                channels.setdefault(joined[-1], set()).add(socket)
                await socket.send_json({"event": "pusher_internal:subscription_succeeded", "channel": joined[-1]})
    except WebSocketDisconnect:
        for channel in joined:
            channels[channel].discard(socket)


@app.post(f"/apps/{APP['id']}/events")
async def event(request: Request) -> dict[str, str]:
    await broadcast(orjson.loads(await request.body()))
    return {}


@app.post(f"/apps/{APP['id']}/batch_events")
async def batch(request: Request) -> dict[str, str]:
    for one in orjson.loads(await request.body())["batch"]:
        await broadcast(one)
    return {}


async def broadcast(message: dict[str, str]) -> None:
    text = orjson.dumps({"event": message["name"], "channel": message["channel"], "data": message["data"]}).decode()
    for socket in list(channels.get(message["channel"], ())):
        await socket.send_text(text)


if __name__ == "__main__":
    uvicorn.run(app, port=int(sys.argv[1]), log_level="warning", ws_per_message_deflate=False, backlog=4096)
