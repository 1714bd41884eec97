/**
 * Ports by the names of the IANA service registry
 * (https://www.iana.org/assignments/service-names-port-numbers) and of /etc/services, for the services that
 * cross a gateway most. A list of our own: /etc/services differs from machine to machine, and is missing from
 * many.
 */

const PORTS: Readonly<Record<string, number>> = {
  'ftp-data': 20,
  ftp: 21,
  ssh: 22,
  telnet: 23,
  smtp: 25,
  domain: 53,
  bootps: 67,
  bootpc: 68,
  tftp: 69,
  http: 80,
  kerberos: 88,
  pop3: 110,
  sunrpc: 111,
  ntp: 123,
  'netbios-ns': 137,
  'netbios-ssn': 139,
  imap: 143,
  snmp: 161,
  'snmp-trap': 162,
  bgp: 179,
  ldap: 389,
  https: 443,
  'microsoft-ds': 445,
  submissions: 465,
  isakmp: 500,
  syslog: 514,
  submission: 587,
  ldaps: 636,
  'domain-s': 853,
  rsync: 873,
  ftps: 990,
  imaps: 993,
  pop3s: 995,
  socks: 1080,
  openvpn: 1194,
  'ms-sql-s': 1433,
  l2tp: 1701,
  pptp: 1723,
  radius: 1812,
  'radius-acct': 1813,
  mqtt: 1883,
  nfs: 2049,
  mysql: 3306,
  'ms-wbt-server': 3389,
  stun: 3478,
  'ipsec-nat-t': 4500,
  sip: 5060,
  sips: 5061,
  'xmpp-client': 5222,
  'xmpp-server': 5269,
  mdns: 5353,
  postgresql: 5432,
  rfb: 5900,
  'http-alt': 8080,
  'https-alt': 8443,
  'secure-mqtt': 8883,
  wireguard: 51820,
};

/** Other names that users write for the same. */
const ALIASES: Readonly<Record<string, number>> = {
  dns: 53,
  snmptrap: 162,
  smb: 445,
  smtps: 465,
  ike: 500,
  dot: 853,
  mssql: 1433,
  rdp: 3389,
  vnc: 5900,
  postgres: 5432,
};

const BY_NAME = new Map([...Object.entries(PORTS), ...Object.entries(ALIASES)]);

/** Port of a service by its name, in any case; undefined when there is none. */
export function servicePort(name: string): number | undefined {
  return BY_NAME.get(name.toLowerCase());
}

/** Every name that `servicePort` knows. */
export function serviceNames(): readonly string[] {
  return [...BY_NAME.keys()];
}
