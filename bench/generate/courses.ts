/**
 * How connections go: which service, how long the entry lives in the kernel's table, and what its DESTROY
 * says. Times out of net/netfilter/nf_conntrack_proto_{tcp,udp}.c: UDP 30 s after the last packet, 120 s once
 * it is a stream (packets both ways for more than 2 s); TCP 120 s in TIME_WAIT and in SYN_SENT, 10 s after a
 * reset.
 */
import type { Random } from './random.js';

export const IPPROTO_TCP = 6;
export const IPPROTO_UDP = 17;

/** enum ip_conntrack_status (include/uapi/linux/netfilter/nf_conntrack_common.h) */
const SEEN_REPLY = 0x2;
const ASSURED = 0x4;
const SRC_NAT = 0x10;
/** CONFIRMED, SRC_NAT_DONE, DST_NAT_DONE: what every entry of a NAT gateway has. */
const CONFIRMED_AND_NAT_DONE = 0x188;
const DYING = 0x200;
export const STATUS_AT_START = CONFIRMED_AND_NAT_DONE | SRC_NAT;
const STATUS_AT_END = STATUS_AT_START | DYING;

/** enum tcp_conntrack (nf_conntrack_tcp.h) */
const SYN_SENT = 1;
const TIME_WAIT = 7;
const CLOSE = 8;
export const TCP_STATE_AT_START = SYN_SENT;

interface CourseFacts {
  readonly proto: number;
  readonly statusAtEnd: number;
  /** 0 where the protocol has none. */
  readonly tcpStateAtEnd: number;
  /** Mean of the time from the first packet to the last (exponential), seconds. */
  readonly talkSeconds: number;
  /** From the last packet to the end of the entry. */
  readonly timeoutSeconds: number;
}

const replied = STATUS_AT_END | SEEN_REPLY;
const assured = replied | ASSURED;

/** The longest talk is 5 times the mean, except for the last course, which has its own distribution. */
export const COURSES = [
  course(IPPROTO_UDP, replied, 0, 0.03, 30), // 0: a question and its answer
  course(IPPROTO_UDP, STATUS_AT_END, 0, 0.5, 30), // 1: nobody answers
  course(IPPROTO_UDP, assured, 0, 15, 120), // 2: a stream
  course(IPPROTO_TCP, assured, TIME_WAIT, 15, 120), // 3: closed in order
  course(IPPROTO_TCP, assured, CLOSE, 15, 10), // 4: reset
  course(IPPROTO_TCP, STATUS_AT_END, SYN_SENT, 2, 120), // 5: nobody answers
  course(IPPROTO_TCP, assured, TIME_WAIT, 0, 120), // 6: long
] as const;

/** Indexes into COURSES. */
export const Course = {
  answered: 0,
  udpUnanswered: 1,
  udpStream: 2,
  closed: 3,
  reset: 4,
  tcpUnanswered: 5,
  long: 6,
} as const;

/** Longest life of a course but the long one, and of the long one, seconds. */
export const SHORT_LIFE_SECONDS_MAX = 200;
export const LONG_LIFE_SECONDS_MAX = 4 * 3600;
const LONG_TALK_SECONDS_MIN = 60;
/**
 * Talks of long connections follow a Pareto distribution with this exponent: half of them are over after two
 * minutes.
 */
const LONG_TALK_EXPONENT = 1;

/** Of all connections. */
const DNS_SHARE = 0.3;
/** Of those to port 443. */
const QUIC_SHARE = 0.35;

export function drawIsDns(random: Random): boolean {
  return random.unit() < DNS_SHARE;
}

/** Index into COURSES for a connection to a server's port, that is not to a resolver. */
export function drawCourse(random: Random, serverPort: number): number {
  const u = random.unit();
  if (serverPort === 123) return u < 0.97 ? Course.answered : Course.udpUnanswered;
  if (serverPort === 443 && u < QUIC_SHARE)
    return random.unit() < 0.95 ? Course.udpStream : Course.udpUnanswered;
  const v = random.unit();
  if (v < 0.75) return Course.closed;
  if (v < 0.94) return Course.reset;
  return v < 0.97 ? Course.tcpUnanswered : Course.long;
}

export function drawDnsCourse(random: Random): number {
  return random.unit() < 0.99 ? Course.answered : Course.udpUnanswered;
}

/** Life of an entry in microseconds. */
export function drawLifeUs(random: Random, index: number): number {
  const { talkSeconds, timeoutSeconds } = COURSES[index];
  if (index !== Course.long) {
    const talk = Math.min(random.exponential(talkSeconds), 5 * talkSeconds);
    return Math.floor((talk + timeoutSeconds) * 1e6);
  }
  const talk = LONG_TALK_SECONDS_MIN * (1 - random.unit()) ** (-1 / LONG_TALK_EXPONENT);
  return Math.floor(Math.min(talk + timeoutSeconds, LONG_LIFE_SECONDS_MAX) * 1e6);
}

function course(
  proto: number,
  statusAtEnd: number,
  tcpStateAtEnd: number,
  talkSeconds: number,
  timeoutSeconds: number,
): CourseFacts {
  return { proto, statusAtEnd, tcpStateAtEnd, talkSeconds, timeoutSeconds };
}
