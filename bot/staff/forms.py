"""What a form of the staff page brings. Files stay in memory: a library's temporary file would lie unsealed on the disk."""

from aiohttp import BodyPartReader, web
from aiohttp.http_exceptions import HttpProcessingError

from bot.channels.pictures import LARGEST_DATA

LARGEST_FORM = LARGEST_DATA + 100_000  # bytes: one picture, and words
_NO_FORM = (
    ValueError,
    AssertionError,
    RuntimeError,
    HttpProcessingError,
)  # what the library raises for such a body
# What word processors and web pages paste: nobody sees these breaks, and faq.yaml takes none of them.
_ODD_BREAKS = str.maketrans(dict.fromkeys("\x85\u2028\u2029", "\n"))
Form = tuple[dict[str, str], dict[str, bytes]]


async def form_of(request: web.Request) -> Form:
    """The fields, their line breaks as people type them. Raises 400, and 413 beyond the server's limit."""
    try:
        data = await request.post()
    except _NO_FORM:
        raise web.HTTPBadRequest(text="this is no form") from None
    return {key: value.translate(_ODD_BREAKS) for key, value in data.items() if isinstance(value, str)}, {}


async def with_files(request: web.Request) -> Form:
    """The fields, and the files that are not empty. Raises 400, and 413 beyond LARGEST_FORM."""
    if request.content_type != "multipart/form-data":
        return await form_of(request)
    fields, files, left = dict[str, str](), dict[str, bytes](), LARGEST_FORM
    try:
        async for part in await request.multipart():
            if not isinstance(part, BodyPartReader) or part.name is None:
                raise ValueError
            data = await _read(part, left)
            left -= len(data)
            if part.filename is None:
                fields[part.name] = data.decode().translate(_ODD_BREAKS)
            elif data:
                files[part.name] = data
    except _NO_FORM:
        raise web.HTTPBadRequest(text="this is no form") from None
    return fields, files


async def _read(part: BodyPartReader, most: int) -> bytes:
    data = bytearray()
    while chunk := await part.read_chunk(65_536):
        data += chunk
        if len(data) > most:
            raise web.HTTPRequestEntityTooLarge(most, len(data))
    return bytes(data)
