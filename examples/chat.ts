// deno run --allow-net examples/chat.ts --name ann                                # prints its address
// deno run --allow-net examples/chat.ts --name bob --bootstrap 127.0.0.1:PORT     # in another terminal

/**
 * A chat: lines from standard input are published on the topic "chat", whatever others publish is printed.
 *
 * @module
 */

import { Gossip, json } from "@x/plumtree";
import { TextLineStream } from "@std/streams";

function option(name: string): string | undefined {
  const at = Deno.args.indexOf(`--${name}`);
  return at < 0 ? undefined : Deno.args[at + 1];
}

interface Line {
  name: string;
  text: string;
}

const name = option("name") ?? "anonymous";
const bootstrap = option("bootstrap")?.split(",");

await using gossip = await Gossip.listen({
  hostname: option("hostname") ?? "127.0.0.1",
  port: Number(option("port") ?? 0),
  bootstrap,
});
await using chat = gossip.join<Line>("chat", {
  codec: json<Line>(),
  // Nothing is shown or passed on that is not a line of chat.
  validate: ({ value }) =>
    typeof value?.name === "string" && typeof value?.text === "string" && value.text.length <= 1_000
      ? "accept"
      : "reject",
  history: "retained",
});
console.log(`listening on ${gossip.address}`);
if (bootstrap) {
  await chat.ready();
  console.log("connected");
}

const printing = (async () => {
  for await (const { value, from } of chat) {
    console.log(`${value.name} (${from!.slice(0, 8)}): ${value.text}`);
  }
})();

const lines = Deno.stdin.readable
  .pipeThrough(new TextDecoderStream())
  .pipeThrough(new TextLineStream());
for await (const text of lines) {
  if (text !== "") await chat.publish({ name, text });
}

await chat.leave();
await printing;
