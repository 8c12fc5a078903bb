"""Routes of what waits for its owner: a link or a code opens it; the giver looks after a gift; invoices as files."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, flash, make_response, redirect, render_template, url_for
from flask_babel import gettext as _

from app.accounts import limits, login
from app.accounts import service as accounts
from app.accounts.forms import WelcomeForm
from app.accounts.pages import limited
from app.cart.pages import account as viewer
from app.core import codes
from app.core.auth import Access, access
from app.core.db import transaction
from app.core.errors import NotFound, WavecrateError
from app.core.i18n import locale_code
from app.core.store import settings
from app.letters import invoice as paper
from app.letters import queries as letters
from app.orders import claims, correspondence, invoices, visitor, waiting
from app.orders.claim_forms import CodeForm, GiftForm
from app.orders.models import Claim, ClaimKind, Order, OrderRefund

blueprint = Blueprint("claims", __name__)

# A code is 80 bits of chance: nobody comes upon one, and nobody is to keep the shop busy by trying.
_CODE = limits.Limit("gift-code", 10, 30, 60 * 60)


@blueprint.get("/claims/<token>")
@access(Access.PUBLIC)
def show(token: str) -> Any:
    """What a link is for, from whom, and the way to make it one's own."""
    return _claim_page(waiting.find(token), token)


@blueprint.post("/claims/<token>")
@access(Access.PUBLIC)
def take(token: str) -> Any:
    """Make it the person's who is signed in."""
    found = waiting.find(token)
    person = viewer()
    if person is None:
        return redirect(url_for("accounts.sign_in", next=url_for("orders.claims.show", token=token)), 303)
    try:
        with transaction():
            claims.claim(found.id, person)
    except claims.ClaimRefused as error:
        flash(str(error), "error")
        return redirect(url_for("orders.claims.show", token=token), 303)
    return _taken(found)


@blueprint.post("/claims/<token>/account")
@access(Access.PUBLIC)
def make_account(token: str) -> Any:
    """Make an account with the address that the letter with this link went to, and take what waits into it."""
    limited(limits.REDEEM, account=None)
    found = waiting.find(token)
    there = url_for("orders.claims.show", token=token)
    if viewer() is not None or not waiting.proves_address(found, token):
        return redirect(there, 303)
    form = WelcomeForm()
    if not form.validate_on_submit():
        return _claim_page(found, token, form), 422
    try:
        with transaction():
            made = accounts.register(found.to_email, form.password.data, form.name.data or "", locale=locale_code())
            claims.claim(found.id, made)
    except accounts.EmailTaken:
        flash(_("There is an account with this address by now. Sign in to it."))
        return redirect(url_for("accounts.sign_in", next=there), 303)
    except accounts.BadAccount as error:
        form.password.errors = [str(error)]
        return _claim_page(found, token, form), 422
    except claims.ClaimRefused as error:
        flash(str(error), "error")
        return redirect(there, 303)
    login.sign_in(made, remember=False)
    flash(_("Welcome, %(name)s.", name=made.name), "success")
    return _taken(found)


@blueprint.route("/gift", methods=["GET", "POST"])
@access(Access.PUBLIC)
def code() -> Any:
    """Type the code that stands on a gift."""
    form = CodeForm()
    if form.validate_on_submit():
        person = viewer()
        limited(_CODE, account=person.id if person is not None else None)
        try:
            found = waiting.find_code(form.code.data or "")
        except NotFound as error:
            form.code.errors = [str(error)]
        else:
            return redirect(waiting.path(found), 303)
    return render_template("orders/code.html", form=form), 422 if form.is_submitted() else 200


@blueprint.route("/orders/<order_id>/gifts/<claim_id>", methods=["GET", "POST"])
@access(Access.PUBLIC)
def gift(order_id: str, claim_id: str) -> Any:
    """The giver's side of a gift: what became of it, its code and link, and where it goes while nobody has it."""
    found = _given(order_id, claim_id)
    form = GiftForm()
    form.offer_days()
    if form.validate_on_submit():
        limited(limits.LETTER, account=found.order.buyer)
        try:
            with transaction():
                claims.redirect_gift(found.id, to_email=form.to_email.data or "", on=form.day)
        except claims.ClaimRefused as error:
            flash(str(error), "error")
            return redirect(url_for("orders.claims.gift", order_id=order_id, claim_id=claim_id), 303)
        except WavecrateError as error:
            form.to_email.errors = [str(error)]
        else:
            flash(_("The gift goes to %(email)s.", email=found.to_email), "success")
            return redirect(url_for("orders.claims.gift", order_id=order_id, claim_id=claim_id), 303)
    elif not form.is_submitted():
        form.to_email.data = found.to_email
        form.on.data = found.send_at.date() if found.sent_at is None else None
    page = render_template(
        "orders/gift.html",
        claim=found,
        order=found.order,
        line=found.line,
        standing=claims.standing(found),
        link=waiting.link(found),
        code=codes.spelled(found.code),
        typed_at=f"{settings().base_url}{url_for('orders.claims.code')}",
        undelivered=letters.ended_badly(correspondence.key_of(found)),
        form=form,
    )
    return _for_nobody_else(page), 422 if form.is_submitted() else 200


