"""The programs that are built from Go modules, each kept in the cache by its version."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from local import versions
from local.errors import GroundError
from local.paths import Paths
from local.progress import Report, step
from local.shell import run
from local.tools import goenv

HERE = Path(__file__).resolve().parent
_NETWORK = "look at the network and at GOPROXY"
_VERSION = "k8s.io/component-base/version"
_KUBERNETES = (
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "kubelet",
    "kube-proxy",
    "kubectl",
)


@dataclass(frozen=True)
class Product:
    """Some Go programs of one module file, and where they are kept."""

    name: str
    module: str
    version: str
    packages: tuple[str, ...]
    ldflags: str = ""
    static: bool = field(default=False)

    def folder(self, paths: Paths) -> Path:
        """Where the built programs lie."""
        return paths.tools / f"{self.name}-{self.version}"

    def key(self) -> str:
        """Changes whenever the build would give something else."""
        locks = (HERE / self.module / name for name in ("go.mod", "go.sum"))
        content = b"".join(lock.read_bytes() for lock in locks)
        return hashlib.sha256(content + repr(self).encode()).hexdigest()

    def built(self, paths: Paths) -> bool:
        """Whether this very build lies there, whole."""
        mark = self.folder(paths) / f"{self.module}.complete"
        return mark.exists() and mark.read_text() == self.key()


PULUMI = Product(
    name="pulumi",
    module="pulumi",
    version=versions.PULUMI,
    packages=("github.com/pulumi/pulumi/pkg/v3/cmd/pulumi",),
    ldflags=f"-X github.com/pulumi/pulumi/sdk/v3/go/common/version.Version={versions.PULUMI}",
)
PULUMI_PYTHON = Product(
    name="pulumi",
    module="pulumi-language-python",
    version=versions.PULUMI,
    packages=("github.com/pulumi/pulumi/sdk/v3/python/cmd/pulumi-language-python",),
)
KUBERNETES = Product(
    name="kubernetes",
    module="kubernetes",
    version=versions.KUBERNETES,
    packages=tuple(f"k8s.io/kubernetes/cmd/{name}" for name in _KUBERNETES),
    ldflags=f"-X {_VERSION}.gitVersion={versions.KUBERNETES} "
    f"-X {_VERSION}.gitMajor=1 -X {_VERSION}.gitMinor=34",
)
COREDNS = Product(
    name="coredns",
    module="coredns",
    version=versions.COREDNS,
    packages=("github.com/coredns/coredns",),
    static=True,
)

METRICS_SERVER = Product(
    name="metrics-server",
    module="metrics-server",
    version=versions.METRICS_SERVER,
    packages=("sigs.k8s.io/metrics-server/cmd/metrics-server",),
    static=True,
)

ACTIONLINT = Product(
    name="actionlint",
    module="actionlint",
    version=versions.ACTIONLINT,
    packages=("github.com/rhysd/actionlint/cmd/actionlint",),
    static=True,
)
CALICO = Product(
    name="calico",
    module="calico",
    version=versions.CALICO,
    packages=("github.com/projectcalico/calico/felix/cmd/calico-felix",),
    static=True,
)

FOR_TESTS = (ACTIONLINT, CALICO)
"""Compiled by the tests that need them."""
PRODUCTS = (KUBERNETES, PULUMI_PYTHON, PULUMI, COREDNS, METRICS_SERVER)


def module_folder(paths: Paths, module: str, version: str) -> Path:
    """Download a Go module's sources, checked against the checksum database; where they lie."""
    go = goenv.compiler(paths)
    out = run(
        [go, "mod", "download", "-json", f"{module}@{version}"],
        cwd=Path("/"),
        env=goenv.environment(paths, go),
        hint=_NETWORK,
    )
    # lines about the download itself may stand before the object
    folder = json.loads(out[out.index("{") :]).get("Dir")
    if not folder:
        raise GroundError(f"Go module {module}@{version} was not found:\n{out}", _NETWORK)
    return Path(folder)


def build(paths: Paths, product: Product) -> None:
    """Compile ``product`` into the cache unless it is there.

    It is compiled beside its place and moved when it is whole: a run that is killed leaves nothing
    that looks built, and a program that runs is not written into.
    """
    if product.built(paths):
        return
    folder = product.folder(paths)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{product.module}.complete").unlink(missing_ok=True)
    for litter in folder.glob(f".{product.module}-*"):
        shutil.rmtree(litter)
    with (
        step(f"{product.module} {product.version}, compiled from its Go module") as report,
        tempfile.TemporaryDirectory(dir=folder, prefix=f".{product.module}-") as place,
    ):
        _compile(paths, product, Path(place), report)
        if product is PULUMI:
            _copy_python_scripts(paths, Path(place))
        for program in Path(place).iterdir():
            os.replace(program, folder / program.name)
    (folder / f"{product.module}.complete").write_text(product.key())


def _compile(paths: Paths, product: Product, target: Path, report: Report) -> None:
    """Run the compiler; it names each package that it is at, so that one sees how far it is."""
    go = goenv.compiler(paths)
    source = HERE / product.module
    env = goenv.environment(paths, go) | ({"CGO_ENABLED": "0"} if product.static else {})
    report(0, 0, "modules are downloaded")
    run([go, "mod", "download"], cwd=source, env=env, hint=_NETWORK)
    listed = run([go, "list", "-deps", *product.packages], cwd=source, env=env)
    total = len(listed.splitlines())
    done = 0

    def count(line: str) -> None:
        nonlocal done
        done += 1
        report(done, total, line)

    flags = ["-v", "-trimpath", "-ldflags", f"-s -w {product.ldflags}", "-o", f"{target}/"]
    run([go, "build", *flags, *product.packages], cwd=source, env=env, each_line=count)


def _copy_python_scripts(paths: Paths, folder: Path) -> None:
    """The language host and dynamic providers start these scripts of the SDK from beside it."""
    sdk = module_folder(paths, "github.com/pulumi/pulumi/sdk/v3", versions.PULUMI)
    for script in ("cmd/pulumi-language-python-exec", "dist/pulumi-resource-pulumi-python"):
        target = folder / Path(script).name
        shutil.copyfile(sdk / "python" / script, target)
        target.chmod(0o755)


def build_all(paths: Paths) -> None:
    """Compile all that is not there yet."""
    for product in PRODUCTS:
        build(paths, product)
