"""Install the plugins of the program's SDKs into PULUMI_HOME, preferably the official ones.

The order: a plugin that is installed already (in this PULUMI_HOME or the user's), the official
download, and last what this repository has: the official Kubernetes provider, which local/build
compiles, and the stand-ins for docker and aws. The folder of a stand-in contains `stand-in.json`;
it is installed again when its sources change. To retry the official download, remove the plugin
(`pulumi plugin rm resource docker`) and install again.
"""

import hashlib
import json
import os
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from local.errors import SetupError
from local.paths import Paths
from local.pulumi.plugins.versions import version_of

PLUGINS = ("kubernetes", "docker")
"""The plugins of every stack; a stack file with a section `aws` needs the one for AWS, too."""
MARKER = "stand-in.json"
DOWNLOAD_SECONDS = 20
"""Time limit for a download; without access to the server it fails at once."""

_LAUNCHER = """#!/bin/sh
# Written by local/pulumi/plugins/install.py: a stand-in for the official plugin.
export PYTHONPATH={root}
exec {python} -P -m local.pulumi.plugins.{name} "$@"
"""


@dataclass(frozen=True)
class PluginTarget:
    """One plugin of one version, and the PULUMI_HOME that it is installed into."""

    pulumi: Path
    home: Path
    name: str
    version: str

    @property
    def folder(self) -> Path:
        """Return the folder of the plugin."""
        return self.home / "plugins" / f"resource-{self.name}-v{self.version}"

    @property
    def is_stand_in(self) -> bool:
        """Return whether a stand-in is installed."""
        return (self.folder / MARKER).exists()

    @property
    def is_official(self) -> bool:
        """Return whether the official plugin is installed."""
        return (self.folder / f"pulumi-resource-{self.name}").exists() and not self.is_stand_in

    def in_user_home(self) -> Path | None:
        """Return the folder of the official plugin in ~/.pulumi, if that is another PULUMI_HOME."""
        folder = Path.home() / ".pulumi" / "plugins" / self.folder.name
        is_same = folder.resolve() == self.folder.resolve()
        is_official = folder.is_dir() and not (folder / MARKER).exists()
        return folder if is_official and not is_same else None

    def run(self, *arguments: str, seconds: int) -> bool:
        """Run `pulumi plugin install` for this plugin; return whether it succeeded."""
        command = [str(self.pulumi), "plugin", "install", "resource", self.name]
        environment = {
            **os.environ,
            "PULUMI_HOME": str(self.home),
            "PULUMI_SKIP_UPDATE_CHECK": "true",
        }
        try:
            result = subprocess.run(
                [*command, f"v{self.version}", *arguments],
                env=environment,
                capture_output=True,
                timeout=seconds,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return False
        return result.returncode == 0


def built_provider(paths: Paths) -> Path:
    """Return the path of the compiled Kubernetes provider of the SDK's version."""
    folder = paths.tools / f"pulumi-kubernetes-{version_of('kubernetes')}"
    return folder / "pulumi-resource-kubernetes"


def needs_build(pulumi: Path, paths: Paths) -> bool:
    """Return whether the Kubernetes provider must be compiled.

    A provider that can be downloaded is installed.
    """
    target = PluginTarget(pulumi, paths.pulumi_home, "kubernetes", version_of("kubernetes"))
    return _use_official(target) is None


def install(
    pulumi: Path, paths: Paths, python: Path, root: Path, names: Sequence[str] = PLUGINS
) -> list[str]:
    """Install the plugins of these names; return a line for each.

    `python` is the interpreter that has the SDKs; `root` the folder that holds the package `local`.
    Raise SetupError if the Kubernetes provider is neither installed, downloadable nor built.
    """
    site = subprocess.run(
        [str(python), "-c", "import json, sys; print(json.dumps(sys.path))"],
        capture_output=True,
        text=True,
        check=True,
    )
    folders: list[str] = json.loads(site.stdout)
    home, built = paths.pulumi_home, built_provider(paths)
    targets = [PluginTarget(pulumi, home, name, version_of(name, folders)) for name in names]
    # in parallel, because an unreachable server costs ten seconds for each plugin
    with ThreadPoolExecutor(len(targets)) as pool:
        results = list(pool.map(lambda target: _install(target, python, root, built), targets))
    return [
        f"{target.name} v{target.version}: {result}"
        for target, result in zip(targets, results, strict=True)
    ]


def _use_official(target: PluginTarget) -> str | None:
    """Use an official plugin that is installed or can be downloaded; return its source."""
    if target.is_official:
        return "the official plugin is installed"
    if folder := target.in_user_home():
        _link(folder, target.folder)
        return f"the official plugin of {folder.parent.parent} is used"
    # a stand-in was installed because the download failed
    if not target.is_stand_in and target.run(seconds=DOWNLOAD_SECONDS):
        return "the official plugin was downloaded"
    return None


def _install(target: PluginTarget, python: Path, root: Path, built: Path) -> str:
    official = _use_official(target)
    if target.name == "kubernetes":
        if official is None:
            if not built.exists():
                raise SetupError(
                    f"the Pulumi plugin kubernetes v{target.version} is neither installed nor "
                    f"downloadable, and {built} was not built",
                    "run `make up` without CLUSTER once, which builds it, or install the plugin",
                )
            if target.is_stand_in:
                shutil.rmtree(target.folder)
            _install_file(target, built)
        _replace_earlier_stand_ins(target)
        return official or "the official plugin, built from its Go module, is installed"
    if official:
        return official
    fingerprint = _fingerprint(python, root)
    if target.is_stand_in and json.loads((target.folder / MARKER).read_text()) == fingerprint:
        return "the stand-in is installed (local/pulumi/plugins)"
    with tempfile.TemporaryDirectory() as folder:
        staged = Path(folder)
        _stage(staged, target.name, fingerprint, python, root)
        _install_file(target, staged)
    return "the download of the official plugin failed; a stand-in is used (local/pulumi/plugins)"


def _install_file(target: PluginTarget, source: Path) -> None:
    if not target.run("--file", str(source), "--reinstall", seconds=60):
        raise RuntimeError(f"pulumi plugin install of {target.name} failed with --file {source}")


def _replace_earlier_stand_ins(target: PluginTarget) -> None:
    """Replace the stand-ins for Kubernetes that earlier releases installed.

    The state of their stacks names their version until the next update.
    """
    for marker in target.folder.parent.glob(f"resource-{target.name}-v*/{MARKER}"):
        _link(target.folder, marker.parent)


def _link(source: Path, target: Path) -> None:
    """Share an installed plugin: a folder of links, as Pulumi skips links to folders."""
    if target.is_symlink():
        target.unlink()
    elif target.is_dir():
        shutil.rmtree(target)
    target.mkdir(parents=True)
    for file in source.iterdir():
        (target / file.name).symlink_to(file.resolve())


def _stage(folder: Path, name: str, fingerprint: dict[str, str], python: Path, root: Path) -> None:
    launcher = folder / f"pulumi-resource-{name}"
    launcher.write_text(
        _LAUNCHER.format(root=shlex.quote(str(root)), python=shlex.quote(str(python)), name=name)
    )
    launcher.chmod(0o755)
    (folder / MARKER).write_text(json.dumps(fingerprint))


def _fingerprint(python: Path, root: Path) -> dict[str, str]:
    """Return the source hash, interpreter and root folder of a stand-in."""
    digest = hashlib.sha256()
    for source in sorted((root / "local/pulumi/plugins").rglob("*.py")):
        digest.update(str(source.relative_to(root)).encode() + b"\0" + source.read_bytes())
    return {"sources": digest.hexdigest(), "python": str(python), "root": str(root)}
