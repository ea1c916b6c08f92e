/** Certificates for tests of TLS, made by `openssl` as they are needed: an authority, and what it signs. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface Authority {
  /** PEM file of its certificate. */
  ca: string;
  /** A certificate for `localhost` and 127.0.0.1, for servers and for clients. @returns PEM files */
  sign(name: string): { cert: string; key: string };
  directory: string;
}

export function createAuthority(): Authority {
  const directory = mkdtempSync(join(tmpdir(), 'uellm-certificates-'));
  const file = (name: string) => join(directory, name);
  const openssl = (...args: string[]) => execFileSync('openssl', args, { stdio: 'pipe' });
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  openssl('req', '-x509', ...newKey, '-keyout', file('ca.key'), '-out', file('ca.pem'), '-days', '2', '-subj', '/CN=authority of a test');
  writeFileSync(file('extensions'), 'subjectAltName=DNS:localhost,IP:127.0.0.1\nbasicConstraints=CA:FALSE\n');
  return {
    ca: file('ca.pem'),
    directory,
    sign(name) {
      const [cert, key, request] = [file(`${name}.pem`), file(`${name}.key`), file(`${name}.csr`)];
      openssl('req', ...newKey, '-keyout', key, '-out', request, '-subj', `/CN=${name}`);
      const authority = ['-CA', file('ca.pem'), '-CAkey', file('ca.key'), '-CAcreateserial'];
      openssl('x509', '-req', '-in', request, ...authority, '-out', cert, '-days', '2', '-extfile', file('extensions'));
      return { cert, key };
    },
  };
}
