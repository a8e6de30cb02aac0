"""`python -m bench.events.crowd PORT DEPLOYMENTS PODS`: an API server of a crowd that stands still.

As much of one as the watcher asks for: lists in pages, watches, and Leases that are written under
conditions. No kubelet, no disk: what is measured against it is the watcher alone.
"""

import asyncio
import json
import sys
from dataclasses import dataclass, field

from aiohttp import web

from bench.events.versions import deployment, pod, status

_KINDS = ("deployments", "pods", "leases", "traefikservices", "ingressroutes")
_BOOKMARK_SECONDS = 55.0
_POD_BYTES = 4096
Object = dict[str, object]


@dataclass
class _Crowd:
    items: dict[str, list[bytes]]
    leases: dict[str, Object] = field(default_factory=dict)
    revision: int = 1000
    listeners: set[asyncio.Queue[bytes]] = field(default_factory=set)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Any request."""
        *_, kind, name = ("", "", *request.path.split("/"))
        if kind in _KINDS:
            return await self._lease(request, name)
        kind, path = name, request.path
        if kind not in _KINDS:
            return web.json_response({"message": path}, status=404)
        if request.method == "POST":
            return await self._lease(request, "")
        if request.query.get("watch"):
            return await self._watch(request, kind)
        return self._page(request, kind)

    def _page(self, request: web.Request, kind: str) -> web.Response:
        items = self.items.get(kind, [])
        if kind == "leases":
            items = [json.dumps(lease).encode() for lease in self.leases.values()]
        start, limit = int(request.query.get("continue") or 0), int(request.query["limit"])
        more = str(start + limit) if start + limit < len(items) else ""
        meta = json.dumps({"resourceVersion": str(self.revision), "continue": more}).encode()
        body = b",".join(items[start : start + limit])
        return web.Response(
            body=b'{"metadata":' + meta + b',"items":[' + body + b"]}",
            content_type="application/json",
        )

    async def _watch(self, request: web.Request, kind: str) -> web.StreamResponse:
        answer = web.StreamResponse()
        await answer.prepare(request)
        queue: asyncio.Queue[bytes] = asyncio.Queue()
        if kind == "leases":
            self.listeners.add(queue)
        try:
            while True:
                try:
                    async with asyncio.timeout(_BOOKMARK_SECONDS):
                        line = await queue.get()
                except TimeoutError:
                    line = _event("BOOKMARK", {"metadata": {"resourceVersion": str(self.revision)}})
                await answer.write(line)
        finally:
            self.listeners.discard(queue)

    async def _lease(self, request: web.Request, name: str) -> web.Response:
        found = self.leases.get(name)
        if request.method == "GET":
            return web.json_response(found, status=200 if found else 404)
        given = await request.json()
        if request.method == "POST":
            name, found = given["metadata"]["name"], None
        before = found["metadata"]["resourceVersion"] if found else "0"  # type: ignore[index]
        if request.method == "PATCH" and given["metadata"].get("resourceVersion") != before:
            return web.json_response({"message": "it has been modified"}, status=409)
        self.revision += 1
        merged = _merged(found or {}, given)
        merged["metadata"]["resourceVersion"] = str(self.revision)  # type: ignore[index]
        self.leases[name] = merged
        line = _event("MODIFIED" if found else "ADDED", merged)
        if "model-deployment.io/record" in merged["metadata"].get("annotations", {}):  # type: ignore[attr-defined]
            for queue in self.listeners:
                queue.put_nowait(line)
        return web.json_response(merged)


def _event(kind: str, item: Object) -> bytes:
    return json.dumps({"type": kind, "object": item}).encode() + b"\n"


def _merged(old: Object, new: Object) -> Object:
    found = dict(old)
    for name, value in new.items():
        before = found.get(name)
        if value is None:
            found.pop(name, None)
        elif isinstance(value, dict):
            found[name] = _merged(before if isinstance(before, dict) else {}, value)
        else:
            found[name] = value
    return found


def _item(made: Object, number: int, kind: str, more: Object) -> bytes:
    metadata = {
        **made["metadata"],  # type: ignore[dict-item]
        "uid": f"00000000-0000-4000-8000-{number:012}",
        "resourceVersion": str(number % 1000),
        "creationTimestamp": "2026-01-01T00:00:00Z",
        "annotations": {"padding": kind[0] * (_POD_BYTES - 1000)},
    }
    return json.dumps({**made, "metadata": metadata, **more}).encode()


def crowd(deployments: int, pods: int) -> _Crowd:
    """As many of each; the Pods are spread over the Deployments, some of them in a crash loop."""
    standing: Object = {"status": {"conditions": [{"type": "Available", "status": "True"}]}}
    found: dict[str, list[bytes]] = {"deployments": [], "pods": []}
    for number in range(deployments):
        made = deployment(f"m{number}", 1)
        found["deployments"].append(_item(made, number, "deployments", standing))
    for number in range(pods):
        made = pod(f"m{number % deployments}")
        made["metadata"]["name"] += f"-{number}"  # type: ignore[index]
        more = status(failing=number % 10 == 0)
        found["pods"].append(_item(made, number, "pods", more))
    return _Crowd(found)


def main() -> None:
    """Serve until killed."""
    port, deployments, pods = (int(text) for text in sys.argv[1:])
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", crowd(deployments, pods).answer)
    web.run_app(application, host="127.0.0.1", port=port, access_log=None, print=None)


if __name__ == "__main__":
    main()
