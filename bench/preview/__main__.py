"""Measures `pulumi preview` of many models.

    python -m bench.preview [MODELS ...]        (100 if none is named)

For each number, it creates a project with that many models of two versions, and previews it twice
from an empty state: by this program, and by a bare loop that registers the same resources from a
file. It prints seconds, the ratio, and the memory of the largest process.

It needs the environment of `make env` and changes nothing: state and project are temporary, and the
namespace is never created.
"""

import json
import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import yaml

from bench.figures import Figure

ROOT = Path(__file__).resolve().parents[2]
NAMESPACE = "bench-preview"
TIMEOUT_SECONDS = 1800
RATIO = 1.3
"""Largest ratio to the bare loop's time."""
LARGEST_MIB = 3 * 1024
GROWTH = 1.1
"""Largest growth of the time for ten times the models."""

_BARE = '''\
"""Registers what resources.json holds, and nothing else."""

import json
from pathlib import Path

import pulumi


class Bare(pulumi.CustomResource):
    pass


class Group(pulumi.ComponentResource):
    pass


for item in json.loads(Path("resources.json").read_text()):
    if item["custom"]:
        options = pulumi.ResourceOptions(version=item["version"])
        Bare(item["token"], item["name"], item["inputs"], options)
    else:
        Group(item["token"], item["name"])
'''


def _project(folder: Path, models: int) -> None:
    for item in (
        "cluster_client",
        "components",
        "harness",
        "watcher",
        "__main__.py",
        "Pulumi.yaml",
    ):
        source = ROOT / item
        copy = shutil.copytree if source.is_dir() else shutil.copyfile
        copy(source, folder / item)
    sources = folder / "models"
    sections = {}
    for number in range(models):
        name = f"m{number:04}"
        for version in ("v1", "v2"):
            place = sources / name / version
            place.mkdir(parents=True)
            (place / "predict.py").write_text(f"def predict(value):\n    return {number}\n")
        sections[name] = {
            "language": "python",
            "handler": "predict:predict",
            "versions": {
                version: {"source": f"models/{name}/{version}"} for version in ("v1", "v2")
            },
            "routes": {"prod": {"weights": {"v1": 90, "v2": 10}}},
        }
    platform = {"namespace": NAMESPACE, "registry": "localhost:5000/bench", "hostname": "localhost"}
    # a separate file: Pulumi's configuration is limited to 128 KiB
    config = {"model-deployment:platform": platform, "model-deployment:models": "stacks/m.yaml"}
    (folder / "stacks").mkdir()
    (folder / "stacks/m.yaml").write_text(yaml.safe_dump(sections))
    (folder / "stacks/Pulumi.bench.yaml").write_text(yaml.safe_dump({"config": config}))


def _bare(folder: Path, plan: Path) -> int:
    """Write the resources of a preview's plan for the bare loop; return their number."""
    items = []
    for urn, entry in json.loads(plan.read_text())["resourcePlans"].items():
        goal = entry.get("goal")
        if not goal or "pulumi:providers:" in urn or goal["type"] == "pulumi:pulumi:Stack":
            continue
        used = goal.get("provider", "")
        provider = re.search(r"::pulumi:providers:(\w+)::default_([0-9_]+)", used)
        items.append(
            {
                "token": goal["type"],
                "name": goal["name"],
                "custom": goal["custom"],
                "version": provider[2].replace("_", ".") if provider else None,
                "inputs": _plain(goal.get("inputDiff", {}).get("adds", {})),
            }
        )
    (folder / "resources.json").write_text(json.dumps(items))
    (folder / "__main__.py").write_text(_BARE)
    return len(items)


def _plain(value: object) -> object:
    """Remove the engine's marks; secret values become empty."""
    if isinstance(value, dict):
        if "4dabf18193072939515e22adb298388d" in value:
            return {}
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value


def _preview(folder: Path, state: Path, *more: str) -> float:
    env = {
        **os.environ,
        "PULUMI_BACKEND_URL": f"file://{state}",
        "PULUMI_CONFIG_PASSPHRASE": "bench",
        "PULUMI_EXPERIMENTAL": "true",
    }
    pulumi = ["pulumi", "--non-interactive", "--cwd", str(folder)]
    subprocess.run([*pulumi, "stack", "select", "--create", "bench"], env=env, check=True,
                   capture_output=True)  # fmt: skip
    started = time.monotonic()
    done = subprocess.run(
        [*pulumi, "preview", "--stack", "bench", "--suppress-outputs", *more],
        env=env, capture_output=True, text=True, check=False, timeout=TIMEOUT_SECONDS,
    )  # fmt: skip
    if done.returncode:
        sys.exit(done.stdout[-3000:] + done.stderr[-3000:])
    return time.monotonic() - started


def _measure(models: int) -> Figure:
    """Measure one size: the program and the bare loop, from the same empty state."""
    with tempfile.TemporaryDirectory() as place:
        ours, bare, state = (Path(place, name) for name in ("ours", "bare", "state"))
        for folder in (ours, bare, state):
            folder.mkdir()
        _project(ours, models)
        plan = Path(place, "plan.json")
        _preview(ours, state, "--save-plan", str(plan))  # warm-up: writes the build contexts
        shutil.copytree(ours, bare, dirs_exist_ok=True)
        count = _bare(bare, plan)
        seconds = _preview(ours, state)
        memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
        against = _preview(bare, state)
    ratio = seconds / against
    values = {
        "models": models,
        "resources": count,
        "seconds": round(seconds, 1),
        "bare_seconds": round(against, 1),
        "ratio": round(ratio, 2),
        "ms_per_resource": round(1000 * seconds / count, 1),
        "largest_process_mib": round(memory),
    }
    text = (
        f"{models} models of two versions, {count} resources: {seconds:.1f} s, the bare loop "
        f"{against:.1f} s, ratio {ratio:.2f} (limit {RATIO}); largest process {memory:.0f} MiB "
        f"(limit {LARGEST_MIB})"
    )
    return Figure("preview", ratio <= RATIO and memory < LARGEST_MIB, text, values)


def main() -> int:
    """Measure each number of models, and the growth from first to last."""
    results = []
    for models in [int(text) for text in sys.argv[1:]] or [100]:
        results.append(_measure(models))
        results[-1].print()
    first, last = results[0].values, results[-1].values
    if last is not first:
        times = float(str(last["seconds"])) / float(str(first["seconds"]))
        most = GROWTH * float(str(last["models"])) / float(str(first["models"]))
        text = f"{last['models']} models take {times:.1f} times what {first['models']} take"
        results.append(Figure("preview growth", times <= most, f"{text} (limit {most:g})", {}))
        results[-1].print()
    return 0 if all(figure.holds for figure in results) else 1


if __name__ == "__main__":
    sys.exit(main())
