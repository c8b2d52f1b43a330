"""A small client that illustrates ../protocol.md. It prints a chat's newest 50 messages and all that follow, and sends each line of its
input. Connections and servers may fail: while this program runs and its session is valid, no message is lost, duplicated or reordered.

    pip install aiohttp python-socketio
    python3 chat.py http://127.0.0.1:3000 ada@example.org Correct-Horse-7 6b018357262dc69b80476444

It follows one rule: it prints only what subscribe and sync return, and uses events only as a signal to sync.
"""
import asyncio, secrets, sys, threading
import aiohttp, socketio

events = ("receiveMessage", "messageChanged", "positions", "chatRemoved")


class Refused(Exception):
    pass


class Chat:
    def __init__(self, sio, chat):
        self.sio, self.chat = sio, chat
        self.positions = {}  # chat → seq up to which all changes are known; of all the user's chats, or every answer would repeat them
        self.shown, self.early = 0, {}  # every n up to `shown` is printed; n → message of later ones that wait for a missing n
        self.queue, self.stored = {}, 0  # clientId → text that is not known to be stored; the greatest n known to be stored
        self.news, self.input_ended = asyncio.Event(), False
        self.done, self.living = asyncio.get_running_loop().create_future(), None
        sio.on("connect", self.begin)
        sio.on("disconnect", lambda _: self.living.cancel())  # a request on a closed connection is never answered
        sio.on("connect_error", lambda error: isinstance(error, dict) and self.end(Refused(error["message"])))  # refused by the server
        sio.on("sessionEnded", lambda end: self.end(Refused(f"the session has ended: {end['reason']}")))
        for event in events:
            sio.on(event, lambda _: self.news.set())

    def end(self, error=None):
        self.done.done() or (self.done.set_exception(error) if error else self.done.set_result(None))

    def begin(self):
        self.living = asyncio.create_task(self.live())

    async def live(self):  # runs for one connection
        event = "subscribe"
        try:
            while True:
                self.news.clear()
                more = True
                while more:
                    answer = await self.ask(event, {"since": self.positions}, 60)
                    self.apply(answer)
                    more, event = answer["more"], "sync"
                for client_id, text in list(self.queue.items()):  # one at a time; the clientId makes it safe to send again
                    await self.send(client_id, text)
                if self.input_ended and not self.queue and self.shown >= self.stored:
                    return self.end()
                await self.news.wait()
        except Refused as error:
            self.end(error)

    async def ask(self, event, payload, seconds):
        while True:
            try:
                answer = await self.sio.call(event, payload, timeout=seconds)
            except socketio.exceptions.TimeoutError:
                continue
            if answer["ok"]:
                return answer["data"]
            if answer["error"]["code"] not in ("RATE_LIMITED", "UNAVAILABLE"):  # these are temporary
                raise Refused(answer["error"]["message"])
            await asyncio.sleep(answer["error"].get("retryAfterMs", 1000) / 1000)

    async def send(self, client_id, text):
        try:
            message = await self.ask("sendMessage", {"chatId": self.chat, "clientId": client_id, "text": text}, 15)
            self.stored = max(self.stored, message["n"])
        except Refused as error:
            print(f"not sent, {error}: {text}", file=sys.stderr)
        del self.queue[client_id]
        self.news.set()

    def apply(self, answer):
        for gone in answer["removed"] + answer["reset"]:
            self.positions.pop(gone, None)
        page = answer["messages"].get(self.chat, [])
        if self.chat in answer["seq"] and self.chat not in self.positions:  # the first answer, or the first after a reset
            last = {chat["_id"]: chat["lastN"] for chat in answer["chats"]}
            self.shown, self.early = max(self.shown, page[0]["n"] - 1 if page else last[self.chat]), {}
        self.positions |= answer["seq"]
        if self.chat not in self.positions:
            raise Refused("you are not a member of this chat")
        self.early |= {message["n"]: message for message in page if message["n"] > self.shown}
        while self.shown + 1 in self.early:  # n has no gaps; a message edited meanwhile arrives after later ones
            self.shown += 1
            message = self.early.pop(self.shown)
            print(self.shown, message["senderId"], " ".join(message["text"].splitlines()), flush=True)

    def write(self, line):
        self.input_ended = line is None
        if line is not None and line.strip():
            self.queue[secrets.token_hex(16)] = line.rstrip("\n")
        self.news.set()


async def main(url, email, password, chat_id):
    async with aiohttp.ClientSession() as http:
        async with http.post(url + "/auth/login", json={"emailId": email, "password": password}) as response:
            login = await response.json()
    if response.status != 200:
        sys.exit(login["message"])
    sio = socketio.AsyncClient(reconnection_delay=0.3, reconnection_delay_max=5)
    chat, loop = Chat(sio, chat_id), asyncio.get_running_loop()

    def read():
        for line in sys.stdin:
            loop.call_soon_threadsafe(chat.write, line)
        loop.call_soon_threadsafe(chat.write, None)

    threading.Thread(target=read, daemon=True).start()
    where = {"socketio_path": "/chat/socket.io/", "transports": ["websocket"], "retry": True}
    await sio.connect(url, auth={"token": login["data"]["token"]}, **where)
    try:
        await chat.done
    except Refused as error:
        sys.exit(str(error))
    finally:
        await sio.disconnect()


asyncio.run(main(*sys.argv[1:]))
