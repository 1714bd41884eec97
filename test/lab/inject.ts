/** Conntrack entries made and ended through ctnetlink, by a process of its own inside a namespace. */
import { type FloodPlan, MAX_FLOOD_INDEX } from './flood.js';
import { Helper } from './helper.js';
import type { Namespace } from './namespace.js';

export type InjectRequest =
  | { readonly operation: 'create' | 'remove'; readonly plan: FloodPlan; readonly ratePerSecond?: number }
  | { readonly operation: 'flush' };

export interface InjectResult {
  /** Messages the kernel answered with an error. */
  readonly refused: number;
  /** The first of them, as in "index 17: EEXIST"; empty when there is none. */
  readonly firstRefusal: string;
  readonly seconds: number;
}

export class Injector {
  readonly #helper: Helper<InjectRequest, InjectResult>;

  private constructor(helper: Helper<InjectRequest, InjectResult>) {
    this.#helper = helper;
  }

  static async start(namespace: Namespace): Promise<Injector> {
    return new Injector(await Helper.start(namespace, 'inject-process'));
  }

  /**
   * Create the plan's entries, each a NEW event. Unthrottled without a rate.
   * @throws Error when the kernel refused any (a full table: ENOMEM; an entry that exists: EEXIST).
   */
  create(plan: FloodPlan, ratePerSecond?: number): Promise<InjectResult> {
    return this.#request(planRequest('create', plan, ratePerSecond));
  }

  /** End the plan's entries one by one, each a DESTROY event. */
  remove(plan: FloodPlan, ratePerSecond?: number): Promise<InjectResult> {
    return this.#request(planRequest('remove', plan, ratePerSecond));
  }

  /** End every entry of the namespace with one message, as `conntrack -F` does. */
  flush(): Promise<InjectResult> {
    return this.#request({ operation: 'flush' });
  }

  stop(): Promise<void> {
    return this.#helper.stop();
  }

  async #request(request: InjectRequest): Promise<InjectResult> {
    const result = await this.#helper.ask(request);
    if (result.refused > 0)
      throw new Error(
        `inject: ${request.operation}: ${result.refused} refused, the first at ${result.firstRefusal}`,
      );
    return result;
  }
}

function planRequest(operation: 'create' | 'remove', plan: FloodPlan, ratePerSecond?: number): InjectRequest {
  if ((plan.first ?? 0) + plan.count > MAX_FLOOD_INDEX)
    throw new RangeError(`inject: at most ${MAX_FLOOD_INDEX} different connections`);
  return { operation, plan, ...(ratePerSecond === undefined ? {} : { ratePerSecond }) };
}
