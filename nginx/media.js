// What the edge works out for itself: whether a signed media path holds, and its own signature for the store.
// Runs on njs 0.7.9 (Debian 12) and later. Secrets come from the environment and are never written to a file.

import crypto from 'crypto';

const VERDICT_SECONDS = 30;
const SIGNED = /^([1-9][0-9]{0,11})\.([A-Za-z0-9]{16})\.([A-Za-z0-9_-]{43})\/(streams\/[0-9a-f]{64}\/)$/;

// A cached file of nginx's is its own header, the key, the response's headers, then the body. A body that begins
// within a page costs sendfile a quarter of its throughput, so the headers are filled up to a page's end.
const PAGE = 4096;
const CACHE_FILE_HEADER = 336; // sizeof(ngx_http_file_cache_header_t), 64-bit
const KEPT = ['content-type', 'content-length', 'content-range', 'etag', 'last-modified', 'accept-ranges'];

// The same rule as media_store/signing.py, for a token that a regular expression has already found well-formed.
function mac(secret, expires, session, prefix) {
    return crypto.createHmac('sha256', secret).update(`${expires}\n${session}\n${prefix}`).digest('base64url');
}

// Looks at every character whatever it finds, so that the time it takes tells nothing.
function same(one, other) {
    let difference = one.length ^ other.length;
    for (let i = 0; i < one.length; i++) {
        difference |= one.charCodeAt(i) ^ other.charCodeAt(i);
    }
    return difference === 0;
}

// Answers 204 while a prefix is open, and says how long the answer may be kept: never past the expiry.
function verify(r) {
    const parts = SIGNED.exec(r.headersIn['X-Signed']);
    if (!parts) {
        r.return(403);
        return;
    }
    const expires = Number(parts[1]);
    const now = Math.floor(Date.now() / 1000);
    // As many computations for a bad signature as for a good one, whichever secret signed it.
    const secrets = [process.env.SIGNING_SECRET, process.env.SIGNING_SECRET_PREVIOUS];
    let good = false;
    for (let i = 0; i < secrets.length; i++) {
        if (secrets[i]) {
            const matches = same(mac(secrets[i], parts[1], parts[2], parts[4]), parts[3]);
            good = matches || good;
        }
    }
    if (!good || now >= expires) {
        r.return(403);
        return;
    }
    // nginx keeps an answer through the second it names.
    r.headersOut['X-Accel-Expires'] = `@${Math.min(now + VERDICT_SECONDS, expires - 1)}`;
    r.return(204);
}

// AWS Signature Version 4, for a GET without a query. Nothing but letters, digits and "/._-" is in a key of ours.
function amzDate(r) {
    return new Date(Number(r.variables.msec) * 1000).toISOString().replace(/\.\d+Z$/, 'Z').replace(/[-:]/g, '');
}

function authorization(r) {
    const env = process.env;
    const moment = amzDate(r);
    const scope = `${moment.slice(0, 8)}/${r.variables.store_region}/s3/aws4_request`;
    const hash = (text) => crypto.createHash('sha256').update(text).digest('hex');
    const hmac = (key, text) => crypto.createHmac('sha256', key).update(text);
    const signed = 'host;x-amz-content-sha256;x-amz-date';
    const request = [
        'GET',
        r.variables.store_path,
        '',
        `host:${r.variables.store_host}`,
        'x-amz-content-sha256:UNSIGNED-PAYLOAD',
        `x-amz-date:${moment}`,
        '',
        signed,
        'UNSIGNED-PAYLOAD',
    ].join('\n');
    let key = `AWS4${env.S3_SECRET_KEY}`;
    const parts = scope.split('/');
    for (let i = 0; i < parts.length; i++) {
        key = hmac(key, parts[i]).digest();
    }
    const text = `AWS4-HMAC-SHA256\n${moment}\n${scope}\n${hash(request)}`;
    const signature = hmac(key, text).digest('hex');
    return `AWS4-HMAC-SHA256 Credential=${env.S3_ACCESS_KEY}/${scope}, SignedHeaders=${signed}, Signature=${signature}`;
}

// Drops what the store says of itself, and fills the headers up so that the cached body begins on a page of its own.
function tidy(r) {
    const reasons = { 200: 'OK', 206: 'Partial Content' };
    for (const name in r.headersOut) {
        if (KEPT.indexOf(name.toLowerCase()) < 0) {
            delete r.headersOut[name];
        }
    }
    const reason = reasons[r.status];
    if (!reason) {
        return;
    }
    // What the store guesses from a name is not always what HLS asks for.
    if (r.variables.media_type) {
        r.headersOut['Content-Type'] = r.variables.media_type;
    }
    let length = `HTTP/1.1 ${r.status} ${reason}\r\nServer: nginx\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n`.length;
    length += 'Connection: keep-alive\r\nX-Align: \r\n\r\n'.length;
    for (const name in r.headersOut) {
        length += name.length + String(r.headersOut[name]).length + 4;
    }
    const before = CACHE_FILE_HEADER + '\nKEY: \n'.length + r.headersIn['X-Cache-Key'].length + length;
    r.headersOut['X-Align'] = '-'.repeat(PAGE - (before % PAGE));
}

export default { verify, authorization, amzDate, tidy };
