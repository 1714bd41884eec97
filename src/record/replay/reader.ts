/** Packets of a pcap or pcapng file, streamed. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { ByteInput } from '../../base/disk/input.js';
import { badCapture, type CaptureFormat, type Packet } from './packet.js';
import { PCAP_HEADER_BYTES, Pcap } from './pcap.js';
import { Pcapng } from './pcapng.js';

export class PacketReader {
  /** The packet that `next` found; valid until `next` or `fill` is called. */
  readonly packet: Packet = {
    timeUs: 0,
    view: new DataView(new ArrayBuffer(0)),
    from: 0,
    capturedBytes: 0,
    realBytes: 0,
  };
  #format: CaptureFormat | undefined;
  /** What `next` lacked. */
  #neededBytes = PCAP_HEADER_BYTES;

  constructor(
    readonly input: ByteInput,
    readonly file: string,
  ) {}

  /**
   * Go to the next packet at hand; false when bytes must be read first (`fill`). DamageError 'bad-capture'
   * where the file is not a capture, of another link type, or damaged.
   */
  next(): boolean {
    const { input, packet } = this;
    if (packet.view.buffer !== input.buffer.buffer) packet.view = new DataView(input.buffer.buffer);
    if (this.#format === undefined) {
      if (input.end - input.start < PCAP_HEADER_BYTES) return false;
      this.#format = this.#recognise();
    }
    for (;;) {
      const { start, end, offset } = input;
      const recordBytes = this.#format.take(packet.view, start, end - start, offset, packet);
      if (recordBytes < 0) {
        this.#neededBytes = -recordBytes;
        return false;
      }
      input.advance(recordBytes);
      if (packet.capturedBytes > 0) return true;
    }
  }

  /**
   * Read on, and let others have a turn: there are thousands of packets to a read, and reading a file never
   * leaves the event loop by itself. False at the end of the file. DamageError 'bad-capture' where that is in
   * the middle of something.
   */
  async fill(): Promise<boolean> {
    const available = await this.input.need(this.#neededBytes);
    await nextTurn();
    if (available >= this.#neededBytes) return true;
    if (this.#format === undefined) throw badCapture(this.file, 0, 'is too short for a capture');
    if (available > 0) throw badCapture(this.file, this.input.offset, 'is cut off within a packet');
    return false;
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
