// Signs and verifies webhooks with the senders' own SDKs. One JSON object a line on stdin, one answer a line on stdout:
//   {"op":"list"}                                                            → {"clients":[{"name":"stripe","presets":["stripe"]}, …]}
//   {"op":"sign","client":"stripe","secret":"…","url":"…","body":"…","now":1700000000}
//                                                   → {"headers":{…},"secret":"…"}: what arrives, and what its receiver is configured with
//   {"op":"verify","client":"stripe","secret":"…","url":"…","body":"…","headers":{…}}  → {"ok":true}, or false
// An SDK that only verifies is handed a request that is signed here as its documentation says, and must accept it before it is given out.
import { createHmac, createPrivateKey, createPublicKey, createSign, generateKeyPairSync, sign as signBytes } from 'node:crypto';
import { createInterface } from 'node:readline';

const hmac = (secret, text, encoding = 'hex', algorithm = 'sha256') => createHmac(algorithm, secret).update(text).digest(encoding);

/** SDKs answer no with false, with undefined or with an exception. */
const throws = (check) => async (...args) => {
  try {
    return (await check(...args)) !== false;
  } catch {
    return false;
  }
};

const clients = {
  stripe: async () => {
    const { default: Stripe } = await import('stripe');
    const { webhooks } = new Stripe('sk_test_none');
    return {
      presets: ['stripe', 'stripe-identity'],
      sign: ({ body, secret, now }) => ({ 'Stripe-Signature': webhooks.generateTestHeaderString({ payload: body, secret, timestamp: now }) }),
      verify: throws(({ body, secret, headers }) => Boolean(webhooks.constructEvent(body, headers['stripe-signature'], secret))),
    };
  },
  svix: async () => {
    const { Webhook } = await import('svix');
    return {
      presets: ['svix', 'clerk', 'resend', 'stytch', 'vanta'],
      sign: ({ body, secret, now }) => ({ 'svix-id': 'msg_1', 'svix-timestamp': String(now), 'svix-signature': new Webhook(secret).sign('msg_1', new Date(now * 1000), body) }),
      verify: throws(({ body, secret, headers }) => Boolean(new Webhook(secret).verify(body, headers))),
    };
  },
  standardwebhooks: async () => {
    const { Webhook } = await import('standardwebhooks');
    return {
      presets: ['standard-webhooks', 'openai', 'replicate', 'render', 'brex', 'etsy', 'loops', 'increase', 'incident-io', 'gitlab-signed'],
      sign: ({ body, secret, now }) => ({ 'webhook-id': 'msg_1', 'webhook-timestamp': String(now), 'webhook-signature': new Webhook(secret).sign('msg_1', new Date(now * 1000), body) }),
      verify: throws(({ body, secret, headers }) => Boolean(new Webhook(secret).verify(body, headers))),
    };
  },
  liveblocks: async () => {
    const { WebhookHandler } = await import('@liveblocks/node');
    return {
      presets: ['liveblocks'],
      body: () => JSON.stringify({ type: 'storageUpdated', data: { projectId: 'p', roomId: 'Zoë', updatedAt: '2026-01-01T00:00:00.000Z' } }),
      sign: ({ body, secret, now }) => ({
        'webhook-id': 'msg_1',
        'webhook-timestamp': String(now),
        'webhook-signature': 'v1,' + hmac(Buffer.from(secret.slice(6), 'base64'), `msg_1.${now}.${body}`, 'base64'),
      }),
      verify: throws(({ body, secret, headers }) => Boolean(new WebhookHandler(secret).verifyRequest({ headers, rawBody: body }))),
    };
  },
  octokit: async () => {
    const { sign, verify } = await import('@octokit/webhooks-methods');
    return {
      presets: ['github'],
      sign: async ({ body, secret }) => ({ 'X-Hub-Signature-256': await sign(secret, body) }),
      verify: throws(({ body, secret, headers }) => verify(secret, body, headers['x-hub-signature-256'])),
    };
  },
  slack: async () => {
    const { default: bolt } = await import('@slack/bolt');
    return {
      presets: ['slack'],
      sign: ({ body, secret, now }) => ({ 'X-Slack-Request-Timestamp': String(now), 'X-Slack-Signature': 'v0=' + hmac(secret, `v0:${now}:${body}`) }),
      verify: throws(({ body, secret, headers }) =>
        bolt.isValidSlackRequest({
          signingSecret: secret,
          body,
          headers: { 'x-slack-signature': headers['x-slack-signature'], 'x-slack-request-timestamp': Number(headers['x-slack-request-timestamp']) },
        })),
    };
  },
  shopify: async () => {
    await import('@shopify/shopify-api/adapters/node');
    const { shopifyApi, ApiVersion } = await import('@shopify/shopify-api');
    const verify = async ({ body, secret, headers }) => {
      const shopify = shopifyApi({ apiKey: 'key', apiSecretKey: secret, hostName: 'hooks.example.com', apiVersion: Object.values(ApiVersion)[0], isEmbeddedApp: false, logger: { level: 0 } });
      const rawRequest = { method: 'POST', url: '/hooks/shopify', headers: { ...headers, 'x-shopify-topic': 'orders/create', 'x-shopify-shop-domain': 'a.myshopify.com', 'x-shopify-api-version': '2025-01', 'x-shopify-webhook-id': '1' } };
      const result = await shopify.webhooks.validate({ rawBody: body, rawRequest, rawResponse: {} });
      return result.valid;
    };
    return {
      presets: ['shopify'],
      sign: ({ body, secret }) => ({ 'X-Shopify-Hmac-Sha256': hmac(secret, body, 'base64') }),
      verify: throws(verify),
    };
  },
  square: async () => {
    const { WebhooksHelper } = await import('square');
    return {
      presets: ['square'],
      sign: ({ body, secret, url }) => ({ 'x-square-hmacsha256-signature': hmac(secret, url + body, 'base64') }),
      verify: throws(({ body, secret, url, headers }) =>
        WebhooksHelper.verifySignature({ requestBody: body, signatureHeader: headers['x-square-hmacsha256-signature'], signatureKey: secret, notificationUrl: url })),
    };
  },
  workos: async () => {
    const { WorkOS } = await import('@workos-inc/node');
    const { webhooks } = new WorkOS('sk_none');
    return {
      presets: ['workos'],
      sign: async ({ body, secret, now }) => ({ 'WorkOS-Signature': `t=${now * 1000}, v1=${await webhooks.computeSignature(now * 1000, JSON.parse(body), secret)}` }),
      verify: throws(({ body, secret, headers }) => webhooks.verifyHeader({ payload: JSON.parse(body), sigHeader: headers['workos-signature'], secret })),
    };
  },
  razorpay: async () => {
    const { default: Razorpay } = await import('razorpay');
    return {
      presets: ['razorpay'],
      sign: ({ body, secret }) => ({ 'X-Razorpay-Signature': hmac(secret, body) }),
      verify: throws(({ body, secret, headers }) => Razorpay.validateWebhookSignature(body, headers['x-razorpay-signature'], secret)),
    };
  },
  sanity: async () => {
    const { encodeSignatureHeader, isValidSignature } = await import('@sanity/webhook');
    return {
      presets: ['sanity'],
      sign: async ({ body, secret, now }) => ({ 'sanity-webhook-signature': await encodeSignatureHeader(body, now * 1000, secret) }),
      verify: throws(({ body, secret, headers }) => isValidSignature(body, headers['sanity-webhook-signature'], secret)),
    };
  },
  line: async () => {
    const { validateSignature } = await import('@line/bot-sdk');
    return {
      presets: ['line'],
      sign: ({ body, secret }) => ({ 'x-line-signature': hmac(secret, body, 'base64') }),
      verify: throws(({ body, secret, headers }) => validateSignature(body, secret, headers['x-line-signature'])),
    };
  },
  paddle: async () => {
    const { Paddle } = await import('@paddle/paddle-node-sdk');
    const { webhooks } = new Paddle('key');
    return {
      presets: ['paddle'],
      sign: ({ body, secret, now }) => ({ 'Paddle-Signature': `ts=${now};h1=${hmac(secret, `${now}:${body}`)}` }),
      verify: throws(({ body, secret, headers }) => webhooks.isSignatureValid(body, secret, headers['paddle-signature'])),
    };
  },
  'adyen-platform': async () => {
    const { default: adyen } = await import('@adyen/api-library');
    const validator = new adyen.hmacValidator();
    return {
      presets: ['adyen-platform'],
      sign: ({ body, secret }) => ({ HmacSignature: validator.calculateHmac(body, secret) }),
      verify: throws(({ body, secret, headers }) => validator.validateHMACSignature(secret, headers.hmacsignature, body)),
    };
  },

  // Senders whose check is code.
  'adyen-payments': async () => {
    const { default: adyen } = await import('@adyen/api-library');
    const validator = new adyen.hmacValidator();
    const item = {
      pspReference: '7914073381342284', merchantAccountCode: 'TestMerchant', merchantReference: 'TestPayment-1407325143704',
      amount: { value: 1130, currency: 'EUR' }, eventCode: 'AUTHORISATION', success: 'true', eventDate: '2026-01-01T00:00:00+00:00', paymentMethod: 'visa', reason: '',
    };
    return {
      presets: ['adyen', 'adyen-payments'],
      body: ({ secret }) => JSON.stringify({
        live: 'false',
        notificationItems: [{ NotificationRequestItem: { ...item, additionalData: { hmacSignature: validator.calculateHmac(item, secret) } } }],
      }),
      sign: () => ({}),
      verify: throws(({ body, secret }) => JSON.parse(body).notificationItems.every((entry) => validator.validateHMAC(entry.NotificationRequestItem, secret))),
    };
  },
  twilio: async () => {
    const { default: twilio } = await import('twilio');
    return {
      presets: ['twilio'],
      contentType: 'application/x-www-form-urlencoded',
      body: () => new URLSearchParams({ CallSid: 'CA1234567890ABCDE', Caller: '+14158675310', Digits: '1234', From: '+14158675310', Name: 'Zoë & Co' }).toString(),
      sign: ({ body, secret, url }) => ({ 'X-Twilio-Signature': twilio.getExpectedTwilioSignature(secret, url, Object.fromEntries(new URLSearchParams(body))) }),
      verify: throws(({ body, secret, url, headers }) => twilio.validateRequest(secret, headers['x-twilio-signature'], url, Object.fromEntries(new URLSearchParams(body)))),
    };
  },
  sendgrid: async () => {
    const { default: sendgrid } = await import('@sendgrid/eventwebhook');
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
    const spki = publicKey.export({ type: 'spki', format: 'der' }).toString('base64');
    const events = new sendgrid.EventWebhook();
    return {
      presets: ['sendgrid'],
      secret: () => spki,
      sign: ({ body, now }) => ({
        'X-Twilio-Email-Event-Webhook-Timestamp': String(now),
        'X-Twilio-Email-Event-Webhook-Signature': createSign('sha256').update(now + body).sign(privateKey).toString('base64'),
      }),
      verify: throws(({ body, secret, headers }) =>
        events.verifySignature(events.convertPublicKeyToECDSA(secret), body, headers['x-twilio-email-event-webhook-signature'], headers['x-twilio-email-event-webhook-timestamp'])),
    };
  },
  discord: async () => {
    const { verifyKey } = await import('discord-interactions');
    const seed = Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), Buffer.alloc(32, 7)]);
    const privateKey = createPrivateKey({ key: seed, format: 'der', type: 'pkcs8' });
    const raw = createPublicKey(privateKey).export({ type: 'spki', format: 'der' }).subarray(-32).toString('hex');
    return {
      presets: ['discord'],
      secret: () => raw,
      sign: ({ body, now }) => ({ 'X-Signature-Timestamp': String(now), 'X-Signature-Ed25519': signBytes(null, Buffer.from(now + body), privateKey).toString('hex') }),
      verify: throws(({ body, secret, headers }) => verifyKey(body, headers['x-signature-ed25519'], headers['x-signature-timestamp'], secret)),
    };
  },
};

