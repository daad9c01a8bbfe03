from app import app, celery

__all__ = ["app", "celery"]
