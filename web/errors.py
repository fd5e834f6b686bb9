"""What the desk answers when it refuses: problem details (RFC 9457) in zh and en, with a fix."""

import json
import logging
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from clues.photos import FileRefused
from configs.errors import InputError, ResourceError, StoreAway, StoreError, TubanError
from configs.told import Told

__all__ = ["MEDIA_TYPE", "PROBLEM", "Problem", "install", "problem_response"]

log = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"
OGC = "/ogc"

TITLES: dict[int, Told] = {
    400: Told("请求无法理解", "The request is not understood"),
    401: Told("请先登录", "Sign in first"),
    403: Told("无此权限", "Not allowed"),
    404: Told("没有此内容", "Nothing is here"),
    405: Told("不支持此操作", "The method is not supported"),
    409: Told("与现状不符", "It does not fit what is there"),
    412: Told("内容已被他人更改", "Somebody changed it meanwhile"),
    413: Told("内容过大", "The content is too large"),
    408: Told("上传过慢", "The content came too slowly"),
    415: Told("文件类型不接受", "The kind of file is not taken"),
    422: Told("填写有误", "A value is wrong"),
    428: Told("缺少版本号", "The version is missing"),
    429: Told("请求过多", "Too many requests"),
    500: Told("系统内部错误", "An error inside the desk"),
    503: Told("数据库暂不可用", "The store is away for now"),
}
FIXES: dict[int, Told] = {
    400: Told("检查请求内容", "check the request"),
    401: Told("登录，或使用有效的访问令牌", "sign in, or use a token that is valid"),
    403: Told("请有权限的人员办理", "ask somebody whose role may do this"),
    404: Told("检查编号；也可能不在您的辖区", "check the number; it may lie outside your area"),
    405: Told("参见 /openapi.json", "see /openapi.json"),
    408: Told("检查网络后重新上传", "check the connection and send it again"),
    409: Told("刷新后重试", "load it again and look"),
    412: Told("刷新后重试", "load it again, look, and repeat"),
    413: Told("压缩或拆分后重试", "make it smaller and send it again"),
    415: Told("上传 JPEG、PNG 或 PDF", "send JPEG, PNG or PDF"),
    422: Told("按提示改正后重试", "mend the values named and send it again"),
    428: Told("在 If-Match 中写入所见版本号", "send the version you saw as If-Match"),
    429: Told("稍后再试", "try again later"),
    500: Told("稍后重试；若仍出现，请管理员查看日志", "try again; if it stays, look at the log"),
    503: Told("稍后重试", "try again in a moment"),
}


TEXTS = (
    *("type", "title", "title_zh", "title_en", "detail", "detail_zh", "detail_en"),
    *("fix_zh", "fix_en"),
)
PROBLEM: dict[str, Any] = {
    "type": "object",
    "title": "Problem",
    "description": "Problem details (RFC 9457); `type` ends in a stable word for programs.",
    "required": ["status", *TEXTS],
    "properties": {"status": {"type": "integer"}, **{n: {"type": "string"} for n in TEXTS}},
}
"""JSON schema of a refusal; some have further members."""


class Problem(Exception):
    """A refusal with a status of HTTP.

    Parameters
    ----------
    status : int
    detail : Told
        What is wrong, with the value.
    fix : Told, optional
        What the reader can do; that of the status otherwise.
    kind : str
        Stable word for programs.
    more : dict, optional
        Further members.
    """

    def __init__(
        self,
        status: int,
        detail: Told,
        fix: Told | None = None,
        *,
        kind: str = "",
        more: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(status, detail)
        self.status, self.detail, self.fix = status, detail, fix
        self.kind, self.more = kind, more or {}


def problem_response(
    status: int,
    detail: Told | None = None,
    fix: Told | None = None,
    *,
    kind: str = "",
    more: dict[str, Any] | None = None,
    headers: dict[str, str] | None = None,
) -> Response:
    """Return problem details as a response."""
    title = TITLES.get(status, TITLES[400 if status < 500 else 500])
    said = detail or title
    fixed = fix or FIXES.get(status, FIXES[400 if status < 500 else 500])
    content = {
        "type": f"urn:tuban:problem:{kind or status}",
        "status": status,
        "title": title.en,
        "title_zh": title.zh,
        "title_en": title.en,
        "detail": said.en,
        "detail_zh": said.zh,
        "detail_en": said.en,
        "fix_zh": fixed.zh,
        "fix_en": fixed.en,
    } | (more or {})
    body = json.dumps(content, ensure_ascii=False).encode("utf-8", "replace")
    return Response(body, status, headers, MEDIA_TYPE)


def install(app: FastAPI) -> None:
    """Let every refusal and error of an app be answered as problem details."""
    app.add_exception_handler(Problem, _problem)
    app.add_exception_handler(TubanError, _tuban)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _unforeseen)


def _as_told(request: Request, status: int) -> int:
    """Return the status of a refusal: what OGC API calls a wrong value is 400."""
    return 400 if status == 422 and request.url.path.startswith(OGC) else status


async def _problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)
    status = _as_told(request, error.status)
    headers = {"WWW-Authenticate": "Bearer"} if error.status == 401 else None
    return problem_response(
        status, error.detail, error.fix, kind=error.kind, more=error.more, headers=headers
    )


async def _tuban(request: Request, error: Exception) -> Response:
    assert isinstance(error, TubanError)
    status = _as_told(request, getattr(error, "status", 0) or _status_of(error))
    if status >= 500:
        log.error("%s (%s)", error.what, error.where, exc_info=error)
    if status == 500:
        return problem_response(500)
    told = getattr(error, "told", None) or Told(error.what, error.what)
    fixed = getattr(error, "told_fix", None) or Told(error.fix, error.fix)
    if status == 503:
        told, fixed = TITLES[503], FIXES[503]
    kind = getattr(error, "kind", "")
    return problem_response(status, told, fixed, kind=kind, more=getattr(error, "more", None))


def _status_of(error: TubanError) -> int:
    if isinstance(error, FileRefused):
        return 415
    if isinstance(error, StoreAway):
        return 503
    if isinstance(error, InputError):
        return 422
    if isinstance(error, StoreError):
        return 409
    return 503 if isinstance(error, ResourceError) else 500


async def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    found = [
        {"where": ".".join(str(p) for p in e["loc"]), "what": str(e["msg"])[:200]}
        for e in error.errors()[:20]
    ]
    where = "、".join(f["where"] for f in found)
    told = "; ".join(f"{f['where']}: {f['what']}" for f in found)
    status, detail = _as_told(request, 422), Told(f"填写有误：{where}", told)
    return problem_response(status, detail, kind="values", more={"errors": found})


async def _http(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    headers = dict(error.headers or {})
    return problem_response(error.status_code, headers=headers or None)


async def _unforeseen(request: Request, error: Exception) -> Response:
    log.error("%s %s failed", request.method, request.url.path, exc_info=error)
    return problem_response(500)
