"""A job, its steps, and how callers see it."""

from collections.abc import Callable, Mapping
from dataclasses import field
from typing import ClassVar, Literal

from pydantic import Field

from chalicelib.core.errors import NotFoundError
from chalicelib.core.frozen import frozen
from chalicelib.core.http import Response
from chalicelib.core.http.schema import Timestamp
from chalicelib.core.table import Write

Status = Literal["pending", "running", "completed"]


class JobNotFoundError(NotFoundError):
    """No such job in this tenant, or one that ended more than 30 days ago."""


@frozen
class Job:
    """A job as it stands. Its stages are done one after the other, each in as many steps as it needs."""

    tenant_id: str
    id: str
    kind: str
    args: Mapping[str, str]
    created_by: str
    created_at: int  # milliseconds
    updated_at: int
    status: Status = "pending"
    stage: int = 0
    stages: int = 1
    steps: int = 0  # taken so far: what a step is conditioned on
    cursor: str | None = None  # a stage's own note of where it stopped
    done: int = 0  # rows dealt with
    completed_at: int | None = None
    result: Mapping[str, int] = field(default_factory=dict)  # what came of how many rows
    output: str | None = None  # the name of the file that it has made
    pos: int = 1
    download_url: str | None = None  # of that file, for who may have it; never stored


@frozen
class Step:
    """What a stage does next, for the one transaction that also moves the job on."""

    writes: list[Write] = field(default_factory=list)
    done: int = 0  # rows dealt with
    finished: bool = False  # the stage has nothing more to do
    cursor: str | None = None
    counted: Mapping[str, int] = field(default_factory=dict)  # what came of these rows, added to the job's result
    changed: tuple[str, ...] = ()  # partitions of aggregates that got news
    output: str | None = None  # the name of the file that the job has made
    long: bool = False  # it took as long as many: another function may go on from here


# Reads what is left to do. It may be called again for a step whose transaction failed, so it must not write.
Stage = Callable[[Job], Step]


class Progress(Response):
    """How far a job is."""

    done: int = Field(description="Objects dealt with so far.")
    stage: int = Field(description="Stages that are done.")
    stages: int


class JobOut(Response):
    """Work that goes on after the answer."""

    versioned: ClassVar[bool] = False

    id: str
    kind: str = Field(examples=["contact.merge"])
    status: Status = Field(description="`completed` is for good; a job never stops halfway.")
    progress: Progress
    result: dict[str, int] = Field(
        description="How many objects had which outcome; empty where there is only one. Of an export of a tenant, how "
        "many it has of which kind."
    )
    download_url: str | None = Field(
        description="The file that the job has made: for a day, and this link for 15 minutes. Null for members below "
        "admin; of an export of a tenant, for all but owners.",
        examples=[None],
    )
    created_by: str = Field(examples=["usr_01JB3D2N6T8V4W5X7Y9Z0A1B2C"])
    created_at: Timestamp
    updated_at: Timestamp
    completed_at: Timestamp | None

    @classmethod
    def of(cls, job: Job) -> "JobOut":
        """Show a job."""
        return cls.model_validate(
            {
                **{name: getattr(job, name) for name in cls.model_fields if name != "progress"},
                "progress": {"done": job.done, "stage": job.stage, "stages": job.stages},
            }
        )
