"""The bucket: objects put, read in parts, copied and deleted, and links that let others do it for a while.

Links are signed here and not by an S3 client, which takes a tenth of a second to make: showing a message needs none.
"""

import os
from datetime import timedelta
from functools import lru_cache
from typing import Any
from urllib.parse import quote, urlencode

from botocore import auth
from botocore.awsrequest import AWSRequest
from botocore.compat import get_current_datetime
from botocore.credentials import ReadOnlyCredentials
from botocore.exceptions import ClientError, HTTPClientError

from chalicelib.core import aws
from chalicelib.core.config import settings
from chalicelib.core.errors import UnavailableError
from chalicelib.core.frozen import frozen

_MISSING = {"404", "NoSuchKey", "NoSuchVersion", "NotFound"}


@frozen
class Stored:
    """One version of an object; whoever overwrites the key makes another one."""

    key: str
    version: str
    size: int


@frozen
class Form:
    """Where to post a file, and the fields that go before it."""

    url: str
    fields: dict[str, str]


def put(key: str, data: bytes, content_type: str) -> None:
    """Store an object."""
    _call("put_object", Key=key, Body=data, ContentType=content_type)


def find(key: str) -> Stored | None:
    """Return the newest version of an object, or None."""
    try:
        answer = aws.call("s3", "head_object", {"Bucket": settings().files_bucket, "Key": key})
    except ClientError as exc:
        if aws.error_code(exc) in _MISSING:
            return None
        raise UnavailableError from exc
    return Stored(key, answer.get("VersionId", "null"), answer["ContentLength"])


def read(stored: Stored, start: int, length: int) -> bytes:
    """Read a part of exactly this version."""
    span = f"bytes={start}-{start + length - 1}"
    answer = _call("get_object", Key=stored.key, VersionId=stored.version, Range=span)
    found = _body(answer)
    # A server may leave the range out of account (RFC 9110, 14.2), as ministack does for a version.
    return found if "ContentRange" in answer else found[start : start + length]


def read_whole(key: str) -> bytes:
    """Read an object that is small."""
    return _body(_call("get_object", Key=key))


def copy(stored: Stored, key: str, content_type: str) -> None:
    """Copy exactly this version to another key."""
    source = {"Bucket": settings().files_bucket, "Key": stored.key, "VersionId": stored.version}
    _call("copy_object", Key=key, CopySource=source, ContentType=content_type, MetadataDirective="REPLACE")


def begin_parts(key: str, content_type: str) -> str:
    """Begin an object that is sent in parts; returns the upload's id."""
    answer = _call("create_multipart_upload", Key=key, ContentType=content_type)
    upload_id: str = answer["UploadId"]
    return upload_id


def put_part(key: str, upload_id: str, number: int, data: bytes) -> bool:
    """Store a part, which has at least 5 MB unless it is the last; doing it again replaces it.

    False if there is no such upload: it is complete, or was given up.
    """
    try:
        _call_parts("upload_part", Key=key, UploadId=upload_id, PartNumber=number, Body=data)
    except _NoUploadError:
        return False
    return True


def join_parts(key: str, upload_id: str) -> bool:
    """Make an object of its parts, at most 10,000. A call for each thousand of them, and one more. False as above."""
    parts: list[dict[str, Any]] = []
    more = True
    try:
        while more:
            after = {"PartNumberMarker": parts[-1]["PartNumber"]} if parts else {}
            found = _call_parts("list_parts", Key=key, UploadId=upload_id, **after)
            parts += [{"PartNumber": each["PartNumber"], "ETag": each["ETag"]} for each in found["Parts"]]
            more = found.get("IsTruncated", False)
        _call_parts("complete_multipart_upload", Key=key, UploadId=upload_id, MultipartUpload={"Parts": parts})
    except _NoUploadError:
        return False
    return True


def delete_all(prefix: str) -> None:
    """Delete every object below a prefix: a few at most."""
    for each in _call("list_objects_v2", Prefix=prefix).get("Contents", []):
        _call("delete_object", Key=each["Key"])


def delete_some(prefix: str) -> bool:
    """Delete up to a thousand objects below a prefix; False if there are more."""
    found = _call("list_objects_v2", Prefix=prefix, MaxKeys=1000)
    if keys := [{"Key": each["Key"]} for each in found.get("Contents", [])]:
        failed = _call("delete_objects", Delete={"Objects": keys, "Quiet": True}).get("Errors", [])
        if failed:
            raise UnavailableError
    return not found.get("IsTruncated", False)


def link(key: str, content_type: str, disposition: str, seconds: int) -> str:
    """Return an address that serves an object with this type and disposition for a while. No call."""
    headers = {"response-content-type": content_type, "response-content-disposition": disposition}
    request = AWSRequest("GET", _place().url + quote(key, safe="/~") + "?" + urlencode(headers, quote_via=quote))
    auth.S3SigV4QueryAuth(_credentials(), "s3", _place().region, expires=seconds).add_auth(request)
    signed = str(request.url)
    return f"{settings().files_url}/{signed.removeprefix(_place().url)}"


def upload_form(key: str, content_type: str, size: int, seconds: int) -> Form:
    """Return a form that stores one object under this key: of this type, with exactly so many bytes. No call."""
    request = AWSRequest("POST", _place().url)
    fields = {"key": key, "Content-Type": content_type}
    until = get_current_datetime() + timedelta(seconds=seconds)
    request.context["s3-presign-post-fields"] = fields
    request.context["s3-presign-post-policy"] = {
        "expiration": until.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "conditions": [
            {"bucket": settings().files_bucket},
            {"key": key},
            {"Content-Type": content_type},
            ["content-length-range", size, size],
        ],
    }
    auth.S3SigV4PostAuth(_credentials(), "s3", _place().region).add_auth(request)
    return Form(settings().uploads_url or _place().url, {name: str(value) for name, value in fields.items()})


@frozen
class _Place:
    """The bucket's own address, which ends with a slash."""

    url: str
    region: str


@lru_cache(maxsize=1)
def _place() -> _Place:
    session, bucket = aws.session(), settings().files_bucket
    region = session.get_config_variable("region")
    # botocore's own setting for another S3 than Amazon's; those are asked by path.
    own = os.environ.get("AWS_ENDPOINT_URL_S3", "").rstrip("/")
    return _Place(f"{own}/{bucket}/" if own else f"https://{bucket}.s3.{region}.amazonaws.com/", region)


def _credentials() -> ReadOnlyCredentials:
    found = aws.session().get_credentials()
    if found is None:
        raise UnavailableError
    return found.get_frozen_credentials()


class _NoUploadError(Exception):
    pass


def _body(answer: aws.Params) -> bytes:
    try:
        found: bytes = answer["Body"].read()
    except HTTPClientError as exc:
        raise UnavailableError from exc
    return found


def _call(operation: str, **params: object) -> aws.Params:
    try:
        return aws.call("s3", operation, {"Bucket": settings().files_bucket, **params})
    except ClientError as exc:
        raise UnavailableError from exc


def _call_parts(operation: str, **params: object) -> aws.Params:
    try:
        return aws.call("s3", operation, {"Bucket": settings().files_bucket, **params})
    except ClientError as exc:
        raise (_NoUploadError if aws.error_code(exc) == "NoSuchUpload" else UnavailableError) from exc
