// What the edge works out for a miss in its cache: its own signature for the store, and headers that fit the cache.
// A hit passes without any of it: an HMAC by njs costs half of what sending a segment costs (docs/adr/0010-edge.md).
// Runs on njs 0.7.9 (Debian 12) and later. The store's keys come from the environment and are never written to a file.

import crypto from 'crypto';

// A cached file of nginx's is its own header, the key, the response's headers, then the body. A body that begins
// within a page costs sendfile a quarter of its throughput, so the headers are filled up to a page's end.
const PAGE = 4096;
const CACHE_FILE_HEADER = 336; // sizeof(ngx_http_file_cache_header_t), 64-bit
const KEPT = ['content-type', 'content-length', 'content-range', 'etag', 'last-modified', 'accept-ranges'];

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

export default { authorization, amzDate, tidy };
