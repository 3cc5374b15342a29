"""Logs in with wechatpy, knowing nothing of WeChat but what that library knows.

Arguments: the simulator's origin; appid and secret of an official account, then of a website; their callback; a person.
Prints what the library made of it as JSON.
"""

import json
import sys
from urllib.parse import parse_qs, urlsplit

import requests
from wechatpy.exceptions import WeChatOAuthException
from wechatpy.oauth import WeChatOAuth


def open_as_person(origin, url, person):
    """What the person's browser and phone do: the only step that is not wechatpy's."""
    answer = requests.post(origin + "/sim/authorize", json={"url": url, "person": person}).json()
    assert answer["error_page"] is None, answer
    callback = parse_qs(urlsplit(answer["redirect_to"]).query)
    assert callback["state"] == ["5f1e7a0c"], callback
    return callback["code"][0]


def log_in(oauth, code):
    tokens = oauth.fetch_access_token(code)
    person = oauth.get_user_info()
    assert oauth.check_access_token()
    refreshed = oauth.refresh_access_token(tokens["refresh_token"])
    assert refreshed["access_token"] == tokens["access_token"]
    try:
        oauth.fetch_access_token(code)
        second = None
    except WeChatOAuthException as refused:
        second = refused.errcode
    return {"tokens": tokens, "person": person, "second_exchange": second}


def main():
    origin, account, account_secret, website, website_secret, callback, person = sys.argv[1:]
    WeChatOAuth.API_BASE_URL = origin + "/"
    in_wechat = WeChatOAuth(account, account_secret, callback, "snsapi_userinfo", "5f1e7a0c")
    on_a_pc = WeChatOAuth(website, website_secret, callback, state="5f1e7a0c")
    result = {
        "official_account": log_in(in_wechat, open_as_person(origin, in_wechat.authorize_url, person)),
        "website": log_in(on_a_pc, open_as_person(origin, on_a_pc.qrconnect_url, person)),
    }
    json.dump(result, sys.stdout)


main()
