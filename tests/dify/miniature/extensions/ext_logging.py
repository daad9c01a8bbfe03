import logging

from configs import dify_config
from dify_app import DifyApp


def init_app(app: DifyApp) -> None:
    logging.basicConfig(level=dify_config.LOG_LEVEL, format="%(levelname)s [%(name)s] %(message)s", force=True)
