import { createInterface } from "node:readline";
import { Parley, type MessageView } from "./client/index.ts";

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const print = (line: string) => process.stdout.write(`${line}\n`);
async function ask(question: string): Promise<string> {
  print(question);
  return (await lines.next()).value ?? process.exit();
}
const url = process.argv[2] ?? "http://localhost:3000";
const [emailId, password] = [await ask("Your e-mail address?"), await ask("Your password?")];
const parley = await Parley.logIn({ url, emailId, password }).catch(async () => {
  const firstName = await ask("Nobody logs in with these. Your first name, to sign up?");
  return Parley.signUp({ url, emailId, password, firstName, lastName: await ask("Your last name?") });
});
await parley.online();

const contacts = await parley.contacts.list();
contacts.forEach(({ firstName, lastName }, index) => print(`${index + 1}: ${firstName} ${lastName}`));
const accepted = parley.next("request", ({ status }) => status === "accepted");
const choice = await ask("Whom do you write to? A contact's number, or an address to invite, and wait until they invite you:");
if (choice.includes("@") && (await parley.contacts.invite(choice)).status === "pending") await accepted;
const userId = contacts[Number(choice) - 1]?.userId ?? (await parley.contacts.userIdOf(choice));

const { _id, title } = await parley.groups.direct(userId);
const show = ({ senderId, text }: MessageView) => print(`${senderId === parley.me._id ? "you" : title}: ${text}`);
parley.messages(_id).forEach(show);
parley.on("message", (message) => message.chatId === _id && show(message));
print(`You chat with ${title}. Every line you type is sent; the end of the input (Ctrl-D) ends it.`);
for await (const text of lines) if (text.trim() !== "") parley.send(_id, text);
await parley.allSent();
await parley.close();
