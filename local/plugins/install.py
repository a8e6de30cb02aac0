"""Put the plugins of the program's SDKs into Pulumi's home: the official one where there is one.

The order: what is installed already (in this Pulumi home or the user's own), the official
download, and only then a stand-in from this folder. A stand-in's folder holds the file
`stand-in.json`; it is installed again when its sources change. To try for the official plugin once
more, remove the stand-in (`pulumi plugin rm resource kubernetes`) and run the installation again.
"""

from __future__ import annotations

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

from local.plugins.versions import version_of

PLUGINS = ("kubernetes", "docker")
"""Those of every stack; `aws` is for stacks whose file has a section of this name."""
MARK = "stand-in.json"
DOWNLOAD_SECONDS = 20
"""Where the official server is out of reach this fails at once; a slow line gets that long."""

_LAUNCHER = """#!/bin/sh
# Written by local/plugins/install.py: a stand-in for the official plugin.
export PYTHONPATH={root}
exec {python} -P -m local.plugins.{name} "$@"
"""


@dataclass(frozen=True)
class Place:
    """Where one plugin of one version lives."""

    pulumi: Path
    home: Path
    name: str
    version: str

    @property
    def folder(self) -> Path:
        """Pulumi's own naming."""
        return self.home / "plugins" / f"resource-{self.name}-v{self.version}"

    @property
    def is_installed(self) -> bool:
        """Whether Pulumi would find a plugin here, official or not."""
        return (self.folder / f"pulumi-resource-{self.name}").exists()

    @property
    def is_stand_in(self) -> bool:
        """Whether what is here came from this repository."""
        return (self.folder / MARK).exists()

    def run(self, *arguments: str, seconds: int) -> bool:
        """`pulumi plugin install` of this plugin; whether it worked."""
        command = [str(self.pulumi), "plugin", "install", "resource", self.name]
        environment = {
            **os.environ,
            "PULUMI_HOME": str(self.home),
            "PULUMI_SKIP_UPDATE_CHECK": "true",
        }
        try:
            done = subprocess.run(
                [*command, f"v{self.version}", *arguments],
                env=environment,
                capture_output=True,
                timeout=seconds,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return False
        return done.returncode == 0


def install(
    pulumi: Path, home: Path, python: Path, root: Path, names: Sequence[str] = PLUGINS
) -> list[str]:
    """Install the plugins of these names; a line for each that says what was done.

    `python` is the interpreter that has the SDKs and the Kubernetes client; `root` the folder that
    holds the package `local`; `home` becomes PULUMI_HOME.
    """
    site = subprocess.run(
        [str(python), "-c", "import json, sys; print(json.dumps(sys.path))"],
        capture_output=True,
        text=True,
        check=True,
    )
    paths: list[str] = json.loads(site.stdout)
    places = [Place(pulumi, home, name, version_of(name, paths)) for name in names]
    # Side by side: an unreachable server costs ten seconds for each plugin.
    with ThreadPoolExecutor(len(places)) as pool:
        stories = list(pool.map(lambda place: _install(place, python, root), places))
    return [
        f"{place.name} v{place.version}: {story}"
        for place, story in zip(places, stories, strict=True)
    ]


def _install(place: Place, python: Path, root: Path) -> str:
    if place.is_installed and not place.is_stand_in:
        return "the official plugin is installed"
    owned = Path.home() / ".pulumi" / "plugins" / place.folder.name
    if owned.is_dir() and owned.resolve() != place.folder.resolve() and not (owned / MARK).exists():
        _link(owned, place.folder)
        return f"the official plugin of {owned.parent.parent} is used"
    fingerprint = _fingerprint(python, root)
    if place.is_stand_in and json.loads((place.folder / MARK).read_text()) == fingerprint:
        return "the stand-in is installed (local/plugins)"
    if not place.is_stand_in and place.run(seconds=DOWNLOAD_SECONDS):
        return "the official plugin was downloaded"
    with tempfile.TemporaryDirectory() as folder:
        staged = Path(folder)
        _stage(staged, place.name, fingerprint, python, root)
        if not place.run("--file", str(staged), "--reinstall", seconds=60):
            raise RuntimeError(f"pulumi could not install the stand-in for {place.name}")
    return "the official plugin cannot be downloaded; a stand-in takes its place (local/plugins)"


def _link(source: Path, target: Path) -> None:
    """Share the user's plugin; a stand-in in its place goes."""
    if target.is_dir() and not target.is_symlink():
        shutil.rmtree(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.unlink(missing_ok=True)
    target.symlink_to(source)


def _stage(folder: Path, name: str, fingerprint: dict[str, str], python: Path, root: Path) -> None:
    launcher = folder / f"pulumi-resource-{name}"
    launcher.write_text(
        _LAUNCHER.format(root=shlex.quote(str(root)), python=shlex.quote(str(python)), name=name)
    )
    launcher.chmod(0o755)
    (folder / MARK).write_text(json.dumps(fingerprint))


def _fingerprint(python: Path, root: Path) -> dict[str, str]:
    """What a stand-in was made of."""
    digest = hashlib.sha256()
    for source in sorted((root / "local" / "plugins").rglob("*.py")):
        digest.update(str(source.relative_to(root)).encode() + b"\0" + source.read_bytes())
    return {"sources": digest.hexdigest(), "python": str(python), "root": str(root)}
