"""Who publishes: a Lease, by client-go's rules.

Held for 15 s, renewed every 2 s, given up by the holder itself after 10 s without a renewal: before
anybody else may take it. Whether it has expired is judged by when *this* process saw it change
last, so clocks need not agree. Two that both believe to lead for a moment do no harm: the records
are written conditionally.

The leader's renewals also carry the position that a successor resumes at.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime

import msgspec

from watcher import raw
from watcher.api import Objects
from watcher.errors import ApiError, ConflictError
from watcher.objects import COMPONENT, PART_OF, PREFIX

logger = logging.getLogger(__name__)
NAME = "deployment-watcher"
LEASE_SECONDS = 15
RENEW_WITHIN_SECONDS = 10.0
RETRY_SECONDS = 2.0
_POSITION = f"{PREFIX}position"

_LEASE = msgspec.json.Decoder(raw.Lease)


class Election:
    """One candidate."""

    def __init__(
        self, api: Objects, namespace: str, identity: str, retry_seconds: float = RETRY_SECONDS
    ) -> None:
        """Not leading."""
        self._api = api
        self._path = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases"
        self._identity = identity
        self._retry_seconds = retry_seconds
        self._lease: raw.Lease | None = None
        self._observed = 0.0

    @property
    def position(self) -> int | None:
        """Where the last leader is known to have got."""
        told = (self._lease.metadata.annotations or {}) if self._lease else {}
        found = told.get(_POSITION, "")
        return int(found) if found.isdecimal() else None

    async def acquire(self) -> None:
        """Return once the Lease is ours."""
        while True:
            try:
                if await self._try_to_acquire():
                    logger.info("leading as %s", self._identity)
                    return
            except ConflictError:
                logger.info("somebody else was faster to take the lease")
            except ApiError as error:
                logger.warning("the lease cannot be had: %s", error)
            await asyncio.sleep(self._retry_seconds)

    async def keep(self, position: Callable[[], int | None]) -> None:
        """Renew; return once the Lease is lost."""
        renewed = time.monotonic()
        while True:
            try:
                await self._write(self._identity, position())
                renewed = time.monotonic()
            except ConflictError:
                if not await self._still_ours():
                    return
            except ApiError as error:
                logger.warning("the lease is not renewed: %s", error)
            if time.monotonic() - renewed > RENEW_WITHIN_SECONDS:
                return
            # a term's first position is written as soon as there is one
            await asyncio.sleep(self._retry_seconds / (10 if position() is None else 1))

    async def release(self, position: int | None) -> None:
        """Let another one lead at once. Never raises: the Lease expires by itself."""
        try:
            await self._write("", position)
        except ApiError as error:
            logger.info("the lease expires by itself: %s", error)

    async def _try_to_acquire(self) -> bool:
        body = await self._api.get(f"{self._path}/{NAME}")
        if body is None:
            self._see(await self._api.create(self._path, self._new()))
            return True
        self._see(body)
        lease = self._lease
        holder = lease.spec.holder_identity if lease else None
        held = time.monotonic() - self._observed < LEASE_SECONDS
        if holder and holder != self._identity and held:
            return False
        await self._write(self._identity, None)
        return True

    async def _still_ours(self) -> bool:
        try:
            body = await self._api.get(f"{self._path}/{NAME}")
        except ApiError:
            return True  # not known; the time to renew runs on
        if body is None:
            return False
        self._see(body)
        return self._lease is not None and self._lease.spec.holder_identity == self._identity

    def _see(self, body: bytes) -> None:
        found = _LEASE.decode(body)
        before = self._lease.metadata.resource_version if self._lease else None
        if found.metadata.resource_version != before:
            self._observed = time.monotonic()
        self._lease = found

    async def _write(self, holder: str, position: int | None) -> None:
        lease = self._lease
        revision = lease.metadata.resource_version if lease else "0"
        meta: dict[str, object] = {"resourceVersion": revision}
        if position is not None:
            meta["annotations"] = {_POSITION: str(position)}
        path = f"{self._path}/{NAME}"
        self._see(await self._api.patch(path, {"metadata": meta, "spec": self._spec(holder)}))

    def _spec(self, holder: str) -> dict[str, object]:
        now = datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
        spec: dict[str, object] = {
            "holderIdentity": holder or None,
            "leaseDurationSeconds": LEASE_SECONDS if holder else 1,
            "renewTime": now,
        }
        before = self._lease.spec if self._lease else raw.LeaseSpec()
        if holder and holder != before.holder_identity:
            spec["acquireTime"] = now
            spec["leaseTransitions"] = (before.lease_transitions or 0) + 1
        return spec

    def _new(self) -> dict[str, object]:
        return {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {
                "name": NAME,
                "labels": {
                    COMPONENT: "watcher",
                    PART_OF: "model-deployment",
                    "app.kubernetes.io/managed-by": "deployment-watcher",
                },
            },
            "spec": self._spec(self._identity),
        }
