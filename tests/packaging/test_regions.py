"""Adding a region is adding a file: what is in it becomes the stacks' parameters, and every fault in it is told."""

import json
from pathlib import Path
from typing import Any

import pytest

from infra import package as packaging
from infra import regions, web
from infra.dependencies import ROOT
from infra.package import STATEFUL, Package, address, targets
from infra.template import load

TEMPLATES = [load(STATEFUL), load(ROOT / "infra" / "app.merge.yaml")]
GOOD = """
aws_region = "sa-east-1"
[stages.prod]
api_url = "https://api.sa1.example.com"
mail_from = "no-reply@example.com"
mail_identity = "example.com"
"""


def folder_with(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        (folder / f"{name}.toml").write_text(text)
    return folder


def fault(folder: Path, region: str = "sa1", stage: str = "prod") -> str:
    with pytest.raises(regions.UnusableSettingsError) as told:
        regions.load(region, stage, TEMPLATES, folder)
    return str(told.value)


@pytest.mark.parametrize("region", regions.names())
@pytest.mark.parametrize("stage", ["prod", "test"])
def test_every_region_that_is_there_can_be_packaged(region: str, stage: str) -> None:
    found = regions.load(region, stage, TEMPLATES)
    for template in TEMPLATES:
        required = {name for name, rule in template["Parameters"].items() if "Default" not in rule}
        assert required - set(found.parameters(template)) <= {"CodeBucket", "CodeKey"}  # which only a deploy knows


def test_a_new_file_is_a_new_region(tmp_path: Path) -> None:
    found = regions.load("sa1", "prod", TEMPLATES, folder_with(tmp_path, sa1=GOOD))
    assert (found.aws_region, found.name) == ("sa-east-1", "sa1-prod")
    assert found.parameters(TEMPLATES[0]) == {"Stage": "prod", "MailIdentity": "example.com"}
    assert found.parameters(TEMPLATES[1])["RegionCode"] == "sa1"


def test_an_address_that_sends_mails_is_not_made_by_the_stack(tmp_path: Path) -> None:
    address = GOOD.replace('mail_identity = "example.com"', 'mail_identity = "no-reply@example.com"')
    assert "set make_mail_identity to off" in fault(folder_with(tmp_path, sa1=address))
    by_hand = folder_with(tmp_path, sa1=address + 'make_mail_identity = "off"\n')
    assert regions.load("sa1", "prod", TEMPLATES, by_hand).settings["MakeMailIdentity"] == "off"


def test_each_region_knows_where_the_others_of_its_stage_are(tmp_path: Path) -> None:
    other = GOOD.replace("sa1", "sa2").replace("[stages.prod]", "[stages.test]")
    folder_with(tmp_path, sa1=GOOD, sa2=GOOD.replace("sa1", "sa2"), sa3=other)
    found = regions.load("sa1", "prod", TEMPLATES, tmp_path).parameters(TEMPLATES[1])["Regions"]
    assert json.loads(found) == {"sa1": "https://api.sa1.example.com", "sa2": "https://api.sa2.example.com"}
    assert regions.load("sa3", "test", TEMPLATES, tmp_path).parameters(TEMPLATES[1])["Regions"] == ""


def test_every_fault_is_told_at_once(tmp_path: Path) -> None:
    bad = GOOD.replace("https://", "http://").replace('mail_identity = "example.com"', "index_shards = 0\ncolour = 1")
    told = fault(folder_with(tmp_path, sa1=bad.replace("sa-east-1", "Brazil")))
    for name in ("aws_region", "api_url", "mail_identity is missing", "index_shards", "colour is unknown"):
        assert name in told


def test_a_directory_needs_both_its_name_and_its_place_and_has_one_home(tmp_path: Path) -> None:
    one = GOOD + 'directory_table = "parley-prod-directory"\n'
    assert "both or none" in fault(folder_with(tmp_path, sa1=one))
    for home, expected in (("sa-east-1", True), ("eu-central-1", False)):
        folder_with(tmp_path, sa1=one + f'directory_aws_region = "{home}"\n')
        assert regions.load("sa1", "prod", TEMPLATES, tmp_path).is_home is expected


@pytest.mark.parametrize("wrong", ["log_days = 31", "api_rate = 0", 'firewall = "yes"', 'web_url = "http://x.example"'])
def test_a_value_that_cloudformation_would_refuse_late_is_refused_here(tmp_path: Path, wrong: str) -> None:
    assert wrong.partition(" ")[0] in fault(folder_with(tmp_path, sa1=GOOD + wrong))


def test_pages_that_were_not_built_are_not_served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder_with(tmp_path, sa1=GOOD + 'web = "on"\n')
    monkeypatch.setattr(web, "built", list)
    package = Package(tmp_path / "x.zip", ROOT / "infra" / "app.merge.yaml", "", has_bytecode=True, sam={})
    with pytest.raises(regions.UnusableSettingsError, match="build the pages"):
        targets(["sa1"], "prod", package, tmp_path)
    monkeypatch.setattr(web, "built", lambda: [tmp_path])
    assert targets(["sa1"], "prod", package, tmp_path)[0].settings["Web"] == "on"


def test_an_unknown_region_or_stage_says_which_there_are(tmp_path: Path) -> None:
    folder_with(tmp_path, sa1=GOOD, sa2=GOOD)
    assert "sa1, sa2" in fault(tmp_path, "xx9")
    assert "prod" in fault(tmp_path, "sa1", "test")


def test_a_setting_outside_a_stage_is_not_lost_silently(tmp_path: Path) -> None:
    assert "signup is unknown" in fault(folder_with(tmp_path, sa1='signup = "open"\n' + GOOD))


@pytest.mark.packaging
def test_two_regions_differ_in_nothing_but_their_parameters(package: Package, tmp_path: Path) -> None:
    eu, us = (address(package, target, tmp_path) for target in targets(["eu1", "us1"], "prod", package))
    names = {file.name for file in us.iterdir()}
    assert names == {"parley.zip", "app.yaml", "stateful.yaml", "app.parameters.json", "stateful.parameters.json"}
    only_at_home = {file.name for file in eu.iterdir()} - names
    assert only_at_home == {"directory.yaml", "directory.parameters.json"}
    assert json.loads((eu / "directory.parameters.json").read_text()) == {"Stage": "prod"}
    differ = {name for name in names if (eu / name).read_bytes() != (us / name).read_bytes()}
    assert differ == {"app.parameters.json"}
    assert json.loads((us / "app.parameters.json").read_text())["RegionCode"] == "us1"


@pytest.mark.packaging
def test_the_command_tells_the_hash_of_everything_and_refuses_before_it_writes(
    package: Package, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.setattr(packaging, "build", lambda **_: package)
    assert packaging.main(["--region", "eu1", "xx9", "--output", str(tmp_path)]) == 2
    assert list(tmp_path.iterdir()) == []
    assert "xx9.toml" in capsys.readouterr().err
    assert packaging.main(["--region", "eu1", "us1", "--output", str(tmp_path)]) == 0
    told = capsys.readouterr().out
    assert told.count(package.sha256) == 2
    assert {folder.name for folder in tmp_path.iterdir()} == {"eu1-prod", "us1-prod"}
