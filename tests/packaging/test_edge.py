"""What stands before the functions: logs without secrets, throttles, tracing, firewall, addresses, pages, sockets."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from cfnlint.api import lint

from chalicelib.core.config import settings
from infra import edge, web
from infra.dependencies import ROOT
from infra.template import Template, dump, load, translate

pytestmark = pytest.mark.packaging

# What the gateway makes itself. Not among it: `path` (ids), `identity` (addresses, agents), what a caller has sent.
HARMLESS = re.compile(
    r"\$context\.(requestId|requestTimeEpoch|httpMethod|resourcePath|status|responseLatency|integrationLatency|responseLength"
    r"|authorizer\.(latency|principalId)|error\.responseType|xrayTraceId|connectionId|eventType|routeKey)"
)


def stage(translated: Template) -> dict[str, Any]:
    (found,) = (r for r in translated["Resources"].values() if r["Type"] == "AWS::ApiGateway::Stage")
    return dict(found["Properties"])


def test_an_access_log_line_has_what_is_asked_for_and_nothing_that_a_caller_wrote(translated: Template) -> None:
    setting = stage(translated)["AccessLogSetting"]
    line = json.loads(setting["Format"])
    assert {"request", "route", "status", "ms", "integration_ms"} <= set(line)
    for format_ in (line, edge.SOCKETS_ACCESS_LOG):
        assert [value for value in format_.values() if not HARMLESS.fullmatch(value)] == []
    assert setting["DestinationArn"] == {"Fn::GetAtt": ["AccessLogs", "Arn"]}


def test_the_gateway_logs_no_bodies_and_the_firewall_samples_no_requests(translated: Template) -> None:
    (method,) = stage(translated)["MethodSettings"]
    assert (method["LoggingLevel"], method["DataTraceEnabled"]) == ("OFF", False)
    text = json.dumps(translated["Resources"]["FirewallAcl"])
    assert '"SampledRequestsEnabled": false' in text
    assert '"SampledRequestsEnabled": true' not in text
    assert "AWS::WAFv2::LoggingConfiguration" not in json.dumps(translated)


def test_the_stage_is_throttled_by_the_regions_settings(translated: Template) -> None:
    (method,) = stage(translated)["MethodSettings"]
    assert (method["ResourcePath"], method["HttpMethod"]) == ("/*", "*")
    assert (method["ThrottlingRateLimit"], method["ThrottlingBurstLimit"]) == ({"Ref": "ApiRate"}, {"Ref": "ApiBurst"})


def test_there_is_no_second_stage_without_throttles_firewall_and_logs(translated: Template) -> None:
    """SAM makes one by the name `Stage`, through the deployment, unless it is told not to."""
    made = [r["Properties"] for r in translated["Resources"].values() if r["Type"] == "AWS::ApiGateway::Deployment"]
    assert [deployment.get("StageName", "") for deployment in made] == [""]
    assert stage(translated)["StageName"] == "api"


def test_every_function_and_the_gateway_are_traced_and_their_logs_are_kept_for_some_days(translated: Template) -> None:
    resources = translated["Resources"]
    functions = {name: r["Properties"] for name, r in resources.items() if r["Type"] == "AWS::Lambda::Function"}
    assert {name for name, each in functions.items() if each["TracingConfig"] != {"Mode": "Active"}} == set()
    assert stage(translated)["TracingEnabled"] is True
    groups = [r["Properties"] for r in resources.values() if r["Type"] == "AWS::Logs::LogGroup"]
    assert {json.dumps(group["RetentionInDays"]) for group in groups} == {'{"Ref": "LogDays"}'}
    kept = {group["LogGroupName"]["Fn::Sub"] for group in groups}
    assert kept == {"/aws/apigateway/${AWS::StackName}", *(f"/aws/lambda/${{{name}}}" for name in functions)}


def test_two_stages_of_one_account_share_no_metric(translated: Template) -> None:
    api = translated["Resources"]["RestAPI"]["Properties"]
    assert api["Name"] == api["Body"]["info"]["title"] == {"Ref": "AWS::StackName"}


def test_the_firewall_lets_more_through_than_a_tenant_may_ask_and_answers_as_the_gateway_does(
    translated: Template,
) -> None:
    acl = translated["Resources"]["FirewallAcl"]["Properties"]
    (rule,) = acl["Rules"]
    limit = translated["Parameters"]["FirewallRate"]["Default"]
    assert rule["Statement"]["RateBasedStatement"]["Limit"] == {"Ref": "FirewallRate"}
    of_a_tenant = 6000 + 6000  # a minute: PARLEY_TENANT_REQUESTS and PARLEY_TENANT_VISITOR_REQUESTS, unless set
    assert limit >= 5 * of_a_tenant
    assert all(
        f'"{name}", "6000"' in (ROOT / "chalicelib/core/config.py").read_text()
        for name in ("PARLEY_TENANT_REQUESTS", "PARLEY_TENANT_VISITOR_REQUESTS")
    )
    answer = rule["Action"]["Block"]["CustomResponse"]
    headers = {header["Name"]: header["Value"] for header in answer["ResponseHeaders"]}
    assert (answer["ResponseCode"], headers["Retry-After"], headers["Access-Control-Allow-Origin"]) == (429, "1", "*")
    body = json.loads(acl["CustomResponseBodies"][answer["CustomResponseBodyKey"]]["Content"])
    assert body["error"]["code"] == "rate_limited"


def test_the_firewall_stands_before_the_stage_unless_switched_off(translated: Template) -> None:
    resources = translated["Resources"]
    assert resources["FirewallAcl"]["Condition"] == resources["FirewallAssociation"]["Condition"] == "HasFirewall"
    assert translated["Parameters"]["Firewall"]["Default"] == "on"
    assert "${RestAPIapiStage}" in resources["FirewallAssociation"]["Properties"]["ResourceArn"]["Fn::Sub"]


def test_an_address_is_made_only_where_a_certificate_or_a_zone_is_given(translated: Template) -> None:
    conditions = {name: each["Condition"] for name, each in translated["Resources"].items() if "Condition" in each}
    assert {name: conditions[name] for name in ("ApiCertificate", "ApiDomain", "ApiDomainMapping", "ApiRecord")} == {
        "ApiCertificate": "MakesCertificate",
        "ApiDomain": "HasDomain",
        "ApiDomainMapping": "HasDomain",
        "ApiRecord": "HasZone",
    }
    mapping = translated["Resources"]["ApiDomainMapping"]["Properties"]
    assert mapping["Stage"] == {"Ref": "RestAPIapiStage"}  # so it is made after the stage


def test_only_the_distribution_reads_the_pages(translated: Template) -> None:
    resources = translated["Resources"]
    allowing, denying = resources["WebBucketPolicy"]["Properties"]["PolicyDocument"]["Statement"]
    assert (allowing["Effect"], allowing["Action"], denying["Effect"]) == ("Allow", "s3:GetObject", "Deny")
    assert "distribution/${WebDistribution}" in allowing["Condition"]["StringEquals"]["aws:SourceArn"]["Fn::Sub"]
    config = resources["WebDistribution"]["Properties"]["DistributionConfig"]
    assert config["Origins"][0]["OriginAccessControlId"] == {"Ref": "WebAccess"}
    of_pages = config["DefaultCacheBehavior"]["ResponseHeadersPolicyId"]
    (widget,) = config["CacheBehaviors"]
    security = [
        resources[each["Ref"]]["Properties"]["ResponseHeadersPolicyConfig"]["SecurityHeadersConfig"]
        for each in (of_pages, widget["ResponseHeadersPolicyId"])
    ]
    assert ["FrameOptions" in each for each in security] == [True, False]  # any site may frame the widget


def test_mails_lead_to_the_inbox_where_it_is_served(template: Template) -> None:
    value = template["Globals"]["Function"]["Environment"]["Variables"]["PARLEY_INBOX_URL"]
    assert json.dumps(value).count("/inbox") == 2
    assert value["Fn::If"][2]["Fn::If"][2] == ""  # as if unset
    assert settings().inbox_url == "https://api.test/inbox"


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("inbox/index.html", "no-cache"),
        ("inbox/assets/index-B7x9kQ2a.js", "public, max-age=31536000, immutable"),
        ("widget/widget.js", "public, max-age=300"),
        ("inbox/assets.js", "public, max-age=300"),
    ],
)
def test_only_what_has_its_hash_in_its_name_is_kept_for_long(name: str, kept: str) -> None:
    assert web.cache_control(name) == kept


def test_applications_that_have_been_built_are_found(tmp_path: Path) -> None:
    for folder in ("web/widget/dist", "web/inbox/src", "web/inbox/dist"):
        (tmp_path / folder).mkdir(parents=True)
    assert [each.parent.name for each in web.built(tmp_path)] == ["inbox", "widget"]


def with_sockets() -> Template:
    """What Chalice generates for `@app.on_ws_message`, as far as it matters here, beside the gateway."""
    merged = load(ROOT / "infra" / "app.merge.yaml")
    kept = {name: merged["Resources"][name] for name in ("AccessLogs", "FirewallAcl")}
    api = {"DefinitionBody": {"swagger": "2.0", "info": {"title": "", "version": "1"}, "paths": {}}, "StageName": "api"}
    stage_ = {"ApiId": {"Ref": "WebsocketAPI"}, "DeploymentId": {"Ref": "WebsocketAPIDeployment"}, "StageName": "api"}
    kept |= {
        "RestAPI": {"Type": "AWS::Serverless::Api", "Properties": api},
        "WebsocketAPI": {
            "Type": "AWS::ApiGatewayV2::Api",
            "Properties": {
                "Name": "parley",
                "RouteSelectionExpression": "$request.body.action",
                "ProtocolType": "WEBSOCKET",
            },
        },
        "WebsocketAPIDeployment": {
            "Type": "AWS::ApiGatewayV2::Deployment",
            "Properties": {"ApiId": {"Ref": "WebsocketAPI"}},
        },
        "WebsocketAPIStage": {"Type": "AWS::ApiGatewayV2::Stage", "Properties": stage_},
    }
    head = {"AWSTemplateFormatVersion": "2010-09-09", "Transform": "AWS::Serverless-2016-10-31", "Resources": kept}
    return head | {name: merged[name] for name in ("Parameters", "Conditions")}


def test_sockets_get_logs_throttles_and_an_address_as_soon_as_there_are_some(translated: Template) -> None:
    assert "SocketsUrl" not in translated["Parameters"]
    template = with_sockets()
    edge.add(template, load)
    found = translate(template)
    stage_ = found["Resources"]["WebsocketAPIStage"]["Properties"]
    assert json.loads(stage_["AccessLogSettings"]["Format"])["route"] == "$context.routeKey"
    assert stage_["DefaultRouteSettings"]["ThrottlingRateLimit"] == {"Ref": "ApiRate"}
    assert stage_["DefaultRouteSettings"]["DataTraceEnabled"] is False
    assert found["Resources"]["SocketsDomain"]["Condition"] == "HasSocketsDomain"
    unused = {"W2001", "W8001"}  # parameters and conditions of what was left out here
    errors = [match for match in lint(dump(found), regions=["eu-central-1"]) if match.rule.id not in unused]
    assert [f"{match.rule.id} {match.message}" for match in errors] == []
