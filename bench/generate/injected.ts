/** A flood through ctnetlink: no packets, so nothing but the kernel's table and the event path limits it. */
import {
  type FloodFields,
  type FloodPlan,
  fillFields,
  indexOfPublic,
  SERVER_PORT,
} from '../../test/lab/flood.js';
import type { Injector } from '../../test/lab/inject.js';
import type { Namespace } from '../../test/lab/namespace.js';
import { IPPROTO_TCP } from './courses.js';
import { type Created, type Flood, settledCount } from './flood.js';
import type { Flow } from './flow.js';

export class InjectedFlood implements Flood {
  readonly name: string;
  readonly summary = 'entries created and flushed through ctnetlink';
  readonly proto = IPPROTO_TCP;
  readonly #plan: FloodPlan;
  readonly #fields: FloodFields = { client: 0, clientPort: 0, server: 0, public: 0, publicPort: 0 };

  constructor(
    readonly namespace: Namespace,
    readonly injector: Injector,
    readonly connections: number,
    readonly turns = 1,
  ) {
    this.name = turns === 1 ? 'inject' : 'inject-long';
    this.#plan = { count: connections };
  }

  async create(ratePerSecond?: number): Promise<Created> {
    const { seconds } = await this.injector.create(this.#plan, ratePerSecond);
    const created = await settledCount(this.namespace, this.connections);
    return { sent: this.connections, created, seconds };
  }

  async end(): Promise<number> {
    return (await this.injector.flush()).seconds;
  }

  indexOf(flow: Flow): number {
    const index = indexOfPublic(flow.replyDst, flow.replyDstPort);
    if (!(index >= 0 && index < this.connections)) return -1;
    const fields = this.#fields;
    fillFields(fields, index);
    const fits =
      flow.proto === this.proto &&
      flow.origSrc === fields.client &&
      flow.origSrcPort === fields.clientPort &&
      flow.origDst === fields.server &&
      flow.origDstPort === SERVER_PORT &&
      flow.replySrc === fields.server &&
      flow.replySrcPort === SERVER_PORT &&
      flow.replyDst === fields.public;
    return fits ? index : -1;
  }
}
