from controllers.mails import blueprint
from dify_app import DifyApp


def init_app(app: DifyApp) -> None:
    app.register_blueprint(blueprint)
