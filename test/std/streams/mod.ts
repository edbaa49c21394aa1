/**
 * Stand-in for `jsr:@std/streams`: what this project's tests and examples use of it, for builds that cannot reach JSR.
 *
 * @module
 */

/** Splits a stream of strings into lines, on LF or CRLF. */
export class TextLineStream extends TransformStream<string, string> {
  /** Makes one. */
  constructor() {
    let held = "";
    super({
      transform(chunk, controller) {
        const lines = (held + chunk).split(/\r?\n/);
        held = lines.pop()!;
        for (const line of lines) controller.enqueue(line);
      },
      flush(controller) {
        if (held) controller.enqueue(held);
      },
    });
  }
}
