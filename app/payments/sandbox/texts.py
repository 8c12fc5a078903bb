"""The payment page's words. A dozen strings in two languages need no catalogue of their own."""

from __future__ import annotations

_TEXTS = {
    "title": ("Wavecrate sandbox", "Wavecrate 沙盒"),
    "no_money": ("No money moves on this page.", "此页面不会产生真实扣款。"),
    "why": (
        "It stands where Stripe’s payment page would, so that a purchase can be tried from end to end.",
        "它代替 Stripe 的付款页面，让您可以完整体验一次购买。",
    ),
    "your_order": ("Your order", "您的订单"),
    "total": ("Total", "合计"),
    "email": ("E-mail", "电子邮箱"),
    "pay_with": ("Pay with", "付款方式"),
    "card": ("Card", "银行卡"),
    "alipay": ("Alipay", "支付宝"),
    "wechat_pay": ("WeChat Pay", "微信支付"),
    "paypal": ("PayPal", "PayPal"),
    "number": ("Card number", "卡号"),
    "number_help": ("Use {card} to see a card declined.", "使用 {card} 可以体验付款被拒。"),
    "sepa_debit": ("SEPA direct debit", "SEPA 直接借记"),
    "iban": ("IBAN", "IBAN"),
    "iban_help": (
        "The money comes days after you leave this page. With {iban} it never does.",
        "款项在您离开此页面几天后才到账。使用 {iban} 则不会到账。",
    ),
    "email_help": ("Where the receipt goes.", "收据将发送到这里。"),
    "country": ("Country of your billing address", "账单地址所在国家或地区"),
    "country_unsaid": ("Where the card is from", "与银行卡相同"),
    "declines": ("Or have it declined", "或者体验付款被拒"),
    "decline_help": ("To see what the shop does then.", "看看商店会如何处理。"),
    "decline_with": ("Decline: {method}", "拒绝：{method}"),
    "confirm": ("Complete the order", "完成订单"),
    "pay": ("Pay", "支付"),
    "cancel": ("Cancel and go back to the shop", "取消并返回商店"),
    "choose": ("Choose one of the ways to pay below.", "请选择下面的一种付款方式。"),
    "declined": (
        "The payment was declined. Nothing was taken. Try another way to pay.",
        "付款被拒绝，没有扣款。请换一种方式再试。",
    ),
    "bad_iban": ("This is no IBAN. Check the digits.", "IBAN 无效，请检查。"),
    "bad_email": (
        "This is no e-mail address. Write one like ada@example.org.",
        "电子邮箱无效，请按 ada@example.org 的格式填写。",
    ),
    "bad_number": ("This is no card number. Check the digits.", "卡号无效，请检查数字。"),
    "closed": ("This payment page is closed", "此付款页面已关闭"),
    "closed_paid": ("The order was paid. Go back to the shop.", "订单已付款，请返回商店。"),
    "closed_expired": (
        "It was open too long, or replaced by a newer one. Nothing was paid.",
        "页面打开时间过长，或已被新的付款页面取代。没有扣款。",
    ),
    "back": ("Back to the shop", "返回商店"),
    "nothing": ("There is no payment at this address.", "此地址没有付款。"),
}


def translate(key: str, locale: str) -> str:
    """The text in the locale (en or zh_Hans)."""
    english, chinese = _TEXTS[key]
    return chinese if locale.startswith("zh") else english
