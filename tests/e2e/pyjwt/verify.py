"""What a Python application does with the identity header: verify.py JWKS_URL ISSUER AUDIENCE TOKEN"""
import json
import sys

import jwt

jwks_url, issuer, audience, token = sys.argv[1:]
key = jwt.PyJWKClient(jwks_url).get_signing_key_from_jwt(token)
claims = jwt.decode(
    token, key, algorithms=["ES256", "EdDSA"], issuer=issuer, audience=audience, options={"require": ["exp", "iss", "aud", "sub"]}
)
print(json.dumps(claims))
