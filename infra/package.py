"""`python -m infra.package`: the deployment zip and the SAM template in dist/, without AWS credentials."""

import argparse
import re
import shutil
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

from infra import archive, dependencies, template
from infra.dependencies import LAMBDA, ROOT


@dataclass(frozen=True)
class Package:
    """What was built."""

    zip: Path
    template: Path
    sha256: str
    has_bytecode: bool


def build(stage: str, project: Path = ROOT, output: Path = ROOT / "dist") -> Package:
    """Build the package of a project folder with Parley's layout; the same content gives the same bytes."""
    output.mkdir(parents=True, exist_ok=True)
    zip_file = output / f"parley-{stage}.zip"
    with tempfile.TemporaryDirectory(prefix="parley-package-") as temporary:
        work = Path(temporary)
        template.stage_project(project, work / "project", stage)
        generated = template.chalice_package(
            work / "project", ROOT / "infra" / "app.merge.yaml", stage, work / "chalice"
        )
        tree = work / "tree"
        shutil.copytree(dependencies.unpacked(project), tree)
        archive.strip(tree)
        with zipfile.ZipFile(work / "chalice" / "deployment.zip") as app:
            app.extractall(tree)
        has_bytecode = archive.compile_bytecode(tree, LAMBDA.python)
        sha256 = archive.write_zip(tree, zip_file)
    template_file = output / "app.yaml"
    template_file.write_text(template.dump(template.finish(generated, LAMBDA.runtime, f"./{zip_file.name}")))
    return Package(zip_file, template_file, sha256, has_bytecode)


def _stage(text: str) -> str:
    if not re.fullmatch(r"[a-z][a-z0-9]{1,11}", text):
        raise argparse.ArgumentTypeError("a stage is 2 to 12 small letters and digits, a letter first")
    return text


def main() -> None:
    """Build one stage and say what came out."""
    parser = argparse.ArgumentParser(description="Build Parley's Lambda zip and SAM template.")
    parser.add_argument("--stage", type=_stage, default="prod")
    package = build(parser.parse_args().stage)
    size = package.zip.stat().st_size / 1_000_000
    print(f"{package.zip.relative_to(ROOT)}  {size:.1f} MB  sha256 {package.sha256}")
    print(f"{package.template.relative_to(ROOT)}  for {LAMBDA.runtime} on arm64")


if __name__ == "__main__":
    main()
