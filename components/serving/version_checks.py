"""Checks of the files of versions that are not published yet; published ones keep theirs."""

from collections.abc import Iterator, Mapping

from components.cluster_state.state import ClusterState
from components.config import StackSpec, VersionSpec
from components.errors import ConfigIssue, quote
from components.ignore_file import NAME
from components.languages import DEFAULT_PYTHON, PYTHON, handler_files
from components.requirements_file import find_refusals
from components.serving.version_content import Content
from components.sources import SourceTree, find_secret_files, os_errors_as_source_errors
from components.standard_library import MODULE_NAMES

Keys = tuple[str, ...]


def find_issues(
    contents: Mapping[tuple[str, str], Content], state: ClusterState, spec: StackSpec
) -> Iterator[ConfigIssue]:
    """Yield every issue in the files of a version that never became Available."""
    for (model, version), content in contents.items():
        current = state.versions.get((model, version))
        if content.tree is None or (current is not None and current.ever_available):
            continue
        at = ("models", model, "versions", version)
        yield from _secrets(content.tree, (*at, "source"))
        version_spec = spec.models[model].versions[version]
        yield from _handler(content.tree, version_spec, at)
        if version_spec.language == PYTHON.name:
            yield from _requirements(content.tree, (*at, "source"))
            yield from _module_name(version_spec, (*at, "handler"))


def _secrets(tree: SourceTree, at: Keys) -> Iterator[ConfigIssue]:
    for path in find_secret_files(tree):
        yield ConfigIssue(
            at,
            f"the file {quote(path)}, which contains credentials",
            f"move it out of the folder or list it in {NAME}; images must not contain "
            "credentials, use the key secrets",
        )


def _requirements(tree: SourceTree, at: Keys) -> Iterator[ConfigIssue]:
    """Check the lines that pip would refuse minutes later, in the build of the image."""
    if not any(file.path == PYTHON.dependencies for file in tree.files):
        return
    with os_errors_as_source_errors():
        content = (tree.folder / PYTHON.dependencies).read_bytes()
    for refusal in find_refusals(content):
        yield ConfigIssue(at, refusal.actual, refusal.hint)


def _module_name(spec: VersionSpec, at: Keys) -> Iterator[ConfigIssue]:
    """Check that Python finds the handler's module, not one of the standard library."""
    module = spec.handler.partition(":")[0]
    name, _, submodule = module.partition(".")
    release = spec.python or DEFAULT_PYTHON
    if name in MODULE_NAMES[release]:
        kind = f"folder {name}" if submodule else f"file {name}.py"
        yield ConfigIssue(
            at,
            f"{quote(spec.handler)}, but Python {release} has a module {name} of its own",
            f"rename the {kind}, for example to model_{name}, and write model_{module} here",
        )


def _handler(tree: SourceTree, spec: VersionSpec, at: Keys) -> Iterator[ConfigIssue]:
    """Check that the handler's file, which the check of the stack file found, belongs to it."""
    candidates = handler_files(spec.language, spec.handler)
    if not {file.path for file in tree.files} & set(candidates):
        yield ConfigIssue(
            (*at, "source"),
            f"a folder whose {NAME} or list of ignored names leaves out {candidates[0]}, which "
            f"handler {quote(spec.handler)} needs",
            f"change {NAME} or the name, or the handler",
        )
