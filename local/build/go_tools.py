"""Compile the Go programs of the local stack from modules of a Go module proxy.

Most tools of `make up` form one Go workspace (`tools/go.work`). They require the same versions of
shared modules, so each package is compiled once. The Kubernetes provider needs an older Pulumi and
is not in the workspace, but requires the same versions of all other modules.
"""

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from local import versions
from local.build import go_environment
from local.errors import SetupError
from local.paths import Paths
from local.progress import ReportProgress, step
from local.shell import run

TOOLS = Path(__file__).resolve().parent / "tools"
WORKSPACE = "go.work"
_NETWORK_REMEDY = "check the network and GOPROXY"
_KUBERNETES_VERSION = "k8s.io/component-base/version"
_KUBERNETES_PROGRAMS = (
    "kubeadm",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "kubectl",
    "kubelet",
    "kube-proxy",
)
_PROVIDER = "github.com/pulumi/pulumi-kubernetes/provider/v4"


@dataclass(frozen=True)
class GoTool:
    """Programs that are compiled from one Go module in `local/build/tools`."""

    name: str
    module: str
    version: str
    packages: tuple[str, ...]
    ldflags: str = ""
    in_workspace: bool = False

    def folder(self, paths: Paths) -> Path:
        """Return the folder of the compiled programs."""
        return paths.tools / f"{self.name}-{self.version}"

    def key(self) -> str:
        """Return a hash of everything that determines the build."""
        folders = [TOOLS / self.module]
        if self.in_workspace:
            folders = [TOOLS, *(TOOLS / tool.module for tool in WORKSPACE_TOOLS)]
        names = ("go.work", "go.mod", "go.sum", "main.go")
        files = [folder / name for folder in folders for name in names]
        content = b"".join(file.read_bytes() for file in files if file.exists())
        # the class was called Product when existing caches were built
        fields = "Product" + repr(self).removeprefix(type(self).__name__)
        return hashlib.sha256(content + fields.encode()).hexdigest()

    def is_built(self, paths: Paths) -> bool:
        """Return whether the folder contains the complete build of this tool."""
        marker = self.marker(paths)
        return marker.exists() and marker.read_text() == self.key()

    def marker(self, paths: Paths) -> Path:
        """Return the file that contains the key of a complete build."""
        return self.folder(paths) / f"{self.module}.complete"


PULUMI = GoTool(
    name="pulumi",
    module="pulumi",
    version=versions.PULUMI,
    packages=("github.com/pulumi/pulumi/pkg/v3/cmd/pulumi",),
    ldflags=f"-X github.com/pulumi/pulumi/sdk/v3/go/common/version.Version={versions.PULUMI}",
    in_workspace=True,
)
PULUMI_PYTHON = GoTool(
    name="pulumi",
    module="pulumi-language-python",
    version=versions.PULUMI,
    packages=("github.com/pulumi/pulumi/sdk/v3/python/cmd/pulumi-language-python",),
)
PULUMI_KUBERNETES = GoTool(
    name="pulumi-kubernetes",
    module="pulumi-kubernetes",
    version=versions.PULUMI_KUBERNETES,
    packages=("tools/pulumi-resource-kubernetes",),
    ldflags=f"-X {_PROVIDER}/pkg/version.Version={versions.PULUMI_KUBERNETES}",
)
KUBERNETES = GoTool(
    name="kubernetes",
    module="kubernetes",
    version=versions.KUBERNETES,
    packages=tuple(f"k8s.io/kubernetes/cmd/{name}" for name in _KUBERNETES_PROGRAMS),
    ldflags=f"-X {_KUBERNETES_VERSION}.gitVersion={versions.KUBERNETES} "
    f"-X {_KUBERNETES_VERSION}.gitMajor=1 -X {_KUBERNETES_VERSION}.gitMinor=34",
    in_workspace=True,
)
COREDNS = GoTool(
    name="coredns",
    module="coredns",
    version=versions.COREDNS,
    packages=("tools/coredns",),
    in_workspace=True,
)
METRICS_SERVER = GoTool(
    name="metrics-server",
    module="metrics-server",
    version=versions.METRICS_SERVER,
    packages=("sigs.k8s.io/metrics-server/cmd/metrics-server",),
    in_workspace=True,
)
ACTIONLINT = GoTool(
    name="actionlint",
    module="actionlint",
    version=versions.ACTIONLINT,
    packages=("github.com/rhysd/actionlint/cmd/actionlint",),
)
CALICO = GoTool(
    name="calico",
    module="calico",
    version=versions.CALICO,
    packages=("github.com/projectcalico/calico/felix/cmd/calico-felix",),
)

TEST_TOOLS = (ACTIONLINT, CALICO)
"""Tools that tests compile."""
WORKSPACE_TOOLS = (KUBERNETES, PULUMI, COREDNS, METRICS_SERVER)
ALL_TOOLS = (*WORKSPACE_TOOLS, PULUMI_KUBERNETES, PULUMI_PYTHON)
"""Tools that `make up` compiles; the provider only if it cannot be downloaded."""


