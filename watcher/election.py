"""Leader election by a Lease, with client-go's rules.

The Lease lasts 15 s and is renewed every 2 s. The holder gives it up after 10 s without a renewal,
before any other replica may take it. Expiry is measured from when this process last saw the Lease
change, so the clocks of the replicas need not agree. Two replicas that both consider themselves
leader for a moment do no harm: records are written conditionally.

The leader's renewals also store the revision from which a successor resumes.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime

import msgspec

from watcher import k8s_types
from watcher.errors import ApiError, ConflictError
from watcher.kube_client import ObjectClient
from watcher.resources import ANNOTATION_PREFIX, COMPONENT_LABEL, PART_OF_LABEL

logger = logging.getLogger(__name__)
NAME = "deployment-watcher"
LEASE_SECONDS = 15
RENEW_DEADLINE_SECONDS = 10.0
RETRY_SECONDS = 2.0
_RESUME_REVISION = f"{ANNOTATION_PREFIX}position"  # its name in existing Leases

_LEASE = msgspec.json.Decoder(k8s_types.Lease)


class Election:
    """One candidate for leadership."""

    def __init__(
        self,
        client: ObjectClient,
        namespace: str,
        identity: str,
        retry_seconds: float = RETRY_SECONDS,
    ) -> None:
        self._client = client
        self._path = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases"
        self._identity = identity
        self._retry_seconds = retry_seconds
        self._lease: k8s_types.Lease | None = None
        self._observed_at = 0.0

    @property
    def resume_revision(self) -> int | None:
        """The revision up to which the last leader has processed all changes."""
        annotations = (self._lease.metadata.annotations or {}) if self._lease else {}
        text = annotations.get(_RESUME_REVISION, "")
        return int(text) if text.isdecimal() else None

    async def acquire(self) -> None:
        """Return as soon as this candidate holds the Lease."""
        while True:
            try:
                if await self._try_to_acquire():
                    logger.info("lease acquired: %s", self._identity)
                    return
            except ConflictError:
                logger.info("lease not acquired: another replica was faster")
            except ApiError as error:
                logger.warning("lease not acquired: %s", error)
            await asyncio.sleep(self._retry_seconds)

    async def renew_until_lost(self, resume_revision: Callable[[], int | None]) -> None:
        """Renew the Lease; return as soon as it is lost."""
        renewed_at = time.monotonic()
        while True:
            try:
                await self._write(self._identity, resume_revision())
                renewed_at = time.monotonic()
            except ConflictError:
                if not await self._is_still_holder():
                    return
            except ApiError as error:
                logger.warning("lease not renewed: %s", error)
            if time.monotonic() - renewed_at > RENEW_DEADLINE_SECONDS:
                return
            # a session's first revision is stored as soon as it is known
            await asyncio.sleep(self._retry_seconds / (10 if resume_revision() is None else 1))

    async def release(self, resume_revision: int | None) -> None:
        """Let another replica lead immediately. Never raises: the Lease expires anyway."""
        try:
            await self._write("", resume_revision)
        except ApiError as error:
            logger.info("lease not released, it will expire: %s", error)

    async def _try_to_acquire(self) -> bool:
        body = await self._client.get(f"{self._path}/{NAME}")
        if body is None:
            self._observe(await self._client.create(self._path, self._new_lease()))
            return True
        self._observe(body)
        lease = self._lease
        holder = lease.spec.holder_identity if lease else None
        is_valid = time.monotonic() - self._observed_at < LEASE_SECONDS
        if holder and holder != self._identity and is_valid:
            return False
        await self._write(self._identity, None)
        return True

    async def _is_still_holder(self) -> bool:
        try:
            body = await self._client.get(f"{self._path}/{NAME}")
        except ApiError:
            return True  # unknown; the renew deadline continues to run
        if body is None:
            return False
        self._observe(body)
        return self._lease is not None and self._lease.spec.holder_identity == self._identity

    def _observe(self, body: bytes) -> None:
        lease = _LEASE.decode(body)
        previous = self._lease.metadata.resource_version if self._lease else None
        if lease.metadata.resource_version != previous:
            self._observed_at = time.monotonic()
        self._lease = lease

    async def _write(self, holder: str, resume_revision: int | None) -> None:
        lease = self._lease
        resource_version = lease.metadata.resource_version if lease else "0"
        meta: dict[str, object] = {"resourceVersion": resource_version}
        if resume_revision is not None:
            meta["annotations"] = {_RESUME_REVISION: str(resume_revision)}
        path = f"{self._path}/{NAME}"
        body = {"metadata": meta, "spec": self._spec(holder)}
        self._observe(await self._client.patch(path, body))

    def _spec(self, holder: str) -> dict[str, object]:
        now = datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
        spec: dict[str, object] = {
            "holderIdentity": holder or None,
            "leaseDurationSeconds": LEASE_SECONDS if holder else 1,
            "renewTime": now,
        }
        previous = self._lease.spec if self._lease else k8s_types.LeaseSpec()
        if holder and holder != previous.holder_identity:
            spec["acquireTime"] = now
            spec["leaseTransitions"] = (previous.lease_transitions or 0) + 1
        return spec

    def _new_lease(self) -> dict[str, object]:
        return {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {
                "name": NAME,
                "labels": {
                    COMPONENT_LABEL: "watcher",
                    PART_OF_LABEL: "model-deployment",
                    "app.kubernetes.io/managed-by": "deployment-watcher",
                },
            },
            "spec": self._spec(self._identity),
        }
