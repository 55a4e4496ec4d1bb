"""A versioned bucket in memory, as much of S3 as the product calls; test_bucket.py compares it with another one."""

import hashlib
import io
import re
from typing import Any

from botocore.exceptions import ClientError

from chalicelib.core import ids
from chalicelib.core.aws import Params

LEAST_PART = 5 * 1024 * 1024  # of all parts but the last


class Bucket:
    """Objects by key, each with all its versions, oldest first; None is a delete marker."""

    def __init__(self) -> None:
        self.versions: dict[str, list[tuple[str, bytes | None, str]]] = {}
        self.uploads: dict[tuple[str, str], tuple[str, dict[int, bytes]]] = {}  # type and parts, of those not complete

    def __call__(self, operation: str, params: Params) -> Params:
        """Answer a call."""
        answer: Params = getattr(self, f"_{operation}")(
            **{name: each for name, each in params.items() if name != "Bucket"}
        )
        return answer

    def post(self, key: str, data: bytes, content_type: str = "application/octet-stream") -> None:
        """Store an object as a form does, without looking at the form's policy."""
        self._put_object(Key=key, Body=data, ContentType=content_type)

    def present(self) -> list[str]:
        """Return the keys that have an object now."""
        return sorted(key for key, versions in self.versions.items() if versions[-1][1] is not None)

    def data(self, key: str) -> bytes:
        """Return an object's bytes."""
        data = self.versions[key][-1][1]
        assert data is not None
        return data

    def _put_object(self, Key: str, Body: bytes, ContentType: str) -> Params:  # noqa: N803 - S3's names
        version = ids.new_ulid()
        self.versions.setdefault(Key, []).append((version, Body, ContentType))
        return {"VersionId": version}

    def _head_object(self, Key: str) -> Params:  # noqa: N803
        version, data, _ = (self.versions.get(Key) or [("", None, "")])[-1]
        if data is None:
            raise _error("404", "HeadObject")
        return {"VersionId": version, "ContentLength": len(data)}

    def _get_object(self, Key: str, VersionId: str = "", Range: str = "") -> Params:  # noqa: N803
        if not VersionId:
            return {"Body": io.BytesIO(self._of(Key, self._head_object(Key)["VersionId"]))}
        first, last = map(int, re.findall(r"\d+", Range))
        data = self._of(Key, VersionId)
        return {"Body": io.BytesIO(data[first : last + 1]), "ContentRange": f"bytes {first}-{last}/{len(data)}"}

    def _copy_object(self, Key: str, CopySource: dict[str, Any], ContentType: str, **_: str) -> Params:  # noqa: N803
        return self._put_object(Key, self._of(CopySource["Key"], CopySource["VersionId"]), ContentType)

    def _create_multipart_upload(self, Key: str, ContentType: str) -> Params:  # noqa: N803
        upload_id = ids.new_ulid()
        self.uploads[Key, upload_id] = (ContentType, {})
        return {"UploadId": upload_id}

    def _upload_part(self, Key: str, UploadId: str, PartNumber: int, Body: bytes) -> Params:  # noqa: N803
        self._upload(Key, UploadId)[1][PartNumber] = Body
        return {"ETag": _etag(Body)}

    def _list_parts(self, Key: str, UploadId: str, PartNumberMarker: int = 0) -> Params:  # noqa: N803
        parts = sorted(each for each in self._upload(Key, UploadId)[1].items() if each[0] > PartNumberMarker)
        return {
            "Parts": [{"PartNumber": number, "ETag": _etag(data)} for number, data in parts[:1000]],
            "IsTruncated": len(parts) > 1000,
        }

    def _complete_multipart_upload(self, Key: str, UploadId: str, MultipartUpload: Params) -> Params:  # noqa: N803
        content_type, parts = self._upload(Key, UploadId)
        named = [(each["PartNumber"], each["ETag"]) for each in MultipartUpload["Parts"]]
        assert named == [(number, _etag(data)) for number, data in sorted(parts.items())]
        data = [parts[number] for number, _ in named]
        if any(len(each) < LEAST_PART for each in data[:-1]):
            raise _error("EntityTooSmall", "CompleteMultipartUpload")
        del self.uploads[Key, UploadId]
        return self._put_object(Key, b"".join(data), content_type)

    def _upload(self, key: str, upload_id: str) -> tuple[str, dict[int, bytes]]:
        if (key, upload_id) not in self.uploads:
            raise _error("NoSuchUpload", "UploadPart")
        return self.uploads[key, upload_id]

    def _head_bucket(self) -> Params:
        return {}

    def _list_objects_v2(self, Prefix: str, MaxKeys: int = 1000) -> Params:  # noqa: N803
        found = [{"Key": key} for key in self.present() if key.startswith(Prefix)]
        return {"Contents": found[:MaxKeys], "IsTruncated": len(found) > MaxKeys}

    def _delete_objects(self, Delete: Params) -> Params:  # noqa: N803
        for each in Delete["Objects"]:
            self._delete_object(each["Key"])
        return {}

    def _delete_object(self, Key: str) -> Params:  # noqa: N803
        self.versions.setdefault(Key, []).append((ids.new_ulid(), None, ""))
        return {}

    def _of(self, key: str, wanted: str) -> bytes:
        for version, data, _ in self.versions.get(key, []):
            if version == wanted and data is not None:
                return data
        raise _error("NoSuchVersion", "GetObject")


def _etag(data: bytes) -> str:
    return f'"{hashlib.md5(data, usedforsecurity=False).hexdigest()}"'


def _error(code: str, operation: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": code}}, operation)
