import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';

/** A certificate and its key, as files. */
export interface IssuedCertificate {
  readonly certFile: string;
  readonly keyFile: string;
}

/** A certificate authority in a folder, for one test. Needs `openssl` on PATH. */
export class ThrowAwayCa {
  readonly certFile: string;
  private readonly keyFile: string;
  private serial = 1;

  constructor(private readonly folder: string) {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    this.certFile = path.join(folder, 'ca.crt');
    this.keyFile = path.join(folder, 'ca.key');
    const subject = ['-subj', '/CN=Plexus throw-away CA'];
    this.openssl('req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2', ...subject, ...this.outputs('ca'));
  }

  /** For servers and clients on this machine's loopback; `names` replaces what the certificate says it is for. */
  issue(name: string, names = 'DNS:localhost,IP:127.0.0.1'): IssuedCertificate {
    const request = path.join(this.folder, `${name}.csr`);
    const extensions = path.join(this.folder, `${name}.ext`);
    const [certFile, keyFile] = [path.join(this.folder, `${name}.crt`), path.join(this.folder, `${name}.key`)];
    writeFileSync(extensions, `subjectAltName=${names}\nextendedKeyUsage=serverAuth,clientAuth\n`);
    const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', keyFile];
    this.openssl('req', ...key, '-subj', `/CN=${name}`, '-out', request);
    this.serial += 1;
    const signing = ['-CA', this.certFile, '-CAkey', this.keyFile, '-set_serial', String(this.serial)];
    this.openssl('x509', '-req', '-in', request, ...signing, '-days', '2', '-extfile', extensions, '-out', certFile);
    return { certFile, keyFile };
  }

  private outputs(name: string): string[] {
    return ['-keyout', path.join(this.folder, `${name}.key`), '-out', path.join(this.folder, `${name}.crt`)];
  }

  private openssl(...args: string[]): void {
    execFileSync('openssl', args, { stdio: 'pipe' });
  }
}

/** Why tests with certificates cannot run here; undefined when they can. */
export function noOpenssl(): string | undefined {
  try {
    execFileSync('openssl', ['version'], { stdio: 'pipe' });
    return undefined;
  } catch {
    return 'there is no openssl on PATH';
  }
}
