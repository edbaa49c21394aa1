import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { WireError } from "../../src/wire/bytes.ts";
import { Frame } from "../../src/wire/frames.ts";
import {
  decodeRequestFrame,
  encodeProtocol,
  encodeReply,
  encodeReplyEnd,
  encodeReplyError,
  encodeRequest,
  encodeRequestCancel,
  encodeRequestCredit,
  ERROR_TEXT_BYTES,
  REPLY_CHUNK_BYTES,
  REPLY_WINDOW_MOST,
  replyCost,
  type ReplyErrorCode,
} from "../../src/wire/request_messages.ts";

const join = (head: Uint8Array, body: Uint8Array): Uint8Array => new Uint8Array([...head, ...body]);
const id = fc.maxSafeNat();
const bytes = (least: number) => fc.uint8Array({ minLength: least, maxLength: 300 });

Deno.test("a REQUEST comes back as it went", () => {
  fc.assert(fc.property(
    id,
    fc.string({ minLength: 1, maxLength: 60, unit: "grapheme" })
      .filter((name) => new TextEncoder().encode(name).length < 256),
    bytes(0),
    (id, protocol, body) => {
      const frame = join(encodeRequest(id, encodeProtocol(protocol)), body);
      assertEquals(decodeRequestFrame(frame), { type: "request", id, protocol, body });
    },
  ));
});

Deno.test("a REPLY and a REPLY_END come back as they went", () => {
  fc.assert(fc.property(id, bytes(1), fc.boolean(), (id, data, streamed) => {
    assertEquals(decodeRequestFrame(join(encodeReply(id, true), data)), {
      type: "reply",
      id,
      streamed: true,
      data,
    });
    assertEquals(decodeRequestFrame(join(encodeReplyEnd(id, streamed, true), data)), {
      type: "reply-end",
      id,
      streamed,
      found: true,
      data,
    });
  }));
});

Deno.test("a REPLY that is not streamed is exactly one full chunk", () => {
  const head = encodeReply(1, false);
  const full = decodeRequestFrame(join(head, new Uint8Array(REPLY_CHUNK_BYTES)));
  assert(full.type === "reply" && full.data.length === REPLY_CHUNK_BYTES);
  for (const length of [0, 1, REPLY_CHUNK_BYTES - 1, REPLY_CHUNK_BYTES + 1]) {
    assertThrows(() => decodeRequestFrame(join(head, new Uint8Array(length))), WireError);
  }
});

Deno.test("a streamed REPLY is neither empty nor above one chunk", () => {
  const head = encodeReply(1, true);
  assertThrows(() => decodeRequestFrame(head), WireError);
  assertThrows(
    () => decodeRequestFrame(join(head, new Uint8Array(REPLY_CHUNK_BYTES + 1))),
    WireError,
  );
});

Deno.test("an answer that was not found has no bytes and no stream", () => {
  assertEquals(decodeRequestFrame(encodeReplyEnd(9, false, false)), {
    type: "reply-end",
    id: 9,
    streamed: false,
    found: false,
    data: new Uint8Array(0),
  });
  assertThrows(() => decodeRequestFrame(encodeReplyEnd(9, true, false)), WireError);
  assertThrows(
    () => decodeRequestFrame(join(encodeReplyEnd(9, false, false), new Uint8Array(1))),
    WireError,
  );
});

Deno.test("cancel, credit and error come back as they went", () => {
  const codes: ReplyErrorCode[] = ["unknown-protocol", "busy", "too-large", "remote-error"];
  fc.assert(fc.property(
    id,
    fc.integer({ min: 1, max: REPLY_WINDOW_MOST }),
    fc.constantFrom(...codes),
    fc.string({ maxLength: 80 }),
    (id, credit, code, text) => {
      assertEquals(decodeRequestFrame(encodeRequestCancel(id)), { type: "cancel", id });
      assertEquals(decodeRequestFrame(encodeRequestCredit(id, credit)), {
        type: "credit",
        id,
        credit,
      });
      assertEquals(decodeRequestFrame(encodeReplyError(id, code, text)), {
        type: "reply-error",
        id,
        code,
        text,
      });
    },
  ));
});

Deno.test("an error's text is cut between two characters", () => {
  const frame = decodeRequestFrame(encodeReplyError(1, "busy", "ü".repeat(400)));
  assert(frame.type === "reply-error");
  assertEquals(frame.text, "ü".repeat(ERROR_TEXT_BYTES / 2));
});

Deno.test("an error code of a later version is a remote error", () => {
  const bytes = encodeReplyError(1, "busy", "");
  bytes[2] = 200;
  const frame = decodeRequestFrame(bytes);
  assert(frame.type === "reply-error");
  assertEquals(frame.code, "remote-error");
});

Deno.test("a protocol's name has 1 to 255 bytes", () => {
  assertThrows(() => encodeProtocol(""), RangeError);
  assertThrows(() => encodeProtocol("ü".repeat(128)), RangeError);
  assertEquals(encodeProtocol("a".repeat(255)).length, 255);
});

Deno.test("frames with a flaw are refused", () => {
  const flawed: Record<string, number[]> = {
    "nothing": [],
    "no id": [Frame.REQUEST],
    "another layer's kind": [Frame.GOSSIP, 0],
    "an unknown kind": [0x3f, 0],
    "a padded id": [Frame.REQUEST_CANCEL, 0x80, 0],
    "bytes behind a cancel": [Frame.REQUEST_CANCEL, 1, 0],
    "an empty protocol": [Frame.REQUEST, 1, 0],
    "a protocol cut short": [Frame.REQUEST, 1, 5, 97],
    "a protocol that is not UTF-8": [Frame.REQUEST, 1, 1, 0xff],
    "no credit": [Frame.REQUEST_CREDIT, 1, 0],
    "too much credit": [...encodeRequestCredit(1, REPLY_WINDOW_MOST + 1)],
    "unknown flags": [Frame.REPLY, 1, 0x81, 1],
    "a found flag in a REPLY": [Frame.REPLY, 1, 3, 1],
    "an error without a code": [Frame.REPLY_ERROR, 1],
    "an error's text that is too long": [Frame.REPLY_ERROR, 1, 1, ...new Array(257).fill(97)],
    "an error's text that is not UTF-8": [Frame.REPLY_ERROR, 1, 1, 0xc3],
  };
  for (const [name, bytes] of Object.entries(flawed)) {
    assertThrows(() => decodeRequestFrame(new Uint8Array(bytes)), WireError, undefined, name);
  }
});

Deno.test("any bytes are a frame or a WireError, and reading stays inside the bounds", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 0x2f, max: 0x37 }),
      fc.uint8Array({ maxLength: 80 }),
      fc.nat(8),
      (kind, tail, before) => {
        const bytes = new Uint8Array([...new Array(before).fill(0xff), kind, ...tail, 0xff, 0xff]);
        try {
          const frame = decodeRequestFrame(bytes, before, before + 1 + tail.length);
          if ("data" in frame) assert(frame.data.length <= tail.length);
        } catch (error) {
          assert(error instanceof WireError, String(error));
        }
      },
    ),
    { numRuns: 2_000 },
  );
});

Deno.test("an empty end costs no credit, any byte costs its frame", () => {
  assertEquals(replyCost(0), 0);
  assertEquals(replyCost(1), 65);
});
