/** Packets of a pcap or pcapng file, streamed. */
import type { ByteInput } from '../log/input.js';
import { badCapture, type CaptureFormat, type Packet } from './packet.js';
import { PCAP_HEADER_BYTES, Pcap } from './pcap.js';
import { Pcapng } from './pcapng.js';

export class PacketReader {
  /** The packet that `next` found; valid until `next` is called again. */
  readonly packet: Packet = { timeUs: 0, bytes: new Uint8Array(0), from: 0, capturedBytes: 0, realBytes: 0 };
  #format: CaptureFormat | undefined;
  #view = new DataView(new ArrayBuffer(0));

  constructor(
    readonly input: ByteInput,
    readonly file: string,
  ) {}

  /**
   * Go to the next packet; false at the end of the file. A promise only where bytes must be read first: there are a thousand packets
   * to a read. DamageError 'bad-capture' where the file is no capture, of another link type, damaged or cut.
   */
  next(): boolean | Promise<boolean> {
    const neededBytes = this.#take();
    return neededBytes === 0 ? true : this.#readAndNext(neededBytes);
  }

  async #readAndNext(firstBytes: number): Promise<boolean> {
    for (let neededBytes = firstBytes; neededBytes > 0; neededBytes = this.#take()) {
      const available = await this.input.need(neededBytes);
      if (available >= neededBytes) continue;
      if (this.#format === undefined) throw badCapture(this.file, 0, 'is too short for a capture');
      if (available > 0) throw badCapture(this.file, this.input.offset, 'is cut within a packet');
      return false;
    }
    return true;
  }

  /** 0 with the next packet, or the bytes needed at hand. */
  #take(): number {
    const { input, packet } = this;
    if (this.#view.buffer !== input.buffer.buffer) this.#view = new DataView(input.buffer.buffer);
    if (this.#format === undefined) {
      if (input.end - input.start < PCAP_HEADER_BYTES) return PCAP_HEADER_BYTES;
      this.#format = this.#recognise();
    }
    for (;;) {
      const { start, end, offset } = input;
      const recordBytes = this.#format.take(this.#view, start, end - start, offset, packet);
      if (recordBytes < 0) return -recordBytes;
      input.advance(recordBytes);
      if (packet.capturedBytes === 0) continue;
      packet.bytes = input.buffer;
      return 0;
    }
  }

  #recognise(): CaptureFormat {
    const { input, file } = this;
    const header = new DataView(input.buffer.buffer, input.start, PCAP_HEADER_BYTES);
    if (Pcapng.is(header)) return new Pcapng(file);
    if (!Pcap.is(header)) throw badCapture(file, 0, 'is neither pcap nor pcapng');
    const format = new Pcap(file, header);
    input.advance(PCAP_HEADER_BYTES);
    return format;
  }
}
