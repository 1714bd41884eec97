/**
 * The socket filter: a classic BPF program that keeps the events of some layer-4 protocols, so that what is
 * not recorded costs no receive buffer. What it cannot read it accepts; the parser filters again. Messages
 * refused here are not counted as drops.
 *
 * Only for an event socket: on a dump socket it would judge whole datagrams, and the dump would stall.
 */
import { CTA_PROTO_NUM, CTA_TUPLE_ORIG, CTA_TUPLE_PROTO, NFNL_SUBSYS_CTNETLINK } from './constants.js';
import { ATTRIBUTE_HEADER_BYTES, FIRST_ATTRIBUTE_OFFSET, NLMSG_TYPE_OFFSET } from './message.js';

// include/uapi/linux/bpf_common.h: class | size | mode, or class | operation | source
const LD_IMM = 0x00;
const LDX_IMM = 0x01;
const LD_WORD_ABS = 0x20;
const LD_BYTE_ABS = 0x30;
const LD_BYTE_IND = 0x50;
const JEQ = 0x15;
const RET = 0x06;
const TAX = 0x07;

// include/uapi/linux/filter.h: SKF_AD_OFF (-0x1000) + SKF_AD_NLATTR (12), SKF_AD_NLATTR_NEST (16)
const NLATTR = 0xfffff00c;
const NLATTR_NEST = 0xfffff010;

/** The subsystem is the high byte of the message's type. */
const SUBSYSTEM_OFFSET = NLMSG_TYPE_OFFSET + 1;

const TESTS_START = 14;
const INSTRUCTION_BYTES = 8;

/** Jumps are 8 bits wide: the first one, at instruction 1, must reach the last instruction. */
export const MAX_FILTER_PROTOCOLS = 0xff - TESTS_START + 1;

/**
 * The program for a list of IANA protocol numbers, as an array of `struct sock_filter` (u16 code, u8 jt, u8
 * jf, u32 k); undefined when nothing can be filtered in the kernel: all protocols, or more than the jumps can
 * span.
 */
export function protocolFilter(protocols: readonly number[] | 'all'): Uint8Array | undefined {
  if (protocols === 'all' || protocols.length === 0 || protocols.length > MAX_FILTER_PROTOCOLS)
    return undefined;
  const drop = TESTS_START + protocols.length;
  const accept = drop + 1;
  const program = new DataView(new ArrayBuffer((accept + 1) * INSTRUCTION_BYTES));
  let at = 0;
  const add = (code: number, k: number, trueTarget?: number, falseTarget?: number): void => {
    const offset = at * INSTRUCTION_BYTES;
    program.setUint16(offset, code, true);
    program.setUint8(offset + 2, trueTarget === undefined ? 0 : trueTarget - at - 1);
    program.setUint8(offset + 3, falseTarget === undefined ? 0 : falseTarget - at - 1);
    program.setUint32(offset + 4, k, true);
    at++;
  };
  add(LD_BYTE_ABS, SUBSYSTEM_OFFSET);
  add(JEQ, NFNL_SUBSYS_CTNETLINK, undefined, accept);
  add(LD_IMM, FIRST_ATTRIBUTE_OFFSET);
  add(LDX_IMM, CTA_TUPLE_ORIG);
  add(LD_WORD_ABS, NLATTR); // A = offset of the attribute, 0 = absent
  add(JEQ, 0, accept);
  add(LDX_IMM, CTA_TUPLE_PROTO);
  add(LD_WORD_ABS, NLATTR_NEST);
  add(JEQ, 0, accept);
  add(LDX_IMM, CTA_PROTO_NUM);
  add(LD_WORD_ABS, NLATTR_NEST);
  add(JEQ, 0, accept);
  add(TAX, 0);
  add(LD_BYTE_IND, ATTRIBUTE_HEADER_BYTES);
  for (const protocol of protocols) add(JEQ, protocol, accept);
  add(RET, 0);
  add(RET, 0xffffffff);
  return new Uint8Array(program.buffer);
}
