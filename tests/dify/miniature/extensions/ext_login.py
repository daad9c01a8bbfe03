from dify_app import DifyApp


def init_app(app: DifyApp) -> None:
    app.secret_key = "miniature"
