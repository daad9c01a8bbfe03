import logging
import time

from configs import dify_config
from dify_app import DifyApp


def create_app() -> DifyApp:
    app = DifyApp(__name__)
    app.config.from_mapping(dify_config.model_dump())
    initialize_extensions(app)
    return app


def initialize_extensions(app: DifyApp) -> None:
    from extensions import ext_blueprints, ext_celery, ext_logging, ext_login, ext_mail, ext_timezone

    for extension in (ext_timezone, ext_logging, ext_celery, ext_login, ext_mail, ext_blueprints):
        name = extension.__name__.rpartition(".")[2]
        if hasattr(extension, "is_enabled") and not extension.is_enabled():
            logging.getLogger(__name__).debug("Skipped %s", name)
            continue
        before = time.perf_counter()
        extension.init_app(app)
        logging.getLogger(__name__).debug("Loaded %s (%.1f ms)", name, (time.perf_counter() - before) * 1000)
