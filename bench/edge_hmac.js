// The verdict as njs would give it: HMAC-SHA256 over expiry, session and prefix. bench/delivery.py compares the edge
// with this, and nothing else loads it.

import crypto from 'crypto';

function open(r) {
    const v = r.variables;
    const message = `${v.media_last}\n${v.media_session}\n${v.media_prefix}`;
    const inTime = Date.now() < (Number(v.media_last) + 1) * 1000;
    return signedBy(process.env.BENCH_SECRET, message, v.media_mac) && inTime ? '1' : '';
}

// Both sides are hashed again under the secret, so how long the comparison takes tells nothing of what was expected:
// a comparison of all characters by hand costs ten times as much.
function signedBy(secret, message, given) {
    const hmac = (text) => crypto.createHmac('sha256', secret).update(text).digest('base64url');
    return hmac(hmac(message)) === hmac(given);
}

export default { open };
