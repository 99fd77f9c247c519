from .decode import read_image as read_image
from .image_source import ReadSettings as ReadSettings
from .prepared_source import PreparedSource as PreparedSource
from .prepared_store import cache_folder as cache_folder
from .prepared_store import clear_store as clear_store
from .prepared_store import prepare_images as prepare_images
from .prepared_store import store_size as store_size
from .resize import resize_image as resize_image
