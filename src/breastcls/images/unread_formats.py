"""Kinds of files that are recognised but not read, and how to convert each of them."""

from __future__ import annotations

_PILLOW = 'Convert it to PNG: `PIL.Image.open(file).convert("RGB").save("image.png")`'
_SLIDE = "Cut the slide into patches first, for example with OpenSlide or QuPath"
# Byte position, signature, kind and remedy.
_SIGNATURES = (
    (0, b"version https://git-lfs", "a Git LFS pointer", "Download the file with `git lfs pull`"),
    (0, b"\x93NUMPY", "a NumPy file", 'Convert it to PNG: `PIL.Image.fromarray(numpy.load(file)).save("image.png")`'),
    (0, b"PK\x03\x04", "a compressed archive (or an .npz, .xlsx or OpenRaster file)", "Unpack it first"),
    (0, b"\x1f\x8b", "a compressed archive (gzip)", "Unpack it first"),
    (0, b"BZh", "a compressed archive (bzip2)", "Unpack it first"),
    (0, b"\xfd7zXZ\0", "a compressed archive (xz)", "Unpack it first"),
    (0, b"7z\xbc\xaf\x27\x1c", "a compressed archive (7-Zip)", "Unpack it first"),
    (0, b"Rar!", "a compressed archive (RAR)", "Unpack it first"),
    (0, b"\x28\xb5\x2f\xfd", "a compressed archive (Zstandard)", "Unpack it first"),
    (0, b"\xff\x0a", "a JPEG XL image", "Convert it to PNG with `djxl file.jxl image.png`"),
    (4, b"JXL \r\n\x87\n", "a JPEG XL image", "Convert it to PNG with `djxl file.jxl image.png`"),
    (0, b"II\xbc", "a JPEG XR image", "Convert it to PNG with `JxrDecApp -i file.jxr -o image.png`"),
    (128, b"DICM", "a DICOM file", "Convert it to PNG, for example with pydicom or wsidicom"),
    (0, b"\x89HDF\r\n\x1a\n", "an HDF5 file", "Read the arrays with h5py and save them as PNG"),
    (0, b"8BPS", "a Photoshop file", _PILLOW),
    (0, b"%PDF", "a PDF document", "Convert its pages to PNG with `pdftoppm -png file.pdf page`"),
    (0, b"\x76\x2f\x31\x01", "an OpenEXR image", "Convert it to an 8-bit PNG"),
    (0, b"\0\0\x01\0", "an icon (ICO)", _PILLOW),
    (0, b"SIMPLE  =", "a FITS file", "Read the arrays with astropy and save them as PNG"),
    (0, b"ZISRAWFILE", "a Zeiss slide (CZI)", _SLIDE),
    (0, b"\xda\xce\xbe\x0a", "a Nikon microscope file (ND2)", _SLIDE),
    (0, b"FORM", "an IFF file", _PILLOW),
    (0, b"gimp xcf", "a GIMP file", "Export it as PNG"),
    (0, b"farbfeld", "a farbfeld image", "Convert it to PNG"),
    (0, b"qoif", "a QOI image", _PILLOW),
    (0, b"\x80\x04\x95", "a pickle, which is never loaded because it can run code", "Save the pixels as PNG"),
)
_HEIF_BRANDS = frozenset((b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"))
_HEIF_REMEDY = (
    "Convert it to PNG, for example with `heif-convert file.heic image.png`, or set the camera to its most compatible "
    "format"
)


def is_avif(data: bytes) -> bool:
    """Return whether the content begins as an AVIF file."""
    return data[4:8] == b"ftyp" and bool(_brands(data) & {b"avif", b"avis"})


def describe_content(data: bytes) -> tuple[str, str]:
    """Return what a file is that is not read, and what to do about it.

    Args:
        data: The content of the file, not empty.

    Returns:
        The kind, such as `"a DICOM file"`, and the remedy; the remedy is empty if the content is not recognised.
    """
    for position, signature, kind, remedy in _SIGNATURES:
        if (
            data[position:].startswith(signature)
            if position == 0
            else data[position : position + len(signature)] == (signature)
        ):
            return kind, remedy
    if data[4:8] == b"ftyp":
        if _brands(data) & _HEIF_BRANDS:
            return "a HEIF image (HEIC)", _HEIF_REMEDY
        return "a video or another file of the MPEG-4 family", "Save its frames as PNG"
    if data[:1] == b"P" and data[1:2] in b"1234567" and data[2:3].isspace():
        return "a Netpbm image (PBM, PGM, PPM)", _PILLOW
    head = data[:256].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if head.startswith((b"<!doc", b"<html")):
        return "a web page, perhaps the error page of a download", "Download the image again"
    if head.startswith(b"<svg") or (head.startswith(b"<?xml") and b"<svg" in data[:1024].lower()):
        return "a vector drawing (SVG)", "Render it as PNG"
    return _describe_unknown(data), ""


def _brands(data: bytes) -> set[bytes]:
    length = min(int.from_bytes(data[:4], "big"), 256)
    return {data[8:12]} | {data[place : place + 4] for place in range(16, length, 4)}


def _describe_unknown(data: bytes) -> str:
    head = data[:48]
    if not any(head):
        return "a file that begins with zeros, as files do after an interrupted copy"
    text = head.decode("utf-8", "ignore")
    if text and all(character.isprintable() or character.isspace() for character in text):
        return f"text that begins {text[:24]!r}"
    return f"a file that begins with the bytes {data[:8].hex(' ')}"
