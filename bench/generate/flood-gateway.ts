/**
 * The lab's gateway, made fit for floods of real packets: many clients and many destinations (198.18.0.0/15,
 * RFC 2544), so that a masqueraded port is never used up, and timeouts so long that no connection ends before
 * it is told to.
 *
 *     10.64.0.0/16 clients ──── gateway (masquerades as 198.51.100.1) ──── 198.18.0.0/16 drops everything
 *                                                                          198.19.0.0/16 answers TCP
 */
import { addresses, Gateway } from '../../test/lab/gateway.js';
import { Injector } from '../../test/lab/inject.js';
import type { Namespace } from '../../test/lab/namespace.js';
import { parseAddress } from './flow.js';

/** First addresses of the networks. */
export const CLIENT_NET = parseAddress('10.64.0.0');
export const SILENT_NET = parseAddress('198.18.0.0');
export const ANSWERING_NET = parseAddress('198.19.0.0');
/** What the server sees all of them as. */
export const PUBLIC_ADDRESS = parseAddress(addresses[4].public);

const TIMEOUT_SECONDS = 3600;
const TIMEOUTS = [
  'udp_timeout',
  'udp_timeout_stream',
  ...['syn_sent', 'fin_wait', 'time_wait', 'close', 'last_ack'].map((state) => `tcp_timeout_${state}`),
];

export class FloodGateway {
  private constructor(
    readonly lab: Gateway,
    readonly injector: Injector,
  ) {}

  static async start(): Promise<FloodGateway> {
    const lab = await Gateway.start();
    try {
      const { client, gateway, server } = lab;
      gateway.ip('route add 10.64.0.0/16 via 192.168.77.2');
      gateway.ip('route add 198.18.0.0/15 via 198.51.100.80');
      client.ip('route add local 10.64.0.0/16 dev lo');
      server.ip('route add blackhole 198.18.0.0/16');
      server.ip('route add local 198.19.0.0/16 dev lo');
      for (const timeout of TIMEOUTS)
        gateway.sysctl(`net.netfilter.nf_conntrack_${timeout}`, TIMEOUT_SECONDS);
      return new FloodGateway(lab, await Injector.start(gateway));
    } catch (error) {
      lab.remove();
      throw error;
    }
  }

  get namespace(): Namespace {
    return this.lab.gateway;
  }

  /** Hardware addresses of the client's link and of the gateway's end of it, for who writes frames. */
  linkAddresses(): { client: string; gateway: string } {
    return {
      client: linkAddress(this.lab.client, 'uplink'),
      gateway: linkAddress(this.lab.gateway, 'inside'),
    };
  }

  remove(): void {
    this.lab.remove();
  }
}

function linkAddress(namespace: Namespace, link: string): string {
  const [{ address }] = JSON.parse(namespace.ip(`-j link show ${link}`)) as [{ address: string }];
  return address;
}
