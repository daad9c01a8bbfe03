from extensions.ext_mail import mail
from flask import Blueprint, request
from libs.page import page
from tasks.mail_code_task import send_code_mail_task

blueprint = Blueprint("mails", __name__)


@blueprint.get("/health")
def health() -> str:
    return "ready" if mail.is_inited() else "no mail"


@blueprint.post("/codes")
def send_code() -> str:
    send_code_mail_task.delay(language="en-US", to=request.form["to"], code=request.form["code"])
    return "queued"


@blueprint.post("/mails")
def send_mail() -> str:
    mail.send(to=request.form["to"], subject=request.form["code"], html=page(request.form["code"]))
    return "sent"
