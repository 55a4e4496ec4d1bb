"""A versioned bucket in memory, as much of S3 as the product calls; test_bucket.py compares it with another one."""

import io
import re
from typing import Any

from botocore.exceptions import ClientError

from chalicelib.core import ids
from chalicelib.core.aws import Params


class Bucket:
    """Objects by key, each with all its versions, oldest first; None is a delete marker."""

    def __init__(self) -> None:
        self.versions: dict[str, list[tuple[str, bytes | None, str]]] = {}

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

    def _get_object(self, Key: str, VersionId: str, Range: str) -> Params:  # noqa: N803
        first, last = map(int, re.findall(r"\d+", Range))
        data = self._of(Key, VersionId)
        return {"Body": io.BytesIO(data[first : last + 1]), "ContentRange": f"bytes {first}-{last}/{len(data)}"}

    def _copy_object(self, Key: str, CopySource: dict[str, Any], ContentType: str, **_: str) -> Params:  # noqa: N803
        return self._put_object(Key, self._of(CopySource["Key"], CopySource["VersionId"]), ContentType)

    def _list_objects_v2(self, Prefix: str) -> Params:  # noqa: N803
        return {"Contents": [{"Key": key} for key in self.present() if key.startswith(Prefix)]}

    def _delete_object(self, Key: str) -> Params:  # noqa: N803
        self.versions.setdefault(Key, []).append((ids.new_ulid(), None, ""))
        return {}

    def _of(self, key: str, wanted: str) -> bytes:
        for version, data, _ in self.versions.get(key, []):
            if version == wanted and data is not None:
                return data
        raise _error("NoSuchVersion", "GetObject")


def _error(code: str, operation: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": code}}, operation)
