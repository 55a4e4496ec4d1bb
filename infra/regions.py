"""The regions' settings (`infra/regions/*.toml`), checked against the templates whose parameters they are."""

import json
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infra.dependencies import ROOT

FOLDER = ROOT / "infra" / "regions"
_BY_DEPLOY = {"CodeBucket", "CodeKey"}  # parameters whose values only a deploy knows

Parameters = dict[str, str]


class UnusableSettingsError(Exception):
    """A region's file has faults; the message lists all of them."""


@dataclass(frozen=True)
class Target:
    """One stage in one region: what a deploy is of."""

    region: str  # our code, e.g. "eu1"
    aws_region: str
    stage: str
    settings: Parameters  # by the template parameter's name

    @property
    def name(self) -> str:
        """Its folder in dist/, and the beginning of its stacks' names."""
        return f"{self.region}-{self.stage}"

    @property
    def is_home(self) -> bool:
        """Whether what all regions of the stage share is kept in this one."""
        return self.settings.get("DirectoryAwsRegion") == self.aws_region

    def parameters(self, template: dict[str, Any]) -> Parameters:
        """Return the values of a template's parameters; those left to their default are not among them."""
        return {name: value for name, value in sorted(self.settings.items()) if name in template["Parameters"]}


def names(folder: Path = FOLDER) -> list[str]:
    """Return the codes of all regions."""
    return sorted(file.stem for file in folder.glob("*.toml"))


def read(region: str, stage: str, folder: Path = FOLDER) -> Target:
    """Read one stage of a region as it is written. Raises UnusableSettingsError where there is no such."""
    file = folder / f"{region}.toml"
    if not file.is_file():
        raise UnusableSettingsError(
            f"There is no {file.name} in {folder.name}/. There are: {', '.join(names(folder))}."
        )
    found = tomllib.loads(file.read_text())
    stages = found.get("stages", {})
    if stage not in stages:
        raise UnusableSettingsError(f"{file.name} has no [stages.{stage}]. It has: {', '.join(stages)}.")
    settings = {_camel(name): _text(value) for name, value in stages[stage].items()}
    settings |= {"Stage": stage, "RegionCode": region, "Regions": _addresses(stage, folder)}
    return Target(region, str(found.get("aws_region", "")), stage, settings)


def load(region: str, stage: str, templates: list[dict[str, Any]], folder: Path = FOLDER) -> Target:
    """Read one stage of a region. Raises UnusableSettingsError for a file, stage or value that won't do."""
    target, file = read(region, stage, folder), folder / f"{region}.toml"
    faults = [f"{name} is unknown" for name in tomllib.loads(file.read_text()) if name not in {"aws_region", "stages"}]
    if not re.fullmatch(r"[a-z]{2}(-[a-z]+)+-[0-9]", target.aws_region):
        faults.append("aws_region is not the name of an AWS region")
    rules = {name: rule for template in templates for name, rule in template["Parameters"].items()}
    if bool(target.settings.get("DirectoryTable")) != bool(target.settings.get("DirectoryAwsRegion")):
        faults.append("directory_table and directory_aws_region go together: both or none")
    if "@" in target.settings.get("MailIdentity", "") and target.settings.get("MakeMailIdentity") != "off":
        faults.append("mail_identity is an address: verify it in SES yourself, and set make_mail_identity to off")
    faults += _faults(target.settings, {name: rule for name, rule in rules.items() if name not in _BY_DEPLOY})
    if faults:
        raise UnusableSettingsError(f"{file.name}, stage {stage}:\n" + "\n".join(f"  {fault}" for fault in faults))
    return target


def _addresses(stage: str, folder: Path) -> str:
    """Return where every region of a stage is, for who comes to the wrong one; nothing when there is only one."""
    stages = {code: tomllib.loads((folder / f"{code}.toml").read_text()).get("stages", {}) for code in names(folder)}
    found = {code: each[stage].get("api_url", "") for code, each in stages.items() if stage in each}
    return json.dumps(found, separators=(",", ":")) if len(found) > 1 else ""


def _faults(settings: Parameters, rules: dict[str, dict[str, Any]]) -> list[str]:
    """Everything that CloudFormation would refuse, which it does one by one and late."""
    faults = [f"{_snake(name)} is unknown" for name in settings if name not in rules]
    for name, rule in rules.items():
        value = settings.get(name)
        if value is None:
            faults += [] if "Default" in rule else [f"{_snake(name)} is missing: {rule.get('Description', '')}"]
        elif not _allowed(value, rule):
            faults.append(f"{_snake(name)} cannot be {value!r}: {rule.get('Description', '')}")
    return faults


def _allowed(value: str, rule: dict[str, Any]) -> bool:
    if "AllowedValues" in rule and value not in map(str, rule["AllowedValues"]):
        return False
    if rule["Type"] == "Number":
        if not re.fullmatch(r"[0-9]+(\.[0-9]+)?", value):
            return False
        return float(rule.get("MinValue", 0)) <= float(value) <= float(rule.get("MaxValue", "inf"))
    return re.fullmatch(rule.get("AllowedPattern", ".*"), value, re.DOTALL) is not None


def _text(value: object) -> str:
    if isinstance(value, bool):  # a parameter is never a boolean; TOML's would become Python's words
        return "true" if value else "false"
    return str(value)


def _camel(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("_"))


def _snake(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()
