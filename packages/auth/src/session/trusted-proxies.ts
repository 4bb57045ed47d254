import type { IncomingHttpHeaders } from 'node:http';
import { BlockList, isIP } from 'node:net';

const loopback = ['127.0.0.0/8', '::1/128'];
const unixPeers = 'unix';

export interface ProxyTrust {
  /** True when `x-user-email` of a request from this socket peer may be believed. */
  isTrusted(peer: string | undefined, headers: IncomingHttpHeaders): boolean;
}

/**
 * @param cidrs who is trusted, where the word `unix` stands for whoever can reach the process's Unix socket (which has no
 *   peer address); undefined (nothing configured): nobody in production, else loopback, and then only for
 *   requests that no proxy forwarded: a Host that is not local or a Forwarded header means that someone put a proxy in
 *   front, behind which every client looks like loopback
 */
export function createProxyTrust(cidrs: readonly string[] | undefined, isProduction: boolean): ProxyTrust {
  if (cidrs === undefined && isProduction) return { isTrusted: () => false };
  const list = toBlockList((cidrs ?? loopback).filter((cidr) => cidr !== unixPeers));
  const isConfigured = cidrs !== undefined;
  const isUnixTrusted = cidrs?.includes(unixPeers) ?? false;
  return {
    isTrusted: (peer, headers) => {
      // A Unix socket has no address to show; an empty one means the same.
      if (peer === undefined || peer === '') return isUnixTrusted;
      return contains(list, peer) && (isConfigured || isUnforwarded(headers));
    },
  };
}

function toBlockList(cidrs: readonly string[]): BlockList {
  const list = new BlockList();
  for (const cidr of cidrs) {
    const [address = '', bits] = cidr.split('/');
    const family = isIP(address) === 6 ? 'ipv6' : 'ipv4';
    list.addSubnet(address, bits === undefined ? (family === 'ipv6' ? 128 : 32) : Number(bits), family);
  }
  return list;
}

function contains(list: BlockList, peer: string): boolean {
  // A dual-stack socket shows IPv4 peers as ::ffff:10.0.0.1.
  const address = peer.startsWith('::ffff:') ? peer.slice(7) : peer;
  const family = isIP(address);
  return family !== 0 && list.check(address, family === 6 ? 'ipv6' : 'ipv4');
}

function isUnforwarded(headers: IncomingHttpHeaders): boolean {
  const names = Object.keys(headers);
  if (
    names.some(
      (name) =>
        name === 'forwarded' || name === 'via' || name.startsWith('x-forwarded-') || name === 'x-real-ip',
    )
  ) {
    return false;
  }
  return isLocalHost(headers.host ?? '');
}

function isLocalHost(host: string): boolean {
  return /^(localhost|127\.\d{1,3}\.\d{1,3}\.\d{1,3}|\[::1\])(:\d{1,5})?$/i.test(host);
}
