"""The SAM template deploys: what API Gateway, Lambda and SQS refuse or get wrong is found here first."""

import ast
import json
from collections import defaultdict
from typing import Any

import pytest
from cfnlint.api import lint

from app import app as product
from infra import permissions
from infra.dependencies import LAMBDA, ROOT
from infra.gateway_responses import GATEWAY_RESPONSES
from infra.template import Template, dump, load

pytestmark = pytest.mark.packaging

Functions = dict[str, dict[str, Any]]
STATEFUL = ROOT / "infra" / "stateful.yaml"


def definition(template: Template) -> dict[str, Any]:
    return dict(template["Resources"]["RestAPI"]["Properties"]["DefinitionBody"])


def gateway_resources(paths: list[str]) -> set[str]:
    """API Gateway counts every node of the path tree, the root too."""
    nodes = {"/"}
    for path in paths:
        parts = path.strip("/").split("/")
        nodes.update("/".join(parts[: depth + 1]) for depth in range(len(parts)))
    return nodes


def clashing_variables(paths: list[str]) -> dict[str, set[str]]:
    """Places where two sibling path variables have different names, which only a deploy would refuse."""
    variables = defaultdict(set)
    for node in gateway_resources(paths):
        parent, _, name = node.rpartition("/")
        if name.startswith("{"):
            variables[parent].add(name)
    return {parent: names for parent, names in variables.items() if len(names) > 1}


def lint_errors(template: str) -> list[str]:
    return [f"{match.rule.id} {match.message} at {match.path}" for match in lint(template, regions=["eu-central-1"])]


@pytest.mark.parametrize("file", ["stateful.yaml", "directory.yaml"])
def test_the_templates_of_what_is_kept_lint_clean(file: str) -> None:
    assert lint_errors((ROOT / "infra" / file).read_text()) == []


def test_the_application_template_lints_clean_after_sam_translated_it(translated: Template) -> None:
    assert lint_errors(dump(translated)) == []


def test_the_linter_sees_a_reference_to_nothing(translated: Template) -> None:
    translated["Outputs"]["APIHandlerName"]["Value"] = {"Ref": "Nowhere"}
    assert any("Nowhere" in error for error in lint_errors(dump(translated)))


def test_the_template_has_no_yaml_aliases_which_cloudformation_cannot_read(package: Any) -> None:
    assert "&id" not in package.template.read_text()


def test_the_api_stays_under_the_gateways_300_resources(template: Template) -> None:
    assert len(gateway_resources(list(definition(template)["paths"]))) < 300


def test_a_path_position_has_one_variable_name(template: Template) -> None:
    assert clashing_variables(list(definition(template)["paths"])) == {}


def test_two_names_for_one_path_position_are_found() -> None:
    assert clashing_variables(["/a/{x}", "/a/{y}/b", "/c/{x}", "/c/d"]) == {"a": {"{x}", "{y}"}}


def test_every_handler_is_in_app_so_that_the_composition_root_is_imported(functions: Functions) -> None:
    assert functions
    assert {name: f["Handler"] for name, f in functions.items() if not f["Handler"].startswith("app.")} == {}


def test_every_function_runs_on_the_python_and_processor_that_was_built_for(functions: Functions) -> None:
    assert {(f["Runtime"], *f["Architectures"]) for f in functions.values()} == {(LAMBDA.runtime, "arm64")}


def test_the_api_answers_before_the_gateway_gives_up(functions: Functions) -> None:
    assert functions["APIHandler"]["Timeout"] < 29


