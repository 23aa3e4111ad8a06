#!/usr/bin/env python3
"""Makes the vector of a preset: a request as the sender would send it, and some that must be refused.

    tests/corpus/vector.py NAME...     writes tests/corpus/vendor-vectors/NAME.json for each preset
    tests/corpus/vector.py --missing   for every preset that has no vector yet

It knows the words of a scheme and Python's hashlib, and not a line of the gateway: what is signed here and accepted there says something about both.
A vector that the sender published beats a computed one. Write such a file by hand, with "origin": "published" and where it is from.
"""
import base64, datetime, hashlib, hmac, json, pathlib, sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
PRESETS = ROOT / "gateway" / "Signatures" / "Presets"
VECTORS = ROOT / "tests" / "corpus" / "vendor-vectors"
NOW = 1767225600  # 2026-01-01T00:00:00Z
PUBLIC_URL, PATH = "https://hooks.example.com", "/in"
TEXT = "a-secret-of-thirty-two-characters"
HEX = "44782DEF547AAA06C910C43932B1EB0C71FC68D9D0C057550C48EC2ACF6BA056"
BASE64 = "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def spell_time(unit, now):
    if unit == "ms":
        return str(now * 1000 + 123)
    if unit == "iso":
        return datetime.datetime.fromtimestamp(now, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    return str(now)


def secret_for(scheme):
    if scheme["kind"] == "basic":
        return "user:" + TEXT
    key = scheme.get("key", {})
    return key.get("strip", "") + {"hex": HEX, "base64": BASE64}.get(key.get("encoding"), TEXT)


def key_for(scheme, secret):
    key = scheme.get("key", {})
    text = secret.removeprefix(key.get("strip", ""))
    data = {"hex": bytes.fromhex, "base64": base64.b64decode}.get(key.get("encoding"), str.encode)(text)
    if key.get("derive") == "sha1":
        return hashlib.sha1(data).digest()
    if key.get("derive") == "sha256hex":
        return hashlib.sha256(data).hexdigest().encode()
    return data


def body_for(scheme, preset):
    """An event with a character outside ASCII in it, and whatever the scheme and the replay key look for."""
    event = {"type": "test", "name": "Zoë"}
    places = [(scheme.get("id"), "evt_1"), (scheme.get("timestamp", {}).get("from"), NOW * 1000 if scheme.get("timestamp", {}).get("unit") == "ms" else NOW)]
    places += [(part, "evt_1") for part in preset.get("replay", {}).get("key", [])]
    for place, value in places:
        if place and place.startswith("json:/"):
            *parents, leaf = place[6:].split("/")
            at = event
            for name in parents:
                at = at.setdefault(name, {})
            at[leaf] = value
    return json.dumps(event, ensure_ascii=False, separators=(",", ":"))


def sign(scheme, secret, method, url, body, now):
    headers = dict(scheme.get("require", {}))
    if scheme["kind"] == "basic":
        return headers | {"Authorization": "Basic " + base64.b64encode(secret.encode()).decode()}
    if scheme["kind"] == "bearer":
        return headers | {"Authorization": "Bearer " + secret}
    header = scheme["header"] if isinstance(scheme["header"], str) else scheme["header"][0]
    header = header.replace("{n}", "1")
    if scheme["kind"] == "token":
        return headers | {header: scheme.get("prefix", "") + secret}

    place = scheme.get("timestamp", {}).get("from", "")
    time = spell_time(scheme.get("timestamp", {}).get("unit", "s"), now)
    values = {"body": body.encode(), "method": method.encode(), "url": url.encode(), "timestamp": time.encode(), "secret": key_for(scheme, secret)}
    if place.startswith("header:"):
        headers[place[7:]] = time
    if scheme.get("id", "").startswith("header:"):
        headers[scheme["id"][7:]] = "msg_2KWPBgLlAfxdpx2AI54pPJ85f4W"
        values["id"] = b"msg_2KWPBgLlAfxdpx2AI54pPJ85f4W"

    message, rest = b"", scheme.get("signed", "{body}")
    while rest:
        if rest[0] == "{":
            name, rest = rest[1:].split("}", 1)
            if name.startswith("header:"):
                headers.setdefault(name[7:], str(now))
                message += headers[name[7:]].encode()
            else:
                message += values[name]
        else:
            literal = rest.split("{", 1)[0]
            message, rest = message + literal.encode(), rest[len(literal):]

    algorithm = scheme.get("algorithm", "sha256")
    mac = hmac.new(values["secret"], message, algorithm).digest() if scheme["kind"] == "hmac" else hashlib.new(algorithm, message).digest()
    text = {
        "base64": base64.b64encode(mac).decode(),
        "base64url": base64.urlsafe_b64encode(mac).decode().rstrip("="),
    }.get(scheme.get("encoding"), mac.hex())

    entries = scheme.get("entries")
    if entries is None:
        text = scheme.get("prefix", "") + text
    elif "key" in entries:
        text = entries["key"] + entries.get("keySeparator", "=") + text
        if place.startswith("entry:"):
            text = place[6:] + entries.get("keySeparator", "=") + time + entries["separator"] + text
    return headers | {header: text}


def vector_for(preset):
    scheme, secret, body = preset["scheme"], secret_for(preset["scheme"]), body_for(preset["scheme"], preset)
    headers = sign(scheme, secret, "POST", PUBLIC_URL + PATH, body, NOW)
    carrier = list(headers)[-1]
    credential = scheme["kind"] in ("basic", "bearer", "token")
    other = sign(scheme, secret[:-1] + ("B" if secret[-1] == "A" else "A"), "POST", PUBLIC_URL + PATH, body, NOW)
    reject = [
        {"why": "made with another secret", "reason": "credential-mismatch" if credential else "signature-mismatch", "headers": {carrier: other[carrier]}},
        {"why": "without it", "reason": "credential-mismatch" if credential else "signature-missing", "headers": {carrier: None}},
    ]
    if not credential and "{body}" in scheme.get("signed", "{body}"):
        reject.append({"why": "written anew", "reason": "signature-mismatch", "body": json.dumps(json.loads(body), ensure_ascii=False)})
    tolerance = scheme.get("timestamp", {}).get("toleranceSeconds", 0)
    if tolerance:
        reject.append({"why": "too old", "reason": "timestamp-outside-window", "now": NOW + tolerance + 2})
        reject.append({"why": "from the future", "reason": "timestamp-outside-window", "now": NOW - tolerance - 1})
    return {
        "origin": "computed", "source": "vector.py, from the documented scheme", "secret": secret, "method": "POST", "publicUrl": PUBLIC_URL, "path": PATH,
        "now": NOW, "headers": headers, "body": body, "reject": reject,
    }


def main(names):
    if names == ["--missing"]:
        names = [p.stem for p in sorted(PRESETS.glob("*.json")) if not (VECTORS / p.name).exists()]
    for name in names:
        preset = json.loads((PRESETS / f"{name}.json").read_text())
        if preset["scheme"]["kind"] not in ("hmac", "digest", "token", "basic", "bearer"):
            print(f"{name}: the kind {preset['scheme']['kind']} is code; its vector comes from the sender's SDK", file=sys.stderr)
            continue
        (VECTORS / f"{name}.json").write_text(json.dumps(vector_for(preset), ensure_ascii=False, indent=2) + "\n")
        print(name)


if __name__ == "__main__":
    main(sys.argv[1:] or sys.exit(__doc__))
