"""Two agents side by side on the same level, as a GIF."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from proxylab.storage.whole_files import whole_file

BACKGROUND, INK, MUTED = (255, 255, 255), (34, 34, 34), (110, 110, 110)
GAP, CAPTION_HEIGHT = 16, 46


def side_by_side(
    runs: Sequence[Sequence[NDArray[np.uint8]]],
    captions: Sequence[str],
    endings: Sequence[str],
    height: int = 280,
    patience: int | None = None,
) -> list[Image.Image]:
    """Frames that show several runs side by side; a run that is over keeps its last picture.

    Args:
        runs: for each agent, a list of pictures uint8[H, W, 3], all of one size.
        captions: for each agent, its name.
        endings: for each agent, the caption after its run is over.
        height: of each picture, in pixels.
        patience: frames to wait for the others once a run is over, before they are cut
            to their last picture; ``None`` shows all of them.

    Returns:
        List of Pillow images, one per time step.
    """
    if patience is not None:
        wait = min(len(run) for run in runs) + patience
        runs = [run if len(run) <= wait else [*run[:wait], run[-1]] for run in runs]
    return [
        _frame(
            [run[min(step, len(run) - 1)] for run in runs],
            captions,
            [end if step >= len(run) - 1 else "" for run, end in zip(runs, endings, strict=True)],
            height,
        )
        for step in range(max(len(run) for run in runs))
    ]


def write_gif(
    frames: Sequence[Image.Image],
    path: str | Path,
    frames_per_second: float = 8,
    hold_seconds: float = 1.5,
) -> Path:
    """Write frames as a looping GIF that holds its last frame; returns the path."""
    path = Path(path)
    palette = _film_strip(frames).quantize(256, method=Image.Quantize.MEDIANCUT)
    small = [frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame in frames]
    durations = [round(1000 / frames_per_second)] * len(small)
    durations[-1] = round(1000 * hold_seconds)
    options = {"append_images": small[1:], "duration": durations, "loop": 0, "optimize": True}
    with whole_file(path) as temporary:
        small[0].save(temporary, "GIF", save_all=True, **options)
    return path


def _film_strip(frames: Sequence[Image.Image]) -> Image.Image:
    """First, middle and last frame in one image, for the palette."""
    chosen = [frames[0], frames[len(frames) // 2], frames[-1]]
    strip = Image.new("RGB", (frames[0].width, 3 * frames[0].height))
    for k, frame in enumerate(chosen):
        strip.paste(frame, (0, k * frame.height))
    return strip


def _frame(
    pictures: Sequence[NDArray[np.uint8]],
    captions: Sequence[str],
    endings: Sequence[str],
    height: int,
) -> Image.Image:
    scaled = [_scale(picture, height) for picture in pictures]
    width = sum(image.width for image in scaled) + GAP * (len(scaled) + 1)
    canvas = Image.new("RGB", (width, height + CAPTION_HEIGHT + GAP), BACKGROUND)
    draw, left = ImageDraw.Draw(canvas), GAP
    for image, caption, ending in zip(scaled, captions, endings, strict=True):
        draw.text((left, 5), caption, INK, _font(16, bold=True))
        draw.text((left, 25), ending, MUTED, _font(14))
        canvas.paste(image, (left, CAPTION_HEIGHT))
        left += image.width + GAP
    return canvas


def _scale(picture: NDArray[np.uint8], height: int) -> Image.Image:
    image = Image.fromarray(np.asarray(picture, np.uint8))
    size = (round(image.width * height / image.height), height)
    return image.resize(size, Image.Resampling.LANCZOS if height < image.height else 0)


def _font(size: int, bold: bool = False) -> ImageFont.FreeTypeFont:
    """The font that comes with matplotlib, so that every machine draws the same."""
    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    return ImageFont.truetype(str(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / name), size)
