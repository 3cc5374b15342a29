"""A push as WeChat sends it, made by wechatpy, and what wechatpy makes of the answer.

push.py ADDRESS HOST PATH TOKEN ENCODING_AES_KEY APP_ID OPENID ORIGINAL_ID EVENT_KEY
"""
import json
import sys
import time

import requests
import xmltodict
from wechatpy import parse_message
from wechatpy.crypto import WeChatCrypto
from wechatpy.utils import WeChatSigner

address, host, path, token, key, app_id, openid, original_id, event_key = sys.argv[1:]
crypto = WeChatCrypto(token, key, app_id)
timestamp, nonce = str(int(time.time())), "wechatpy"


def signature(*parts):
    signer = WeChatSigner()
    signer.add_data(*parts)
    return signer.signature


def send(method, data=None, **query):
    query = {"signature": signature(token, timestamp, nonce), "timestamp": timestamp, "nonce": nonce, **query}
    headers = {"Host": host, "Content-Type": "text/xml"}
    answer = requests.request(method, f"http://{address}{path}", params=query, data=data, headers=headers)
    answer.encoding = "utf-8"
    return answer


message = xmltodict.unparse({"xml": {
    "ToUserName": original_id, "FromUserName": openid, "CreateTime": timestamp, "MsgType": "event", "Event": "SCAN",
    "EventKey": event_key, "Ticket": "gQH47joAAAAAAAAA",
}}, full_document=False)
envelope = crypto.encrypt_message(message, nonce, timestamp)
message_signature = xmltodict.parse(envelope)["xml"]["MsgSignature"]
answer = send("POST", envelope.encode(), openid=openid, encrypt_type="aes", msg_signature=message_signature)
reply = xmltodict.parse(answer.text)["xml"]
plain = crypto.decrypt_message(answer.text, reply["MsgSignature"], reply["TimeStamp"], reply["Nonce"])
text = parse_message(plain)
print(json.dumps({
    "echo": send("GET", echostr="4375120948345356249").text,
    "status": answer.status_code, "fields": sorted(reply),
    "type": text.type, "source": text.source, "target": text.target, "content": text.content,
}))
