/**
 * A synthetic trace of a NAT gateway: the same seed gives the same events on every machine. What is drawn
 * from which distribution stands in population.ts (who, ports) and courses.ts (how long); arrivals are a
 * Poisson process.
 *
 * The trace begins in steady state: the table is filled with the connections that a gateway with the same
 * past would hold, so ends flow from the first second. Their starts are not in the trace, as in a recording
 * that begins on a running gateway.
 */
import { RecordKind } from '../../src/event/batch.js';
import {
  COURSES,
  Course,
  drawCourse,
  drawDnsCourse,
  drawIsDns,
  drawLifeUs,
  LONG_LIFE_SECONDS_MAX,
  SHORT_LIFE_SECONDS_MAX,
  STATUS_AT_START,
  TCP_STATE_AT_START,
} from './courses.js';
import { LiveConnections } from './live.js';
import { Population } from './population.js';
import { Random } from './random.js';

export interface TraceOptions {
  /** Events in all. */
  readonly events: number;
  readonly seed?: number;
  /** New connections a second. */
  readonly rate?: number;
  /** Time of the beginning, microseconds since the epoch. */
  readonly beginUs?: number;
}

export const traceDefaults = { seed: 1, rate: 5000, beginUs: 1_790_000_000e6 } as const;

/**
 * One event. Addresses are u32, most significant byte first; the reply side is the server's address and port,
 * and the NAT's.
 */
export interface TraceEvent {
  /** RecordKind.start or RecordKind.end. */
  kind: number;
  timeUs: number;
  /** When the connection started; before the trace's begin for one that was open then. */
  startUs: number;
  proto: number;
  origSrc: number;
  origDst: number;
  replyDst: number;
  origSrcPort: number;
  origDstPort: number;
  replyDstPort: number;
  /** enum ip_conntrack_status bits. */
  status: number;
  /** enum tcp_conntrack; 0 for other protocols. */
  tcpState: number;
}

const PORT_TRIES_MAX = 1000;
const LONG_SHARE_DRAWS = 20_000;

/** Calls `emit` for every event in the order of time, always with the same object. */
export function generateTrace(options: TraceOptions, emit: (event: TraceEvent) => void): void {
  new Generator(options, emit).run();
}

