"""What the answers on accounts, runs, the audit and the public view look like; see `toldmodels`."""

import datetime as dt
from typing import Any

from pydantic import BaseModel, Field

from web.toldmodels import Image

__all__ = [
    "AuditCheck",
    "BatchList",
    "Health",
    "ImageList",
    "KeptComment",
    "KeptFile",
    "NewToken",
    "Outlined",
    "PublicCells",
    "PublicTotals",
    "Rejudged",
    "RunList",
    "Session",
    "Timeline",
    "TokenList",
    "User",
    "UserList",
]


class Health(BaseModel):
    """The desk works."""

    status: str
    version: str


class User(BaseModel):
    """An account, without its secrets."""

    name: str
    display: str
    role: str
    division: str
    active: bool
    must_change: bool


class UserList(BaseModel):
    """All accounts by name."""

    items: list[User]


class Session(BaseModel):
    """Who is signed in; nulls where nobody is."""

    user: User | None
    csrf: str | None = Field(description="Writes name it in X-CSRF-Token.")


class NewToken(BaseModel):
    """A token; the secret is told this once."""

    id: int
    name: str
    secret: str


class Token(BaseModel):
    """A token, without its secret."""

    id: int
    name: str
    created_at: dt.datetime
    expires_at: dt.datetime | None
    revoked_at: dt.datetime | None


class TokenList(BaseModel):
    """One's tokens."""

    items: list[Token]


class KeptComment(BaseModel):
    """A comment that was taken."""

    id: int
    text: str
    by: str
    at: dt.datetime
    case_no: str | None


class KeptFile(BaseModel):
    """A file that was taken."""

    id: int
    sha256: str
    name: str
    media_type: str
    kind: str
    size: int
    by: str
    at: dt.datetime


class Rejudged(BaseModel):
    """What judging again answered; see `web.services.Rejudgement`."""

    findings: list[dict[str, Any]]
    differences: list[dict[str, Any]]
    found: str = Field(description="What the layers know: covers, elsewhere, unlocated, unknown.")
    told_zh: str
    told_en: str
    is_kept: bool


class NewClue(BaseModel):
    """A clue that an outline made."""

    clue_no: str
    patch_id: str


class Outlined(BaseModel):
    """What a clue became."""

    version: str
    tallies: dict[str, int]
    clues: list[NewClue]


class Timeline(BaseModel):
    """Periods that showed a thing and events of its cases; each has its kind and moment."""

    items: list[dict[str, Any]]


class Run(BaseModel):
    """A run, and how many of its clues the caller sees."""

    name: str
    county_code: str
    county_name: str
    period_before: dt.date | None
    period_after: dt.date | None
    clues: int


class RunList(BaseModel):
    """Runs, the newest last."""

    items: list[Run]


class Batch(BaseModel):
    """A batch, and how many of its clues the caller sees."""

    batch: str
    year: int
    number: int
    issue_date: dt.date
    due_date: dt.date
    clues: int


class BatchList(BaseModel):
    """Batches in their order."""

    items: list[Batch]


class ImageList(BaseModel):
    """Images that map tiles are cut from."""

    items: list[Image]


class AuditCheck(BaseModel):
    """What a check of the store found."""

    events: int
    rows: int
    files: int
    checkpoints: int
    is_sound: bool
    broken: str = Field("", description="The first fault; told to who sees every division.")


class PublicTotal(BaseModel):
    """Clues of one kind in a county; few are told in round numbers."""

    county_code: str
    change_type: str
    outcome: str
    patches: int
    area_dm2: int
    rounded: bool


class PublicCell(PublicTotal):
    """The same in a cell, by its corner in degrees."""

    west: float
    south: float


class PublicCells(BaseModel):
    """Clues by cells."""

    cell_degrees: float
    items: list[PublicCell]


class PublicTotals(BaseModel):
    """Clues by county."""

    items: list[PublicTotal]
