"""`python -m infra.package`: what is deployed to each region, in dist/, built without AWS credentials."""

import argparse
import hashlib
import json
import shutil
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infra import archive, dependencies, regions, template, web
from infra.dependencies import LAMBDA, ROOT
from infra.strip import strip

STATEFUL = template.STATEFUL
DIRECTORY = ROOT / "infra" / "directory.yaml"
CODE = "parley.zip"
WEB = "web"  # below it, what web/<application>/dist has, in a folder of the application's name


@dataclass(frozen=True)
class Package:
    """What was built: one zip and one template, the same for every region and stage."""

    zip: Path
    template: Path
    sha256: str
    has_bytecode: bool
    sam: dict[str, Any]  # what the template was translated from


def build(project: Path = ROOT, output: Path = ROOT / "dist") -> Package:
    """Build the package of a project folder with Parley's layout; the same content gives the same bytes."""
    output.mkdir(parents=True, exist_ok=True)
    zip_file = output / CODE
    with tempfile.TemporaryDirectory(prefix="parley-package-") as temporary:
        work = Path(temporary)
        template.stage_project(project, work / "project")
        generated = template.chalice_package(work / "project", ROOT / "infra" / "app.merge.yaml", work / "chalice")
        tree = work / "tree"
        shutil.copytree(dependencies.unpacked(project), tree)
        strip(tree)
        with zipfile.ZipFile(work / "chalice" / "deployment.zip") as app:
            app.extractall(tree)
        has_bytecode = archive.compile_bytecode(tree, LAMBDA.python)
        sha256 = archive.write_zip(tree, zip_file)
    sam = template.finish(generated, LAMBDA.runtime)
    template_file = output / "app.yaml"
    template_file.write_text(template.dump(template.translate(sam)))
    return Package(zip_file, template_file, sha256, has_bytecode, sam)


def address(package: Package, target: regions.Target, output: Path) -> Path:
    """Put the package and one target's parameters into a folder of its own: all that a deploy needs."""
    folder = output / target.name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    shutil.copy(package.zip, folder)
    shutil.copy(package.template, folder)
    kept = [DIRECTORY, STATEFUL] if target.is_home else [STATEFUL]
    for file in kept:
        shutil.copy(file, folder)
    if target.settings.get("Web") == "on":
        for built in web.built():
            shutil.copytree(built, folder / WEB / built.parent.name)
    for file in (*kept, package.template):
        parameters = target.parameters(template.load(file))
        (folder / f"{file.stem}.parameters.json").write_text(json.dumps(parameters, indent=2) + "\n")
    return folder


def targets(codes: list[str], stage: str, package: Package, folder: Path = regions.FOLDER) -> list[regions.Target]:
    """Read the settings of some regions, all of them before anything is written."""
    templates = [template.load(STATEFUL), template.load(package.template)]
    found = [regions.load(code, stage, templates, folder) for code in codes]
    if any(target.settings.get("Web") == "on" for target in found) and not web.built():
        raise regions.UnusableSettingsError('web = "on", but there is no web/*/dist: build the pages first')
    return found


def main(arguments: list[str] | None = None) -> int:
    """Build some regions of one stage and say what came out."""
    parser = argparse.ArgumentParser(prog="make package", description=__doc__)
    parser.add_argument("--region", nargs="+", default=regions.names(), help="codes, as in infra/regions/")
    parser.add_argument("--stage", default="prod")
    parser.add_argument("--output", type=Path, default=ROOT / "dist")
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="parley-package-") as temporary:
        package = build(output=Path(temporary))
        try:
            wanted = targets(given.region, given.stage, package)
        except regions.UnusableSettingsError as exc:
            print(exc, file=sys.stderr)
            return 2
        for target in wanted:
            folder = address(package, target, given.output)
            print(f"{folder}  for {target.aws_region}")
            for file in sorted(folder.iterdir()):
                digest = hashlib.sha256(file.read_bytes()).hexdigest()
                print(f"  {digest}  {file.stat().st_size:>10,}  {file.name}")
    print(f"{LAMBDA.runtime} on arm64, {'with' if package.has_bytecode else 'without'} bytecode")
    return 0


if __name__ == "__main__":
    sys.exit(main())
