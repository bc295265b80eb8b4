"""The cache, which every module may import; `create_app` tells it where it is.

Whatever shows albums is kept in the namespace ALBUMS, so that one call makes all of it go. To draw
a picture takes longer, and no change of an album changes it: pictures are kept beside.
"""

from kcache_flask import Cache

__all__ = ["ALBUMS", "PICTURES", "cache"]

ALBUMS = "albums"
PICTURES = "pictures"

cache = Cache()
