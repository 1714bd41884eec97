/**
 * Time zones in the form of POSIX TZ strings (`CET-1CEST,M3.5.0,M10.5.0/3`, `<+0330>-3:30`), which Node does
 * not know and silently takes for UTC. Grammar: POSIX.1-2017, Base Definitions, section 8.3; hours up to 167
 * as RFC 8536 section 3.3.1.
 */

/** A day and second of the year at which the clocks change, in the local time before the change. */
interface ChangeRule {
  readonly kind: 'julian' | 'day' | 'month';
  /** Day number (1 to 365 without leap days, or 0 to 365), or the month. */
  readonly day: number;
  /** For `Mm.w.d`: week 1 to 5 (5 = last) and day of the week (0 = Sunday). */
  readonly week: number;
  readonly weekday: number;
  readonly seconds: number;
}

export interface PosixZone {
  /** Seconds east of UTC. */
  readonly standardSeconds: number;
  readonly daylight:
    | { readonly seconds: number; readonly from: ChangeRule; readonly to: ChangeRule }
    | undefined;
}

const NAME = '(?:[A-Za-z]{3,}|<[A-Za-z0-9+-]{3,}>)';
const CLOCK = '[+-]?\\d{1,3}(?::\\d{1,2}(?::\\d{1,2})?)?';
const RULE = `(?:J\\d{1,3}|\\d{1,3}|M\\d{1,2}\\.\\d\\.\\d)(?:/${CLOCK})?`;
const ZONE = new RegExp(`^${NAME}(${CLOCK})(?:${NAME}(${CLOCK})?(?:,(${RULE}),(${RULE}))?)?$`);
const HAS_DAYLIGHT = new RegExp(`^${NAME}${CLOCK}${NAME}`);

/** The zone a POSIX TZ string means, or undefined when it is none. */
export function parsePosixZone(text: string): PosixZone | undefined {
  const match = ZONE.exec(text);
  if (match === null) return undefined;
  const west = clockSeconds(match[1], 24);
  if (west === undefined) return undefined;
  const standardSeconds = -west;
  if (!HAS_DAYLIGHT.test(text)) return { standardSeconds, daylight: undefined };
  const daylightWest = match[2] === undefined ? west - 3600 : clockSeconds(match[2], 24);
  // Without rules the C library takes those of the United States.
  const from = parseRule(match[3] ?? 'M3.2.0');
  const to = parseRule(match[4] ?? 'M11.1.0');
  if (daylightWest === undefined || from === undefined || to === undefined) return undefined;
  return { standardSeconds, daylight: { seconds: -daylightWest, from, to } };
}

/** Seconds east of UTC at a time given in seconds since the epoch. */
export function posixOffsetSeconds(zone: PosixZone, epochSeconds: number): number {
  const { standardSeconds, daylight } = zone;
  if (daylight === undefined) return standardSeconds;
  const year = new Date((epochSeconds + standardSeconds) * 1000).getUTCFullYear();
  const from = changeSeconds(daylight.from, year) - standardSeconds;
  const to = changeSeconds(daylight.to, year) - daylight.seconds;
  const isDaylight =
    from < to ? epochSeconds >= from && epochSeconds < to : epochSeconds >= from || epochSeconds < to;
  return isDaylight ? daylight.seconds : standardSeconds;
}

function clockSeconds(text: string, maxHours: number): number | undefined {
  const [hours, minutes = 0, seconds = 0] = text
    .replace(/^[+-]/, '')
    .split(':')
    .map((part) => Number(part));
  if (hours > maxHours || minutes > 59 || seconds > 59) return undefined;
  const total = hours * 3600 + minutes * 60 + seconds;
  return text.startsWith('-') ? -total : total;
}

function parseRule(text: string): ChangeRule | undefined {
  const [date, clock = '2'] = text.split('/');
  const seconds = clockSeconds(clock, 167);
  if (seconds === undefined) return undefined;
  if (date.startsWith('M')) {
    const [month, week, weekday] = date.slice(1).split('.').map(Number);
    if (month < 1 || month > 12 || week < 1 || week > 5 || weekday > 6) return undefined;
    return { kind: 'month', day: month, week, weekday, seconds };
  }
  const julian = date.startsWith('J');
  const day = Number(julian ? date.slice(1) : date);
  if (day > 365 || (julian && day < 1)) return undefined;
  return { kind: julian ? 'julian' : 'day', day, week: 0, weekday: 0, seconds };
}

/** Local time of a change, as seconds since the epoch if the zone were UTC. */
function changeSeconds(rule: ChangeRule, year: number): number {
  let dayMs: number;
  if (rule.kind === 'day') dayMs = Date.UTC(year, 0, 1 + rule.day);
  // A year without a leap day has the month and day that J counts to.
  else if (rule.kind === 'julian') {
    const plain = new Date(Date.UTC(2001, 0, rule.day));
    dayMs = Date.UTC(year, plain.getUTCMonth(), plain.getUTCDate());
  } else {
    const firstWeekday = new Date(Date.UTC(year, rule.day - 1, 1)).getUTCDay();
    let day = 1 + ((rule.weekday - firstWeekday + 7) % 7) + (rule.week - 1) * 7;
    const daysInMonth = new Date(Date.UTC(year, rule.day, 0)).getUTCDate();
    while (day > daysInMonth) day -= 7;
    dayMs = Date.UTC(year, rule.day - 1, day);
  }
  return dayMs / 1000 + rule.seconds;
}