class Generator {
  readonly #events: number;
  readonly #rate: number;
  readonly #beginUs: number;
  readonly #random: Random;
  readonly #population: Population;
  readonly #live = new LiveConnections();
  readonly #event: TraceEvent = {
    kind: 0,
    timeUs: 0,
    startUs: 0,
    proto: 0,
    origSrc: 0,
    origDst: 0,
    replyDst: 0,
    origSrcPort: 0,
    origDstPort: 0,
    replyDstPort: 0,
    status: 0,
    tcpState: 0,
  };
  // The connection being drawn.
  #client = 0;
  #server = 0;
  #serverPort = 0;
  #course = 0;

  constructor(
    options: TraceOptions,
    readonly emit: (event: TraceEvent) => void,
  ) {
    this.#events = options.events;
    this.#rate = options.rate ?? traceDefaults.rate;
    this.#beginUs = options.beginUs ?? traceDefaults.beginUs;
    this.#random = new Random(options.seed ?? traceDefaults.seed);
    this.#population = new Population(this.#random);
  }

  run(): void {
    this.#fillTable();
    const live = this.#live;
    const meanUs = 1e6 / this.#rate;
    let nowUs = this.#beginUs;
    let left = this.#events;
    while (left > 0) {
      nowUs += this.#random.exponential(meanUs);
      const startUs = Math.floor(nowUs);
      for (
        let row = live.earliest();
        row >= 0 && live.endUs[row] <= startUs && left > 0;
        row = live.earliest()
      ) {
        this.#emit(row, RecordKind.end);
        live.removeEarliest();
        left--;
      }
      if (left === 0) return;
      this.#draw();
      const row = this.#open(startUs, startUs + drawLifeUs(this.#random, this.#course));
      if (row < 0) continue;
      this.#emit(row, RecordKind.start);
      left--;
    }
  }

  /**
   * Who is open at the beginning: of the arrivals of the past, those whose life is longer than their age. The
   * few long ones reach back hours, the others minutes.
   */
  #fillTable(): void {
    const random = this.#random;
    for (let i = Math.round(this.#rate * SHORT_LIFE_SECONDS_MAX); i > 0; i--) {
      this.#draw();
      if (this.#course !== Course.long) this.#openBefore(random.unit() * SHORT_LIFE_SECONDS_MAX);
    }
    for (let i = Math.round(this.#rate * this.#longShare() * LONG_LIFE_SECONDS_MAX); i > 0; i--) {
      this.#course = Course.long;
      this.#openBefore(random.unit() * LONG_LIFE_SECONDS_MAX);
    }
  }

  /** The connection that began so long ago, if it is still open. Who has a long one is drawn only then. */
  #openBefore(ageSeconds: number): void {
    const lifeUs = drawLifeUs(this.#random, this.#course);
    const startUs = this.#beginUs - Math.floor(ageSeconds * 1e6);
    if (startUs + lifeUs <= this.#beginUs) return;
    if (this.#course === Course.long)
      do this.#draw();
      while (this.#course !== Course.long);
    this.#open(startUs, startUs + lifeUs);
  }

  /** Share of the long ones among all arrivals; it depends on which ports the popular servers have. */
  #longShare(): number {
    let long = 0;
    for (let i = 0; i < LONG_SHARE_DRAWS; i++) {
      this.#draw();
      if (this.#course === Course.long) long++;
    }
    return long / LONG_SHARE_DRAWS;
  }

  #draw(): void {
    const random = this.#random;
    const population = this.#population;
    this.#client = population.drawClient();
    if (drawIsDns(random)) {
      this.#server = population.drawResolver();
      this.#serverPort = 53;
      this.#course = drawDnsCourse(random);
    } else {
      const server = population.drawServer();
      this.#server = population.servers[server];
      this.#serverPort = population.serverPorts[server];
      this.#course = drawCourse(random, this.#serverPort);
    }
  }

  /** Row of the connection drawn last; -1 when no port is free. */
  #open(startUs: number, endUs: number): number {
    const live = this.#live;
    const { proto } = COURSES[this.#course];
    const client = this.#population.clients[this.#client];
    const nat = this.#population.natAddressOf(this.#client);
    const clientPort = this.#drawClientPort(proto, client);
    const natPort = this.#drawNatPort(proto, nat, clientPort);
    if (clientPort === 0 || natPort === 0) return -1;
    const row = live.allocate();
    live.startUs[row] = startUs;
    live.endUs[row] = endUs;
    live.proto[row] = proto;
    live.client[row] = client;
    live.server[row] = this.#server;
    live.nat[row] = nat;
    live.clientPort[row] = clientPort;
    live.serverPort[row] = this.#serverPort;
    live.natPort[row] = natPort;
    live.course[row] = this.#course;
    live.insert(row);
    return row;
  }

  /** A source port that the client does not use towards this server; 0 when there is none. */
  #drawClientPort(proto: number, client: number): number {
    for (let i = 0; i < PORT_TRIES_MAX; i++) {
      const port = this.#population.drawSourcePort(this.#client);
      if (!this.#live.hasOrig(proto, client, port, this.#server, this.#serverPort)) return port;
    }
    return 0;
  }

  /**
   * The client's own port while it is free at this address towards this server, else another (nf_nat_core.c);
   * 0 when none.
   */
  #drawNatPort(proto: number, nat: number, clientPort: number): number {
    let port = clientPort;
    for (let i = 0; i < PORT_TRIES_MAX; i++) {
      if (!this.#live.hasReply(proto, nat, port, this.#server, this.#serverPort)) return port;
      port = 1024 + this.#random.below(64512);
    }
    return 0;
  }

  #emit(row: number, kind: number): void {
    const live = this.#live;
    const event = this.#event;
    const course = COURSES[live.course[row]];
    const isStart = kind === RecordKind.start;
    event.kind = kind;
    event.timeUs = isStart ? live.startUs[row] : live.endUs[row];
    event.startUs = live.startUs[row];
    event.proto = live.proto[row];
    event.origSrc = live.client[row];
    event.origDst = live.server[row];
    event.replyDst = live.nat[row];
    event.origSrcPort = live.clientPort[row];
    event.origDstPort = live.serverPort[row];
    event.replyDstPort = live.natPort[row];
    event.status = isStart ? STATUS_AT_START : course.statusAtEnd;
    event.tcpState = isStart && course.tcpStateAtEnd !== 0 ? TCP_STATE_AT_START : course.tcpStateAtEnd;
    this.emit(event);
  }
}
