"""A mail server that prints its port, and then each message that it takes, as one line of JSON each.

Mail for reject@example.com is refused in words that repeat the address, as mail servers do.
"""

import email
import email.policy
import json
import sys

from aiosmtpd.controller import Controller


class Printer:
    async def handle_RCPT(self, server, session, envelope, address, options):
        if address == "reject@example.com":
            return f"550 5.1.1 <{address}> user unknown"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        message = email.message_from_bytes(envelope.content, policy=email.policy.default)
        headers = {name.lower(): str(value) for name, value in message.items()}
        line = {"from": envelope.mail_from, "to": envelope.rcpt_tos, "headers": headers, "text": message.get_content()}
        print(json.dumps(line), flush=True)
        return "250 OK"


# With port 0 the controller would knock at port 0 to see whether its server answers.
class AnyPort(Controller):
    def _trigger_server(self):
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()


controller = AnyPort(Printer(), hostname="127.0.0.1", port=0)
controller.start()
print(controller.port, flush=True)
sys.stdin.read()
controller.stop()
