/**
 * What V8 does late with the memory of buffers, which lies outside its heap: it is freed when a collection finds that nobody has them any more, and
 * a collection of the whole heap is due when that memory has grown by a tenth.
 *
 * @module
 */

/** Smaller memory is left to the collector. */
const LEAST = 2 * 1024;
/**
 * The same on a link that carries no stream. From 2 KiB on, and with opened records of chunks, nodes that had started together held a tenth to a third
 * more: what is freed among all that a start makes and keeps, the allocator cannot give back to the system.
 */
const LEAST_ALONE = 12 * 1024;
/** Above it are records of chunks: with as much for them, too, messages of 64 KiB were 7 % slower and 16 nodes held 200 MB more. */
const MOST_HURRIED = 40 * 1024;
/** Bytes of an element of an array. */
const ELEMENT = 8;
/** Bytes on the heap per byte of a record: 1 has half of the effect, 4 no more. */
const HURRY = 2;

/**
 * Frees the memory of `bytes` now, where it is all theirs; nobody may use them, or another view of that memory, afterwards. Until V8 frees it, every
 * new piece of memory is a cold one. `stream`: the link has carried so much that its start does not count.
 */
export function giveBack(bytes: Uint8Array, stream: boolean): void {
  const memory = bytes.buffer as ArrayBuffer;
  if (bytes.length < (stream ? LEAST : LEAST_ALONE)) return;
  if (memory.byteLength === bytes.length) memory.transfer?.(0);
}

/** What is on the heap for nothing; the newest only. */
const ballast: { newest?: unknown[] } = {};

/**
 * Brings the next young collection nearer, for a buffer of `bytes` that is soon garbage. One comes whenever so many bytes of objects are new on the
 * heap, takes half a millisecond and frees young buffers, too; but large records make few objects, and long before it V8 collected the whole heap, 7
 * times a second for 11 ms (`bench/cluster.ts --size 1024 --count 100000`, four runs without and with: 8.1 and 7.1 µs of CPU a delivery, p99 16 and 9 ms).
 */
export function hurryYoung(bytes: number): void {
  if (bytes < LEAST || bytes > MOST_HURRIED) return;
  ballast.newest = new Array(HURRY * bytes / ELEMENT | 0);
}
