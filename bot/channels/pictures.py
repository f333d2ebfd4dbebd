"""Pictures in the one form in which they travel: a JPEG that every platform takes, without what a camera writes beside it.

Telegram takes 10 MB and 10,000 pixels of width and height together, LINE 10 MB and a preview of 1 MB (Messaging API
reference, "Image message"). A phone's picture of a face is legible far below that.
"""

import io
import warnings

from PIL import Image, ImageOps

LARGEST_DATA = 20_000_000  # bytes that are looked at; what Telegram lets a bot fetch
_SIDE, _SMALL_SIDE, _MOST_BYTES, _MOST_PIXELS = 2048, 480, 1_000_000, 60_000_000
_LONGEST = 20  # times the width, or the height; Telegram takes no more
_FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP")


class NoPictureError(Exception):
    """Not a picture that can be passed on. The message says why and holds nothing of the content."""


def normal(data: bytes) -> bytes:
    """`data` as a JPEG of at most 1 MB, upright, without place, time and camera. Raises NoPictureError."""
    if len(data) > LARGEST_DATA:
        raise NoPictureError("larger than 20 MB")
    picture = _opened(data)
    if max(picture.size) > _LONGEST * min(picture.size):
        raise NoPictureError("too long and narrow")
    for side, quality in ((_SIDE, 88), (_SIDE, 70), (_SIDE // 2, 70)):
        made = _jpeg(picture, side, quality)
        if len(made) <= _MOST_BYTES:
            break
    return made


def small(jpeg: bytes) -> bytes:
    """A preview of a `normal` picture."""
    return _jpeg(_opened(jpeg), _SMALL_SIDE, 80)


def _opened(data: bytes) -> Image.Image:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # a size that only a bomb has is a warning first
            with Image.open(io.BytesIO(data), formats=_FORMATS) as picture:
                if picture.width * picture.height > _MOST_PIXELS or not min(picture.size):
                    raise NoPictureError("too many pixels")
                return _flat(ImageOps.exif_transpose(picture))
    except NoPictureError:
        raise
    except Exception as err:  # Pillow's readers raise whatever the bytes lead them to
        raise NoPictureError(f"cannot be read ({type(err).__name__})") from None


def _flat(picture: Image.Image) -> Image.Image:
    """In three colours; what is transparent becomes white."""
    if picture.mode in ("RGB", "L"):
        return picture.convert("RGB")
    layer = picture.convert("RGBA")
    flat = Image.new("RGB", layer.size, "white")
    flat.paste(layer, mask=layer.getchannel("A"))
    return flat


def _jpeg(picture: Image.Image, side: int, quality: int) -> bytes:
    shown = picture.copy()
    shown.thumbnail((side, side))
    out = io.BytesIO()
    shown.save(out, "JPEG", quality=quality, optimize=True)
    return out.getvalue()