const loaded = new Map();
const client = (name) => {
  if (!loaded.has(name)) {
    loaded.set(name, clients[name]());
  }
  return loaded.get(name);
};
const lower = (headers) => Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));

async function answer(request) {
  if (request.op === 'list') {
    return { clients: await Promise.all(Object.keys(clients).map(async (name) => ({ name, presets: (await client(name)).presets }))) };
  }

  const sdk = await client(request.client);
  if (request.op === 'verify') {
    return { ok: await sdk.verify({ ...request, headers: lower(request.headers) }) };
  }

  const secret = sdk.secret?.(request) ?? request.secret;
  const body = sdk.body?.(request) ?? request.body;
  const headers = await sdk.sign({ ...request, secret, body });
  if (!(await sdk.verify({ ...request, secret, body, headers: lower(headers) }))) {
    throw new Error(`${request.client} refuses what was signed for it`);
  }
  return { headers: { 'Content-Type': sdk.contentType ?? 'application/json', ...headers }, secret, body };
}

// SDKs may chat on the console; stdout is for answers.
console.log = console.info = console.debug = console.warn = console.error;
for await (const line of createInterface({ input: process.stdin })) {
  let reply;
  try {
    reply = await answer(JSON.parse(line));
  } catch (error) {
    reply = { error: String(error?.stack ?? error) };
  }
  process.stdout.write(JSON.stringify(reply) + '\n');
}
