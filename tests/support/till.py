"""The shop beside a payment sandbox in its own process: orders are paid, refunded and disputed at the sandbox itself,
and what it has to say reaches the shop when a test lets it."""

from __future__ import annotations

from pathlib import Path

from flask import Flask
from support.sandbox import Controls, direct_client

from app.core.db import db, transaction
from app.core.money import Money
from app.orders import settlement
from app.orders.models import Order
from app.payments import stripe_gateway
from app.payments.contract import CheckoutLine, CheckoutOrder
from app.payments.sandbox import server

FAILING_REFUNDS, SLOW_REFUNDS = "4000000000005126", "4000000000007726"


class Till:
    """A sandbox of the app's own."""

    def __init__(self, app: Flask, directory: Path) -> None:
        config = server.Config(
            directory / "till.sqlite",
            "http://sandbox.test",
            server.PULL,
            app.extensions["settings"].stripe_webhook_secret.get_secret_value(),
        )
        self.app, self.sandbox = app, server.create_sandbox(config)
        self.does = Controls(self.sandbox)
        self.client = app.extensions["stripe"] = direct_client(self.sandbox)

    def open(self, order: Order) -> str:
        """A payment page for a pending order; its id, which the order has, too."""
        lines = tuple(CheckoutLine(line.title, Money(line.price_minor, order.currency)) for line in order.lines)
        page = stripe_gateway.open_checkout(
            CheckoutOrder(order.id, lines, order.email, "http://shop.test/ok", "http://shop.test/cart", "en")
        )
        with transaction():
            db.session.get_one(Order, order.id).checkout_id = page.id
        return page.id

    def pay(self, order: Order, **means: str) -> str:
        """Have the buyer pay it, and the shop ask; the payment's id."""
        payment_id: str = self.does.pay(self.open(order), **means)["payment_intent"]
        settlement.settle(order.id)
        return payment_id

    def refund(self, payment_id: str, amount: int) -> str:
        """Give money back as somebody at the gateway's dashboard would; the refund's id."""
        return self.client.v1.refunds.create({"payment_intent": payment_id, "amount": amount}).id

    def tell(self) -> list[str]:
        """Have the shop hear what it wasn't told yet, by signed webhooks; the events' types."""
        told = []
        browser = self.app.test_client()
        while waiting := self.does.take():
            for each in waiting:
                answer = browser.post(
                    "/webhooks/stripe", data=each["body"], headers={"Stripe-Signature": each["signature"]}
                )
                assert answer.status_code == 204, answer.text
                told.append(each["type"])
            self.does.report(delivered=[each["delivery"] for each in waiting])
        db.session.rollback()
        db.session.expire_all()
        return told