def test_every_queue_mapping_reports_partial_failures_and_waits_six_timeouts(functions: Functions) -> None:
    queues = {
        resource["Properties"]["QueueName"]["Fn::Sub"]: resource["Properties"]
        for resource in load(STATEFUL)["Resources"].values()
        if resource["Type"] == "AWS::SQS::Queue"
    }
    seen = 0
    for function in functions.values():
        for event in function.get("Events", {}).values():
            if event["Type"] == "SQS":
                seen += 1
                name = event["Properties"]["Queue"]["Fn::Sub"].rpartition(":")[2]
                assert event["Properties"]["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
                assert queues[name]["VisibilityTimeout"] >= 6 * function["Timeout"], name
                assert "deadLetterTargetArn" in queues[name]["RedrivePolicy"], name
    assert seen >= 2


def test_what_sends_to_its_own_queue_may_do_so_more_than_sixteen_times(
    functions: Functions, translated: Template
) -> None:
    """Lambda drops the seventeenth message of such a chain unless it is told not to."""
    chains = {name for name, f in functions.items() if f.get("RecursiveLoop") == "Allow"}
    assert chains == {"DeliverWebhooks", "DispatchEvents", "Remind"}
    for name in chains:
        assert translated["Resources"][name]["Properties"]["RecursiveLoop"] == "Allow"


def test_every_queue_is_consumed_and_has_dead_letters_that_are_kept_for_two_weeks(functions: Functions) -> None:
    found = {n: r["Properties"] for n, r in load(STATEFUL)["Resources"].items() if r["Type"] == "AWS::SQS::Queue"}
    dead = {
        q["RedrivePolicy"]["deadLetterTargetArn"]["Fn::GetAtt"][0]: n for n, q in found.items() if "RedrivePolicy" in q
    }
    events = [event for function in functions.values() for event in function.get("Events", {}).values()]
    names = {e["Properties"]["Queue"]["Fn::Sub"].rpartition(":")[2] for e in events if e["Type"] == "SQS"}
    assert {found[name]["QueueName"]["Fn::Sub"] for name in dead.values()} == names
    assert set(found) == set(dead) | set(dead.values())  # none without, and none for two
    assert {found[name]["MessageRetentionPeriod"] for name in dead} == {14 * 86_400}


def test_every_route_of_the_app_is_in_the_template(template: Template) -> None:
    paths = definition(template)["paths"]
    there = {(path, method) for path, methods in paths.items() for method in methods if method != "options"}
    assert there == {(path, method.lower()) for path, methods in product.routes.items() for method in methods}
    for path, method in there:
        integration = paths[path][method]["x-amazon-apigateway-integration"]
        assert "${APIHandler.Arn}" in json.dumps(integration["uri"]), path


def test_the_table_is_made_last_so_that_a_first_deploy_that_fails_can_be_undone(template: Template) -> None:
    """It is protected against deletion; and what is retained is not where it has only just been made."""
    resources = load(STATEFUL)["Resources"]
    assert set(resources["Table"]["DependsOn"]) == set(resources) - {"Table", "DataKey", "MailDomain"}
    table = resources["Table"]["Properties"]  # names these two elsewhere
    assert table["SSESpecification"]["KMSMasterKeyId"] == {"Fn::GetAtt": ["DataKey", "Arn"]}
    assert {"Ref": "MailDomain"} in table["Tags"][0]["Value"]["Fn::If"]
    policies = {name: each["DeletionPolicy"] for name, each in resources.items() if "DeletionPolicy" in each}
    assert {name for name, policy in policies.items() if policy != "RetainExceptOnCreate"} == {
        "GatewayLogsRole",  # the account's, and another stage's, too
        "GatewayAccount",
    }


def test_table_and_files_are_encrypted_with_a_key_that_only_they_use() -> None:
    resources = load(STATEFUL)["Resources"]
    key = {"Fn::GetAtt": ["DataKey", "Arn"]}
    assert resources["Table"]["Properties"]["SSESpecification"] == {
        "SSEEnabled": True,
        "SSEType": "KMS",
        "KMSMasterKeyId": key,
    }
    (rule,) = resources["FilesBucket"]["Properties"]["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert rule["ServerSideEncryptionByDefault"] == {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}
    properties = resources["DataKey"]["Properties"]
    assert properties["EnableKeyRotation"] is True
    for_iam, *others = properties["KeyPolicy"]["Statement"]
    assert for_iam["Principal"] == {"AWS": {"Fn::Sub": "arn:${AWS::Partition}:iam::${AWS::AccountId}:root"}}
    for statement in others:
        condition = statement["Condition"]["StringEquals"]
        assert condition["kms:CallerAccount"] == {"Ref": "AWS::AccountId"}
        assert "${AWS::Region}" in json.dumps(condition["kms:ViaService"])


def test_a_mail_domain_is_made_with_records_to_publish_unless_the_account_has_it() -> None:
    found = load(STATEFUL)
    assert found["Resources"]["MailDomain"]["Condition"] == "MakesMailIdentity"
    records = [each for name, each in found["Outputs"].items() if name.startswith("MailRecord")]
    assert [each["Condition"] for each in records] == ["MakesMailIdentity"] * 3
    assert [each["Value"]["Fn::Sub"] for each in records] == [
        f"${{MailDomain.DkimDNSTokenName{number}}} CNAME ${{MailDomain.DkimDNSTokenValue{number}}}"
        for number in (1, 2, 3)
    ]


def test_every_queue_leaves_the_other_functions_room(functions: Functions) -> None:
    found = {
        name: event["Properties"]["ScalingConfig"]["MaximumConcurrency"]
        for name, function in functions.items()
        for event in function.get("Events", {}).values()
        if event["Type"] == "SQS"
    }
    assert all(2 <= number <= 100 for number in found.values())  # 2 is the least that Lambda takes
    assert (found["DispatchEvents"], found["SendMail"]) == (20, 2)


def test_no_function_reserves_concurrency_unless_told_because_a_new_account_cannot_give_it(
    functions: Functions, template: Template
) -> None:
    """Who answers people may; queues are capped at their mappings instead."""
    found = {name: f["ReservedConcurrentExecutions"] for name, f in functions.items() if "Reserved" in "".join(f)}
    assert set(found) == {"APIHandler", "Authorize"}
    for value in found.values():
        assert value == {"Fn::If": ["ReservesConcurrency", {"Ref": "ApiConcurrency"}, {"Ref": "AWS::NoValue"}]}
    assert template["Parameters"]["ApiConcurrency"]["Default"] == 0


def test_what_ses_says_of_our_mails_reaches_the_queue_whole_and_from_nobody_else() -> None:
    found = {name: resource["Properties"] for name, resource in load(STATEFUL)["Resources"].items()}
    assert found["MailEventDestination"]["EventDestination"]["MatchingEventTypes"] == ["bounce", "complaint"]
    assert "RawMessageDelivery" not in found["MailFeedbackSubscription"]  # it would take the signature off
    (sending,) = found["MailFeedbackQueuePolicy"]["PolicyDocument"]["Statement"]
    assert sending["Condition"] == {"ArnEquals": {"aws:SourceArn": {"Ref": "MailFeedbackTopic"}}}
    (publishing,) = found["MailFeedbackTopicPolicy"]["PolicyDocument"]["Statement"]
    assert publishing["Condition"]["StringEquals"].keys() == {"aws:SourceAccount", "aws:SourceArn"}


def test_no_function_may_use_every_resource(template: Template) -> None:
    roles = [r["Properties"] for r in template["Resources"].values() if r["Type"] == "AWS::IAM::Role"]
    assert roles
    account = {"Effect": "Allow", "Action": ["ses:GetAccount"], "Resource": ["*"]}  # of which there is one
    for role in roles:
        for policy in role["Policies"]:
            for statement in policy["PolicyDocument"]["Statement"]:
                assert "*" not in statement["Resource"] or statement in (permissions.TRACES, account)
                assert not any("*" in action for action in statement["Action"]), statement["Action"]


def test_every_function_has_a_role_of_its_own(functions: Functions) -> None:
    roles = [json.dumps(function["Role"]) for function in functions.values()]
    assert len(roles) == len(set(roles))


def settings_read_by_the_app() -> tuple[set[str], set[str]]:
    """The environment's names in core.config: the required ones, and all."""
    tree = ast.parse((ROOT / "chalicelib" / "core" / "config.py").read_text())
    required = {
        n.slice.value for n in ast.walk(tree) if isinstance(n, ast.Subscript) and isinstance(n.slice, ast.Constant)
    }
    every = {n.value for n in ast.walk(tree) if isinstance(n, ast.Constant) and str(n.value).startswith("PARLEY_")}
    return {str(name) for name in required}, {str(name) for name in every}


def test_the_functions_get_every_required_setting_and_none_that_nobody_reads(template: Template) -> None:
    required, every = settings_read_by_the_app()
    given = set(template["Globals"]["Function"]["Environment"]["Variables"])
    assert required <= given <= every
    assert required


def test_a_deployed_environment_never_allows_loopback_nor_another_stripe(package: Any) -> None:
    text = package.template.read_text()
    assert [name for name in ("LOOPBACK", "STRIPE_API_URL", "ENDPOINT_URL") if name in text] == []


def test_what_the_application_imports_the_stateful_stack_exports(template: Template) -> None:
    variables = template["Globals"]["Function"]["Environment"]["Variables"].values()
    imported = {v["Fn::ImportValue"]["Fn::Sub"] for v in variables if "Fn::ImportValue" in v}
    outputs = load(STATEFUL)["Outputs"].values()
    exported = {output["Export"]["Name"]["Fn::Sub"] for output in outputs if "Export" in output}
    assert imported
    assert imported <= exported


def test_the_gateways_own_answers_have_our_envelope_and_cors_headers(template: Template) -> None:
    answers = definition(template)["x-amazon-apigateway-gateway-responses"]
    assert set(answers) == set(GATEWAY_RESPONSES)
    for kind, answer in answers.items():
        error = json.loads(answer["responseTemplates"]["application/json"])["error"]
        assert error["code"] == GATEWAY_RESPONSES[kind].code
        assert error["request_id"] == "$context.requestId"
        assert answer["responseParameters"]["gatewayresponse.header.Access-Control-Allow-Origin"] == "'*'"
        assert answer["responseParameters"]["gatewayresponse.header.X-Request-Id"] == "context.requestId"
    assert answers["MISSING_AUTHENTICATION_TOKEN"]["statusCode"] == 404
    assert answers["UNAUTHORIZED"]["statusCode"] == 401


def test_every_preflight_answer_carries_no_authorizer(template: Template) -> None:
    for path, methods in definition(template)["paths"].items():
        if "options" in methods:
            assert "security" not in methods["options"], path
            assert methods["options"]["x-amazon-apigateway-integration"]["type"] == "mock", path


def test_every_preflight_answer_carries_the_request_id(template: Template) -> None:
    for path, methods in definition(template)["paths"].items():
        if "options" in methods:
            mock = methods["options"]["x-amazon-apigateway-integration"]["responses"]["default"]
            assert mock["responseParameters"]["method.response.header.X-Request-Id"] == "context.requestId", path
            assert "X-Request-Id" in methods["options"]["responses"]["200"]["headers"], path


def test_chalices_configuration_names_only_functions_that_there_are() -> None:
    config = json.loads((ROOT / ".chalice" / "config.json").read_text())
    assert set(config["stages"]["prod"]["lambda_functions"]) <= set(permissions.FUNCTIONS)


def test_policies_have_one_source() -> None:
    """A policy file beside the configuration would not be read: a function's permissions are a line of the table."""
    assert [file.name for file in (ROOT / ".chalice").glob("policy*")] == []


def test_every_function_has_a_line_in_the_table_of_permissions_and_no_other(functions: Functions) -> None:
    of_the_app = {f["Handler"].removeprefix("app.") for f in functions.values()} - {"app"} | {"api_handler"}
    assert of_the_app == set(permissions.FUNCTIONS)


# These belong to an account, or to the world: a second region of the same stage makes its own beside the first's.
OF_ALL_REGIONS = ("AWS::CloudFront::", "AWS::CloudWatch::Dashboard", "AWS::IAM::", "AWS::S3::Bucket")


def names_given(properties: Any) -> list[str]:
    """Every name that a resource is given, wherever it stands among its properties."""
    if not isinstance(properties, dict):
        return []
    found = [json.dumps(v) for n, v in properties.items() if n in {"Name", "BucketName", "DashboardName", "RoleName"}]
    return found + [name for value in properties.values() for name in names_given(value)]


def test_a_second_region_in_the_same_account_finds_no_name_taken(translated: Template) -> None:
    resources = {**translated["Resources"], **load(STATEFUL)["Resources"]}
    names = {
        f"{key}: {name}"
        for key, resource in resources.items()
        if resource["Type"].startswith(OF_ALL_REGIONS)
        for name in names_given(resource["Properties"])
    }
    assert len(names) == 11  # 6 of CloudFront, 3 buckets, the dashboard, the role for jobs
    assert {name for name in names if "${AWS::Region}" not in name and "${RegionCode}" not in name} == set()


def test_every_stack_is_under_cloudformations_limits(package: Any, translated: Template) -> None:
    """1 MB of template in S3, 500 resources, 200 parameters and outputs, 1,024 characters of a description."""
    assert package.template.stat().st_size < 1_000_000
    for template in (translated, load(STATEFUL)):
        assert len(json.dumps(template)) < 1_000_000
        assert len(template["Resources"]) < 500
        assert len(template["Parameters"]) < 200 > len(template["Outputs"])