@blueprint.post("/orders/<order_id>/claims/<claim_id>/send-again")
@access(Access.PUBLIC)
def send_again(order_id: str, claim_id: str) -> Any:
    """Send the letter with the link once more: a gift's to who gets it, a guest's to the guest."""
    found = _of_giver(order_id, claim_id)
    limited(limits.LETTER, account=found.to_email or found.order.buyer)
    try:
        with transaction():
            claims.send_again(found.id)
    except (claims.ClaimRefused, claims.BadGift) as error:
        flash(str(error), "error")
    else:
        flash(_("We sent it to %(email)s once more.", email=found.to_email), "success")
    back = "orders.claims.gift" if found.kind == ClaimKind.GIFT else "orders.show"
    return redirect(url_for(back, order_id=order_id, claim_id=claim_id if found.line_id else None), 303)


@blueprint.get("/orders/<order_id>/invoice.pdf")
@access(Access.PUBLIC)
def invoice(order_id: str) -> Any:
    """The invoice of a paid order: to who bought it, and to who may read orders."""
    order = visitor.order_for(viewer(), order_id)
    if order is None:
        raise _unseen()
    if not invoices.has_invoice(order):
        raise NotFound(_("This order has no invoice: nothing was paid for it."))
    return _pdf(invoices.invoice(order))


@blueprint.get("/orders/<order_id>/credit-notes/<refund_id>.pdf")
@access(Access.PUBLIC)
def credit_note(order_id: str, refund_id: str) -> Any:
    """What takes back a part of the invoice: to who bought it, and to who may read orders."""
    order = visitor.order_for(viewer(), order_id)
    if order is None:
        raise _unseen()
    found = next((data for refund, data in invoices.credit_notes(order) if refund.id == refund_id), None)
    if found is None:
        raise NotFound(_("Nothing of this invoice was given back by that."))
    return _pdf(found)


@blueprint.app_template_global("claims_of")
def _claims_of(order: Order) -> list[tuple[Claim, claims.Standing]]:
    """What of an order waits for its owner, and how it stands, gifts in the order's order; for its buyer's page."""
    found = [(each, claims.standing(each)) for each in waiting.of_order(order.id)]
    return sorted(found, key=lambda pair: pair[0].line.position if pair[0].line is not None else 0)


@blueprint.app_template_global("claim_path")
def _claim_path(claim: Claim) -> str:
    return waiting.path(claim)


@blueprint.app_template_global("bought_here")
def _bought_here(order: Order) -> bool:
    """Whether whoever looks bought it, and doesn't merely run the shop."""
    person = viewer()
    if person is not None and order.account_id == person.id:
        return True
    return order.account_id is None and order.id in visitor.order_ids()


@blueprint.app_template_global("has_invoice")
def _has_invoice(order: Order) -> bool:
    return invoices.has_invoice(order)


@blueprint.app_template_global("credit_notes")
def _credit_notes(order: Order) -> list[tuple[OrderRefund, paper.InvoiceData]]:
    return invoices.credit_notes(order)


def _pdf(data: paper.InvoiceData) -> Response:
    answer = Response(paper.render(data), content_type="application/pdf")
    answer.headers["Content-Disposition"] = f'attachment; filename="{paper.filename(data)}"'
    return _for_nobody_else(answer)


def _claim_page(found: Claim, token: str, form: WelcomeForm | None = None) -> Response:
    person = viewer()
    new = None
    if person is None and waiting.proves_address(found, token) and accounts.by_email(found.to_email) is None:
        new = form or WelcomeForm(formdata=None)
    page = render_template(
        "orders/claim.html",
        claim=found,
        lines=waiting.lines_of(found),
        standing=claims.standing(found),
        token=token,
        giver=correspondence.giver_of(found),
        mine=person is not None and found.claimed_by == person.id,
        owned=person is not None and claims.owns(found, person.id),
        owned_text=claims.owned_text(found),
        over_text=claims.over_text(found),
        taken_text=claims.taken_text(found),
        known=waiting.proves_address(found, token) and new is None,
        form=new,
    )
    return _for_nobody_else(page)


def _taken(found: Claim) -> Any:
    titles = ", ".join(line.title for line in waiting.lines_of(found))
    flash(_("Yours now: %(titles)s.", titles=titles), "success")
    return redirect(url_for("storefront.library"), 303)


def _given(order_id: str, claim_id: str) -> Claim:
    found = _of_giver(order_id, claim_id)
    if found.kind != ClaimKind.GIFT:
        raise _unseen()
    return found


def _of_giver(order_id: str, claim_id: str) -> Claim:
    """The claim, for who bought it; to who merely runs the shop, its code is nothing to see."""
    order = visitor.order_for(viewer(), order_id)
    if order is None or not _bought_here(order):
        raise _unseen()
    found = next((each for each in waiting.of_order(order.id) if each.id == claim_id), None)
    if found is None:
        raise _unseen()
    return found


def _unseen() -> NotFound:
    if viewer() is None:
        return NotFound(_("There is no such order here. If you bought it with an account, sign in first."))
    return NotFound(_("There is no such order."))


def _for_nobody_else(page: Any) -> Response:
    """Not to be kept by any cache: it holds what only its reader may see."""
    answer = make_response(page)
    answer.headers["Cache-Control"] = "private, no-store"
    return answer