def module_folder(paths: Paths, module: str, version: str) -> Path:
    """Download a Go module, verified by the checksum database; return its folder."""
    go = go_environment.compiler(paths)
    output = run(
        [go, "mod", "download", "-json", f"{module}@{version}"],
        cwd=Path("/"),
        env=go_environment.environment(paths, go),
        remedy=_NETWORK_REMEDY,
    )
    # messages about the download may precede the JSON object
    folder = json.loads(output[output.index("{") :]).get("Dir")
    if not folder:
        raise SetupError(f"Go module {module}@{version} not found:\n{output}", _NETWORK_REMEDY)
    return Path(folder)


def build(paths: Paths, *tools: GoTool) -> None:
    """Compile those of `tools` that are not built: tools of the workspace, or one other tool.

    Complete programs are moved from a temporary folder, so a killed run leaves no partial build and
    a running program is not overwritten.
    """
    missing = [tool for tool in tools if not tool.is_built(paths)]
    if not missing:
        return
    paths.tools.mkdir(parents=True, exist_ok=True)
    for leftover in paths.tools.glob(f".{missing[0].module}-*"):
        shutil.rmtree(leftover)
    for tool in missing:
        tool.marker(paths).unlink(missing_ok=True)
    names = ", ".join(f"{tool.module} {tool.version}" for tool in missing)
    with (
        step(f"compile {names}") as report,
        tempfile.TemporaryDirectory(dir=paths.tools, prefix=f".{missing[0].module}-") as temporary,
    ):
        target = Path(temporary)
        _compile(paths, missing, target, report)
        for tool in missing:
            _install(paths, tool, target)


def _compile(paths: Paths, tools: Sequence[GoTool], target: Path, report: ReportProgress) -> None:
    """Run the compiler, which prints each package."""
    go = go_environment.compiler(paths)
    in_workspace = tools[0].in_workspace
    source = TOOLS if in_workspace else TOOLS / tools[0].module
    env = go_environment.environment(paths, go, TOOLS / WORKSPACE if in_workspace else None)
    # fewer garbage collections in the compiler save an eighth of its CPU time
    env |= {"GOGC": "400", "GOMEMLIMIT": "2GiB"}
    packages = [package for tool in tools for package in tool.packages]
    # without debug information the compiler needs a sixth less CPU time
    flags = ["-trimpath", "-gcflags=all=-dwarf=false"]
    if PULUMI_KUBERNETES in tools:
        flags += ["-overlay", str(_schema_overlay(paths))]
    listing = run(
        [go, "list", "-deps", *flags, *packages], cwd=source, env=env, remedy=_NETWORK_REMEDY
    )
    total = len(listing.splitlines())
    done = 0

    def count(line: str) -> None:
        nonlocal done
        done += 1
        report(done, total, line)

    # the linker ignores variables of packages that a program does not contain
    flags += ["-v", "-ldflags", " ".join(["-s -w", *(tool.ldflags for tool in tools)])]
    run([go, "build", *flags, "-o", f"{target}/", *packages], cwd=source, env=env, on_line=count)


def _install(paths: Paths, tool: GoTool, built: Path) -> None:
    """Move the programs to the folder of the tool and mark it as complete."""
    folder = tool.folder(paths)
    folder.mkdir(parents=True, exist_ok=True)
    for package in tool.packages:
        name = Path(package).name
        os.replace(built / name, folder / name)
    if tool is PULUMI:
        _copy_python_scripts(paths, folder)
    tool.marker(paths).write_text(tool.key())


def _schema_overlay(paths: Paths) -> Path:
    """Return a file for `go build -overlay` that embeds the schema with the provider's version."""
    module = module_folder(paths, _PROVIDER, versions.PULUMI_KUBERNETES_MODULE)
    schema = json.loads((module / "cmd/pulumi-resource-kubernetes/schema.json").read_text())
    file = paths.tools / "pulumi-kubernetes-schema.json"
    file.write_text(json.dumps({**schema, "version": versions.PULUMI_KUBERNETES}))
    overlay = paths.tools / "pulumi-kubernetes-overlay.json"
    replacements = {str(TOOLS / "pulumi-kubernetes/schema.json"): str(file)}
    overlay.write_text(json.dumps({"Replace": replacements}))
    return overlay


def _copy_python_scripts(paths: Paths, folder: Path) -> None:
    """Copy the scripts of the SDK that the language host starts from this folder."""
    sdk = module_folder(paths, "github.com/pulumi/pulumi/sdk/v3", versions.PULUMI)
    for script in ("cmd/pulumi-language-python-exec", "dist/pulumi-resource-pulumi-python"):
        target = folder / Path(script).name
        shutil.copyfile(sdk / "python" / script, target)
        target.chmod(0o755)
