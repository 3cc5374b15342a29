"""The servers of an official account and of a mini program, as people write them with wechatpy.

Arguments: the simulator's origin; appid and secret of the account, then of the mini program; a person.
Prints what the library made of it as JSON.
"""

import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import parse_qsl, urlsplit

import requests
from wechatpy import WeChatClient, create_reply, parse_message
from wechatpy.client.api import WeChatWxa
from wechatpy.crypto import WeChatCrypto, WeChatWxaCrypto
from wechatpy.exceptions import WeChatClientException
from wechatpy.utils import check_signature, check_wxa_signature

TOKEN = "pamtest"
AES_KEY = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"


class Client(WeChatClient):
    """wechatpy's, at another address."""

    origin = None

    def fetch_access_token(self):
        params = {"grant_type": "client_credential", "appid": self.appid, "secret": self.secret}
        return self._fetch_access_token(url=self.origin + "/cgi-bin/token", params=params)


def message_server(appid):
    crypto = WeChatCrypto(TOKEN, AES_KEY, appid)
    messages = []

    class Handler(BaseHTTPRequestHandler):
        def query(self):
            return dict(parse_qsl(urlsplit(self.path).query))

        def do_GET(self):
            query = self.query()
            check_signature(TOKEN, query["signature"], query["timestamp"], query["nonce"])
            self.answer(query["echostr"])

        def do_POST(self):
            query = self.query()
            body = self.rfile.read(int(self.headers["Content-Length"]))
            xml = crypto.decrypt_message(body, query["msg_signature"], query["timestamp"], query["nonce"])
            message = parse_message(xml)
            messages.append({
                "type": type(message).__name__, "source": message.source, "target": message.target,
                "scene": getattr(message, "scene_id", None), "ticket": getattr(message, "ticket", None),
                "content": getattr(message, "content", None), "openid": query["openid"],
            })
            reply = create_reply("欢迎", message).render()
            self.answer(crypto.encrypt_message(reply, query["nonce"], query["timestamp"]))

        def answer(self, text):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}/push", messages


def main():
    origin, account, account_secret, program, program_secret, person = sys.argv[1:]
    Client.origin = origin
    Client.API_BASE_URL = origin + "/cgi-bin/"
    WeChatWxa.API_BASE_URL = origin + "/"

    def phone(path, **body):
        answer = requests.post(origin + path, json={"person": person, **body})
        assert answer.ok, answer.text
        return answer.json()

    url, messages = message_server(account)
    push = {"url": url, "token": TOKEN, "encoding_aes_key": AES_KEY, "mode": "safe"}
    saved = requests.put(f"{origin}/sim/apps/{account}/push", json=push)
    assert saved.ok, saved.text
    client = Client(account, account_secret)
    code = client.qrcode.create({"expire_seconds": 60, "action_name": "QR_STR_SCENE", "action_info": {"scene": {"scene_str": "login_1"}}})
    deliveries = [phone("/sim/account/scan", url=code["url"]), phone("/sim/account/scan", url=code["ticket"])]
    deliveries.append(phone("/sim/account/write", appid=account, content="你好"))
    follower = client.user.get(messages[0]["openid"])

    client = Client(program, program_secret)
    session = client.wxa.code_to_session(phone("/sim/mini-program/login", appid=program)["code"])
    data = phone("/sim/mini-program/user-info", appid=program)
    check_wxa_signature(session["session_key"], data["rawData"], data["signature"])
    profile = WeChatWxaCrypto(session["session_key"], data["iv"], program).decrypt_message(data["encryptedData"])
    picture = client.wxa.get_wxa_code_unlimited("s1", page="pages/index/index")
    try:
        client.wxa.get_wxa_code_unlimited("s1", page="pages/none")
        refused = None
    except WeChatClientException as error:
        refused = error.errcode
    json.dump({
        "ticket": code["ticket"], "messages": messages, "deliveries": deliveries, "follower": follower, "session": session,
        "profile": profile, "is_picture": picture.content[:3] == b"\xff\xd8\xff", "refused": refused,
    }, sys.stdout)


main()
