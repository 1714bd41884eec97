/**
 * `-i` and `-p` of the listing, over the columns of a batch: every address of its tables is tested once, then
 * rows are picked by index. A row matches when any of its four addresses is in any network and any of its
 * four ports is any of the ports.
 */
import ipaddr from 'ipaddr.js';
import { UsageError } from '../../base/errors.js';
import { quoted } from '../../base/printable.js';
import { AF_INET, type EventBatch } from '../../event/batch.js';
import { PortMeaning, portMeaning } from '../../event/protocols.js';

/** Four u32 for IPv6, one for IPv4: `(word & mask) === value` for each. */
interface Network {
  readonly words: readonly number[];
  readonly masks: readonly number[];
}

/** Ports from the first to the last, both included. */
export interface PortRange {
  readonly first: number;
  readonly last: number;
}

/**
 * `10.0.0.1`, `10.0.0.0/8`, `2001:db8::/32`; bits behind the prefix are ignored. UsageError with one line,
 * which names the option as the user typed it.
 */
export function parseNetwork(text: string, option = '-i'): Network {
  const [address, prefix, ...more] = text.split('/');
  const isV4 = ipaddr.IPv4.isValidFourPartDecimal(address);
  if (
    more.length > 0 ||
    !(isV4 || (address.includes(':') && !address.includes('%') && ipaddr.IPv6.isValid(address)))
  )
    throw new UsageError(
      `${option} ${quoted(text)}: not an address or a network; write it like 10.0.0.0/8 or 2001:db8::1`,
    );
  const bits = isV4 ? 32 : 128;
  const prefixBits = prefix === undefined ? bits : /^\d{1,3}$/.test(prefix) ? Number(prefix) : Number.NaN;
  if (!(prefixBits <= bits))
    throw new UsageError(
      `${option} ${quoted(text)}: the prefix must be 0 to ${bits} for an ${isV4 ? 'IPv4' : 'IPv6'} address`,
    );
  const bytes = Uint8Array.from(ipaddr.parse(address).toByteArray());
  const view = new DataView(bytes.buffer);
  const masks: number[] = [];
  const words: number[] = [];
  for (let word = 0; word < bits / 32; word++) {
    const set = Math.min(32, Math.max(0, prefixBits - word * 32));
    const mask = set === 0 ? 0 : (-1 << (32 - set)) >>> 0;
    masks.push(mask);
    words.push((view.getUint32(word * 4) & mask) >>> 0);
  }
  return { words, masks };
}

export class RowFilter {
  /** The picked rows: the first so many elements as `select` answered. */
  rows = new Uint32Array(0);
  readonly #networks4: Network[];
  readonly #networks6: Network[];
  /** 1 for the ports asked for; undefined when all are. */
  readonly #ports: Uint8Array | undefined;
  #hits4 = new Uint8Array(0);
  #hits6 = new Uint8Array(0);

  /** UsageError when a network is not one, or a range holds what is not a port. */
  constructor(networks: readonly string[], ports: readonly PortRange[]) {
    const parsed = networks.map((text) => parseNetwork(text));
    this.#networks4 = parsed.filter((network) => network.words.length === 1);
    this.#networks6 = parsed.filter((network) => network.words.length === 4);
    if (ports.length === 0) return;
    this.#ports = new Uint8Array(65536);
    for (const { first, last } of ports) {
      if (!(isPort(first) && isPort(last)))
        throw new UsageError(`-p ${first}-${last}: a port is a number from 0 to 65535`);
      this.#ports.fill(1, first, last + 1);
    }
  }

  /** Put the rows of the batch that match into `rows`, in order; answers how many. */
  select(batch: EventBatch): number {
    if (this.rows.length < batch.capacity) this.rows = new Uint32Array(batch.capacity);
    const { rows } = this;
    let picked = 0;
    const byAddress = this.#networks4.length + this.#networks6.length > 0;
    if (byAddress && !this.#markAddresses(batch)) return 0;
    for (let row = 0; row < batch.count; row++) {
      if (byAddress && !this.#matchesAddress(batch, row)) continue;
      if (this.#ports !== undefined && !matchesPort(batch, row, this.#ports)) continue;
      rows[picked++] = row;
    }
    return picked;
  }

  #matchesAddress(batch: EventBatch, row: number): boolean {
    const hits = batch.family[row] === AF_INET ? this.#hits4 : this.#hits6;
    return (
      (hits[batch.origSrc[row]] |
        hits[batch.origDst[row]] |
        hits[batch.replySrc[row]] |
        hits[batch.replyDst[row]]) !==
      0
    );
  }

  /** Test every address of the batch; false when none matches. */
  #markAddresses(batch: EventBatch): boolean {
    const { addresses4, addresses6 } = batch;
    let any = 0;
    if (this.#hits4.length < addresses4.count) this.#hits4 = new Uint8Array(addresses4.values.length);
    for (let i = 0; i < addresses4.count; i++)
      any |= this.#hits4[i] = contains(this.#networks4, addresses4.values, i);
    if (this.#hits6.length < addresses6.count) this.#hits6 = new Uint8Array(addresses6.words.length / 4);
    for (let i = 0; i < addresses6.count; i++)
      any |= this.#hits6[i] = contains(this.#networks6, addresses6.words, i * 4);
    return any !== 0;
  }
}

function isPort(port: number): boolean {
  return Number.isInteger(port) && port >= 0 && port <= 65535;
}

function contains(networks: readonly Network[], words: Uint32Array, at: number): number {
  for (const network of networks) {
    let i = 0;
    while (i < network.words.length && (words[at + i] & network.masks[i]) >>> 0 === network.words[i]) i++;
    if (i === network.words.length) return 1;
  }
  return 0;
}

/** ICMP ids and GRE keys stand in the same columns and are not ports. */
function matchesPort(batch: EventBatch, row: number, ports: Uint8Array): boolean {
  return (
    portMeaning(batch.proto[row]) === PortMeaning.ports &&
    (ports[batch.origSrcPort[row]] |
      ports[batch.origDstPort[row]] |
      ports[batch.replySrcPort[row]] |
      ports[batch.replyDstPort[row]]) !==
      0
  );
}
