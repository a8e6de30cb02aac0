"""Check, diff, create, read, update and delete of any Kubernetes object."""

from __future__ import annotations

import asyncio

from local.plugins.access import mapping, text
from local.plugins.differences import Change, compare
from local.plugins.engine import Engine
from local.plugins.failures import PartialFailureError, PluginError
from local.plugins.kubernetes import checkpoint, forecast, identity, replacement, steering
from local.plugins.kubernetes.cluster import Cluster, ClusterError, KindUnknownError
from local.plugins.kubernetes.comparison import in_shape_of
from local.plugins.kubernetes.configuration import Configured, Settings
from local.plugins.kubernetes.ownership import with_ignored
from local.plugins.kubernetes.readiness.judges import DEFAULT_SECONDS, SECONDS, judge_of
from local.plugins.kubernetes.readiness.waiting import NotReadyError, Waiting, message
from local.plugins.kubernetes.refusals import MissingError, already_there, explained, still_there
from local.plugins.kubernetes.tokens import Kind, kind_of
from local.plugins.paths import covers, parse
from local.plugins.resource import Call, Checked, Difference, Found, Resources
from local.plugins.values import Object, Properties, Tree, has_unknown, reveal

MANAGER = "pulumi-kubernetes"
"""The field manager of every apply: one name, so that a new stack may take over an old one's."""
DELETE_SECONDS = {"Deployment": 600.0, "StatefulSet": 600.0}
DEFAULT_DELETE_SECONDS = 300.0
CREATE_ATTEMPTS = 5
"""Tries for an object whose namespace or definition the same update is about to make."""

_UNAWAITED_DELETES = frozenset(
    {"Namespace", "Pod", "DaemonSet", "Deployment", "StatefulSet", "Job"}
)
"""Kinds whose `pulumi.com/skipAwait` the official plugin also applies to deletion."""


