"""The window of ``render_mode="human"``; needs the extra ``human`` (pygame)."""

import numpy as np
from numpy.typing import NDArray


class Window:
    """A window that shows at most ``fps`` images per second; the first one opens it."""

    def __init__(self, fps: int, title: str = "proxylab") -> None:
        """Import pygame; the ``ImportError`` names the extra to install."""
        try:
            import pygame
        except ImportError as error:
            raise ImportError(
                "render_mode='human' needs pygame: pip install 'proxylab[human]'"
            ) from error
        self._pygame = pygame
        self._fps = fps
        self._title = title
        self._screen = None
        self._clock = pygame.time.Clock()
        self.closed = False

    def show(self, rgb: NDArray[np.uint8]) -> None:
        """Show uint8[H, W, 3]. Does nothing after the user has closed the window."""
        if self.closed:
            return
        pygame, size = self._pygame, (rgb.shape[1], rgb.shape[0])
        if self._screen is None:
            pygame.display.init()
            pygame.display.set_caption(self._title)
        if self._screen is None or self._screen.get_size() != size:
            self._screen = pygame.display.set_mode(size)
        if any(event.type == pygame.QUIT for event in pygame.event.get()):
            self.close()
            return
        self._screen.blit(pygame.surfarray.make_surface(np.swapaxes(rgb, 0, 1)), (0, 0))
        pygame.display.flip()
        self._clock.tick(self._fps)

    def close(self) -> None:
        """Close the window; it stays closed."""
        if self._screen is not None:
            self._pygame.display.quit()
        self._screen, self.closed = None, True
