"""The body of an answer, read no further than is allowed."""

import aiohttp

_CHUNK_BYTES = 256 * 1024


async def read_body(response: aiohttp.ClientResponse, most_bytes: int) -> bytes | None:
    """Return the decompressed body, None if it is longer than allowed; the rest is not read then."""
    chunks, size = [], 0
    async for chunk in response.content.iter_chunked(_CHUNK_BYTES):
        chunks.append(chunk)
        size += len(chunk)
        if size > most_bytes:
            return None
    return b"".join(chunks)
