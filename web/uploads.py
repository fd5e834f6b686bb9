"""Files sent to clues and fetched again: streamed in, told by their bytes, never shown as pages."""

import threading
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Depends, Path, Request, Response
from fastapi.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile
from starlette.responses import FileResponse

from clues.cases.casefiles import file_path
from clues.store.attachmentview import seen_file
from clues.uploads import check_upload
from configs.told import Told
from web import officemodels
from web.access import Caller, may
from web.answers import answer
from web.asking import ClueNo, TheDesk
from web.clues_api import seen_clue
from web.desk import Desk
from web.errors import Problem

__all__ = ["KINDS", "router"]

router = APIRouter(prefix="/api", tags=["files"])

Sender = Annotated[Caller, Depends(may("attach"))]
Viewer = Annotated[Caller, Depends(may("attachments"))]
Digest = Annotated[str, Path(pattern=r"^[0-9a-f]{64}$", description="SHA-256 of the file.")]

KINDS = ("photo", "document", "approval", "decision", "other")
AT_ONCE = 2
"""Files that are checked at the same time: each lies in memory whole."""

HARMLESS = "default-src 'none'; sandbox"
FORM = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {
                        "file": {"type": "string", "format": "binary"},
                        "kind": {"type": "string", "enum": list(KINDS)},
                        "case_no": {"type": "string"},
                    },
                }
            }
        },
    }
}

_checking = threading.BoundedSemaphore(AT_ONCE)


@router.post(
    "/clues/{clue_no}/attachments",
    status_code=201,
    summary="Send a file",
    response_model=officemodels.KeptFile,
    openapi_extra=FORM,
)
async def add_attachment(
    request: Request, desk: TheDesk, caller: Sender, clue_no: ClueNo
) -> Response:
    """Keep a photo or scan of a clue: JPEG, PNG or PDF, told by its bytes."""
    await run_in_threadpool(seen_clue, desk, caller, clue_no)
    if not request.headers.get("content-type", "").startswith("multipart/form-data"):
        raise Problem(415, Told("须以表单上传", "send it as multipart/form-data"))
    async with request.form(max_files=1, max_fields=4, max_part_size=4096) as form:
        file = form.get("file")
        if not isinstance(file, UploadFile):
            raise Problem(422, Told("表单中没有文件", "the form holds no file"), kind="values")
        kind, case_no = _words(form)
        kept = await run_in_threadpool(_keep, desk, caller, clue_no, file, kind, case_no)
    return answer(request, kept, 201)


def _words(form: Any) -> tuple[str, str | None]:
    kind, case_no = form.get("kind") or "", form.get("case_no") or None
    if not isinstance(kind, str) or kind not in ("", *KINDS):
        names = ", ".join(KINDS)
        raise Problem(422, Told(f"kind 须为：{names}", f"kind is one of: {names}"), kind="values")
    plain = case_no is None or (isinstance(case_no, str) and case_no.isprintable())
    if not plain or len(case_no or "") > 40:
        raise Problem(422, Told("案件编号有误", "case_no is none"), kind="values")
    return kind, case_no


def _keep(
    desk: Desk, caller: Caller, clue_no: str, file: UploadFile, kind: str, case_no: str | None
) -> dict[str, Any]:
    with _checking:
        data = file.file.read()
        found = check_upload(data, file.filename or "")
        usual = "document" if found.media_type == "application/pdf" else "photo"
        return desk.casebook.attach(
            caller.actor,
            clue_no,
            data,
            found.name,
            found.media_type,
            kind=kind or usual,
            case_no=case_no,
            facts=found.facts,
        )


@router.get(
    "/attachments/{sha256}",
    summary="A file",
    response_class=Response,
    responses={200: {"content": {"image/jpeg": {}, "image/png": {}, "application/pdf": {}}}},
)
def read_attachment(request: Request, desk: TheDesk, caller: Viewer, sha256: Digest) -> Response:
    """Return a file that is linked to a clue the caller sees; it is always saved, never run."""
    with desk.store.engine.connect() as connection:
        kept = seen_file(connection, sha256, caller.scope)
    path = file_path(desk.attachments, sha256)
    if kept is None or not path.is_file():
        raise Problem(404, Told("没有此附件", "there is no such file"))
    headers = {
        "ETag": f'"{sha256}"',
        "Cache-Control": "private, max-age=86400, immutable",
        "Content-Security-Policy": HARMLESS,
        "Content-Disposition": f"attachment; filename*=UTF-8''{quote(kept.name, safe='')}",
    }
    if sha256 in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    return FileResponse(path, media_type=kept.media_type, headers=headers)
