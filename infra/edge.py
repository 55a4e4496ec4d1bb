"""What stands before the functions: access logs, throttling and tracing of the gateway, and the firewall's own answer.

Parts that need no code are in app.merge.yaml. A WebSocket API gets the same, once app.py has one.
"""

import json
from pathlib import Path
from typing import Any

from infra.gateway_responses import envelope, headers

Template = dict[str, Any]

# Variables of the gateway's own making, never what a caller wrote: a query string, a header or a path may hold a token.
# https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-variables-for-access-logging.html
ACCESS_LOG = {
    "request": "$context.requestId",
    "time": "$context.requestTimeEpoch",
    "method": "$context.httpMethod",
    "route": "$context.resourcePath",
    "status": "$context.status",
    "ms": "$context.responseLatency",
    "integration_ms": "$context.integrationLatency",
    "authorizer_ms": "$context.authorizer.latency",
    "bytes": "$context.responseLength",
    "caller": "$context.authorizer.principalId",
    "refusal": "$context.error.responseType",
    "trace": "$context.xrayTraceId",
}
SOCKETS_ACCESS_LOG = {
    "request": "$context.requestId",
    "time": "$context.requestTimeEpoch",
    "connection": "$context.connectionId",
    "event": "$context.eventType",
    "route": "$context.routeKey",
    "status": "$context.status",
    "integration_ms": "$context.integrationLatency",
    "caller": "$context.authorizer.principalId",
}
_LOGS = {"Fn::GetAtt": ["AccessLogs", "Arn"]}
# The gateway's execution logs hold bodies and headers: they stay off.
_THROTTLED = {
    "ThrottlingRateLimit": {"Ref": "ApiRate"},
    "ThrottlingBurstLimit": {"Ref": "ApiBurst"},
    "LoggingLevel": "OFF",
    "DataTraceEnabled": False,
}
_TOO_MANY = "floods"
_SOCKETS = Path(__file__).with_name("sockets.yaml")


def add(template: Template, load: Any) -> None:  # noqa: ANN401 - infra.template's, which imports this module
    """Set what holds for every stage of the application's APIs."""
    resources = template["Resources"]
    api = resources["RestAPI"]["Properties"]
    # The metrics' dimension: with one name for all, two stages in one account would share theirs.
    api["Name"] = api["DefinitionBody"]["info"]["title"] = {"Ref": "AWS::StackName"}
    api["OpenApiVersion"] = "2.0"  # without it SAM makes a second stage, `Stage`, which has nothing of what follows
    api["TracingEnabled"] = True
    api["AccessLogSetting"] = {"DestinationArn": _LOGS, "Format": json.dumps(ACCESS_LOG)}
    api["MethodSettings"] = [{"ResourcePath": "/*", "HttpMethod": "*", "MetricsEnabled": False, **_THROTTLED}]
    (rule,) = resources["FirewallAcl"]["Properties"]["Rules"]
    rule["Action"] = {"Block": {"CustomResponse": _firewall_answer()}}
    body = json.dumps(envelope("THROTTLED", ""))  # the firewall knows no request id
    bodies = {_TOO_MANY: {"ContentType": "APPLICATION_JSON", "Content": body}}
    resources["FirewallAcl"]["Properties"]["CustomResponseBodies"] = bodies
    if "WebsocketAPI" in resources:
        _add_sockets(template, load(_SOCKETS))


def _firewall_answer() -> Template:
    sent = [{"Name": name, "Value": value} for name, value in sorted(headers("THROTTLED").items())]
    return {"ResponseCode": 429, "CustomResponseBodyKey": _TOO_MANY, "ResponseHeaders": sent}


def _add_sockets(template: Template, address: Template) -> None:
    resources = template["Resources"]
    resources["WebsocketAPI"]["Properties"]["Name"] = {"Fn::Sub": "${AWS::StackName}-sockets"}
    stage = resources["WebsocketAPIStage"]["Properties"]
    stage["AccessLogSettings"] = {"DestinationArn": _LOGS, "Format": json.dumps(SOCKETS_ACCESS_LOG)}
    stage["DefaultRouteSettings"] = {"DetailedMetricsEnabled": False, **_THROTTLED}
    for section, parts in address.items():
        template.setdefault(section, {}).update(parts)
