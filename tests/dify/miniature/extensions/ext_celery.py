from celery import Celery, Task
from configs import dify_config
from dify_app import DifyApp


def init_app(app: DifyApp) -> Celery:
    class FlaskTask(Task):
        def __call__(self, *args: object, **kwargs: object) -> object:
            with app.app_context():
                return self.run(*args, **kwargs)

    celery_app = Celery(app.name, task_cls=FlaskTask, broker=dify_config.CELERY_BROKER_URL)
    celery_app.conf.update(
        broker_connection_retry_on_startup=True,
        broker_transport_options={"visibility_timeout": dify_config.CELERY_VISIBILITY_TIMEOUT},
        imports=["tasks.mail_code_task"],
        task_ignore_result=True,
        worker_hijack_root_logger=False,
    )
    celery_app.set_default()
    app.extensions["celery"] = celery_app
    return celery_app
