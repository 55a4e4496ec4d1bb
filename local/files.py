"""What stands before the bucket in a region: the distribution that serves files, and S3's door for direct uploads.

Requests go on to ministack as they came; it checks their signatures. What the distribution adds is read from its
template (infra/app.merge.yaml).
"""

import asyncio
import hmac
import http.client
import io
from collections.abc import Mapping
from urllib.parse import urlsplit

import multipart
from botocore.auth import S3SigV4PostAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from local.engines import AWS_REGION, CREDENTIAL
from local.gateway.answers import Answer
from local.kinds import Receive, Scope, Send
from local.template import application_resources

MAX_BYTES = 26 * 1024 * 1024  # of a direct upload, with what is around it
_FORWARDED = ("range", "if-range", "if-none-match", "if-modified-since", "content-type")
_RETURNED = ("content-type", "content-disposition", "content-range", "accept-ranges", "etag", "last-modified")
_PREFLIGHT = {"access-control-allow-methods": "GET, HEAD, POST", "access-control-allow-headers": "*"}


class FilesDoor:
    """An ASGI application below one path of the gateway."""

    def __init__(self, endpoint: str, bucket: str, path: str) -> None:
        self._host = urlsplit(endpoint).netloc
        self._bucket = bucket
        self._path = path
        self._headers = distribution_headers()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        method = scope["method"]
        key = (scope.get("raw_path") or scope["path"].encode()).decode("latin-1").removeprefix(self._path).lstrip("/")
        body = await _read(receive)
        if body is None:
            answer = Answer(413, [], b"")
        elif method == "OPTIONS":
            answer = Answer(200, [], b"")
        elif (method == "POST") != (key == "") or method not in {"GET", "HEAD", "POST"}:
            answer = Answer(405, [], b"")
        elif method == "POST" and not _is_signed(scope, body):
            answer = Answer(403, [], b"")
        else:
            answer = await asyncio.to_thread(self._forward, method, key, scope, body)
        added = _CORS | _PREFLIGHT if method in {"POST", "OPTIONS"} else self._headers
        answer.headers += [(name.encode(), value.encode()) for name, value in added.items()]
        await answer.send(send)

    def _forward(self, method: str, key: str, scope: Scope, body: bytes) -> Answer:
        sent = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        query = scope["query_string"].decode("latin-1")
        if method != "POST" and "X-Amz-Signature=" not in query:
            return Answer(403, [], b"")  # ministack lets everybody in without a signature, S3 nobody
        connection = http.client.HTTPConnection(self._host, timeout=30)
        try:
            target = f"/{self._bucket}/{key}" + (f"?{query}" if query else "")
            connection.request(method, target, body or None, _only(sent, _FORWARDED))
            found = connection.getresponse()
            data = found.read()
        finally:
            connection.close()
        kept = _only({name.lower(): value for name, value in found.getheaders()}, _RETURNED)
        return Answer(found.status, [(name.encode(), value.encode("latin-1")) for name, value in kept.items()], data)


def _is_signed(scope: Scope, body: bytes) -> bool:
    """Check the signature of a form's policy, which ministack leaves out; whether the policy holds, it does check."""
    content_type = dict(scope["headers"]).get(b"content-type", b"").decode("latin-1")
    _, options = multipart.parse_options_header(content_type)
    try:
        parser = multipart.MultipartParser(io.BytesIO(body), options.get("boundary", ""), spool_limit=MAX_BYTES)
        fields = {part.name.lower(): part.value for part in parser if part.filename is None}
    except (ValueError, LookupError):
        return False
    request = AWSRequest("POST", "/")
    request.context["timestamp"] = fields.get("x-amz-date", "")
    signer = S3SigV4PostAuth(Credentials(CREDENTIAL, CREDENTIAL), "s3", AWS_REGION)
    expected: str = signer.signature(fields.get("policy", ""), request)
    return hmac.compare_digest(expected.encode(), fields.get("x-amz-signature", "").encode())


def distribution_headers() -> dict[str, str]:
    """Return the headers that the distribution puts on every answer."""
    policy = application_resources("AWS::CloudFront::ResponseHeadersPolicy")["FilesHeaders"]
    config = policy["ResponseHeadersPolicyConfig"]
    security = config["SecurityHeadersConfig"]
    return {
        "content-security-policy": security["ContentSecurityPolicy"]["ContentSecurityPolicy"],
        "x-content-type-options": "nosniff",
        "referrer-policy": security["ReferrerPolicy"]["ReferrerPolicy"],
        **{each["Header"].lower(): each["Value"] for each in config["CustomHeadersConfig"]["Items"]},
        **_CORS,
    }


_CORS = {"access-control-allow-origin": "*"}


def _only(headers: Mapping[str, str], names: tuple[str, ...]) -> dict[str, str]:
    return {name: headers[name] for name in names if name in headers}


async def _read(receive: Receive) -> bytes | None:
    parts, size, more = [], 0, True
    while more:
        message = await receive()
        part = message.get("body", b"")
        size += len(part)
        if size <= MAX_BYTES:
            parts.append(part)
        more = message.get("more_body", False)
    return b"".join(parts) if size <= MAX_BYTES else None
