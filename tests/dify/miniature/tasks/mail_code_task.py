import logging

from celery import shared_task
from extensions.ext_mail import mail
from libs.page import page

logger = logging.getLogger(__name__)


@shared_task(queue="mail")
def send_code_mail_task(language: str, to: str, code: str) -> None:
    if not mail.is_inited():
        return
    try:
        mail.send(to=to, subject=code, html=page(code))
    except Exception:
        logger.exception("Send code mail to %s failed", to)
