import os
import time

from dify_app import DifyApp


def init_app(app: DifyApp) -> None:
    os.environ["TZ"] = "UTC"
    time.tzset()