class KubernetesResources(Resources):
    """Objects of the configured cluster."""

    def __init__(self, configured: Configured, engine: Engine) -> None:
        self._configured = configured
        self._engine = engine
        self._cluster = Cluster(Settings())

    @property
    def cluster(self) -> Cluster:
        """The cluster of the present configuration."""
        if self._cluster.settings is not self._configured.settings:
            self._cluster = Cluster(self._configured.settings)
        return self._cluster

    def _waiting(self, urn: str) -> Waiting:
        told = ""

        async def report(note: str) -> None:
            nonlocal told
            if note != told:
                told = note
                await self._engine.status(urn, note)

        return Waiting(self.cluster, self._configured.cancelled, report)

    async def check(self, call: Call) -> Checked:
        """The inputs with name, namespace, kind and version; refuses what cannot be honoured."""
        kind = kind_of(call.type)
        obj = checkpoint.plain_inputs(kind, call.inputs)
        failures = steering.problems(obj)
        if mapping(obj, "metadata").get("generateName"):
            reason = "generateName and server-side apply exclude each other; leave out the name."
            failures.append(("metadata.generateName", reason))
        if "status" in obj and kind.kind != "CustomResourceDefinition":
            failures.append(("status", "the cluster sets the status; remove it."))
        obj.setdefault("apiVersion", kind.api_version)
        obj.setdefault("kind", kind.kind)
        old = checkpoint.plain_inputs(kind, call.old_inputs)
        identity.ensure_name(obj, old, call.name, call.seed)
        metadata = obj.get("metadata")
        placeless = isinstance(metadata, dict) and not metadata.get("namespace")
        if placeless and await self._wants_namespace(kind):
            namespace = await asyncio.to_thread(self.cluster.default_namespace)
            obj["metadata"] = {**mapping(obj, "metadata"), "namespace": namespace}
        return Checked(checkpoint.sealed(kind, obj, call.inputs), tuple(failures))

    async def _wants_namespace(self, kind: Kind) -> bool:
        """Whether the kind has namespaces. Where nobody answers a preview goes on without."""
        try:
            return await asyncio.to_thread(self.cluster.is_namespaced, kind)
        except ClusterError as error:
            if error.status:
                raise
            return False

    async def diff(self, call: Call) -> Difference:
        """Old inputs against new ones; the API server is not asked."""
        if call.old_inputs == call.inputs:
            return Difference()
        kind = kind_of(call.type)
        olds = checkpoint.plain_inputs(kind, call.old_inputs or _stored_inputs(call.old_state))
        news = checkpoint.plain_inputs(kind, call.inputs)
        ignored = [parse(path) for path in call.ignore_changes]
        changes = [
            change
            for change in compare(olds, news)
            if not any(covers(path, change.path) for path in ignored)
            and not _means_nothing(change, kind, call.old_state)
        ]
        settings = self._configured.settings
        mutable = (
            settings.enable_config_map_mutable
            if kind.kind == "ConfigMap"
            else settings.enable_secret_mutable
        )
        replaces = replacement.needs_new_object(kind, changes, news, mutable=mutable)
        first = bool(replaces) and replacement.deletes_first(news, call.id)
        return Difference(tuple(changes), tuple(replaces), first)

    async def create(self, call: Call) -> tuple[str, Properties]:
        """Apply, then wait until it is ready."""
        kind = kind_of(call.type)
        obj = checkpoint.plain_inputs(kind, call.inputs)
        if call.preview:
            return "", await self._preview(kind, obj, call, new=True)
        obj = await self._placed(kind, obj)
        if not self._configured.settings.upsert_existing_objects:
            await self._refuse_existing(kind, obj, call)
        live = await self._apply_patiently(kind, obj)
        live = await self._ready(kind, obj, live, call)
        return identity.id_of(live), checkpoint.state(kind, live, call.inputs, MANAGER)

    async def update(self, call: Call) -> Properties:
        """Apply the new inputs, then wait until the object is ready again."""
        kind = kind_of(call.type)
        obj = checkpoint.plain_inputs(kind, call.inputs)
        if call.preview:
            return await self._preview(kind, obj, call, new=False)
        obj = await self._placed(kind, obj)
        if call.ignore_changes:
            obj = await self._without_ignored(kind, obj, call)
        live = await self._apply(kind, obj)
        live = await self._ready(kind, obj, live, call)
        return checkpoint.state(kind, live, call.inputs, MANAGER)

    async def read(self, call: Call) -> Found | None:
        """The live object in the shape of the inputs; all of it where there are none (import)."""
        kind = kind_of(call.type)
        namespace, name = identity.parse(call.id)
        if not namespace and await asyncio.to_thread(self.cluster.is_namespaced, kind):
            namespace = await asyncio.to_thread(self.cluster.default_namespace)
        try:
            live = await asyncio.to_thread(self.cluster.get, kind, namespace, name)
        except KindUnknownError:
            return None
        if live is None:
            return None
        found_id = identity.id_of(live)
        if not call.old_inputs:
            inputs = checkpoint.sealed(kind, checkpoint.imported_inputs(live), {})
            return Found(
                found_id, checkpoint.state(kind, live, inputs, MANAGER, imported=True), inputs
            )
        olds = checkpoint.plain_inputs(kind, call.old_inputs)
        shaped = in_shape_of(olds, live, built_in=kind.built_in)
        drifted = shaped != olds
        inputs = checkpoint.sealed(kind, shaped, call.old_inputs) if drifted else call.old_inputs
        imported = checkpoint.IMPORTED in call.old_state
        state = checkpoint.state(kind, live, inputs, MANAGER, imported=imported)
        await self._refuse_unhealthy(kind, olds, live, state, inputs)
        return Found(found_id, state, inputs)

    async def delete(self, call: Call) -> None:
        """Delete and wait until the object and what it owns are gone."""
        kind = kind_of(call.type)
        olds = checkpoint.plain_inputs(kind, call.old_inputs or _stored_inputs(call.old_state))
        namespace, name = identity.parse(call.id)
        try:
            await asyncio.to_thread(
                self.cluster.delete, kind, namespace, name, steering.propagation(olds)
            )
        except KindUnknownError:
            return
        if steering.is_on(olds, steering.SKIP_AWAIT) and kind.kind in _UNAWAITED_DELETES:
            return
        default = DELETE_SECONDS.get(kind.kind, DEFAULT_DELETE_SECONDS)
        seconds = steering.timeout(olds, call.timeout, default)
        try:
            waiting = self._waiting(call.urn)
            left = await waiting.until_gone(kind, namespace, name, seconds)
        except KindUnknownError:
            return
        if left is not None:
            raise still_there(kind, left, seconds)

    async def _placed(self, kind: Kind, obj: Object) -> Object:
        """The object with a namespace exactly where its kind has one."""
        namespaced = await asyncio.to_thread(self.cluster.is_namespaced, kind)
        metadata = dict(mapping(obj, "metadata"))
        if not namespaced:
            metadata.pop("namespace", None)
        return {**obj, "metadata": metadata}

    async def _preview(self, kind: Kind, obj: Object, call: Call, *, new: bool) -> Properties:
        """What a dry run promises; the inputs alone where it cannot tell."""
        if has_unknown(obj):
            return dict(call.inputs)
        try:
            placed = await self._placed(kind, obj)
            if call.ignore_changes:
                placed = await self._without_ignored(kind, placed, call)
            # What will be deleted first still owns its fields; a plain update shows its conflicts.
            force = new or self._forces(obj)
            result = await asyncio.to_thread(
                self.cluster.apply, kind, placed, MANAGER, force=force, dry_run=True
            )
        except KindUnknownError:
            return dict(call.inputs)
        except ClusterError as error:
            if forecast.tolerated(error):
                return dict(call.inputs)
            raise explained(kind, obj, error) from error
        shown = forecast.of_dry_run(kind, result, obj, new=new)
        return checkpoint.state(kind, shown, call.inputs, MANAGER)

    async def _without_ignored(self, kind: Kind, obj: Object, call: Call) -> Object:
        namespace, name = identity.parse(call.id)
        live = await asyncio.to_thread(self.cluster.get, kind, namespace, name)
        return with_ignored(obj, live or {}, call.ignore_changes, MANAGER)

    def _forces(self, obj: Object) -> bool:
        """Conflicts are errors unless the program says otherwise, as in the official plugin."""
        switched = self._configured.settings.enable_patch_force
        return switched or steering.is_on(obj, steering.FORCE)

    async def _refuse_existing(self, kind: Kind, obj: Object, call: Call) -> None:
        namespace, name = text(obj, "metadata", "namespace"), text(obj, "metadata", "name")
        try:
            live = await asyncio.to_thread(self.cluster.get, kind, namespace, name)
        except KindUnknownError:
            return
        if live is not None:
            raise already_there(kind, live, call.type, call.name)

    async def _apply_patiently(self, kind: Kind, obj: Object) -> Object:
        """Apply; try again while the namespace or the definition is not there yet."""
        for attempt in range(CREATE_ATTEMPTS):
            try:
                return await self._apply(kind, obj)
            except KindUnknownError:
                if attempt == CREATE_ATTEMPTS - 1:
                    raise
            except MissingError as error:
                if attempt == CREATE_ATTEMPTS - 1:
                    raise PluginError(str(error)) from error
            await asyncio.sleep(0.5 * 2**attempt)
        raise AssertionError("the last attempt returns or raises")

    async def _apply(self, kind: Kind, obj: Object) -> Object:
        force = self._forces(obj)
        try:
            return await asyncio.to_thread(self.cluster.apply, kind, obj, MANAGER, force=force)
        except ClusterError as error:
            raise explained(kind, obj, error) from error

    async def _ready(self, kind: Kind, obj: Object, live: Object, call: Call) -> Object:
        judge = judge_of(kind, obj)
        if judge is None or steering.is_on(obj, steering.SKIP_AWAIT):
            return live
        default = SECONDS.get(kind.kind, DEFAULT_SECONDS)
        seconds = steering.timeout(obj, call.timeout, default)
        try:
            return await self._waiting(call.urn).until_ready(kind, live, judge, seconds)
        except NotReadyError as failure:
            state = checkpoint.state(kind, failure.live, call.inputs, MANAGER)
            raise PartialFailureError(str(failure), identity.id_of(live), state) from failure

    async def _refuse_unhealthy(
        self, kind: Kind, olds: Object, live: Object, state: Properties, inputs: Properties
    ) -> None:
        """As the official plugin: a refresh notes what is not ready, and the next `up` repairs."""
        judge = judge_of(kind, olds)
        if judge is None or steering.is_on(olds, steering.SKIP_AWAIT):
            return
        verdict = await asyncio.to_thread(judge, self.cluster, live)
        if not verdict.ready:
            reason = message(kind, live, verdict, "now")
            raise PartialFailureError(reason, identity.id_of(live), state, inputs)


def _stored_inputs(state: Properties) -> Properties:
    stored = reveal(state.get(checkpoint.INPUTS))
    return {**stored} if isinstance(stored, dict) else {}


def _means_nothing(change: Change, kind: Kind, old_state: dict[str, Tree]) -> bool:
    """Differences of the inputs that would not change the object."""
    if change.path == ("metadata", "namespace") and change.kind != "update":
        # Only an object of a custom kind gains or loses its namespace: its scope became known.
        return kind.namespaced is None
    return change.kind == "delete" and checkpoint.IMPORTED in old_state
