/** The part of `cbor-x` that this library uses; its sub-entries come without types. */
export interface Options {
  useRecords?: boolean;
  mapsAsObjects?: boolean;
  tagUint8Array?: boolean;
  int64AsNumber?: boolean;
}
export class Encoder {
  constructor(options?: Options);
  encode(value: unknown): Uint8Array;
}
export class Decoder {
  constructor(options?: Options);
  decode(bytes: Uint8Array): unknown;
}
